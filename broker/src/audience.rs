//! Who must not miss a message, whatever becomes of it in the router: sessions that last, at QoS 1 and 2, and groups of
//! shared subscriptions. They get it from whoever publishes it, who is acknowledged when it is on disk.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::{
    message::{Clock, Message},
    record,
    share::{Group, Member, topic_filter},
    store::Op,
    subscriber::{Delivery, Subscriber},
    tree::Tree,
};

#[derive(Default)]
pub(crate) struct Audience {
    tree: RwLock<Tree<Hearer>>,
    groups: Mutex<HashMap<String, Arc<Group>>>,
    /// Entries of the tree: without any, a message costs no look at it.
    size: AtomicUsize,
}

#[derive(Clone)]
enum Hearer {
    Session(Arc<Subscriber>),
    Group(Arc<Group>),
}

impl Audience {
    /// A session that lasts has subscribed to a filter, perhaps again.
    pub(crate) fn add(&self, filter: &str, subscriber: &Arc<Subscriber>) {
        self.remove(filter, subscriber.number);
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        tree.insert(filter, Hearer::Session(Arc::clone(subscriber)));
        self.size.fetch_add(1, Relaxed);
    }

    /// It has taken that back, or is over.
    pub(crate) fn remove(&self, filter: &str, number: u64) {
        self.take(filter, |hearer| matches!(hearer, Hearer::Session(own) if own.number == number));
    }

    fn take(&self, filter: &str, unwanted: impl Fn(&Hearer) -> bool) {
        let removed = AtomicUsize::new(0);
        let counting = |hearer: &Hearer| {
            let unwanted = unwanted(hearer);
            removed.fetch_add(usize::from(unwanted), Relaxed);
            unwanted
        };
        self.tree.write().unwrap_or_else(PoisonError::into_inner).remove(filter, &counting);
        self.size.fetch_sub(removed.into_inner(), Relaxed);
    }

    /// Makes a session a member of the group of a shared subscription.
    pub(crate) fn join(&self, full: &str, member: Member) -> Arc<Group> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let group = groups.entry(full.to_owned()).or_insert_with(|| {
            let group = Group::new(full);
            let hearer = Hearer::Group(Arc::clone(&group));
            self.tree.write().unwrap_or_else(PoisonError::into_inner).insert(topic_filter(full), hearer);
            self.size.fetch_add(1, Relaxed);
            group
        });
        group.join(member);
        Arc::clone(group)
    }

    /// Takes a session out of a group, which ends with its last member.
    pub(crate) fn leave(&self, group: &Arc<Group>, number: u64) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if group.leave(number) && groups.get(&group.full).is_some_and(|own| Arc::ptr_eq(own, group)) {
            groups.remove(&group.full);
            let is_it = |hearer: &Hearer| matches!(hearer, Hearer::Group(own) if Arc::ptr_eq(own, group));
            self.take(topic_filter(&group.full), is_it);
        }
    }

    /// Groups that there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Puts a message into the queues of all that it is for, and adds what is to be written for that.
    pub(crate) fn reach(&self, message: &Message, clock: Clock, ops: &mut Vec<Op>) {
        if self.size.load(Relaxed) == 0 {
            return;
        }
        let mut hearers: Vec<Hearer> = Vec::new();
        let is_known = |hearers: &[Hearer], number| {
            hearers.iter().any(|hearer| matches!(hearer, Hearer::Session(own) if own.number == number))
        };
        self.tree.read().unwrap_or_else(PoisonError::into_inner).for_each_match(message.topic(), &mut |hearer| {
            match hearer {
                // Several of its filters may match; it asks all of them itself.
                Hearer::Session(own) if message.qos == 0 || is_known(&hearers, own.number) => {}
                hearer => hearers.push(hearer.clone()),
            }
        });
        if hearers.is_empty() {
            return;
        }
        // It waits for long: not in the buffer that it came in.
        let shared = Arc::new(message.detached());
        for hearer in hearers {
            match hearer {
                Hearer::Session(own) => note(ops, &own, own.keep(&shared), clock),
                Hearer::Group(group) => {
                    if let Some((own, delivery)) = group.hand_out(&shared) {
                        note(ops, &own, Some(delivery), clock);
                    }
                }
            }
        }
    }

    /// Finds another member for what one who is gone has left.
    pub(crate) fn hand_out_again(&self, left: Vec<Delivery>, clock: Clock, ops: &mut Vec<Op>) {
        for Delivery { group, message, .. } in left {
            if let Some((own, delivery)) = group.and_then(|group| group.hand_out(&message)) {
                note(ops, &own, Some(delivery), clock);
            }
        }
    }
}

fn note(ops: &mut Vec<Op>, own: &Subscriber, delivery: Option<Delivery>, clock: Clock) {
    ops.extend(delivery.and_then(|delivery| record::queued(own.number, &delivery, clock)));
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Limits, subscriber::Budget, subscriptions::Subscription};

    #[test]
    fn a_session_with_filters_that_overlap_gets_one_copy_and_leaves_nothing_behind() {
        let audience = Audience::default();
        let own = Subscriber::new(1, true, &Budget::new(&Limits::default()));
        for filter in ["a/#", "a/+", "#"] {
            own.change(|subscriptions| {
                subscriptions.insert(Subscription {
                    filter: filter.into(),
                    qos: 1,
                    no_local: false,
                    retain_as_published: false,
                    identifier: None,
                    since: 0,
                    group: None,
                });
            });
            audience.add(filter, &own);
            audience.add(filter, &own);
        }
        let message = Message { qos: 1, ..Message::new("a/b", Bytes::new()) };
        let mut ops = Vec::new();
        audience.reach(&message, Clock::start(), &mut ops);
        assert_eq!((ops.len(), own.take(9, usize::MAX).len()), (1, 1));
        for filter in ["a/#", "a/+", "#"] {
            audience.remove(filter, 1);
        }
        assert_eq!(audience.size.load(Relaxed), 0);
        audience.reach(&message, Clock::start(), &mut ops);
        assert_eq!((ops.len(), own.has_waiting()), (1, false));
    }

    #[test]
    fn a_group_ends_with_its_last_member_and_what_one_left_goes_to_another() {
        let audience = Audience::default();
        let budget = Budget::new(&Limits::default());
        let members = [1, 2].map(|number| Subscriber::new(number, false, &budget));
        let mut groups = Vec::new();
        for subscriber in &members {
            let subscriber = Arc::clone(subscriber);
            let member = Member { subscriber, qos: 1, retain_as_published: false, identifier: None };
            groups.push(audience.join("$share/g/a", member));
        }
        let mut ops = Vec::new();
        audience.reach(&Message { qos: 1, ..Message::new("a", Bytes::new()) }, Clock::start(), &mut ops);
        let (_, left) = members[0].end();
        audience.leave(&groups[0], 1);
        assert_eq!((left.len(), audience.groups()), (1, 1));
        audience.hand_out_again(left, Clock::start(), &mut ops);
        assert_eq!(members[1].take(9, usize::MAX).len(), 1);
        audience.leave(&groups[1], 2);
        assert_eq!((audience.groups(), audience.size.load(Relaxed)), (0, 0));
    }
}
