//! How much is uploaded: in a second, and in a day.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use bugbrother_wire::{UnixMs, unix_ms};
use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::clock::is_provisional;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What may still be uploaded.
#[derive(Debug)]
pub(super) struct Allowance {
    bytes_s: Option<u64>,
    daily: Option<u64>,
    /// Where the day's bytes are kept.
    path: PathBuf,
    used: Used,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Used {
    /// Days since 1970, UTC.
    day: i64,
    bytes: u64,
}

impl Allowance {
    /// Goes on with what was used before.
    pub fn new(bytes_s: Option<u64>, daily: Option<u64>, path: PathBuf) -> Self {
        let used = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Allowance { bytes_s, daily, path, used }
    }

    /// Whether anything is left of the day.
    pub fn has_some(&self) -> bool {
        self.has_some_on(unix_ms(SystemTime::now()))
    }

    fn has_some_on(&self, now: UnixMs) -> bool {
        self.daily.is_none_or(|daily| self.used.day != day_of(now) || self.used.bytes < daily)
    }

    /// How large a piece should be, so that it takes about a second and no piece is tiny.
    pub fn piece(&self, usual: usize, least: usize) -> usize {
        let by_rate = self.bytes_s.and_then(|rate| usize::try_from(rate).ok());
        by_rate.map_or(usual, |rate| rate.clamp(least, usual))
    }

    /// So much was sent in that time; how long to wait before the next piece.
    pub fn spend(&mut self, bytes: u64, took: Duration, now: UnixMs) -> Duration {
        // Without a good time it is the same day as ever.
        let day = if is_provisional(now) { self.used.day } else { day_of(now) };
        let before = if self.used.day == day { self.used.bytes } else { 0 };
        self.used = Used { day, bytes: before.saturating_add(bytes) };
        if self.daily.is_some()
            && let Ok(text) = serde_json::to_vec(&self.used)
            && let Err(error) = fs::write(&self.path, text)
        {
            debug!(%error, "the day's uploads are not noted");
        }
        let due = self.bytes_s.map(|rate| Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64));
        due.map_or(Duration::ZERO, |due| due.saturating_sub(took))
    }
}

fn day_of(now: UnixMs) -> i64 {
    now.div_euclid(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMs = 20_000 * DAY_MS + DAY_MS / 2;

    #[test]
    fn a_day_has_its_bytes_and_the_next_day_new_ones_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("day");
        let mut allowance = Allowance::new(None, Some(1000), path.clone());
        assert!(allowance.has_some_on(NOON));
        assert_eq!(allowance.spend(600, Duration::ZERO, NOON), Duration::ZERO);
        assert!(allowance.has_some_on(NOON));
        let mut allowance = Allowance::new(None, Some(1000), path.clone());
        allowance.spend(600, Duration::ZERO, NOON);
        assert!(!allowance.has_some_on(NOON) && allowance.has_some_on(NOON + DAY_MS));
        assert!(!Allowance::new(None, Some(1000), path.clone()).has_some_on(NOON));
        assert!(Allowance::new(None, None, path).has_some_on(NOON));
    }

    #[test]
    fn a_rate_is_kept_to_by_waiting_and_by_smaller_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let mut allowance = Allowance::new(Some(100_000), None, dir.path().join("day"));
        assert_eq!(allowance.piece(256_000, 16_000), 100_000);
        assert_eq!(allowance.spend(100_000, Duration::from_millis(250), NOON), Duration::from_millis(750));
        assert_eq!(allowance.spend(100_000, Duration::from_secs(3), NOON), Duration::ZERO);
        assert_eq!(Allowance::new(Some(1_000), None, dir.path().join("day")).piece(256_000, 16_000), 16_000);
    }
}
