//! How fast goes what was recorded out of reach: a bucket that fills by time, without clock and I/O.

use std::time::{Duration, Instant};

/// Most that goes in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Records.
    pub records_s: u32,
    /// Bytes of their messages.
    pub bytes_s: u32,
}

/// What may go now. It holds what comes in a second; a record that is larger than what is left goes and is owed.
#[derive(Debug)]
pub struct Bucket {
    pace: Pace,
    records: f64,
    bytes: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(pace: Pace, now: Instant) -> Self {
        Bucket { pace, records: f64::from(pace.records_s), bytes: f64::from(pace.bytes_s), at: now }
    }

    /// How many records may go now.
    pub fn allowed(&mut self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let filled = |level: f64, rate: u32| (level + passed * f64::from(rate)).min(f64::from(rate));
        self.records = filled(self.records, self.pace.records_s);
        self.bytes = filled(self.bytes, self.pace.bytes_s);
        self.at = now;
        if self.bytes > 0.0 && self.records >= 1.0 { self.records as usize } else { 0 }
    }

    /// So much has gone.
    pub fn take(&mut self, records: usize, bytes: usize) {
        self.records -= records as f64;
        self.bytes -= bytes as f64;
    }

    /// When something may go again.
    pub fn ready_at(&self) -> Instant {
        let wait = |missing: f64, rate: u32| missing.max(0.0) / f64::from(rate.max(1));
        let seconds = wait(1.0 - self.records, self.pace.records_s).max(wait(1.0 - self.bytes, self.pace.bytes_s));
        // A moment later, so that rounding does not make it too early.
        self.at + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(60)) + Duration::from_millis(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { records_s: 50, bytes_s: 10_000 };

    /// What has gone after a minute of records of that size, sent as soon as they may.
    fn sent_in_a_minute(size: usize, at_once: usize) -> usize {
        let start = Instant::now();
        let (mut bucket, mut now, mut sent) = (Bucket::new(PACE, start), start, 0);
        while now < start + Duration::from_secs(60) {
            let records = bucket.allowed(now).min(at_once);
            if records == 0 {
                assert!(bucket.ready_at() > now);
                now = bucket.ready_at();
                assert!(bucket.allowed(now) > 0, "ready is ready");
                continue;
            }
            bucket.take(records, records * size);
            sent += records;
        }
        sent
    }

    #[test]
    fn small_records_go_by_their_number_and_large_ones_by_their_size() {
        let small = sent_in_a_minute(100, 16);
        assert!((50 * 58..=50 * 61).contains(&small), "{small}");
        let large = sent_in_a_minute(5_000, 1);
        assert!((2 * 58..=2 * 61 + 2).contains(&large), "{large}");
        // Larger than what comes in a second: it goes, and is owed.
        let huge = sent_in_a_minute(100_000, 1);
        assert!((6..=7).contains(&huge), "{huge}");
    }

    #[test]
    fn a_pause_is_worth_a_second_at_most() {
        let start = Instant::now();
        let mut bucket = Bucket::new(PACE, start);
        assert_eq!(bucket.allowed(start + Duration::from_secs(3600)), 50);
        bucket.take(50, 10);
        assert_eq!(bucket.allowed(start + Duration::from_secs(3600)), 0);
    }
}
