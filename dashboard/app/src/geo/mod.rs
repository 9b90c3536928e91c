//! The map's geometry: web mercator, what a screen shows of it, and the base map's lines and names.

pub mod clip;
pub mod labels;
pub mod pack;

use std::f64::consts::TAU;

/// A point of the web mercator square: (0, 0) is north-west, (1, 1) south-east.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// Eastwards.
    pub x: f64,
    /// Southwards.
    pub y: f64,
}

/// Latitude beyond which web mercator ends.
const EDGE: f64 = 85.051_128;
/// Pixels that the world measures at zoom 0.
const WORLD_PX: f64 = 256.0;

impl Point {
    /// From degrees.
    pub fn from_degrees(lat: f64, lon: f64) -> Self {
        let radians = lat.clamp(-EDGE, EDGE).to_radians();
        let y = 0.5 - (radians.tan() + 1.0 / radians.cos()).ln() / TAU;
        Point { x: lon / 360.0 + 0.5, y }
    }

    /// Latitude and longitude in degrees.
    pub fn to_degrees(self) -> (f64, f64) {
        let lat = ((0.5 - self.y) * TAU).sinh().atan().to_degrees();
        (lat, (self.x - 0.5) * 360.0)
    }

    /// The point at `part` of the way to `other`.
    pub fn towards(self, other: Self, part: f64) -> Self {
        Point { x: self.x + (other.x - self.x) * part, y: self.y + (other.y - self.y) * part }
    }

    /// Distance in units of the square.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// Metres on the ground per unit of the square.
    pub fn metres_per_unit(self) -> f64 {
        40_075_016.7 * self.to_degrees().0.to_radians().cos()
    }
}

/// Width and height in pixels.
pub type Size = (f64, f64);

/// What a screen shows: a scale and where the square's corner is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct View {
    /// Pixels per unit.
    pub scale: f64,
    /// Screen position of (0, 0).
    pub origin: (f64, f64),
    /// The screen.
    pub size: Size,
}

impl View {
    /// With `center` in the middle of the screen.
    pub fn new(center: Point, zoom: f64, size: Size) -> Self {
        let scale = WORLD_PX * zoom.exp2();
        let origin = (size.0 / 2.0 - center.x * scale, size.1 / 2.0 - center.y * scale);
        View { scale, origin, size }
    }

    /// The zoom as Leaflet counts it.
    pub fn zoom(&self) -> f64 {
        (self.scale / WORLD_PX).log2()
    }

    /// Screen position.
    pub fn screen(&self, point: Point) -> (f64, f64) {
        (point.x * self.scale + self.origin.0, point.y * self.scale + self.origin.1)
    }

    /// What is at a screen position.
    pub fn ground(&self, x: f64, y: f64) -> Point {
        Point { x: (x - self.origin.0) / self.scale, y: (y - self.origin.1) / self.scale }
    }

    /// The view at `part` of a zoom animation to `other`: Leaflet moves every pixel along a straight line.
    pub fn towards(&self, other: &View, part: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * part;
        View {
            scale: mix(self.scale, other.scale),
            origin: (mix(self.origin.0, other.origin.0), mix(self.origin.1, other.origin.1)),
            size: other.size,
        }
    }

    /// The view with the world moved by whole turns, for each copy of the world that may be on the screen. Outlines over
    /// the antimeridian go on beyond the edge of the world, so that the copies beside the screen count too.
    pub fn copies(self) -> impl Iterator<Item = View> {
        let first = (-self.origin.0 / self.scale).floor() - 1.0;
        let last = ((self.size.0 - self.origin.0) / self.scale).floor() + 1.0;
        let copies = (last - first).clamp(0.0, 8.0) as i32;
        (0..=copies).map(move |copy| View {
            origin: (self.origin.0 + (first + f64::from(copy)) * self.scale, self.origin.1),
            ..self
        })
    }

    /// Whether a screen position is on the screen or at most `margin` pixels beside it.
    pub fn shows(&self, (x, y): (f64, f64), margin: f64) -> bool {
        (-margin..=self.size.0 + margin).contains(&x) && (-margin..=self.size.1 + margin).contains(&y)
    }
}

/// What floats over the map and hides it: pixels from each side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Insets {
    /// From the left.
    pub left: f64,
    /// From the right.
    pub right: f64,
    /// From above.
    pub top: f64,
    /// From below.
    pub bottom: f64,
}

impl Insets {
    /// The middle of what is free.
    pub fn middle(&self, size: Size) -> (f64, f64) {
        ((self.left + size.0 - self.right) / 2.0, (self.top + size.1 - self.bottom) / 2.0)
    }
}

/// Centre and zoom that show all `points` in the free part of the screen; `None` without points.
pub fn fit(points: impl Iterator<Item = Point>, size: Size, insets: Insets, closest: f64) -> Option<(Point, f64)> {
    let (low, high) = points.fold(None, |bounds, p| {
        let (low, high) = bounds.unwrap_or((p, p));
        let min = |a: f64, b: f64| a.min(b);
        Some((Point { x: min(low.x, p.x), y: min(low.y, p.y) }, Point { x: high.x.max(p.x), y: high.y.max(p.y) }))
    })?;
    let margin = 48.0;
    let width = (size.0 - insets.left - insets.right - 2.0 * margin).max(64.0);
    let height = (size.1 - insets.top - insets.bottom - 2.0 * margin).max(64.0);
    let scale = (width / (high.x - low.x).max(1e-9)).min(height / (high.y - low.y).max(1e-9));
    let zoom = ((scale / WORLD_PX).log2() * 4.0).floor() / 4.0;
    let zoom = zoom.clamp(2.0, closest);
    let (x, y) = insets.middle(size);
    let scale = WORLD_PX * zoom.exp2();
    let middle = low.towards(high, 0.5);
    let center = Point { x: middle.x + (size.0 / 2.0 - x) / scale, y: middle.y + (size.1 / 2.0 - y) / scale };
    Some((center, zoom))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_survive_the_way_to_mercator_and_back() {
        for (lat, lon) in [(46.948, 7.447), (-33.87, 151.21), (0.0, -180.0), (84.0, 12.5)] {
            let (a, b) = Point::from_degrees(lat, lon).to_degrees();
            assert!((a - lat).abs() < 1e-9 && (b - lon).abs() < 1e-9);
        }
    }

    #[test]
    fn fitted_points_lie_in_the_free_part_of_the_screen() {
        let points = [Point::from_degrees(46.2, 6.1), Point::from_degrees(47.4, 8.5)];
        let insets = Insets { left: 360.0, right: 40.0, top: 20.0, bottom: 10.0 };
        let size = (1440.0, 900.0);
        let (center, zoom) = fit(points.into_iter(), size, insets, 15.0).unwrap();
        let view = View::new(center, zoom, size);
        for p in points {
            let (x, y) = view.screen(p);
            assert!(x > 360.0 && x < 1400.0 && y > 20.0 && y < 890.0, "{x} {y}");
        }
        assert!(zoom > 7.0);
        assert_eq!(fit(std::iter::empty(), size, insets, 15.0), None);
    }

    #[test]
    fn one_vehicle_is_not_shown_closer_than_asked() {
        let (_, zoom) = fit([Point { x: 0.5, y: 0.5 }].into_iter(), (800.0, 600.0), Insets::default(), 14.0).unwrap();
        assert_eq!(zoom, 14.0);
    }

    #[test]
    fn a_wide_screen_shows_the_world_more_than_once() {
        let view = View::new(Point { x: 0.5, y: 0.5 }, 1.0, (1500.0, 400.0));
        assert_eq!(view.copies().count(), 5);
        let close = View::new(Point { x: 0.5, y: 0.5 }, 9.0, (1500.0, 400.0));
        assert_eq!(close.copies().count(), 3);
        assert_eq!(close.copies().nth(1), Some(close));
    }
}
