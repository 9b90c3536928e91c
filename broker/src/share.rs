//! Shared subscriptions: each message goes to one member of a group (5.0, 4.8.2).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    count::{self, Dropped},
    message::Message,
    subscriber::{Delivery, Subscriber},
};

/// The members of one share name and topic filter.
pub(crate) struct Group {
    /// `$share/{name}/{filter}`.
    pub(crate) full: String,
    members: Mutex<Members>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.full)
    }
}

#[derive(Default)]
struct Members {
    all: Vec<Member>,
    /// Whose turn it is.
    next: usize,
}

/// Takes part in a group.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) qos: u8,
    pub(crate) retain_as_published: bool,
    pub(crate) identifier: Option<u32>,
}

/// The topic filter of a shared subscription: `Some(None)` when it is meant to be one and is none.
pub(crate) fn parse(filter: &str) -> Option<Option<&str>> {
    let rest = filter.strip_prefix("$share/")?;
    Some(rest.split_once('/').filter(|(name, _)| !name.is_empty() && !name.contains(['+', '#'])).map(|(_, of)| of))
}

/// The topic filter that decides, also of a shared subscription.
pub(crate) fn topic_filter(filter: &str) -> &str {
    parse(filter).flatten().unwrap_or(filter)
}

impl Group {
    pub(crate) fn new(full: &str) -> Arc<Self> {
        Arc::new(Group { full: full.to_owned(), members: Mutex::default() })
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        // Nothing in here panics between two steps that belong together.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a member, or changes what it wants.
    pub(crate) fn join(&self, member: Member) {
        let mut members = self.members();
        match members.all.iter_mut().find(|own| own.subscriber.number == member.subscriber.number) {
            Some(own) => *own = member,
            None => members.all.push(member),
        }
    }

    /// Takes a member out; whether nobody is left.
    pub(crate) fn leave(&self, number: u64) -> bool {
        let mut members = self.members();
        members.all.retain(|member| member.subscriber.number != number);
        members.all.is_empty()
    }

    /// Gives a message to the member whose turn it is, of those who are connected and have room. Only when there is
    /// none does it wait for one who is away and whose session lasts. Whose it is now.
    pub(crate) fn hand_out(self: &Arc<Self>, message: &Arc<Message>) -> Option<(Arc<Subscriber>, Delivery)> {
        let mut members = self.members();
        let count = members.all.len();
        for away in [false, true] {
            for turn in 0..count {
                let at = (members.next + turn) % count;
                let member = &members.all[at];
                let delivery = Delivery {
                    message: Arc::clone(message),
                    qos: member.qos.min(message.qos),
                    retain: member.retain_as_published && message.retain,
                    identifiers: member.identifier.into_iter().collect(),
                    seq: None,
                    group: Some(Arc::clone(self)),
                };
                if let Ok(delivery) = member.subscriber.accept(delivery, away) {
                    let subscriber = Arc::clone(&member.subscriber);
                    members.next = at + 1;
                    return Some((subscriber, delivery));
                }
            }
        }
        if count > 0 && message.qos > 0 {
            count::dropped(Dropped::QueueFull, 1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Limits, subscriber::Budget};

    fn group_of(lasting: &[bool], limits: &Limits) -> (Arc<Group>, Vec<Arc<Subscriber>>) {
        let (group, budget) = (Group::new("$share/g/a"), Budget::new(limits));
        let members: Vec<_> =
            lasting.iter().enumerate().map(|(n, lasts)| Subscriber::new(n as u64 + 1, *lasts, &budget)).collect();
        for subscriber in &members {
            let subscriber = Arc::clone(subscriber);
            group.join(Member { subscriber, qos: 1, retain_as_published: false, identifier: None });
        }
        (group, members)
    }

    fn whose(group: &Arc<Group>) -> Option<u64> {
        let message = Arc::new(Message { qos: 1, ..Message::new("a", Bytes::new()) });
        group.hand_out(&message).map(|(subscriber, _)| subscriber.number)
    }

    #[test]
    fn members_take_turns() {
        let (group, _members) = group_of(&[false, false, false], &Limits::default());
        let turns: Vec<_> = (0..6).map(|_| whose(&group).unwrap()).collect();
        assert_eq!(turns, [1, 2, 3, 1, 2, 3]);
        assert!(!group.leave(2) && !group.leave(1) && group.leave(3));
        assert_eq!(whose(&group), None);
    }

    #[test]
    fn who_is_away_gets_nothing_as_long_as_another_is_there() {
        let (group, members) = group_of(&[true, false], &Limits::default());
        members[0].leave();
        assert_eq!([whose(&group), whose(&group)], [Some(2), Some(2)]);
        members[1].end();
        assert_eq!(whose(&group), Some(1));
        members[0].end();
        assert_eq!(whose(&group), None);
    }

    #[test]
    fn a_member_without_room_is_passed_over() {
        let (group, members) = group_of(&[false, false], &Limits { queue_messages: 2, ..Limits::default() });
        members[1].take(9, usize::MAX);
        let turns: Vec<_> = (0..4).map(|_| whose(&group).unwrap()).collect();
        assert_eq!(turns, [1, 2, 1, 2]);
        assert_eq!(whose(&group), None);
        members[1].take(1, usize::MAX);
        assert_eq!(whose(&group), Some(2));
    }

    #[test]
    fn a_share_needs_a_name_and_a_filter() {
        assert_eq!(parse("a/b"), None);
        assert_eq!(parse("$share/g/a/+"), Some(Some("a/+")));
        for none in ["$share/g", "$share//a", "$share/g+/a", "$share/#/a"] {
            assert_eq!(parse(none), Some(None), "{none}");
        }
        assert_eq!((topic_filter("$share/g/a"), topic_filter("a")), ("a", "a"));
    }
}
