//! What the sensors of simulated cars tell, as the agents put it: 20 signals every second.

use std::{sync::Arc, time::Duration};

use bugbrother_simulator::{Car, Fix, NmeaTalker, Reading, demo_fleet};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, UnixMs, Vin, encode,
    message::{Clock, Row, Telemetry},
};

/// Signals of a sample.
pub const SIGNALS: usize = 20;
/// Between two samples.
pub const PERIOD_MS: i64 = 1000;

/// Their keys.
pub const KEYS: [&str; SIGNALS] = [
    "lat", "lon", "alt", "hdg", "gspd", "hdop", "sats", "spd", "rpm", "load", "thr", "map", "maf", "frate", "ect",
    "oil", "iat", "fuel", "vbat", "odo",
];

/// What is told at a moment; nothing for a course at a standstill.
pub type Sample = [Option<f64>; SIGNALS];

/// What all simulated vehicles' identifications begin with.
const FAMILY: &str = "WVWZZZ1JZ3W";

/// The identification of a simulated vehicle, by its number below a million.
pub fn vin(number: usize) -> Vin {
    format!("{FAMILY}{number:06}").parse().expect("the form of a VIN")
}

/// Whether a vehicle is one of these.
pub fn is_simulated(vin: Vin) -> bool {
    vin.as_str().starts_with(FAMILY)
}

/// A drive of one of the demo's cars, with a driver and a receiver of its own.
pub fn drive(number: usize, samples: usize) -> Vec<Sample> {
    let profiles = demo_fleet();
    let mut profile = profiles[number % profiles.len()];
    profile.seed = number as u64 + 1;
    profile.start = (profile.start + number as f64 * 0.037) % 1.0;
    profile.parked = false;
    let mut car = Car::new(&profile);
    let mut talker = NmeaTalker::new(&car);
    (0..samples)
        .map(|second| {
            car.step(Duration::from_secs(1));
            let reading = car.reading();
            sample(&talker.fix(&reading, second as i64 * PERIOD_MS), &reading)
        })
        .collect()
}

/// As a receiver and the control units of a car tell it: in the steps that NMEA and SAE J1979 allow.
fn sample(fix: &Fix, reading: &Reading) -> Sample {
    let percent = |value: f64| byte(value * 255.0 / 100.0) * 100.0 / 255.0;
    let celsius = |value: f64| byte(value + 40.0) - 40.0;
    let in_steps = |value: f64, per_unit: f64| (value * per_unit).round().clamp(0.0, 65_535.0) / per_unit;
    [
        Some(fix.point.lat),
        Some(fix.point.lon),
        Some(fix.alt_m),
        fix.heading_deg,
        Some(fix.speed_kmh),
        Some(fix.hdop),
        Some(f64::from(fix.satellites)),
        Some(byte(reading.speed_kmh)),
        Some(in_steps(reading.rpm, 4.0)),
        Some(percent(reading.load_percent)),
        Some(percent(reading.throttle_percent)),
        Some(byte(reading.map_kpa)),
        Some(in_steps(reading.maf_gps, 100.0)),
        Some(in_steps(reading.fuel_lph, 20.0)),
        Some(celsius(reading.coolant_c)),
        Some(celsius(reading.oil_c)),
        Some(celsius(reading.intake_c)),
        Some(percent(reading.fuel_percent)),
        Some(in_steps(reading.voltage, 1000.0)),
        Some((reading.odometer_km * 10.0).round() / 10.0),
    ]
}

fn byte(value: f64) -> f64 {
    value.round().clamp(0.0, 255.0)
}

/// A drive that goes round for ever, cut into messages. The rows are encoded once, whoever sends them and when.
pub struct Cut {
    samples: Vec<Sample>,
    /// Samples of a message.
    rows: usize,
    encoded: Vec<Vec<u8>>,
}

impl Cut {
    /// Whole messages only: what is left over of the drive is left out.
    pub fn new(samples: &[Sample], rows: usize) -> Self {
        let batch = head(vin(0), 1, 0);
        let before = encode(&batch).len() - 1;
        let encoded = samples.chunks_exact(rows).map(|chunk| {
            let whole = encode(&Telemetry { rows: rows_of(chunk), ..batch.clone() });
            whole[before..].to_vec()
        });
        Cut { encoded: encoded.collect(), rows, samples: samples.to_vec() }
    }

    /// Samples of a message.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

fn head(vin: Vin, epoch: u64, t0: UnixMs) -> Telemetry {
    Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(epoch),
        seq: Seq(0),
        t0,
        clock: Clock::Gnss,
        keys: KEYS.map(str::to_owned).to_vec(),
        rows: Vec::new(),
        gap: None,
    }
}

fn rows_of(samples: &[Sample]) -> Vec<Row> {
    let row = |(n, sample): (usize, &Sample)| Row { dt_ms: (n as i64 * PERIOD_MS) as u32, values: sample.to_vec() };
    samples.iter().enumerate().map(row).collect()
}

/// The messages of a vehicle.
pub struct Messages {
    cut: Arc<Cut>,
    start: UnixMs,
    head: Telemetry,
}

impl Messages {
    /// Messages from `start` on.
    pub fn new(vin: Vin, epoch: u64, start: UnixMs, cut: Arc<Cut>) -> Self {
        Messages { cut, start, head: head(vin, epoch, start) }
    }

    /// The message with that number, from 1 on, as it is on the wire.
    pub fn encode(&mut self, seq: u64) -> Vec<u8> {
        self.turn_to(seq);
        let mut encoded = encode(&self.head);
        // The list of rows comes last, and it is empty: one byte.
        encoded.pop();
        encoded.extend_from_slice(&self.cut.encoded[self.place(seq)]);
        encoded
    }

    /// The same without its rows.
    pub fn head(&mut self, seq: u64) -> &Telemetry {
        self.turn_to(seq);
        &self.head
    }

    /// The same as a value.
    pub fn batch(&mut self, seq: u64) -> Telemetry {
        self.turn_to(seq);
        let (rows, first) = (self.cut.rows, self.place(seq) * self.cut.rows);
        Telemetry { rows: rows_of(&self.cut.samples[first..first + rows]), ..self.head.clone() }
    }

    fn turn_to(&mut self, seq: u64) {
        self.head.seq = Seq(seq);
        self.head.t0 = self.start + (seq as i64 - 1) * self.cut.rows as i64 * PERIOD_MS;
    }

    fn place(&self, seq: u64) -> usize {
        (seq as usize - 1) % self.cut.encoded.len()
    }
}
