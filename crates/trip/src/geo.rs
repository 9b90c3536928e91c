//! Points on the earth.

use serde::{Deserialize, Serialize};

/// Mean radius of the earth (IUGG).
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A place, in degrees of WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Latitude, north is positive.
    pub lat: f64,
    /// Longitude, east is positive.
    pub lon: f64,
}

impl Point {
    /// Distance in metres on a sphere (haversine): within 0.5 % of the ellipsoid's.
    pub fn distance_m(self, other: Point) -> f64 {
        let (a, b) = (self.lat.to_radians(), other.lat.to_radians());
        let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
        let h = half(other.lat - self.lat) + a.cos() * b.cos() * half(other.lon - self.lon);
        2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
    }

    /// The point at `share` (0 to 1) of the way to `other`, which is near.
    pub(crate) fn towards(self, other: Point, share: f64) -> Point {
        let lon = self.lon + turn(other.lon - self.lon) * share;
        Point { lat: self.lat + (other.lat - self.lat) * share, lon: turn(lon) }
    }
}

/// The same angle between -180 and 180 degrees.
pub(crate) fn turn(degrees: f64) -> f64 {
    if (-180.0..=180.0).contains(&degrees) { degrees } else { (degrees + 180.0).rem_euclid(360.0) - 180.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENEVE: Point = Point { lat: 46.2044, lon: 6.1432 };
    const LAUSANNE: Point = Point { lat: 46.5197, lon: 6.6323 };

    #[test]
    fn lausanne_is_fifty_one_kilometres_from_geneve() {
        assert!((GENEVE.distance_m(LAUSANNE) - 51_300.0).abs() < 500.0);
        assert_eq!(GENEVE.distance_m(GENEVE), 0.0);
    }

    #[test]
    fn the_antimeridian_is_a_line_like_others() {
        let (west, east) = (Point { lat: -17.0, lon: 179.999 }, Point { lat: -17.0, lon: -179.999 });
        assert!((west.distance_m(east) - 212.7).abs() < 1.0);
        let middle = west.towards(east, 0.75);
        assert!((middle.lon + 179.9995).abs() < 1e-9, "{middle:?}");
    }
}
