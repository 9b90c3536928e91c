//! What a client gets.

use std::sync::Arc;

use super::{MAX_DELIVERIES, Session};
use crate::{
    count::{self, Dropped},
    message::Message,
    packet::{
        Reason, Version,
        encode::{self, Ack, Alias, Form},
    },
    record,
    retained::Cursor,
    store::Ticket,
    subscriber::Delivery,
    window::Flight,
};

/// Deliveries fetched at a time.
const PORTION: usize = 64;
/// So many topics are given a number at a client that wants numbers for them.
pub(super) const MAX_ALIASES: u16 = 32;

/// The retained messages of one new subscription, on their way.
pub(super) struct Replay {
    filter: String,
    qos: u8,
    identifier: Option<u32>,
    cursor: Cursor,
}

impl Replay {
    pub(super) fn new(filter: &str, qos: u8, identifier: Option<u32>) -> Self {
        Replay { filter: filter.to_owned(), qos, identifier, cursor: Cursor::new(filter) }
    }

    pub(super) fn is_for(&self, filter: &str) -> bool {
        self.filter == filter
    }
}

impl Session<'_> {
    /// Sends what may be sent: first what an earlier connection left open, then retained messages, then what has
    /// arrived. Whether more could be sent right now.
    pub(super) fn deliver_all(&mut self) -> bool {
        while self.may_deliver() {
            if let Some(id) = self.resends.pop_front() {
                self.resend(id);
            } else if !self.replays.is_empty() {
                self.replay();
                return true;
            } else if self.subscriber.has_waiting() {
                self.tell_losses();
                let bytes = MAX_DELIVERIES.saturating_sub(self.outbound.len());
                for delivery in self.subscriber.take(self.window.room().min(PORTION), bytes) {
                    self.send(delivery);
                }
            } else {
                return false;
            }
        }
        false
    }

    fn tell_losses(&mut self) {
        let lost = self.subscriber.dropped();
        if lost > 0 && !std::mem::replace(&mut self.told.lost, true) {
            let (user, client_id) = (self.identity.user.as_deref(), &self.identity.client_id);
            self.gate.faults.report(|unlogged| {
                tracing::warn!(user, client_id, lost, unlogged, "client reads too slowly and loses messages");
            });
        }
    }

    /// One of an earlier connection goes again, with the same identifier (4.4).
    fn resend(&mut self, id: u16) {
        self.window.resent();
        let Some(flight) = self.window.get(id) else { return };
        let (qos, delivery) = (flight.qos, flight.delivery.clone());
        if flight.released {
            return self.ack(Ticket::default(), Ack::Pubrel, id, Reason::Success);
        }
        let Some(delivery) = delivery else { return };
        let expiry_s = match self.admit(&delivery) {
            Some(expiry_s) => expiry_s,
            // The client may have had it and wait for PUBREL: then nothing else may come under this identifier.
            None if qos == 2 => delivery.message.expires.map(|_| 1),
            None => return self.acknowledged_unsent(id),
        };
        let form = Form { id, qos, duplicate: true, ..self.form(&delivery, expiry_s) };
        encode::publish(&mut self.outbound, self.version, &delivery.message, &form);
        count::delivered(delivery.message.payload.len());
    }

    fn replay(&mut self) {
        let Some(mut replay) = self.replays.pop_front() else { return };
        let room = PORTION.min(self.window.room());
        let (messages, more) = self.gate.retained.next(&mut replay.cursor, room, self.gate.clock.now());
        for message in messages {
            let qos = replay.qos.min(message.qos);
            let identifiers = replay.identifier.into_iter().collect();
            let message = Arc::new(message);
            self.send(Delivery { message, qos, retain: true, identifiers, seq: None, group: None });
        }
        if more {
            self.replays.push_front(replay);
        }
    }

    /// What is left of a message's time, if it may be sent; counted if it may not.
    #[expect(clippy::option_option, reason = "whether it goes, and whether its time ends")]
    fn admit(&self, delivery: &Delivery) -> Option<Option<u32>> {
        let message: &Message = &delivery.message;
        let Ok(expiry_s) = message.expiry(self.gate.clock.now()) else {
            count::dropped(Dropped::Expired, 1);
            return None;
        };
        // A filter may cover more than a narrower `deny` lets through, and the rules may have changed since SUBSCRIBE.
        if !self.access.borrow().may_read(&self.identity, message.topic()) {
            count::dropped(Dropped::Denied, 1);
            return None;
        }
        let form = Form { alias: self.alias_of(message), ..self.form(delivery, expiry_s) };
        if encode::publish_bytes(self.version, message, &form) > self.max_packet_bytes {
            count::dropped(Dropped::TooLarge, 1);
            return None;
        }
        Some(expiry_s)
    }

    fn form<'a>(&self, delivery: &'a Delivery, expiry_s: Option<u32>) -> Form<'a> {
        Form {
            id: 0,
            qos: delivery.qos,
            duplicate: false,
            retain: delivery.retain,
            expiry_s,
            identifiers: &delivery.identifiers,
            alias: None,
        }
    }

    /// The number that a topic has, or would get.
    fn alias_of(&self, message: &Message) -> Option<Alias> {
        if self.most_given == 0 || self.version == Version::V4 {
            return None;
        }
        match self.given.get(message.name.bytes()) {
            Some(number) => Some(Alias { number: *number, known: true }),
            None if self.given.len() < usize::from(self.most_given) => {
                Some(Alias { number: self.given.len() as u16 + 1, known: false })
            }
            None => None,
        }
    }

    fn send(&mut self, delivery: Delivery) {
        let Some(expiry_s) = self.admit(&delivery) else {
            return self.drop_unsent(&delivery);
        };
        let qos = delivery.qos;
        let waits = qos == 2 && self.lasts();
        // What comes after one that waits waits too, so that the order stays.
        let is_behind = waits || (qos > 0 && !self.held.is_empty());
        // QoS 0 overtakes those, and an alias must be told before it is used.
        let alias = if is_behind { None } else { self.alias_of(&delivery.message) };
        let mut form = Form { alias, ..self.form(&delivery, expiry_s) };
        let mut ticket = Ticket::default();
        if qos > 0 {
            let mut kept = (self.lasts() || delivery.group.is_some()).then(|| delivery.clone());
            if let Some(kept) = kept.as_mut().filter(|_| waits) {
                self.number(kept);
            }
            let seq = kept.as_ref().and_then(|kept| kept.seq).unwrap_or(0);
            form.id = self.window.open(Flight::new(qos, false, kept));
            if waits {
                // Before it goes: after a crash it must come with the same identifier, or the client takes it for another.
                ticket = self.gate.store.write(vec![record::flight(self.subscriber.number, form.id, seq, false)]);
            }
        }
        if let Some(alias) = alias.filter(|alias| !alias.known) {
            let topic = bytes::Bytes::copy_from_slice(delivery.message.name.bytes());
            self.given.insert(topic, alias.number);
        }
        let version = self.version;
        if is_behind {
            self.when_written(ticket, |out| encode::publish(out, version, &delivery.message, &form));
        } else {
            encode::publish(&mut self.outbound, version, &delivery.message, &form);
        }
        count::delivered(delivery.message.payload.len());
    }

    /// Puts one on disk that did not come from the queue.
    fn number(&self, delivery: &mut Delivery) {
        if delivery.seq.is_none() {
            delivery.seq = Some(self.subscriber.next_seq());
            let op = record::queued(self.subscriber.number, delivery, self.gate.clock);
            self.gate.store.write(op.into_iter().collect());
        }
    }

    fn drop_unsent(&self, delivery: &Delivery) {
        if let Some(seq) = delivery.seq {
            self.gate.store.write(vec![record::not_queued(self.subscriber.number, seq)]);
        }
    }
}
