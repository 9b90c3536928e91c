//! How often somebody at an address may show a wrong password.
//!
//! A carrier's NAT is one address with many vehicles behind it. So wrong passwords from there keep out only who still
//! has to prove something by a password check: not who signed in a moment ago with the same password (the verifier
//! remembers), nor who has a certificate. What remains: while somebody behind the same NAT guesses passwords, a
//! neighbour who signs in for the first time is told to try again later.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Limits, places::subscriber};

/// Addresses that are remembered. A stranger with more of them has only the verifier in the way.
const MAX_ADDRESSES: usize = 20_000;

pub(crate) struct Attempts {
    /// How long it takes until one more wrong password is forgiven.
    forgiven_after: Duration,
    burst: u32,
    /// When all wrong passwords of an address are forgiven.
    clean_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl Attempts {
    pub(crate) fn new(limits: &Limits) -> Self {
        Attempts {
            forgiven_after: limits.sign_in_failure_forgiven_after,
            burst: limits.sign_in_failures_per_address,
            clean_at: Mutex::default(),
        }
    }

    /// Whether another password from there may be checked.
    pub(crate) fn may_try(&self, peer: IpAddr, now: Instant) -> bool {
        let clean_at = self.clean_at().get(&subscriber(peer)).copied();
        clean_at.is_none_or(|clean_at| clean_at + self.forgiven_after <= now + self.forgiven_after * self.burst)
    }

    /// Notes a wrong password. Checks that ran side by side make no debt beyond the burst.
    pub(crate) fn failed(&self, peer: IpAddr, now: Instant) {
        let address = subscriber(peer);
        let mut clean_at = self.clean_at();
        if clean_at.len() >= MAX_ADDRESSES && !clean_at.contains_key(&address) {
            clean_at.retain(|_, clean_at| *clean_at > now);
            if clean_at.len() >= MAX_ADDRESSES {
                return;
            }
        }
        let own = clean_at.entry(address).or_insert(now);
        *own = ((*own).max(now) + self.forgiven_after).min(now + self.forgiven_after * self.burst);
    }

    fn clean_at(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.clean_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_of_wrong_passwords_an_address_waits_and_no_other_does() {
        let attempts = Attempts::new(&Limits { sign_in_failures_per_address: 3, ..Limits::default() });
        let pause = attempts.forgiven_after;
        let (bad, good): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let now = Instant::now();
        for _ in 0..3 {
            assert!(attempts.may_try(bad, now));
            attempts.failed(bad, now);
        }
        assert!(!attempts.may_try(bad, now) && attempts.may_try(good, now));
        // Those that were on their way already.
        for _ in 0..100 {
            attempts.failed(bad, now);
        }
        assert!(!attempts.may_try(bad, now + pause - Duration::from_millis(1)));
        assert!(attempts.may_try(bad, now + pause));
        attempts.failed(bad, now + pause);
        assert!(!attempts.may_try(bad, now + pause));
        for _ in 0..3 {
            assert!(attempts.may_try(bad, now + 4 * pause));
            attempts.failed(bad, now + 4 * pause);
        }
        assert!(!attempts.may_try(bad, now + 4 * pause));
    }

    #[test]
    fn addresses_are_forgotten_in_time_and_never_too_many() {
        let attempts = Attempts::new(&Limits::default());
        let now = Instant::now();
        for n in 0..MAX_ADDRESSES as u32 + 5 {
            attempts.failed(IpAddr::V4(n.into()), now);
        }
        assert_eq!(attempts.clean_at().len(), MAX_ADDRESSES);
        attempts.failed("203.0.113.1".parse().unwrap(), now + attempts.forgiven_after);
        assert_eq!(attempts.clean_at().len(), 1);
    }
}
