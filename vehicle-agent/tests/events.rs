//! Events are made of samples and time: of written manoeuvres, of simulated cars, and of a drive that was recorded.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[path = "parts/recording.rs"]
mod recording;

use std::time::Duration;

use bugbrother_agent::{
    event::{Detectors, Limits, Moment, Snapshot, limits::THRESHOLDS},
    gps::{Fix, assembler::Assembler, gate::Gate},
    outbox::Happening,
    recorder::Key,
};
use bugbrother_simulator::{Car, NmeaTalker, demo_fleet};
use bugbrother_wire::message::{EventKind, Geofence, Shape};
use proptest::prelude::*;

/// 2026-09-21, when the written drives begin.
const START: i64 = 1_790_000_000_000;
const HOME: (f64, f64) = (47.0, 8.0);
const M_PER_DEG: f64 = 111_195.0;

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
struct Written {
    detectors: Detectors,
    events: Vec<Happening>,
    at_ms: u64,
    kmh: f64,
    course: f64,
    place: (f64, f64),
    dice: Dice,
    sensors: Sensors,
    /// Each sensor's next moment.
    due: [u64; 4],
}

/// What it is equipped with; periods in ms, 0 for none.
#[derive(Clone, Copy)]
struct Sensors {
    obd_ms: u64,
    gnss_ms: u64,
    imu_ms: u64,
    rpm: f64,
    volts: f64,
    /// Error of the receiver's speed in km/h, of its position in m.
    noise: (f64, f64),
}

const OBD: Sensors = Sensors { obd_ms: 1000, gnss_ms: 0, imu_ms: 0, rpm: 2000.0, volts: 14.1, noise: (0.0, 0.0) };
const GNSS: Sensors = Sensors { obd_ms: 0, gnss_ms: 1000, noise: (0.4, 3.0), ..OBD };
const BOTH: Sensors = Sensors { gnss_ms: 1000, noise: (0.4, 3.0), ..OBD };
const FULL: Sensors = Sensors { imu_ms: 20, ..BOTH };

impl Written {
    fn new(sensors: Sensors) -> Self {
        Written::with(sensors, Limits::default(), Vec::new())
    }

    fn with(sensors: Sensors, limits: Limits, fences: Vec<Geofence>) -> Self {
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

    fn ts(&self) -> i64 {
        START + self.at_ms as i64
    }

    fn tell(&mut self, values: &[(&'static str, f64)]) {
        let values: Vec<(Key, f64)> = values.iter().map(|(key, value)| ((*key).into(), *value)).collect();
        let moment = Moment { at_ms: self.at_ms, ts: self.ts(), values: &values };
        self.detectors.take(&moment, &mut self.events);
    }

    /// For so long, with so much m/s² forward and to the left.
    fn go(&mut self, seconds: f64, forward: f64, left: f64) -> &mut Self {
        self.shaken(seconds, forward, left, 0.0)
    }

    fn shaken(&mut self, seconds: f64, forward: f64, left: f64, shake: f64) -> &mut Self {
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
    fn reach(&mut self, kmh: f64) -> &mut Self {
        let gentle = if kmh > self.kmh { 1.5 } else { -1.5 };
        self.go((kmh - self.kmh).abs() / 3.6 / 1.5, gentle, 0.0).go(8.0, 0.0, 0.0)
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.events.iter().map(|event| event.kind).collect()
    }

    /// Events that are not of the ignition.
    fn others(&self) -> Vec<EventKind> {
        let ignition = [EventKind::IgnitionOn, EventKind::IgnitionOff];
        self.kinds().into_iter().filter(|kind| !ignition.contains(kind)).collect()
    }

    fn last(&self) -> &Happening {
        self.events.last().expect("an event")
    }
}

fn near(found: f64, expected: f64, within: f64) -> bool {
    (found - expected).abs() <= within
}

#[test]
fn the_document_has_every_threshold_as_it_is() {
    let document = include_str!("../../docs/events.md");
    for known in THRESHOLDS {
        let start = format!("| `{}` |", known.name);
        let line = document.lines().find(|line| line.starts_with(&start)).expect(known.name);
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[2].replace('²', "^2"), known.unit, "{line}");
        assert_eq!(cells[3].parse().ok(), known.default, "{line}");
        assert_eq!(cells[4], format!("{}–{}", known.min, known.max), "{line}");
    }
}

// ---- Pedals and corners ----

#[test]
fn a_harsh_braking_is_one_event_with_its_peak_duration_and_speeds_by_any_sensor() {
    for (name, sensors) in
        [("obd", OBD), ("gnss", GNSS), ("both", BOTH), ("imu", FULL), ("obd at 5 Hz", Sensors { obd_ms: 200, ..OBD })]
    {
        let mut car = Written::new(sensors);
        car.go(2.0, 0.0, 0.0).reach(80.0);
        let began = car.ts();
        car.go(3.0, -5.0, 0.0).go(10.0, 0.0, 0.0);
        assert_eq!(car.others(), [EventKind::HarshBraking], "{name}");
        let event = car.last();
        assert!(near(event.values["ax"], -5.0, 0.8), "{name}: {:?}", event.values);
        assert!(near(event.values["spd"], 80.0, 6.0), "{name}: {:?}", event.values);
        assert!(near(event.values["spd_after"], 26.0, 12.0), "{name}: {:?}", event.values);
        assert!(near(event.values["duration_s"], 3.0, 1.5), "{name}: {:?}", event.values);
        assert!(near((event.at - began) as f64, 0.0, 1_500.0), "{name}: {} ms", event.at - began);
        assert_eq!(event.place.is_some(), sensors.gnss_ms > 0, "{name}");
    }
}

#[test]
fn a_harsh_start_is_one_event_by_any_sensor() {
    for (name, sensors) in [("obd", OBD), ("gnss", GNSS), ("imu", FULL)] {
        let mut car = Written::new(sensors);
        car.go(12.0, 0.0, 0.0).go(4.0, 4.0, 0.0).go(10.0, 0.0, 0.0);
        assert_eq!(car.others(), [EventKind::HarshAcceleration], "{name}");
        assert!(near(car.last().values["ax"], 4.0, 0.8), "{name}: {:?}", car.last().values);
    }
}

#[test]
fn a_harsh_bend_is_one_event_and_its_side_is_told() {
    for (name, sensors) in
        [("gnss", GNSS), ("both", BOTH), ("imu", FULL), ("gnss at 10 Hz", Sensors { gnss_ms: 100, ..GNSS })]
    {
        for (left, kmh) in [(5.5, 50.0), (-5.5, 50.0), (5.0, 80.0)] {
            let mut car = Written::new(sensors);
            car.go(2.0, 0.0, 0.0).reach(kmh).go(4.0, 0.0, left).go(10.0, 0.0, 0.0);
            assert_eq!(car.others(), [EventKind::HarshCornering], "{name} {left} {kmh}");
            assert!(near(car.last().values["ay"], left, 1.2), "{name}: {:?}", car.last().values);
        }
    }
}

#[test]
fn ordinary_driving_in_noise_is_no_event() {
    for sensors in
        [OBD, GNSS, BOTH, FULL, Sensors { obd_ms: 200, gnss_ms: 100, ..FULL }, Sensors { obd_ms: 2500, ..OBD }]
    {
        let mut car = Written::new(sensors);
        car.go(5.0, 0.0, 0.0);
        for _ in 0..20 {
            car.go(6.0, 2.2, 0.0)
                .go(5.0, 0.0, 0.0)
                .go(4.0, 0.0, 2.8)
                .go(4.0, 0.0, -2.8)
                .go(5.0, -2.6, 0.0)
                .go(6.0, 0.0, 0.0);
        }
        assert_eq!(car.others(), [], "{} {} {}", sensors.obd_ms, sensors.gnss_ms, sensors.imu_ms);
    }
}

#[test]
fn two_brakings_are_two_and_a_foot_that_is_lifted_for_a_moment_is_one() {
    let mut car = Written::new(FULL);
    car.go(2.0, 0.0, 0.0).reach(120.0);
    car.go(1.5, -5.0, 0.0).go(0.4, 0.0, 0.0).go(1.5, -5.0, 0.0).go(8.0, 0.0, 0.0);
    assert_eq!(car.others().len(), 1);
    car.go(1.5, -5.0, 0.0).go(8.0, 0.0, 0.0);
    assert_eq!(car.others().len(), 2);
}

#[test]
fn a_step_in_speed_over_a_gap_is_no_event_and_a_wrong_value_is_none() {
    let mut car = Written::new(OBD);
    car.go(2.0, 0.0, 0.0).reach(80.0);
    car.at_ms += 5_000;
    car.kmh = 30.0;
    car.go(10.0, 0.0, 0.0);
    for wrong in [255.0, 0.0, 120.0, f64::NAN] {
        car.tell(&[("spd", wrong)]);
        car.go(5.0, 0.0, 0.0);
    }
    assert_eq!(car.others(), []);
}

#[test]
fn a_braking_whose_end_is_not_measured_any_more_is_told_all_the_same() {
    let mut car = Written::new(OBD);
    car.go(2.0, 0.0, 0.0).reach(80.0).go(3.0, -5.0, 0.0);
    assert_eq!(car.others(), []);
    car.sensors.obd_ms = 0;
    car.go(5.0, 0.0, 0.0);
    assert_eq!(car.others(), [EventKind::HarshBraking]);
}

#[test]
fn speeds_of_a_bad_fix_are_not_looked_at() {
    let mut car = Written::new(Sensors { gnss_ms: 0, ..GNSS });
    for i in 0..30 {
        let kmh = if i < 15 { 90.0 } else { (90 - 20 * (i - 15)).max(0).into() };
        car.tell(&[("lat", 47.0), ("lon", 8.0), ("gspd", kmh), ("hdop", 9.0), ("sats", 4.0)]);
        car.at_ms += 1000;
    }
    assert_eq!(car.others(), []);
}

#[test]
fn a_hump_that_only_the_accelerometer_feels_is_no_braking() {
    let mut car = Written::new(FULL);
    car.go(2.0, 0.0, 0.0).reach(30.0);
    for _ in 0..40 {
        car.at_ms += 20;
        car.tell(&[("ax", -5.0), ("ay", 0.0), ("az", 9.8)]);
    }
    car.go(10.0, 0.0, 0.0);
    assert_eq!(car.others(), []);
}

#[test]
fn time_that_goes_back_makes_no_event_and_does_not_deafen() {
    let mut car = Written::new(OBD);
    car.go(2.0, 0.0, 0.0).reach(90.0);
    car.at_ms -= 60_000;
    car.due = [0; 4];
    car.kmh = 20.0;
    car.go(10.0, 0.0, 0.0);
    assert_eq!(car.others(), []);
    car.reach(80.0).go(3.0, -5.0, 0.0).go(5.0, 0.0, 0.0);
    assert_eq!(car.others(), [EventKind::HarshBraking]);
}

// ---- Crash ----

#[test]
fn a_blow_is_a_crash_at_once_and_turning_over_is_no_second_one() {
    let mut car = Written::new(FULL);
    car.go(2.0, 0.0, 0.0).reach(60.0);
    let began = car.ts();
    car.go(0.1, -110.0, 20.0);
    assert_eq!(car.others(), [EventKind::Crash], "within a tenth of a second");
    let event = car.last().clone();
    assert!(
        event.values["peak"] > 39.2 && event.values["dv"] > 8.0 && event.values["ax"] < -30.0,
        "{:?}",
        event.values
    );
    assert!(near((event.at - began) as f64, 0.0, 200.0) && near(event.values["spd"], 60.0, 3.0));
    assert!(event.place.is_some());
    car.go(0.4, 0.0, 0.0).go(0.1, 30.0, 90.0).go(20.0, 0.0, 0.0);
    assert_eq!(car.others().iter().filter(|kind| **kind == EventKind::Crash).count(), 1);
}

#[test]
fn potholes_kicks_and_full_brakes_are_no_crash() {
    let mut car = Written::new(FULL);
    car.go(2.0, 0.0, 0.0).reach(60.0);
    for blow in [[60.0, 0.0, 30.0], [-50.0, 0.0, 9.8], [0.0, 45.0, 9.8], [5.0, 5.0, 120.0]] {
        car.at_ms += 20;
        car.tell(&[("ax", blow[0]), ("ay", blow[1]), ("az", blow[2])]);
        car.go(3.0, 0.0, 0.0);
    }
    car.reach(100.0).go(2.8, -9.9, 0.0).go(20.0, 0.0, 0.0);
    assert_eq!(car.others().iter().filter(|kind| **kind == EventKind::Crash).count(), 0);
}

#[test]
fn without_an_accelerometer_a_speed_that_is_lost_at_once_and_for_good_is_a_crash() {
    for (name, sensors, kmh) in
        [("obd", OBD, 70.0), ("gnss", GNSS, 70.0), ("obd at 5 Hz", Sensors { obd_ms: 200, ..OBD }, 40.0)]
    {
        let mut car = Written::new(sensors);
        car.go(2.0, 0.0, 0.0).reach(kmh);
        car.kmh = 0.0;
        car.go(12.0, 0.0, 0.0);
        assert_eq!(car.others(), [EventKind::Crash], "{name}");
        assert!(near(car.last().values["dv"], kmh, 3.0), "{name}: {:?}", car.last().values);
    }
}

#[test]
fn full_brakes_to_a_standstill_are_harsh_and_no_crash_by_any_sensor() {
    for sensors in [OBD, GNSS, BOTH, FULL, Sensors { obd_ms: 200, ..OBD }, Sensors { gnss_ms: 100, ..GNSS }] {
        let mut car = Written::new(sensors);
        car.go(2.0, 0.0, 0.0).reach(100.0).go(3.0, -9.8, 0.0).go(20.0, 0.0, 0.0);
        assert_eq!(car.others(), [EventKind::HarshBraking], "{} {}", sensors.obd_ms, sensors.gnss_ms);
    }
}

#[test]
fn a_speed_that_comes_back_or_wheels_that_lock_are_no_crash() {
    let mut car = Written::new(OBD);
    car.go(2.0, 0.0, 0.0).reach(80.0);
    car.tell(&[("spd", 0.0)]);
    car.go(10.0, 0.0, 0.0);
    assert_eq!(car.others(), []);
    // On ice: the wheels stand, the receiver goes on.
    let mut car = Written::new(Sensors { obd_ms: 0, ..BOTH });
    for _ in 0..10 {
        car.tell(&[("spd", 60.0)]);
        car.kmh = 60.0;
        car.go(1.0, 0.0, 0.0);
    }
    for _ in 0..10 {
        car.tell(&[("spd", 0.0)]);
        car.go(1.0, -1.2, 0.0);
    }
    assert_eq!(car.others(), []);
}

// ---- Ignition ----

fn ignitions(car: &Written) -> Vec<EventKind> {
    let ignition = [EventKind::IgnitionOn, EventKind::IgnitionOff];
    car.kinds().into_iter().filter(|kind| ignition.contains(kind)).collect()
}

/// Parked: control units asleep, the adapter tells the voltage.
const PARKED: Sensors = Sensors { obd_ms: 0, volts: 12.5, ..BOTH };

#[test]
fn an_engine_that_starts_and_control_units_that_fall_asleep_are_the_ignition() {
    let mut car = Written::new(PARKED);
    car.go(120.0, 0.0, 0.0);
    assert_eq!(car.kinds(), [], "nobody switched it off");
    car.sensors = BOTH;
    let started = car.ts();
    car.go(5.0, 0.0, 0.0).reach(50.0).reach(0.0);
    assert_eq!(car.kinds(), [EventKind::IgnitionOn]);
    assert!(near((car.last().at - started) as f64, 0.0, 1_100.0));
    car.sensors = PARKED;
    let stopped = car.ts();
    car.go(300.0, 0.0, 0.0);
    assert_eq!(car.kinds(), [EventKind::IgnitionOn, EventKind::IgnitionOff]);
    assert!(near((car.last().at - stopped) as f64, 0.0, 1_100.0), "at the time, however late it is noticed");
}

#[test]
fn a_hybrid_whose_engine_stands_while_it_drives_or_waits_stays_on() {
    let mut car = Written::new(Sensors { rpm: 0.0, ..BOTH });
    car.go(5.0, 0.0, 0.0).reach(50.0).reach(0.0).go(600.0, 0.0, 0.0).reach(30.0);
    assert_eq!(car.kinds(), [EventKind::IgnitionOn]);
}

#[test]
fn control_units_that_stay_awake_with_the_engine_at_rest_are_off_in_the_end() {
    let mut car = Written::new(BOTH);
    car.go(5.0, 0.0, 0.0).reach(50.0).reach(0.0);
    car.sensors = Sensors { rpm: 0.0, volts: 12.6, ..BOTH };
    car.go(180.0, 0.0, 0.0);
    assert_eq!(ignitions(&car), [EventKind::IgnitionOn], "a light that is long red, with the engine stopped");
    car.go(240.0, 0.0, 0.0);
    assert_eq!(ignitions(&car), [EventKind::IgnitionOn, EventKind::IgnitionOff]);
}

#[test]
fn an_adapter_that_falls_silent_is_no_ignition_while_it_moves() {
    let mut car = Written::new(BOTH);
    car.go(5.0, 0.0, 0.0).reach(50.0);
    car.sensors = Sensors { obd_ms: 0, volts: 0.0, ..BOTH };
    car.go(900.0, 0.0, 0.0);
    assert_eq!(ignitions(&car), [EventKind::IgnitionOn]);
    car.reach(0.0).go(400.0, 0.0, 0.0);
    assert_eq!(ignitions(&car), [EventKind::IgnitionOn, EventKind::IgnitionOff]);
}

#[test]
fn a_wire_of_the_ignition_counts_and_a_starter_that_pulls_it_down_does_not() {
    let mut car = Written::new(Sensors { obd_ms: 0, gnss_ms: 0, volts: 14.4, ..OBD });
    let switched_off = car.ts() + 152_400;
    for (ign, seconds) in [(0.0, 20.0), (1.0, 3.0), (0.0, 0.4), (1.0, 60.0), (0.0, 9.0), (1.0, 60.0), (0.0, 20.0)] {
        car.tell(&[("ign", ign)]);
        car.go(seconds, 0.0, 0.0);
    }
    assert_eq!(car.kinds(), [EventKind::IgnitionOn, EventKind::IgnitionOff]);
    assert_eq!(car.last().at, switched_off);
    // Control units that are not heard while it drives.
    let mut car = Written::new(Sensors { obd_ms: 0, ..BOTH });
    for (ign, kmh) in [(1.0, 50.0), (0.0, 70.0), (0.0, 60.0), (1.0, 50.0)] {
        car.tell(&[("ign", ign)]);
        car.reach(kmh).go(30.0, 0.0, 0.0);
    }
    assert_eq!(car.kinds(), [EventKind::IgnitionOn]);
}

#[test]
fn a_car_on_a_charger_is_not_on_unless_the_voltage_is_all_that_it_tells() {
    let mut car = Written::new(BOTH);
    car.go(30.0, 0.0, 0.0);
    car.sensors = PARKED;
    car.go(120.0, 0.0, 0.0);
    car.sensors.volts = 13.9;
    car.go(600.0, 0.0, 0.0);
    assert_eq!(ignitions(&car), [EventKind::IgnitionOn, EventKind::IgnitionOff]);
    let mut simple = Written::new(Sensors { obd_ms: 0, volts: 28.1, ..GNSS });
    simple.go(60.0, 0.0, 0.0);
    simple.sensors.volts = 25.0;
    simple.go(200.0, 0.0, 0.0);
    assert_eq!(ignitions(&simple), [EventKind::IgnitionOn, EventKind::IgnitionOff]);
}

// ---- Tow, idling, battery ----

fn parked() -> Written {
    let mut car = Written::new(BOTH);
    car.go(5.0, 0.0, 0.0).reach(30.0).reach(0.0);
    car.sensors = PARKED;
    car.go(300.0, 0.0, 0.0);
    assert_eq!(car.kinds(), [EventKind::IgnitionOn, EventKind::IgnitionOff]);
    car.events.clear();
    car
}

#[test]
fn a_parked_car_that_is_carried_away_is_towed_once() {
    let mut car = parked();
    car.reach(40.0).go(600.0, 0.0, 0.0);
    assert_eq!(car.kinds(), [EventKind::Tow]);
    assert!(car.last().place.is_some() && car.last().values["distance_m"] > 50.0);
}

#[test]
fn a_parked_car_that_is_pushed_away_slowly_is_towed_too() {
    let mut car = parked();
    car.kmh = 4.0;
    car.go(120.0, 0.0, 0.0);
    assert_eq!(car.kinds(), []);
    car.go(60.0, 0.0, 0.0);
    assert_eq!(car.kinds(), [EventKind::Tow]);
    assert!(near(car.last().values["distance_m"], 165.0, 15.0), "{:?}", car.last().values);
}

#[test]
fn a_receiver_that_wanders_between_walls_is_no_tow() {
    let mut car = parked();
    car.sensors.noise = (25.0, 90.0);
    car.go(1800.0, 0.0, 0.0);
    // A reflection that throws it half a kilometre away for a second, twice.
    for _ in 0..2 {
        car.tell(&[("lat", 47.005), ("lon", 8.0), ("gspd", 60.0)]);
        car.go(60.0, 0.0, 0.0);
    }
    assert_eq!(car.kinds(), []);
}

#[test]
fn a_car_that_is_driven_or_of_which_nothing_is_known_is_not_towed() {
    let mut driven = parked();
    driven.sensors = BOTH;
    driven.go(5.0, 0.0, 0.0).reach(50.0).go(60.0, 0.0, 0.0);
    assert_eq!(driven.kinds(), [EventKind::IgnitionOn]);
    let mut unknown = Written::new(Sensors { volts: 0.0, ..GNSS });
    unknown.go(300.0, 0.0, 0.0).reach(50.0).go(60.0, 0.0, 0.0);
    assert_eq!(unknown.kinds(), []);
}

#[test]
fn standing_with_the_engine_running_is_idling_once_until_it_has_moved() {
    let mut car = Written::new(BOTH);
    car.go(5.0, 0.0, 0.0).reach(30.0).reach(0.0);
    let stood = car.ts() - 8_000;
    car.go(280.0, 0.0, 0.0);
    assert_eq!(car.others(), []);
    car.go(900.0, 0.0, 0.0);
    assert_eq!(car.others(), [EventKind::Idling]);
    assert!(near((car.last().at - stood) as f64, 0.0, 2_000.0), "since it stands");
    car.reach(30.0).reach(0.0).go(320.0, 0.0, 0.0);
    assert_eq!(car.others(), [EventKind::Idling; 2]);
}

#[test]
fn who_crawls_or_stops_the_engine_in_time_does_not_idle() {
    let mut car = Written::new(BOTH);
    car.go(5.0, 0.0, 0.0);
    for _ in 0..10 {
        car.go(200.0, 0.0, 0.0);
        car.reach(6.0).reach(0.0);
    }
    for _ in 0..10 {
        car.sensors.rpm = 2000.0;
        car.go(200.0, 0.0, 0.0);
        car.sensors.rpm = 0.0;
        car.go(20.0, 0.0, 0.0);
    }
    assert_eq!(car.others(), []);
}

#[test]
fn an_electric_car_that_is_ready_to_drive_does_not_idle() {
    let mut car = Written::new(Sensors { obd_ms: 0, ..BOTH });
    for i in 0..900 {
        car.tell(&[("spd", if i < 10 { 5.0 } else { 0.0 })]);
        car.go(1.0, 0.0, 0.0);
    }
    assert_eq!(car.kinds(), [EventKind::IgnitionOn]);
}

#[test]
fn a_battery_that_stays_low_is_told_once_and_again_when_it_had_recovered() {
    let mut car = parked();
    car.sensors.volts = 11.7;
    car.go(50.0, 0.0, 0.0);
    assert_eq!(car.kinds(), []);
    car.go(3600.0, 0.0, 0.0);
    assert_eq!(car.kinds(), [EventKind::LowBattery]);
    assert_eq!(car.last().values["vbat"], 11.7);
    for (volts, told) in [(11.9, 1), (11.7, 1), (12.4, 1), (11.7, 2)] {
        car.sensors.volts = volts;
        car.go(200.0, 0.0, 0.0);
        assert_eq!(car.kinds().len(), told, "{volts}");
    }
}

#[test]
fn a_starter_that_pulls_the_battery_down_and_a_lorry_with_24_v_are_no_low_battery() {
    let mut car = parked();
    car.tell(&[("vbat", 9.4)]);
    car.go(60.0, 0.0, 0.0);
    car.sensors.volts = 25.0;
    car.go(300.0, 0.0, 0.0);
    assert_eq!(car.kinds(), []);
    car.sensors.volts = 23.4;
    car.go(100.0, 0.0, 0.0);
    assert_eq!(car.kinds(), [EventKind::LowBattery]);
}

#[test]
fn a_battery_that_is_not_charged_is_told_only_where_that_is_wanted() {
    for (low_charging, events) in [(None, &[][..]), (Some(13.0), &[EventKind::LowBattery][..])] {
        let limits = Limits { low_charging, ..Limits::default() };
        let mut car = Written::with(Sensors { volts: 12.6, ..BOTH }, limits, Vec::new());
        car.go(5.0, 0.0, 0.0).reach(50.0).go(200.0, 0.0, 0.0);
        assert_eq!(car.others(), events);
    }
}

// ---- Geofences ----

fn depot(radius_m: f64) -> Geofence {
    let centre = (HOME.0, HOME.1 + 500.0 / (M_PER_DEG * HOME.0.to_radians().cos()));
    Geofence { id: "d1".to_owned(), name: "Depot".to_owned(), shape: Shape::Circle { centre, radius_m } }
}

fn fenced(sensors: Sensors) -> Written {
    Written::with(sensors, Limits::default(), vec![depot(200.0)])
}

const CROSSED: [EventKind; 2] = [EventKind::GeofenceEnter, EventKind::GeofenceLeave];

#[test]
fn driving_through_an_area_enters_and_leaves_it_at_its_border() {
    let mut car = fenced(GNSS);
    car.go(5.0, 0.0, 0.0).reach(60.0).go(60.0, 0.0, 0.0);
    assert_eq!(car.others(), CROSSED);
    let [enter, leave] = &car.events[car.events.len() - 2..] else { panic!() };
    assert_eq!(enter.text.as_deref(), Some("d1: Depot"));
    let metres_east = |event: &Happening| (event.place.unwrap().1 - HOME.1) * M_PER_DEG * HOME.0.to_radians().cos();
    assert!(near(metres_east(enter), 310.0, 12.0), "{}", metres_east(enter));
    assert!(near(metres_east(leave), 730.0, 15.0), "{}", metres_east(leave));
}

#[test]
fn standing_at_a_border_in_noise_is_one_crossing() {
    let mut car = fenced(Sensors { noise: (0.5, 12.0), ..GNSS });
    car.go(5.0, 0.0, 0.0).reach(30.0);
    while car.others().is_empty() {
        car.go(0.2, 0.0, 0.0);
    }
    car.kmh = 0.0;
    car.sensors.noise = (0.5, 17.0);
    car.go(7200.0, 0.0, 0.0);
    assert_eq!(car.others().iter().filter(|kind| CROSSED.contains(kind)).count(), 1);
}

#[test]
fn to_be_somewhere_at_first_and_a_single_wrong_position_are_no_crossing() {
    let mut car = Written::with(GNSS, Limits::default(), vec![depot(900.0)]);
    car.go(60.0, 0.0, 0.0);
    car.tell(&[("lat", 46.0), ("lon", 8.0), ("hdop", 0.9)]);
    car.go(10.0, 0.0, 0.0);
    car.tell(&[("lat", 46.0), ("lon", 8.0), ("hdop", 8.0)]);
    car.at_ms += 2_000;
    car.tell(&[("lat", 46.0), ("lon", 8.0), ("hdop", 8.0)]);
    car.go(10.0, 0.0, 0.0);
    assert_eq!(car.others(), []);
}

#[test]
fn a_crossing_that_an_agent_has_slept_through_is_told_by_the_next_one() {
    let mut car = Written::with(GNSS, Limits::default(), vec![depot(900.0)]);
    car.go(60.0, 0.0, 0.0);
    let kept = serde_json::to_string(&car.detectors.snapshot()).unwrap();
    let kept: Snapshot = serde_json::from_str(&kept).unwrap();
    for (radius_m, version, events) in [(900.0, 1, &CROSSED[1..]), (901.0, 1, &[]), (900.0, 2, &[])] {
        let mut next = Written::with(GNSS, Limits::default(), vec![depot(radius_m)]);
        next.detectors.restore(&Snapshot { v: version, ..kept.clone() });
        next.place = (46.5, 8.0);
        next.go(10.0, 0.0, 0.0);
        assert_eq!(next.others(), events, "{radius_m} {version}");
    }
}

#[test]
fn other_areas_and_thresholds_take_nothing_away_from_those_that_stay() {
    let mut car = Written::with(GNSS, Limits::default(), vec![depot(900.0)]);
    car.go(60.0, 0.0, 0.0);
    let other = Geofence { id: "d2".to_owned(), ..depot(10_000.0) };
    car.detectors.set(Limits::default(), vec![other, depot(900.0)]);
    car.place = (46.98, 8.0);
    car.go(10.0, 0.0, 0.0);
    assert_eq!(car.others(), [EventKind::GeofenceLeave]);
    assert_eq!(car.last().text.as_deref(), Some("d1: Depot"));
}

#[test]
fn in_private_no_event_has_a_place_and_no_area_is_crossed_not_even_afterwards() {
    let mut car = fenced(BOTH);
    car.go(5.0, 0.0, 0.0).reach(60.0);
    car.detectors.keep_private(true);
    car.go(15.0, 0.0, 0.0).go(2.0, -5.0, 0.0).go(5.0, 0.0, 0.0);
    assert_eq!(car.others(), [EventKind::HarshBraking]);
    assert!(car.last().place.is_none() && car.detectors.place().is_none());
    assert!(car.events.iter().all(|event| !event.values.keys().any(|key| key == "lat" || key == "lon")));
    car.detectors.keep_private(false);
    car.go(5.0, 0.0, 0.0);
    assert_eq!(car.others(), [EventKind::HarshBraking]);
}

// ---- Restart ----

#[test]
fn a_restart_is_no_start_of_the_engine_and_a_car_that_was_parked_is_towed_after_it() {
    let restart = |car: &Written, sensors: Sensors, later_ms: i64| {
        let kept: Snapshot = serde_json::from_str(&serde_json::to_string(&car.detectors.snapshot()).unwrap()).unwrap();
        let mut next = Written::new(sensors);
        next.place = car.place;
        next.at_ms = car.at_ms + later_ms as u64;
        next.detectors.restore(&kept);
        next
    };
    let mut driving = Written::new(BOTH);
    driving.go(5.0, 0.0, 0.0).reach(50.0);
    let mut next = restart(&driving, BOTH, 20_000);
    next.go(60.0, 0.0, 0.0);
    assert_eq!(next.kinds(), []);
    let mut much_later = restart(&driving, BOTH, 3_600_000);
    much_later.go(60.0, 0.0, 0.0);
    assert_eq!(much_later.kinds(), [EventKind::IgnitionOn]);
    let parked = parked();
    let mut next = restart(&parked, PARKED, 20_000);
    next.go(60.0, 0.0, 0.0).reach(40.0).go(100.0, 0.0, 0.0);
    assert_eq!(next.kinds(), [EventKind::Tow]);
    let mut again = restart(&next, PARKED, 20_000);
    again.go(100.0, 0.0, 0.0);
    assert_eq!(again.kinds(), []);
}

// ---- Whole drives ----

fn values_of(fix: &Fix) -> Vec<(Key, f64)> {
    let quality = &fix.quality;
    let told = [
        ("lat", Some(fix.lat)),
        ("lon", Some(fix.lon)),
        ("hdg", fix.hdg),
        ("gspd", fix.gspd),
        ("hdop", quality.hdop),
        ("sats", quality.sats),
    ];
    told.into_iter().filter_map(|(key, value)| Some((key.into(), value?))).collect()
}

fn replayed(content: &[u8], limits: Limits) -> Vec<Happening> {
    let (mut gate, mut assembler) = (Gate::default(), Assembler::default());
    let mut fixes = Vec::new();
    for byte in content {
        if let Some(Ok(sentence)) = gate.push(*byte) {
            fixes.extend(assembler.push(&sentence).into_iter().flatten());
        }
    }
    fixes.extend(assembler.flush().into_iter().flatten());
    let (mut detectors, mut out) = (Detectors::new(limits, Vec::new()), Vec::new());
    for fix in &fixes {
        detectors.take(&Moment { at_ms: fix.ts as u64, ts: fix.ts, values: &values_of(fix) }, &mut out);
    }
    out
}

#[test]
fn a_drive_that_was_recorded_has_few_harsh_events_and_neither_crash_nor_tow() {
    let content = match recording::shared("switzerland-drive.nmea.gz") {
        Some(path) => recording::content(&path),
        None => bugbrother_simulator::nmea_log(11, Duration::from_secs(10_000), START).bytes,
    };
    let events = replayed(&content, Limits::default());
    for event in &events {
        println!("{} {:?} {:?} {:?}", event.at, event.kind, event.place, event.values);
    }
    let harsh = [EventKind::HarshBraking, EventKind::HarshAcceleration, EventKind::HarshCornering];
    assert!(events.iter().all(|event| harsh.contains(&event.kind) && event.place.is_some()));
    assert!(events.len() <= 12, "{}", events.len());
}

/// Drives a car of the simulator, and compares with what its physics have done.
fn simulated(name: &str, minutes: u64, limits: Limits) -> (Vec<EventKind>, Vec<EventKind>) {
    let profile = demo_fleet().into_iter().find(|profile| profile.name == name).unwrap();
    let mut car = Car::new(&profile);
    let mut talker = NmeaTalker::new(&car);
    let (mut detectors, mut out, mut truth) = (Detectors::new(limits, Vec::new()), Vec::new(), Vec::new());
    let mut was_on = None;
    for second in 0..minutes * 60 {
        let reading = car.reading();
        let (at_ms, ts) = (1000 + second * 1000, START + second as i64 * 1000);
        if was_on != Some(reading.ignition) {
            match (was_on, reading.ignition) {
                (_, true) => truth.push(EventKind::IgnitionOn),
                (Some(true), false) => truth.push(EventKind::IgnitionOff),
                _ => {}
            }
            was_on = Some(reading.ignition);
        }
        let fix = talker.fix(&reading, ts);
        let mut values: Vec<(Key, f64)> = vec![("lat".into(), fix.point.lat), ("lon".into(), fix.point.lon)];
        values.push(("vbat".into(), reading.voltage));
        if reading.ignition {
            values.push(("spd".into(), reading.speed_kmh.floor()));
            values.push(("rpm".into(), reading.rpm));
        }
        detectors.take(&Moment { at_ms, ts, values: &values }, &mut out);
        detectors.tick(at_ms, ts, &mut out);
        car.step(Duration::from_secs(1));
    }
    (out.into_iter().map(|event| event.kind).collect(), truth)
}

#[test]
fn simulated_cars_are_on_and_off_when_they_are_and_drive_within_their_limits() {
    for name in ["Van 12", "Courier 3", "Pizza 4", "Nurse 2", "Shuttle 1"] {
        let (found, truth) = simulated(name, 60, Limits::default());
        println!("{name}: {truth:?}");
        // A light may be red for longer than idling takes; nothing else happens.
        let found: Vec<_> = found.into_iter().filter(|kind| *kind != EventKind::Idling).collect();
        // The last stop may not be noticed yet when the time is up.
        assert!(found == truth || found == truth[..truth.len() - 1], "{name}: {found:?}, {truth:?}");
        assert!(truth.contains(&EventKind::IgnitionOn), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Values of any kind in any order at any time neither stop the detectors nor make events without end.
    #[test]
    fn whatever_is_told_events_stay_few_and_fit_the_contract(
        rows in prop::collection::vec(
            (-20_000i64..20_000, prop::sample::select(vec![
                "lat", "lon", "gspd", "hdg", "hdop", "sats", "spd", "rpm", "vbat", "ign", "ax", "ay", "az", "x.y",
            ]), prop::num::f64::ANY, -400.0..400.0f64, any::<bool>()),
            0..400,
        ),
    ) {
        let (mut detectors, mut out) = (Detectors::new(Limits::default(), vec![depot(200.0)]), Vec::new());
        let mut at_ms = 1_000_000i64;
        for (step, key, wild, tame, is_tame) in &rows {
            at_ms = (at_ms + if step % 3 == 0 { *step } else { step.rem_euclid(300) }).max(0);
            let value = if *is_tame { *tame } else { *wild };
            let values: Vec<(Key, f64)> = vec![((*key).into(), value), ("ay".into(), *tame), ("lat".into(), 47.0)];
            detectors.take(&Moment { at_ms: at_ms as u64, ts: START + at_ms, values: &values }, &mut out);
            detectors.tick(at_ms as u64, START + at_ms, &mut out);
        }
        prop_assert!(out.len() <= rows.len());
        for event in &out {
            prop_assert!(event.values.iter().all(|(key, value)| value.is_finite() && key.len() <= 24));
        }
        let kept = detectors.snapshot();
        let text = serde_json::to_string(&kept).unwrap();
        prop_assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), kept);
    }
}
