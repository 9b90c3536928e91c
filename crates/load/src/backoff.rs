//! When a vehicle that finds nobody tries again.

use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that stood so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// How long to wait before the next attempt, as an agent does: doubling from 0.2 s to 30 s, a random half of it.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after an attempt that ended; `stood` is how long it was connected.
    pub fn next(&mut self, stood: Option<Duration>, chance: &mut impl Rng) -> Duration {
        if stood.is_some_and(|stood| stood >= GOOD) {
            self.failures = 0;
        }
        let most = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        most.mul_f64(chance.random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn the_wait_doubles_up_to_half_a_minute_and_begins_anew_after_a_good_connection() {
        let (mut backoff, mut chance) = (Backoff::default(), SmallRng::seed_from_u64(1));
        for most_ms in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000] {
            let wait_ms = backoff.next(None, &mut chance).as_millis();
            assert!((most_ms / 2..=most_ms).contains(&wait_ms), "{wait_ms} ms of {most_ms}");
        }
        assert!(backoff.next(Some(GOOD / 2), &mut chance) >= LONGEST / 2);
        assert!(backoff.next(Some(GOOD), &mut chance) <= FIRST);
    }
}
