//! How often something may be done: packets of one user's clients, lines about strangers.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A token bucket that holds the tokens of one second.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: u32,
    /// When the bucket will be full again; a token moves it one interval into the future.
    full_at: Mutex<Instant>,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Bucket { per_second: per_second.max(1), full_at: Mutex::new(now) }
    }

    /// Tokens that it gives in a second.
    pub(crate) fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Takes tokens, on credit when there are too few: then nothing more may be taken before the moment that is returned.
    pub(crate) fn take(&self, tokens: u32, now: Instant) -> Option<Instant> {
        {
            let mut full_at = self.full_at();
            *full_at = full_at.max(now) + Duration::from_secs(1) / self.per_second * tokens;
        }
        self.in_debt_until(now)
    }

    /// Takes one token, but not on credit.
    pub(crate) fn take_if_there(&self, now: Instant) -> bool {
        let mut full_at = self.full_at();
        let after = full_at.max(now) + Duration::from_secs(1) / self.per_second;
        let there = after <= now + Duration::from_secs(1);
        if there {
            *full_at = after;
        }
        there
    }

    /// When all that was taken on credit is paid, if there is any.
    pub(crate) fn in_debt_until(&self, now: Instant) -> Option<Instant> {
        let until = *self.full_at() - Duration::from_secs(1);
        (until > now).then_some(until)
    }

    /// Whether it is like a new one.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        *self.full_at() <= now
    }

    fn full_at(&self) -> MutexGuard<'_, Instant> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_goes_at_once_and_then_one_per_interval() {
        let now = Instant::now();
        let bucket = Bucket::new(10, now);
        for _ in 0..10 {
            assert_eq!(bucket.take(1, now), None);
        }
        let next = bucket.take(1, now).unwrap();
        assert_eq!(next, now + Duration::from_millis(100));
        assert_eq!(bucket.in_debt_until(now), Some(next));
        assert_eq!(bucket.take(3, next), Some(next + Duration::from_millis(300)));
    }

    #[test]
    fn what_is_not_taken_on_credit_leaves_no_debt() {
        let now = Instant::now();
        let bucket = Bucket::new(2, now);
        assert_eq!((0..100).filter(|_| bucket.take_if_there(now)).count(), 2);
        assert_eq!(bucket.in_debt_until(now), None);
        assert!(bucket.take_if_there(now + Duration::from_millis(500)));
    }

    #[test]
    fn an_idle_user_gathers_no_more_than_a_second_s_worth() {
        let now = Instant::now();
        let bucket = Bucket::new(3, now);
        let later = now + Duration::from_secs(3600);
        assert!(bucket.is_full(later));
        assert_eq!((0..100).filter(|_| bucket.take(1, later).is_none()).count(), 3);
        assert!(!bucket.is_full(later));
    }
}
