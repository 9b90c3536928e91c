use bugbrother_wire::{
    SCHEMA_VERSION,
    live::{Change, LiveVehicle, Motion, SILENT_AFTER_MS},
    message::{Presence, Severity},
};

use super::*;

const NOW: UnixMs = 1_760_000_000_000;

fn vin(last: u32) -> Vin {
    format!("TMBJF7NE0L{last:07}").parse().unwrap()
}

fn live(n: u32, name: &str, values: &[(&str, f64)]) -> LiveVehicle {
    LiveVehicle {
        n,
        vin: vin(n),
        name: name.to_owned(),
        plate: Some(format!("ZH {n}")),
        client: (n == 1).then(|| "Alpine Taxi".to_owned()),
        presence: Presence::Online,
        source_ts: NOW,
        received_ts: NOW,
        values: values.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect(),
    }
}

fn alert(n: u32, severity: Severity, state: AlertState) -> Alert {
    Alert {
        v: SCHEMA_VERSION,
        vin: vin(n),
        id: "0192d4e0-7b5c-7000-8000-000000000001".parse().unwrap(),
        rule: "speed".to_owned(),
        title: "Faster than 130 km/h".to_owned(),
        severity,
        state,
        opened: NOW,
        updated: NOW,
        resolved: None,
        count: 1,
        value: Some(140.0),
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
    }
}

fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    let vehicles = vec![
        live(1, "Zoe", &[("lat", 46.0), ("lon", 7.0), ("spd", 50.0)]),
        live(2, "anna", &[("spd", 0.0), ("rpm", 800.0)]),
        live(3, "Max", &[("spd", 0.0), ("rpm", 0.0)]),
    ];
    fleet.apply(Frame::Snapshot(Snapshot { now: NOW, tick: 1, vehicles, alerts: vec![] }), 1000.0);
    fleet
}

fn delta(changed: Vec<Change>, alerts: Vec<Alert>) -> Frame {
    Frame::Delta(Delta { now: NOW + 1000, tick: 2, named: vec![], left: vec![], changed, alerts, notices: vec![] })
}

#[test]
fn vehicles_are_listed_by_name_and_counted_by_what_they_do() {
    let fleet = fleet();
    let names: Vec<_> = fleet.select(Filter::All, "").map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["anna", "Max", "Zoe"]);
    assert_eq!(
        [Filter::All, Filter::Moving, Filter::Idle, Filter::Parked].map(|f| fleet.counts().get(f)),
        [3, 1, 1, 1]
    );
}

#[test]
fn a_search_finds_names_plates_vins_and_clients_in_any_case() {
    let fleet = fleet();
    for text in ["ZOE", "zh 1", "l0000001 ", "oe", "alpine"] {
        let found: Vec<_> = fleet.select(Filter::All, text).map(|v| v.n).collect();
        assert_eq!(found, [1], "{text}");
    }
    assert_eq!(fleet.select(Filter::Idle, "zoe").count(), 0);
}

#[test]
fn a_change_keeps_the_values_that_it_does_not_name() {
    let mut fleet = fleet();
    let change = Change(1, Presence::Online, NOW + 1000, NOW + 1000, vec![("spd".to_owned(), 62.0)]);
    fleet.apply(delta(vec![change], vec![]), 2000.0);
    let zoe = fleet.find(vin(1)).unwrap();
    assert_eq!((zoe.speed_kmh(), zoe.value("lat")), (Some(62.0), Some(46.0)));
}

#[test]
fn a_change_of_an_unknown_number_is_dropped() {
    let mut fleet = fleet();
    fleet.apply(delta(vec![Change(99, Presence::Online, NOW, NOW, vec![])], vec![]), 2000.0);
    assert_eq!(fleet.vehicles().len(), 3);
}

#[test]
fn a_vehicle_falls_silent_by_time_alone_and_is_so_since_it_was_heard() {
    let mut fleet = fleet();
    fleet.tick(1000.0 + SILENT_AFTER_MS as f64 + 1.0);
    let zoe = fleet.find(vin(1)).unwrap();
    assert_eq!((zoe.motion, zoe.since), (Motion::Silent, Some(NOW)));
}

#[test]
fn how_long_a_vehicle_has_driven_is_told_only_if_its_start_was_seen() {
    let mut fleet = fleet();
    assert_eq!(fleet.find(vin(1)).unwrap().since, None);
    let change = Change(2, Presence::Online, NOW + 1000, NOW + 1000, vec![("spd".to_owned(), 20.0)]);
    fleet.apply(delta(vec![change], vec![]), 2000.0);
    assert_eq!(fleet.find(vin(2)).unwrap().since, Some(NOW + 1000));
}

#[test]
fn an_alert_marks_its_vehicle_until_it_is_resolved() {
    let mut fleet = fleet();
    fleet.apply(delta(vec![], vec![alert(1, Severity::Critical, AlertState::Open)]), 2000.0);
    assert_eq!(fleet.find(vin(1)).unwrap().look(), Look::Alert);
    assert_eq!((fleet.alert_count(), fleet.counts().get(Filter::Alert)), (1, 1));
    fleet.apply(delta(vec![], vec![alert(1, Severity::Critical, AlertState::Resolved)]), 3000.0);
    assert_eq!(fleet.find(vin(1)).unwrap().look(), Look::Moving);
    assert_eq!(fleet.alert_count(), 0);
}

#[test]
fn a_new_snapshot_with_other_numbers_keeps_the_trails() {
    let mut fleet = fleet();
    let position = vec![("lat".to_owned(), 46.01), ("lon".to_owned(), 7.0)];
    fleet.apply(delta(vec![Change(1, Presence::Online, NOW + 1000, NOW + 1000, position)], vec![]), 2000.0);
    let mut zoe = live(1, "Zoe", &[("lat", 46.02), ("lon", 7.0)]);
    zoe.n = 7;
    fleet.apply(Frame::Snapshot(Snapshot { now: NOW + 2000, tick: 3, vehicles: vec![zoe], alerts: vec![] }), 3000.0);
    assert_eq!(fleet.vehicles().len(), 1);
    assert_eq!(fleet.find(vin(1)).unwrap().track.as_ref().unwrap().trail().len(), 3);
}

#[test]
fn the_servers_clock_is_followed_whatever_the_browsers_says() {
    let fleet = fleet();
    assert_eq!(fleet.now(1500.0), NOW + 500);
}

#[test]
fn what_was_kept_is_shown_until_the_server_has_told_and_grows_old_meanwhile() {
    let mut before = Fleet::default();
    before.apply(Frame::Hello { server: "1".into(), now: NOW, feed: String::new() }, 0.0);
    assert_eq!(before.to_keep(0.0), None, "an empty fleet is not worth it");
    before.apply(
        Frame::Snapshot(Snapshot {
            now: NOW,
            tick: 1,
            vehicles: vec![live(0, "Ada", &[("spd", 50.0)])],
            alerts: vec![],
        }),
        0.0,
    );
    let kept = before.to_keep(0.0).unwrap();
    let mut after = Fleet::default();
    assert!(after.recall(kept.clone(), NOW + 3_600_000, 0.0));
    assert_eq!(after.vehicles()[0].motion, Motion::Silent);
    assert_eq!(after.to_keep(0.0), None, "what is old is not kept as if it were new");
    after.apply(Frame::Snapshot(Snapshot { now: NOW, tick: 1, vehicles: vec![], alerts: vec![] }), 0.0);
    assert!(!after.recall(kept, NOW, 0.0) && after.vehicles().is_empty());
}

#[test]
fn a_fleet_that_comes_in_pieces_counts_as_loaded_with_the_last_and_keeps_its_trails() {
    let mut fleet = fleet();
    let drove = vec![Change(1, Presence::Online, NOW + 1000, NOW + 1000, vec![("lat".to_owned(), 46.01)])];
    fleet.apply(delta(drove, vec![]), 2000.0);
    let trail = |fleet: &Fleet| fleet.find(vin(1)).and_then(|v| Some(v.track.as_ref()?.trail().len()));
    assert_eq!(trail(&fleet), Some(2));
    let first = vec![live(2, "anna", &[])];
    let alerts = vec![alert(1, Severity::Warning, AlertState::Open)];
    fleet.apply(Frame::Snapshot(Snapshot { now: NOW + 2000, tick: 0, vehicles: first, alerts }), 3000.0);
    let named = |vehicles, tick| {
        let (left, changed, alerts, notices) = (vec![], vec![], vec![], vec![]);
        Frame::Delta(Delta { now: NOW + 2000, tick, named: vehicles, left, changed, alerts, notices })
    };
    fleet.apply(named(vec![live(4, "Max", &[])], 0), 3000.0);
    fleet.apply(named(vec![live(1, "Zoe", &[("lat", 46.01), ("lon", 7.0)]), live(5, "Bob", &[])], 9), 3000.0);
    let names: Vec<_> = fleet.select(Filter::All, "").map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["anna", "Bob", "Max", "Zoe"]);
    assert_eq!(trail(&fleet), Some(2));
    assert!(fleet.find(vin(1)).is_some_and(|v| v.alert == Some(Severity::Warning)), "also of who came after its alert");
    assert!(fleet.find(vin(3)).is_none());
    let mut new = Fleet::default();
    new.apply(
        Frame::Snapshot(Snapshot { now: NOW, tick: 0, vehicles: vec![live(1, "Zoe", &[])], alerts: vec![] }),
        0.0,
    );
    assert!(!new.is_loaded());
    new.apply(named(vec![], 3), 0.0);
    assert!(new.is_loaded());
}
