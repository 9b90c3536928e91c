//! Tickets: for what a browser opens without being able to say who asks. Each is good once, for half a minute.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use bugbrother_wire::{UnixMs, api::Purpose};

use crate::digest;

/// How long a ticket is good.
pub(crate) const TTL_MS: i64 = 30_000;
/// Most tickets at a time of one person, and of all together.
const EACH: usize = 50;
const TOGETHER: usize = 10_000;

/// The tickets that are out, each with its holder. They are good on this server alone.
pub(crate) struct Tickets<H>(Mutex<HashMap<String, Out<H>>>);

struct Out<H> {
    purpose: Purpose,
    owner: String,
    holder: H,
    expires: UnixMs,
}

impl<H> Default for Tickets<H> {
    fn default() -> Self {
        Tickets(Mutex::default())
    }
}

impl<H> Tickets<H> {
    /// A ticket, with until when it is good; none when the owner or all together have too many.
    pub fn issue(&self, purpose: Purpose, owner: &str, holder: H, now: UnixMs) -> Option<(String, UnixMs)> {
        let mut out = self.lock();
        out.retain(|_, ticket| ticket.expires > now);
        if out.len() >= TOGETHER || out.values().filter(|ticket| ticket.owner == owner).count() >= EACH {
            return None;
        }
        let (ticket, expires) = (digest::random(), now + TTL_MS);
        out.insert(ticket.clone(), Out { purpose, owner: owner.to_owned(), holder, expires });
        Some((ticket, expires))
    }

    /// Takes a ticket: its holder, if it is good for this.
    pub fn take(&self, ticket: &str, purpose: Purpose, now: UnixMs) -> Option<H> {
        // Shown for anything it is used up.
        let out = self.lock().remove(ticket)?;
        (out.purpose == purpose && out.expires > now).then_some(out.holder)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Out<H>>> {
        self.0.lock().expect("nothing panics while it holds the tickets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    #[test]
    fn a_ticket_is_good_once_and_not_for_long() {
        let tickets = Tickets::default();
        let issue = |holder| tickets.issue(Purpose::Live, "ada", holder, NOW).unwrap();
        let (one, expires) = issue(1);
        assert_eq!(expires, NOW + 30_000);
        assert_eq!(tickets.take(&one, Purpose::Live, NOW + 29_999), Some(1));
        assert_eq!(tickets.take(&one, Purpose::Live, NOW), None);
        let (two, _) = issue(2);
        assert_eq!(tickets.take(&two, Purpose::Live, NOW + 30_000), None);
        assert_eq!(tickets.take("", Purpose::Live, NOW), None);
    }

    #[test]
    fn one_person_cannot_take_all() {
        let tickets = Tickets::default();
        let given = (0..1000).filter(|_| tickets.issue(Purpose::Live, "ada", (), NOW).is_some()).count();
        assert_eq!(given, EACH);
        assert!(tickets.issue(Purpose::Live, "bob", (), NOW).is_some());
        assert!(tickets.issue(Purpose::Live, "ada", (), NOW + TTL_MS).is_some(), "expired ones make room");
    }
}
