use bugbrother_wire::{area::turn, message::EventKind};

use super::{
    Limits, MS_PER_KMH,
    axis::Axis,
    manoeuvre::{Done, Manoeuvre, Strength},
    pedals::{FRESH_MS, IMPOSSIBLE, SWINGS_IN_MS},
    row::Row,
    situation::Situation,
    slope::{Line, Slope},
};
use crate::outbox::Happening;

/// Below, a receiver's course is noise.
const LEAST_KMH: f64 = 20.0;
/// Below, an accelerometer feels kerbs and parking.
const LEAST_FELT_KMH: f64 = 10.0;

/// Harsh cornering: speed times the rate of turn, or what the accelerometer feels sideways.
#[derive(Debug, Default)]
pub(super) struct Corners {
    /// Degrees, counted on over north.
    course: Slope,
    axis: Axis,
    /// To the left and to the right: from one into the other are two.
    left: Manoeuvre,
    right: Manoeuvre,
}

impl Corners {
    pub fn take(&mut self, row: &Row, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        let speed = now.speed();
        let to_left = |line: &Line| -line.per_s.to_radians() * speed.unwrap_or_default() * MS_PER_KMH;
        let moved = self.course.line().filter(|line| line.to + FRESH_MS >= row.at).map_or(0.0, |line| to_left(&line));
        let felt = row.acceleration.and_then(|[_, ay, _]| self.axis.push(row.at, ay, moved));
        let seen = self.turn(row, now);
        // Courses turn clockwise, accelerations count to the left.
        let (to_left, from, may_begin) = match (felt, seen) {
            (Some(felt), _) => (felt, row.at.saturating_sub(500), speed.is_none_or(|speed| speed >= LEAST_FELT_KMH)),
            (None, Some(line)) if !self.axis.is_alive(now.now) => (to_left(&line), line.from, true),
            _ => return,
        };
        let Some(limit) = limits.harsh_cornering.filter(|_| to_left.abs() <= IMPOSSIBLE) else { return };
        let strength = |value| Strength { value, from, to: row.at, before_kmh: speed, may_begin };
        let left = self.left.step(EventKind::HarshCornering, strength(to_left), limit, now);
        let right = self.right.step(EventKind::HarshCornering, strength(-to_left), limit, now);
        out.extend(left.map(|done| told(done, 1.0)));
        out.extend(right.map(|done| told(done, -1.0)));
    }

    pub fn tick(&mut self, now: &Situation, out: &mut Vec<Happening>) {
        out.extend(self.left.tick(now).map(|done| told(done, 1.0)));
        out.extend(self.right.tick(now).map(|done| told(done, -1.0)));
    }

    /// How the course changes, if it can be believed.
    fn turn(&mut self, row: &Row, now: &Situation) -> Option<Line> {
        let course = row.hdg?;
        if now.speed().is_none_or(|speed| speed < LEAST_KMH) {
            self.course = Slope::default();
            return None;
        }
        let last = self.course.last().unwrap_or(course);
        self.course.push(row.at, last + turn(course - last));
        self.course.line().filter(|line| line.to == row.at && line.settled_ms >= SWINGS_IN_MS / 2)
    }
}

fn told(done: Done, sign: f64) -> Happening {
    let peak = done.peak * sign;
    done.into_event("ay", peak)
}
