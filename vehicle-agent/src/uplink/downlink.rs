use std::{collections::HashSet, error::Error};

use bugbrother_client::Delivery as Arrived;
use bugbrother_wire::{
    Message, Topic, decode,
    message::{Ack, Command},
};
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::{
    clock::Time,
    command,
    outbox::{Outbox, OutboxError, Progress},
    wishes::Wishes,
};

/// Takes what the fleet says.
pub(super) struct Downlink {
    outbox: Outbox,
    wishes: Wishes,
    commands: mpsc::Sender<Command>,
    time: Time,
    refused: HashSet<&'static str>,
}

impl Downlink {
    pub fn new(outbox: Outbox, wishes: Wishes, commands: mpsc::Sender<Command>, time: Time) -> Self {
        Downlink { outbox, wishes, commands, time, refused: HashSet::new() }
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
        if let Err(error) = self.wishes.write(&self.outbox).await {
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
            Ok(Message::Config(config)) => self.wishes.configure(config),
            Ok(Message::Command(command)) => command::take(command, &self.outbox, &self.commands, &self.time).await?,
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
}
