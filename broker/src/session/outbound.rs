//! What a client gets.

use super::Session;
use crate::{
    count::{self, Dropped},
    link::RouteId,
    message::Message,
    packet::encode,
    retained::Cursor,
};

/// Retained messages fetched at a time.
const PORTION: usize = 64;

/// The retained messages of one new subscription, on their way.
pub(super) struct Replay {
    filter: String,
    qos: u8,
    cursor: Cursor,
}

impl Replay {
    pub(super) fn new(filter: &str, qos: u8) -> Self {
        Replay { filter: filter.to_owned(), qos, cursor: Cursor::new(filter) }
    }

    pub(super) fn is_for(&self, filter: &str) -> bool {
        self.filter == filter
    }
}

impl Session<'_> {
    /// Sends some retained messages; whether more could be sent right now.
    pub(super) fn replay(&mut self) -> bool {
        if !self.may_deliver() {
            return false;
        }
        let Some(mut replay) = self.replays.pop_front() else { return false };
        let room = PORTION.min(self.window.room());
        let (messages, more) = self.gate.retained.next(&mut replay.cursor, room, self.gate.clock.now());
        for message in &messages {
            self.send(message, replay.qos.min(message.qos), true);
        }
        if more {
            self.replays.push_front(replay);
        }
        !self.replays.is_empty() && self.may_deliver()
    }

    /// Delivers a message that came through the router, if one of the client's filters wants it.
    pub(super) fn deliver(&mut self, route: RouteId, lost: u64, message: &Message) {
        if lost > 0 {
            count::dropped(Dropped::SlowSubscriber, lost);
            if !std::mem::replace(&mut self.told.lost, true) {
                let (user, client_id) = (self.identity.user.as_deref(), &self.identity.client_id);
                self.gate.faults.report(|unlogged| {
                    tracing::warn!(user, client_id, lost, unlogged, "client reads too slowly and loses messages");
                });
            }
        }
        if let Some(delivery) = self.subscriptions.delivery(route, message, self.number) {
            self.send(message, delivery.qos, delivery.retain);
        }
    }

    fn send(&mut self, message: &Message, qos: u8, retain: bool) {
        let Ok(expiry_s) = message.expiry(self.gate.clock.now()) else {
            return count::dropped(Dropped::Expired, 1);
        };
        // A filter may cover more than a narrower `deny` lets through, and the rules may have changed since SUBSCRIBE.
        if !self.access.borrow().may_read(&self.identity, message.topic()) {
            return count::dropped(Dropped::Denied, 1);
        }
        // The client counts its limit with the header of the packet, which has five bytes at most.
        if encode::publish_bytes(self.version, message, expiry_s) + 5 > self.max_packet_bytes {
            return count::dropped(Dropped::TooLarge, 1);
        }
        let id = (qos > 0).then(|| self.window.open());
        encode::publish(&mut self.outbound, self.version, message, id, retain, expiry_s);
        count::delivered(message.payload.len());
    }
}
