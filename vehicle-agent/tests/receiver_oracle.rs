//! Every decoded value beside what `pynmea2`, which shares nothing with the agent, makes of the same bytes.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[path = "parts/decoding.rs"]
mod decoding;
#[path = "parts/recording.rs"]
mod recording;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bugbrother_agent::gps::Fix;
use bugbrother_simulator::Drive;
use decoding::{LOGS, decode};
use serde::Deserialize;

const KMH_PER_KNOT: f64 = 1.852;
const DAY_MS: i64 = 86_400_000;

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Line {
    #[serde(rename = "RMC")]
    Rmc { time: i64, date: String, lat: f64, lon: f64, knots: Option<f64>, course: Option<f64> },
    #[serde(rename = "GGA")]
    Gga { time: i64, alt: Option<f64> },
}

fn python() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    assert!(path.exists(), "`{}` is not there; run scripts/python (make setup-test does)", path.display());
    path
}

fn ask_pynmea2(recording: &Path) -> Vec<Line> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts/pynmea2_fixes.py");
    let output = Command::new(python()).arg(script).arg(recording).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect()
}

fn parse(line: &[u8]) -> Line {
    serde_json::from_slice(line).unwrap()
}

fn near(ours: Option<f64>, theirs: Option<f64>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() < 1e-9,
        (ours, theirs) => ours == theirs,
    }
}

/// `yyyy-mm-dd`, by counting days of the Gregorian calendar from 1970 on.
fn days(date: &str) -> i64 {
    let part: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let years: i64 = (1970..part[0]).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let february = if leap(part[0]) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    years + months[..usize::try_from(part[1] - 1).unwrap()].iter().sum::<i64>() + part[2] - 1
}

/// How many fixes, and how many altitudes among them, are the same.
fn compare(name: &str, fixes: &[Fix], theirs: Vec<Line>) -> (usize, usize) {
    let mut altitudes: HashMap<i64, Vec<Option<f64>>> = HashMap::new();
    for line in &theirs {
        if let Line::Gga { time, alt } = line {
            altitudes.entry(*time).or_default().push(*alt);
        }
    }
    let mut ours = fixes.iter();
    let mut compared = 0;
    for line in theirs {
        let Line::Rmc { time, date, lat, lon, knots, course } = line else { continue };
        let fix = ours.next().unwrap_or_else(|| panic!("{name}: no fix at {date} {time}"));
        assert_eq!(fix.ts, days(&date) * DAY_MS + time, "{name}");
        assert!(near(Some(fix.lat), Some(lat)) && near(Some(fix.lon), Some(lon)), "{name}: {fix:?}, {lat} {lon}");
        assert!(near(fix.gspd, knots.map(|knots| knots * KMH_PER_KNOT)), "{name}: {fix:?}, {knots:?} knots");
        assert!(near(fix.hdg, course), "{name}: {fix:?}, {course:?}");
        if let Some(alt) = fix.quality.alt {
            let told = altitudes.get(&time).is_some_and(|told| told.contains(&Some(alt)));
            assert!(told, "{name}: {fix:?}, {:?}", altitudes.get(&time));
        }
        compared += 1;
    }
    assert_eq!(ours.next(), None, "{name}: pynmea2 has no such fix");
    (compared, fixes.iter().filter(|fix| fix.quality.alt.is_some()).count())
}

#[test]
fn every_value_is_what_another_parser_reads() {
    let (mut fixes, mut altitudes, mut files) = (0, 0, 0);
    for name in LOGS {
        let Some(path) = recording::shared(name) else { continue };
        let (some, high) = compare(name, &decode(&recording::content(&path)).fixes, ask_pynmea2(&path));
        (fixes, altitudes, files) = (fixes + some, altitudes + high, files + 1);
    }
    if files == LOGS.len() {
        assert_eq!((fixes, altitudes), (10_570, 2_792));
    }
    let drive =
        Drive { seed: 3, duration: Duration::from_secs(600), start: 1_790_000_000_000, rate_hz: 5, damaged: false };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), drive.log().bytes).unwrap();
    let generated = decode(&drive.log().bytes).fixes;
    assert!(generated.len() > 2000);
    assert_eq!(compare("a generated drive", &generated, ask_pynmea2(file.path())).0, generated.len());
}
