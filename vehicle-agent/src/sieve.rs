//! Which values are worth recording.

use std::collections::BTreeMap;

use bugbrother_wire::UnixMs;

use crate::{
    budget::{Class, Thinning},
    recorder::Key,
};

/// Signals beyond that many are not told apart: more than a batch may have.
const MOST_SIGNALS: usize = 512;

/// In economy a value that has not changed is recorded again after so long.
const REPEATED_AFTER_MS: i64 = 30_000;
/// A fix is a row in any case.
const PLACE: [&str; 2] = ["lat", "lon"];

/// Leaves out what comes too soon after the last of the same signal, as the day's bytes want it, and in economy what has
/// not changed. Knows no clock but the times of the values.
#[derive(Debug, Default)]
pub struct Sieve {
    thinning: Thinning,
    economy: bool,
    last: BTreeMap<Key, (UnixMs, f64)>,
}

impl Sieve {
    /// One that leaves out what has not changed, or not.
    pub fn new(economy: bool) -> Self {
        Sieve { economy, ..Sieve::default() }
    }

    /// How much is left out from now on.
    pub fn thin(&mut self, thinning: Thinning) {
        self.thinning = thinning;
    }

    /// Takes out of `values`, of the moment `ts`, what is left out. Tells how many values that are.
    pub fn sift(&mut self, ts: UnixMs, values: &mut BTreeMap<Key, f64>, class: impl Fn(&str) -> Class) -> usize {
        let before = values.len();
        values.retain(|key, value| {
            let interval = self.thinning.interval_ms(class(key));
            let due = self.last.get(key).is_none_or(|(last, told)| {
                let repeated = self.economy && told == value && !PLACE.contains(&&**key);
                let interval = if repeated { interval.max(REPEATED_AFTER_MS) } else { interval };
                // A time that went back is another time.
                ts < *last || ts - last >= interval
            });
            if due && (self.last.len() < MOST_SIGNALS || self.last.contains_key(key)) {
                self.last.insert(key.clone(), (ts, *value));
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
    fn in_economy_what_has_not_changed_is_repeated_now_and_then_and_a_place_each_time() {
        let mut sieve = Sieve::new(true);
        let mut recorded = [0, 0];
        for second in 0..60 {
            let mut values = values(&["lat", "rpm"]);
            values.insert("ect".into(), f64::from(second / 20));
            sieve.sift(1_790_000_000_000 + i64::from(second) * 1_000, &mut values, class);
            assert!(values.contains_key("lat"));
            recorded[0] += usize::from(values.contains_key("rpm"));
            recorded[1] += usize::from(values.contains_key("ect"));
        }
        assert_eq!(recorded, [2, 3]);
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
