//! What a client sends.

use std::time::Duration;

use bugbrother_mosquitto_compat::topic;
use bytes::Bytes;
use tokio::time::Instant;

use super::{End, MAX_HELD, MAX_OUTBOUND, Session, outbound::Replay};
use crate::{
    count::{self, Dropped},
    message::{Message, TopicName},
    packet::{
        Reason, Version,
        decode::{self, Filter, Packet, Publish, Retained},
        encode::{self, Ack},
        frame,
    },
    record,
    share::{self, topic_filter},
    store::Ticket,
    subscriptions::Subscription,
};

/// Packets worked on before the other direction has its turn.
pub(super) const PORTION: usize = 100;
const BYTES_PER_TOKEN: usize = 4 * 1024;
/// A filter changes a tree that all messages are looked up in, and looks through the retained messages.
const TOKENS_PER_FILTER: usize = 20;
/// Topics that a client may give a number to.
pub(crate) const TOPIC_ALIASES: u16 = 32;

fn tokens(packet: &Packet, bytes: usize) -> u32 {
    let work = match packet {
        Packet::Publish(_) | Packet::PingReq | Packet::Disconnect { .. } => 1,
        // As many as there are deliveries, which others cause, or messages that were paid for. One of nothing pays when
        // it is found out.
        Packet::PubAck { .. } | Packet::PubRec { .. } | Packet::PubRel { .. } | Packet::PubComp { .. } => 0,
        Packet::Subscribe { filters, .. } => filters.len() * TOKENS_PER_FILTER,
        Packet::Unsubscribe { filters, .. } => filters.len() * TOKENS_PER_FILTER,
    };
    u32::try_from(work + bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX)
}

impl Session<'_> {
    /// Works on the packets that are whole, and says how many there were; when it was a [`PORTION`] there may be more.
    pub(super) async fn work(&mut self) -> Result<usize, End> {
        for worked in 0..PORTION {
            if !self.reads() {
                return Ok(worked);
            }
            let Some(frame) = frame::take(&mut self.inbound, self.gate.limits.packet_bytes).map_err(End::Refused)?
            else {
                return Ok(worked);
            };
            let bytes = frame.bytes.len();
            count::packet_received();
            let packet = decode::packet(self.version, frame).map_err(End::Refused)?;
            self.pay(tokens(&packet, bytes));
            match packet {
                Packet::Publish(publish) => self.publish(publish).await?,
                Packet::PubAck { id } => self.acknowledged(id),
                Packet::PubRec { id, refused } => self.taken(id, refused),
                Packet::PubRel { id } => self.released(id),
                Packet::PubComp { id } => self.completed(id),
                Packet::Subscribe { id, filters, identifier } => self.subscribe(id, filters, identifier)?,
                Packet::Unsubscribe { id, filters } => self.unsubscribe(id, filters),
                Packet::PingReq => {
                    encode::pingresp(&mut self.outbound);
                    count::packet_sent();
                }
                Packet::Disconnect { with_will, session_expiry_s } => {
                    return Err(self.goodbye(with_will, session_expiry_s));
                }
            }
        }
        Ok(PORTION)
    }

    /// Whether the client's packets are worked on: not when it is too fast, nor when it does not read the answers,
    /// nor when the disk is behind.
    pub(super) fn reads(&self) -> bool {
        self.throttled_until.is_none()
            && self.outbound.len() < MAX_OUTBOUND
            && self.held.len() < MAX_HELD
            && !self.gate.store.is_behind()
    }

    /// What was sent still goes; the socket is read again when it is paid for.
    pub(super) fn pay(&mut self, tokens: u32) {
        if tokens > 0 {
            self.throttled_until = self.bucket.take(tokens, Instant::now());
            if self.throttled_until.is_some() {
                count::throttled();
            }
        }
    }

    async fn publish(&mut self, mut publish: Publish) -> Result<(), End> {
        self.resolve(&mut publish)?;
        if !topic::is_valid_name(publish.topic()) || !self.gate.limits.take_topic(publish.topic()) {
            return Err(End::Refused(Reason::TopicNameInvalid));
        }
        let (id, qos) = (publish.id, publish.qos);
        if qos == 2 && self.received.contains(&id) {
            // It is ours already: the client has not heard so, or takes one identifier for two messages.
            self.ack(Ticket::default(), Ack::Pubrec, id, Reason::Success);
            return Ok(());
        }
        if qos == 2 && self.version == Version::V5 && self.received.len() >= usize::from(self.gate.limits.inflight) {
            return Err(End::Refused(Reason::ReceiveMaximumExceeded));
        }
        let mut ticket = Ticket::default();
        let reason = if !self.access.borrow().may_write(&self.identity, publish.topic()) {
            self.deny_publish(&publish);
            Reason::NotAuthorized
        } else if publish.payload.len() > self.gate.limits.message_bytes {
            count::dropped(Dropped::OverLimit, 1);
            Reason::PacketTooLarge
        } else {
            let expires = publish.expiry_s.map(|seconds| self.gate.clock.now() + Duration::from_secs(seconds.into()));
            let message = Message {
                name: TopicName::of(publish.topic).ok_or(End::Refused(Reason::MalformedPacket))?,
                payload: publish.payload,
                qos,
                retain: publish.retain,
                publisher: self.subscriber.number,
                seq: 0,
                properties: publish.properties,
                expires,
            };
            // With the message, or not at all: else it could go out twice or never after a crash.
            let received = (qos == 2 && self.lasts()).then(|| record::received(self.subscriber.number, id));
            ticket = self.pass_on(message, received.into_iter().collect()).await?;
            Reason::Success
        };
        // 3.1.1 has no word for "no": as in Mosquitto the message is acknowledged and goes nowhere.
        match qos {
            0 => {}
            1 => self.ack(ticket, Ack::Puback, id, reason),
            _ => {
                // One that is refused in 5.0 is over with that.
                if reason == Reason::Success || self.version == Version::V4 {
                    self.received.insert(id);
                }
                self.ack(ticket, Ack::Pubrec, id, reason);
            }
        }
        Ok(())
    }

    /// Puts the topic in the place of an alias, and keeps in mind what a new one stands for.
    fn resolve(&mut self, publish: &mut Publish) -> Result<(), End> {
        let Some(alias) = publish.alias else { return Ok(()) };
        if alias == 0 || alias > TOPIC_ALIASES {
            return Err(End::Refused(Reason::TopicAliasInvalid));
        }
        let at = usize::from(alias - 1);
        if publish.topic.is_empty() {
            let known = self.aliases.get(at).filter(|topic| !topic.is_empty());
            publish.topic = known.cloned().ok_or(End::Refused(Reason::ProtocolError))?;
        } else if self.gate.limits.take_topic(publish.topic()) {
            if self.aliases.len() <= at {
                self.aliases.resize(at + 1, Bytes::new());
            }
            // Not as a part of the buffer that it came in.
            self.aliases[at] = Bytes::copy_from_slice(&publish.topic);
        }
        Ok(())
    }

    fn deny_publish(&mut self, publish: &Publish) {
        count::publish_denied();
        if !std::mem::replace(&mut self.told.denied_publish, true) {
            let (user, topic, bytes) = (self.identity.user.as_deref(), publish.topic(), publish.payload.len());
            self.gate.faults.report(|unlogged| {
                tracing::warn!(user, topic, bytes, unlogged, "client published where it may not");
            });
        }
    }

    fn subscribe(&mut self, id: u16, filters: Vec<Filter>, identifier: Option<u32>) -> Result<(), End> {
        let mut answers = Vec::with_capacity(filters.len());
        for filter in filters {
            // Nobody could say whose message it is (5.0, 3.8.3.1).
            if filter.no_local && filter.path.starts_with("$share/") {
                return Err(End::Refused(Reason::ProtocolError));
            }
            answers.push(match self.check(&filter) {
                Ok(()) => {
                    let qos = filter.qos;
                    self.add(filter, identifier);
                    Ok(qos)
                }
                Err(reason) => Err(reason),
            });
        }
        let (version, explains) = (self.version, self.explains);
        let ticket = self.note();
        self.when_written(ticket, |out| encode::suback(out, version, id, &answers, explains));
        count::packet_sent();
        Ok(())
    }

    fn check(&mut self, filter: &Filter) -> Result<(), Reason> {
        let path = match share::parse(&filter.path) {
            Some(of) => of.ok_or(Reason::TopicFilterInvalid)?,
            None => &filter.path,
        };
        if !topic::is_valid_filter(path)
            || !self.gate.limits.take_topic(&filter.path)
            || (path.starts_with('$') && !is_sys(path))
        {
            return Err(Reason::TopicFilterInvalid);
        }
        if !self.access.borrow().may_subscribe(&self.identity, path) {
            count::subscribe_denied();
            if !std::mem::replace(&mut self.told.denied_subscribe, true) {
                let user = self.identity.user.as_deref();
                self.gate.faults.report(|unlogged| {
                    tracing::warn!(user, filter = path, unlogged, "client subscribed where it may not");
                });
            }
            return Err(Reason::NotAuthorized);
        }
        let full =
            self.subscriber.read(|own| own.len() >= self.gate.limits.subscriptions && !own.contains(&filter.path));
        if full { Err(Reason::QuotaExceeded) } else { Ok(()) }
    }

    fn add(&mut self, filter: Filter, identifier: Option<u32>) {
        let path = filter.path;
        let is_new = !self.subscriber.read(|own| own.contains(&path));
        self.join(Subscription {
            filter: path.clone(),
            qos: filter.qos,
            no_local: filter.no_local,
            retain_as_published: filter.retain_as_published,
            identifier,
            since: self.gate.next_seq(),
            group: None,
        });
        let wanted = filter.retained == Retained::Always || (filter.retained == Retained::IfNew && is_new);
        // A shared subscription gets none (5.0, 4.8.2).
        if wanted && topic_filter(&path) == path {
            self.replays.retain(|replay| !replay.is_for(&path));
            self.replays.push_back(Replay::new(&path, filter.qos, identifier));
        }
    }

    fn unsubscribe(&mut self, id: u16, filters: Vec<String>) {
        let mut answers = Vec::with_capacity(filters.len());
        for filter in filters {
            self.replays.retain(|replay| !replay.is_for(&filter));
            let was_there = self.part(&filter);
            answers.push(if was_there { Reason::Success } else { Reason::NoSubscriptionExisted });
        }
        let version = self.version;
        let ticket = self.note();
        self.when_written(ticket, |out| encode::unsuback(out, version, id, &answers));
        count::packet_sent();
    }
}

/// The only topics of the server's own that there are.
fn is_sys(filter: &str) -> bool {
    filter.strip_prefix("$SYS").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_costs_what_it_takes_and_an_acknowledgement_nothing() {
        let filters = vec!["a".to_owned(); 3];
        assert_eq!(tokens(&Packet::PingReq, 2), 1);
        assert_eq!(tokens(&Packet::PingReq, 4 * 1024), 2);
        assert_eq!(tokens(&Packet::Unsubscribe { id: 1, filters }, 20), 60);
        assert_eq!(tokens(&Packet::PubAck { id: 1 }, 4), 0);
        assert_eq!(tokens(&Packet::PubAck { id: 1 }, 64 * 1024), 16);
    }
}
