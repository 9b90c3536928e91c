//! Which names a map shows, and where, without one on another.

use super::{
    View,
    pack::{Kind, Place},
};

/// A rectangle on the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Box {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Box {
    fn meets(&self, other: &Box) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// Room on the screen, given to whoever asks first.
#[derive(Debug, Default)]
pub struct Room(Vec<Box>);

impl Room {
    /// Takes a place if nobody has it.
    pub fn take(&mut self, wanted: Box) -> bool {
        let free = self.0.iter().all(|taken| !taken.meets(&wanted));
        if free {
            self.0.push(wanted);
        }
        free
    }
}

/// Most names on a screen.
const MOST: usize = 90;

/// Whether a place is important enough for a zoom.
pub fn is_due(place: &Place, zoom: f64) -> bool {
    let weight = f64::from(place.weight);
    match place.kind {
        // A country's name goes when its towns have come, the largest first.
        Kind::Country => zoom < 6.5 && weight * zoom.exp2() > 9_000.0 && weight * zoom.exp2() < 400_000.0,
        Kind::Capital => zoom >= 3.5 && weight > 6_000.0 / (zoom * 1.1).exp2(),
        Kind::Town => zoom >= 4.0 && weight >= (1.0_f64).max(60_000.0 / (zoom * 1.28).exp2()),
    }
}

/// Size of the letters in pixels.
pub fn letters(place: &Place, zoom: f64) -> f64 {
    match place.kind {
        Kind::Country => 12.0,
        Kind::Capital => 13.0,
        Kind::Town if place.weight >= 500 => 13.0,
        Kind::Town if place.weight >= 50 || zoom >= 12.0 => 12.0,
        Kind::Town => 11.0,
    }
}

/// Names to draw: the place, its screen position, the size of its letters. `places` come in order of importance.
pub fn choose<'a>(
    places: impl Iterator<Item = &'a Place>,
    view: &View,
    room: &mut Room,
) -> Vec<(&'a Place, (f64, f64), f64)> {
    let zoom = view.zoom();
    let mut chosen = Vec::new();
    for place in places.filter(|place| is_due(place, zoom)) {
        let at = view.screen(place.at);
        if !view.shows(at, 60.0) {
            continue;
        }
        let size = letters(place, zoom);
        let spacing = if place.kind == Kind::Country { 0.85 } else { 0.56 };
        let width = place.name.chars().count() as f64 * size * spacing + 16.0;
        let wanted = Box { x: at.0 - width / 2.0, y: at.1 - size - 8.0, width, height: size + 20.0 };
        if room.take(wanted) {
            chosen.push((place, at, size));
            if chosen.len() == MOST {
                break;
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Point;

    fn town(name: &str, weight: u32, x: f64) -> Place {
        Place { at: Point { x, y: 0.5 }, kind: Kind::Town, weight, name: name.to_owned() }
    }

    #[test]
    fn of_two_names_in_one_place_the_first_is_shown() {
        let places = [town("Bern", 120, 0.5), town("Ostermundigen", 16, 0.500_001), town("Thun", 40, 0.501)];
        let view = View::new(Point { x: 0.5, y: 0.5 }, 10.0, (800.0, 600.0));
        let names: Vec<_> =
            choose(places.iter(), &view, &mut Room::default()).iter().map(|c| c.0.name.as_str()).collect();
        assert_eq!(names, ["Bern", "Thun"]);
    }

    #[test]
    fn villages_wait_until_the_map_is_close() {
        let village = town("Oberried", 1, 0.5);
        assert!(!is_due(&village, 9.0));
        assert!(is_due(&village, 12.5));
        assert!(is_due(&town("Paris", 2_000, 0.5), 5.0));
    }
}
