//! A vehicle that stands: whether it has left, and since when.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

use crate::{
    car::{Car, Limits},
    geo::Point,
    latest::{self, Engine, Fix, Latest, Taken},
    leg::Stop,
    sample::Sample,
    tally::Tally,
    track::Track,
};

/// Mean of so many positions: where it stands.
const SETTLED: u32 = 60;
/// What moves less and stands again has not begun to leave.
const NUDGE_M: f64 = 30.0;
/// Who stands for so long on the way out has not left.
const HESITATES_MS: i64 = 60_000;
/// Who moves for so long without getting away has not left: what told of movement was noise.
const NOISE_MS: i64 = 5 * 60_000;
/// So many positions in a row must lie away from where it stands.
const FIXES_AWAY: u32 = 3;
/// A vehicle that was moved by less stayed where it was.
const MOVED_M: f64 = 200.0;

/// Which movement is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// Begins a trip.
    Trip,
    /// Ends a pause in a trip: half the distance is enough.
    Resume,
}

impl Departure {
    fn share(self) -> f64 {
        match self {
            Departure::Trip => 1.0,
            Departure::Resume => 0.5,
        }
    }
}

/// Where it stands: a running mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Anchor {
    at: Point,
    n: u32,
}

/// It may be leaving: a trip, if it is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Leaving {
    pub start: UnixMs,
    pub tally: Tally,
    pub track: Track,
    /// Positions in a row that are half as far away as needed, as far as needed, and as far as a towed one must be.
    away: [u32; 3],
    still_since: Option<UnixMs>,
}

/// A vehicle that stands. Its state is made of nothing but the samples since `start` and the
/// place where the trip before has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parked {
    pub start: UnixMs,
    pub latest: Latest,
    anchor: Option<Anchor>,
    /// Where it stood before it was moved without having driven.
    before: Option<Point>,
    /// After a gap it may be anywhere.
    lost: bool,
    strays: Option<(UnixMs, u32)>,
    idle_ms: i64,
    gap_ms: i64,
    pub leaving: Option<Box<Leaving>>,
}

impl Parked {
    /// It stands, or all that is known begins, with this sample; `place` is where the trip before has ended.
    pub fn at(sample: &Sample, place: Option<Point>, car: &Car) -> Self {
        let mut parked = Parked {
            start: sample.ts,
            latest: Latest::at(sample.ts),
            anchor: place.map(|at| Anchor { at, n: 1 }),
            before: None,
            lost: false,
            strays: None,
            idle_ms: 0,
            gap_ms: 0,
            leaving: None,
        };
        parked.step(sample, car);
        parked
    }

    pub fn step(&mut self, sample: &Sample, car: &Car) {
        let limits = &car.limits;
        let silence_ms = self.latest.silence_ms(sample);
        if silence_ms > limits.gap_ms {
            self.latest = Latest::at(self.latest.ts);
            self.leaving = None;
            self.gap_ms += silence_ms;
            self.lost = true;
            self.strays = None;
        }
        let before = self.latest;
        let taken = self.latest.take(sample, limits);
        let elapsed = self.latest.ts - before.ts;
        if elapsed <= limits.blind_ms && before.engine() == Engine::Running && before.moves(limits) != Some(true) {
            self.idle_ms += elapsed;
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.tally.step(sample, &before, &self.latest, taken, limits);
        }
        if !latest::tells_of_movement(sample) {
            return;
        }
        if self.lost
            && let Some(fix) = taken.fix
        {
            self.lost = false;
            self.settle_if_away(fix, limits);
        }
        if self.latest.moves(limits) == Some(true) {
            self.moves(taken, limits);
        } else {
            self.stands(taken, limits);
        }
    }

    fn moves(&mut self, taken: Taken, limits: &Limits) {
        self.strays = None;
        let ts = self.latest.ts;
        let noise = |leaving: &Leaving| {
            ts - leaving.start > NOISE_MS && leaving.away[0] == 0 && leaving.tally.wheel_m.unwrap_or(0.0) < NUDGE_M
        };
        if self.leaving.as_ref().is_none_or(|leaving| noise(leaving)) {
            self.leaving = Some(Box::new(Leaving {
                start: ts,
                tally: Tally::start(&self.latest, self.position_now(limits), limits),
                track: Track::new(limits.track_m),
                away: [0; 3],
                still_since: None,
            }));
        }
        let away_m = self.away_m(taken);
        let Some(leaving) = &mut self.leaving else { return };
        leaving.still_since = None;
        if let Some(fix) = taken.fix {
            leaving.track.push(fix.at);
        }
        if let Some(away_m) = away_m {
            let needed = [limits.leave_m / 2.0, limits.leave_m, limits.tow_m.max(limits.leave_m)];
            for (count, needed_m) in leaving.away.iter_mut().zip(needed) {
                *count = if away_m >= needed_m { count.saturating_add(1) } else { 0 };
            }
        }
    }

    fn stands(&mut self, taken: Taken, limits: &Limits) {
        let ts = self.latest.ts;
        let away_m = self.latest.fix.zip(self.anchor).map_or(0.0, |(fix, anchor)| anchor.at.distance_m(fix.at));
        if let Some(leaving) = &mut self.leaving {
            let nudged = away_m < NUDGE_M && leaving.tally.wheel_m.unwrap_or(0.0) < NUDGE_M;
            let since = *leaving.still_since.get_or_insert(ts);
            if nudged || ts - since >= HESITATES_MS {
                self.leaving = None;
            }
            return;
        }
        let Some(fix) = taken.fix else { return };
        match &mut self.anchor {
            Some(_) if away_m >= limits.leave_m => {
                let (since, count) = self.strays.unwrap_or((ts, 0));
                self.strays = Some((since, count.saturating_add(1)));
                if ts - since >= HESITATES_MS && count >= FIXES_AWAY {
                    self.settle_if_away(fix, limits);
                }
            }
            Some(anchor) => {
                self.strays = None;
                anchor.n = (anchor.n + 1).min(SETTLED);
                anchor.at = anchor.at.towards(fix.at, 1.0 / f64::from(anchor.n));
            }
            None => self.anchor = Some(Anchor { at: fix.at, n: 1 }),
        }
    }

    /// It stands elsewhere now.
    fn settle_if_away(&mut self, fix: Fix, limits: &Limits) {
        self.strays = None;
        if let Some(anchor) = self.anchor
            && anchor.at.distance_m(fix.at) >= limits.leave_m
        {
            self.before = self.before.or(Some(anchor.at));
            self.anchor = Some(Anchor { at: fix.at, n: 1 });
        }
    }

    /// How far away from where it stood the sample's position is.
    fn away_m(&mut self, taken: Taken) -> Option<f64> {
        let fix = taken.fix?;
        let anchor = self.anchor.get_or_insert(Anchor { at: fix.at, n: 1 });
        Some(anchor.at.distance_m(fix.at))
    }

    /// Where a trip would begin now.
    fn position_now(&self, limits: &Limits) -> Option<Point> {
        let stood = self.anchor.filter(|_| !self.lost).map(|anchor| anchor.at);
        let told = self.latest.fix.map(|fix| fix.at);
        let near = |stood: &Point| told.is_none_or(|told| stood.distance_m(told) < limits.leave_m);
        stood.filter(near).or(told)
    }

    /// Whether its movement up to the newest sample, which tells of some, is more than noise.
    pub fn has_left(&self, departure: Departure, limits: &Limits) -> bool {
        let Some(leaving) = self.leaving.as_ref().filter(|_| self.latest.moves(limits) == Some(true)) else {
            return false;
        };
        if leaving.still_since.is_some() {
            return false;
        }
        if leaving.tally.wheel_m.is_some_and(|wheel_m| wheel_m >= limits.leave_m * departure.share()) {
            return true;
        }
        let [half, whole, towed] = leaving.away;
        let away = match (self.latest.engine(), departure) {
            (Engine::Off, _) => towed,
            (_, Departure::Trip) => whole,
            (_, Departure::Resume) => half,
        };
        let fast = leaving.tally.max_kmh >= limits.start_kmh || self.latest.engine() == Engine::Running;
        away >= FIXES_AWAY && fast
    }

    /// The stop, up to `end` or still lasting.
    pub fn stop(&self, end: Option<UnixMs>) -> Stop {
        let now = self.leaving.as_ref().filter(|_| end.is_some()).and_then(|leaving| leaving.tally.from);
        let now = now.or(self.anchor.map(|anchor| anchor.at));
        let position = self.before.or(self.anchor.map(|anchor| anchor.at));
        let moved_m = position.zip(now).map_or(0.0, |(from, to)| from.distance_m(to));
        Stop {
            start: self.start,
            end,
            position,
            idle_ms: self.idle_ms,
            gap_ms: self.gap_ms,
            moved_m: if moved_m >= MOVED_M { moved_m } else { 0.0 },
        }
    }
}
