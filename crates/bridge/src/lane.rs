use std::{collections::VecDeque, future, mem};

use bugbrother_client::{Delivery, Event, Events, PublishError, Publisher, Qos, Receipt};
use futures_util::FutureExt as _;
use metrics::counter;
use tracing::{debug, warn};

use crate::{WINDOW, rules::Rules};

/// Twice what one connection of the source sends unacknowledged: another connection sends it again, while what came on
/// the one before still waits for a destination that is away.
const MOST_WAITING: usize = 2 * WINDOW;

/// The messages of one direction, in order.
pub(crate) struct Lane {
    direction: &'static str,
    rules: Rules,
    source: Events,
    destination: Publisher,
    /// Not acknowledged to the source yet.
    waiting: VecDeque<Waiting>,
    /// So many of them, from the front, are not to be sent.
    sent: usize,
    losses: Losses,
}

struct Waiting {
    delivery: Delivery,
    state: State,
}

enum State {
    Unsent,
    Sent(Receipt),
    /// To be acknowledged when all before it are.
    Settled,
}

/// What sending waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// A message.
    Source,
    /// An acknowledgement.
    Window,
    Connection,
}

impl Lane {
    pub fn new(bridge: String, direction: &'static str, rules: Rules, source: Events, destination: Publisher) -> Self {
        let losses = Losses { bridge, direction, told: false };
        Lane { direction, rules, source, destination, waiting: VecDeque::new(), sent: 0, losses }
    }

    /// Carries messages until the source's session ends.
    pub async fn run(mut self) {
        loop {
            let block = self.send();
            let room = self.waiting.len() < MOST_WAITING;
            let receipt = async {
                match self.waiting.front_mut() {
                    Some(Waiting { state: State::Sent(receipt), .. }) => receipt.await,
                    _ => future::pending().await,
                }
            };
            tokio::select! {
                event = self.source.recv(), if room => match event {
                    Some(Event::Message(delivery)) => self.take(delivery),
                    Some(Event::Up | Event::Down { .. }) => {}
                    None => return,
                },
                outcome = receipt => self.settle(outcome),
                () = self.destination.connected(), if block == Block::Connection => {}
            }
        }
    }

    fn take(&mut self, delivery: Delivery) {
        // What the source does not keep for us either must not make what it keeps wait.
        if delivery.qos == Qos::AtMostOnce {
            if !self.destination.is_connected() {
                return self.losses.count(&delivery.topic, "not_connected");
            }
            if self.waiting.len() >= WINDOW {
                return self.losses.count(&delivery.topic, "too_many");
            }
        }
        self.waiting.push_back(Waiting { delivery, state: State::Unsent });
    }

    /// Sends what the destination takes now.
    fn send(&mut self) -> Block {
        while let Some(next) = self.waiting.get(self.sent) {
            if matches!(next.state, State::Settled) {
                self.sent += 1;
                continue;
            }
            let forwarded = match self.rules.map(&next.delivery.topic) {
                Some(topic) => self.destination.try_forward(topic, &next.delivery),
                None => Err(PublishError::InvalidTopic),
            };
            let state = match forwarded {
                Ok(Some(receipt)) => State::Sent(receipt),
                Ok(None) => return Block::Window,
                Err(PublishError::NotConnected) => return Block::Connection,
                Err(error) => self.give_up(self.sent, &error),
            };
            self.waiting[self.sent].state = state;
            self.sent += 1;
            self.acknowledge();
        }
        Block::Source
    }

    /// What became of the first that waits.
    fn settle(&mut self, outcome: Result<(), PublishError>) {
        match outcome {
            Ok(()) => {
                counter!("bugbrother_bridge_forwarded_messages_total", "direction" => self.direction).increment(1);
                self.waiting[0].state = State::Settled;
            }
            Err(PublishError::ConnectionLost) => {
                self.waiting[0].state = State::Unsent;
                self.rewind();
            }
            Err(error) => self.waiting[0].state = self.give_up(0, &error),
        }
        self.acknowledge();
    }

    /// All that the destination has not acknowledged is to be sent again, in the same order.
    fn rewind(&mut self) {
        for index in 0..mem::take(&mut self.sent) {
            let state = match mem::replace(&mut self.waiting[index].state, State::Unsent) {
                State::Sent(receipt) => match receipt.now_or_never() {
                    Some(Ok(())) => State::Settled,
                    Some(Err(error @ PublishError::Refused(_))) => self.give_up(index, &error),
                    _ => State::Unsent,
                },
                settled => settled,
            };
            self.waiting[index].state = state;
        }
    }

    /// PUBACKs go to the source in the order of its PUBLISHes (MQTT 5.0, 4.6).
    fn acknowledge(&mut self) {
        while let Some(Waiting { delivery, state: State::Settled }) = self.waiting.front() {
            delivery.ack();
            self.waiting.pop_front();
            self.sent = self.sent.saturating_sub(1);
        }
    }

    /// A message that never goes over.
    fn give_up(&mut self, index: usize, error: &PublishError) -> State {
        let reason = match error {
            PublishError::InvalidTopic => "invalid_topic",
            PublishError::TooLarge { .. } => "too_large",
            PublishError::Unsupported => "unsupported",
            _ => "refused",
        };
        self.losses.count(&self.waiting[index].delivery.topic, reason);
        State::Settled
    }
}

/// Messages that do not go over, one way.
struct Losses {
    bridge: String,
    direction: &'static str,
    /// Whether the log has heard of one.
    told: bool,
}

impl Losses {
    fn count(&mut self, topic: &str, reason: &'static str) {
        counter!("bugbrother_bridge_dropped_messages_total", "direction" => self.direction, "reason" => reason)
            .increment(1);
        let Losses { bridge, direction, told } = self;
        if mem::replace(told, true) {
            debug!(bridge, direction, topic, reason, "message does not go over");
        } else {
            warn!(bridge, direction, topic, reason, "message does not go over; the next ones are counted");
        }
    }
}
