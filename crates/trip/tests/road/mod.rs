//! A made-up road and a car on it, for tests of the rules.

#![allow(dead_code, reason = "each test takes what it needs")]

use bugbrother_trip::{Car, Leg, Machine, Point, Sample, Stop, Trip};

pub const START: i64 = 1_790_000_000_000;
pub const HOME: Point = Point { lat: 46.5197, lon: 6.6323 };
/// A gentle driver's, and that of tests that want none harsh.
const KMH_PER_S: f64 = 5.0;

/// Who tells what.
#[derive(Debug, Clone, Copy)]
pub struct Sensors {
    pub gnss: bool,
    pub obd: bool,
    pub ignition: bool,
}

pub const GNSS: Sensors = Sensors { gnss: true, obd: false, ignition: false };
pub const OBD: Sensors = Sensors { gnss: false, obd: true, ignition: false };
pub const ALL: Sensors = Sensors { gnss: true, obd: true, ignition: true };

/// A value that is made of where the car is.
pub type Tell = fn(&Road) -> f64;

/// Samples of a car that is told what to do, one second at a time: a row of the receiver, and 300 ms later one of the engine.
#[derive(Debug, Clone)]
pub struct Road {
    pub samples: Vec<Sample>,
    pub sensors: Sensors,
    pub ts: i64,
    pub east_m: f64,
    pub north_m: f64,
    pub heading_deg: f64,
    pub kmh: f64,
    pub engine: bool,
    /// What the wheels have rolled.
    pub driven_m: f64,
    /// How far positions are off, in metres.
    pub jitter_m: f64,
    /// Further values of each engine row, made of driven metres and speed.
    pub extra: Vec<(&'static str, Tell)>,
    noise: u64,
}

impl Road {
    pub fn new(sensors: Sensors) -> Self {
        Road {
            samples: Vec::new(),
            sensors,
            ts: START,
            east_m: 0.0,
            north_m: 0.0,
            heading_deg: 90.0,
            kmh: 0.0,
            engine: false,
            driven_m: 0.0,
            jitter_m: 0.0,
            extra: Vec::new(),
            noise: 7,
        }
    }

    pub fn telling(mut self, key: &'static str, value: Tell) -> Self {
        self.extra.push((key, value));
        self
    }

    fn random(&mut self) -> f64 {
        self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.noise >> 33) as f64 / f64::from(1u32 << 31) * 2.0 - 1.0
    }

    pub fn point(&self) -> Point {
        point(self.east_m, self.north_m)
    }

    /// One second.
    pub fn second(&mut self, target_kmh: f64) {
        let before = self.kmh;
        self.kmh += (target_kmh - self.kmh).clamp(-KMH_PER_S, KMH_PER_S);
        self.second_at(before);
    }

    /// One second that ends at the present speed.
    fn second_at(&mut self, before_kmh: f64) {
        self.roll((before_kmh + self.kmh) / 2.0 / 3.6);
        self.ts += 1000;
        self.tell();
    }

    fn roll(&mut self, metres: f64) {
        let heading = self.heading_deg.to_radians();
        self.east_m += metres * heading.sin();
        self.north_m += metres * heading.cos();
        self.driven_m += metres;
    }

    pub fn tell(&mut self) {
        if self.sensors.gnss {
            let (east, north) = (self.random() * self.jitter_m, self.random() * self.jitter_m);
            let at = point(self.east_m + east, self.north_m + north);
            let mut row = Sample::at(self.ts);
            let speed = if self.kmh == 0.0 && self.jitter_m > 0.0 { self.random().abs() * 2.5 } else { self.kmh };
            for (key, value) in [("lat", at.lat), ("lon", at.lon), ("gspd", speed), ("hdg", self.heading_deg)] {
                row.set(key, value);
            }
            self.samples.push(row);
        }
        if self.sensors.obd {
            let mut row = Sample::at(self.ts + 300);
            row.set("spd", self.kmh.floor());
            row.set("rpm", if self.engine { 800.0 + self.kmh * 25.0 } else { 0.0 });
            if self.sensors.ignition {
                row.set("ign", f64::from(u8::from(self.engine)));
            }
            for (key, value) in &self.extra {
                row.set(key, value(self));
            }
            self.samples.push(row);
        }
    }

    /// Drives for so many seconds towards that speed.
    pub fn drive(&mut self, kmh: f64, seconds: u32) -> &mut Self {
        self.engine = true;
        (0..seconds).for_each(|_| self.second(kmh));
        self
    }

    /// Brakes until it stands.
    pub fn halt(&mut self) -> &mut Self {
        while self.kmh > 0.0 {
            self.second(0.0);
        }
        self
    }

    /// Stands with the engine running.
    pub fn idle(&mut self, seconds: u32) -> &mut Self {
        self.halt();
        self.drive(0.0, seconds)
    }

    /// Stands with the engine off.
    pub fn park(&mut self, seconds: u32) -> &mut Self {
        self.halt();
        self.engine = false;
        (0..seconds).for_each(|_| self.second(0.0));
        self
    }

    /// Goes on as it was for so long, but nobody hears of it.
    pub fn silence(&mut self, seconds: u32) -> &mut Self {
        self.roll(self.kmh / 3.6 * f64::from(seconds));
        self.ts += i64::from(seconds) * 1000;
        self
    }

    /// Is brought elsewhere without rolling.
    pub fn carry(&mut self, east_m: f64) -> &mut Self {
        self.east_m += east_m;
        self
    }

    pub fn turn(&mut self, degrees: f64) -> &mut Self {
        self.heading_deg = (self.heading_deg + degrees).rem_euclid(360.0);
        self
    }
}

fn point(east_m: f64, north_m: f64) -> Point {
    let scale = HOME.lat.to_radians().cos();
    Point { lat: HOME.lat + north_m / 111_195.0, lon: HOME.lon + east_m / (111_195.0 * scale) }
}

/// All legs of the samples, the last of them as it stands.
pub fn legs_of(samples: &[Sample], car: &Car) -> Vec<Leg> {
    let mut machine = Machine::default();
    let mut legs = Vec::new();
    for sample in samples {
        legs.extend(machine.feed(sample, car).expect("samples are in order"));
    }
    legs.extend(machine.open(None, car));
    legs
}

pub fn trips(legs: &[Leg]) -> Vec<&Trip> {
    legs.iter().filter_map(Leg::trip).collect()
}

pub fn stops(legs: &[Leg]) -> Vec<&Stop> {
    legs.iter().filter_map(Leg::stop).collect()
}
