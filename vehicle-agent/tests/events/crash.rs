//! A blow, a roll, and what is none.

use bugbrother_wire::message::EventKind;

use crate::written::{BOTH, FULL, GNSS, OBD, Sensors, Written, near};

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
