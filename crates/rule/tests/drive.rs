//! The alerts of whole drives, a line for each, beside what a person has checked: `tests/golden`. With
//! `BUGBROTHER_WRITE_GOLDEN=1` the files are written anew.

mod table;

use std::{env, fmt::Write, fs, io::Read, path::PathBuf, sync::Arc, time::Duration};

use bugbrother_rule::{Fences, Firing, Member, Plan, Slots, Trial};
use bugbrother_simulator::{Car, demo_fleet};
use bugbrother_trip::gazetteer;
use bugbrother_wire::{
    UnixMs,
    message::Shape,
    rule::{Area, AreaLimit, AreaMove, Condition, Hours, Speeding, Weekday},
};
use flate2::read::GzDecoder;
use jiff::{Timestamp, tz::TimeZone};
use nmea_parser::{NmeaParser, ParsedMessage};

/// Monday, 6 July 2026, 05:10 in Zurich.
const START: UnixMs = table::T0 - 290 * 60_000;
const KMH_PER_KNOT: f64 = 1.852;
/// A sample: when, and the value of each signal.
type Sample = (UnixMs, Vec<(&'static str, f64)>);

fn fences() -> Fences {
    let circle =
        |id: &str, name: &str, centre, radius_m| (id.to_owned(), name.to_owned(), Shape::Circle { centre, radius_m });
    let lavaux = vec![(46.50, 6.70), (46.49, 6.75), (46.47, 6.80), (46.465, 6.84), (46.45, 6.88)];
    [
        circle("aigle", "Aigle", (46.3190, 6.9640), 4_000.0),
        circle("montreux", "Montreux", (46.4312, 6.9107), 4_000.0),
        circle("yverdon", "Yverdon", (46.7785, 6.6410), 5_000.0),
        ("lavaux".to_owned(), "Lavaux".to_owned(), Shape::Corridor { line: lavaux, width_m: 2_000.0 }),
    ]
    .into_iter()
    .collect()
}

/// The rules that both drives are judged by, as far as they have what they look at.
fn rules() -> Vec<(&'static str, Condition)> {
    let above = |signals: &[&str], on, off, for_ms| Condition::Above {
        signals: signals.iter().map(|key| (*key).to_owned()).collect(),
        on,
        off,
        for_ms,
    };
    let area = |id: &str, when, for_ms| Condition::Area(Area { geofences: vec![id.to_owned()], when, for_ms });
    let limits = Speeding {
        limit_kmh: Some(120.0),
        areas: vec![AreaLimit { geofence: "lavaux".to_owned(), limit_kmh: 90.0 }],
        classes: Vec::new(),
        below_kmh: 6.0,
        for_ms: 10_000,
    };
    let zone = "Europe/Zurich".to_owned();
    let hours = Hours { zone, days: Weekday::ALL[..5].to_vec(), from_min: 5 * 60 + 30, to_min: 20 * 60 };
    vec![
        ("limits", Condition::Speeding(limits)),
        ("early", Condition::All(vec![above(&["spd", "gspd"], 5.0, 2.0, 60_000), Condition::OutsideHours(hours)])),
        ("montreux", area("montreux", AreaMove::Enter, 0)),
        ("yverdon", area("yverdon", AreaMove::Leave, 0)),
        ("aigle-long", area("aigle", AreaMove::Inside, 5 * 60_000)),
        ("stop", Condition::Below { signals: vec!["spd".into(), "gspd".into()], on: 1.5, off: 5.0, for_ms: 120_000 }),
        ("revs", above(&["rpm"], 3_600.0, 3_200.0, 3_000)),
        ("full-load", above(&["load"], 95.0, 80.0, 15_000)),
    ]
}

/// Judges a drive, and tells a line for each alert.
fn judge(samples: &[Sample]) -> String {
    let mut slots = Slots::default();
    let fences = fences();
    let mut trials: Vec<(&str, Trial, Vec<Firing>)> = Vec::new();
    for (id, condition) in rules() {
        assert_eq!(bugbrother_rule::check(&condition), Ok(()), "{id}");
        let plan = Plan::new(&condition, &fences, &mut slots);
        trials.push((id, Trial::new(Arc::new(plan), Member::default()), Vec::new()));
    }
    let mut row = vec![None; slots.keys().len()];
    for (ts, values) in samples {
        row.iter_mut().for_each(|value| *value = None);
        for (key, value) in values {
            if let Some(slot) = slots.find(key) {
                row[slot] = Some(*value);
            }
        }
        for (_, trial, found) in &mut trials {
            found.extend(trial.step(*ts, &row));
        }
    }
    let end = samples.last().map_or(0, |(ts, _)| *ts);
    let mut lines: Vec<(UnixMs, String)> = Vec::new();
    for (id, trial, mut found) in trials {
        found.extend(trial.end(end));
        lines.extend(found.iter().map(|firing| (firing.opened, line(id, firing))));
    }
    lines.sort();
    let from = samples.first().map_or(0, |(ts, _)| *ts);
    let mut text =
        format!("# {} to {}, Europe/Zurich: from, until, rule, place, value and limit\n", clock(from), clock(end));
    lines.iter().for_each(|(_, line)| text.push_str(line));
    text
}

fn line(id: &str, firing: &Firing) -> String {
    let until = firing.resolved.map_or_else(|| "…".to_owned(), clock);
    let place = firing.place.and_then(|(lat, lon)| gazetteer::place(lat, lon)).map_or("?", |place| place.name);
    let mut line = format!("{} {until:>8} {id:<10} {place:<24}", clock(firing.opened));
    if let (Some(worst), Some(limit)) = (firing.worst, firing.limit) {
        write!(line, " {worst:.0} / {limit:.0} {}", firing.signal.as_deref().unwrap_or_default())
            .expect("a text takes it");
    }
    if let Some(name) = firing.cause.as_ref().and_then(|cause| cause.geofence.as_ref()) {
        write!(line, " [{name}]").expect("a text takes it");
    }
    if firing.count > 1 {
        write!(line, " {} times", firing.count).expect("a text takes it");
    }
    format!("{}\n", line.trim_end())
}

fn clock(ts: UnixMs) -> String {
    let zone = TimeZone::get("Europe/Zurich").expect("there is one");
    let at = Timestamp::from_millisecond(ts).expect("a time").to_zoned(zone);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// Compares with what was checked.
fn compare(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("BUGBROTHER_WRITE_GOLDEN").is_some() {
        fs::write(&path, text).expect("it can be written");
    }
    let golden = fs::read_to_string(&path).expect("the golden file is there");
    assert_eq!(text, golden, "{}", path.display());
}

#[test]
fn a_simulated_drive_raises_the_alerts_that_a_person_has_checked() {
    let profile = demo_fleet().into_iter().find(|profile| profile.name == "Courier 3").expect("it is in the demo");
    let mut car = Car::new(&profile);
    let mut samples = Vec::new();
    for second in 0..100 * 60 {
        let reading = car.reading();
        let mut values = vec![("lat", reading.point.lat), ("lon", reading.point.lon), ("gspd", reading.speed_kmh)];
        if reading.ignition {
            values.extend([("spd", reading.speed_kmh.floor()), ("rpm", reading.rpm), ("load", reading.load_percent)]);
        }
        samples.push((START + second * 1000, values));
        car.step(Duration::from_secs(1));
    }
    let text = judge(&samples);
    assert!(text.lines().count() > 8, "it is a long drive: {text}");
    compare("drive.txt", &text);
}

#[test]
fn a_real_drive_raises_the_alerts_that_a_person_has_checked() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/nmea");
    let path =
        env::var_os("BUGBROTHER_RECORDINGS").map_or_else(beside, PathBuf::from).join("switzerland-drive.nmea.gz");
    let Ok(packed) = fs::read(&path) else {
        eprintln!("{} is absent: the simulated drive alone is judged", path.display());
        return;
    };
    let mut log = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut log).expect("it can be unpacked");
    let mut parser = NmeaParser::new();
    let mut samples: Vec<Sample> = Vec::new();
    for line in log.split(|byte| *byte == b'\n') {
        let Ok(line) = str::from_utf8(line) else { continue };
        let Ok(ParsedMessage::Rmc(rmc)) = parser.parse_sentence(line.trim_end()) else { continue };
        let Some(time) = rmc.timestamp.filter(|_| rmc.status_active == Some(true)) else { continue };
        let speed = rmc.sog_knots.map(|knots| knots * KMH_PER_KNOT);
        let values = [("lat", rmc.latitude), ("lon", rmc.longitude), ("gspd", speed)];
        samples.push((
            time.timestamp_millis(),
            values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect(),
        ));
    }
    compare("real-drive.txt", &judge(&samples));
}
