//! What a desk keeps for the one after it, whom rules are about, and what comes late.

use std::collections::BTreeMap;

use bugbrother_notifier::desk::{Adopted, Book, Desk, Entry};
use bugbrother_rule::{Books, Item, Member};
use bugbrother_store::{ClientId, Condition, GeofenceId, GeofenceRecord, Latest, Rule, RuleScope, VehicleState};
use bugbrother_wire::{
    Epoch, EventId, Message, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{
        Alert, AlertState, Clock, Diagnostics, Dtc, DtcStatus, Event, EventKind, Presence, Row, Severity, Shape,
        Status, Telemetry,
    },
    rule::{Area, AreaMove, Codes, Happening},
};
use uuid::Uuid;

const NOW: UnixMs = 1_790_000_000_000;
const MINUTE: i64 = 60_000;

fn golf() -> Vin {
    "WVWZZZ1JZ3W386752".parse().expect("it is a VIN")
}

fn other() -> Vin {
    "1M8GDM9AXKP042788".parse().expect("it is a VIN")
}

fn rule(id: &str, condition: Condition) -> Rule {
    Rule {
        id: id.into(),
        title: id.into(),
        severity: Severity::Warning,
        enabled: true,
        scope: RuleScope::All,
        condition,
        film: false,
    }
}

fn fast() -> Rule {
    rule("fast", Condition::Above { signals: vec!["spd".into()], on: 130.0, off: 125.0, for_ms: 10_000 })
}

fn desk(book: impl Into<Book>) -> Desk {
    let mut desk = Desk::new(book, Vec::new(), Vec::new(), NOW).0;
    desk.listen(NOW);
    desk
}

fn batch(vin: Vin, t0: UnixMs, keys: &[&str], rows: &[&[f64]]) -> Telemetry {
    let rows = rows.iter().enumerate();
    Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(1),
        t0,
        clock: Clock::Gnss,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        rows: rows
            .map(|(n, row)| Row { dt_ms: n as u32 * 1000, values: row.iter().copied().map(Some).collect() })
            .collect(),
        gap: None,
    }
}

fn drive(desk: &mut Desk, vin: Vin, t0: UnixMs, kmh: &[f64]) -> Vec<Alert> {
    let rows: Vec<[f64; 1]> = kmh.iter().map(|kmh| [*kmh]).collect();
    let rows: Vec<&[f64]> = rows.iter().map(|row| row.as_slice()).collect();
    desk.hear(vin, &Message::Telemetry(batch(vin, t0, &["spd"], &rows)), false, t0 + kmh.len() as i64 * 1000)
}

/// The same vehicle at another desk, by what the first one has kept.
fn hand_over(mut from: Desk, book: impl Into<Book>, alerts: Vec<Alert>, now: UnixMs) -> Desk {
    let memory = from.release(golf()).expect("it is known");
    assert!(from.release(golf()).is_none() && from.active().count() == 0, "it is given up");
    let mut to = desk(book);
    let latest = Latest { received_ts: now, source_ts: now, presence: Presence::Online, ..Latest::default() };
    let state = VehicleState { vin: golf(), name: "Golf".into(), plate: None, latest };
    let ended = to.adopt(golf(), Adopted { state: Some(state), memory: Some(memory), alerts }, now);
    assert_eq!(ended, []);
    to
}

#[test]
fn a_restart_does_not_forget_what_has_begun() {
    let mut first = desk(vec![fast()]);
    assert_eq!(drive(&mut first, golf(), NOW, &[140.0; 8]), []);
    let mut second = hand_over(first, vec![fast()], Vec::new(), NOW + 8_000);
    let opened = drive(&mut second, golf(), NOW + 8_000, &[140.0; 4]);
    assert_eq!((opened.len(), opened[0].opened), (1, NOW), "since before the restart");
    // What was delivered to the first is delivered again.
    assert_eq!(drive(&mut second, golf(), NOW, &[140.0; 8]), []);
}

#[test]
fn an_alert_that_could_not_be_stored_is_raised_again_and_one_that_was_is_not() {
    let mut first = desk(vec![fast()]);
    let opened = drive(&mut first, golf(), NOW, &[140.0; 12]);
    assert_eq!(opened.len(), 1);
    let mut third = hand_over(first, vec![fast()], Vec::new(), NOW + 12_000);
    let again = drive(&mut third, golf(), NOW + 12_000, &[141.0]);
    assert_eq!((again.len(), again[0].opened, again[0].state), (1, NOW, AlertState::Open), "the database had none");
    let stored = again.clone();
    let mut fourth = hand_over(third, vec![fast()], stored, NOW + 14_000);
    assert_eq!(drive(&mut fourth, golf(), NOW + 14_000, &[140.0; 3]), []);
    let ended = drive(&mut fourth, golf(), NOW + 30_000, &[80.0]);
    assert_eq!((ended.len(), ended[0].id, ended[0].state), (1, again[0].id, AlertState::Resolved));
}

#[test]
fn memories_are_written_at_a_slow_pace_and_only_of_who_has_spoken() {
    let mut desk = desk(vec![fast()]);
    drive(&mut desk, golf(), NOW, &[140.0]);
    assert_eq!(desk.memories(10, NOW + 1_000).len(), 1, "of a new one at once: a kill must not cost what has begun");
    drive(&mut desk, golf(), NOW + 2_000, &[140.0]);
    assert_eq!(desk.memories(10, NOW + 3_000), [], "not yet");
    let kept = desk.memories(10, NOW + 62_000);
    assert_eq!(kept.iter().map(|(vin, _)| *vin).collect::<Vec<_>>(), [golf()]);
    assert!(kept[0].1.len() < 1_000, "{}", kept[0].1);
    assert_eq!(desk.memories(10, NOW + 200_000), [], "nothing is new");
}

#[test]
fn a_rule_goes_on_when_its_limits_change_and_begins_anew_when_it_looks_at_something_else() {
    let mut desk = desk(vec![fast()]);
    let opened = drive(&mut desk, golf(), NOW, &[140.0; 12]);
    let mut slower = fast();
    slower.condition = Condition::Above { signals: vec!["spd".into()], on: 100.0, off: 90.0, for_ms: 10_000 };
    assert_eq!(desk.set_book(vec![slower], NOW + 12_000), []);
    assert_eq!(desk.active().map(|alert| alert.id).collect::<Vec<_>>(), [opened[0].id]);
    let mut heat = fast();
    heat.condition = Condition::Above { signals: vec!["ect".into()], on: 110.0, off: 100.0, for_ms: 0 };
    let ended = desk.set_book(vec![heat], NOW + 13_000);
    assert_eq!((ended.len(), ended[0].id, ended[0].state), (1, opened[0].id, AlertState::Resolved));
}

#[test]
fn rules_are_about_whom_they_name() {
    let client = ClientId(Uuid::from_u128(7));
    let vans = Rule { scope: RuleScope::Class("Van".into()), ..rule("vans", fast().condition) };
    let theirs = Rule { scope: RuleScope::Client(client), ..rule("theirs", fast().condition) };
    let one = Rule { scope: RuleScope::Vehicles(vec![other()]), ..rule("one", fast().condition) };
    let van = Entry { member: Member { class: Some("van".into()), tank_l: None }, client: Some(client) };
    let book = |entry: &Entry| Book {
        rules: vec![vans.clone(), theirs.clone(), one.clone()],
        vehicles: [(golf(), entry.clone())].into(),
        ..Book::default()
    };
    let mut desk = desk(book(&van));
    let names = |alerts: &[Alert]| alerts.iter().map(|alert| alert.rule.clone()).collect::<Vec<_>>();
    assert_eq!(names(&drive(&mut desk, golf(), NOW, &[140.0; 12])), ["vans", "theirs"]);
    assert_eq!(names(&drive(&mut desk, other(), NOW, &[140.0; 12])), ["one"]);
    // It is no van any more, and its contract is over.
    assert_eq!(names(&desk.set_book(book(&Entry::default()), NOW + 20_000)), ["vans", "theirs"]);
}

#[test]
fn areas_events_codes_and_books_raise_alerts_that_say_what_it_is() {
    let depot = GeofenceRecord {
        id: GeofenceId(Uuid::from_u128(1)),
        name: "Depot".into(),
        shape: Shape::Circle { centre: (46.5, 6.6), radius_m: 500.0 },
        client: None,
        colour: None,
        created: NOW,
        updated: NOW,
    };
    let area = Area { geofences: vec![depot.id.to_string()], when: AreaMove::Leave, for_ms: 0 };
    let codes = Codes { codes: Vec::new(), at_least: Severity::Critical, pending: false };
    let rules = vec![
        rule("left", Condition::Area(area)),
        rule("panic", Condition::Event(Happening { kinds: vec![EventKind::PanicButton], hold_ms: 60_000 })),
        rule("codes", Condition::Codes(codes)),
        rule("service", Condition::Maintenance { soon: false }),
    ];
    let mut desk = desk(Book { rules, geofences: vec![depot], ..Book::default() });
    let at = |lat: f64, t0| Message::Telemetry(batch(golf(), t0, &["lat", "lon"], &[&[lat, 6.6], &[lat, 6.6]]));
    assert_eq!(desk.hear(golf(), &at(46.5, NOW), false, NOW), []);
    let left = desk.hear(golf(), &at(46.52, NOW + 5_000), false, NOW + 5_000);
    let cause = left[0].detail.as_ref().expect("it says which area");
    assert_eq!((left.len(), cause.geofence.as_deref(), left[0].lat), (1, Some("Depot"), Some(46.52)));

    let panic = |at| {
        Message::Event(Event {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(2),
            id: EventId(Uuid::from_u128(2)),
            at,
            kind: EventKind::PanicButton,
            lat: Some(46.6),
            lon: Some(6.7),
            values: BTreeMap::new(),
            text: None,
        })
    };
    let pressed = desk.hear(golf(), &panic(NOW + 6_000), false, NOW + 6_000);
    assert_eq!(
        (pressed[0].lat, pressed[0].detail.as_ref().and_then(|cause| cause.event)),
        (Some(46.6), Some(EventKind::PanicButton))
    );
    assert_eq!(desk.hear(golf(), &panic(NOW + 6_000), false, NOW + 7_000), [], "delivered again");
    let over: Vec<_> = (1..=70).flat_map(|second| desk.tick(NOW + 6_000 + second * 1000)).collect();
    assert_eq!((over.len(), over[0].id, over[0].resolved), (1, pressed[0].id, Some(NOW + 66_000)));

    let picture = Message::Diagnostics(Diagnostics {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(3),
        at: NOW + 80_000,
        mil: Some(true),
        dtcs: vec![Dtc { code: "P0301".into(), status: DtcStatus::Stored, ecu: None }],
        monitors: Vec::new(),
        freeze_frame: None,
    });
    let told = desk.hear(golf(), &picture, true, NOW + 4_000_000);
    assert_eq!(told[0].detail.as_ref().expect("codes").codes, ["P0301"], "what the car said last is so");

    let books = Books { overdue: vec![Item { title: "Oil".into(), due: None }], ..Books::default() };
    let due = desk.read(&[(golf(), books)].into(), NOW + 90_000);
    assert_eq!(
        (due.len(), due[0].rule.as_str(), due[0].detail.as_ref().expect("items").items.len()),
        (1, "service", 1)
    );
    let done = desk.read(&BTreeMap::new(), NOW + 95_000);
    assert_eq!((done.len(), done[0].id, done[0].state), (1, due[0].id, AlertState::Resolved));
}

#[test]
fn a_will_that_comes_after_its_successor_does_not_make_a_vehicle_offline() {
    let mut desk = desk(vec![rule("offline", Condition::Offline { after_ms: 30_000 })]);
    let status = |status, since| {
        Message::Status(Status { v: SCHEMA_VERSION, vin: golf(), epoch: Epoch(1), status, since, reason: None })
    };
    desk.hear(golf(), &status(Presence::Online, NOW), false, NOW);
    desk.hear(golf(), &status(Presence::Offline, NOW - 9_000), false, NOW);
    let wait = |desk: &mut Desk, from: UnixMs| -> Vec<Alert> {
        (1..=40).flat_map(|second| desk.tick(from + second * 1000)).collect()
    };
    assert_eq!(wait(&mut desk, NOW), [], "that was the connection before");
    desk.hear(golf(), &status(Presence::Offline, NOW), false, NOW + 50_000);
    let opened = wait(&mut desk, NOW + 50_000);
    assert_eq!((opened.len(), opened[0].opened), (1, NOW + 50_000));
    let back = desk.hear(golf(), &status(Presence::Online, NOW + 99_000), false, NOW + 99_000);
    assert_eq!((back.len(), back[0].id, back[0].state), (1, opened[0].id, AlertState::Resolved));
}

#[test]
fn what_comes_late_is_marked_kept_and_given_out_once_when_no_more_of_it_comes() {
    let mut first = desk(vec![fast(), rule("silent", Condition::Silent { after_ms: 60_000 })]);
    drive(&mut first, golf(), NOW, &[50.0]);
    let rows: [&[f64]; 2] = [&[140.0], &[140.0]];
    let late = |t0| Message::Backfill(batch(golf(), t0, &["spd"], &rows));
    assert_eq!(first.hear(golf(), &late(NOW - 90 * MINUTE), false, NOW + 1_000), []);
    assert_eq!(first.hear(golf(), &late(NOW - 60 * MINUTE), false, NOW + 30_000), []);
    assert!(first.take_late(NOW + 61_000).is_none(), "more of it may come");
    let mut second = hand_over(
        first,
        vec![fast(), rule("silent", Condition::Silent { after_ms: 60_000 })],
        Vec::new(),
        NOW + 62_000,
    );
    let job = second.take_late(NOW + 90_000).expect("it is due");
    assert_eq!((job.vin, job.span.from, job.span.to), (golf(), NOW - 90 * MINUTE, NOW - 60 * MINUTE + 1_000));
    assert_eq!(
        job.rules.iter().map(|(one, _)| one.rule.id.as_str()).collect::<Vec<_>>(),
        ["fast"],
        "silence is of now"
    );
    assert!(second.take_late(NOW + 90_000).is_none(), "once");
    second.mark_late(golf(), (job.span.from, job.span.to), NOW + 91_000);
    assert!(second.take_late(NOW + 900_000).is_some(), "unless it could not be judged");
}

#[test]
fn a_year_that_comes_late_is_judged_day_by_day() {
    let mut desk = desk(vec![fast()]);
    drive(&mut desk, golf(), NOW, &[50.0]);
    desk.mark_late(golf(), (NOW - 3 * 1440 * MINUTE, NOW - MINUTE), NOW);
    let mut spans = Vec::new();
    while let Some(job) = desk.take_late(NOW + 3_600_000) {
        spans.push((job.span.from, job.span.to));
        assert!(spans.len() < 10);
    }
    assert_eq!(spans.len(), 3);
    assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "without a gap: {spans:?}");
}
