use super::*;
use crate::message::{EventKind, Severity};

fn above(signals: &[&str], on: f64, off: f64, for_ms: u32) -> Condition {
    Condition::Above { signals: signals.iter().map(|key| (*key).to_owned()).collect(), on, off, for_ms }
}

fn below(on: f64, off: f64) -> Condition {
    Condition::Below { signals: vec!["vbat".to_owned()], on, off, for_ms: 0 }
}

fn hours() -> Condition {
    let zone = "Europe/Zurich".to_owned();
    Condition::OutsideHours(Hours { zone, days: vec![Weekday::Mon, Weekday::Fri], from_min: 420, to_min: 1080 })
}

#[test]
fn a_condition_ends_on_the_other_side_of_its_limit() {
    assert_eq!(above(&["spd", "gspd"], 130.0, 125.0, 3_000).check(), Ok(()));
    assert_eq!(above(&["spd"], 130.0, 130.0, 0).check(), Ok(()));
    assert_eq!(above(&["spd"], 130.0, 131.0, 0).check(), Err(ConditionFault::Off));
    assert_eq!(below(11.8, 12.2).check(), Ok(()));
    assert_eq!(below(11.8, 11.7).check(), Err(ConditionFault::Off));
}

#[test]
fn what_cannot_be_evaluated_names_its_field() {
    let speeding = |limit_kmh, areas: &[(&str, f64)]| {
        let areas = areas.iter().map(|(id, limit_kmh)| AreaLimit { geofence: (*id).into(), limit_kmh: *limit_kmh });
        Condition::Speeding(Speeding { limit_kmh, areas: areas.collect(), classes: vec![], below_kmh: 5.0, for_ms: 0 })
    };
    let codes = |codes: &[&str]| {
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        Condition::Codes(Codes { codes, at_least: Severity::Info, pending: false })
    };
    let event = |kinds, hold_ms| Condition::Event(Happening { kinds, hold_ms });
    for (condition, fault) in [
        (above(&[], 1.0, 0.0, 0), ConditionFault::Signals),
        (above(&["Speed"], 1.0, 0.0, 0), ConditionFault::Signals),
        (above(&["spd", "spd"], 1.0, 0.0, 0), ConditionFault::Signals),
        (above(&["a", "b", "c", "d", "e", "f", "g", "h", "i"], 1.0, 0.0, 0), ConditionFault::Signals),
        (above(&["spd"], f64::NAN, 0.0, 0), ConditionFault::On),
        (above(&["spd"], 1.0, f64::NEG_INFINITY, 0), ConditionFault::Off),
        (above(&["spd"], 1.0, 0.0, MAX_DURATION_MS + 1), ConditionFault::Duration),
        (Condition::Silent { after_ms: MIN_SILENCE_MS - 1 }, ConditionFault::Duration),
        (Condition::Offline { after_ms: MAX_DURATION_MS + 1 }, ConditionFault::Duration),
        (speeding(None, &[]), ConditionFault::On),
        (speeding(Some(f64::NAN), &[]), ConditionFault::On),
        (speeding(None, &[("a", 30.0), ("a", 50.0)]), ConditionFault::Geofences),
        (codes(&["0301"]), ConditionFault::Codes),
        (codes(&["P03012"]), ConditionFault::Codes),
        (event(vec![], 1000), ConditionFault::Kinds),
        (event(vec![EventKind::Other], 1000), ConditionFault::Kinds),
        (event(vec![EventKind::Crash], 0), ConditionFault::Duration),
        (Condition::ContractEnds { within_days: 0 }, ConditionFault::On),
    ] {
        assert_eq!(condition.check(), Err(fault), "{condition:?}");
    }
    assert_eq!(speeding(Some(80.0), &[("a", 30.0)]).check(), Ok(()));
    assert_eq!(codes(&["P0301", "P04", "U"]).check(), Ok(()));
}

#[test]
fn a_tree_is_neither_empty_nor_too_deep_nor_too_large_nor_hours_alone() {
    let leaf = || Condition::Lamp;
    let all = Condition::All;
    for (condition, fits) in [
        (all(vec![leaf(); MAX_LEAVES]), true),
        (all(vec![leaf(); MAX_LEAVES + 1]), false),
        (all(vec![]), false),
        (all(vec![leaf(), Condition::Any(vec![])]), false),
        (all(vec![Condition::Any(vec![leaf(), leaf()]), leaf()]), true),
        (all(vec![all(vec![all(vec![leaf()])])]), false),
        (hours(), false),
        (Condition::Any(vec![hours(), hours()]), false),
        (all(vec![hours(), leaf()]), true),
    ] {
        let found = condition.check();
        assert_eq!(found, if fits { Ok(()) } else { Err(ConditionFault::Tree) }, "{condition:?}");
    }
}

#[test]
fn a_rule_goes_on_only_if_it_watches_the_same() {
    let (fast, slower) = (above(&["spd"], 130.0, 125.0, 0), above(&["spd"], 90.0, 85.0, 0));
    assert!(fast.continues(&slower));
    assert!(!fast.continues(&above(&["gspd"], 130.0, 125.0, 0)));
    assert!(!below(11.0, 12.0).continues(&fast));
    assert!(!fast.continues(&Condition::Silent { after_ms: MIN_SILENCE_MS }));
    let both = |one: &Condition| Condition::All(vec![one.clone(), hours()]);
    assert!(both(&fast).continues(&both(&slower)));
    assert!(!both(&fast).continues(&fast));
}

#[test]
fn what_earlier_versions_stored_is_read() {
    for (stored, condition) in [
        (r#"{"above":{"signals":["spd"],"on":130.0,"off":125.0,"for_ms":3000}}"#, above(&["spd"], 130.0, 125.0, 3000)),
        (r#"{"below":{"signals":["vbat"],"on":11.8,"off":12.2,"for_ms":0}}"#, below(11.8, 12.2)),
        (r#"{"silent":{"after_ms":300000}}"#, Condition::Silent { after_ms: 300_000 }),
    ] {
        assert_eq!(serde_json::from_str::<Condition>(stored).unwrap(), condition);
        assert_eq!(serde_json::to_string(&condition).unwrap(), stored);
    }
}

#[test]
fn a_tree_reads_as_it_is_written() {
    let tree = Condition::Any(vec![Condition::All(vec![above(&["spd"], 5.0, 3.0, 60_000), hours()]), Condition::Lamp]);
    let text = serde_json::to_string(&tree).unwrap();
    assert_eq!(serde_json::from_str::<Condition>(&text).unwrap(), tree);
    assert!(text.starts_with(r#"{"any":[{"all":[{"above""#) && text.ends_with(r#""lamp"]}"#), "{text}");
}

#[test]
fn a_scope_holds_whom_it_names() {
    let (golf, fiesta) = ("WVWZZZ1JZ3W386752".parse().unwrap(), "1M8GDM9AXKP042788".parse().unwrap());
    assert!(Scope::All.holds(golf, None, None));
    assert!(
        Scope::Vehicles(vec![golf]).holds(golf, None, None) && !Scope::Vehicles(vec![golf]).holds(fiesta, None, None)
    );
    let vans = Scope::Class("van".into());
    assert!(
        vans.holds(golf, Some(" Van"), None) && !vans.holds(golf, Some("Car"), None) && !vans.holds(golf, None, None)
    );
    assert_eq!(Scope::Vehicles(vec![]).check(), Err(ConditionFault::Scope));
    assert_eq!(Scope::Class(" ".into()).check(), Err(ConditionFault::Scope));
}
