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
