//! On and off, by whatever tells it.

use bugbrother_wire::message::EventKind;

use crate::written::{BOTH, GNSS, OBD, PARKED, Sensors, Written, ignitions, near};

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
