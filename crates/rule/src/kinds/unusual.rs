//! A signal that is not what it usually is in the same vehicle.
//!
//! For each part of the load, or of the speed, three quartiles are followed by stochastic approximation (Robbins and Monro,
//! 1951): each value moves the estimate of a quantile a little up or down, whichever side it is on, so that a hundred wild
//! values move it no more than a hundred others. Three numbers are all that is kept. What is far off, or has fired, teaches
//! nothing.

use bugbrother_wire::{
    UnixMs,
    rule::{Against, Unusual as Spec, UnusualSide},
};
use serde::{Deserialize, Serialize};

use crate::{
    Change, Moment, News, Note, Side, Slots, Threshold, Watch, hold,
    hold::{Held, Hold},
    moment::{GSPD, LOAD, SPD, speed},
};

/// A value is learned this often: samples of the same second say the same.
const LEARN_EVERY_MS: i64 = 10_000;
/// Values of all parts together that are known before it speaks: 3 hours of driving.
const NEEDED: u32 = 3 * 360;
/// And of the part in question: 20 minutes.
const NEEDED_HERE: u32 = 120;
/// The first values of a part are kept as they are.
const FIRST: usize = 15;
/// What the value depends on may have been told so long before.
const FRESH_MS: i64 = 5_000;
/// How much a value moves an estimate when many are known, in quartile distances: what was usual months ago fades.
const LEAST_GAIN: f64 = 0.01;
/// An interquartile range is so many standard deviations of a normal distribution.
const QUARTILES_SIGMA: f64 = 1.349;
/// It is over when it is no further off than this share of what begins it.
const OVER: f64 = 0.7;

/// What is unusual.
#[derive(Debug, Clone)]
pub struct Unusual {
    slot: usize,
    against: Against,
    side: UnusualSide,
    deviations: f64,
    least: f64,
    threshold: Threshold,
}

/// What is remembered of a vehicle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    watch: Watch,
    parts: Vec<Part>,
    /// What the value depends on, as it was told last.
    beside: Option<(UnixMs, f64)>,
    learned: Option<UnixMs>,
    last_ts: Option<UnixMs>,
}

/// What is usual in a part of the load or the speed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Part {
    count: u32,
    /// The first values, as long as they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    first: Vec<f64>,
    /// The quartiles, afterwards.
    quartiles: [f64; 3],
}

impl Unusual {
    pub fn new(spec: &Spec, slots: &mut Slots) -> Self {
        let slot = slots.take(&spec.signal);
        let Spec { against, side, deviations, least, for_ms, .. } = *spec;
        let threshold = Threshold { side: Side::Above, on: 1.0, off: OVER, for_ms: i64::from(for_ms) };
        Unusual { slot, against, side, deviations, least, threshold }
    }

    /// The places of what it looks at.
    pub fn slots(&self) -> Vec<usize> {
        match self.against {
            Against::Nothing => vec![self.slot],
            Against::Load => vec![self.slot, LOAD],
            Against::Speed => vec![self.slot, SPD, GSPD],
        }
    }

    pub fn step(&self, usual: &mut Usual, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        let News::Sample(values) = moment.news else { return None };
        if usual.last_ts.is_some_and(|last| moment.ts < last) {
            return None;
        }
        usual.last_ts = Some(moment.ts);
        let told = match self.against {
            Against::Nothing => Some(0.0),
            Against::Load => values[LOAD],
            Against::Speed => speed(values),
        };
        usual.beside = told.map(|told| (moment.ts, told)).or(usual.beside);
        let value = values[self.slot]?;
        let (_, beside) = usual.beside.filter(|(at, _)| moment.ts - at <= FRESH_MS)?;
        usual.parts.resize_with(self.parts(), Part::default);
        let place = self.part_of(beside);
        let known: u32 = usual.parts.iter().map(|part| part.count).fold(0, u32::saturating_add);
        let part = &mut usual.parts[place];
        let is_due = usual.learned.is_none_or(|at| moment.ts - at >= LEARN_EVERY_MS);
        if known < NEEDED || part.count < NEEDED_HERE {
            if is_due {
                part.learn(value);
                usual.learned = Some(moment.ts);
            }
            return None;
        }
        let [low, median, high] = part.quartiles;
        let off = match self.side {
            UnusualSide::Above => value - median,
            UnusualSide::Below => median - value,
            UnusualSide::Both => (value - median).abs(),
        };
        let allowed = (self.deviations * (high - low) / QUARTILES_SIGMA).max(self.least);
        let far = off / allowed;
        let change = usual.watch.step(self.threshold, moment.ts, (0, far));
        if is_due && usual.watch.is_quiet() {
            usual.parts[place].learn(value);
            usual.learned = Some(moment.ts);
        }
        let limit = if value < median { median - allowed } else { median + allowed };
        self.tell(held, change?, moment.ts, (value, limit), (median, beside))
    }

    fn tell(
        &self,
        held: &mut Held,
        change: Change,
        ts: UnixMs,
        (value, limit): (f64, f64),
        (median, beside): (f64, f64),
    ) -> Option<Note> {
        let describe = |hold: &mut Hold| {
            (hold.value, hold.limit, hold.cause.usual) = (Some(value), Some(limit), Some(median));
            let against = match self.against {
                Against::Nothing => None,
                Against::Load => Some("load"),
                Against::Speed => Some("spd"),
            };
            hold.cause.against = against.map(str::to_owned);
            hold.cause.against_value = against.map(|_| beside);
        };
        match change {
            Change::Opened { since, .. } => hold::begin(held, || {
                let mut hold = Hold::since(since);
                describe(&mut hold);
                hold
            }),
            Change::Recurred { .. } => Some(Note::Recurred),
            Change::Worsened { .. } => {
                describe(held.as_mut()?);
                Some(Note::Worsened)
            }
            Change::Resolved { .. } => hold::end(held, ts),
        }
    }

    fn parts(&self) -> usize {
        match self.against {
            Against::Nothing => 1,
            Against::Load => 5,
            Against::Speed => 4,
        }
    }

    /// Fifths of the load; standing, in town, on the road, on the motorway.
    fn part_of(&self, beside: f64) -> usize {
        match self.against {
            Against::Nothing => 0,
            Against::Load => (beside / 20.0).clamp(0.0, 4.0) as usize,
            Against::Speed => [5.0, 50.0, 90.0].iter().filter(|edge| beside >= **edge).count(),
        }
    }
}

impl Usual {
    /// One that goes on with an alert of which nothing else is known.
    pub fn resumed() -> Self {
        Usual { watch: Watch::resumed(1.0), ..Usual::default() }
    }

    /// What is known by now, for a look at a part of the past: nothing is learned from that.
    pub fn of_the_past(&self) -> Self {
        Usual { parts: self.parts.clone(), learned: Some(UnixMs::MAX), ..Usual::default() }
    }
}

impl Part {
    fn learn(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        if self.count as usize <= FIRST {
            self.first.push(value);
            if self.first.len() == FIRST {
                self.first.sort_by(f64::total_cmp);
                self.quartiles = [self.first[FIRST / 4], self.first[FIRST / 2], self.first[FIRST - 1 - FIRST / 4]];
                self.first = Vec::new();
            }
            return;
        }
        let gain = f64::from(self.count).powf(-0.7).max(LEAST_GAIN);
        // A signal that did not move at first still finds its way.
        let width = (self.quartiles[2] - self.quartiles[0]).max(self.quartiles[1].abs() * 0.001).max(0.001);
        for (quantile, share) in self.quartiles.iter_mut().zip([0.25, 0.5, 0.75]) {
            let step = if value > *quantile { share } else { share - 1.0 };
            *quantile += 2.0 * gain * width * step;
        }
        self.quartiles.sort_by(f64::total_cmp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between 0 and 1 that look like chance, always the same.
    fn chance(n: u32) -> f64 {
        let mixed = n.wrapping_mul(2_654_435_761) ^ (n.wrapping_mul(40_503) >> 7);
        f64::from(mixed % 10_007) / 10_007.0
    }

    #[test]
    fn quartiles_are_found_and_wild_values_do_not_move_them() {
        let mut part = Part::default();
        for n in 0..5_000 {
            let wild = n % 50 == 0;
            part.learn(if wild { 1e9 } else { 80.0 + 20.0 * chance(n) });
        }
        let [low, median, high] = part.quartiles;
        assert!((low - 85.0).abs() < 1.5 && (median - 90.0).abs() < 1.5 && (high - 95.0).abs() < 1.5, "{part:?}");
    }

    #[test]
    fn what_is_usual_may_change_slowly() {
        let mut part = Part::default();
        (0..2_000).for_each(|n| part.learn(80.0 + 4.0 * chance(n)));
        (0..4_000).for_each(|n| part.learn(90.0 + 4.0 * chance(n)));
        assert!((part.quartiles[1] - 92.0).abs() < 1.0, "{part:?}");
    }

    #[test]
    fn a_signal_that_never_moves_has_narrow_quartiles() {
        let mut part = Part::default();
        (0..1_000).for_each(|_| part.learn(12.6));
        assert!(part.quartiles.iter().all(|quantile| (quantile - 12.6).abs() < 0.1), "{part:?}");
    }
}
