//! The last retained message of each topic, bounded in number and size.
//!
//! rumqttd sends at most 200 of them to a new subscriber, so they are not its business.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bugbrother_mosquitto_compat::topic;

use crate::{
    Limits,
    access::Owner,
    count,
    message::{Clock, Message},
    record,
    store::{Op, Store},
};

/// Into so many parts is divided what is left for those who speak for themselves; one of them may be one user's. So it
/// takes hundreds of users to leave the others little, and never is there nothing left.
const PARTS: usize = 256;
/// Topics looked at under one lock.
const SCAN: usize = 2_000;

pub(crate) struct Retained {
    limits: Limits,
    clock: Clock,
    store: Store,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<String, Kept>,
    of_owner: HashMap<Owner, Amount>,
    bytes: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Amount {
    messages: usize,
    bytes: usize,
}

/// How much an owner may have kept, and may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// A part of what is left besides the share of one who speaks for many.
    OfOne,
    /// What the limits say of a user.
    OfMany,
}

struct Kept {
    owner: Owner,
    message: Message,
}

/// There is no place for one more retained message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Where the reading of the messages for one filter stands.
#[derive(Debug)]
pub(crate) struct Cursor {
    filter: String,
    /// Topics up to here are done.
    after: Option<String>,
}

impl Cursor {
    pub(crate) fn new(filter: &str) -> Self {
        Cursor { filter: filter.to_owned(), after: None }
    }
}

impl Retained {
    pub(crate) fn new(limits: &Limits, clock: Clock, store: &Store) -> Self {
        Retained { limits: limits.clone(), clock, store: store.clone(), state: Mutex::default() }
    }

    /// Puts back what was on disk.
    pub(crate) fn restore(&self, kept: Vec<(Owner, Message)>, now: Duration) {
        let mut state = self.state();
        for (owner, message) in kept {
            if message.expiry(now).is_err() {
                self.store.write(vec![record::not_retained(message.topic())]);
            } else {
                state.put(message.topic().to_owned(), Kept { owner, message });
            }
        }
        count::retained(state.messages.len(), state.bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two steps that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message that `owner` published with the retain flag; one without payload clears its topic. What is there
    /// already stays when there is no room for what is to replace it. Gives what is to be written for it; the server's own
    /// are said anew after each start.
    pub(crate) fn keep(&self, owner: &Owner, share: Share, message: &Message) -> Result<Option<Op>, Full> {
        let mut state = self.state();
        let old = state.take(message.topic());
        let lasts = !message.topic().starts_with('$');
        let result = if message.payload.is_empty() {
            Ok((lasts && old.is_some()).then(|| record::not_retained(message.topic())))
        } else if state.has_room(owner, share, message.bytes(), old.as_ref().map(|(_, old)| old), &self.limits) {
            state.put(message.topic().to_owned(), Kept { owner: owner.clone(), message: message.detached() });
            Ok(lasts.then(|| record::retained(owner, message, self.clock)))
        } else {
            if let Some((topic, old)) = old {
                state.put(topic, old);
            }
            Err(Full)
        };
        count::retained(state.messages.len(), state.bytes);
        result
    }

    /// The next messages for the cursor's filter, at most `limit`, and whether there may be more.
    pub(crate) fn next(&self, cursor: &mut Cursor, limit: usize, now: Duration) -> (Vec<Message>, bool) {
        let prefix = literal_prefix(&cursor.filter);
        let mut state = self.state();
        let mut found = Vec::new();
        let mut expired = Vec::new();
        let mut more = false;
        let start = match &cursor.after {
            Some(after) => Bound::Excluded(after.as_str()),
            None => Bound::Included(prefix),
        };
        let mut last = None;
        for (looked_at, (topic, kept)) in state.messages.range::<str, _>((start, Bound::Unbounded)).enumerate() {
            if !topic.starts_with(prefix) {
                break;
            }
            if found.len() >= limit || looked_at >= SCAN {
                more = true;
                break;
            }
            last = Some(topic.clone());
            if kept.message.expiry(now).is_err() {
                expired.push(topic.clone());
            } else if topic::matches(&cursor.filter, topic) {
                found.push(kept.message.clone());
            }
        }
        cursor.after = last.or(cursor.after.take());
        for topic in expired {
            state.take(&topic);
            self.store.write(vec![record::not_retained(&topic)]);
        }
        (found, more)
    }
}

impl State {
    /// Whether a message of so many bytes may be put in; `old` is what it replaces, taken out already.
    fn has_room(&self, owner: &Owner, share: Share, bytes: usize, old: Option<&Kept>, limits: &Limits) -> bool {
        let messages_left = limits.retained_messages.saturating_sub(self.messages.len());
        let bytes_left = limits.retained_bytes.saturating_sub(self.bytes);
        let share = match share {
            Share::OfOne => Amount {
                messages: messages_left.saturating_sub(limits.retained_messages_per_user) / PARTS,
                bytes: bytes_left.saturating_sub(limits.retained_bytes_per_user) / PARTS,
            },
            Share::OfMany => {
                Amount { messages: limits.retained_messages_per_user, bytes: limits.retained_bytes_per_user }
            }
        };
        let own = self.of_owner.get(owner).copied().unwrap_or_default();
        // What it has it may go on having, whatever others have taken since.
        let (had_messages, had_bytes) =
            old.filter(|old| old.owner == *owner).map_or((0, 0), |old| (1, old.message.bytes()));
        messages_left > 0
            && bytes <= bytes_left
            && own.messages < share.messages.max(own.messages + had_messages)
            && own.bytes + bytes <= share.bytes.max(own.bytes + had_bytes)
    }

    fn put(&mut self, topic: String, kept: Kept) {
        let bytes = kept.message.bytes();
        self.bytes += bytes;
        let own = self.of_owner.entry(kept.owner.clone()).or_default();
        own.messages += 1;
        own.bytes += bytes;
        self.messages.insert(topic, kept);
    }

    fn take(&mut self, topic: &str) -> Option<(String, Kept)> {
        let (topic, old) = self.messages.remove_entry(topic)?;
        self.bytes -= old.message.bytes();
        if let Some(own) = self.of_owner.get_mut(&old.owner) {
            own.messages -= 1;
            own.bytes -= old.message.bytes();
            if own.messages == 0 {
                self.of_owner.remove(&old.owner);
            }
        }
        Some((topic, old))
    }
}

/// What every topic of the filter starts with: `a/b` for `a/b/#`, because that is among them.
fn literal_prefix(filter: &str) -> &str {
    let end = filter.find(['+', '#']).unwrap_or(filter.len());
    let literal = &filter[..end];
    if filter[end..].starts_with('#') { literal.strip_suffix('/').unwrap_or(literal) } else { literal }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(topic: &str, payload: &'static str) -> Message {
        Message { retain: true, ..Message::new(topic, Bytes::from_static(payload.as_bytes())) }
    }

    fn of(limits: &Limits) -> Retained {
        Retained::new(limits, Clock::start(), &Store::none())
    }

    fn user(name: &str) -> Owner {
        Owner::User(name.into())
    }

    fn topics(retained: &Retained, filter: &str) -> Vec<String> {
        let mut cursor = Cursor::new(filter);
        let mut all = Vec::new();
        loop {
            let (messages, more) = retained.next(&mut cursor, 2, Duration::ZERO);
            assert!(messages.len() <= 2);
            all.extend(messages.iter().map(|message| message.topic().to_owned()));
            if !more {
                return all;
            }
        }
    }

    #[test]
    fn a_filter_finds_all_that_match_in_small_portions() {
        let retained = of(&Limits::default());
        for topic in ["a", "a/b", "a/b/c", "a/c", "ab", "b/b", "$x/b"] {
            retained.keep(&user("u"), Share::OfMany, &message(topic, "1")).unwrap();
        }
        assert_eq!(topics(&retained, "a/#"), ["a", "a/b", "a/b/c", "a/c"]);
        assert_eq!(topics(&retained, "a/+"), ["a/b", "a/c"]);
        assert_eq!(topics(&retained, "+/b"), ["a/b", "b/b"]);
        assert_eq!(topics(&retained, "#").len(), 6);
        assert_eq!(topics(&retained, "a"), ["a"]);
    }

    #[test]
    fn more_topics_than_one_look_covers_are_all_found() {
        let retained = of(&Limits::default());
        for n in 0..2 * SCAN + 1 {
            retained.keep(&user("u"), Share::OfMany, &message(&format!("n/{n:05}/{}", n % 2), "1")).unwrap();
        }
        assert_eq!(topics(&retained, "n/+/1").len(), SCAN);
    }

    #[test]
    fn an_empty_payload_clears_and_a_new_one_replaces() {
        let retained = of(&Limits::default());
        retained.keep(&user("u"), Share::OfMany, &message("a", "1")).unwrap();
        retained.keep(&user("u"), Share::OfMany, &message("a", "22")).unwrap();
        assert_eq!(retained.state().bytes, 3);
        retained.keep(&user("u"), Share::OfMany, &message("a", "")).unwrap();
        assert!(topics(&retained, "#").is_empty());
        let state = retained.state();
        assert_eq!((state.bytes, state.of_owner.len()), (0, 0));
    }

    #[test]
    fn a_full_store_refuses_what_is_new() {
        let limits = Limits { retained_messages_per_user: 2, retained_messages: 3, ..Limits::default() };
        let retained = of(&limits);
        retained.keep(&user("u"), Share::OfMany, &message("a", "1")).unwrap();
        retained.keep(&user("u"), Share::OfMany, &message("b", "1")).unwrap();
        assert_eq!(retained.keep(&user("u"), Share::OfMany, &message("c", "1")), Err(Full));
        retained.keep(&user("u"), Share::OfMany, &message("b", "2")).unwrap();
        retained.keep(&user("v"), Share::OfMany, &message("c", "1")).unwrap();
        assert_eq!(retained.keep(&user("w"), Share::OfMany, &message("d", "1")), Err(Full));
    }

    #[test]
    fn what_is_kept_stays_when_there_is_no_room_for_more() {
        let limits = Limits { retained_bytes: 10, ..Limits::default() };
        let retained = of(&limits);
        retained.keep(&user("u"), Share::OfMany, &message("a", "1234")).unwrap();
        retained.keep(&user("v"), Share::OfMany, &message("b", "1234")).unwrap();
        assert_eq!(retained.keep(&user("u"), Share::OfMany, &message("a", "12345")), Err(Full));
        assert_eq!(topics(&retained, "#"), ["a", "b"]);
        let state = retained.state();
        assert_eq!((&state.messages["a"].message.payload[..], state.bytes), (&b"1234"[..], 10));
    }

    #[test]
    fn hundreds_of_users_leave_room_for_others_and_for_those_who_speak_for_many() {
        let limits = Limits {
            retained_messages: 40_000,
            retained_messages_per_user: 10_000,
            retained_bytes: 4_000_000,
            retained_bytes_per_user: 1_000_000,
            ..Limits::default()
        };
        let retained = of(&limits);
        for payload in [
            "x",
            "a payload that is so long that the bytes are used up before the messages are, all hundred of them ...",
        ] {
            for n in 0..150 {
                let name = format!("{}/{n}", payload.len());
                let mut topics = (0..).map(|topic| format!("{name}/{topic}"));
                while retained.keep(&user(&name), Share::OfOne, &message(&topics.next().unwrap(), payload)).is_ok() {}
            }
        }
        for n in 0..10 {
            let newcomer = user(&format!("newcomer {n}"));
            for topic in 0..10 {
                retained.keep(&newcomer, Share::OfOne, &message(&format!("new/{n}/{topic}"), "online")).unwrap();
            }
        }
        for n in 0..10_000 {
            retained.keep(&user("service"), Share::OfMany, &message(&format!("alert/{n}"), "x")).unwrap();
        }
        assert_eq!(retained.keep(&user("service"), Share::OfMany, &message("alert", "x")), Err(Full));
        // Whose share has become smaller than what it has.
        assert_eq!(retained.keep(&user("1/0"), Share::OfOne, &message("more", "x")), Err(Full));
        retained.keep(&user("1/0"), Share::OfOne, &message("1/0/0", "y")).unwrap();
    }

    #[test]
    fn one_user_cannot_take_the_bytes_of_all() {
        let limits = Limits { retained_bytes_per_user: 10, retained_bytes: 100, ..Limits::default() };
        let retained = of(&limits);
        retained.keep(&user("u"), Share::OfMany, &message("a", "123456789")).unwrap();
        assert_eq!(retained.keep(&user("u"), Share::OfMany, &message("b", "1")), Err(Full));
        retained.keep(&user("v"), Share::OfMany, &message("b", "123456789")).unwrap();
        retained.keep(&user("u"), Share::OfMany, &message("a", "1")).unwrap();
        retained.keep(&user("u"), Share::OfMany, &message("c", "1234567")).unwrap();
        retained.keep(&user("u"), Share::OfMany, &message("c", "")).unwrap();
        retained.keep(&user("u"), Share::OfMany, &message("d", "1234567")).unwrap();
    }

    #[test]
    fn what_is_kept_does_not_hold_the_buffer_that_it_came_in() {
        let retained = of(&Limits::default());
        let buffer = Bytes::from(vec![b'x'; 256 * 1024]);
        let parts =
            Message { payload: buffer.slice(..1), properties: buffer.slice(1..3), ..Message::new("a", Bytes::new()) };
        retained.keep(&user("u"), Share::OfMany, &parts).unwrap();
        drop(parts);
        assert!(buffer.is_unique());
        assert_eq!(retained.state().bytes, 4);
    }

    #[test]
    fn an_expired_message_is_gone() {
        let retained = of(&Limits::default());
        retained
            .keep(&user("u"), Share::OfMany, &Message { expires: Some(Duration::from_secs(5)), ..message("a", "1") })
            .unwrap();
        assert_eq!(retained.next(&mut Cursor::new("#"), 9, Duration::from_secs(4)).0.len(), 1);
        assert_eq!(retained.next(&mut Cursor::new("#"), 9, Duration::from_secs(5)).0.len(), 0);
        assert_eq!(retained.state().bytes, 0);
    }
}
