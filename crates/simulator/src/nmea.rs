//! NMEA 0183: what a GNSS receiver in the car says.

use std::fmt::Write as _;

use bugbrother_wire::UnixMs;
use rand::rngs::StdRng;

use crate::{
    calendar::Utc,
    car::{Car, Reading},
    geo::Point,
    noise::{Drift, normal},
};

const KMH_PER_KNOT: f64 = 1.852;
/// Below this a receiver does not know where it is heading.
const STANDSTILL_KMH: f64 = 2.0;
/// Height of the geoid above the ellipsoid near Lake Geneva.
const GEOID_M: f64 = 49.6;

/// A fix exactly as the sentences tell it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// GNSS time.
    pub time: UnixMs,
    /// Position with the receiver's error, to 1e-5 minutes.
    pub point: Point,
    /// Metres above the sea, to 0.1.
    pub alt_m: f64,
    /// Speed over ground.
    pub speed_kmh: f64,
    /// Course over ground; absent at a standstill.
    pub heading_deg: Option<f64>,
    /// Satellites in use.
    pub satellites: u8,
    /// Horizontal dilution of precision.
    pub hdop: f64,
}

/// A receiver whose error wanders by one to three metres.
#[derive(Debug, Clone)]
pub struct NmeaTalker {
    rng: StdRng,
    east: Drift,
    north: Drift,
    up: Drift,
    sky: Drift,
    last_time: Option<UnixMs>,
}

impl NmeaTalker {
    /// The receiver of that car.
    pub fn new(car: &Car) -> Self {
        let mut rng = car.fork_rng();
        NmeaTalker {
            east: Drift::new(1.1, 40.0, &mut rng),
            north: Drift::new(1.1, 40.0, &mut rng),
            up: Drift::new(2.2, 60.0, &mut rng),
            sky: Drift::new(1.2, 120.0, &mut rng),
            last_time: None,
            rng,
        }
    }

    /// Measures: where the receiver believes to be at `time`.
    pub fn fix(&mut self, truth: &Reading, time: UnixMs) -> Fix {
        let since_s = self.last_time.map_or(1.0, |last| (time - last).max(0) as f64 / 1000.0);
        self.last_time = Some(time);
        let rng = &mut self.rng;
        let mut error = |drift: &mut Drift| drift.step(since_s, rng).clamp(-3.0, 3.0);
        let (east, north, up) = (error(&mut self.east), error(&mut self.north), error(&mut self.up));
        let sky = self.sky.step(since_s, &mut self.rng);
        let moving = truth.speed_kmh > STANDSTILL_KMH;
        let wobble = normal(&mut self.rng);
        let speed_kmh = (truth.speed_kmh + if moving { 0.15 } else { 0.03 } * wobble).max(0.0);
        let heading_deg = (truth.heading_deg + 12.0 / truth.speed_kmh.max(1.0) * wobble).rem_euclid(360.0);
        let point = truth.point.moved(east, north);
        Fix {
            time,
            point: Point { lat: to_wire(point.lat), lon: to_wire(point.lon) },
            alt_m: round(truth.alt_m + up, 10.0),
            speed_kmh: round(speed_kmh / KMH_PER_KNOT, 1000.0) * KMH_PER_KNOT,
            heading_deg: moving.then_some(round(heading_deg, 100.0) % 360.0),
            satellites: (9.5 + 1.3 * sky).clamp(6.0, 12.0) as u8,
            hdop: round((0.95 - 0.12 * sky).clamp(0.6, 1.8), 100.0),
        }
    }

    /// RMC, GGA, GSA and VTG of a fix.
    pub fn sentences(fix: &Fix) -> String {
        let utc = Utc::from(fix.time);
        let time = clock(&utc);
        let place = format!(
            "{},{},{},{}",
            minutes(fix.point.lat, 2),
            if fix.point.lat < 0.0 { 'S' } else { 'N' },
            minutes(fix.point.lon, 3),
            if fix.point.lon < 0.0 { 'W' } else { 'E' },
        );
        let course = fix.heading_deg.map_or(String::new(), |deg| format!("{deg:.2}"));
        let knots = fix.speed_kmh / KMH_PER_KNOT;
        let used: Vec<String> = (0..12)
            .map(|i| if i < fix.satellites { format!("{:02}", 2 + i * 5 % 31) } else { String::new() })
            .collect();
        let vdop = fix.hdop * 1.5;
        [
            format!("GPRMC,{time},A,{place},{knots:.3},{course},{},,,A", date(&utc)),
            format!("GPGGA,{time},{place},1,{:02},{:.2},{:.1},M,{GEOID_M:.1},M,,", fix.satellites, fix.hdop, fix.alt_m),
            format!("GPGSA,A,3,{},{:.2},{:.2},{vdop:.2}", used.join(","), fix.hdop.hypot(vdop), fix.hdop),
            format!("GPVTG,{course},T,,M,{knots:.3},N,{:.3},K,A", fix.speed_kmh),
        ]
        .iter()
        .map(|body| sealed(body))
        .collect()
    }

    /// The same sentences of a receiver that does not see the sky.
    pub fn void_sentences(time: UnixMs) -> String {
        let utc = Utc::from(time);
        [
            format!("GPRMC,{},V,,,,,,,{},,,N", clock(&utc), date(&utc)),
            format!("GPGGA,{},,,,,0,00,99.99,,,,,,", clock(&utc)),
            "GPGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99".to_owned(),
            "GPVTG,,,,,,,,,N".to_owned(),
        ]
        .iter()
        .map(|body| sealed(body))
        .collect()
    }
}

/// The sentence with its `$`, checksum and line end.
fn sealed(body: &str) -> String {
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n")
}

fn clock(utc: &Utc) -> String {
    format!("{:02}{:02}{:02}.{:02}", utc.hour, utc.minute, utc.second, utc.millisecond / 10)
}

fn date(utc: &Utc) -> String {
    format!("{:02}{:02}{:02}", utc.day, utc.month, utc.year.rem_euclid(100))
}

fn round(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).round() / per_unit
}

/// Degrees as the sentences' resolution of 1e-5 minutes has them.
fn to_wire(degrees: f64) -> f64 {
    (degrees * 6_000_000.0).round() / 6_000_000.0
}

/// `dddmm.mmmmm`, computed in whole units so that 59.999999 minutes cannot become 60.
fn minutes(degrees: f64, width: usize) -> String {
    let units = (degrees.abs() * 6_000_000.0).round() as u64;
    let (whole, rest) = (units / 6_000_000, units % 6_000_000);
    let mut text = String::new();
    write!(text, "{whole:0width$}{:02}.{:05}", rest / 100_000, rest % 100_000)
        .expect("writing to a string does not fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_become_minutes_without_a_sixtieth() {
        assert_eq!(minutes(46.516_8, 2), "4631.00800");
        assert_eq!(minutes(6.999_999_999_9, 3), "00700.00000");
        assert_eq!(minutes(-0.5, 3), "00030.00000");
    }

    #[test]
    fn a_checksum_is_the_one_of_the_standard() {
        assert_eq!(
            sealed("GPGLL,5300.97914,N,00259.98174,E,125926,A"),
            "$GPGLL,5300.97914,N,00259.98174,E,125926,A*28\r\n"
        );
    }
}
