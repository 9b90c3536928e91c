//! How a session goes on from an earlier connection, and what becomes of it at the end of this one.

use std::time::Duration;

use tokio::time::Instant;

use super::{End, Session};
use crate::{
    count,
    record::{self, Kept},
    sessions::{Ended, Rest, Waiting},
    share::{Member, topic_filter},
    store::{Op, Ticket},
    subscriptions::Subscription,
    will::Will,
};

impl Session<'_> {
    /// Joins again what the session had subscribed to, as far as it still may.
    pub(super) fn resume(&mut self) {
        self.subscriber.listen_from(self.gate.next_seq());
        let subscriptions: Vec<_> = self.subscriber.read(|own| own.iter().cloned().collect());
        for own in subscriptions {
            let may = self.access.borrow().may_subscribe(&self.identity, topic_filter(&own.filter));
            if may {
                self.join(own);
            } else {
                count::subscribe_denied();
                self.part(&own.filter);
            }
        }
        // With what the client said this time, which may be that the session ends with the connection.
        if self.goes_on || self.lasts() {
            self.gate.store.write(vec![self.kept(0)]);
        }
    }

    /// Has the session hear of what a subscription is for.
    pub(super) fn join(&self, mut own: Subscription) {
        if own.filter.starts_with("$share/") {
            let member = Member {
                subscriber: self.subscriber.clone(),
                qos: own.qos,
                retain_as_published: own.retain_as_published,
                identifier: own.identifier,
            };
            own.group = Some(self.gate.audience.join(&own.filter, member));
            self.subscriber.change(|subscriptions| subscriptions.insert(own));
        } else {
            let filter = own.filter.clone();
            self.subscriber.change(|subscriptions| subscriptions.insert(own));
            self.gate.hubs.join(&filter, &self.subscriber);
            if self.lasts() {
                self.gate.audience.add(&filter, &self.subscriber);
            }
        }
    }

    /// Takes a subscription back; whether there was one.
    pub(super) fn part(&self, filter: &str) -> bool {
        let Some(removed) = self.subscriber.change(|subscriptions| subscriptions.remove(filter)) else { return false };
        match &removed.group {
            Some(group) => self.gate.audience.leave(group, self.subscriber.number),
            None => {
                self.gate.hubs.leave(filter, self.subscriber.number);
                self.gate.audience.remove(filter, self.subscriber.number);
            }
        }
        true
    }

    /// Has what the session is written down, if it lasts.
    pub(super) fn note(&self) -> Ticket {
        if self.lasts() { self.gate.store.write(vec![self.kept(0)]) } else { Ticket::default() }
    }

    fn kept(&self, left_unix_ms: u64) -> Op {
        let subscriptions = self.subscriber.read(|own| own.iter().cloned().collect());
        let kept = Kept { identity: self.identity.clone(), expiry_s: self.expiry_s, left_unix_ms, subscriptions };
        record::session(self.subscriber.number, &kept)
    }

    /// Lets the session rest, or ends it, with its will.
    pub(super) async fn end(mut self, end: End, will: Option<Will>) {
        let will = will.filter(|_| end.publishes_will());
        // Whose account was taken back leaves nothing behind.
        let over = !self.lasts() || matches!(end, End::Expelled);
        if !over {
            return self.rest(will).await;
        }
        self.gate.sessions.forget(&self.identity);
        let left = std::mem::replace(&mut self.window, crate::window::Window::new(1, Vec::new())).into_left();
        let rest = Rest { left, ..Rest::default() };
        let (identity, subscriber) = (self.identity.clone(), self.subscriber.clone());
        // When the router is dead everybody will know soon.
        self.gate.take_apart(Ended { subscriber, identity, rest }).await.ok();
        if let Some(will) = will {
            self.publish_will(will).await;
        }
    }

    async fn rest(mut self, mut will: Option<Will>) {
        let (now, number, clock) = (Instant::now(), self.subscriber.number, self.gate.clock);
        let delay_s = will.as_ref().map_or(0, |will| will.delay_s.min(self.expiry_s));
        if delay_s == 0
            && let Some(will) = will.take()
        {
            self.publish_will(will).await;
        }
        let filters: Vec<_> = self.subscriber.read(|own| own.iter().map(|own| own.filter.clone()).collect());
        filters.iter().for_each(|filter| self.gate.hubs.leave(filter, number));
        // What was fetched and not sent, because it waits for the disk, is open like what was sent.
        let mut left = std::mem::replace(&mut self.window, crate::window::Window::new(1, Vec::new())).into_left();
        let mut ops = vec![self.kept(clock.to_unix_ms(clock.now()))];
        for (id, flight) in &mut left {
            if let Some(delivery) = &mut flight.delivery
                && delivery.seq.is_none()
            {
                delivery.seq = Some(self.subscriber.next_seq());
                ops.extend(record::queued(number, delivery, clock));
            }
            ops.push(record::flight(number, *id, flight.seq(), flight.released));
            flight.was_left = true;
        }
        let mut rest = Rest { left, received: self.received, expiry_s: self.expiry_s, ..Rest::default() };
        if let Some(will) = will {
            let delay = Duration::from_secs(delay_s.into());
            ops.push(record::will(number, clock.now() + delay, &will.message, clock));
            let rights = Some((self.access.clone(), self.entry.clone()));
            rest.will = Some(Waiting { message: will.message, due: now + delay, rights });
        }
        self.subscriber.leave();
        self.gate.store.write(ops);
        self.gate.sessions.rest(&self.identity, rest, now);
    }

    async fn publish_will(&self, will: Will) {
        let waiting = Waiting { message: will.message, due: Instant::now(), rights: Some((self.access.clone(), None)) };
        // When the router is dead everybody will know soon.
        self.gate.publish_waiting(&self.identity, waiting).await.ok();
    }
}
