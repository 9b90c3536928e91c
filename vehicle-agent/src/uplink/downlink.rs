use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    error::Error,
};

use bugbrother_client::Delivery as Arrived;
use bugbrother_wire::{
    CommandId, Message, Topic, decode,
    message::{Ack, Command, Config, ReplyState},
};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::Wishes;
use crate::{
    now_ms,
    outbox::{Draft, Outbox, OutboxError, Progress, Wanted},
};

/// So many of the last commands are known again when the broker delivers them twice.
const REMEMBERED: usize = 64;

/// Takes what the fleet says.
pub(super) struct Downlink {
    outbox: Outbox,
    periods: watch::Sender<BTreeMap<String, u32>>,
    private: watch::Sender<bool>,
    daily_bytes: watch::Sender<Option<u64>>,
    revision: Option<u64>,
    /// What the disk has not taken yet.
    unwritten: Option<Wanted>,
    commands: VecDeque<CommandId>,
    refused: HashSet<&'static str>,
}

impl Downlink {
    pub fn new(outbox: Outbox, wishes: Wishes) -> Self {
        Downlink {
            outbox,
            periods: wishes.periods,
            private: wishes.private,
            daily_bytes: wishes.daily_bytes,
            revision: wishes.revision,
            unwritten: None,
            commands: VecDeque::with_capacity(REMEMBERED),
            refused: HashSet::new(),
        }
    }

    /// Takes a message; an acknowledgement is handed on with what it changed.
    ///
    /// An acknowledgement or a command that the disk does not take is as if it had not been said: records that are not
    /// acknowledged are sent again, and so is the acknowledgement.
    pub async fn hear(&mut self, message: &Arrived) -> Option<(Ack, Progress)> {
        let news = self.take(message).await.unwrap_or_else(|error| {
            self.count_unwritten(&error);
            None
        });
        // Also what the disk has refused before: an acknowledgement that it takes may have made room.
        if let Err(error) = self.write_wanted().await {
            self.count_unwritten(&error);
        }
        news
    }

    async fn take(&mut self, message: &Arrived) -> Result<Option<(Ack, Progress)>, OutboxError> {
        let Ok(topic) = message.topic.parse::<Topic>() else {
            self.refuse("topic", message);
            return Ok(None);
        };
        match decode(&topic, &message.payload) {
            Ok(Message::Ack(ack)) => {
                let progress = self.outbox.acknowledge_later(&ack, message.retained).await?;
                return Ok(Some((ack, progress)));
            }
            Ok(Message::Config(config)) => self.configure(config),
            Ok(Message::Command(command)) => self.answer(&command).await?,
            Ok(_) => self.refuse("direction", message),
            Err(error) => self.refuse(error.reason(), message),
        }
        Ok(None)
    }

    /// Counts, and logs the first of each kind.
    fn refuse(&mut self, reason: &'static str, message: &Arrived) {
        metrics::counter!("bugbrother_agent_refused_payloads_total", "reason" => reason).increment(1);
        if self.refused.insert(reason) {
            warn!(topic = message.topic, bytes = message.payload.len(), reason, "payload refused");
        }
    }

    /// Counts, and logs the first.
    fn count_unwritten(&mut self, error: &OutboxError) {
        metrics::counter!("bugbrother_agent_outbox_failures_total").increment(1);
        if self.refused.insert("disk") {
            error!(error = error as &dyn Error, "what the fleet says cannot be noted");
        }
    }

    fn configure(&mut self, config: Config) {
        let Config { revision, privacy, periods_ms, daily_bytes, .. } = config;
        if self.revision.is_some_and(|known| revision <= known) {
            return;
        }
        self.revision = Some(revision);
        info!(revision, privacy, "settings of the fleet");
        self.private.send_replace(privacy);
        self.periods.send_replace(periods_ms.clone());
        self.daily_bytes.send_replace(daily_bytes);
        self.unwritten = Some(Wanted { revision, private: privacy, periods_ms, daily_bytes });
    }

    async fn write_wanted(&mut self) -> Result<(), OutboxError> {
        if let Some(wanted) = &self.unwritten {
            self.outbox.note_wanted(wanted).await?;
            self.unwritten = None;
        }
        Ok(())
    }

    /// This version carries out none: each is answered once, so that nobody waits in vain.
    async fn answer(&mut self, command: &Command) -> Result<(), OutboxError> {
        if self.commands.contains(&command.id) {
            return Ok(());
        }
        let now = now_ms();
        let (state, detail) = if command.expires < now {
            (ReplyState::Expired, "it came after its time".to_owned())
        } else {
            let name: String = command.name.chars().take(64).collect();
            (ReplyState::Denied, format!("this agent knows no command `{name}`"))
        };
        let reply = Draft::Reply { command: command.id, state, at: now, detail: Some(detail) };
        self.outbox.append(&[reply], now).await?;
        if self.commands.len() == REMEMBERED {
            self.commands.pop_front();
        }
        self.commands.push_back(command.id);
        Ok(())
    }
}
