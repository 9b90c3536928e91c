//! Points on the earth, near enough to each other that the ground between them is flat.

/// Mean radius of the earth (IUGG).
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A place, in degrees of WGS 84.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Latitude, north is positive.
    pub lat: f64,
    /// Longitude, east is positive.
    pub lon: f64,
}

impl Point {
    /// Metres to the east and to the north of `self` at which `other` lies.
    pub fn east_north_m(self, other: Point) -> (f64, f64) {
        let scale = ((self.lat + other.lat) / 2.0).to_radians().cos();
        (
            (other.lon - self.lon).to_radians() * EARTH_RADIUS_M * scale,
            (other.lat - self.lat).to_radians() * EARTH_RADIUS_M,
        )
    }

    /// The point that lies that many metres to the east and to the north.
    pub fn moved(self, east_m: f64, north_m: f64) -> Point {
        let scale = self.lat.to_radians().cos();
        Point {
            lat: self.lat + (north_m / EARTH_RADIUS_M).to_degrees(),
            lon: self.lon + (east_m / (EARTH_RADIUS_M * scale)).to_degrees(),
        }
    }

    /// Distance in metres.
    pub fn distance_m(self, other: Point) -> f64 {
        let (east, north) = self.east_north_m(other);
        east.hypot(north)
    }

    /// Direction from `self` to `other`: degrees clockwise from north, below 360.
    pub fn bearing_deg(self, other: Point) -> f64 {
        let (east, north) = self.east_north_m(other);
        east.atan2(north).to_degrees().rem_euclid(360.0)
    }

    /// The point at `share` (0 to 1) of the way to `other`.
    pub fn towards(self, other: Point, share: f64) -> Point {
        Point { lat: self.lat + (other.lat - self.lat) * share, lon: self.lon + (other.lon - self.lon) * share }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAUSANNE: Point = Point { lat: 46.5197, lon: 6.6323 };
    const GENEVE: Point = Point { lat: 46.2044, lon: 6.1432 };

    #[test]
    fn lausanne_is_fifty_one_kilometres_north_east_of_geneve() {
        assert!((GENEVE.distance_m(LAUSANNE) - 51_300.0).abs() < 500.0);
        assert!((GENEVE.bearing_deg(LAUSANNE) - 47.0).abs() < 1.0);
    }

    #[test]
    fn a_moved_point_is_as_far_away_as_it_was_moved() {
        assert!((LAUSANNE.distance_m(LAUSANNE.moved(300.0, -400.0)) - 500.0).abs() < 0.1);
    }
}
