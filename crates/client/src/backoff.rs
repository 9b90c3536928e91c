use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that stood so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// How long to wait before the next attempt: doubling from 0.2 s to 30 s, a random half of it, so that a fleet that lost
/// its broker does not come back as one.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after an attempt that ended; `stood` is how long it was connected.
    pub fn next(&mut self, stood: Option<Duration>, rng: &mut impl Rng) -> Duration {
        if stood.is_some_and(|stood| stood >= GOOD) {
            self.failures = 0;
        }
        let ceiling = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(rng.random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn the_wait_doubles_to_half_a_minute_and_starts_anew_after_a_good_connection() {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|_| backoff.next(None, &mut rng)).collect();
        for (n, wait) in waits.iter().enumerate() {
            let ceiling = (FIRST * (1 << n)).min(LONGEST);
            assert!(*wait <= ceiling && *wait >= ceiling / 2, "{n}: {wait:?}");
        }
        assert!(backoff.next(Some(Duration::from_secs(1)), &mut rng) >= LONGEST / 2);
        assert!(backoff.next(Some(GOOD), &mut rng) <= FIRST);
    }
}
