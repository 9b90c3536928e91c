//! One clock for both ends.

use std::{sync::OnceLock, time::Instant};

/// µs since it was first asked.
pub fn now_us() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed().as_micros() as u64
}
