use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::decode::Parameter;

/// What is to be done with the adapter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Job {
    /// Ask for a parameter.
    Parameter(&'static Parameter),
    /// Ask the adapter for the battery's voltage.
    Voltage,
    /// Ask for trouble codes, lamp and readiness.
    Trouble,
}

const VOLTAGE_MS: u32 = 10_000;
const TROUBLE_MS: u32 = 60_000;
const SHORTEST_MS: u32 = 100;
const LONGEST_MS: u32 = 3_600_000;

/// Says what is due. The longest overdue comes first; what could not be done in time is not made up for.
pub(super) struct Schedule(Vec<Entry>);

struct Entry {
    job: Job,
    period: Duration,
    due: Instant,
}

impl Schedule {
    /// Everything is due at once.
    pub fn new(parameters: Vec<&'static Parameter>, now: Instant) -> Self {
        let tells_voltage = |parameter: &&Parameter| parameter.signal().key == "vbat";
        let mut jobs = vec![(Job::Trouble, TROUBLE_MS)];
        if !parameters.iter().any(tells_voltage) {
            jobs.push((Job::Voltage, VOLTAGE_MS));
        }
        jobs.extend(parameters.into_iter().map(|parameter| (Job::Parameter(parameter), parameter.period_ms)));
        let entry = |(job, period_ms)| Entry { job, period: Duration::from_millis(u64::from(period_ms)), due: now };
        Schedule(jobs.into_iter().map(entry).collect())
    }

    /// Sets the intervals by key; the others have their own.
    pub fn set_periods(&mut self, periods_ms: &BTreeMap<String, u32>, now: Instant) {
        for entry in &mut self.0 {
            let (key, own) = match entry.job {
                Job::Parameter(parameter) => (parameter.signal().key, parameter.period_ms),
                Job::Voltage => ("vbat", VOLTAGE_MS),
                Job::Trouble => continue,
            };
            let wanted = periods_ms.get(key).copied().unwrap_or(own);
            let wanted = wanted.clamp(SHORTEST_MS, LONGEST_MS);
            entry.period = Duration::from_millis(u64::from(wanted));
            entry.due = entry.due.min(now + entry.period);
        }
    }

    /// What is due, or when the next is.
    pub fn next(&mut self, now: Instant) -> Result<Job, Instant> {
        let entry = self.0.iter_mut().min_by_key(|entry| entry.due);
        let entry = entry.expect("trouble codes are always on the schedule");
        if entry.due > now {
            return Err(entry.due);
        }
        entry.due = (entry.due + entry.period).max(now);
        Ok(entry.job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obd::decode::PARAMETERS;

    #[test]
    fn fast_parameters_are_asked_often_and_slow_ones_still_come() {
        let mut now = Instant::now();
        let mut schedule = Schedule::new(PARAMETERS.iter().collect(), now);
        let mut asked: BTreeMap<&str, u32> = BTreeMap::new();
        let end = now + Duration::from_secs(60);
        while now < end {
            match schedule.next(now) {
                Ok(Job::Parameter(parameter)) => *asked.entry(parameter.signal().key).or_default() += 1,
                Ok(Job::Trouble) => *asked.entry("trouble").or_default() += 1,
                Ok(Job::Voltage) => panic!("PID 42 tells the voltage"),
                Err(due) => now = due,
            }
            now += Duration::from_millis(60); // an adapter of the slow kind
        }
        assert!(asked["rpm"] >= 90, "{asked:?}");
        assert!(asked["ect"] >= 5, "{asked:?}");
        assert!(asked["trouble"] >= 1, "{asked:?}");
        assert_eq!(asked.len(), PARAMETERS.len() + 1);
    }

    #[test]
    fn the_fleet_sets_intervals_within_reason() {
        let mut now = Instant::now();
        let rpm: Vec<_> = PARAMETERS.iter().filter(|p| p.pid == 0x0C).collect();
        let mut schedule = Schedule::new(rpm, now);
        schedule.set_periods(&BTreeMap::from([("rpm".to_owned(), 0)]), now);
        while schedule.next(now).is_ok() {}
        let mut asked = 0;
        for _ in 0..100 {
            now += Duration::from_millis(10);
            asked += u32::from(matches!(schedule.next(now), Ok(Job::Parameter(_))));
        }
        assert_eq!(asked, 10);
    }
}
