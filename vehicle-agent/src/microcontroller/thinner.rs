//! So many values → those that are recorded. The detectors see all of them.

use std::collections::BTreeMap;

use super::signals::PERIOD_MS;
use crate::recorder::Key;

/// More often than five times a second nothing is recorded.
pub const SHORTEST_MS: u32 = 200;
/// Of these the mean is recorded, of others the last value: half a door is not open.
const MEANS: [&str; 6] = ["ax", "ay", "az", "gx", "gy", "gz"];

/// Thins the values of a microcontroller, each signal by itself.
#[derive(Debug, Default)]
pub struct Thinner {
    kept: BTreeMap<Key, Kept>,
}

#[derive(Debug)]
struct Kept {
    sum: f64,
    count: f64,
    told: f64,
    at_ms: u64,
}

impl Thinner {
    /// Takes values and tells those that are recorded now. `periods_ms` are wanted intervals by key.
    pub fn take(&mut self, at_ms: u64, values: &[(Key, f64)], periods_ms: &BTreeMap<String, u32>) -> Vec<(Key, f64)> {
        values
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), self.thin(at_ms, key, *value, periods_ms)?)))
            .collect()
    }

    fn thin(&mut self, at_ms: u64, key: &Key, value: f64, periods_ms: &BTreeMap<String, u32>) -> Option<f64> {
        let Some(kept) = self.kept.get_mut(key) else {
            self.kept.insert(key.clone(), Kept { sum: 0.0, count: 0.0, told: value, at_ms });
            return Some(value);
        };
        kept.sum += value;
        kept.count += 1.0;
        let wanted = periods_ms.get(&**key).copied().unwrap_or(PERIOD_MS);
        // What is open or closed is told when it changes.
        let is_state = |value: f64| value == 0.0 || value == 1.0;
        let is_mean = MEANS.contains(&&**key);
        let switches = !is_mean && is_state(value) && is_state(kept.told) && value != kept.told;
        let period_ms = if switches { SHORTEST_MS } else { wanted.max(SHORTEST_MS) };
        // Time that goes back does not silence it.
        let due = at_ms < kept.at_ms || at_ms - kept.at_ms >= u64::from(period_ms);
        if !due {
            return None;
        }
        let told = if is_mean { kept.sum / kept.count } else { value };
        *kept = Kept { sum: 0.0, count: 0.0, told, at_ms };
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accelerometers_mean_is_recorded_once_a_second_or_as_it_is_wanted() {
        for (period_ms, rows) in [(None, 10), (Some(500), 20), (Some(20), 50)] {
            let periods = period_ms.map(|ms| ("ax".to_owned(), ms)).into_iter().collect();
            let mut thinner = Thinner::default();
            let told: Vec<_> = (0..500u32)
                .flat_map(|i| thinner.take(u64::from(i) * 20, &[("ax".into(), f64::from(i % 2))], &periods))
                .collect();
            assert_eq!(told.len(), rows, "{period_ms:?}");
            assert!(told[1..].iter().all(|(_, value)| (value - 0.5).abs() < 0.05), "{told:?}");
        }
    }

    #[test]
    fn a_door_is_told_when_it_changes_and_a_temperature_when_it_is_due() {
        let mut thinner = Thinner::default();
        let none = BTreeMap::new();
        let mut take = |at_ms, key: &'static str, value| !thinner.take(at_ms, &[(key.into(), value)], &none).is_empty();
        assert!(take(0, "x.door", 0.0) && !take(300, "x.door", 0.0) && take(400, "x.door", 1.0));
        assert!(!take(450, "x.door", 0.0), "it rattles");
        assert!(take(0, "x.temp", 20.0) && !take(300, "x.temp", 21.0) && take(1_000, "x.temp", 21.0));
        assert!(take(10, "x.temp", 22.0), "time has gone back");
    }
}
