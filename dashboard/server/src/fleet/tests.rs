use bugbrother_store::{Latest, latest::MAX_SIGNALS};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq,
    codec::MAX_KEYS,
    live::{Change, LiveVehicle},
    message::{Clock, Presence, Row, Severity, Status, Telemetry},
};
use uuid::Uuid;

use super::*;

const NOW: UnixMs = 1_790_000_000_000;

fn vin() -> Vin {
    "WVWZZZ1JZ3W386752".parse().unwrap()
}

fn batch(t0: UnixMs, values: &[(&str, f64)]) -> Telemetry {
    Telemetry {
        v: SCHEMA_VERSION,
        vin: vin(),
        epoch: Epoch(1),
        seq: Seq(1),
        t0,
        clock: Clock::Gnss,
        keys: values.iter().map(|(key, _)| (*key).to_owned()).collect(),
        rows: vec![Row { dt_ms: 0, values: values.iter().map(|(_, value)| Some(*value)).collect() }],
        gap: None,
    }
}

fn status(epoch: u64, since: UnixMs, status: Presence) -> Message {
    Message::Status(Status { v: SCHEMA_VERSION, vin: vin(), epoch: Epoch(epoch), status, since, reason: None })
}

fn alert(id: u128, updated: UnixMs) -> Alert {
    Alert {
        v: SCHEMA_VERSION,
        vin: vin(),
        id: AlertId(Uuid::from_u128(id)),
        rule: "speed".to_owned(),
        title: "Faster than 130 km/h".to_owned(),
        severity: Severity::Warning,
        state: AlertState::Open,
        opened: NOW,
        updated,
        resolved: None,
        count: 1,
        value: Some(141.0),
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
    }
}

/// As the database has it before its first word.
fn stored() -> VehicleState {
    VehicleState { vin: vin(), name: "Van 7".to_owned(), plate: None, latest: Latest::default() }
}

#[test]
fn viewers_are_told_whom_a_vehicle_serves_and_nobody_is_made_by_that() {
    let mut fleet = Fleet::new(10);
    fleet.serve(vin(), Some("Alpine Taxi".to_owned()));
    assert_eq!(fleet.len(), 0);
    fleet.restore(stored(), NOW);
    fleet.serve(vin(), Some("Alpine Taxi".to_owned()));
    assert_eq!(only(&fleet).client.as_deref(), Some("Alpine Taxi"));
    fleet.serve(vin(), None);
    assert_eq!(only(&fleet).client, None);
}

fn telemetry(fleet: &mut Fleet, batch: Telemetry) -> Applied {
    let topic = Topic::new(batch.vin, Kind::Telemetry);
    fleet.apply(&topic, Message::Telemetry(batch), NOW)
}

fn say_status(fleet: &mut Fleet, message: Message) {
    fleet.apply(&Topic::new(vin(), Kind::Status), message, NOW);
}

fn only(fleet: &Fleet) -> LiveVehicle {
    let mut vehicles = fleet.snapshot(NOW, |_| true, |_| true).vehicles;
    assert_eq!(vehicles.len(), 1);
    vehicles.remove(0)
}

#[test]
fn a_delta_says_what_has_changed_and_says_it_once() {
    let mut fleet = Fleet::new(10);
    assert_eq!(telemetry(&mut fleet, batch(NOW - 2_000, &[("spd", 50.0), ("rpm", 2000.0)])), Applied::NewVehicle);
    let first = fleet.delta(NOW);
    assert_eq!(first.named, vec![only(&fleet)]);
    assert!(first.changed.is_empty());
    telemetry(&mut fleet, batch(NOW - 1_000, &[("spd", 51.0), ("rpm", 2000.0)]));
    let second = fleet.delta(NOW);
    assert_eq!(second.changed, vec![Change(0, Presence::Offline, NOW - 1_000, NOW, vec![("spd".to_owned(), 51.0)])]);
    assert!(is_empty(&fleet.delta(NOW)));
}

#[test]
fn late_data_never_moves_the_latest_value_back_but_fills_what_is_unknown() {
    let mut fleet = Fleet::new(10);
    telemetry(&mut fleet, batch(NOW - 1_000, &[("spd", 80.0)]));
    fleet.delta(NOW);
    let late = batch(NOW - 60_000, &[("spd", 20.0), ("fuel", 55.0)]);
    fleet.apply(&Topic::new(vin(), Kind::Backfill), Message::Backfill(late), NOW);
    let vehicle = only(&fleet);
    assert_eq!((vehicle.values["spd"], vehicle.values["fuel"]), (80.0, 55.0));
    assert_eq!(vehicle.source_ts, NOW - 1_000);
    let delta = fleet.delta(NOW);
    assert_eq!(delta.changed[0].4, vec![("fuel".to_owned(), 55.0)]);
}

#[test]
fn the_newest_row_with_a_value_counts_for_each_signal() {
    let mut fleet = Fleet::new(10);
    let mut rows = batch(NOW - 3_000, &[("spd", 10.0), ("ect", 90.0)]);
    rows.rows.push(Row { dt_ms: 1_000, values: vec![Some(12.0), None] });
    telemetry(&mut fleet, rows);
    let vehicle = only(&fleet);
    assert_eq!((vehicle.values["spd"], vehicle.values["ect"]), (12.0, 90.0));
    assert_eq!(vehicle.source_ts, NOW - 2_000);
}

#[test]
fn a_clock_that_is_years_ahead_does_not_hide_what_comes_after() {
    let mut fleet = Fleet::new(10);
    telemetry(&mut fleet, batch(NOW + 1_000_000_000, &[("spd", 1.0)]));
    let later = NOW + 120_000;
    let message = Message::Telemetry(batch(later, &[("spd", 2.0)]));
    fleet.apply(&Topic::new(vin(), Kind::Telemetry), message, later);
    assert_eq!(only(&fleet).values["spd"], 2.0);
}

#[test]
fn the_will_of_an_older_connection_or_outbox_does_not_override_the_present_one() {
    let mut fleet = Fleet::new(10);
    say_status(&mut fleet, status(2, NOW, Presence::Online));
    say_status(&mut fleet, status(2, NOW - 1, Presence::Offline));
    say_status(&mut fleet, status(1, NOW + 1, Presence::Offline));
    assert_eq!(only(&fleet).presence, Presence::Online);
    say_status(&mut fleet, status(2, NOW, Presence::Offline));
    assert_eq!(only(&fleet).presence, Presence::Offline);
}

#[test]
fn a_vehicle_whose_clock_went_back_is_shown_online_and_its_will_counts() {
    let mut fleet = Fleet::new(10);
    fleet.restore(VehicleState { latest: Latest { presence_epoch: Epoch(9), ..Latest::default() }, ..stored() }, NOW);
    fleet.delta(NOW);
    say_status(&mut fleet, status(7, NOW, Presence::Online));
    say_status(&mut fleet, status(3, 1_000_000_000_000, Presence::Online));
    assert_eq!(fleet.delta(NOW).changed[0].1, Presence::Online);
    fleet.restore(VehicleState { latest: Latest { presence_epoch: Epoch(9), ..Latest::default() }, ..stored() }, NOW);
    assert_eq!(only(&fleet).presence, Presence::Online, "what was heard is newer than what was stored");
    say_status(&mut fleet, status(3, 1_000_000_000_000, Presence::Offline));
    assert_eq!(fleet.delta(NOW).changed[0].1, Presence::Offline);
}

#[test]
fn the_stored_presence_is_shown_until_the_vehicle_is_heard() {
    let online = Latest { presence: Presence::Online, presence_epoch: Epoch(2), ..Latest::default() };
    let mut fleet = Fleet::new(10);
    fleet.restore(VehicleState { latest: online.clone(), ..stored() }, NOW);
    assert_eq!(only(&fleet).presence, Presence::Online);
    say_status(&mut fleet, status(1, NOW, Presence::Offline));
    assert_eq!(only(&fleet).presence, Presence::Online, "it is the will of an older connection than the stored one");
    fleet.restore(VehicleState { latest: Latest { presence: Presence::Asleep, ..online }, ..stored() }, NOW);
    assert_eq!(only(&fleet).presence, Presence::Asleep);
}

#[test]
fn the_database_fills_in_signal_by_signal_and_never_moves_one_back() {
    let mut fleet = Fleet::new(10);
    telemetry(&mut fleet, batch(NOW - 5_000, &[("ect", 90.0), ("spd", 80.0)]));
    fleet.delta(NOW);
    let signals = [("ect".to_owned(), (NOW - 60_000, 20.0)), ("spd".to_owned(), (NOW - 1_000, 70.0))];
    let latest =
        Latest { source_ts: NOW - 1_000, received_ts: NOW - 900, signals: signals.into(), ..Latest::default() };
    fleet.restore(VehicleState { latest, ..stored() }, NOW);
    let vehicle = only(&fleet);
    assert_eq!((vehicle.values["ect"], vehicle.values["spd"]), (90.0, 70.0));
    assert_eq!((vehicle.source_ts, vehicle.received_ts), (NOW - 1_000, NOW - 900));
    telemetry(&mut fleet, batch(NOW - 3_000, &[("ect", 91.0), ("spd", 75.0)]));
    let vehicle = only(&fleet);
    assert_eq!((vehicle.values["ect"], vehicle.values["spd"]), (91.0, 70.0), "each signal has a time of its own");
}

#[test]
fn the_database_never_overrides_what_is_known_better() {
    let stored = |source_ts, speed| VehicleState {
        latest: Latest {
            source_ts,
            received_ts: source_ts,
            signals: [("spd".to_owned(), (source_ts, speed))].into(),
            ..Latest::default()
        },
        ..stored()
    };
    let mut fleet = Fleet::new(10);
    say_status(&mut fleet, status(1, NOW, Presence::Online));
    telemetry(&mut fleet, batch(NOW - 1_000, &[("spd", 80.0)]));
    fleet.restore(stored(NOW - 5_000, 10.0), NOW);
    let vehicle = only(&fleet);
    assert_eq!(vehicle.values["spd"], 80.0);
    assert_eq!(vehicle.presence, Presence::Online);
    assert_eq!(vehicle.name, "Van 7");
    fleet.restore(stored(NOW - 500, 90.0), NOW);
    assert_eq!(only(&fleet).values["spd"], 90.0);
}

#[test]
fn a_name_reaches_the_viewers_with_the_whole_vehicle() {
    let mut fleet = Fleet::new(10);
    telemetry(&mut fleet, batch(NOW, &[("spd", 1.0)]));
    fleet.delta(NOW);
    fleet.rename(vin(), "Van 7", Some("ZH 123"));
    let delta = fleet.delta(NOW);
    assert_eq!(delta.named[0].name, "Van 7");
    assert_eq!(delta.named[0].values["spd"], 1.0);
    fleet.rename(vin(), "Van 7", Some("ZH 123"));
    assert!(is_empty(&fleet.delta(NOW)));
}

#[test]
fn vehicles_beyond_the_limit_are_refused_and_of_the_keys_the_newest_stay() {
    let mut fleet = Fleet::new(1);
    telemetry(&mut fleet, batch(NOW, &[("spd", 1.0)]));
    let mut other = batch(NOW, &[("spd", 1.0)]);
    other.vin = "1M8GDM9AXKP042788".parse().unwrap();
    assert_eq!(telemetry(&mut fleet, other), Applied::Full);
    for n in 0..5 {
        let keys: Vec<_> = (0..MAX_KEYS).map(|k| format!("x.{n}.{k}")).collect();
        let values: Vec<_> = keys.iter().map(|key| (key.as_str(), 1.0)).collect();
        telemetry(&mut fleet, batch(NOW + n, &values));
    }
    let vehicle = only(&fleet);
    assert_eq!(vehicle.values.len(), MAX_SIGNALS);
    assert!(!vehicle.values.contains_key("spd") && vehicle.values.contains_key("x.4.0"), "the oldest make room");
    assert_eq!(fleet.delta(NOW).named, [vehicle]);
    telemetry(&mut fleet, batch(NOW + 6, &[("y", 1.0)]));
    assert_eq!(fleet.delta(NOW).named, [only(&fleet)], "viewers drop what is no longer kept");
}

#[test]
fn an_alert_appears_and_its_end_is_said_once() {
    let mut fleet = Fleet::new(10);
    let raised = alert(7, NOW);
    let topic = Topic::new(vin(), Kind::Alert(raised.id));
    fleet.apply(&topic, Message::Alert(raised.clone()), NOW);
    assert_eq!(fleet.delta(NOW).alerts, vec![raised.clone()]);
    fleet.apply(&topic, Message::Alert(alert(7, NOW - 1)), NOW);
    assert!(is_empty(&fleet.delta(NOW)), "an older word changes nothing");
    fleet.apply(&topic, Message::AlertCleared, NOW + 5);
    fleet.apply(&topic, Message::AlertCleared, NOW + 6);
    let told = fleet.delta(NOW).alerts;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].state, AlertState::Resolved);
    assert_eq!(told[0].resolved, Some(NOW + 5));
    assert!(fleet.snapshot(NOW, |_| true, |_| true).alerts.is_empty());
}

#[test]
fn an_alert_that_ended_unheard_is_dropped_by_the_database() {
    let mut fleet = Fleet::new(10);
    fleet.reconcile_alerts(vec![alert(1, NOW), alert(2, NOW)], true, NOW);
    fleet.delta(NOW);
    fleet.doubt_alerts();
    let new = alert(3, NOW);
    fleet.apply(&Topic::new(vin(), Kind::Alert(new.id)), Message::Alert(new.clone()), NOW);
    fleet.reconcile_alerts(vec![alert(2, NOW)], false, NOW);
    assert_eq!(fleet.snapshot(NOW, |_| true, |_| true).alerts.len(), 3, "the database has more than it told");
    fleet.reconcile_alerts(vec![alert(2, NOW)], true, NOW);
    assert_eq!(
        fleet.snapshot(NOW, |_| true, |_| true).alerts,
        vec![alert(2, NOW), new],
        "what was heard before it was stored stays"
    );
    assert_eq!(fleet.delta(NOW).alerts[0].state, AlertState::Resolved);
}
