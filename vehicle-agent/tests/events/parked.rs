//! A car that stands: tow, idling, battery, and a restart of the agent meanwhile.

use bugbrother_agent::event::{Limits, Snapshot};
use bugbrother_wire::message::EventKind;

use crate::written::{BOTH, GNSS, PARKED, Sensors, Written, near, parked};

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
