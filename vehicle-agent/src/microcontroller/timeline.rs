//! The microcontroller's clock → ours.
//!
//! It counts milliseconds since it was started, in 32 bits. A line is late by what it waited for the port and for us, never
//! early: so the least delay of late is the best guess. Its resonator may be off by half a per cent, which is followed.

/// A ceramic resonator and more.
const DRIFT: f64 = 0.01;
/// No line waits for longer: what would have is of a microcontroller that was started anew.
const LATEST_MS: f64 = 5_000.0;

/// Places samples of a microcontroller in our time.
#[derive(Debug, Default)]
pub struct Timeline {
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    /// Its milliseconds, counted on over 2³².
    ms: u64,
    at_ms: u64,
    /// Our time less its time.
    offset_ms: f64,
}

impl Timeline {
    /// When a sample was taken, in our milliseconds, that says `ms` and came `at_ms`. Never after that.
    pub fn place(&mut self, ms: u32, at_ms: u64) -> u64 {
        let begun = |ms: u64| Last { ms, at_ms, offset_ms: at_ms as f64 - ms as f64 };
        let next = match self.last {
            None => begun(u64::from(ms)),
            Some(last) => {
                // The nearest of the moments that have these 32 bits.
                let step = ms.wrapping_sub(last.ms as u32).cast_signed();
                let ms = last.ms.checked_add_signed(i64::from(step)).unwrap_or(u64::from(ms));
                let passed = at_ms.saturating_sub(last.at_ms) as f64;
                let seen = at_ms as f64 - ms as f64;
                let offset_ms = seen.min(last.offset_ms + passed * DRIFT);
                if seen - offset_ms > LATEST_MS || last.offset_ms - seen > LATEST_MS {
                    begun(ms)
                } else {
                    Last { ms, at_ms, offset_ms }
                }
            }
        };
        self.last = Some(next);
        let placed = (next.ms as f64 + next.offset_ms).max(0.0);
        (placed.round() as u64).min(at_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples_of_a_batch_are_as_far_apart_as_they_were_taken() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.place(1_000, 50_000), 50_000);
        // Of the 80 ms up to 1 % may be drift.
        assert_eq!([1_040, 1_060, 1_080].map(|ms| timeline.place(ms, 50_080)), [50_041, 50_061, 50_080]);
    }

    #[test]
    fn its_clock_may_wrap_and_a_new_start_begins_anew() {
        let mut timeline = Timeline::default();
        timeline.place(u32::MAX - 99, 7_000);
        assert_eq!(timeline.place(100, 7_200), 7_200);
        assert_eq!(timeline.place(150, 7_300), 7_251, "it waited for 50 ms");
        assert_eq!(timeline.place(5, 600_000), 600_000, "started anew");
        assert_eq!(timeline.place(25, 600_020), 600_020);
        assert_eq!(timeline.place(4_000_000_000, 600_040), 600_040, "nonsense");
    }

    proptest! {
        /// Over an hour, with a clock off by up to half a per cent and lines that wait for up to 80 ms.
        #[test]
        fn drift_is_followed_and_nothing_is_placed_in_the_future(
            off in -0.005..0.005f64, waits in prop::collection::vec(0u64..80, 100..400), start: u32,
        ) {
            let mut timeline = Timeline::default();
            for (i, wait) in waits.iter().enumerate() {
                let taken = i as u64 * 10_000;
                let ms = start.wrapping_add((taken as f64 * (1.0 + off)) as u32);
                let placed = timeline.place(ms, taken + wait);
                prop_assert!(placed <= taken + wait);
                // At 10 s between lines the drift is up to 50 ms a step, and is followed with up to 100.
                prop_assert!(placed.abs_diff(taken) <= 151, "{} ms", placed.abs_diff(taken));
            }
        }
    }
}
