//! Areas that are entered and left.

use bugbrother_agent::{
    event::{Limits, Snapshot},
    outbox::Happening,
};
use bugbrother_wire::message::{EventKind, Geofence};

use crate::written::{BOTH, GNSS, HOME, M_PER_DEG, Sensors, Written, depot, near};

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
