//! Lines of the log that strangers and clients can cause: a few per second; of the rest their number.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::bucket::Bucket;

const LINES_PER_SECOND: u32 = 5;

pub(crate) struct Refusals {
    lines: Bucket,
    unlogged: AtomicU64,
}

impl Refusals {
    pub(crate) fn new(now: Instant) -> Self {
        Refusals { lines: Bucket::new(LINES_PER_SECOND, now), unlogged: AtomicU64::new(0) }
    }

    /// Whether one more line may be written, and then how many were not since the last one.
    pub(crate) fn line(&self, now: Instant) -> Option<u64> {
        if self.lines.take_if_there(now) {
            Some(self.unlogged.swap(0, Ordering::Relaxed))
        } else {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            None
        }
    }

    /// Writes a line now, if one more may be written.
    pub(crate) fn report(&self, write: impl FnOnce(u64)) {
        if let Some(unlogged) = self.line(Instant::now()) {
            write(unlogged);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_few_lines_are_written_and_the_rest_is_counted() {
        let now = Instant::now();
        let refusals = Refusals::new(now);
        let lines: Vec<u64> = (0..100).filter_map(|_| refusals.line(now)).collect();
        assert_eq!(lines, [0; LINES_PER_SECOND as usize]);
        let later = now + Duration::from_secs(1);
        assert_eq!([refusals.line(later), refusals.line(later)], [Some(95), Some(0)]);
    }
}
