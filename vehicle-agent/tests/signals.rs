//! `docs/signals.md` has all signals and says of each parameter of OBD-II what becomes of it.
#![cfg(feature = "obd")]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

use std::{collections::BTreeSet, env, fmt::Write, fs, path::PathBuf};

use bugbrother_agent::obd::decode::{PARAMETERS, Parameter};
use bugbrother_wire::signal::{CATALOGUE, Signal};

const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end of table -->";

/// Where the values come from that no parameter of OBD-II tells.
const OTHERS: &[(&str, &[&str])] = &[
    ("GNSS receiver", &["lat", "lon", "alt", "hdg", "gspd", "hdop", "sats", "fixq", "acc"]),
    ("microcontroller", &["ax", "ay", "az", "gx", "gy", "gz", "itemp"]),
    ("whether the car answers", &["ign"]),
    ("SAE J1979, mode 01, PID 01", &["dtcs"]),
];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/signals.md")
}

fn table() -> String {
    let mut text = String::from(
        "\n| key | name | unit | range | path | PID | formula | every | source |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for signal in CATALOGUE {
        let Signal { key, label, unit, min, max, .. } = signal;
        let vss = signal.vss.map(|path| format!("`{path}`")).unwrap_or_default();
        let told = tellers(signal);
        let all = |of: &dyn Fn(&Parameter, &str) -> String| {
            let mut all: Vec<_> = told.iter().map(|(parameter, formula)| of(parameter, formula)).collect();
            all.dedup();
            all.join("; ")
        };
        let pids = all(&|parameter, _| format!("{:02X}", parameter.pid));
        let formulas = all(&|_, formula| format!("`{formula}`"));
        let periods = all(&|parameter, _| format!("{} s", f64::from(parameter.period_ms) / 1000.0));
        let source = match OTHERS.iter().find(|(_, keys)| keys.contains(key)) {
            Some((source, _)) => source,
            None => "SAE J1979, mode 01",
        };
        writeln!(
            text,
            "| `{key}` | {label} | {unit} | {min} to {max} | {vss} | {pids} | {formulas} | {periods} | {source} |"
        )
        .unwrap();
    }
    text.push('\n');
    text
}

fn tellers(signal: &Signal) -> Vec<(&'static Parameter, &'static str)> {
    let values = PARAMETERS.iter().flat_map(|parameter| parameter.values.iter().map(move |value| (parameter, value)));
    values.filter(|(_, value)| value.key == signal.key).map(|(parameter, value)| (parameter, value.formula)).collect()
}

#[test]
fn the_table_of_signals_is_the_one_that_is_kept() {
    let kept = fs::read_to_string(path()).unwrap();
    let (before, rest) = kept.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let whole = format!("{before}{BEGIN}{}{END}{after}", table());
    if env::var_os("BUGBROTHER_WRITE_GOLDEN").is_some() {
        fs::write(path(), &whole).unwrap();
    }
    let kept = fs::read_to_string(path()).unwrap();
    assert!(kept == whole, "docs/signals.md is stale: run this test with BUGBROTHER_WRITE_GOLDEN=1");
}

#[test]
fn every_signal_has_a_source_and_the_parameter_that_it_names() {
    for signal in CATALOGUE {
        let told = tellers(signal);
        let has_other = OTHERS.iter().any(|(_, keys)| keys.contains(&signal.key));
        assert!(told.is_empty() == has_other, "{}", signal.key);
        assert_eq!(signal.pid, told.first().map(|(parameter, _)| parameter.pid), "{}", signal.key);
        assert!(told.iter().all(|(_, formula)| !formula.is_empty()), "{}", signal.key);
    }
}

#[test]
fn every_parameter_of_the_standard_is_decoded_or_named_as_one_that_is_not() {
    let kept = fs::read_to_string(path()).unwrap();
    let (_, list) = kept.split_once("## What is not decoded").unwrap();
    let rows = list.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let named: Vec<u8> = rows.map(|(pid, _)| u8::from_str_radix(pid, 16).unwrap()).collect();
    let unique: BTreeSet<_> = named.iter().copied().collect();
    assert_eq!(unique.len(), named.len());
    let masks = (0x00..=0xA0).step_by(0x20);
    let all: Vec<u8> = PARAMETERS.iter().map(|parameter| parameter.pid).chain(named).chain(masks).collect();
    for pid in 0x00..=0xA6 {
        assert_eq!(all.iter().filter(|known| **known == pid).count(), 1, "{pid:02X}");
    }
}

#[test]
fn every_key_that_the_document_explains_is_a_signal() {
    let kept = fs::read_to_string(path()).unwrap();
    let (_, meanings) = kept.split_once("## What numbers mean").unwrap();
    let (meanings, _) = meanings.split_once("## ").unwrap();
    for row in meanings.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).unwrap();
        for key in cell.split('`').skip(1).step_by(2) {
            assert!(CATALOGUE.iter().any(|signal| signal.key == key), "{key}");
        }
    }
}
