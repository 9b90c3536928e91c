//! Fixes that cannot follow each other.

use bugbrother_wire::UnixMs;

use super::Fix;

/// No vehicle is so fast: 500 km/h.
const FASTEST_M_S: f64 = 500.0 / 3.6;
/// By so much a receiver corrects itself at once, as after a tunnel.
const CORRECTION_M: f64 = 150.0;
/// So many fixes in a row that follow each other are believed though they are far from those before.
const PERSISTENT: u32 = 5;
/// And for so long: a fast receiver tells five fixes of a reflection in half a second.
const PERSISTENT_MS: u64 = 2_000;
/// What the first two of those may be apart, in metres per second.
const APART_M_S: f64 = 1000.0;
const EARTH_RADIUS_M: f64 = 6_371_009.0;

/// Refuses a fix that would be reached by more than 500 km/h from the one before.
///
/// A receiver that had been wrong, or a vehicle that was carried while the receiver was off, is not refused for ever: what
/// persists at another place is believed after five fixes and two seconds. So is, though it costs five fixes, a motion that is
/// faster but steady: a recording or a simulation in quick motion.
#[derive(Debug, Default)]
pub struct Jumps {
    path: Option<Path>,
    other: Option<Path>,
}

#[derive(Debug, Clone, Copy)]
struct Path {
    last: Point,
    before: Option<Point>,
    length: u32,
    since: UnixMs,
    /// It was not believed at first: a motion that goes on as it began is what makes it credible.
    doubted: bool,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    ts: UnixMs,
    lat: f64,
    lon: f64,
}

impl Jumps {
    /// Whether a fix can follow those before it.
    pub fn take(&mut self, fix: &Fix) -> bool {
        let point = Point { ts: fix.ts, lat: fix.lat, lon: fix.lon };
        let Some(path) = &mut self.path else {
            self.path = Some(Path::new(point, false));
            return true;
        };
        if path.leads_to(point) {
            path.go_to(point);
            self.other = None;
            return true;
        }
        let other = match &mut self.other {
            Some(other) if other.leads_to(point) || other.begins_with(point) => {
                other.go_to(point);
                other
            }
            other => other.insert(Path::new(point, true)),
        };
        if other.length < PERSISTENT || other.last.ts.abs_diff(other.since) < PERSISTENT_MS {
            return false;
        }
        self.path = self.other.take();
        true
    }
}

impl Path {
    fn new(last: Point, doubted: bool) -> Self {
        Path { last, before: None, length: 1, since: last.ts, doubted }
    }

    fn go_to(&mut self, point: Point) {
        self.before = Some(self.last);
        self.last = point;
        self.length = self.length.saturating_add(1);
    }

    fn leads_to(&self, point: Point) -> bool {
        let near = |from: Point| from.metres_to(point) <= CORRECTION_M + FASTEST_M_S * self.last.seconds_to(point);
        near(self.last) || self.expected_at(point.ts).is_some_and(near)
    }

    fn begins_with(&self, point: Point) -> bool {
        self.length == 1 && self.last.metres_to(point) <= CORRECTION_M + APART_M_S * self.last.seconds_to(point)
    }

    /// Where the last step would have led by then, for up to twice as long as it took.
    fn expected_at(&self, ts: UnixMs) -> Option<Point> {
        let Path { last, before: Some(before), doubted: true, .. } = *self else { return None };
        let (step, next) = (last.ts - before.ts, ts - last.ts);
        if step <= 0 || !(0..=2 * step).contains(&next) {
            return None;
        }
        let times = next as f64 / step as f64;
        let along = |from: f64, to: f64| to + (to - from) * times;
        Some(Point { ts, lat: along(before.lat, last.lat), lon: along(before.lon, last.lon) })
    }
}

impl Point {
    /// By the haversine formula on a sphere.
    fn metres_to(self, other: Point) -> f64 {
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let across = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let chord = half(self.lat, other.lat) + across * half(self.lon, other.lon);
        2.0 * EARTH_RADIUS_M * chord.clamp(0.0, 1.0).sqrt().asin()
    }

    fn seconds_to(self, other: Point) -> f64 {
        other.ts.abs_diff(self.ts) as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gps::fix::Quality;

    fn fix(seconds: f64, north_m: f64) -> Fix {
        let ts = 1_790_000_000_000 + (seconds * 1000.0) as i64;
        let lat = 47.0 + (north_m / EARTH_RADIUS_M).to_degrees();
        Fix { ts, lat, lon: 7.0, hdg: None, gspd: None, quality: Quality::default() }
    }

    fn taken(fixes: impl IntoIterator<Item = (f64, f64)>) -> Vec<bool> {
        let mut jumps = Jumps::default();
        fixes.into_iter().map(|(seconds, north_m)| jumps.take(&fix(seconds, north_m))).collect()
    }

    #[test]
    fn a_single_jump_is_refused_and_what_follows_it_is_not() {
        assert_eq!(taken([(0.0, 0.0), (1.0, 30.0), (2.0, 5000.0), (3.0, 90.0)]), [true, true, false, true]);
        assert_eq!(taken([(0.0, 0.0), (1.0, 280.0), (2.0, 580.0)]), [true, true, false], "150 m and 139 m/s");
        assert_eq!(taken([(0.0, 0.0), (0.1, 160.0), (0.2, 330.0)]), [true, true, false], "by tenths of a second");
    }

    #[test]
    fn a_place_that_persists_is_believed_at_the_fifth_fix() {
        let there = (1..=7).map(|second| (f64::from(second), 90_000.0 + 20.0 * f64::from(second)));
        let taken = taken([(0.0, 0.0)].into_iter().chain(there));
        assert_eq!(taken, [true, false, false, false, false, true, true, true]);
    }

    #[test]
    fn a_reflection_of_less_than_two_seconds_is_never_believed_however_many_fixes_it_makes() {
        let tenths = (1..=60).map(|tenth| (f64::from(tenth) / 10.0, if tenth <= 19 { 11_000.0 } else { 0.0 }));
        let taken = taken([(0.0, 0.0)].into_iter().chain(tenths));
        assert!(taken[1..=19].iter().all(|taken| !taken) && taken[20..].iter().all(|taken| *taken), "{taken:?}");
    }

    #[test]
    fn two_wrong_places_in_turns_are_never_believed() {
        let places = (1..60).map(|second| (f64::from(second), if second % 2 == 0 { 9_000.0 } else { -9_000.0 }));
        assert_eq!(taken([(0.0, 0.0)].into_iter().chain(places)).into_iter().filter(|taken| *taken).count(), 1);
    }

    #[test]
    fn a_vehicle_that_was_carried_far_while_its_receiver_was_off_is_believed_at_once() {
        assert_eq!(taken([(0.0, 0.0), (7200.0, 900_000.0)]), [true, true]);
    }

    #[test]
    fn a_steady_motion_in_quick_time_costs_five_fixes() {
        let fast = (0..60).map(|second| (f64::from(second), 600.0 * f64::from(second)));
        assert_eq!(taken(fast).into_iter().filter(|taken| !taken).count(), 4);
    }

    #[test]
    fn time_that_goes_back_is_no_way_around() {
        assert_eq!(taken([(10.0, 0.0), (9.0, 5000.0), (8.0, 10.0)]), [true, false, true]);
    }
}
