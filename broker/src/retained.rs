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

use crate::{Limits, access::Owner, count, message::Message};

/// Topics looked at under one lock.
const SCAN: usize = 2_000;

pub(crate) struct Retained {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<String, Kept>,
    of_owner: HashMap<Owner, Share>,
    bytes: usize,
}

/// What is kept for one owner.
#[derive(Default)]
struct Share {
    messages: usize,
    bytes: usize,
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
    pub(crate) fn new(limits: &Limits) -> Self {
        Retained { limits: limits.clone(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two steps that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message that `owner` published with the retain flag; one without payload clears its topic.
    pub(crate) fn keep(&self, owner: &Owner, message: &Message) -> Result<(), Full> {
        let mut state = self.state();
        state.remove(message.topic());
        let result = if message.payload.is_empty() {
            Ok(())
        } else if !state.has_room(owner, message.bytes(), &self.limits) {
            Err(Full)
        } else {
            state.insert(owner, message);
            Ok(())
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
            state.remove(&topic);
        }
        (found, more)
    }
}

impl State {
    fn has_room(&self, owner: &Owner, bytes: usize, limits: &Limits) -> bool {
        let (own_messages, own_bytes) = self.of_owner.get(owner).map_or((0, 0), |own| (own.messages, own.bytes));
        self.messages.len() < limits.retained_messages
            && self.bytes + bytes <= limits.retained_bytes
            && own_messages < limits.retained_messages_per_user
            && own_bytes + bytes <= limits.retained_bytes_per_user
    }

    fn insert(&mut self, owner: &Owner, message: &Message) {
        self.bytes += message.bytes();
        let own = self.of_owner.entry(owner.clone()).or_default();
        own.messages += 1;
        own.bytes += message.bytes();
        self.messages.insert(message.topic().to_owned(), Kept { owner: owner.clone(), message: message.detached() });
    }

    fn remove(&mut self, topic: &str) {
        let Some(old) = self.messages.remove(topic) else { return };
        self.bytes -= old.message.bytes();
        if let Some(own) = self.of_owner.get_mut(&old.owner) {
            own.messages -= 1;
            own.bytes -= old.message.bytes();
            if own.messages == 0 {
                self.of_owner.remove(&old.owner);
            }
        }
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
        let retained = Retained::new(&Limits::default());
        for topic in ["a", "a/b", "a/b/c", "a/c", "ab", "b/b", "$x/b"] {
            retained.keep(&user("u"), &message(topic, "1")).unwrap();
        }
        assert_eq!(topics(&retained, "a/#"), ["a", "a/b", "a/b/c", "a/c"]);
        assert_eq!(topics(&retained, "a/+"), ["a/b", "a/c"]);
        assert_eq!(topics(&retained, "+/b"), ["a/b", "b/b"]);
        assert_eq!(topics(&retained, "#").len(), 6);
        assert_eq!(topics(&retained, "a"), ["a"]);
    }

    #[test]
    fn more_topics_than_one_look_covers_are_all_found() {
        let retained = Retained::new(&Limits::default());
        for n in 0..2 * SCAN + 1 {
            retained.keep(&user("u"), &message(&format!("n/{n:05}/{}", n % 2), "1")).unwrap();
        }
        assert_eq!(topics(&retained, "n/+/1").len(), SCAN);
    }

    #[test]
    fn an_empty_payload_clears_and_a_new_one_replaces() {
        let retained = Retained::new(&Limits::default());
        retained.keep(&user("u"), &message("a", "1")).unwrap();
        retained.keep(&user("u"), &message("a", "22")).unwrap();
        assert_eq!(retained.state().bytes, 3);
        retained.keep(&user("u"), &message("a", "")).unwrap();
        assert!(topics(&retained, "#").is_empty());
        let state = retained.state();
        assert_eq!((state.bytes, state.of_owner.len()), (0, 0));
    }

    #[test]
    fn a_full_store_refuses_and_keeps_nothing_stale() {
        let limits = Limits { retained_messages_per_user: 2, retained_messages: 3, ..Limits::default() };
        let retained = Retained::new(&limits);
        retained.keep(&user("u"), &message("a", "1")).unwrap();
        retained.keep(&user("u"), &message("b", "1")).unwrap();
        assert_eq!(retained.keep(&user("u"), &message("c", "1")), Err(Full));
        retained.keep(&user("u"), &message("b", "2")).unwrap();
        retained.keep(&user("v"), &message("c", "1")).unwrap();
        assert_eq!(retained.keep(&user("w"), &message("d", "1")), Err(Full));
    }

    #[test]
    fn one_user_cannot_take_the_bytes_of_all() {
        let limits = Limits { retained_bytes_per_user: 10, retained_bytes: 100, ..Limits::default() };
        let retained = Retained::new(&limits);
        retained.keep(&user("u"), &message("a", "123456789")).unwrap();
        assert_eq!(retained.keep(&user("u"), &message("b", "1")), Err(Full));
        retained.keep(&user("v"), &message("b", "123456789")).unwrap();
        retained.keep(&user("u"), &message("a", "1")).unwrap();
        retained.keep(&user("u"), &message("c", "1234567")).unwrap();
        retained.keep(&user("u"), &message("c", "")).unwrap();
        retained.keep(&user("u"), &message("d", "1234567")).unwrap();
    }

    #[test]
    fn what_is_kept_does_not_hold_the_buffer_that_it_came_in() {
        let retained = Retained::new(&Limits::default());
        let buffer = Bytes::from(vec![b'x'; 256 * 1024]);
        let parts =
            Message { payload: buffer.slice(..1), properties: buffer.slice(1..3), ..Message::new("a", Bytes::new()) };
        retained.keep(&user("u"), &parts).unwrap();
        drop(parts);
        assert!(buffer.is_unique());
        assert_eq!(retained.state().bytes, 4);
    }

    #[test]
    fn an_expired_message_is_gone() {
        let retained = Retained::new(&Limits::default());
        retained.keep(&user("u"), &Message { expires: Some(Duration::from_secs(5)), ..message("a", "1") }).unwrap();
        assert_eq!(retained.next(&mut Cursor::new("#"), 9, Duration::from_secs(4)).0.len(), 1);
        assert_eq!(retained.next(&mut Cursor::new("#"), 9, Duration::from_secs(5)).0.len(), 0);
        assert_eq!(retained.state().bytes, 0);
    }
}
