//! What a client sends.

use std::time::Duration;

use bugbrother_mosquitto_compat::topic;
use tokio::time::Instant;

use super::{End, MAX_OUTBOUND, Session, outbound::Replay};
use crate::{
    count::{self, Dropped},
    message::Message,
    packet::{
        Reason, Version,
        decode::{self, Filter, Packet, Publish, Retained},
        encode, frame,
    },
    subscriptions::Subscription,
};

/// Packets worked on before the other direction has its turn.
pub(super) const PORTION: usize = 100;
const BYTES_PER_TOKEN: usize = 4 * 1024;
/// A filter changes links of the router and looks through the retained messages.
const TOKENS_PER_FILTER: usize = 20;

fn tokens(packet: &Packet, bytes: usize) -> u32 {
    let work = match packet {
        Packet::Publish(_) | Packet::PingReq | Packet::Disconnect { .. } => 1,
        // As many as there are deliveries, which others cause. One of nothing pays when it is found out.
        Packet::PubAck { .. } => 0,
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
                Packet::PubAck { id } => {
                    if !self.window.close(id) {
                        count::unknown_ack();
                        self.pay(1);
                    }
                }
                Packet::Subscribe { has_identifier: true, .. } => {
                    return Err(End::Refused(Reason::SubscriptionIdentifiersNotSupported));
                }
                Packet::Subscribe { id, filters, .. } => self.subscribe(id, filters).await?,
                Packet::Unsubscribe { id, filters } => self.unsubscribe(id, filters).await?,
                Packet::PingReq => {
                    encode::pingresp(&mut self.outbound);
                    count::packet_sent();
                }
                Packet::Disconnect { with_will } => {
                    // 3.1.1 knows one DISCONNECT only: the one that takes the will back.
                    return Err(End::Disconnect { with_will: with_will && self.version == Version::V5 });
                }
            }
        }
        Ok(PORTION)
    }

    /// Whether the client's packets are worked on: not when it is too fast, nor when it does not read the answers.
    pub(super) fn reads(&self) -> bool {
        self.throttled_until.is_none() && self.outbound.len() < MAX_OUTBOUND
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

    async fn publish(&mut self, publish: Publish) -> Result<(), End> {
        if publish.qos > 1 {
            let (user, topic) = (self.identity.user.as_deref(), &publish.topic);
            self.gate.faults.report(|unlogged| tracing::warn!(user, topic, unlogged, "client published at QoS 2"));
            return Err(End::Refused(Reason::QosNotSupported));
        }
        if !topic::is_valid_name(&publish.topic) || !self.gate.limits.take_topic(&publish.topic) {
            return Err(End::Refused(Reason::TopicNameInvalid));
        }
        let (id, qos) = (publish.id, publish.qos);
        let reason = if !self.access.borrow().may_write(&self.identity, &publish.topic) {
            self.deny_publish(&publish);
            Reason::NotAuthorized
        } else if publish.payload.len() > self.gate.limits.message_bytes {
            count::dropped(Dropped::OverLimit, 1);
            Reason::PacketTooLarge
        } else {
            let expires = publish.expiry_s.map(|seconds| self.gate.clock.now() + Duration::from_secs(seconds.into()));
            let message = Message {
                qos,
                retain: publish.retain,
                publisher: self.number,
                properties: publish.properties,
                expires,
                ..Message::new(&publish.topic, publish.payload)
            };
            self.pass_on(message).await?;
            Reason::Success
        };
        if qos == 1 {
            // 3.1.1 has no word for "no": as in Mosquitto the message is acknowledged and goes nowhere.
            encode::puback(&mut self.outbound, self.version, id, reason);
            count::packet_sent();
        }
        Ok(())
    }

    fn deny_publish(&mut self, publish: &Publish) {
        count::publish_denied();
        if !std::mem::replace(&mut self.told.denied_publish, true) {
            let (user, topic, bytes) = (self.identity.user.as_deref(), &publish.topic, publish.payload.len());
            self.gate.faults.report(|unlogged| {
                tracing::warn!(user, topic, bytes, unlogged, "client published where it may not");
            });
        }
    }

    async fn subscribe(&mut self, id: u16, filters: Vec<Filter>) -> Result<(), End> {
        let mut answers = Vec::with_capacity(filters.len());
        for filter in filters {
            answers.push(match self.check(&filter) {
                Ok(()) => {
                    let qos = filter.qos;
                    self.add(filter).await?;
                    Ok(qos)
                }
                Err(reason) => Err(reason),
            });
        }
        encode::suback(&mut self.outbound, self.version, id, &answers);
        count::packet_sent();
        Ok(())
    }

    fn check(&mut self, filter: &Filter) -> Result<(), Reason> {
        let path = &filter.path;
        if path.starts_with("$share/") {
            return Err(Reason::SharedSubscriptionsNotSupported);
        }
        if !topic::is_valid_filter(path)
            || !self.gate.limits.take_topic(path)
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
        if self.subscriptions.len() >= self.gate.limits.subscriptions && !self.subscriptions.contains(path) {
            return Err(Reason::QuotaExceeded);
        }
        Ok(())
    }

    async fn add(&mut self, filter: Filter) -> Result<(), End> {
        let link = match &mut self.link {
            Some(link) => link,
            None => self.link.insert(self.gate.router.open().await?),
        };
        let route = link.subscribe(&self.gate.router.routing().filter(&filter.path)).await?;
        let is_new = !self.subscriptions.contains(&filter.path);
        if filter.retained == Retained::Always || (filter.retained == Retained::IfNew && is_new) {
            self.replays.retain(|replay| !replay.is_for(&filter.path));
            self.replays.push_back(Replay::new(&filter.path, filter.qos));
        }
        self.subscriptions.insert(Subscription {
            filter: filter.path,
            qos: filter.qos,
            no_local: filter.no_local,
            retain_as_published: filter.retain_as_published,
            route,
        });
        Ok(())
    }

    async fn unsubscribe(&mut self, id: u16, filters: Vec<String>) -> Result<(), End> {
        let mut answers = Vec::with_capacity(filters.len());
        for filter in filters {
            self.replays.retain(|replay| !replay.is_for(&filter));
            let Some(removed) = self.subscriptions.remove(&filter) else {
                answers.push(Reason::NoSubscriptionExisted);
                continue;
            };
            if let (Some(link), false) = (&mut self.link, self.subscriptions.uses(removed.route)) {
                link.unsubscribe(removed.route).await?;
            }
            answers.push(Reason::Success);
        }
        encode::unsuback(&mut self.outbound, self.version, id, &answers);
        count::packet_sent();
        Ok(())
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
