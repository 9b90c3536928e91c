//! Fewer points for the same line (Douglas and Peucker, 1973), without recursion.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

use crate::geo::{self, EARTH_RADIUS_M, Point};

/// A line is worked on in pieces of so many points, whose ends stay: the worst line costs this many looks at each point.
const PIECE: usize = 2048;
/// Beyond this latitude there is no web mercator.
const MERCATOR_EDGE: f64 = 85.051_129;

/// A point of a track.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrackPoint {
    /// When it was there.
    pub ts: UnixMs,
    /// Degrees, north is positive.
    pub lat: f64,
    /// Degrees, east is positive.
    pub lon: f64,
}

impl From<TrackPoint> for Point {
    fn from(point: TrackPoint) -> Self {
        Point { lat: point.lat, lon: point.lon }
    }
}

/// Half a pixel, in metres, of web mercator in tiles of 256 pixels: what nobody sees at that zoom. The earth's
/// circumference times the cosine of the latitude, by 256 · 2^zoom pixels, by two.
pub fn tolerance_m(zoom: u8, lat: f64) -> f64 {
    const CIRCUMFERENCE_M: f64 = 2.0 * std::f64::consts::PI * 6_378_137.0;
    let scale = lat.clamp(-MERCATOR_EDGE, MERCATOR_EDGE).to_radians().cos();
    CIRCUMFERENCE_M * scale / (256.0 * 2f64.powi(i32::from(zoom))) / 2.0
}

/// The points that are needed so that no other is more than `tolerance_m` off the line through them, first and last
/// among them.
pub fn simplify(points: &[TrackPoint], tolerance_m: f64) -> Vec<TrackPoint> {
    simplified(points, tolerance_m)
}

/// [`simplify`] for points of any kind.
pub fn simplified<T: Copy + Into<Point>>(points: &[T], tolerance_m: f64) -> Vec<T> {
    let mut kept = Vec::new();
    let mut open = Vec::new();
    let mut begin = 0;
    while begin + 1 < points.len() {
        let end = (begin + PIECE).min(points.len() - 1);
        kept.push(points[begin]);
        // Lines yet to be looked at, the nearest on top: so points come out in their order.
        open.push((begin, end));
        while let Some((a, b)) = open.pop() {
            match farthest(points, a, b, tolerance_m) {
                Some(middle) => open.extend([(middle, b), (a, middle)]),
                None if b < end => kept.push(points[b]),
                None => {}
            }
        }
        begin = end;
    }
    kept.extend(points.last());
    kept
}

/// The point between `a` and `b` that is farthest off the line between them, if it is off by more than `tolerance_m`.
fn farthest<T: Copy + Into<Point>>(points: &[T], a: usize, b: usize, tolerance_m: f64) -> Option<usize> {
    if b - a < 2 {
        return None;
    }
    let (from, to): (Point, Point) = (points[a].into(), points[b].into());
    let metres = EARTH_RADIUS_M.to_radians();
    let scale = ((from.lat + to.lat) / 2.0).to_radians().cos();
    let plane = |p: Point| (geo::turn(p.lon - from.lon) * metres * scale, (p.lat - from.lat) * metres);
    let (dx, dy) = plane(to);
    let length2 = dx * dx + dy * dy;
    let inverse = if length2 > 0.0 { 1.0 / length2 } else { 0.0 };
    let (mut worst, mut at) = (tolerance_m * tolerance_m, None);
    for (i, point) in points[a + 1..b].iter().enumerate() {
        let (x, y) = plane((*point).into());
        let along = ((x * dx + y * dy) * inverse).clamp(0.0, 1.0);
        let off2 = (x - along * dx).powi(2) + (y - along * dy).powi(2);
        if off2 > worst {
            (worst, at) = (off2, Some(a + 1 + i));
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use std::{f64::consts::TAU, time::Instant};

    use proptest::prelude::*;

    use super::*;

    fn point(ts: i64, lat: f64, lon: f64) -> TrackPoint {
        TrackPoint { ts, lat, lon }
    }

    /// A winding road with a metre of jitter.
    fn road(n: i64) -> Vec<TrackPoint> {
        (0..n)
            .map(|i| {
                let t = i as f64 * 1e-4;
                let jitter = (i as f64 * 12.9898).sin() * 1e-5;
                point(i * 1000, 46.0 + t.sin() * 0.3 + (t * 40.0).sin() * 0.01 + jitter, 6.0 + t * 0.2 + jitter)
            })
            .collect()
    }

    /// How far a point is off a line, by another formula than the one that is tested.
    fn off_m(at: TrackPoint, from: TrackPoint, to: TrackPoint) -> f64 {
        let along = |share: f64| Point::from(from).towards(to.into(), share).distance_m(at.into());
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let third = (high - low) / 3.0;
            if along(low + third) < along(high - third) { high -= third } else { low += third }
        }
        along((low + high) / 2.0)
    }

    fn check(points: &[TrackPoint], tolerance_m: f64) -> Vec<TrackPoint> {
        let kept = simplify(points, tolerance_m);
        assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
        assert!(kept.windows(2).all(|pair| pair[0].ts < pair[1].ts));
        for pair in kept.windows(2) {
            for left_out in points.iter().filter(|point| (pair[0].ts + 1..pair[1].ts).contains(&point.ts)) {
                let off = off_m(*left_out, pair[0], pair[1]);
                assert!(off <= tolerance_m * 1.01 + 0.01, "{off} m off, {tolerance_m} m allowed");
            }
        }
        kept
    }

    #[test]
    fn a_straight_line_is_its_ends_and_a_corner_stays() {
        let straight: Vec<_> = (0..1000).map(|i| point(i, 46.0 + i as f64 * 1e-5, 6.0)).collect();
        assert_eq!(check(&straight, 1.0).len(), 2);
        let corner: Vec<_> = (0..1000)
            .map(|i| point(i, 46.0 + i.min(500) as f64 * 1e-5, 6.0 + (i - 500).max(0) as f64 * 1e-5))
            .collect();
        assert_eq!(check(&corner, 1.0).iter().map(|point| point.ts).collect::<Vec<_>>(), [0, 500, 999]);
        assert_eq!(simplify(&[], 1.0), []);
        assert_eq!(simplify(&straight[..1], 1.0), straight[..1]);
    }

    #[test]
    fn a_way_out_and_back_keeps_its_farthest_point() {
        let there: Vec<_> =
            (0..=200).map(|i: i64| point(i, 46.0, 6.0 + (100 - (i - 100).abs()) as f64 * 1e-4)).collect();
        assert_eq!(check(&there, 10.0).iter().map(|point| point.ts).collect::<Vec<_>>(), [0, 100, 200]);
    }

    #[test]
    fn the_antimeridian_is_not_a_corner() {
        let line: Vec<_> = (0..100).map(|i| point(i, -17.0, geo::turn(179.99 + i as f64 * 1e-3))).collect();
        assert_eq!(simplify(&line, 1.0).len(), 2);
    }

    #[test]
    fn nothing_is_left_out_by_more_than_the_tolerance() {
        let road = road(10_000);
        for tolerance_m in [2.0, 20.0, 500.0] {
            let kept = check(&road, tolerance_m).len();
            assert!(kept < road.len() / 2, "{kept} at {tolerance_m} m");
        }
    }

    #[test]
    fn a_million_points_in_one_place_on_a_spiral_and_on_a_road_come_to_an_end() {
        let begun = Instant::now();
        let n = 1_000_000;
        assert_eq!(simplify(&vec![point(0, 46.0, 6.0); n], 1.0).len(), n.div_ceil(PIECE) + 1);
        let spiral: Vec<_> = (0..n as i64)
            .map(|i| {
                let (angle, radius) = (i as f64 / 100.0 * TAU, 0.1 + i as f64 * 1e-7);
                point(i, 46.0 + angle.sin() * radius, 6.0 + angle.cos() * radius)
            })
            .collect();
        assert!(simplify(&spiral, 1.0).len() > n / 10);
        assert!(simplify(&road(n as i64), 100.0).len() < n / 10);
        eprintln!("{:?}", begun.elapsed());
    }

    #[test]
    fn half_a_pixel_is_78_km_of_the_equator_at_zoom_0_and_half_of_it_at_each_step() {
        assert!((tolerance_m(0, 0.0) - 78_271.5).abs() < 0.1);
        assert!((tolerance_m(1, 0.0) * 2.0 - tolerance_m(0, 0.0)).abs() < 1e-6);
        assert!((tolerance_m(16, 60.0) - 0.597).abs() < 0.001);
        assert!(tolerance_m(255, 90.0) > 0.0);
    }

    proptest! {
        #[test]
        fn whatever_the_line_no_point_is_off_by_more(
            steps in prop::collection::vec((-300i32..300, -300i32..300), 2..400), tolerance_m in 1.0..200.0f64,
        ) {
            let (mut lat, mut lon) = (46.0, 6.0);
            let points: Vec<_> = steps.iter().enumerate().map(|(i, (y, x))| {
                lat += f64::from(*y) * 1e-6;
                lon += f64::from(*x) * 1e-6;
                point(i as i64, lat, lon)
            }).collect();
            check(&points, tolerance_m);
        }
    }
}
