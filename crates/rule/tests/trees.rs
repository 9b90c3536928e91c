//! And/or against a naive evaluation, and what must never happen whatever is heard.

mod table;

use bugbrother_rule::{Case, Fences, Hearing, Member, Moment, News, Plan, Slots, Transition};
use bugbrother_wire::rule::{Condition, Speeding};
use proptest::{collection::vec, prelude::*};
use table::{Bench, T0};

const KEYS: [&str; 4] = ["x.a", "x.b", "x.c", "x.d"];

/// A value of 1 is beyond, one of 0 is not: a leaf holds exactly when its last value is 1.
fn leaf(key: usize) -> Condition {
    Condition::Above { signals: vec![KEYS[key].into()], on: 0.5, off: 0.5, for_ms: 0 }
}

fn trees() -> impl Strategy<Value = Condition> {
    let leaves = || (0..4usize).prop_map(leaf).boxed();
    let group = |parts: BoxedStrategy<Condition>| {
        (any::<bool>(), vec(parts, 1..3))
            .prop_map(|(all, parts)| if all { Condition::All(parts) } else { Condition::Any(parts) })
            .boxed()
    };
    prop_oneof![leaves(), group(leaves()), group(prop_oneof![leaves(), group(leaves())].boxed())]
}

fn holds(condition: &Condition, values: [bool; 4]) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| holds(part, values)),
        Condition::Any(parts) => parts.iter().any(|part| holds(part, values)),
        Condition::Above { signals, .. } => values[KEYS.iter().position(|key| *key == signals[0]).expect("a key")],
        _ => unreachable!("there are no others"),
    }
}

#[test]
fn and_and_or_are_what_they_say() {
    let (a, b) = (|| leaf(0), || leaf(1));
    for (condition, table) in [
        (Condition::All(vec![a(), b()]), [false, false, false, true]),
        (Condition::Any(vec![a(), b()]), [false, true, true, true]),
        (Condition::All(vec![a(), Condition::Any(vec![a(), b()])]), [false, true, false, true]),
    ] {
        for (n, expected) in table.into_iter().enumerate() {
            let mut bench = Bench::new(&condition);
            let bit = |n: usize| f64::from(u8::from(n != 0));
            bench.sample(0.0, &[("x.a", bit(n & 1)), ("x.b", bit(n & 2))]);
            assert_eq!(bench.case.is_open(), expected, "{condition:?} of {n:02b}");
        }
    }
}

proptest! {
    /// Every 11 s the values change: that is never too soon.
    #[test]
    fn a_tree_is_open_exactly_when_a_naive_evaluation_says_so(
        tree in trees(), steps in vec(any::<[bool; 4]>(), 1..40), restarts in vec(any::<bool>(), 40)
    ) {
        let mut bench = Bench::new(&tree);
        for (n, values) in steps.iter().enumerate() {
            let row: Vec<_> = KEYS.iter().zip(values).map(|(key, value)| (*key, f64::from(u8::from(*value)))).collect();
            let was = bench.case.is_open();
            let found = bench.sample(n as f64 * 11.0, &row);
            let is = holds(&tree, *values);
            prop_assert_eq!(bench.case.is_open(), is);
            prop_assert_eq!(matches!(found, Some(Transition::Opened(_))), is && !was);
            prop_assert_eq!(matches!(found, Some(Transition::Resolved(_))), was && !is);
            if restarts[n] {
                bench.restart();
            }
        }
    }

    #[test]
    fn between_on_and_off_nothing_begins_and_nothing_ends(values in vec(125.001..130.0f64, 1..100), begins in any::<bool>()) {
        let condition = Condition::Above { signals: vec!["spd".into()], on: 130.0, off: 125.0, for_ms: 0 };
        let mut bench = Bench::new(&condition);
        bench.sample(0.0, &[("spd", if begins { 131.0 } else { 100.0 })]);
        for (n, value) in values.iter().enumerate() {
            prop_assert_eq!(bench.sample(11.0 + n as f64, &[("spd", *value)]), None);
            prop_assert_eq!(bench.case.is_open(), begins);
        }
    }

    #[test]
    fn below_and_too_fast_do_not_flap_between_their_limits_either(shares in vec(0.001..0.999f64, 1..100), begins in any::<bool>()) {
        let below = Condition::Below { signals: vec!["vbat".into()], on: 11.0, off: 12.0, for_ms: 0 };
        let speeding = Condition::Speeding(Speeding {
            limit_kmh: Some(120.0), areas: vec![], classes: vec![], below_kmh: 10.0, for_ms: 0,
        });
        for (condition, signal, wrong, right, between) in [
            (&below, "vbat", 10.0, 14.0, 11.0..12.0), (&speeding, "spd", 150.0, 80.0, 110.0..120.0),
        ] {
            let mut bench = Bench::new(condition);
            bench.sample(0.0, &[(signal, if begins { wrong } else { right })]);
            prop_assert_eq!(bench.case.is_open(), begins);
            for (n, share) in shares.iter().enumerate() {
                let value = between.start + share * (between.end - between.start);
                prop_assert_eq!(bench.sample(11.0 + n as f64, &[(signal, value)]), None, "{} {}", signal, value);
                prop_assert_eq!(bench.case.is_open(), begins);
            }
        }
    }

    /// Whatever is heard, in whatever order of time: opened, resolved, opened, resolved; and a restart changes nothing.
    #[test]
    fn what_is_opened_is_resolved_before_it_is_opened_again(
        tree in trees(), steps in vec((-30_000..60_000i64, 0..4usize, any::<bool>()), 1..120)
    ) {
        let mut slots = Slots::default();
        let plan = Plan::new(&tree, &Fences::default(), &mut slots);
        let (mut kept, mut restarted) = (plan.fresh(), plan.fresh());
        let (mut ts, mut open) = (T0, false);
        for (dt, key, value) in steps {
            ts += dt;
            let mut row = vec![None; slots.keys().len()];
            if let Some(slot) = slots.find(KEYS[key]) {
                row[slot] = Some(f64::from(u8::from(value)));
            }
            let member = Member::default();
            let moment = Moment { ts, news: News::Sample(&row), place: None, member: &member, hearing: Hearing::default() };
            let found = kept.step(&plan, &moment, ts);
            restarted = serde_json::from_str::<Case>(&serde_json::to_string(&restarted).unwrap()).unwrap();
            prop_assert_eq!(restarted.step(&plan, &moment, ts), found);
            match found {
                Some(Transition::Opened(_)) => { prop_assert!(!open); open = true; }
                Some(Transition::Resolved(_)) => { prop_assert!(open); open = false; }
                Some(_) => prop_assert!(open),
                None => {}
            }
            prop_assert_eq!(kept.is_open(), open);
        }
    }
}
