//! How fast one client may publish.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket that holds the tokens of one second.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: u32,
    /// When the bucket will be full again; a token moves it one interval into the future.
    full_at: Instant,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Bucket { per_second: per_second.max(1), full_at: now }
    }

    /// Takes a token, on credit when there is none: then nothing more may be taken before the moment that is returned.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Instant> {
        self.full_at = self.full_at.max(now) + Duration::from_secs(1) / self.per_second;
        let paid_at = self.full_at - Duration::from_secs(1);
        (paid_at > now).then_some(paid_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_goes_at_once_and_then_one_per_interval() {
        let now = Instant::now();
        let mut bucket = Bucket::new(10, now);
        for _ in 0..10 {
            assert_eq!(bucket.take(now), None);
        }
        let next = bucket.take(now).unwrap();
        assert_eq!(next, now + Duration::from_millis(100));
        assert_eq!(bucket.take(next), Some(next + Duration::from_millis(100)));
    }

    #[test]
    fn an_idle_client_gathers_no_more_than_a_second_s_worth() {
        let now = Instant::now();
        let mut bucket = Bucket::new(3, now);
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(later).is_none()).count(), 3);
    }
}
