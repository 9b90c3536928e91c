//! A drive that is seen again: where the vehicle was at each moment, and how the moment goes on. Pure.

use bugbrother_wire::api::Track;

use crate::geo::Point;

/// How many times faster than it was.
pub const SPEEDS: [u32; 6] = [1, 2, 5, 10, 30, 60];

/// A point of a way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// When, in ms.
    pub ts: f64,
    /// Where.
    pub at: Point,
    /// How fast, in km/h.
    pub speed: Option<f64>,
}

/// A way in the order of time, in pieces.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Way {
    /// Between two pieces nobody knows where it was.
    pub pieces: Vec<Vec<Step>>,
}

impl Way {
    /// As the server tells it.
    pub fn of(track: &Track) -> Self {
        let pieces = track.lines.iter().map(|line| {
            let steps = line.ts.iter().zip(&line.lat).zip(&line.lon).zip(&line.speed_kmh);
            steps
                .map(|(((ts, lat), lon), speed)| Step {
                    ts: *ts as f64,
                    at: Point::from_degrees(*lat, *lon),
                    speed: *speed,
                })
                .collect()
        });
        Way { pieces: pieces.collect() }
    }

    /// Where it was at a moment, and its heading in degrees; between pieces where the last one ended.
    pub fn at(&self, ts: f64) -> Option<(Point, f64)> {
        let piece = self.pieces.iter().rev().find(|piece| piece.first().is_some_and(|first| first.ts <= ts))?;
        let next = piece.partition_point(|step| step.ts <= ts);
        let last = piece[next.checked_sub(1)?];
        let Some(next) = piece.get(next) else {
            let before = piece.get(piece.len().saturating_sub(2)).copied().unwrap_or(last);
            return Some((last.at, heading(before.at, last.at)));
        };
        let part = (ts - last.ts) / (next.ts - last.ts).max(1.0);
        Some((last.at.towards(next.at, part), heading(last.at, next.at)))
    }
}

/// From north, clockwise.
fn heading(from: Point, to: Point) -> f64 {
    (to.x - from.x).atan2(from.y - to.y).to_degrees().rem_euclid(360.0)
}

/// A moment that goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Player {
    /// Beginning and end, in ms.
    pub span: (f64, f64),
    /// Where it is.
    pub ts: f64,
    /// How many times faster.
    pub speed: u32,
    /// Whether it goes on.
    pub plays: bool,
}

impl Player {
    /// At the beginning, and not going on.
    pub fn new(from: f64, to: f64) -> Self {
        Player { span: (from, to), ts: from, speed: 10, plays: false }
    }

    /// Goes on for so long; stops at the end.
    pub fn go_on(&mut self, passed_ms: f64) {
        if self.plays {
            self.ts = (self.ts + passed_ms * f64::from(self.speed)).min(self.span.1);
            self.plays = self.ts < self.span.1;
        }
    }

    /// Plays or pauses; at the end it begins anew.
    pub fn toggle(&mut self) {
        self.plays = !self.plays;
        if self.plays && self.ts >= self.span.1 {
            self.ts = self.span.0;
        }
    }

    /// Goes to a moment.
    pub fn seek(&mut self, ts: f64) {
        self.ts = ts.clamp(self.span.0, self.span.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> Way {
        let step = |ts: f64, lon: f64| Step { ts, at: Point::from_degrees(0.0, lon), speed: Some(50.0) };
        Way { pieces: vec![vec![step(0.0, 0.0), step(10.0, 1.0)], vec![step(100.0, 3.0), step(200.0, 2.0)]] }
    }

    #[test]
    fn a_vehicle_is_between_two_points_at_a_time_between_them() {
        let lon = |ts| way().at(ts).map(|(at, heading)| (at.to_degrees().1, heading.round()));
        assert_eq!(lon(-1.0), None);
        let (half, east) = lon(5.0).unwrap();
        assert!((half - 0.5).abs() < 1e-9 && east == 90.0);
        assert!((lon(50.0).unwrap().0 - 1.0).abs() < 1e-9, "in the tunnel it is at its entry");
        let (there, west) = lon(150.0).unwrap();
        assert!((there - 2.5).abs() < 1e-9 && west == 270.0);
        assert!((lon(999.0).unwrap().0 - 2.0).abs() < 1e-9);
        assert_eq!(Way::default().at(5.0), None);
    }

    #[test]
    fn it_plays_as_fast_as_it_is_told_and_stops_at_the_end() {
        let mut player = Player::new(0.0, 1000.0);
        player.go_on(50.0);
        assert_eq!(player.ts, 0.0, "it has not begun");
        player.toggle();
        player.go_on(50.0);
        assert_eq!((player.ts, player.plays), (500.0, true));
        player.go_on(500.0);
        assert_eq!((player.ts, player.plays), (1000.0, false));
        player.toggle();
        assert_eq!((player.ts, player.plays), (0.0, true), "from the beginning");
        player.seek(-5.0);
        assert_eq!(player.ts, 0.0);
        player.seek(5e9);
        assert_eq!(player.ts, 1000.0);
    }
}
