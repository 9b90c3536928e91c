//! What a rule finds in the past is what it would have raised.

use std::sync::Arc;

use bugbrother_notifier::desk::Desk;
use bugbrother_rule::{Fences, Firing, Member, Plan, Slots, Trial};
use bugbrother_store::{Condition, Rule, RuleScope};
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Alert, AlertState, Clock, Row, Severity, Telemetry},
};
use proptest::{collection::vec, option, prelude::*};

const NOW: UnixMs = 1_790_000_000_000;
const KEYS: [&str; 4] = ["spd", "gspd", "lat", "lon"];

fn golf() -> Vin {
    "WVWZZZ1JZ3W386752".parse().expect("it is a VIN")
}

fn sample(ts: UnixMs, values: [Option<f64>; 4]) -> Telemetry {
    Telemetry {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(1),
        t0: ts,
        clock: Clock::Gnss,
        keys: KEYS.iter().map(|key| (*key).to_owned()).collect(),
        rows: vec![Row { dt_ms: 0, values: values.to_vec() }],
        gap: None,
    }
}

/// What the notifier raises, hearing each sample when it is measured.
fn live(condition: &Condition, samples: &[(UnixMs, [Option<f64>; 4])]) -> Vec<Firing> {
    let rule = Rule {
        id: "rule".into(),
        title: "Rule".into(),
        severity: Severity::Info,
        enabled: true,
        scope: RuleScope::All,
        condition: condition.clone(),
        film: false,
    };
    let mut desk = Desk::new(vec![rule], Vec::new(), Vec::new(), NOW).0;
    desk.listen(NOW);
    let (mut raised, mut found) = (0, Vec::new());
    for (ts, values) in samples {
        for alert in desk.hear(golf(), &Message::Telemetry(sample(*ts, *values)), false, *ts) {
            if alert.state == AlertState::Resolved {
                found.push(firing(&alert, raised));
            } else if alert.count == 1 && alert.updated == *ts && raised < alert.opened {
                raised = *ts;
            }
        }
    }
    found.extend(desk.active().map(|alert| firing(alert, raised)));
    found
}

fn firing(alert: &Alert, raised: UnixMs) -> Firing {
    Firing {
        opened: alert.opened,
        raised,
        resolved: alert.resolved,
        signal: alert.signal.clone(),
        worst: alert.value,
        limit: alert.limit,
        cause: alert.detail.as_deref().cloned(),
        count: alert.count,
        place: alert.lat.zip(alert.lon),
    }
}

fn tried(condition: &Condition, samples: &[(UnixMs, [Option<f64>; 4])]) -> Vec<Firing> {
    let mut slots = Slots::default();
    let plan = Plan::new(condition, &Fences::default(), &mut slots);
    let mut trial = Trial::new(Arc::new(plan), Member::default());
    let mut found = Vec::new();
    for (ts, values) in samples {
        let mut row = vec![None; slots.keys().len()];
        for (key, value) in KEYS.iter().zip(values) {
            row[slots.find(key).expect("it has a place")] = *value;
        }
        found.extend(trial.step(*ts, &row));
    }
    found.extend(trial.end(samples.last().map_or(NOW, |(ts, _)| *ts)));
    found
}

fn conditions() -> impl Strategy<Value = Condition> {
    let signals = || vec!["spd".to_owned(), "gspd".to_owned()];
    (prop_oneof![Just(0), Just(2_000), Just(15_000)], any::<bool>()).prop_map(move |(for_ms, above)| {
        if above {
            Condition::Above { signals: signals(), on: 130.0, off: 125.0, for_ms }
        } else {
            Condition::Below { signals: signals(), on: 30.0, off: 40.0, for_ms }
        }
    })
}

/// Seconds mostly, gaps sometimes; speeds about the limits.
fn drives() -> impl Strategy<Value = Vec<(UnixMs, [Option<f64>; 4])>> {
    let speed = || prop_oneof![20.0..45.0f64, 120.0..140.0];
    let step = prop_oneof![8 => 1..3_000i64, 1 => 3_000..60_000i64];
    let place = option::of((46.0..47.0f64, 6.0..7.0f64));
    vec((step, option::weighted(0.8, speed()), option::weighted(0.5, speed()), place), 0..120).prop_map(|steps| {
        let mut ts = NOW;
        let sample = |(dt, spd, gspd, place): (i64, _, _, Option<(f64, f64)>)| {
            ts += dt;
            (ts, [spd, gspd, place.map(|(lat, _)| lat), place.map(|(_, lon)| lon)])
        };
        steps.into_iter().map(sample).collect()
    })
}

proptest! {
    #[test]
    fn a_trial_on_history_finds_what_the_notifier_raises(condition in conditions(), drive in drives()) {
        prop_assert_eq!(tried(&condition, &drive), live(&condition, &drive));
    }
}

#[test]
fn a_drive_that_is_too_fast_is_found_in_both_ways() {
    let condition =
        Condition::Above { signals: vec!["spd".into(), "gspd".into()], on: 130.0, off: 125.0, for_ms: 2_000 };
    let drive: Vec<_> = (0..20)
        .map(|second| {
            (NOW + second * 1000, [Some(if second < 10 { 140.0 } else { 90.0 }), None, Some(46.5), Some(6.6)])
        })
        .collect();
    let found = tried(&condition, &drive);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].opened, found[0].raised, found[0].resolved), (NOW, NOW + 2_000, Some(NOW + 10_000)));
    assert_eq!(found, live(&condition, &drive));
}
