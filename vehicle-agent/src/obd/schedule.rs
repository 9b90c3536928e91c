//! What is asked when. Pure: time is an argument.
//!
//! Each job has an interval that is wished for and a cost, the time that it has taken. If the wishes add up to more than
//! the bus gives, all intervals are stretched by the same factor: what is asked often is still asked more often than the
//! rest, and nothing starves. What fails again and again is asked ever more seldom.

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
/// So much of the time may be asked in; the rest is for what is asked for from outside.
const USABLE: f64 = 0.9;
/// So many failures in a row are an accident.
const ACCIDENTS: u32 = 3;
/// After so many more the interval is doubled for the last time.
const MOST_DOUBLINGS: u32 = 6;
const MOST_SELDOM: Duration = Duration::from_secs(600);
/// A job that was never done is thought to take so long.
const FIRST_COST: Duration = Duration::from_millis(50);
/// A parameter may come along with another one when so much of its interval is over.
const COMES_ALONG: f64 = 0.75;

/// Says what is due. The longest overdue comes first; what could not be done in time is not made up for.
pub(super) struct Schedule {
    entries: Vec<Entry>,
    stretch: f64,
}

struct Entry {
    job: Job,
    wished: Duration,
    due: Instant,
    /// What it takes, smoothed; `None` before it was done.
    cost: Option<Duration>,
    failures: u32,
}

impl Schedule {
    /// Everything is due at once.
    pub fn new(parameters: &[&'static Parameter], now: Instant) -> Self {
        let tells_voltage = |parameter: &&Parameter| parameter.signals().any(|signal| signal.key == "vbat");
        let mut jobs = vec![Job::Trouble];
        if !parameters.iter().any(tells_voltage) {
            jobs.push(Job::Voltage);
        }
        jobs.extend(parameters.iter().map(|parameter| Job::Parameter(parameter)));
        let entry = |job| Entry { job, wished: own_period(job), due: now, cost: None, failures: 0 };
        let mut schedule = Schedule { entries: jobs.into_iter().map(entry).collect(), stretch: 1.0 };
        schedule.weigh();
        schedule
    }

    /// Sets the intervals by key; the others have their own. Of a parameter with several signals the shortest counts.
    pub fn set_periods(&mut self, periods_ms: &BTreeMap<String, u32>, now: Instant) {
        for entry in &mut self.entries {
            let wished = match entry.job {
                Job::Parameter(parameter) => {
                    parameter.signals().filter_map(|signal| periods_ms.get(signal.key)).min().copied()
                }
                Job::Voltage => periods_ms.get("vbat").copied(),
                Job::Trouble => None,
            };
            let wished = wished.map(|ms| ms.clamp(SHORTEST_MS, LONGEST_MS));
            entry.wished = wished.map_or(own_period(entry.job), |ms| Duration::from_millis(ms.into()));
            entry.due = entry.due.min(now + entry.wished);
        }
        self.weigh();
    }

    /// What is due, or when the next is.
    pub fn next(&self, now: Instant) -> Result<Job, Instant> {
        let entry = self.entries.iter().min_by_key(|entry| entry.due);
        let entry = entry.expect("trouble codes are always on the schedule");
        if entry.due > now { Err(entry.due) } else { Ok(entry.job) }
    }

    /// Up to `most` parameters like `first` that may as well be asked for at once with it.
    pub fn companions(
        &self,
        first: &Parameter,
        most: usize,
        now: Instant,
        fits: impl Fn(&Parameter) -> bool,
    ) -> Vec<&'static Parameter> {
        let mut found: Vec<_> = self
            .entries
            .iter()
            .filter_map(|entry| match entry.job {
                Job::Parameter(other) if other.pid != first.pid && entry.failures == 0 && fits(other) => {
                    let early = self.period(entry).mul_f64(1.0 - COMES_ALONG);
                    (entry.due <= now + early).then_some((entry.due, other))
                }
                _ => None,
            })
            .collect();
        found.sort_by_key(|(due, _)| *due);
        found.into_iter().map(|(_, other)| other).take(most).collect()
    }

    /// Notes that a job was done, how long it took and whether it brought anything.
    pub fn done(&mut self, job: Job, took: Duration, worked: bool, now: Instant) {
        let Some(at) = self.entries.iter().position(|entry| same(entry.job, job)) else { return };
        let entry = &mut self.entries[at];
        entry.cost = Some(entry.cost.map_or(took, |cost| (cost * 7 + took) / 8));
        entry.failures = if worked { 0 } else { entry.failures.saturating_add(1) };
        self.weigh();
        let entry = &self.entries[at];
        // Not from when it should have been: late ones must not come in a bunch.
        let due = (entry.due + self.period(entry)).max(now);
        self.entries[at].due = due;
    }

    fn period(&self, entry: &Entry) -> Duration {
        entry.seldom().mul_f64(self.stretch)
    }

    /// How much the intervals are to be stretched.
    fn weigh(&mut self) {
        let load = |entry: &Entry| entry.cost.unwrap_or(FIRST_COST).as_secs_f64() / entry.seldom().as_secs_f64();
        let load: f64 = self.entries.iter().map(load).sum();
        self.stretch = (load / USABLE).max(1.0);
    }
}

impl Entry {
    /// The interval that is wished for, longer after failures.
    fn seldom(&self) -> Duration {
        let doublings = self.failures.saturating_sub(ACCIDENTS - 1).min(MOST_DOUBLINGS);
        (self.wished * 2u32.pow(doublings)).min(MOST_SELDOM.max(self.wished))
    }
}

fn own_period(job: Job) -> Duration {
    let ms = match job {
        Job::Parameter(parameter) => parameter.period_ms,
        Job::Voltage => VOLTAGE_MS,
        Job::Trouble => TROUBLE_MS,
    };
    Duration::from_millis(ms.into())
}

fn same(one: Job, other: Job) -> bool {
    match (one, other) {
        (Job::Parameter(one), Job::Parameter(other)) => one.pid == other.pid,
        (Job::Voltage, Job::Voltage) | (Job::Trouble, Job::Trouble) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obd::decode::PARAMETERS;

    /// Asks for a minute on a bus where each question takes so long; how often each was asked.
    fn ask(schedule: &mut Schedule, took: Duration, works: impl Fn(Job) -> bool) -> BTreeMap<String, u32> {
        let mut now = Instant::now();
        let end = now + Duration::from_secs(60);
        let mut asked = BTreeMap::new();
        while now < end {
            match schedule.next(now) {
                Ok(job) => {
                    let name = match job {
                        Job::Parameter(parameter) => format!("{:02X}", parameter.pid),
                        other => format!("{other:?}"),
                    };
                    *asked.entry(name).or_default() += 1;
                    now += took;
                    schedule.done(job, took, works(job), now);
                }
                Err(due) => now = due,
            }
        }
        asked
    }

    fn only(pids: &[u8]) -> Vec<&'static Parameter> {
        PARAMETERS.iter().filter(|parameter| pids.contains(&parameter.pid)).collect()
    }

    #[test]
    fn on_a_fast_bus_everything_comes_as_often_as_it_is_wished_for() {
        let mut schedule = Schedule::new(&only(&[0x0C, 0x05]), Instant::now());
        schedule.set_periods(&BTreeMap::from([("rpm".to_owned(), 500), ("ect".to_owned(), 10_000)]), Instant::now());
        let asked = ask(&mut schedule, Duration::from_millis(20), |_| true);
        assert_eq!((asked["0C"], asked["05"], asked["Trouble"]), (120, 6, 2), "{asked:?}");
    }

    #[test]
    fn on_a_slow_bus_all_are_stretched_alike_and_none_starves() {
        let parameters: Vec<_> = PARAMETERS.iter().take(20).collect();
        let now = Instant::now();
        let mut schedule = Schedule::new(&parameters, now);
        // Eighteen that want 2 s, and two that want 500 ms: 13 questions a second, where the bus has 4.
        let slow = parameters.iter().flat_map(|p| p.signals()).map(|signal| (signal.key.to_owned(), 2_000));
        let mut wishes: BTreeMap<_, _> = slow.collect();
        for parameter in &parameters[..2] {
            wishes.extend(parameter.signals().map(|signal| (signal.key.to_owned(), 500)));
        }
        schedule.set_periods(&wishes, now);
        let asked = ask(&mut schedule, Duration::from_millis(250), |_| true);
        let counts: Vec<_> = parameters.iter().map(|p| asked[&format!("{:02X}", p.pid)]).collect();
        let (fast, slow) = counts.split_at(2);
        for fast in fast {
            for slow in slow {
                let ratio = f64::from(*fast) / f64::from(*slow);
                assert!((3.0..5.5).contains(&ratio), "{counts:?}");
            }
        }
        assert!(asked["Trouble"] >= 1);
    }

    #[test]
    fn what_fails_again_and_again_is_asked_ever_more_seldom_and_comes_back() {
        let now = Instant::now();
        let mut schedule = Schedule::new(&only(&[0x0C, 0x0D]), now);
        schedule.set_periods(&BTreeMap::from([("rpm".to_owned(), 500), ("spd".to_owned(), 500)]), now);
        let fails = |job| !matches!(job, Job::Parameter(p) if p.pid == 0x0D);
        let asked = ask(&mut schedule, Duration::from_millis(20), fails);
        assert_eq!((asked["0C"], asked["0D"]), (120, 8), "{asked:?}");
        let failed = schedule.entries.iter_mut().find(|entry| entry.failures > 0).unwrap();
        assert!(failed.seldom() > Duration::from_secs(20), "{:?}", failed.seldom());
        failed.due = now;
        let again = ask(&mut schedule, Duration::from_millis(20), |_| true);
        assert!(again["0D"] >= 119, "{again:?}");
    }

    #[test]
    fn the_fleet_sets_intervals_within_reason() {
        let mut schedule = Schedule::new(&only(&[0x0C]), Instant::now());
        schedule.set_periods(&BTreeMap::from([("rpm".to_owned(), 0)]), Instant::now());
        let asked = ask(&mut schedule, Duration::from_millis(1), |_| true);
        assert!((590..=600).contains(&asked["0C"]), "{asked:?}");
    }

    #[test]
    fn who_comes_along_is_nearly_due() {
        let now = Instant::now();
        let parameters = only(&[0x0C, 0x0D, 0x05]);
        let mut schedule = Schedule::new(&parameters, now);
        for job in parameters.iter().map(|parameter| Job::Parameter(parameter)) {
            schedule.done(job, Duration::from_millis(10), true, now);
        }
        schedule.set_periods(&BTreeMap::from([("rpm".to_owned(), 1000), ("spd".to_owned(), 1000)]), now);
        let along = |at: Instant| -> Vec<_> {
            let first = parameters.iter().find(|parameter| parameter.pid == 0x0C).unwrap();
            schedule.companions(first, 5, at, |_| true).iter().map(|parameter| parameter.pid).collect()
        };
        assert_eq!(along(now + Duration::from_millis(100)), [0u8; 0]);
        assert_eq!(along(now + Duration::from_millis(800)), [0x0D]);
    }
}
