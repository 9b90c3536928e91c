//! The built-in words. They are read once, when a code is explained for the first time.

use std::{collections::HashMap, sync::LazyLock};

use bugbrother_wire::{api::Tongue, message::Severity};
use serde::{Deserialize, de::DeserializeOwned};

use crate::Code;

const CODES: &str = include_str!("../data/codes.csv");
const PARTS: &str = include_str!("../data/parts.csv");
const FAULTS: &str = include_str!("../data/faults.csv");
const ADVICE: &str = include_str!("../data/advice.csv");
const CHECKS: &str = include_str!("../data/checks.csv");

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::read);

/// A row of `codes.csv`.
#[derive(Deserialize)]
pub(crate) struct Entry {
    pub code: String,
    part: String,
    fault: String,
    /// Which of several parts of that name: the number of a cylinder, the letter of a solenoid.
    n: String,
    bank: Option<u8>,
    sensor: Option<u8>,
}

/// A row of `parts.csv`; `{n}` in its words is the entry's `n`.
#[derive(Deserialize)]
struct Part {
    part: String,
    advice: String,
    en: String,
    fr: String,
}

/// A row of `faults.csv`; `{}` in its words is the part with its place. `advice` is one of `checks.csv` or empty.
#[derive(Deserialize)]
struct Fault {
    fault: String,
    advice: String,
    en: String,
    fr: String,
}

/// A row of `advice.csv`.
#[derive(Deserialize)]
struct Advice {
    advice: String,
    severity: Severity,
    en: String,
    fr: String,
}

/// A row of `checks.csv`.
#[derive(Deserialize)]
struct Check {
    advice: String,
    en: String,
    fr: String,
}

/// All of them.
struct Tables {
    codes: HashMap<Code, Entry>,
    parts: HashMap<String, Part>,
    faults: HashMap<String, Fault>,
    advice: HashMap<String, Advice>,
    checks: HashMap<String, Check>,
}

/// What the tables say of a code.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    entry: &'static Entry,
    part: &'static Part,
    fault: Option<&'static Fault>,
    advice: &'static Advice,
    check: Option<&'static Check>,
}

/// What is known of a code by itself.
pub(crate) fn find(code: Code) -> Option<Known> {
    let tables = &*TABLES;
    let entry = tables.codes.get(&code)?;
    let part = tables.parts.get(&entry.part)?;
    let fault = tables.faults.get(&entry.fault);
    let check = fault.and_then(|fault| tables.checks.get(&fault.advice));
    Some(Known { entry, part, fault, advice: tables.advice.get(&part.advice)?, check })
}

impl Known {
    /// What is wrong: "Oxygen sensor, bank 1, sensor 2: signal too low".
    pub fn title(self, tongue: Tongue) -> String {
        let mut part = pick(tongue, &self.part.en, &self.part.fr).replace("{n}", &self.entry.n);
        for (number, word) in [(self.entry.bank, ("bank", "rangée")), (self.entry.sensor, ("sensor", "position"))] {
            if let Some(number) = number {
                part = format!("{part}, {} {number}", crate::code::choose(tongue, word));
            }
        }
        let title = match self.fault {
            Some(fault) => pick(tongue, &fault.en, &fault.fr).replace("{}", &part),
            None => part,
        };
        let mut letters = title.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect()
    }

    /// What to do.
    pub fn advice(self, tongue: Tongue) -> String {
        let first = pick(tongue, &self.advice.en, &self.advice.fr);
        match self.check {
            Some(check) => format!("{first} {}", pick(tongue, &check.en, &check.fr)),
            None => first.to_owned(),
        }
    }

    /// How bad it is to drive on.
    pub fn severity(self) -> Severity {
        self.advice.severity
    }
}

impl Tables {
    fn read() -> Self {
        Tables {
            codes: rows(CODES, |entry: &Entry| Code::parse(&entry.code).expect("a test reads every code")),
            parts: rows(PARTS, |part: &Part| part.part.clone()),
            faults: rows(FAULTS, |fault: &Fault| fault.fault.clone()),
            advice: rows(ADVICE, |advice: &Advice| advice.advice.clone()),
            checks: rows(CHECKS, |check: &Check| check.advice.clone()),
        }
    }
}

fn rows<K: Eq + std::hash::Hash, R: DeserializeOwned>(text: &str, key: impl Fn(&R) -> K) -> HashMap<K, R> {
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
    rows.map(|row| row.expect("a test reads every row")).map(|row: R| (key(&row), row)).collect()
}

fn pick<'a>(tongue: Tongue, english: &'a str, french: &'a str) -> &'a str {
    match tongue {
        Tongue::En => english,
        Tongue::Fr => french,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn first_columns(text: &str) -> Vec<&str> {
        text.lines().skip(1).filter_map(|line| line.split(',').next()).collect()
    }

    #[test]
    fn tables_are_sorted_and_have_each_row_once() {
        for text in [CODES, PARTS, FAULTS, ADVICE, CHECKS] {
            let keys = first_columns(text);
            assert!(
                keys.is_sorted_by(|one, other| one < other),
                "{:?}",
                keys.windows(2).find(|pair| pair[0] >= pair[1])
            );
        }
        assert_eq!(TABLES.codes.len(), first_columns(CODES).len());
    }

    #[test]
    fn each_row_is_used_and_names_what_there_is() {
        let used = |names: Vec<&str>| {
            names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let tables = &*TABLES;
        let there = |text: &'static str| used(first_columns(text));
        assert_eq!(used(tables.codes.values().map(|entry| entry.part.as_str()).collect()), there(PARTS));
        assert_eq!(used(tables.codes.values().map(|entry| entry.fault.as_str()).collect()), there(FAULTS));
        assert_eq!(used(tables.parts.values().map(|part| part.advice.as_str()).collect()), there(ADVICE));
        assert_eq!(used(tables.faults.values().map(|fault| fault.advice.as_str()).collect()), there(CHECKS));
    }

    #[test]
    fn words_have_places_for_what_stands_in_them() {
        let tables = &*TABLES;
        for part in tables.parts.values() {
            assert_eq!(part.en.contains("{n}"), part.fr.contains("{n}"), "{}", part.part);
        }
        for fault in tables.faults.values() {
            assert_eq!((fault.en.matches("{}").count(), fault.fr.matches("{}").count()), (1, 1), "{}", fault.fault);
        }
        for entry in tables.codes.values() {
            assert_eq!(tables.parts[&entry.part].en.contains("{n}"), !entry.n.is_empty(), "{}", entry.code);
            assert!(Code::parse(&entry.code).unwrap().is_generic(), "{}", entry.code);
        }
    }
}
