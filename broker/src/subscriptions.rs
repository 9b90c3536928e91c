//! The topic filters of one session.

use bugbrother_mosquitto_compat::topic;

use crate::{count, link::RouteId, message::Message};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) filter: String,
    /// Highest QoS of deliveries: 0 or 1.
    pub(crate) qos: u8,
    /// Not what this session publishes itself (5.0).
    pub(crate) no_local: bool,
    /// Deliveries carry the retain flag that they were published with (5.0).
    pub(crate) retain_as_published: bool,
    pub(crate) route: RouteId,
}

#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Vec<Subscription>);

/// How a message is to be delivered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

impl Subscriptions {
    pub(crate) fn filters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|own| own.filter.as_str())
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
            Some(own) => *own = subscription,
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
        Some(self.0.swap_remove(at))
    }

    pub(crate) fn uses(&self, route: RouteId) -> bool {
        self.0.iter().any(|own| own.route == route)
    }

    /// What becomes of a message that came by `route`; `None` when no filter wants it. Filters that share a route get
    /// one copy, at the highest of their QoS.
    pub(crate) fn delivery(&self, route: RouteId, message: &Message, session: u64) -> Option<Delivery> {
        let wanting = self.0.iter().filter(|own| {
            own.route == route
                && topic::matches(&own.filter, message.topic())
                && !(own.no_local && message.publisher == session)
        });
        wanting.fold(None, |delivery, own| {
            let before = delivery.unwrap_or(Delivery { qos: 0, retain: false });
            Some(Delivery {
                qos: before.qos.max(own.qos.min(message.qos)),
                retain: before.retain || (own.retain_as_published && message.retain),
            })
        })
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
        Subscription { filter: filter.into(), qos, no_local: false, retain_as_published: false, route: RouteId(1) }
    }

    fn message(qos: u8) -> Message {
        Message { qos, retain: true, publisher: 7, ..Message::new("a/b", Bytes::new()) }
    }

    #[test]
    fn a_message_goes_at_the_lower_of_its_qos_and_the_highest_of_the_filters() {
        let mut own = Subscriptions::default();
        own.insert(subscription("a/+", 0));
        assert_eq!(own.delivery(RouteId(1), &message(1), 9), Some(Delivery { qos: 0, retain: false }));
        own.insert(subscription("a/#", 1));
        assert_eq!(own.delivery(RouteId(1), &message(1), 9), Some(Delivery { qos: 1, retain: false }));
        assert_eq!(own.delivery(RouteId(1), &message(0), 9), Some(Delivery { qos: 0, retain: false }));
    }

    #[test]
    fn a_message_that_only_shares_the_routing_name_is_not_delivered() {
        let mut own = Subscriptions::default();
        own.insert(subscription("a/c", 1));
        assert_eq!(own.delivery(RouteId(1), &message(1), 9), None);
        own.insert(Subscription { route: RouteId(2), ..subscription("a/b", 1) });
        assert_eq!(own.delivery(RouteId(1), &message(1), 9), None);
    }

    #[test]
    fn no_local_and_retain_as_published_do_what_they_say() {
        let mut own = Subscriptions::default();
        own.insert(Subscription { no_local: true, retain_as_published: true, ..subscription("a/b", 1) });
        assert_eq!(own.delivery(RouteId(1), &message(1), 7), None);
        assert_eq!(own.delivery(RouteId(1), &message(1), 8), Some(Delivery { qos: 1, retain: true }));
    }

    #[test]
    fn subscribing_again_replaces_and_does_not_count_twice() {
        let mut own = Subscriptions::default();
        own.insert(subscription("a/b", 0));
        own.insert(subscription("a/b", 1));
        assert_eq!(own.len(), 1);
        assert_eq!(own.remove("a/b").map(|own| own.qos), Some(1));
        assert!(own.remove("a/b").is_none() && !own.uses(RouteId(1)) && !own.contains("a/b"));
    }
}
