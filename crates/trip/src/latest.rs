//! Newest values, carried forward for a bounded time.

use bugbrother_wire::{UnixMs, live::STANDING_KMH};
use serde::{Deserialize, Serialize};

use crate::{car::Limits, geo::Point, sample::Sample};

/// As long as the wheels' speed is so new, the receiver's does not count.
const WHEELS_FIRST_MS: i64 = 10_000;
/// An engine speed that is older tells nothing.
const ENGINE_MS: i64 = 60_000;
/// Speed is derived from positions when none has been told for so long.
const UNTOLD_MS: i64 = 30_000;
/// Positions between which speed is derived are so far apart: 5 m of jitter are 1.8 km/h then.
const DERIVED_MS: i64 = 10_000;
/// Wrong by that much, a position is not an outlier.
const SLACK_M: f64 = 20.0;
/// After so many outliers in a row they are the truth.
const OUTLIERS: u8 = 5;

/// A value and when it was told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timed {
    pub ts: UnixMs,
    pub value: f64,
}

/// A position and when it was told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fix {
    pub ts: UnixMs,
    pub at: Point,
}

/// What the engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// It turns, or the ignition is on and nothing is known of its speed.
    Running,
    /// The ignition is off.
    Off,
    /// Nothing is known, or it stands while the ignition may be on: at a red light many do.
    Unknown,
}

/// What a sample has brought.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    /// A position that is no outlier.
    pub fix: Option<Fix>,
    /// The position is elsewhere all of a sudden and stays there.
    pub jumped: bool,
}

/// Newest values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latest {
    /// Newest sample.
    pub ts: UnixMs,
    /// Newest sample that told of movement.
    pub seen: Option<UnixMs>,
    pub fix: Option<Fix>,
    pub spd: Option<Timed>,
    gspd: Option<Timed>,
    rpm: Option<Timed>,
    /// May be told only when it changes: holds until a gap.
    ign: Option<bool>,
    pub frate: Option<Timed>,
    pub maf: Option<Timed>,
    pub odo: Option<f64>,
    pub fuel: Option<f64>,
    pub soc: Option<f64>,
    /// Newest speed that was told rather than derived.
    told: Option<UnixMs>,
    /// Where deriving begins.
    base: Option<Fix>,
    outliers: u8,
}

/// Whether a sample tells of movement or of the lack of it.
pub(crate) fn tells_of_movement(sample: &Sample) -> bool {
    sample.spd.is_some() || sample.gspd.is_some() || sample.position().is_some()
}

impl Latest {
    /// Nothing is known.
    pub fn at(ts: UnixMs) -> Self {
        Latest {
            ts,
            seen: None,
            fix: None,
            spd: None,
            gspd: None,
            rpm: None,
            ign: None,
            frate: None,
            maf: None,
            odo: None,
            fuel: None,
            soc: None,
            told: None,
            base: None,
            outliers: 0,
        }
    }

    /// How long it has not been told of movement before this sample tells of it.
    pub fn silence_ms(&self, sample: &Sample) -> i64 {
        self.seen.filter(|_| tells_of_movement(sample)).map_or(0, |seen| sample.ts - seen)
    }

    pub fn take(&mut self, sample: &Sample, limits: &Limits) -> Taken {
        let ts = sample.ts;
        self.ts = ts;
        let timed = |value: f64| Timed { ts, value };
        self.spd = sample.spd.map(timed).or(self.spd);
        self.gspd = sample.gspd.map(timed).or(self.gspd);
        self.rpm = sample.rpm.map(timed).or(self.rpm);
        self.ign = sample.ign.map(|ign| ign >= 0.5).or(self.ign);
        self.frate = sample.frate.map(timed).or(self.frate);
        self.maf = sample.maf.map(timed).or(self.maf);
        self.odo = sample.odo.or(self.odo);
        self.fuel = sample.fuel.or(self.fuel);
        self.soc = sample.soc.or(self.soc);
        if sample.spd.is_some() || sample.gspd.is_some() {
            self.told = Some(ts);
        }
        if tells_of_movement(sample) {
            self.seen = Some(ts);
        }
        let Some(at) = sample.position() else { return Taken::default() };
        let taken = self.accept(Fix { ts, at }, limits);
        if let Some(fix) = taken.fix {
            self.derive_speed(fix, taken.jumped, limits);
        }
        taken
    }

    fn accept(&mut self, fix: Fix, limits: &Limits) -> Taken {
        let possible = self.fix.is_none_or(|before| {
            let reach_m = (fix.ts - before.ts) as f64 / 1000.0 * limits.max_kmh / 3.6 + SLACK_M;
            before.at.distance_m(fix.at) <= reach_m
        });
        if !possible && self.outliers < OUTLIERS {
            self.outliers += 1;
            return Taken::default();
        }
        self.outliers = 0;
        self.fix = Some(fix);
        Taken { fix: Some(fix), jumped: !possible }
    }

    fn derive_speed(&mut self, fix: Fix, jumped: bool, limits: &Limits) {
        let told = self.told.is_some_and(|told| fix.ts - told <= UNTOLD_MS);
        let Some(base) = self.base.filter(|_| !told && !jumped) else {
            self.base = Some(fix);
            return;
        };
        let elapsed = fix.ts - base.ts;
        if elapsed < DERIVED_MS {
            return;
        }
        if elapsed <= limits.blind_ms {
            let value = base.at.distance_m(fix.at) / (elapsed as f64 / 1000.0) * 3.6;
            self.gspd = Some(Timed { ts: fix.ts, value });
        }
        self.base = Some(fix);
    }

    /// Speed in km/h by the wheels, else over ground.
    pub fn speed(&self, limits: &Limits) -> Option<f64> {
        let newer = |a: Timed, b: Timed| if b.ts > a.ts { b } else { a };
        let speed = match (self.spd, self.gspd) {
            (Some(spd), _) if self.ts - spd.ts <= WHEELS_FIRST_MS => spd,
            (Some(spd), Some(gspd)) => newer(spd, gspd),
            (spd, gspd) => spd.or(gspd)?,
        };
        (self.ts - speed.ts <= limits.blind_ms).then_some(speed.value)
    }

    /// Whether it moves, as far as is known.
    pub fn moves(&self, limits: &Limits) -> Option<bool> {
        self.speed(limits).map(|speed| speed >= STANDING_KMH)
    }

    /// Whether the wheels tell the speed.
    pub fn has_wheels(&self) -> bool {
        self.spd.is_some_and(|spd| self.ts - spd.ts <= WHEELS_FIRST_MS)
    }

    pub fn engine(&self) -> Engine {
        let turns = self.rpm.filter(|rpm| self.ts - rpm.ts <= ENGINE_MS).map(|rpm| rpm.value > 0.0);
        match (turns, self.ign) {
            (Some(true), _) | (None, Some(true)) => Engine::Running,
            (_, Some(false)) => Engine::Off,
            _ => Engine::Unknown,
        }
    }
}
