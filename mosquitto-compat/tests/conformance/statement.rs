//! The numbered statements, in our words.

use std::collections::BTreeSet;

use crate::cases;

/// One of them.
#[derive(Debug)]
pub struct Statement {
    /// Its number without `MQTT-`.
    pub number: &'static str,
    /// What it demands.
    pub phrase: &'static str,
    /// Why no case tries it.
    pub untried: Option<&'static str>,
}

/// Those of a version.
pub fn all(version: u8) -> Vec<Statement> {
    let text = if version == 5 { include_str!("statements/5.0.txt") } else { include_str!("statements/3.1.1.txt") };
    text.lines().filter(|line| !line.starts_with('#')).map(read).collect()
}

fn read(line: &'static str) -> Statement {
    let mut parts = line.split('|');
    let (number, phrase) = (parts.next().unwrap(), parts.next().expect(line));
    let untried = parts.next().map(|reason| match reason.split_once(": ") {
        Some((_, reason)) => reason,
        None => "binds clients",
    });
    Statement { number, phrase, untried }
}

#[test]
fn every_statement_is_tried_or_says_why_not_and_no_case_names_another() {
    for version in [4, 5] {
        let tried: BTreeSet<_> = cases::all().iter().flat_map(|case| case.statements(version)).collect();
        let statements = all(version);
        for statement in &statements {
            let is_tried = tried.contains(statement.number);
            assert!(is_tried != statement.untried.is_some(), "version {version}: {statement:?}");
        }
        for number in tried {
            assert_eq!(statements.iter().filter(|known| known.number == number).count(), 1, "{version}: {number}");
        }
    }
}
