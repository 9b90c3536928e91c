//! `CONFORMANCE.md`, made of the statements, the cases and what of them is known to fail.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::Path};

use crate::{
    case::{expected_failures, label},
    cases,
    lab::Which,
    statement::{self, Statement},
};

const HEAD: &str = "\
# Conformance to MQTT 3.1.1 and 5.0

Every numbered statement of the two specifications that binds a server and can be seen from outside, tried on the embedded
broker and on Debian's Mosquitto 2.0.11 by the cases in `tests/conformance`. What a statement demands is said in our words;
the specification's are what counts. Written by `make conformance`; the ordinary tests fail when it is not true any more.
";

fn table() -> String {
    let mut text = HEAD.to_owned();
    for (version, title) in [(4, "MQTT 3.1.1"), (5, "MQTT 5.0")] {
        let statements = statement::all(version);
        let (tried, untried): (Vec<_>, Vec<_>) = statements.iter().partition(|statement| statement.untried.is_none());
        let failing = [Which::Embedded, Which::Mosquitto].map(expected_failures);
        let verdicts: Vec<_> = tried
            .iter()
            .map(|statement| failing.each_ref().map(|failing| failing_cases(version, statement, failing)))
            .collect();
        let held = |broker: usize| verdicts.iter().filter(|verdicts| verdicts[broker].is_empty()).count();
        write!(
            text,
            "\n## {title}\n\nOf {} statements the embedded broker holds {}, Mosquitto {}.\n\n\
             | statement | demands that the broker… | embedded | Mosquitto |\n|---|---|---|---|\n",
            tried.len(),
            held(0),
            held(1)
        )
        .unwrap();
        for (statement, [embedded, mosquitto]) in tried.iter().zip(&verdicts) {
            let (embedded, mosquitto) = (verdict(embedded), verdict(mosquitto));
            writeln!(text, "| {} | {} | {embedded} | {mosquitto} |", statement.number, statement.phrase).unwrap();
        }
        write!(text, "\n### {title}: not tried from outside\n\n| statement | says that… | why not |\n|---|---|---|\n")
            .unwrap();
        for statement in untried {
            let reason = statement.untried.unwrap_or_default();
            writeln!(text, "| {} | {} | {reason} |", statement.number, statement.phrase).unwrap();
        }
    }
    text
}

fn failing_cases(version: u8, statement: &Statement, failing: &BTreeSet<String>) -> Vec<&'static str> {
    let cases = cases::all().into_iter().filter(|case| case.statements(version).any(|known| known == statement.number));
    cases.filter(|case| failing.contains(&label(case, version))).map(|case| case.name).collect()
}

fn verdict(failing: &[&str]) -> String {
    if failing.is_empty() { "holds".to_owned() } else { format!("**fails** `{}`", failing.join("` `")) }
}

#[test]
fn the_table_of_conformance_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CONFORMANCE.md");
    let table = table();
    if env::var_os("BUGBROTHER_WRITE_GOLDEN").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(kept == table, "CONFORMANCE.md is stale: run `make conformance`");
}

#[test]
fn what_is_expected_to_fail_is_a_case() {
    let known: BTreeSet<_> = cases::all().iter().flat_map(|case| [4, 5].map(|version| label(case, version))).collect();
    for which in [Which::Embedded, Which::Mosquitto] {
        let unknown: Vec<_> = expected_failures(which).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", which.name());
    }
}
