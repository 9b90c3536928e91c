//! How long to wait before a message is tried again. Pure.

use std::time::Duration;

/// After so many tries a message is given up.
pub const MOST_TRIES: u32 = 8;
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The wait after so many tries: three times as long each time, and a fifth more or less by chance (`chance` from 0 to 1), so
/// that what failed together does not come back together. Never shorter than what the other side asks for.
pub fn wait(first: Duration, tries: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let steps = tries.clamp(1, MOST_TRIES) - 1;
    let wait = first.saturating_mul(3_u32.saturating_pow(steps)).min(LONGEST);
    wait.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0)).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_spread_and_are_never_shorter_than_asked() {
        let first = Duration::from_secs(5);
        let middle: Vec<_> = (1..=MOST_TRIES).map(|tries| wait(first, tries, None, 0.5).as_secs()).collect();
        assert_eq!(middle, [5, 15, 45, 135, 405, 1215, 3600, 3600]);
        assert_eq!(wait(first, 1, None, 0.0), Duration::from_secs(4));
        assert_eq!(wait(first, 1, None, 1.0), Duration::from_secs(6));
        assert_eq!(wait(first, 1, Some(Duration::from_secs(90)), 0.5), Duration::from_secs(90));
        assert_eq!(wait(first, u32::MAX, None, 0.5), LONGEST);
    }
}
