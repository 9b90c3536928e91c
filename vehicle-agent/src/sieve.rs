//! Which values are worth recording.

use std::collections::BTreeMap;

use bugbrother_wire::UnixMs;

use crate::{
    budget::{Class, Thinning},
    recorder::Key,
};

/// Signals beyond that many are not told apart: more than a batch may have.
const MOST_SIGNALS: usize = 512;

/// Leaves out what comes too soon after the last of the same signal, as the day's bytes want it. Knows no clock but the
/// times of the values.
#[derive(Debug, Default)]
pub struct Sieve {
    thinning: Thinning,
    last: BTreeMap<Key, UnixMs>,
}

impl Sieve {
    /// How much is left out from now on.
    pub fn thin(&mut self, thinning: Thinning) {
        self.thinning = thinning;
    }

    /// Takes out of `values`, of the moment `ts`, what is left out. Tells how many values that are.
    pub fn sift(&mut self, ts: UnixMs, values: &mut BTreeMap<Key, f64>, class: impl Fn(&str) -> Class) -> usize {
        let before = values.len();
        values.retain(|key, _| {
            let interval = self.thinning.interval_ms(class(key));
            // A time that went back is another time.
            let due = self.last.get(key).is_none_or(|last| ts < *last || ts - last >= interval);
            if due && (self.last.len() < MOST_SIGNALS || self.last.contains_key(key)) {
                self.last.insert(key.clone(), ts);
            }
            due
        });
        before - values.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(keys: &[&'static str]) -> BTreeMap<Key, f64> {
        keys.iter().map(|key| (Key::from(*key), 1.0)).collect()
    }

    fn class(key: &str) -> Class {
        if key == "lat" { Class::Position } else { Class::Engine }
    }

    /// How many of each in a minute, four times a second.
    fn in_a_minute(thinning: Thinning) -> [usize; 2] {
        let mut sieve = Sieve::default();
        sieve.thin(thinning);
        let mut passed = [0, 0];
        for quarter in 0..240 {
            let mut values = values(&["lat", "rpm"]);
            let left_out = sieve.sift(1_790_000_000_000 + quarter * 250, &mut values, class);
            assert_eq!(left_out + values.len(), 2);
            passed[0] += usize::from(values.contains_key("lat"));
            passed[1] += usize::from(values.contains_key("rpm"));
        }
        passed
    }

    #[test]
    fn values_become_sparse_signal_by_signal() {
        let none = Thinning::default();
        assert_eq!(in_a_minute(none), [240, 240]);
        let scarce = none.next(400, 1000, 0.0);
        assert_eq!(in_a_minute(scarce), [240, 6]);
        let spent = none.next(1000, 1000, 0.0);
        assert_eq!(in_a_minute(spent), [6, 1]);
        let overdrawn = none.next(1100, 1000, 0.0);
        assert_eq!(in_a_minute(overdrawn), [1, 1]);
    }

    #[test]
    fn a_time_that_goes_back_keeps_nothing_waiting() {
        let mut sieve = Sieve::default();
        sieve.thin(Thinning::default().next(1100, 1000, 0.0));
        for ts in [1_790_000_000_000, 1_270_000_000_000] {
            assert_eq!(sieve.sift(ts, &mut values(&["lat"]), class), 0);
        }
    }
}
