//! Of each kind of condition: when what is heard, what changes.

mod table;

use bugbrother_rule::{Books, Hearing, Item, News, Transition};
use bugbrother_wire::{
    message::{DtcStatus, EventKind, Severity},
    rule::{
        Against, Area, AreaLimit, AreaMove, ClassLimit, Codes, Condition, FuelDrop, FuelUnit, Happening, Hours,
        Speeding, Unusual, UnusualSide, Weekday,
    },
};
use table::{Bench, T0, east, monitors, ms, opened, picture, resolved};

const DAY: f64 = 86_400.0;

fn above(signal: &str, on: f64, off: f64, seconds: u32) -> Condition {
    Condition::Above { signals: vec![signal.into()], on, off, for_ms: seconds * 1000 }
}

fn area(when: AreaMove, seconds: u32) -> Condition {
    Condition::Area(Area { geofences: vec!["depot".into()], when, for_ms: seconds * 1000 })
}

#[test]
fn a_value_above_a_limit() {
    let mut bench = Bench::new(&above("ect", 110.0, 105.0, 10));
    for (second, value, expected) in [
        (0.0, 100.0, None),
        (5.0, 111.0, None),
        (10.0, 112.0, None),
        (15.0, 111.0, opened(5.0)),
        (20.0, 107.0, None),
        (30.0, 111.0, Some(Transition::Recurred)),
        (31.0, 114.0, Some(Transition::Worsened)),
        (32.0, 114.0, None),
        (40.0, 105.0, resolved(40.0)),
        (41.0, 200.0, None),
    ] {
        assert_eq!(bench.sample(second, &[("ect", value)]), expected, "at {second} s");
    }
}

#[test]
fn a_value_below_a_limit() {
    let condition = Condition::Below { signals: vec!["vbat".into()], on: 11.8, off: 12.2, for_ms: 2000 };
    let mut bench = Bench::new(&condition);
    for (second, value, expected) in
        [(0.0, 11.7, None), (2.0, 11.6, opened(0.0)), (3.0, 12.1, None), (4.0, 12.2, resolved(4.0))]
    {
        assert_eq!(bench.sample(second, &[("vbat", value)]), expected, "at {second} s");
    }
}

#[test]
fn speeding_goes_by_the_lowest_limit_that_applies() {
    let condition = Condition::Speeding(Speeding {
        limit_kmh: Some(120.0),
        areas: vec![AreaLimit { geofence: "town".into(), limit_kmh: 30.0 }],
        classes: vec![ClassLimit { class: "van".into(), limit_kmh: 100.0 }],
        below_kmh: 5.0,
        for_ms: 2000,
    });
    let mut bench = Bench::new(&condition);
    let (road, town) = ((46.60, 6.62), (46.52, 6.52));
    for (second, kmh, (lat, lon), expected) in [
        (0.0, 99.0, road, None),
        (1.0, 104.0, road, None),
        (3.0, 108.0, road, opened(1.0)), // a van: 100 in place of 120
        (4.0, 97.0, road, None),         // between 95 and 100
        (5.0, 95.0, road, resolved(5.0)),
        (20.0, 48.0, road, None),
        (21.0, 48.0, town, None),
        (23.0, 50.0, town, opened(21.0)),
        (24.0, 48.0, road, resolved(24.0)), // the same speed, and no limit of a town
    ] {
        let found = bench.sample(second, &[("spd", kmh), ("lat", lat), ("lon", lon)]);
        assert_eq!(found, expected, "at {second} s");
        if found == opened(1.0) {
            let evidence = bench.evidence();
            assert_eq!((evidence.value, evidence.limit, evidence.cause), (Some(108.0), Some(100.0), None));
        } else if found == opened(21.0) {
            let evidence = bench.evidence();
            assert_eq!((evidence.value, evidence.limit), (Some(50.0), Some(30.0)));
            assert_eq!(evidence.cause.and_then(|cause| cause.geofence.as_deref()), Some("Town"));
        }
    }
    let mut car = Bench::new(&condition);
    car.member.class = Some("Car".into());
    for second in 0..10 {
        assert_eq!(car.sample(f64::from(second), &[("spd", 119.0), ("lat", road.0), ("lon", road.1)]), None);
    }
}

#[test]
fn entering_is_told_of_who_was_outside_and_a_single_reflection_is_no_crossing() {
    let mut bench = Bench::new(&area(AreaMove::Enter, 0));
    for (second, metres, expected) in [
        (0.0, 100.0, None), // it was there before anybody looked
        (10.0, 600.0, None),
        (11.0, 610.0, None),
        (20.0, 400.0, None), // one position alone
        (21.0, 600.0, None),
        (30.0, 490.0, None), // within the margin of 25 m
        (31.0, 485.0, None),
        (40.0, 470.0, None),
        (41.0, 460.0, opened(40.0)),
        (50.0, 510.0, None), // within the margin
        (51.0, 520.0, None),
        (60.0, 530.0, None),
        (61.0, 540.0, resolved(60.0)),
    ] {
        assert_eq!(bench.at(second, east(metres)), expected, "at {second} s");
    }
}

#[test]
fn leaving_is_told_of_who_was_inside_and_names_the_area() {
    let mut bench = Bench::new(&area(AreaMove::Leave, 0));
    for (second, metres, expected) in [
        (0.0, 900.0, None),
        (1.0, 900.0, None),
        (10.0, 100.0, None),
        (11.0, 100.0, None),
        (20.0, 700.0, None),
        (21.0, 700.0, opened(20.0)),
        (30.0, 100.0, None),
        (31.0, 100.0, resolved(30.0)),
    ] {
        assert_eq!(bench.at(second, east(metres)), expected, "at {second} s");
        if expected == opened(20.0) {
            let cause = bench.evidence().cause.expect("it says where");
            assert_eq!(cause.geofence.as_deref(), Some("Depot"));
        }
    }
}

#[test]
fn dwelling_goes_on_while_nothing_is_heard() {
    let mut bench = Bench::new(&area(AreaMove::Inside, 1800));
    assert_eq!(bench.at(0.0, east(0.0)), None);
    bench.restart();
    assert_eq!(bench.time(1799.0), None);
    assert_eq!(bench.time(1800.0), opened(0.0));
    assert_eq!(bench.at(4000.0, east(900.0)), None);
    assert_eq!(bench.at(4010.0, east(900.0)), resolved(4000.0));
}

#[test]
fn fuel_that_is_gone_when_it_is_started_again_went_while_it_stood() {
    let condition = Condition::FuelDrop(FuelDrop { by: 10.0, unit: FuelUnit::Litres, within_ms: 43_200_000 });
    let mut bench = Bench::new(&condition);
    let drive = |bench: &mut Bench, from: f64, level: f64| {
        for n in 0..20 {
            // It swings by 2 % on the road.
            let swing = [0.0, 2.0, -2.0, 1.0][n % 4];
            let at = from + n as f64 * 30.0;
            assert_eq!(bench.sample(at, &[("spd", 60.0), ("fuel", level + swing)]), None, "at {at} s");
        }
    };
    drive(&mut bench, 0.0, 70.0);
    assert_eq!(bench.sample(600.0, &[("spd", 0.0), ("fuel", 70.0)]), None);
    bench.restart();
    // In the morning 17 % of 80 l are missing; one value alone is not believed.
    assert_eq!(bench.sample(30_000.0, &[("spd", 0.0), ("fuel", 53.0)]), None);
    assert_eq!(bench.sample(30_030.0, &[("spd", 0.0), ("fuel", 53.0)]), opened(30_000.0));
    let evidence = bench.evidence();
    assert!(evidence.value.is_some_and(|litres| (litres - 13.6).abs() < 2.0), "{evidence:?}");
    assert_eq!(evidence.cause.and_then(|cause| cause.unit.as_deref()), Some("l"));
    // Ten minutes down the road the case is closed.
    let mut ended = None;
    for n in 0..30 {
        ended = ended.or(bench.sample(30_060.0 + f64::from(n) * 30.0, &[("spd", 50.0), ("fuel", 53.0)]));
    }
    assert_eq!(ended, resolved(30_660.0));
}

#[test]
fn fuel_that_is_burnt_on_the_road_or_filled_in_is_no_theft() {
    let condition = Condition::FuelDrop(FuelDrop { by: 10.0, unit: FuelUnit::Percent, within_ms: 43_200_000 });
    let mut bench = Bench::new(&condition);
    let mut level = 80.0;
    for n in 0..400 {
        level -= 0.1;
        assert_eq!(bench.sample(f64::from(n) * 30.0, &[("spd", 90.0), ("fuel", level)]), None);
    }
    for (second, level) in [(12_000.0, 40.0), (12_030.0, 40.0), (12_060.0, 95.0), (12_090.0, 95.0), (12_120.0, 94.0)] {
        assert_eq!(bench.sample(second, &[("spd", 0.0), ("fuel", level)]), None);
    }
    // And what is taken out of the full tank is.
    assert_eq!(bench.sample(15_000.0, &[("fuel", 80.0)]), None);
    assert_eq!(bench.sample(15_030.0, &[("fuel", 80.0)]), opened(15_000.0));
}

#[test]
fn used_outside_working_hours() {
    let hours =
        Hours { zone: "Europe/Zurich".into(), days: Weekday::ALL[..5].to_vec(), from_min: 7 * 60, to_min: 18 * 60 };
    let condition = Condition::All(vec![above("spd", 5.0, 2.0, 60), Condition::OutsideHours(hours)]);
    let mut bench = Bench::new(&condition);
    let evening = 8.0 * 3600.0; // 18:00
    let drive = |bench: &mut Bench, from: f64, kmh: f64| -> Vec<_> {
        let seconds = (0..130).map(|n| from + f64::from(n));
        seconds.filter_map(|second| bench.sample(second, &[("spd", kmh)])).collect()
    };
    assert_eq!(drive(&mut bench, 0.0, 50.0), [], "at ten in the morning");
    assert_eq!(drive(&mut bench, evening - 100.0, 50.0), [Transition::Opened(ms(evening))], "still on the road at six");
    assert_eq!(drive(&mut bench, evening + 600.0, 0.0), [Transition::Resolved(ms(evening + 600.0))]);
    assert_eq!(drive(&mut bench, evening + 3600.0, 0.0), [], "who stands is not used");
    let saturday = 5.0 * DAY;
    assert_eq!(drive(&mut bench, saturday, 50.0).len(), 1);
}

#[test]
fn new_codes_by_severity_by_list_and_by_status() {
    use DtcStatus::{Pending, Stored};
    let condition = |codes: &[&str], at_least, pending| {
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        Condition::Codes(Codes { codes, at_least, pending })
    };
    let mut bench = Bench::new(&condition(&[], Severity::Critical, false));
    for (second, codes, expected) in [
        (0.0, vec![("P0420", Stored)], None), // a catalyst is no emergency
        (10.0, vec![("P0420", Stored), ("P0301", Pending)], None),
        (20.0, vec![("P0420", Stored), ("P0301", Stored)], opened(20.0)),
        (40.0, vec![("P0301", Stored)], None),
        (50.0, vec![("P0301", Stored), ("P0302", Stored)], Some(Transition::Recurred)),
        (45.0, vec![], None), // an older picture
        (60.0, vec![("P0420", Stored)], resolved(60.0)),
    ] {
        assert_eq!(bench.codes(second, &codes), expected, "at {second} s");
        if second == 50.0 {
            assert_eq!(bench.evidence().cause.expect("codes").codes, ["P0301", "P0302"]);
        }
    }
    let mut catalyst = Bench::new(&condition(&["P042", "P2"], Severity::Info, true));
    assert_eq!(catalyst.codes(0.0, &[("P0410", Stored)]), None);
    assert_eq!(catalyst.codes(1.0, &[("P0420", Pending)]), opened(1.0));
}

#[test]
fn the_lamp_and_self_tests_that_are_lost() {
    let mut lamp = Bench::new(&Condition::Lamp);
    for (second, mil, expected) in [
        (0.0, Some(false), None),
        (1.0, None, None),
        (2.0, Some(true), opened(2.0)),
        (30.0, Some(false), resolved(30.0)),
    ] {
        let mut picture = picture(second);
        picture.mil = mil;
        assert_eq!(lamp.step(second, News::Diagnostics(&picture)), expected, "at {second} s");
    }
    let mut tests = Bench::new(&Condition::ReadinessLost);
    for (second, complete, expected) in [
        (0.0, vec![("catalyst", false), ("misfire", true)], None), // it was never complete
        (1.0, vec![("catalyst", true), ("misfire", true)], None),
        (2.0, vec![("catalyst", false), ("misfire", true)], opened(2.0)),
        (30.0, vec![("catalyst", false), ("misfire", false)], Some(Transition::Recurred)),
        (60.0, vec![("catalyst", true), ("misfire", true)], resolved(60.0)),
    ] {
        let mut picture = picture(second);
        picture.monitors = monitors(&complete);
        assert_eq!(tests.step(second, News::Diagnostics(&picture)), expected, "at {second} s");
    }
}

#[test]
fn events_count_for_a_while_or_until_they_are_over() {
    let happening = |kinds: &[EventKind]| Condition::Event(Happening { kinds: kinds.to_vec(), hold_ms: 60_000 });
    let mut harsh = Bench::new(&happening(&[EventKind::HarshBraking, EventKind::HarshCornering]));
    assert_eq!(harsh.event(0.0, EventKind::HarshAcceleration), None);
    assert_eq!(harsh.event(1.0, EventKind::HarshBraking), opened(1.0));
    assert_eq!(harsh.event(1.0, EventKind::HarshBraking), None, "delivered again");
    assert_eq!(harsh.event(30.0, EventKind::HarshCornering), Some(Transition::Recurred));
    harsh.restart();
    assert_eq!(harsh.time(89.0), None);
    assert_eq!(harsh.time(91.0), resolved(90.0));

    let mut adapter = Bench::new(&happening(&[EventKind::AdapterUnplugged]));
    assert_eq!(adapter.event(0.0, EventKind::AdapterUnplugged), opened(0.0));
    assert_eq!(adapter.time(10_000.0), None, "it is still unplugged");
    assert_eq!(adapter.event(10_001.0, EventKind::AdapterPlugged), resolved(10_001.0));
}

#[test]
fn silence_is_not_counted_of_who_sleeps_and_ends_with_any_word() {
    let mut bench = Bench::new(&Condition::Silent { after_ms: 300_000 });
    bench.hearing = Hearing { heard: T0, counted_from: T0, ..Hearing::default() };
    assert_eq!(bench.time(299.0), None);
    assert_eq!(bench.time(300.0), opened(0.0));
    assert_eq!(bench.time(400.0), None);
    assert_eq!(bench.step(500.0, News::Word), resolved(500.0));
    bench.hearing = Hearing { heard: ms(500.0), counted_from: ms(500.0), asleep: true, offline_since: None };
    assert_eq!(bench.time(9_000.0), None);
}

#[test]
fn offline_is_the_brokers_word_and_ends_when_it_comes_back() {
    let mut bench = Bench::new(&Condition::Offline { after_ms: 60_000 });
    assert_eq!(bench.time(0.0), None);
    bench.hearing.offline_since = Some(ms(10.0));
    assert_eq!(bench.time(69.0), None);
    assert_eq!(bench.time(70.0), opened(10.0));
    bench.hearing.offline_since = None;
    assert_eq!(bench.step(90.0, News::Word), resolved(90.0));
}

#[test]
fn the_books() {
    let item = |title: &str, due: Option<f64>| Item { title: title.into(), due: due.map(ms) };
    let mut overdue = Bench::new(&Condition::Maintenance { soon: false });
    let mut soon = Bench::new(&Condition::Maintenance { soon: true });
    let mut contract = Bench::new(&Condition::ContractEnds { within_days: 30 });
    let mut books = Books { soon: vec![item("Oil", None)], ..Books::default() };
    books.contracts = vec![item("Tour", Some(31.0 * DAY))];
    assert_eq!(
        [&mut overdue, &mut soon, &mut contract].map(|bench| bench.books(0.0, &books)),
        [None, opened(0.0), None]
    );
    books.overdue.push(item("Tyres", Some(10.0)));
    let day = 1.5 * DAY;
    let found = [&mut overdue, &mut soon, &mut contract].map(|bench| bench.books(day, &books));
    assert_eq!(found, [opened(day), Some(Transition::Recurred), opened(day)]);
    assert_eq!(
        overdue.evidence().cause.map(|cause| (cause.items.clone(), cause.due)),
        Some((vec!["Tyres".into()], Some(ms(10.0))))
    );
    let found = [&mut overdue, &mut soon, &mut contract].map(|bench| bench.books(2.0 * DAY, &Books::default()));
    assert_eq!(found, [resolved(2.0 * DAY); 3]);
}

#[test]
fn what_is_unusual_is_so_at_this_load_and_learned_first() {
    let condition = Condition::Unusual(Unusual {
        signal: "ect".into(),
        against: Against::Load,
        side: UnusualSide::Above,
        deviations: 5.0,
        least: 6.0,
        for_ms: 60_000,
    });
    let mut bench = Bench::new(&condition);
    let mut second = 0.0;
    let mut drive = |bench: &mut Bench, hours: f64, hotter: f64| -> Vec<(f64, Transition)> {
        let mut found = Vec::new();
        for n in 0..(hours * 720.0) as u32 {
            second += 5.0;
            // At a high load it is 8 °C hotter: that is usual.
            let (load, ect) = if n % 200 < 100 { (30.0, 84.0) } else { (75.0, 92.0) };
            let noise = f64::from(n * 37 % 11) * 0.2 - 1.0;
            found.extend(
                bench.sample(second, &[("load", load), ("ect", ect + noise + hotter)]).map(|one| (second, one)),
            );
        }
        found
    };
    assert_eq!(drive(&mut bench, 2.0, 14.0), [], "nothing is known of it yet");
    bench = Bench::new(&condition);
    assert_eq!(drive(&mut bench, 6.0, 0.0), [], "it learns");
    bench.restart();
    let found = drive(&mut bench, 0.1, 14.0);
    assert!(matches!(found.first(), Some((_, Transition::Opened(_)))), "{found:?}");
    let evidence = bench.evidence();
    let cause = evidence.cause.expect("it says what is usual");
    let (value, usual) = (evidence.value.expect("a value"), cause.usual.expect("a usual value"));
    assert!((value - usual - 14.0).abs() < 2.5, "{evidence:?}");
    assert_eq!((cause.against.as_deref(), cause.against_value), (Some("load"), Some(30.0)));
    let found = drive(&mut bench, 0.1, 0.0);
    assert!(matches!(found.as_slice(), [(_, Transition::Resolved(_))]), "{found:?}");
}

#[test]
fn being_in_and_being_out_are_told_of_whoever_was_not_seen_to_cross() {
    for (when, there, gone) in [(AreaMove::Inside, 0.0, 700.0), (AreaMove::Outside, 700.0, 0.0)] {
        let mut bench = Bench::new(&area(when, 60));
        for (second, metres, expected) in [
            (0.0, there, None),
            (30.0, there, None),
            (60.0, there, opened(0.0)),
            (90.0, gone, None), // it may be a reflection
            (91.0, gone, resolved(90.0)),
        ] {
            assert_eq!(bench.at(second, east(metres)), expected, "{when:?} at {second} s");
        }
    }
}

/// The table of each kind of condition, which is a test in this file. A kind that is new has to have one before this compiles.
#[test]
fn every_kind_has_a_table() {
    let table = |condition: &Condition| match condition {
        Condition::Above { .. } => "a_value_above_a_limit",
        Condition::Below { .. } => "a_value_below_a_limit",
        Condition::Silent { .. } => "silence_is_not_counted_of_who_sleeps_and_ends_with_any_word",
        Condition::Offline { .. } => "offline_is_the_brokers_word_and_ends_when_it_comes_back",
        Condition::Speeding(_) => "speeding_goes_by_the_lowest_limit_that_applies",
        Condition::FuelDrop(_) => "fuel_that_is_gone_when_it_is_started_again_went_while_it_stood",
        Condition::Area(spec) => match spec.when {
            AreaMove::Enter => "entering_is_told_of_who_was_outside_and_a_single_reflection_is_no_crossing",
            AreaMove::Leave => "leaving_is_told_of_who_was_inside_and_names_the_area",
            AreaMove::Inside | AreaMove::Outside => "being_in_and_being_out_are_told_of_whoever_was_not_seen_to_cross",
        },
        Condition::OutsideHours(_) => "used_outside_working_hours",
        Condition::Codes(_) => "new_codes_by_severity_by_list_and_by_status",
        Condition::Lamp | Condition::ReadinessLost => "the_lamp_and_self_tests_that_are_lost",
        Condition::Event(_) => "events_count_for_a_while_or_until_they_are_over",
        Condition::Maintenance { .. } | Condition::ContractEnds { .. } => "the_books",
        Condition::Unusual(_) => "what_is_unusual_is_so_at_this_load_and_learned_first",
        // In tests/trees.rs.
        Condition::All(_) | Condition::Any(_) => "and_and_or_are_what_they_say",
    };
    let tests = [include_str!("kinds.rs"), include_str!("trees.rs")].concat();
    let all =
        [above("ect", 1.0, 0.0, 0), area(AreaMove::Enter, 0), area(AreaMove::Leave, 0), area(AreaMove::Inside, 60)];
    let rest = [Condition::Lamp, Condition::Maintenance { soon: true }, Condition::All(vec![Condition::Lamp])];
    for condition in all.iter().chain(&rest) {
        assert!(tests.contains(&format!("fn {}()", table(condition))), "{condition:?}");
    }
}
