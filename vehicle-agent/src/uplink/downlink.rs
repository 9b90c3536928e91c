use std::collections::{BTreeMap, HashSet, VecDeque};

use bugbrother_client::Delivery as Arrived;
use bugbrother_wire::{
    CommandId, Message, Topic, decode,
    message::{Ack, Command, Config, ReplyState},
};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    now_ms,
    outbox::{Draft, Outbox, OutboxError, Progress},
};

/// So many of the last commands are known again when the broker delivers them twice.
const REMEMBERED: usize = 64;

/// Takes what the fleet says.
pub(super) struct Downlink {
    outbox: Outbox,
    periods: watch::Sender<BTreeMap<String, u32>>,
    private: watch::Sender<bool>,
    revision: Option<u64>,
    commands: VecDeque<CommandId>,
    refused: HashSet<&'static str>,
}

impl Downlink {
    pub fn new(outbox: Outbox, periods: watch::Sender<BTreeMap<String, u32>>, private: watch::Sender<bool>) -> Self {
        Downlink {
            outbox,
            periods,
            private,
            revision: None,
            commands: VecDeque::with_capacity(REMEMBERED),
            refused: HashSet::new(),
        }
    }

    /// Takes a message; an acknowledgement is handed on with what it changed.
    pub async fn hear(&mut self, message: &Arrived) -> Result<Option<(Ack, Progress)>, OutboxError> {
        let Ok(topic) = message.topic.parse::<Topic>() else {
            self.refuse("topic", message);
            return Ok(None);
        };
        match decode(&topic, &message.payload) {
            Ok(Message::Ack(ack)) => {
                let progress = self.outbox.acknowledge(&ack, message.retained).await?;
                Ok(Some((ack, progress)))
            }
            Ok(Message::Config(config)) => {
                self.configure(config);
                Ok(None)
            }
            Ok(Message::Command(command)) => {
                self.answer(&command).await?;
                Ok(None)
            }
            Ok(_) => {
                self.refuse("direction", message);
                Ok(None)
            }
            Err(error) => {
                self.refuse(error.reason(), message);
                Ok(None)
            }
        }
    }

    /// Counts, and logs the first of each kind.
    fn refuse(&mut self, reason: &'static str, message: &Arrived) {
        metrics::counter!("bugbrother_agent_refused_payloads_total", "reason" => reason).increment(1);
        if self.refused.insert(reason) {
            warn!(topic = message.topic, bytes = message.payload.len(), reason, "payload refused");
        }
    }

    fn configure(&mut self, config: Config) {
        if self.revision.is_some_and(|revision| config.revision <= revision) {
            return;
        }
        self.revision = Some(config.revision);
        info!(revision = config.revision, privacy = config.privacy, "settings of the fleet");
        self.private.send_replace(config.privacy);
        self.periods.send_replace(config.periods_ms);
    }

    /// This version carries out none: each is answered once, so that nobody waits in vain.
    async fn answer(&mut self, command: &Command) -> Result<(), OutboxError> {
        if self.commands.contains(&command.id) {
            return Ok(());
        }
        if self.commands.len() == REMEMBERED {
            self.commands.pop_front();
        }
        self.commands.push_back(command.id);
        let now = now_ms();
        let (state, detail) = if command.expires < now {
            (ReplyState::Expired, "it came after its time".to_owned())
        } else {
            let name: String = command.name.chars().take(64).collect();
            (ReplyState::Denied, format!("this agent knows no command `{name}`"))
        };
        let reply = Draft::Reply { command: command.id, state, at: now, detail: Some(detail) };
        self.outbox.append(&[reply], now).await
    }
}
