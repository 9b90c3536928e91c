//! Style of driving: harsh events and a score.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

use crate::{car::Limits, geo, latest::Latest, sample::Sample};

/// Change is measured over this time: less is noise, more hides it.
const SHORTEST_MS: i64 = 900;
const LONGEST_MS: i64 = 3_500;
/// No tyre on a road does more (about 1.2 g): a wrong value.
const IMPOSSIBLE: f64 = 12.0;
/// The heading of a receiver is noise below.
const CORNER_KMH: f64 = 20.0;

/// What is measured against next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Mark {
    ts: UnixMs,
    value: f64,
    wheels: bool,
}

impl Mark {
    /// Seconds to `ts`: `None` while they are too few, infinite when they are too many.
    fn seconds(self, ts: UnixMs) -> Option<f64> {
        match ts - self.ts {
            ..SHORTEST_MS => None,
            elapsed @ SHORTEST_MS..=LONGEST_MS => Some(elapsed as f64 / 1000.0),
            _ => Some(f64::INFINITY),
        }
    }
}

/// What the pedals do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
enum Pedals {
    #[default]
    Gentle,
    Accelerating,
    Braking,
}

/// Harsh events so far. One that lasts is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Harsh {
    pub accelerations: u32,
    pub brakings: u32,
    pub cornerings: u32,
    pedals: Pedals,
    cornering: bool,
    speed: Option<Mark>,
    heading: Option<Mark>,
}

impl Harsh {
    pub fn step(&mut self, sample: &Sample, latest: &Latest, limits: &Limits) {
        let speed = match (sample.spd, sample.gspd) {
            (Some(spd), _) => Some((spd, true)),
            (None, Some(gspd)) if !latest.has_wheels() => Some((gspd, false)),
            _ => None,
        };
        if let Some((value, wheels)) = speed {
            self.step_speed(Mark { ts: sample.ts, value, wheels }, limits);
        }
        if let Some(value) = sample.hdg {
            let speed_kmh = latest.speed(limits).unwrap_or(0.0);
            self.step_heading(Mark { ts: sample.ts, value, wheels: false }, speed_kmh, limits);
        }
    }

    fn step_speed(&mut self, now: Mark, limits: &Limits) {
        if let Some(mark) = self.speed.filter(|mark| mark.wheels == now.wheels) {
            let Some(seconds) = mark.seconds(now.ts) else { return };
            let acceleration = (now.value - mark.value) / 3.6 / seconds;
            let pedals = match acceleration {
                a if a.abs() > IMPOSSIBLE => Pedals::Gentle,
                a if a >= limits.harsh_acceleration => Pedals::Accelerating,
                a if a <= -limits.harsh_braking => Pedals::Braking,
                _ => Pedals::Gentle,
            };
            if pedals != self.pedals {
                self.accelerations += u32::from(pedals == Pedals::Accelerating);
                self.brakings += u32::from(pedals == Pedals::Braking);
            }
            self.pedals = pedals;
        }
        self.speed = Some(now);
    }

    /// Sideways acceleration is speed times the rate of turn.
    fn step_heading(&mut self, now: Mark, speed_kmh: f64, limits: &Limits) {
        if speed_kmh < CORNER_KMH {
            self.heading = None;
            self.cornering = false;
            return;
        }
        if let Some(mark) = self.heading {
            let Some(seconds) = mark.seconds(now.ts) else { return };
            let rate = geo::turn(now.value - mark.value).to_radians() / seconds;
            let sideways = (speed_kmh / 3.6 * rate).abs();
            let cornering = (limits.harsh_cornering..=IMPOSSIBLE).contains(&sideways);
            self.cornerings += u32::from(cornering && !self.cornering);
            self.cornering = cornering;
        }
        self.heading = Some(now);
    }

    /// 100 less up to 60 for harsh events, 20 for idling and 20 for over-speed; `docs/trips.md` has the formula.
    /// Shares are 0 to 1.
    pub fn score(&self, distance_m: f64, idle_share: f64, over_share: f64) -> u8 {
        // On a short trip one event is not a habit.
        let hundred_km = (distance_m / 1000.0).max(10.0) / 100.0;
        let events = f64::from(self.accelerations) + 1.5 * f64::from(self.brakings) + f64::from(self.cornerings);
        let harsh = 60.0 * (1.0 - (-events / hundred_km / 30.0).exp());
        let idle = 20.0 * (idle_share / 0.5).clamp(0.0, 1.0);
        let over = 20.0 * (over_share / 0.25).clamp(0.0, 1.0);
        (100.0 - harsh - idle - over).round().clamp(0.0, 100.0) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harsh(speeds: &[f64]) -> (u32, u32) {
        let mut harsh = Harsh::default();
        for (i, value) in speeds.iter().enumerate() {
            harsh.step_speed(Mark { ts: i as i64 * 1000, value: *value, wheels: true }, &Limits::default());
        }
        (harsh.accelerations, harsh.brakings)
    }

    #[test]
    fn a_harsh_braking_of_three_seconds_is_one_and_a_gentle_one_is_none() {
        assert_eq!(harsh(&[80.0, 65.0, 50.0, 35.0, 34.0, 33.0]), (0, 1));
        assert_eq!(harsh(&[80.0, 70.0, 60.0, 50.0, 40.0]), (0, 0));
        assert_eq!(harsh(&[80.0, 65.0, 64.0, 50.0]), (0, 2));
    }

    #[test]
    fn a_harsh_start_is_one_and_a_wrong_value_is_none() {
        assert_eq!(harsh(&[0.0, 12.0, 24.0, 30.0]), (1, 0));
        assert_eq!(harsh(&[50.0, 255.0, 50.0]), (0, 0));
    }

    #[test]
    fn a_tight_bend_at_speed_is_harsh_over_north_too() {
        let mut harsh = Harsh::default();
        for (i, heading) in [340.0, 350.0, 10.0, 30.0, 31.0].into_iter().enumerate() {
            let mark = Mark { ts: i as i64 * 1000, value: heading, wheels: false };
            harsh.step_heading(mark, 50.0, &Limits::default());
        }
        // 20° a second at 50 km/h are 4.8 m/s².
        assert_eq!(harsh.cornerings, 1);
    }

    #[test]
    fn the_score_falls_with_each_fault_and_stays_in_its_range() {
        let calm = Harsh::default();
        let wild = Harsh { brakings: 500, ..calm };
        assert_eq!(calm.score(100_000.0, 0.0, 0.0), 100);
        assert_eq!(calm.score(100_000.0, 0.5, 0.0), 80);
        assert_eq!(calm.score(100_000.0, 0.0, 0.125), 90);
        assert_eq!(Harsh { brakings: 20, ..calm }.score(100_000.0, 0.0, 0.0), 62);
        assert_eq!(wild.score(1_000.0, 1.0, 1.0), 0);
        assert_eq!(Harsh { cornerings: 1, ..calm }.score(500.0, 0.0, 0.0), 83);
    }
}
