//! Whole drives, and values of any kind; and the document of the thresholds.

use std::time::Duration;

use bugbrother_agent::{
    event::{Detectors, Limits, Moment, Snapshot, limits::THRESHOLDS},
    gps::{Fix, assembler::Assembler, gate::Gate},
    outbox::Happening,
    recorder::Key,
};
use bugbrother_simulator::{Car, NmeaTalker, demo_fleet};
use bugbrother_wire::message::EventKind;
use proptest::prelude::*;

use crate::{
    recording,
    written::{START, depot},
};

#[test]
fn the_document_has_every_threshold_as_it_is() {
    let document = include_str!("../../../docs/events.md");
    for known in THRESHOLDS {
        let start = format!("| `{}` |", known.name);
        let line = document.lines().find(|line| line.starts_with(&start)).expect(known.name);
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[2].replace('²', "^2"), known.unit, "{line}");
        assert_eq!(cells[3].parse().ok(), known.default, "{line}");
        assert_eq!(cells[4], format!("{}–{}", known.min, known.max), "{line}");
    }
}

fn values_of(fix: &Fix) -> Vec<(Key, f64)> {
    let quality = &fix.quality;
    let told = [
        ("lat", Some(fix.lat)),
        ("lon", Some(fix.lon)),
        ("hdg", fix.hdg),
        ("gspd", fix.gspd),
        ("hdop", quality.hdop),
        ("sats", quality.sats),
    ];
    told.into_iter().filter_map(|(key, value)| Some((key.into(), value?))).collect()
}

fn replayed(content: &[u8], limits: Limits) -> Vec<Happening> {
    let (mut gate, mut assembler) = (Gate::default(), Assembler::default());
    let mut fixes = Vec::new();
    for byte in content {
        if let Some(Ok(sentence)) = gate.push(*byte) {
            fixes.extend(assembler.push(&sentence).into_iter().flatten());
        }
    }
    fixes.extend(assembler.flush().into_iter().flatten());
    let (mut detectors, mut out) = (Detectors::new(limits, Vec::new()), Vec::new());
    for fix in &fixes {
        detectors.take(&Moment { at_ms: fix.ts as u64, ts: fix.ts, values: &values_of(fix) }, &mut out);
    }
    out
}

#[test]
fn a_drive_that_was_recorded_has_few_harsh_events_and_neither_crash_nor_tow() {
    let content = match recording::shared("switzerland-drive.nmea.gz") {
        Some(path) => recording::content(&path),
        None => bugbrother_simulator::nmea_log(11, Duration::from_secs(10_000), START).bytes,
    };
    let events = replayed(&content, Limits::default());
    for event in &events {
        println!("{} {:?} {:?} {:?}", event.at, event.kind, event.place, event.values);
    }
    let harsh = [EventKind::HarshBraking, EventKind::HarshAcceleration, EventKind::HarshCornering];
    assert!(events.iter().all(|event| harsh.contains(&event.kind) && event.place.is_some()));
    assert!(events.len() <= 12, "{}", events.len());
}

/// Drives a car of the simulator, and compares with what its physics have done.
fn simulated(name: &str, minutes: u64, limits: Limits) -> (Vec<EventKind>, Vec<EventKind>) {
    let profile = demo_fleet().into_iter().find(|profile| profile.name == name).unwrap();
    let mut car = Car::new(&profile);
    let mut talker = NmeaTalker::new(&car);
    let (mut detectors, mut out, mut truth) = (Detectors::new(limits, Vec::new()), Vec::new(), Vec::new());
    let mut was_on = None;
    for second in 0..minutes * 60 {
        let reading = car.reading();
        let (at_ms, ts) = (1000 + second * 1000, START + second as i64 * 1000);
        if was_on != Some(reading.ignition) {
            match (was_on, reading.ignition) {
                (_, true) => truth.push(EventKind::IgnitionOn),
                (Some(true), false) => truth.push(EventKind::IgnitionOff),
                _ => {}
            }
            was_on = Some(reading.ignition);
        }
        let fix = talker.fix(&reading, ts);
        let mut values: Vec<(Key, f64)> = vec![("lat".into(), fix.point.lat), ("lon".into(), fix.point.lon)];
        values.push(("vbat".into(), reading.voltage));
        if reading.ignition {
            values.push(("spd".into(), reading.speed_kmh.floor()));
            values.push(("rpm".into(), reading.rpm));
        }
        detectors.take(&Moment { at_ms, ts, values: &values }, &mut out);
        detectors.tick(at_ms, ts, &mut out);
        car.step(Duration::from_secs(1));
    }
    (out.into_iter().map(|event| event.kind).collect(), truth)
}

#[test]
fn simulated_cars_are_on_and_off_when_they_are_and_drive_within_their_limits() {
    for name in ["Van 12", "Courier 3", "Pizza 4", "Nurse 2", "Shuttle 1"] {
        let (found, truth) = simulated(name, 60, Limits::default());
        println!("{name}: {truth:?}");
        // A light may be red for longer than idling takes; nothing else happens.
        let found: Vec<_> = found.into_iter().filter(|kind| *kind != EventKind::Idling).collect();
        // The last stop may not be noticed yet when the time is up.
        assert!(found == truth || found == truth[..truth.len() - 1], "{name}: {found:?}, {truth:?}");
        assert!(truth.contains(&EventKind::IgnitionOn), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Values of any kind in any order at any time neither stop the detectors nor make events without end.
    #[test]
    fn whatever_is_told_events_stay_few_and_fit_the_contract(
        rows in prop::collection::vec(
            (-20_000i64..20_000, prop::sample::select(vec![
                "lat", "lon", "gspd", "hdg", "hdop", "sats", "spd", "rpm", "vbat", "ign", "ax", "ay", "az", "x.y",
            ]), prop::num::f64::ANY, -400.0..400.0f64, any::<bool>()),
            0..400,
        ),
    ) {
        let (mut detectors, mut out) = (Detectors::new(Limits::default(), vec![depot(200.0)]), Vec::new());
        let mut at_ms = 1_000_000i64;
        for (step, key, wild, tame, is_tame) in &rows {
            at_ms = (at_ms + if step % 3 == 0 { *step } else { step.rem_euclid(300) }).max(0);
            let value = if *is_tame { *tame } else { *wild };
            let values: Vec<(Key, f64)> = vec![((*key).into(), value), ("ay".into(), *tame), ("lat".into(), 47.0)];
            detectors.take(&Moment { at_ms: at_ms as u64, ts: START + at_ms, values: &values }, &mut out);
            detectors.tick(at_ms as u64, START + at_ms, &mut out);
        }
        prop_assert!(out.len() <= rows.len());
        for event in &out {
            prop_assert!(event.values.iter().all(|(key, value)| value.is_finite() && key.len() <= 24));
        }
        let kept = detectors.snapshot();
        let text = serde_json::to_string(&kept).unwrap();
        prop_assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), kept);
    }
}
