//! The desk: messages and the clock in, changed alerts out.

use std::collections::{HashMap, HashSet};

use bugbrother_notifier::desk::Desk;
use bugbrother_store::{Condition, Latest, Rule, RuleScope, VehicleState};
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Alert, AlertState, Clock, Presence, Row, Severity, Status, Telemetry},
};
use proptest::prelude::*;

const NOW: UnixMs = 1_790_000_000_000;
const MINUTE: i64 = 60_000;

fn golf() -> Vin {
    "WVWZZZ1JZ3W386752".parse().expect("it is a VIN")
}

fn rules() -> Vec<Rule> {
    let above = Condition::Above { signals: vec!["spd".into(), "gspd".into()], on: 130.0, off: 125.0, for_ms: 2_000 };
    let rule = |id: &str, condition| Rule {
        id: id.into(),
        title: id.into(),
        severity: Severity::Warning,
        enabled: true,
        scope: RuleScope::All,
        condition,
        film: false,
    };
    vec![rule("fast", above), rule("silent", Condition::Silent { after_ms: 300_000 })]
}

fn state(received_ts: UnixMs, source_ts: UnixMs, presence: Presence) -> VehicleState {
    VehicleState {
        vin: golf(),
        name: "Golf".into(),
        plate: None,
        latest: Latest { presence, source_ts, received_ts, ..Latest::default() },
    }
}

fn fresh() -> Desk {
    let mut desk = Desk::new(rules(), Vec::new(), Vec::new(), NOW).0;
    desk.listen(NOW);
    desk
}

/// One value a second from `t0`.
fn batch(t0: UnixMs, key: &str, values: &[f64]) -> Telemetry {
    let rows = values.iter().enumerate();
    Telemetry {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(1),
        t0,
        clock: Clock::Gnss,
        keys: vec![key.into()],
        rows: rows.map(|(n, value)| Row { dt_ms: n as u32 * 1000, values: vec![Some(*value)] }).collect(),
        gap: None,
    }
}

fn live(desk: &mut Desk, t0: UnixMs, values: &[f64]) -> Vec<Alert> {
    desk.hear(golf(), &Message::Telemetry(batch(t0, "spd", values)), false, t0)
}

fn status(status: Presence) -> Message {
    Message::Status(Status { v: SCHEMA_VERSION, vin: golf(), epoch: Epoch(1), status, since: NOW, reason: None })
}

/// Ticks every second, as the service does.
fn wait(desk: &mut Desk, from: UnixMs, ms: i64) -> Vec<Alert> {
    (1..=ms / 1000).flat_map(|second| desk.tick(from + second * 1000)).collect()
}

#[test]
fn speeding_is_one_alert_from_its_beginning_to_its_end() {
    let mut desk = fresh();
    let opened = live(&mut desk, NOW, &[120.0, 131.0, 140.0, 138.0]);
    assert_eq!(opened.len(), 1);
    let alert = &opened[0];
    assert_eq!((alert.opened, alert.value, alert.state, alert.count), (NOW + 1000, Some(140.0), AlertState::Open, 1));
    let again = live(&mut desk, NOW + 10_000, &[127.0, 133.0]);
    assert_eq!((again.len(), again[0].id, again[0].count), (1, alert.id, 2));
    let ended = live(&mut desk, NOW + 20_000, &[126.0, 124.0]);
    assert_eq!((ended.len(), ended[0].id, ended[0].state), (1, alert.id, AlertState::Resolved));
    assert_eq!((ended[0].resolved, ended[0].value), (Some(NOW + 21_000), Some(140.0)));
    assert_eq!(desk.active().count(), 0);
}

#[test]
fn late_data_never_raises_an_alert() {
    let mut desk = fresh();
    let late = Message::Backfill(batch(NOW - MINUTE, "spd", &[150.0; 20]));
    assert_eq!(desk.hear(golf(), &late, false, NOW), []);
    assert_eq!(live(&mut desk, NOW, &[100.0]), []);
    assert_eq!(live(&mut desk, NOW - MINUTE, &[150.0; 20]), [], "not even on the live lane");
}

#[test]
fn a_recorded_drive_that_is_sent_as_if_it_were_live_raises_nothing() {
    let mut desk = fresh();
    let year_2000 = 946_684_800_000;
    for t0 in [year_2000, NOW - 30 * 24 * 60 * MINUTE, NOW - 11 * MINUTE] {
        let recorded = Message::Telemetry(batch(t0, "spd", &[150.0; 60]));
        assert_eq!(desk.hear(golf(), &recorded, false, NOW), [], "of a vehicle that this desk has never heard before");
    }
    let behind = Message::Telemetry(batch(NOW - 9 * MINUTE, "spd", &[150.0; 4]));
    assert_eq!(desk.hear(golf(), &behind, false, NOW).len(), 1, "its clock is a little behind ours");
}

#[test]
fn a_vehicle_raises_an_alert_every_ten_seconds_at_most_whatever_it_says() {
    let mut desk = fresh();
    let mut at_once = rules();
    let Condition::Above { for_ms, .. } = &mut at_once[0].condition else { unreachable!("it is the fast one") };
    *for_ms = 0;
    desk.set_book(at_once, NOW);
    let mut raised = Vec::new();
    for second in 0..60 {
        let now = NOW + second * 1000;
        let mut flapping = batch(now, "spd", &[131.0, 131.0, 131.0, 127.0, 131.0, 100.0].repeat(100));
        flapping.rows.iter_mut().enumerate().for_each(|(n, row)| row.dt_ms = n as u32);
        let changed = desk.hear(golf(), &Message::Telemetry(flapping), false, now);
        assert!(changed.len() <= 2, "opened and resolved, not {}", changed.len());
        raised.extend(changed.into_iter().filter(|alert| alert.state == AlertState::Open).map(|alert| alert.updated));
    }
    assert_eq!(raised, (0..6).map(|n| NOW + n * 10_000).collect::<Vec<_>>());
}

#[test]
fn what_comes_back_at_once_is_told_when_it_has_lasted() {
    let mut desk = fresh();
    let told = live(&mut desk, NOW, &[140.0, 140.0, 140.0, 100.0]);
    assert_eq!(told.len(), 2, "opened and resolved");
    assert_eq!(live(&mut desk, NOW + 4_000, &[140.0; 6]), []);
    let again = live(&mut desk, NOW + 10_000, &[138.0]);
    assert_eq!((again.len(), again[0].opened, again[0].value), (1, NOW + 4_000, Some(140.0)));
    assert_ne!(again[0].id, told[0].id);
}

#[test]
fn a_restart_raises_nothing_again_and_goes_on_with_what_is_active() {
    let mut desk = fresh();
    let opened = live(&mut desk, NOW, &[140.0; 4]);
    let known = state(NOW + 3_000, NOW + 3_000, Presence::Online);
    let (mut desk, ended) = Desk::new(rules(), vec![known], opened.clone(), NOW + 9_000);
    assert_eq!(ended, []);
    assert_eq!(live(&mut desk, NOW, &[140.0; 4]), [], "delivered again after the restart");
    assert_eq!(live(&mut desk, NOW + 10_000, &[139.0; 4]), []);
    let ended = live(&mut desk, NOW + 20_000, &[80.0]);
    assert_eq!((ended.len(), ended[0].id, ended[0].state), (1, opened[0].id, AlertState::Resolved));
}

#[test]
fn the_cars_own_speed_is_preferred_to_the_receivers_and_either_will_do() {
    let mut desk = fresh();
    live(&mut desk, NOW, &[100.0]);
    let receiver = Message::Telemetry(batch(NOW + 1_000, "gspd", &[140.0; 5]));
    assert_eq!(desk.hear(golf(), &receiver, false, NOW), [], "the car says 100");
    let receiver = Message::Telemetry(batch(NOW + MINUTE, "gspd", &[140.0; 5]));
    assert_eq!(desk.hear(golf(), &receiver, false, NOW).len(), 1, "the car has not told its own for a minute");
}

#[test]
fn silence_begins_when_it_was_last_heard_and_ends_when_it_speaks() {
    let mut desk = fresh();
    live(&mut desk, NOW, &[50.0]);
    assert_eq!(wait(&mut desk, NOW, 5 * MINUTE - 1000), []);
    let opened = wait(&mut desk, NOW + 5 * MINUTE - 1000, 5 * MINUTE);
    assert_eq!(opened.len(), 1, "once");
    assert_eq!((opened[0].rule.as_str(), opened[0].opened), ("silent", NOW));
    assert_eq!(desk.hear(golf(), &status(Presence::Offline), false, NOW + 6 * MINUTE), [], "a will is not its voice");
    let birth = desk.hear(golf(), &status(Presence::Online), false, NOW + 12 * MINUTE);
    assert_eq!((birth.len(), birth[0].id, birth[0].state), (1, opened[0].id, AlertState::Resolved));
}

#[test]
fn late_data_ends_a_silence() {
    let mut desk = fresh();
    live(&mut desk, NOW, &[50.0]);
    assert_eq!(wait(&mut desk, NOW, 5 * MINUTE).len(), 1);
    let late = Message::Backfill(batch(NOW, "spd", &[50.0]));
    assert_eq!(desk.hear(golf(), &late, false, NOW + 6 * MINUTE).len(), 1);
}

#[test]
fn who_was_never_heard_or_went_to_sleep_is_not_missed() {
    let mut desk = Desk::new(rules(), vec![state(0, 0, Presence::Offline)], Vec::new(), NOW).0;
    desk.listen(NOW);
    desk.hear(golf(), &status(Presence::Online), true, NOW);
    assert_eq!(wait(&mut desk, NOW, 20 * MINUTE), [], "what was retained was said by nobody we heard");
    let from = NOW + 20 * MINUTE;
    desk.hear(golf(), &status(Presence::Asleep), false, from);
    assert_eq!(wait(&mut desk, from, 20 * MINUTE), []);
    let from = NOW + 40 * MINUTE;
    live(&mut desk, from, &[50.0]);
    assert_eq!(wait(&mut desk, from, 20 * MINUTE).len(), 1, "it was awake");
}

#[test]
fn silence_is_not_counted_while_nobody_would_be_heard() {
    let (mut desk, _) = Desk::new(rules(), vec![state(NOW, NOW, Presence::Online)], Vec::new(), NOW + 60 * MINUTE);
    let start = NOW + 60 * MINUTE;
    assert_eq!(wait(&mut desk, start, 10 * MINUTE), [], "not connected yet");
    let up = start + 10 * MINUTE;
    desk.listen(up);
    assert_eq!(wait(&mut desk, up, 4 * MINUTE), [], "it has had no time to come back");
    desk.stop_listening();
    assert_eq!(wait(&mut desk, up + 4 * MINUTE, 10 * MINUTE), []);
    let up = up + 14 * MINUTE;
    desk.listen(up);
    assert_eq!(wait(&mut desk, up, 5 * MINUTE).len(), 1);
}

#[test]
fn a_computer_that_slept_has_not_heard_a_silence() {
    let mut desk = fresh();
    live(&mut desk, NOW, &[50.0]);
    wait(&mut desk, NOW, MINUTE);
    assert_eq!(desk.tick(NOW + 600 * MINUTE), []);
    assert_eq!(wait(&mut desk, NOW + 600 * MINUTE, 4 * MINUTE), []);
}

#[test]
fn an_alert_ends_with_its_rule() {
    let mut desk = fresh();
    let opened = live(&mut desk, NOW, &[140.0; 4]);
    let mut changed = rules();
    changed[0].enabled = false;
    let ended = desk.set_book(changed, NOW + 9_000);
    assert_eq!((ended.len(), ended[0].id, ended[0].state), (1, opened[0].id, AlertState::Resolved));
    assert_eq!(live(&mut desk, NOW + 10_000, &[140.0; 4]), []);
}

#[derive(Debug, Clone)]
enum Step {
    Speed(f64),
    Wait(i64),
    Drop,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (100.0..160.0f64).prop_map(Step::Speed),
        2 => (1..400i64).prop_map(Step::Wait),
        1 => Just(Step::Drop),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn one_active_alert_per_rule_and_what_is_resolved_stays_so(steps in proptest::collection::vec(step(), 0..80)) {
        let mut desk = fresh();
        let mut now = NOW;
        let mut told: HashMap<_, Alert> = HashMap::new();
        let mut over = HashSet::new();
        let mut last = (0, 0);
        for step in steps {
            let changed = match step {
                Step::Speed(kmh) => {
                    now += 1000;
                    last = (now, now);
                    live(&mut desk, now, &[kmh])
                }
                Step::Wait(seconds) => {
                    let changed = wait(&mut desk, now, seconds * 1000);
                    now += seconds * 1000;
                    changed
                }
                Step::Drop => {
                    desk.stop_listening();
                    desk.listen(now);
                    Vec::new()
                }
                Step::Restart => {
                    let alerts = desk.active().cloned().collect();
                    let (again, ended) = Desk::new(rules(), vec![state(last.0, last.1, Presence::Online)], alerts, now);
                    desk = again;
                    desk.listen(now);
                    ended
                }
            };
            for alert in changed {
                prop_assert!(!over.contains(&alert.id));
                if alert.state == AlertState::Resolved {
                    prop_assert!(told.remove(&alert.id).is_some());
                    over.insert(alert.id);
                } else {
                    told.insert(alert.id, alert);
                }
            }
            let rules: HashSet<_> = told.values().map(|alert| &alert.rule).collect();
            prop_assert_eq!(rules.len(), told.len());
            prop_assert_eq!(desk.active().map(|alert| alert.id).collect::<HashSet<_>>(), told.keys().copied().collect());
        }
    }
}
