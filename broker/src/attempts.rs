//! How often somebody at an address may show a wrong password.
//!
//! A carrier's NAT is one address with many vehicles behind it, and 127.0.0.1 is one with all services of ours. So what
//! counts most is who is guessed at from where. Wrong passwords for many names use up what the address has, and then
//! only those wait who try a name that somebody just failed with there. Nobody waits whose password the verifier
//! remembers, nor who has a certificate. What remains: while somebody at the same address guesses the password of a
//! name, that name's first sign-in since the broker started is told to try again later.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Limits, places::subscriber};

/// Addresses, and names at them, that are remembered. A stranger with more has only the verifier in the way.
const MAX_REMEMBERED: usize = 20_000;

pub(crate) struct Attempts {
    names: RandomState,
    debts: Mutex<(Debts<IpAddr>, Debts<Name>)>,
}

/// An address, and the hash of a user name that was tried from there.
type Name = (IpAddr, u64);

/// A check that may be made. It counts as failed until it is forgiven.
pub(crate) struct Attempt {
    name: Name,
    /// Whether the address pays too.
    of_address: bool,
}

/// When all failures of each are forgiven.
struct Debts<K> {
    forgiven_after: Duration,
    burst: u32,
    clean_at: HashMap<K, Instant>,
}

impl Attempts {
    pub(crate) fn new(limits: &Limits) -> Self {
        let forgiven_after = limits.sign_in_failure_forgiven_after;
        Attempts {
            names: RandomState::new(),
            debts: Mutex::new((
                Debts { forgiven_after, burst: limits.sign_in_failures_per_address, clean_at: HashMap::new() },
                Debts { forgiven_after, burst: limits.sign_in_failures_per_user, clean_at: HashMap::new() },
            )),
        }
    }

    /// Whether another password for that name may be checked from there. If so it is paid for already, so that checks
    /// side by side are no more than checks one after the other.
    pub(crate) fn take(&self, peer: IpAddr, user: &str, now: Instant) -> Option<Attempt> {
        let address = subscriber(peer);
        let name = (address, self.names.hash_one(user));
        let mut debts = self.debts();
        let (addresses, names) = &mut *debts;
        let of_address = addresses.has_room(&address, now);
        // Whom nobody has failed with there is not kept out by what was done to others.
        if !names.has_room(&name, now) || (!of_address && !names.is_clean(&name, now)) {
            return None;
        }
        names.add(name, now);
        if of_address {
            addresses.add(address, now);
        }
        Some(Attempt { name, of_address })
    }

    /// It was the right password, or there was no check.
    pub(crate) fn forgive(&self, attempt: Attempt) {
        let mut debts = self.debts();
        debts.1.remove(&attempt.name);
        if attempt.of_address {
            debts.0.remove(&attempt.name.0);
        }
    }

    fn debts(&self) -> MutexGuard<'_, (Debts<IpAddr>, Debts<Name>)> {
        // Nothing in here panics between two steps that belong together.
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Debts<K> {
    fn is_clean(&self, key: &K, now: Instant) -> bool {
        self.clean_at.get(key).is_none_or(|clean_at| *clean_at <= now)
    }

    fn has_room(&self, key: &K, now: Instant) -> bool {
        let clean_at = self.clean_at.get(key).map_or(now, |clean_at| now.max(*clean_at));
        clean_at + self.forgiven_after <= now + self.forgiven_after * self.burst
    }

    fn add(&mut self, key: K, now: Instant) {
        if self.clean_at.len() >= MAX_REMEMBERED && !self.clean_at.contains_key(&key) {
            self.clean_at.retain(|_, clean_at| *clean_at > now);
            if self.clean_at.len() >= MAX_REMEMBERED {
                return;
            }
        }
        let own = self.clean_at.entry(key).or_insert(now);
        *own = now.max(*own) + self.forgiven_after;
    }

    fn remove(&mut self, key: &K) {
        if let Some(clean_at) = self.clean_at.get_mut(key) {
            *clean_at -= self.forgiven_after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(per_address: u32, per_user: u32) -> (Attempts, Duration) {
        let limits = Limits {
            sign_in_failures_per_address: per_address,
            sign_in_failures_per_user: per_user,
            ..Limits::default()
        };
        (Attempts::new(&limits), limits.sign_in_failure_forgiven_after)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn after_a_burst_of_wrong_passwords_a_name_waits_at_that_address_and_nowhere_else() {
        let (attempts, pause) = attempts(30, 3);
        let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
        let now = Instant::now();
        assert_eq!((0..100).filter(|_| attempts.take(bad, "car", now).is_some()).count(), 3);
        for (peer, user) in [(bad, "other"), (good, "car")] {
            let attempt = attempts.take(peer, user, now).unwrap();
            attempts.forgive(attempt);
        }
        assert!(attempts.take(bad, "car", now + pause - Duration::from_millis(1)).is_none());
        assert!(attempts.take(bad, "car", now + pause).is_some());
        assert!(attempts.take(bad, "car", now + pause).is_none());
        assert_eq!((0..100).filter(|_| attempts.take(bad, "car", now + 4 * pause).is_some()).count(), 3);
    }

    #[test]
    fn wrong_passwords_for_many_names_keep_out_only_those_names() {
        let (attempts, pause) = attempts(5, 3);
        let peer = address("127.0.0.1");
        let now = Instant::now();
        for n in 0..100 {
            assert!(attempts.take(peer, &n.to_string(), now).is_some());
        }
        // The address has nothing left, so each name had its one try.
        assert!((0..100).all(|n| attempts.take(peer, &n.to_string(), now).is_none()));
        let ingest = attempts.take(peer, "ingest", now).unwrap();
        assert!(attempts.take(peer, "ingest", now).is_none(), "nor two at a time");
        attempts.forgive(ingest);
        assert!(attempts.take(peer, "ingest", now).is_some());
        assert!(attempts.take(peer, "1", now + pause).is_some());
    }

    #[test]
    fn what_was_right_after_all_costs_nothing() {
        let (attempts, _) = attempts(2, 1);
        let peer = address("192.0.2.1");
        let now = Instant::now();
        for _ in 0..100 {
            let attempt = attempts.take(peer, "car", now).unwrap();
            attempts.forgive(attempt);
        }
        // One that the address did not pay for gives it nothing back.
        let _failed = (attempts.take(peer, "a", now).unwrap(), attempts.take(peer, "b", now).unwrap());
        let unpaid = attempts.take(peer, "c", now).unwrap();
        assert!(!unpaid.of_address);
        attempts.forgive(unpaid);
        assert!(!attempts.take(peer, "d", now).unwrap().of_address);
    }

    #[test]
    fn what_is_remembered_is_forgotten_in_time_and_never_too_much() {
        let (attempts, pause) = attempts(30, 10);
        let now = Instant::now();
        for n in 0..MAX_REMEMBERED as u32 + 5 {
            assert!(attempts.take(IpAddr::V4(n.into()), "car", now).is_some());
        }
        assert_eq!(attempts.debts().0.clean_at.len(), MAX_REMEMBERED);
        assert_eq!(attempts.debts().1.clean_at.len(), MAX_REMEMBERED);
        assert!(attempts.take(address("203.0.113.1"), "car", now + pause).is_some());
        assert_eq!(attempts.debts().0.clean_at.len(), 1);
    }
}
