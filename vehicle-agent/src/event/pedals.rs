use bugbrother_wire::message::EventKind;

use super::{
    Limits, MS_PER_KMH,
    axis::Axis,
    manoeuvre::{Done, Manoeuvre, Strength},
    row::Row,
    situation::Situation,
    slope::{Line, Slope},
};
use crate::outbox::Happening;

/// Below, speed is too coarse and too noisy to differ.
const LEAST_KMH: f64 = 10.0;
/// No tyre on a road does more (1.2 g): a wrong value, or a crash.
pub(super) const IMPOSSIBLE: f64 = 12.0;
/// A receiver that has found the sky again tells a speed that is still swinging in.
pub(super) const SWINGS_IN_MS: u64 = 4_000;
/// What the speed says holds for so long.
pub(super) const FRESH_MS: u64 = 1_500;
/// Of the change of speed that a sensor promises so much must have come.
const KEPT_PROMISE: f64 = 0.25;

/// Harsh braking and acceleration.
#[derive(Debug, Default)]
pub(super) struct Pedals {
    wheels: Slope,
    receiver: Slope,
    axis: Axis,
    braking: Manoeuvre,
    accelerating: Manoeuvre,
}

impl Pedals {
    pub fn take(&mut self, row: &Row, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        if let Some(spd) = row.spd {
            self.wheels.push(row.at, spd);
        }
        if let Some(gspd) = row.gspd {
            self.receiver.push(row.at, gspd);
        }
        if let Some([ax, ..]) = row.acceleration {
            let line = if now.wheels().is_some() { self.wheels.line() } else { self.receiver.line() };
            let moved = line.filter(|line| line.to + FRESH_MS >= row.at).map_or(0.0, |line| line.per_s * MS_PER_KMH);
            let felt = self.axis.push(row.at, ax, moved);
            if let Some(felt) = felt {
                self.feel(felt, row.at, now, limits, out);
            }
        }
        if self.axis.is_alive(now.now) {
            return;
        }
        let line = match (row.spd, row.gspd) {
            (Some(_), _) => self.wheels.line(),
            (None, Some(_)) if now.wheels().is_none() => {
                self.receiver.line().filter(|line| line.settled_ms >= SWINGS_IN_MS)
            }
            _ => None,
        };
        if let Some(line) = line.filter(|line| line.to == row.at) {
            self.see(line, now, limits, out);
        }
    }

    pub fn tick(&mut self, now: &Situation, out: &mut Vec<Happening>) {
        out.extend(self.braking.tick(now).map(braking));
        out.extend(self.accelerating.tick(now).map(accelerating));
    }

    /// What the speed says.
    fn see(&mut self, line: Line, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        let along = line.per_s * MS_PER_KMH;
        if along.abs() > IMPOSSIBLE || line.steepest * MS_PER_KMH > IMPOSSIBLE {
            return;
        }
        let strength = |value: f64, may_begin: bool| Strength {
            value,
            from: line.from,
            to: line.to,
            before_kmh: Some(line.first),
            may_begin,
        };
        let slowing = strength(-along, line.first >= LEAST_KMH);
        let speeding = strength(along, line.last >= LEAST_KMH);
        self.step(slowing, speeding, now, limits, out);
    }

    /// What the accelerometer says.
    fn feel(&mut self, along: f64, at: u64, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        let speed = now.speed();
        let strength = |value: f64, may_begin: bool| Strength {
            value,
            from: at.saturating_sub(500),
            to: at,
            before_kmh: speed,
            may_begin,
        };
        let slowing = strength(-along, speed.is_none_or(|speed| speed >= LEAST_KMH));
        self.step(slowing, strength(along, true), now, limits, out);
    }

    fn step(
        &mut self,
        slowing: Strength,
        speeding: Strength,
        now: &Situation,
        limits: &Limits,
        out: &mut Vec<Happening>,
    ) {
        let slowed =
            limits.harsh_braking.and_then(|limit| self.braking.step(EventKind::HarshBraking, slowing, limit, now));
        let sped = limits
            .harsh_acceleration
            .and_then(|limit| self.accelerating.step(EventKind::HarshAcceleration, speeding, limit, now));
        out.extend(slowed.filter(|done| is_kept(done, now)).map(braking));
        out.extend(sped.filter(|done| is_kept(done, now)).map(accelerating));
    }
}

/// Whether the speed has changed as was said: a hump in the road, a sensor that slips or a wrong value does not change it.
fn is_kept(done: &Done, now: &Situation) -> bool {
    let Some((before, after)) = done.before_kmh.zip(now.speed()) else { return true };
    let promised = done.peak * done.duration_s.max(0.5);
    let change = (after - before).abs() * MS_PER_KMH;
    change >= promised * KEPT_PROMISE
}

fn braking(done: Done) -> Happening {
    let peak = -done.peak;
    done.into_event("ax", peak)
}

fn accelerating(done: Done) -> Happening {
    let peak = done.peak;
    done.into_event("ax", peak)
}
