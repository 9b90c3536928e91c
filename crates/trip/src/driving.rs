//! A vehicle that drives: whether it has arrived, and when.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

use crate::{
    car::Car,
    fuel::Used,
    latest::{self, Engine, Latest},
    leg::{DistanceFrom, End, FuelFrom, Trip},
    parked::{Departure, Leaving, Parked},
    sample::Sample,
    tally::Tally,
    track::Track,
};

/// An odometer may differ by this share from what else is known, and by this length (it is told in steps of 0.1 km).
const ODOMETER_SHARE: f64 = 0.15;
const ODOMETER_M: f64 = 200.0;

/// A vehicle that drives, or pauses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Driving {
    start: UnixMs,
    latest: Latest,
    /// Up to the newest sample.
    live: Tally,
    /// Up to where it would have arrived if it did not go on.
    arrived: Tally,
    track: Track,
    pausing: bool,
    /// What it is if it has arrived: a state of its own, made of nothing but the samples since then.
    parked: Parked,
}

impl Driving {
    /// It has left with this sample.
    pub fn departed(latest: Latest, leaving: Leaving, sample: &Sample, car: &Car) -> Self {
        Driving {
            start: leaving.start,
            parked: Parked::at(sample, leaving.tally.place(&car.limits), car),
            latest,
            live: leaving.tally,
            arrived: leaving.tally,
            track: leaving.track,
            pausing: false,
        }
    }

    /// Whether it had arrived before this sample.
    pub fn ended_before(&self, sample: &Sample, car: &Car) -> Option<End> {
        let by_silence = (self.latest.silence_ms(sample) > car.limits.gap_ms).then_some(End::Gap);
        self.ended_by(sample.ts, car).or(by_silence)
    }

    /// Whether it has arrived if nothing has been told up to `ts`.
    pub fn ended_in_silence(&self, ts: UnixMs, car: &Car) -> Option<End> {
        let by_silence = self.latest.seen.is_some_and(|seen| ts - seen > car.limits.gap_ms).then_some(End::Gap);
        self.ended_by(ts, car).or(by_silence)
    }

    fn ended_by(&self, ts: UnixMs, car: &Car) -> Option<End> {
        if !self.pausing || self.parked.leaving.is_some() {
            return None;
        }
        let (limit_ms, end) = match self.parked.latest.engine() {
            Engine::Running => (car.limits.idle_ms, End::Still),
            Engine::Off => (car.limits.off_ms, End::Off),
            Engine::Unknown => (car.limits.still_ms, End::Still),
        };
        (ts - self.parked.start >= limit_ms).then_some(end)
    }

    pub fn step(&mut self, sample: &Sample, car: &Car) {
        let limits = &car.limits;
        let before = self.latest;
        let taken = self.latest.take(sample, limits);
        self.live.step(sample, &before, &self.latest, taken, limits);
        if !latest::tells_of_movement(sample) {
            self.parked.step(sample, car);
            return;
        }
        if self.pausing {
            self.parked.step(sample, car);
            if !self.parked.has_left(Departure::Resume, limits) {
                return;
            }
            if let Some(leaving) = &self.parked.leaving {
                self.track.extend(&leaving.track);
            }
        } else if let Some(fix) = taken.fix {
            self.track.push(fix.at);
        }
        self.pausing = self.latest.moves(limits) == Some(false);
        self.arrived = self.live;
        self.parked = Parked::at(sample, self.live.place(limits), car);
    }

    /// What it is once it has arrived.
    pub fn into_parked(self) -> Parked {
        self.parked
    }

    /// The trip as it has ended.
    pub fn ended(&self, end: End, car: &Car) -> Trip {
        self.trip(self.arrived.until(&self.live), Some(end), car)
    }

    /// The trip so far.
    pub fn open(&self, car: &Car) -> Trip {
        self.trip(self.live, None, car)
    }

    fn trip(&self, tally: Tally, ended: Option<End>, car: &Car) -> Trip {
        let duration_ms = tally.end - self.start;
        let to = tally.place(&car.limits);
        let Used { fuel, energy_kwh, cost, co2_kg } = Used::of(&tally, duration_ms, car);
        let (distance_m, distance_from) = distance(&tally, duration_ms, car);
        let odometer_m = tally.odometer.map(|(first, last)| (last - first) * 1000.0);
        let share = |ms: i64, of: i64| if of > 0 { ms as f64 / of as f64 } else { 0.0 };
        let under_way_ms = tally.moving_ms + tally.blind_ms;
        let mean_kmh = if under_way_ms > 0 { distance_m / under_way_ms as f64 * 3600.0 } else { 0.0 };
        let (idle, over) = (share(tally.idle_ms, duration_ms), share(tally.over_ms, tally.moving_ms));
        Trip {
            start: self.start,
            end: tally.end,
            open: ended.is_none(),
            ended,
            from: tally.from,
            to,
            distance_m,
            distance_from,
            gnss_m: tally.gnss_m,
            odometer_m: odometer_m.filter(|metres| *metres >= 0.0),
            wheel_m: tally.wheel_m,
            gap_m: tally.gap_m,
            blind_ms: tally.blind_ms,
            moving_ms: tally.moving_ms,
            idle_ms: tally.idle_ms,
            over_ms: tally.over_ms,
            max_kmh: tally.max_kmh,
            mean_kmh: mean_kmh.min(car.limits.max_kmh),
            fuel_l: fuel.map(|(litres, _): (f64, FuelFrom)| litres),
            fuel_from: fuel.map(|(_, from)| from),
            energy_kwh,
            cost,
            co2_kg,
            harsh_accelerations: tally.harsh.accelerations,
            harsh_brakings: tally.harsh.brakings,
            harsh_cornerings: tally.harsh.cornerings,
            score: tally.harsh.score(distance_m, idle, over),
            track: self.track.text(tally.from, to),
        }
    }
}

/// The distance to show.
fn distance(tally: &Tally, duration_ms: i64, car: &Car) -> (f64, DistanceFrom) {
    let wheel_m = tally.wheel_m.unwrap_or(0.0);
    let (other_m, from) = match tally.gnss_m {
        Some(gnss_m) => (gnss_m + tally.bridged_m, DistanceFrom::Gnss),
        None => (wheel_m, DistanceFrom::Wheels),
    };
    let Some((first, last)) = tally.odometer else { return (other_m, from) };
    let odometer_m = (last - first) * 1000.0;
    let error_m = ODOMETER_M + ODOMETER_SHARE * other_m;
    // What was driven while nobody told is known to the odometer alone: it may have gone as far as a car can.
    let unseen_m = if tally.gap_m > 0.0 || tally.blind_ms > 0 {
        duration_ms as f64 / 1000.0 * car.limits.max_kmh / 3.6
    } else {
        0.0
    };
    let plausible = odometer_m > 0.0 && odometer_m >= other_m - error_m && odometer_m <= other_m + error_m + unseen_m;
    if plausible { (odometer_m, DistanceFrom::Odometer) } else { (other_m, from) }
}
