//! Where a vehicle is between its fixes.

use std::collections::VecDeque;

use bugbrother_wire::UnixMs;

use crate::geo::Point;

/// Shortest and longest time over which a marker moves to a new fix.
const SHORTEST_MS: f64 = 150.0;
const LONGEST_MS: f64 = 2_500.0;
/// A fix farther away than this, in metres, was not driven to: the marker jumps.
const JUMP_M: f64 = 3_000.0;
/// Steps of the trail, in metres.
const STEP_M: f64 = 12.0;
/// How long the trail is kept.
const TRAIL_MS: i64 = 30 * 60 * 1000;
/// Most points of a trail.
const TRAIL_POINTS: usize = 480;

/// Position and heading in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Position.
    pub at: Point,
    /// Heading, clockwise from north.
    pub heading: f64,
}

impl Pose {
    fn towards(self, other: Pose, part: f64) -> Pose {
        let turn = (other.heading - self.heading + 540.0).rem_euclid(360.0) - 180.0;
        Pose { at: self.at.towards(other.at, part), heading: (self.heading + turn * part).rem_euclid(360.0) }
    }
}

/// The way of a marker from fix to fix, and the trail behind it.
///
/// The marker arrives at a fix when the next one is due, so that it never stops between two.
#[derive(Debug, Clone)]
pub struct Track {
    from: Pose,
    to: Pose,
    began_ms: f64,
    takes_ms: f64,
    fixed: UnixMs,
    trail: VecDeque<(Point, UnixMs)>,
}

impl Track {
    /// Starts with a fix.
    pub fn new(at: Point, heading: Option<f64>, fixed: UnixMs) -> Self {
        let pose = Pose { at, heading: heading.unwrap_or(0.0) };
        Track { from: pose, to: pose, began_ms: 0.0, takes_ms: 0.0, fixed, trail: VecDeque::from([(at, fixed)]) }
    }

    /// Position and heading at `frame_ms`, by the clock of the animation.
    pub fn pose(&self, frame_ms: f64) -> Pose {
        if !self.is_under_way(frame_ms) {
            return self.to;
        }
        self.from.towards(self.to, ((frame_ms - self.began_ms) / self.takes_ms).clamp(0.0, 1.0))
    }

    /// Whether the marker moves at `frame_ms`.
    pub fn is_under_way(&self, frame_ms: f64) -> bool {
        frame_ms < self.began_ms + self.takes_ms
    }

    /// The last fix.
    pub fn fix(&self) -> Point {
        self.to.at
    }

    /// Takes a new fix. Without a heading the direction of the way counts, once it is long enough to tell.
    pub fn advance(&mut self, at: Point, heading: Option<f64>, fixed: UnixMs, frame_ms: f64) {
        let metres = self.to.at.distance(at) * at.metres_per_unit();
        let way =
            (metres > 4.0).then(|| (at.x - self.to.at.x).atan2(self.to.at.y - at.y).to_degrees().rem_euclid(360.0));
        let heading = heading.or(way).unwrap_or(self.to.heading);
        let to = Pose { at, heading };
        self.from = if metres > JUMP_M { to } else { self.pose(frame_ms) };
        if metres > JUMP_M {
            self.trail.clear();
        }
        self.to = to;
        self.began_ms = frame_ms;
        self.takes_ms = ((fixed - self.fixed) as f64 * 1.1).clamp(SHORTEST_MS, LONGEST_MS);
        self.fixed = fixed;
        self.extend_trail(at, fixed);
    }

    /// Points behind the marker, the oldest first.
    pub fn trail(&self) -> impl DoubleEndedIterator<Item = &(Point, UnixMs)> + ExactSizeIterator {
        self.trail.iter()
    }

    fn extend_trail(&mut self, at: Point, fixed: UnixMs) {
        let far = |last: &(Point, UnixMs)| last.0.distance(at) * at.metres_per_unit() >= STEP_M;
        if self.trail.back().is_none_or(far) {
            self.trail.push_back((at, fixed));
        }
        while self.trail.len() > TRAIL_POINTS || self.trail.front().is_some_and(|first| first.1 < fixed - TRAIL_MS) {
            self.trail.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lon: f64) -> Point {
        Point::from_degrees(lat, lon)
    }

    #[test]
    fn a_marker_is_half_way_at_half_time() {
        let mut track = Track::new(at(46.0, 7.0), Some(350.0), 0);
        track.advance(at(46.001, 7.0), Some(10.0), 1000, 5000.0);
        let half = track.pose(5550.0);
        assert!((half.at.to_degrees().0 - 46.0005).abs() < 1e-6);
        assert!(half.heading < 1e-6 || half.heading > 360.0 - 1e-6, "turns the short way");
        assert_eq!(track.pose(7000.0).at, at(46.001, 7.0));
        assert!(track.is_under_way(5550.0) && !track.is_under_way(7000.0));
    }

    #[test]
    fn a_marker_that_is_corrected_on_its_way_does_not_jump() {
        let mut track = Track::new(at(46.0, 7.0), None, 0);
        track.advance(at(46.001, 7.0), None, 1000, 0.0);
        let before = track.pose(300.0);
        track.advance(at(46.002, 7.0), None, 2000, 300.0);
        assert_eq!(track.pose(300.0).at, before.at);
    }

    #[test]
    fn without_a_heading_the_way_tells_it() {
        let mut track = Track::new(at(46.0, 7.0), None, 0);
        track.advance(at(46.0, 7.01), None, 1000, 0.0);
        assert!((track.pose(9e9).heading - 90.0).abs() < 0.1);
        track.advance(at(46.0, 7.01), None, 2000, 1000.0);
        assert!((track.pose(9e9).heading - 90.0).abs() < 0.1, "a standing car keeps its heading");
    }

    #[test]
    fn what_was_not_driven_is_jumped_and_leaves_no_trail() {
        let mut track = Track::new(at(46.0, 7.0), None, 0);
        track.advance(at(47.0, 8.0), None, 1000, 0.0);
        assert_eq!(track.pose(1.0).at, at(47.0, 8.0));
        assert_eq!(track.trail().len(), 1);
    }

    #[test]
    fn a_trail_is_bounded() {
        let mut track = Track::new(at(46.0, 7.0), None, 0);
        for step in 1..2000 {
            track.advance(
                at(46.0 + f64::from(step) * 0.000_2, 7.0),
                None,
                i64::from(step) * 1000,
                f64::from(step) * 1000.0,
            );
        }
        assert!(track.trail().len() <= TRAIL_POINTS);
        assert!(track.trail().next().unwrap().1 > 1_000_000);
    }
}
