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

    /// Takes a token; when there is none, the moment at which there will be one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let interval = Duration::from_secs(1) / self.per_second;
        let full_at = self.full_at.max(now) + interval;
        if full_at > now + Duration::from_secs(1) {
            return Err(full_at - Duration::from_secs(1));
        }
        self.full_at = full_at;
        Ok(())
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
            assert_eq!(bucket.take(now), Ok(()));
        }
        let next = bucket.take(now).unwrap_err();
        assert_eq!(next, now + Duration::from_millis(100));
        assert_eq!(bucket.take(next), Ok(()));
        assert!(bucket.take(next).is_err());
    }

    #[test]
    fn an_idle_client_gathers_no_more_than_a_second_s_worth() {
        let now = Instant::now();
        let mut bucket = Bucket::new(3, now);
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(later).is_ok()).count(), 3);
    }
}
