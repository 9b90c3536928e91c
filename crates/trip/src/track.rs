//! A trip's way as text: an encoded polyline (Google's format) of latitude and longitude with five digits, which is 1.1 m.
//! It takes about five bytes a point, and map libraries read it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{geo::Point, simplify::simplified};

const DIGITS: u32 = 5;
/// Points that are kept at most.
const MOST: usize = 500;
/// So many new points are simplified at once.
const TAIL: usize = 128;
/// Points that are nearer to the one before are left out.
const NEAR_M: f64 = 5.0;

/// The points of an encoded polyline; `None` when it is none.
pub fn decode(text: &str) -> Option<Vec<Point>> {
    let line = polyline::decode_polyline(text, DIGITS).ok()?;
    Some(line.into_iter().map(|coordinate| Point { lat: coordinate.y, lon: coordinate.x }).collect())
}

/// The encoded polyline of points on the earth; empty when one is not.
pub fn encode(points: &[Point]) -> String {
    let coordinates = points.iter().map(|point| (point.lon, point.lat).into());
    polyline::encode_coordinates(coordinates, DIGITS).unwrap_or_default()
}

/// The point that the text can hold.
fn rounded(point: Point) -> Point {
    let round = |degrees: f64| (degrees * 1e5).round() / 1e5;
    Point { lat: round(point.lat), lon: round(point.lon) }
}

/// A track that grows, and is simplified as it grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Track {
    /// Simplified.
    #[serde(with = "text")]
    kept: Vec<Point>,
    /// Not yet.
    #[serde(with = "text")]
    tail: Vec<Point>,
    tolerance_m: f64,
}

impl Track {
    pub fn new(tolerance_m: f64) -> Self {
        Track { kept: Vec::new(), tail: Vec::new(), tolerance_m: tolerance_m.max(1.0) }
    }

    pub fn push(&mut self, point: Point) {
        let point = rounded(point);
        let last = self.tail.last().or(self.kept.last());
        if last.is_some_and(|last| last.distance_m(point) < NEAR_M) {
            return;
        }
        self.tail.push(point);
        if self.tail.len() >= TAIL {
            self.fold();
        }
    }

    pub fn extend(&mut self, other: &Track) {
        other.kept.iter().chain(&other.tail).for_each(|point| self.push(*point));
    }

    /// As text, from a place to a place.
    pub fn text(&self, from: Option<Point>, to: Option<Point>) -> String {
        let mut track = Track::new(self.tolerance_m);
        track.kept.extend(from.map(rounded).filter(|from| self.first() != Some(*from)));
        track.kept.extend(&self.kept);
        track.tail.extend(&self.tail);
        track.tail.extend(to.map(rounded).filter(|to| track.last() != Some(*to)));
        track.fold();
        // Ends of pieces lie on the line as often as not.
        encode(&simplified(&track.kept, track.tolerance_m / 2.0))
    }

    fn first(&self) -> Option<Point> {
        self.kept.first().or(self.tail.first()).copied()
    }

    fn last(&self) -> Option<Point> {
        self.tail.last().or(self.kept.last()).copied()
    }

    /// What was simplified is not simplified again as long as there is room: errors would add up. With twice the
    /// tolerance each time there is none, they add up to less than twice the last one.
    fn fold(&mut self) {
        let mut line: Vec<Point> = self.kept.pop().into_iter().collect();
        line.append(&mut self.tail);
        self.kept.extend(simplified(&line, self.tolerance_m));
        while self.kept.len() > MOST {
            self.tolerance_m *= 2.0;
            self.kept = simplified(&self.kept, self.tolerance_m);
        }
    }
}

/// Points as text, for a machine that is stored.
mod text {
    use super::*;

    pub fn serialize<S: Serializer>(points: &[Point], serializer: S) -> Result<S::Ok, S::Error> {
        encode(points).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Point>, D::Error> {
        decode(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not an encoded polyline"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spiral(n: usize) -> Vec<Point> {
        let at = |i: usize| (i as f64 * 0.05, 0.001 + i as f64 * 0.00002);
        (0..n).map(|i| Point { lat: 46.0 + at(i).0.sin() * at(i).1, lon: 6.0 + at(i).0.cos() * at(i).1 }).collect()
    }

    #[test]
    fn a_track_as_text_is_the_track_to_a_metre() {
        let points = spiral(100);
        let text = encode(&points);
        let read = decode(&text).unwrap();
        assert_eq!(read.len(), 100);
        assert!(points.iter().zip(&read).all(|(a, b)| a.distance_m(*b) < 1.0));
        assert_eq!(decode("\u{1}"), None);
        assert_eq!(encode(&[Point { lat: 91.0, lon: 0.0 }]), "");
    }

    #[test]
    fn however_long_a_track_is_few_points_are_kept_and_its_ends_stay() {
        let points = spiral(20_000);
        let mut track = Track::new(10.0);
        points.iter().for_each(|point| track.push(*point));
        let kept = decode(&track.text(points.first().copied(), points.last().copied())).unwrap();
        assert!((100..=MOST).contains(&kept.len()), "{}", kept.len());
        assert!(kept[0].distance_m(points[0]) < 1.0);
        assert!(kept.last().unwrap().distance_m(points[19_999]) < 1.0);
        assert!(serde_json::to_string(&track).unwrap().len() < 10_000);
    }

    #[test]
    fn a_stored_track_goes_on_as_if_it_had_not_been_stored() {
        let (mut stored, mut whole) = (Track::new(10.0), Track::new(10.0));
        for point in spiral(3000) {
            whole.push(point);
            stored.push(point);
            stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
        }
        assert_eq!(stored, whole);
    }
}
