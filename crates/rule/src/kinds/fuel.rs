//! Fuel that is gone while a vehicle stood.
//!
//! A float in a tank swings while it is driven, and a vehicle with its engine off tells nothing. So the level when it came to
//! stand, a median of the last values, is compared with what it tells while it stands and for the first two minutes after
//! it has left: what is missing then went while nobody drove.

use bugbrother_wire::{
    UnixMs,
    rule::{FuelDrop as Spec, FuelUnit},
};
use serde::{Deserialize, Serialize};

use crate::{
    Moment, News, Note, hold,
    hold::{Held, Hold},
    moment::{FUEL, speed},
};

/// Faster than this, it drives.
const MOVING_KMH: f64 = 5.0;
/// For so long after it has left, the level is still that of the place where it stood.
const LEFT_MS: i64 = 120_000;
/// After so long a drive the case is closed: the level says no more of it.
const CLOSED_MS: i64 = 10 * 60_000;
/// Values of which the median is the level.
const VALUES: usize = 5;
/// So many values in a row have to say so.
const CONFIRMED: u8 = 2;

/// How much may be gone.
#[derive(Debug, Clone)]
pub struct FuelDrop {
    by: f64,
    unit: FuelUnit,
    within_ms: i64,
}

/// What is remembered of a vehicle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tank {
    /// The last values while it drove, the newest last.
    recent: Vec<f64>,
    last_ts: Option<UnixMs>,
    /// When it left where it stood, if it drives.
    left: Option<UnixMs>,
    /// Whether it is known to stand.
    stands: bool,
    /// The level to compare with, and when it was last as high.
    full: Option<(UnixMs, f64)>,
    /// The first of the values in a row that were too low, and how many there are.
    low: Option<(UnixMs, u8)>,
    /// The value before.
    before: Option<f64>,
}

impl FuelDrop {
    pub fn new(spec: &Spec) -> Self {
        FuelDrop { by: spec.by, unit: spec.unit, within_ms: i64::from(spec.within_ms) }
    }

    pub fn step(&self, tank: &mut Tank, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        let News::Sample(values) = moment.news else { return None };
        let (kmh, level) = (speed(values), values[FUEL]);
        if (kmh.is_none() && level.is_none()) || tank.last_ts.is_some_and(|last| moment.ts <= last) {
            return None;
        }
        tank.last_ts = Some(moment.ts);
        if let Some(kmh) = kmh {
            tank.drive(kmh > MOVING_KMH, moment.ts);
        }
        let drives_for = tank.left.map(|left| moment.ts - left);
        if drives_for.is_some_and(|ms| ms >= CLOSED_MS) && (held.is_some() || tank.full.is_some()) {
            (tank.full, tank.low) = (None, None);
            return hold::end(held, moment.ts);
        }
        let level = level? * self.per_percent(moment)?;
        let note = if tank.stands || drives_for.is_some_and(|ms| ms < LEFT_MS) {
            self.compare(tank, held, moment.ts, level)
        } else {
            None
        };
        if !tank.stands {
            if tank.recent.len() >= VALUES {
                tank.recent.remove(0);
            }
            tank.recent.push(level);
        }
        tank.before = Some(level);
        note
    }

    /// What a percent is in the rule's unit; nothing where the size of the tank is not known.
    fn per_percent(&self, moment: &Moment<'_>) -> Option<f64> {
        match self.unit {
            FuelUnit::Percent => Some(1.0),
            FuelUnit::Litres => moment.member.tank_l.map(|tank_l| tank_l / 100.0),
        }
    }

    fn compare(&self, tank: &mut Tank, held: &mut Held, ts: UnixMs, level: f64) -> Option<Note> {
        let Some((at, full)) = tank.full else {
            tank.full = Some((ts, level));
            return None;
        };
        // It is as full as it was; two values in a row that are higher are fuel that came in.
        let risen = tank.before.map_or(level, |before| before.min(level));
        if level >= full - self.by / 4.0 || ts - at > self.within_ms {
            let is_late = ts - at > self.within_ms && level < full - self.by / 4.0;
            tank.full = Some((ts, if is_late { level } else { full.max(risen) }));
        }
        let gone = full - level;
        if gone < self.by || ts - at > self.within_ms {
            tank.low = None;
            let is_back = gone <= self.by / 2.0;
            return if is_back { hold::end(held, ts) } else { None };
        }
        let (since, count) = tank.low.map_or((ts, 1), |(since, count)| (since, count.saturating_add(1)));
        tank.low = Some((since, count));
        match held {
            None if count >= CONFIRMED => hold::begin(held, || {
                let mut hold = Hold { value: Some(gone), limit: Some(self.by), ..Hold::since(since) };
                hold.cause.unit = Some(if self.unit == FuelUnit::Litres { "l" } else { "percent" }.to_owned());
                hold
            }),
            None => None,
            Some(hold) if hold.value.is_none_or(|worst| gone > worst) => {
                hold.value = Some(gone);
                Some(Note::Worsened)
            }
            Some(_) => None,
        }
    }
}

impl Tank {
    /// Notes that it drives, or does not.
    fn drive(&mut self, drives: bool, ts: UnixMs) {
        if drives && self.left.is_none() {
            (self.left, self.stands) = (Some(ts), false);
            self.recent.clear();
        } else if !drives && !self.stands {
            (self.left, self.stands) = (None, true);
            self.low = None;
            // A short hop tells no better level than the one that is known.
            if self.full.is_none() {
                self.full = median(&self.recent).map(|level| (ts, level));
            }
        }
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
