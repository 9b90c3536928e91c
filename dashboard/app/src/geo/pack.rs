//! Reads the map data that `geodata.mjs` packs.

use super::Point;

/// A line or the outline of an area.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its points.
    pub points: Vec<Point>,
    /// Its north-west and south-east corners.
    pub bounds: (Point, Point),
}

/// The base map at one level of detail.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct World {
    /// Outlines of the land.
    pub land: Vec<Line>,
    /// Borders between countries.
    pub borders: Vec<Line>,
    /// Outlines of lakes.
    pub lakes: Vec<Line>,
    /// Rivers.
    pub rivers: Vec<Line>,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A country.
    Country,
    /// The capital of a country.
    Capital,
    /// Another town.
    Town,
}

/// A name on the map.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Where it is.
    pub at: Point,
    /// What it is.
    pub kind: Kind,
    /// Thousands of people; of a country a measure of its area.
    pub weight: u32,
    /// The name.
    pub name: String,
}

/// A base map; `None` if the bytes are not one.
pub fn world(bytes: &[u8]) -> Option<World> {
    let mut reader = Reader::new(bytes)?;
    Some(World { land: reader.layer()?, borders: reader.layer()?, lakes: reader.layer()?, rivers: reader.layer()? })
}

/// Names, the most important ones first; `None` if the bytes are none.
pub fn places(bytes: &[u8]) -> Option<Vec<Place>> {
    let mut reader = Reader::new(bytes)?;
    reader.places()
}

/// Column and row of a part of the world that has names of its own.
pub type Cell = (u32, u32);

/// The names of the whole world and the cells that have more.
pub fn gazetteer(bytes: &[u8]) -> Option<(Vec<Place>, Vec<Cell>)> {
    let mut reader = Reader::new(bytes)?;
    let places = reader.places()?;
    let count = reader.count()?;
    let cells = (0..count).map(|_| Some((reader.varint()?, reader.varint()?))).collect::<Option<_>>()?;
    Some((places, cells))
}

struct Reader<'a> {
    bytes: &'a [u8],
    step: f64,
    x: i64,
    y: i64,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { bytes, step: 1.0, x: 0, y: 0 };
        let bits = reader.varint()?;
        reader.step = (-f64::from(bits)).exp2();
        Some(reader)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A number of things of at least one byte each: never more than there are bytes.
    fn count(&mut self) -> Option<usize> {
        let count = self.varint()? as usize;
        (count <= self.bytes.len()).then_some(count)
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = i64::from(self.varint()?);
        Some(if value & 1 == 1 { -(value + 1) / 2 } else { value / 2 })
    }

    fn point(&mut self) -> Option<Point> {
        self.x += self.zigzag()?;
        self.y += self.zigzag()?;
        Some(Point { x: self.x as f64 * self.step, y: self.y as f64 * self.step })
    }

    fn layer(&mut self) -> Option<Vec<Line>> {
        let count = self.count()?;
        (0..count).map(|_| self.line()).collect()
    }

    fn line(&mut self) -> Option<Line> {
        let count = self.count()?;
        let points = (0..count).map(|_| self.point()).collect::<Option<Vec<_>>>()?;
        let first = *points.first()?;
        let bounds = points.iter().fold((first, first), |(low, high), p| {
            (Point { x: low.x.min(p.x), y: low.y.min(p.y) }, Point { x: high.x.max(p.x), y: high.y.max(p.y) })
        });
        Some(Line { points, bounds })
    }

    fn places(&mut self) -> Option<Vec<Place>> {
        let count = self.count()?;
        (0..count).map(|_| self.place()).collect()
    }

    fn place(&mut self) -> Option<Place> {
        let at = self.point()?;
        let kind = match self.varint()? {
            0 => Kind::Country,
            1 => Kind::Capital,
            _ => Kind::Town,
        };
        let weight = self.varint()?;
        let length = self.count()?;
        let (name, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(Place { at, kind, weight, name: String::from_utf8(name.to_vec()).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_world_is_read_back() {
        // 2 bits; land: one line of (1/4, 2/4), (0, 3/4); nothing else
        let bytes = [2, 1, 2, 2, 4, 1, 2, 0, 0, 0];
        let world = world(&bytes).unwrap();
        assert_eq!(world.land.len(), 1);
        assert_eq!(world.land[0].points, [Point { x: 0.25, y: 0.5 }, Point { x: 0.0, y: 0.75 }]);
        assert_eq!(world.land[0].bounds, (Point { x: 0.0, y: 0.5 }, Point { x: 0.25, y: 0.75 }));
    }

    #[test]
    fn a_packed_gazetteer_is_read_back() {
        let bytes = [1, 1, 2, 2, 1, 130, 1, 4, b'B', b'e', b'r', b'n', 1, 16, 11];
        let (places, cells) = gazetteer(&bytes).unwrap();
        let bern = Place { at: Point { x: 0.5, y: 0.5 }, kind: Kind::Capital, weight: 130, name: "Bern".to_owned() };
        assert_eq!(places, [bern]);
        assert_eq!(cells, [(16, 11)]);
    }

    #[test]
    fn bytes_that_end_early_are_no_map() {
        let bytes = [2, 1, 2, 2, 4, 1, 2, 0, 0, 0];
        assert!((0..bytes.len()).all(|length| world(&bytes[..length]).is_none()));
        assert_eq!(places(&[1, 255, 255, 255, 255, 15]), None);
    }
}
