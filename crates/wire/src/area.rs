//! How far a place is from the border of an area.
//!
//! Edges are straight lines between latitudes and longitudes, as flat maps draw them. A ring may cross the antimeridian, and
//! is less than 180° wide; none goes around a pole.

use crate::message::Shape;

/// Mean radius of the earth (IUGG).
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Latitude and longitude in degrees.
pub type Point = (f64, f64);

/// Distance in metres on a sphere (haversine): within 0.5 % of the ellipsoid's.
pub fn distance_m(from: Point, to: Point) -> f64 {
    let (a, b) = (from.0.to_radians(), to.0.to_radians());
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let h = half(to.0 - from.0) + a.cos() * b.cos() * half(to.1 - from.1);
    2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
}

/// The same angle, between -180 and 180.
pub fn turn(degrees: f64) -> f64 {
    (degrees + 180.0).rem_euclid(360.0) - 180.0
}

/// Metres from `place` to the border of the area: below 0 inside. Infinite for an area without any points.
pub fn border_m(shape: &Shape, place: Point) -> f64 {
    match shape {
        Shape::Circle { centre, radius_m } => distance_m(*centre, place) - radius_m,
        Shape::Corridor { line, width_m } => {
            let flat = Flat::new(line, place);
            flat.distance_m(false) - width_m
        }
        Shape::Polygon(ring) => {
            let flat = Flat::new(ring, place);
            let distance_m = flat.distance_m(true);
            if flat.contains() { -distance_m } else { distance_m }
        }
    }
}

/// Points on a plane whose origin is a place: metres to the east and to the north.
struct Flat(Vec<(f64, f64)>);

impl Flat {
    fn new(points: &[Point], place: Point) -> Self {
        // Longitudes are counted on from point to point, so that the antimeridian is a line like others.
        let mut east = Vec::with_capacity(points.len());
        for (_, lon) in points {
            let step = match east.last() {
                Some(last) => last + turn(lon - place.1 - last),
                None => turn(lon - place.1),
            };
            east.push(step);
        }
        // And from where the place is nearer.
        let middle = east.iter().sum::<f64>() / east.len().max(1) as f64;
        let around = (middle / 360.0).round() * 360.0;
        let metres = EARTH_RADIUS_M.to_radians();
        let flat = points.iter().zip(&east).map(|((lat, _), east)| {
            // Between two latitudes the meridians are as far apart as in their middle.
            let narrow = ((lat + place.0) / 2.0).to_radians().cos();
            ((east - around) * metres * narrow, (lat - place.0) * metres)
        });
        Flat(flat.collect())
    }

    /// Each edge, the closing one too.
    fn edges(&self) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
        let next = self.0.iter().skip(1).chain(self.0.first());
        self.0.iter().copied().zip(next.copied())
    }

    fn distance_m(&self, closed: bool) -> f64 {
        let count = match (closed, self.0.len()) {
            (_, 0) => return f64::INFINITY,
            // A lone point is an edge of no length.
            (true, count) => count,
            (false, count) => (count - 1).max(1),
        };
        self.edges().take(count).map(|(a, b)| from_origin(a, b)).fold(f64::INFINITY, f64::min)
    }

    /// Whether a ray from the origin to the east crosses the ring an odd number of times.
    fn contains(&self) -> bool {
        let crossings = self.edges().filter(|((ax, ay), (bx, by))| {
            let straddles = (*ay > 0.0) != (*by > 0.0);
            straddles && ax + (bx - ax) * (-ay / (by - ay)) > 0.0
        });
        crossings.count() % 2 == 1
    }
}

/// Distance of the origin from the line between two points.
fn from_origin((ax, ay): (f64, f64), (bx, by): (f64, f64)) -> f64 {
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let share = if length > 0.0 { (-(ax * dx + ay * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (ax + share * dx).hypot(ay + share * dy)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where one is after so many metres in a direction.
    fn moved(from: Point, bearing_deg: f64, distance_m: f64) -> Point {
        let (lat, lon) = (from.0.to_radians(), from.1.to_radians());
        let (bearing, angle) = (bearing_deg.to_radians(), distance_m / EARTH_RADIUS_M);
        let to = (lat.sin() * angle.cos() + lat.cos() * angle.sin() * bearing.cos()).asin();
        let east = (bearing.sin() * angle.sin() * lat.cos()).atan2(angle.cos() - lat.sin() * to.sin());
        (to.to_degrees(), turn((lon + east).to_degrees()))
    }

    fn square(centre: Point, half_deg: f64) -> Shape {
        let corners = [(-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (1.0, -1.0)];
        let corner = |(north, east): (f64, f64)| (centre.0 + north * half_deg, turn(centre.1 + east * half_deg));
        Shape::Polygon(corners.into_iter().map(corner).collect())
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let (lausanne, geneve) = ((46.5197, 6.6323), (46.2044, 6.1432));
        assert!((distance_m(lausanne, geneve) - 51_300.0).abs() < 500.0);
        assert!((distance_m((0.0, 179.9), (0.0, -179.9)) - 22_239.0).abs() < 10.0);
    }

    #[test]
    fn a_ring_over_the_antimeridian_holds_what_lies_in_it_on_both_sides() {
        let taveuni = square((-16.9, 180.0), 0.2);
        for (lon, inside) in
            [(179.9, true), (-179.9, true), (180.0, true), (-180.0, true), (179.7, false), (0.0, false)]
        {
            assert_eq!(border_m(&taveuni, (-16.9, lon)) < 0.0, inside, "{lon}");
        }
        let line = Shape::Corridor { line: vec![(-17.0, 179.5), (-17.0, -179.5)], width_m: 500.0 };
        assert!(border_m(&line, (-17.0, 180.0)) < -490.0);
        assert!((border_m(&line, (-17.0 + 0.009, -179.8)) - 500.0).abs() < 10.0);
        let wide = square((0.0, 90.0), 80.0);
        assert!(border_m(&wide, (0.0, 15.0)) < 0.0 && border_m(&wide, (0.0, -170.0)) > 0.0);
    }

    #[test]
    fn areas_of_few_points_are_what_is_left_of_them() {
        let here = (47.0, 8.0);
        assert_eq!(border_m(&Shape::Polygon(vec![]), here), f64::INFINITY);
        assert!(border_m(&Shape::Polygon(vec![here, (47.1, 8.0)]), (47.05, 8.001)) > 50.0, "a line holds nothing");
        let point = Shape::Corridor { line: vec![here], width_m: 30.0 };
        assert!((border_m(&point, here) + 30.0).abs() < 1e-6);
        assert_eq!(border_m(&Shape::Corridor { line: vec![], width_m: 30.0 }, here), f64::INFINITY);
    }

    proptest! {
        #[test]
        fn a_circle_holds_what_is_nearer_than_its_radius(
            lat in -80.0..80.0f64, lon in -180.0..180.0f64,
            bearing in 0.0..360.0f64, distance in 1.0..20_000.0f64, radius_m in 5.0..20_000.0f64,
        ) {
            let circle = Shape::Circle { centre: (lat, lon), radius_m };
            let found = border_m(&circle, moved((lat, lon), bearing, distance));
            prop_assert!((found - (distance - radius_m)).abs() < 0.01, "{}", found);
        }

        #[test]
        fn a_square_holds_what_lies_between_its_sides_wherever_it_is(
            lat in -60.0..60.0f64, lon in -180.0..180.0f64,
            north in -0.02..0.02f64, east in -0.02..0.02f64,
        ) {
            let place = (lat + north, turn(lon + east));
            let inside = north.abs() < 0.01 && east.abs() < 0.01;
            prop_assert_eq!(border_m(&square((lat, lon), 0.01), place) < 0.0, inside);
        }

        #[test]
        fn the_way_to_a_border_is_never_longer_than_the_way_that_was_gone(
            points in prop::collection::vec((-0.05..0.05f64, -0.05..0.05f64), 1..12),
            lat in -60.0..60.0f64, lon in -180.0..180.0f64,
            a in (-0.06..0.06f64, -0.06..0.06f64), bearing in 0.0..360.0f64, metres in 0.0..500.0f64,
            width_m in 1.0..500.0f64,
        ) {
            let points: Vec<Point> = points.iter().map(|(n, e)| (lat + n, turn(lon + e))).collect();
            let from = (lat + a.0, turn(lon + a.1));
            let to = moved(from, bearing, metres);
            for shape in [Shape::Polygon(points.clone()), Shape::Corridor { line: points, width_m }] {
                let step = (border_m(&shape, from) - border_m(&shape, to)).abs();
                // The plane is another one at each place: over these 10 km their scales differ by a thousandth or so.
                prop_assert!(step <= metres * 1.005 + 20.0, "{} m for {} m", step, metres);
            }
        }
    }
}
