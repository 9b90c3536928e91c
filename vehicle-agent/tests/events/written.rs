//! A vehicle that does what is written, and its detectors.

use bugbrother_agent::{
    event::{Detectors, Limits, Moment},
    outbox::Happening,
    recorder::Key,
};
use bugbrother_wire::message::{EventKind, Geofence, Shape};

/// 2026-09-21, when the written drives begin.
pub const START: i64 = 1_790_000_000_000;
pub const HOME: (f64, f64) = (47.0, 8.0);
pub const M_PER_DEG: f64 = 111_195.0;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    /// Evenly from -1 to 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % 20_001) as f64 / 10_000.0 - 1.0
    }
}

/// A vehicle that does what is written, and its detectors.
pub struct Written {
    pub detectors: Detectors,
    pub events: Vec<Happening>,
    pub at_ms: u64,
    pub kmh: f64,
    course: f64,
    pub place: (f64, f64),
    dice: Dice,
    pub sensors: Sensors,
    /// Each sensor's next moment.
    pub due: [u64; 4],
}

/// What it is equipped with; periods in ms, 0 for none.
#[derive(Clone, Copy)]
pub struct Sensors {
    pub obd_ms: u64,
    pub gnss_ms: u64,
    pub imu_ms: u64,
    pub rpm: f64,
    pub volts: f64,
    /// Error of the receiver's speed in km/h, of its position in m.
    pub noise: (f64, f64),
}

pub const OBD: Sensors = Sensors { obd_ms: 1000, gnss_ms: 0, imu_ms: 0, rpm: 2000.0, volts: 14.1, noise: (0.0, 0.0) };
pub const GNSS: Sensors = Sensors { obd_ms: 0, gnss_ms: 1000, noise: (0.4, 3.0), ..OBD };
pub const BOTH: Sensors = Sensors { gnss_ms: 1000, noise: (0.4, 3.0), ..OBD };
pub const FULL: Sensors = Sensors { imu_ms: 20, ..BOTH };

impl Written {
    pub fn new(sensors: Sensors) -> Self {
        Written::with(sensors, Limits::default(), Vec::new())
    }

    pub fn with(sensors: Sensors, limits: Limits, fences: Vec<Geofence>) -> Self {
        Written {
            detectors: Detectors::new(limits, fences),
            events: Vec::new(),
            at_ms: 1_000_000,
            kmh: 0.0,
            course: 90.0,
            place: HOME,
            dice: Dice(88_172_645_463_325_252),
            sensors,
            due: [0; 4],
        }
    }

    pub fn ts(&self) -> i64 {
        START + self.at_ms as i64
    }

    pub fn tell(&mut self, values: &[(&'static str, f64)]) {
        let values: Vec<(Key, f64)> = values.iter().map(|(key, value)| ((*key).into(), *value)).collect();
        let moment = Moment { at_ms: self.at_ms, ts: self.ts(), values: &values };
        self.detectors.take(&moment, &mut self.events);
    }

    /// For so long, with so much m/s² forward and to the left.
    pub fn go(&mut self, seconds: f64, forward: f64, left: f64) -> &mut Self {
        self.shaken(seconds, forward, left, 0.0)
    }

    pub fn shaken(&mut self, seconds: f64, forward: f64, left: f64, shake: f64) -> &mut Self {
        let ends = self.at_ms + (seconds * 1000.0) as u64;
        while self.at_ms < ends {
            let dt = 0.02;
            let mps = self.kmh / 3.6;
            self.kmh = (self.kmh + forward * dt * 3.6).max(0.0);
            let turned = if mps > 0.5 { -(left / mps).to_degrees() * dt } else { 0.0 };
            self.course = (self.course + turned).rem_euclid(360.0);
            let (sin, cos) = self.course.to_radians().sin_cos();
            self.place.0 += mps * dt * cos / M_PER_DEG;
            self.place.1 += mps * dt * sin / (M_PER_DEG * self.place.0.to_radians().cos());
            self.at_ms += 20;
            let Sensors { obd_ms, gnss_ms, imu_ms, rpm, volts, noise } = self.sensors;
            let moving = if self.kmh > 0.0 { 1.0 } else { 0.0 };
            if self.is_due(0, obd_ms) {
                self.tell(&[("spd", self.kmh.floor()), ("rpm", rpm)]);
            }
            if self.is_due(1, gnss_ms) {
                let (speed_error, place_error) = (self.dice.roll() * noise.0, self.dice.roll() * noise.1);
                let fix = [
                    ("lat", self.place.0 + place_error / M_PER_DEG),
                    ("lon", self.place.1),
                    ("gspd", (self.kmh + speed_error).max(0.0)),
                    ("hdg", (self.course + self.dice.roll() * 1.5).rem_euclid(360.0)),
                    ("hdop", 0.9),
                    ("sats", 9.0),
                ];
                self.tell(&fix);
            }
            if self.is_due(2, imu_ms) {
                let rough = |dice: &mut Dice| dice.roll() * (1.2 * moving + shake);
                let (x, y, z) = (rough(&mut self.dice), rough(&mut self.dice), rough(&mut self.dice));
                // Mounted a little askew.
                self.tell(&[("ax", forward + 0.4 + x), ("ay", left - 0.3 + y), ("az", 9.8 + z)]);
            }
            if self.is_due(3, if volts > 0.0 { 10_000 } else { 0 }) {
                self.tell(&[("vbat", volts)]);
            }
            if self.at_ms.is_multiple_of(1000) {
                self.detectors.tick(self.at_ms, START + self.at_ms as i64, &mut self.events);
            }
        }
        self
    }

    fn is_due(&mut self, sensor: usize, period_ms: u64) -> bool {
        let due = period_ms > 0 && self.at_ms >= self.due[sensor];
        if due {
            self.due[sensor] = self.at_ms + period_ms;
        }
        due
    }

    /// To that speed, gently.
    pub fn reach(&mut self, kmh: f64) -> &mut Self {
        let gentle = if kmh > self.kmh { 1.5 } else { -1.5 };
        self.go((kmh - self.kmh).abs() / 3.6 / 1.5, gentle, 0.0).go(8.0, 0.0, 0.0)
    }

    pub fn kinds(&self) -> Vec<EventKind> {
        self.events.iter().map(|event| event.kind).collect()
    }

    /// Events that are not of the ignition.
    pub fn others(&self) -> Vec<EventKind> {
        let ignition = [EventKind::IgnitionOn, EventKind::IgnitionOff];
        self.kinds().into_iter().filter(|kind| !ignition.contains(kind)).collect()
    }

    pub fn last(&self) -> &Happening {
        self.events.last().expect("an event")
    }
}

pub fn near(found: f64, expected: f64, within: f64) -> bool {
    (found - expected).abs() <= within
}

pub fn ignitions(car: &Written) -> Vec<EventKind> {
    let ignition = [EventKind::IgnitionOn, EventKind::IgnitionOff];
    car.kinds().into_iter().filter(|kind| ignition.contains(kind)).collect()
}

/// Parked: control units asleep, the adapter tells the voltage.
pub const PARKED: Sensors = Sensors { obd_ms: 0, volts: 12.5, ..BOTH };

pub fn parked() -> Written {
    let mut car = Written::new(BOTH);
    car.go(5.0, 0.0, 0.0).reach(30.0).reach(0.0);
    car.sensors = PARKED;
    car.go(300.0, 0.0, 0.0);
    assert_eq!(car.kinds(), [EventKind::IgnitionOn, EventKind::IgnitionOff]);
    car.events.clear();
    car
}

pub fn depot(radius_m: f64) -> Geofence {
    let centre = (HOME.0, HOME.1 + 500.0 / (M_PER_DEG * HOME.0.to_radians().cos()));
    Geofence { id: "d1".to_owned(), name: "Depot".to_owned(), shape: Shape::Circle { centre, radius_m } }
}
