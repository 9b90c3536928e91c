//! What clients and we acknowledge to each other, step by step (4.3), and what waits for the disk before.

use bytes::BytesMut;

use super::{End, Session};
use crate::{
    count,
    packet::{
        Reason,
        encode::{self, Ack},
    },
    record,
    store::Ticket,
    window::Flight,
};

impl Session<'_> {
    pub(super) fn lasts(&self) -> bool {
        self.expiry_s > 0
    }

    /// Sends a packet when what the ticket stands for is on disk, and not before those that wait for that already.
    pub(super) fn when_written(&mut self, ticket: Ticket, write: impl FnOnce(&mut BytesMut)) {
        if self.held.is_empty() && self.gate.store.has(ticket) {
            write(&mut self.outbound);
        } else {
            let mut packet = BytesMut::new();
            write(&mut packet);
            self.held.push_back((ticket, packet.freeze()));
        }
    }

    /// Sends what has waited long enough.
    pub(super) fn release(&mut self) {
        while let Some((ticket, _)) = self.held.front()
            && self.gate.store.has(*ticket)
            && let Some((_, packet)) = self.held.pop_front()
        {
            self.outbound.extend_from_slice(&packet);
        }
    }

    pub(super) fn ack(&mut self, ticket: Ticket, ack: Ack, id: u16, reason: Reason) {
        let (version, explains) = (self.version, self.explains);
        self.when_written(ticket, |out| encode::ack(out, version, ack, id, reason, explains));
        count::packet_sent();
    }

    fn unknown(&mut self) {
        count::unknown_ack();
        self.pay(1);
    }

    /// PUBACK.
    pub(super) fn acknowledged(&mut self, id: u16) {
        match self.window.get(id).map(|flight| flight.qos) {
            Some(1) => self.done(id),
            _ => self.unknown(),
        }
    }

    /// PUBREC: the message is the client's now.
    pub(super) fn taken(&mut self, id: u16, refused: bool) {
        let (number, lasts) = (self.subscriber.number, self.lasts());
        let mut ticket = Ticket::default();
        match self.window.get(id) {
            Some(Flight { qos: 2, .. }) if refused => return self.done(id),
            Some(Flight { qos: 2, released: true, .. }) => {}
            Some(flight) if flight.qos == 2 => {
                let seq = flight.seq();
                flight.released = true;
                flight.delivery = None;
                if lasts {
                    // Before PUBREL goes: the client then forgets that it has had the message.
                    let ops = vec![record::flight(number, id, seq, true), record::not_queued(number, seq)];
                    ticket = self.gate.store.write(ops);
                }
            }
            _ => {
                self.unknown();
                if !refused {
                    self.ack(Ticket::default(), Ack::Pubrel, id, Reason::PacketIdentifierNotFound);
                }
                return;
            }
        }
        self.ack(ticket, Ack::Pubrel, id, Reason::Success);
    }

    /// PUBCOMP.
    pub(super) fn completed(&mut self, id: u16) {
        match self.window.get(id) {
            Some(Flight { released: true, .. }) => self.done(id),
            _ => self.unknown(),
        }
    }

    /// A delivery has come to its end.
    fn done(&mut self, id: u16) {
        let Some(flight) = self.window.close(id) else { return };
        if self.lasts() {
            let number = self.subscriber.number;
            let queued = flight.delivery.as_ref().and_then(|delivery| delivery.seq);
            let mut ops: Vec<_> = queued.map(|seq| record::not_queued(number, seq)).into_iter().collect();
            // One of QoS 1 is there only if an earlier connection has left it.
            if flight.qos == 2 || flight.was_left {
                ops.push(record::no_flight(number, id));
            }
            self.gate.store.write(ops);
        }
    }

    /// One that an earlier connection left open cannot go again.
    pub(super) fn acknowledged_unsent(&mut self, id: u16) {
        self.done(id);
    }

    /// PUBREL: the client will not send that message again.
    pub(super) fn released(&mut self, id: u16) {
        if !self.received.remove(&id) {
            self.unknown();
            // After a lost connection the client asks again, whose PUBCOMP was lost with it. The standard would let us say
            // "not in use" then, too, but there are clients that end over it.
            let reason = if self.goes_on { Reason::Success } else { Reason::PacketIdentifierNotFound };
            return self.ack(Ticket::default(), Ack::Pubcomp, id, reason);
        }
        let mut ticket = Ticket::default();
        if self.lasts() {
            // Before PUBCOMP goes: the client may then use the identifier for another message.
            ticket = self.gate.store.write(vec![record::released(self.subscriber.number, id)]);
        }
        self.ack(ticket, Ack::Pubcomp, id, Reason::Success);
    }

    /// DISCONNECT.
    pub(super) fn goodbye(&mut self, with_will: bool, expiry_s: Option<u32>) -> End {
        if let Some(expiry_s) = expiry_s {
            // A session that was to end with its connection cannot be given a longer life now (3.14.2.2.2).
            if self.expiry_s == 0 && expiry_s > 0 {
                return End::Refused(Reason::ProtocolError);
            }
            self.expiry_s = expiry_s.min(self.gate.limits.session_expiry_s);
        }
        End::Disconnect { with_will }
    }
}
