//! The topic filters of one session.

use std::sync::Arc;

use bugbrother_mosquitto_compat::topic;

use crate::{count, message::Message, share::Group};

#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    /// As the client named it, `$share/…` and all.
    pub(crate) filter: String,
    /// Highest QoS of deliveries.
    pub(crate) qos: u8,
    /// Not what this session publishes itself (5.0).
    pub(crate) no_local: bool,
    /// Deliveries carry the retain flag that they were published with (5.0).
    pub(crate) retain_as_published: bool,
    /// What deliveries for it carry (5.0).
    pub(crate) identifier: Option<u32>,
    /// Messages before this number were published before it was made: they may still be on their way to others.
    pub(crate) since: u64,
    /// What it is a member of, if it is shared.
    pub(crate) group: Option<Arc<Group>>,
}

/// In the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<Subscription>);

/// How a message is to be delivered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) identifiers: Vec<u32>,
}

impl Subscriptions {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(&self, filter: &str) -> bool {
        self.0.iter().any(|own| own.filter == filter)
    }

    /// Adds a subscription, or puts it in the place of the one with the same filter.
    pub(crate) fn insert(&mut self, subscription: Subscription) {
        match self.0.iter_mut().find(|own| own.filter == subscription.filter) {
            // What is on its way for the one before is for this one, too.
            Some(own) => *own = Subscription { since: own.since, ..subscription },
            None => {
                self.0.push(subscription);
                count::subscribed();
            }
        }
    }

    /// Takes a filter out; `None` when it was not there.
    pub(crate) fn remove(&mut self, filter: &str) -> Option<Subscription> {
        let at = self.0.iter().position(|own| own.filter == filter)?;
        count::unsubscribed(1);
        Some(self.0.remove(at))
    }

    /// What becomes of a message; `None` when no filter wants it. All that want it get one copy, at the highest of their
    /// QoS.
    pub(crate) fn wanted(&self, message: &Message, session: u64) -> Option<Wanted> {
        let mut all: Option<Wanted> = None;
        for own in &self.0 {
            let is_own = own.no_local && message.publisher == session;
            if own.group.is_some() || is_own || message.seq < own.since || !topic::matches(&own.filter, message.topic())
            {
                continue;
            }
            let all = all.get_or_insert(Wanted { qos: 0, retain: false, identifiers: Vec::new() });
            all.qos = all.qos.max(own.qos.min(message.qos));
            all.retain |= own.retain_as_published && message.retain;
            all.identifiers.extend(own.identifier);
        }
        all
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        count::unsubscribed(self.0.len());
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn subscription(filter: &str, qos: u8) -> Subscription {
        Subscription {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            identifier: None,
            since: 0,
            group: None,
        }
    }

    fn message(qos: u8) -> Message {
        Message { qos, retain: true, publisher: 7, ..Message::new("a/b", Bytes::new()) }
    }

    fn wanted(qos: u8, retain: bool, identifiers: &[u32]) -> Option<Wanted> {
        Some(Wanted { qos, retain, identifiers: identifiers.into() })
    }

    #[test]
    fn a_message_goes_at_the_lower_of_its_qos_and_the_highest_of_the_filters() {
        let mut own = Subscriptions::default();
        own.insert(subscription("a/+", 0));
        assert_eq!(own.wanted(&message(1), 9), wanted(0, false, &[]));
        own.insert(subscription("a/#", 2));
        assert_eq!(own.wanted(&message(1), 9), wanted(1, false, &[]));
        assert_eq!(own.wanted(&message(2), 9), wanted(2, false, &[]));
        assert_eq!(own.wanted(&message(0), 9), wanted(0, false, &[]));
    }

    #[test]
    fn filters_that_overlap_get_one_copy_with_all_their_identifiers() {
        let mut own = Subscriptions::default();
        own.insert(Subscription { identifier: Some(3), ..subscription("a/+", 1) });
        own.insert(Subscription { identifier: Some(4), ..subscription("#", 1) });
        assert_eq!(own.wanted(&message(1), 9), wanted(1, false, &[3, 4]));
        own.remove("a/+");
        assert_eq!(own.wanted(&message(1), 9), wanted(1, false, &[4]));
        own.insert(subscription("a/c", 1));
        own.remove("#");
        assert_eq!(own.wanted(&message(1), 9), None);
    }

    #[test]
    fn what_was_published_before_is_not_for_it_even_if_it_subscribes_again() {
        let mut own = Subscriptions::default();
        own.insert(Subscription { since: 5, ..subscription("a/b", 1) });
        own.insert(Subscription { since: 9, ..subscription("a/b", 1) });
        assert_eq!(own.wanted(&Message { seq: 4, ..message(1) }, 9), None);
        assert_eq!(own.wanted(&Message { seq: 5, ..message(1) }, 9), wanted(1, false, &[]));
    }

    #[test]
    fn no_local_and_retain_as_published_do_what_they_say() {
        let mut own = Subscriptions::default();
        own.insert(Subscription { no_local: true, retain_as_published: true, ..subscription("a/b", 1) });
        assert_eq!(own.wanted(&message(1), 7), None);
        assert_eq!(own.wanted(&message(1), 8), wanted(1, true, &[]));
    }

    #[test]
    fn subscribing_again_replaces_and_does_not_count_twice() {
        let mut own = Subscriptions::default();
        own.insert(subscription("a/b", 0));
        own.insert(subscription("a/b", 1));
        assert_eq!(own.len(), 1);
        assert_eq!(own.remove("a/b").map(|own| own.qos), Some(1));
        assert!(own.remove("a/b").is_none() && !own.contains("a/b"));
    }
}
