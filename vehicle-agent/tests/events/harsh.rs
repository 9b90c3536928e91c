//! Pedals and corners.

use bugbrother_wire::message::EventKind;

use crate::written::{BOTH, FULL, GNSS, OBD, Sensors, Written, near};

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
