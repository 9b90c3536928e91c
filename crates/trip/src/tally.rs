//! Sums of a trip.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

use crate::{
    car::Limits,
    geo::Point,
    latest::{Engine, Fix, Latest, Taken, Timed},
    sample::Sample,
    style::Harsh,
};

/// Steps between positions that are shorter wait for more: jitter is not driven.
const STEP_M: f64 = 5.0;
/// While it stands, a position that is farther away was not driven to.
const CARRIED_M: f64 = 50.0;
/// A rate that is older is not known any more.
const RATE_MS: i64 = 30_000;
/// A level that rises at once by more percent was filled up.
const FILLED_PERCENT: f64 = 5.0;
/// A level is the mean of so many values, for fuel moves about in its tank.
const SLOSHING: u32 = 3;

/// What is left in a tank or a battery, at the beginning and now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Level {
    n: u32,
    first: f64,
    last: f64,
    filled: bool,
}

impl Level {
    fn take(&mut self, value: f64, window: u32) {
        if self.n > 0 && value - self.last > FILLED_PERCENT {
            self.filled = true;
        }
        self.n = self.n.saturating_add(1);
        if self.n <= window {
            self.first += (value - self.first) / f64::from(self.n);
        }
        self.last += (value - self.last) / f64::from(self.n.min(window));
    }

    /// By how many percent it has fallen; `None` when it cannot be told.
    pub fn fall(&self) -> Option<f64> {
        (self.n > 1 && !self.filled).then_some(self.first - self.last)
    }
}

/// A rate, summed up over the time for which it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sum {
    /// Unit of the rate times seconds.
    pub total: f64,
    pub known_ms: i64,
}

impl Sum {
    fn add(&mut self, rate: Option<Timed>, until: UnixMs, elapsed_ms: i64) {
        if let Some(rate) = rate.filter(|rate| until - rate.ts <= RATE_MS) {
            self.total += rate.value * elapsed_ms as f64 / 1000.0;
            self.known_ms += elapsed_ms;
        }
    }
}

/// Sums from the start of a trip to its newest sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub end: UnixMs,
    pub from: Option<Point>,
    to: Option<Fix>,
    pub gnss_m: Option<f64>,
    pub wheel_m: Option<f64>,
    /// What the wheels told while the receiver told nothing.
    pub bridged_m: f64,
    pub gap_m: f64,
    pub blind_ms: i64,
    pub moving_ms: i64,
    pub idle_ms: i64,
    pub over_ms: i64,
    pub max_kmh: f64,
    pub odometer: Option<(f64, f64)>,
    /// Litres an hour.
    pub rate: Sum,
    /// Grams a second.
    pub air: Sum,
    pub fuel: Level,
    pub soc: Level,
    pub harsh: Harsh,
    /// Distance is counted up to here.
    counted: Option<Point>,
    /// `wheel_m` at the newest position.
    wheel_at_fix_m: f64,
}

impl Tally {
    /// At the start of a trip, which is known of from `latest`.
    pub fn start(latest: &Latest, from: Option<Point>, limits: &Limits) -> Self {
        let (mut fuel, mut soc) = (Level::default(), Level::default());
        latest.fuel.iter().for_each(|level| fuel.take(*level, SLOSHING));
        latest.soc.iter().for_each(|level| soc.take(*level, 1));
        Tally {
            end: latest.ts,
            from,
            to: from.map(|at| Fix { ts: latest.ts, at }),
            gnss_m: latest.fix.map(|_| 0.0),
            wheel_m: latest.spd.filter(|spd| latest.ts - spd.ts <= limits.blind_ms).map(|_| 0.0),
            bridged_m: 0.0,
            gap_m: 0.0,
            blind_ms: 0,
            moving_ms: 0,
            idle_ms: 0,
            over_ms: 0,
            max_kmh: latest.speed(limits).unwrap_or(0.0),
            odometer: latest.odo.map(|odo| (odo, odo)),
            rate: Sum::default(),
            air: Sum::default(),
            fuel,
            soc,
            harsh: Harsh::default(),
            counted: from.and(latest.fix).map(|fix| fix.at),
            wheel_at_fix_m: 0.0,
        }
    }

    /// Adds the time from the sample before (`before`) to this one (`after`).
    pub fn step(&mut self, sample: &Sample, before: &Latest, after: &Latest, taken: Taken, limits: &Limits) {
        let elapsed = after.ts - before.ts;
        self.end = after.ts;
        // What was told last holds until the next is told.
        match before.speed(limits).filter(|_| elapsed <= limits.blind_ms) {
            None => self.blind_ms += elapsed,
            Some(speed) if speed < bugbrother_wire::live::STANDING_KMH => {
                if before.engine() == Engine::Running {
                    self.idle_ms += elapsed;
                }
            }
            Some(speed) => {
                self.moving_ms += elapsed;
                if speed > limits.over_kmh {
                    self.over_ms += elapsed;
                }
            }
        }
        self.rate.add(before.frate, after.ts, elapsed);
        self.air.add(before.maf, after.ts, elapsed);
        if let Some(speed) = after.speed(limits) {
            self.max_kmh = self.max_kmh.max(speed.min(limits.max_kmh));
        }
        if let Some(odo) = sample.odo {
            self.odometer = Some((self.odometer.map_or(odo, |(first, _)| first), odo));
        }
        sample.fuel.iter().for_each(|level| self.fuel.take(*level, SLOSHING));
        sample.soc.iter().for_each(|level| self.soc.take(*level, 1));
        self.harsh.step(sample, after, limits);
        self.roll(sample, before, limits);
        if let Some(fix) = taken.fix {
            self.travel(fix, taken.jumped, before, after, limits);
        }
    }

    /// Sums up the wheels' speed.
    fn roll(&mut self, sample: &Sample, before: &Latest, limits: &Limits) {
        let Some(speed) = sample.spd else { return };
        let rolled = match before.spd {
            Some(last) if sample.ts - last.ts <= limits.blind_ms => {
                (last.value + speed) / 2.0 / 3.6 * (sample.ts - last.ts) as f64 / 1000.0
            }
            _ => 0.0,
        };
        self.wheel_m = Some(self.wheel_m.unwrap_or(0.0) + rolled);
    }

    /// Sums up the way between positions.
    fn travel(&mut self, fix: Fix, jumped: bool, before: &Latest, after: &Latest, limits: &Limits) {
        let wheel_m = self.wheel_m.unwrap_or(0.0);
        let rolled_m = wheel_m - self.wheel_at_fix_m;
        self.wheel_at_fix_m = wheel_m;
        self.to = Some(fix);
        let gnss_m = self.gnss_m.get_or_insert(0.0);
        let Some(counted) = self.counted else {
            // The receiver has found out where it is only on the way.
            self.bridged_m += rolled_m;
            self.from = self.from.or(Some(fix.at));
            self.counted = Some(fix.at);
            return;
        };
        let step_m = counted.distance_m(fix.at);
        let blind = before.fix.is_none_or(|last| fix.ts - last.ts > limits.blind_ms);
        let moves = before.moves(limits) != Some(false) || after.moves(limits) != Some(false);
        if blind || jumped {
            self.bridged_m += rolled_m;
            self.gap_m += step_m;
        } else if moves && step_m >= STEP_M {
            *gnss_m += step_m;
        } else if !moves && step_m >= CARRIED_M {
            self.gap_m += step_m;
        } else {
            return;
        }
        self.counted = Some(fix.at);
    }

    /// Where it is, unless it has driven on since the receiver told.
    pub fn place(&self, limits: &Limits) -> Option<Point> {
        let rolled_m = self.wheel_m.unwrap_or(0.0) - self.wheel_at_fix_m;
        let to = self.to.filter(|to| self.end - to.ts <= limits.blind_ms || rolled_m < limits.tow_m)?;
        Some(to.at)
    }

    /// This, up to `end`, with what counters told later while it stood.
    pub fn until(&self, later: &Tally) -> Tally {
        Tally { odometer: later.odometer, fuel: later.fuel, soc: later.soc, ..*self }
    }
}
