//! What rules cost: 1,000 vehicles that send a sample a second, judged by 20 rules of all kinds.
//!
//! `cargo bench -p bugbrother-notifier`: decoded messages go into the desk as the service gives them to it, on one thread; no
//! broker and no database. With `BUGBROTHER_BENCH_DOCS=1` the figures in `docs/performance.md` are replaced.

use std::{
    env, fs,
    io::{Write, stdout},
    path::PathBuf,
    time::{Duration, Instant},
};

use bugbrother_notifier::desk::{Book, Desk};
use bugbrother_store::{Condition, GeofenceId, GeofenceRecord, Rule, RuleScope};
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Clock, EventKind, Row, Severity, Shape, Telemetry},
    rule::{
        Against, Area, AreaLimit, AreaMove, Codes, FuelDrop, FuelUnit, Happening, Hours, Speeding, Unusual,
        UnusualSide, Weekday,
    },
};
use uuid::Uuid;

const NOW: UnixMs = 1_790_000_000_000;
const VEHICLES: u32 = 1_000;
const MEASURE: Duration = Duration::from_secs(5);
/// Samples of a message: live ones have one, those of a bad network more.
const SIZES: [usize; 2] = [1, 10];
const KEYS: [&str; 10] = ["lat", "lon", "gspd", "spd", "rpm", "load", "ect", "oil", "fuel", "vbat"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut report = format!(
        "{VEHICLES} vehicles, samples of {} signals, on one core:\n\n\
         | rules | samples a message | µs a sample | ns a rule and sample | cores at a sample a second each |\n|---:|---:|---:|---:|---:|\n",
        KEYS.len()
    );
    let mut remembered = (0, Duration::ZERO);
    for rules in [1, 20, 200] {
        for size in SIZES {
            let (mut desk, _) = Desk::new(book(rules), Vec::new(), Vec::new(), NOW);
            desk.listen(NOW);
            let (samples, working) = drive(&mut desk, size)?;
            let ns = working.as_nanos() as f64 / samples as f64;
            let cores = ns * f64::from(VEHICLES) / 1e9;
            report += &format!("| {rules} | {size} | {:.2} | {:.0} | {cores:.4} |\n", ns / 1000.0, ns / rules as f64);
            if rules == 20 {
                remembered = remember(&mut desk);
            }
        }
    }
    let (bytes, each) = remembered;
    report += &format!(
        "\nWhat is remembered of a vehicle under 20 rules is {bytes} bytes, and written down in {:.0} µs.\n",
        each.as_nanos() as f64 / 1000.0
    );
    stdout().write_all(report.as_bytes())?;
    if env::var_os("BUGBROTHER_BENCH_DOCS").is_some() {
        replace(&report)?;
    }
    Ok(())
}

/// Has every vehicle send message after message. Tells how many samples were judged, and in what time.
fn drive(desk: &mut Desk, size: usize) -> Result<(u64, Duration), Box<dyn std::error::Error>> {
    let vins: Vec<Vin> = (0..VEHICLES).map(|n| format!("WVWZZZ1JZ3W{n:06}").parse()).collect::<Result<_, _>>()?;
    let (mut samples, mut working, mut told) = (0, Duration::ZERO, 0);
    let begun = Instant::now();
    let mut second = 0;
    while begun.elapsed() < MEASURE {
        let messages: Vec<Message> = vins.iter().enumerate().map(|(n, vin)| message(*vin, n, second, size)).collect();
        let now = NOW + (second + size as i64) * 1000;
        let judged = Instant::now();
        for (vin, message) in vins.iter().zip(&messages) {
            told += desk.hear(*vin, message, false, now).len();
        }
        told += desk.tick(now).len();
        working += judged.elapsed();
        samples += u64::from(VEHICLES) * size as u64;
        second += size as i64;
    }
    if told == 0 {
        return Err("no rule has fired: that is no measurement".into());
    }
    Ok((samples, working))
}

/// How much is kept of a vehicle, and in what time it is written down.
fn remember(desk: &mut Desk) -> (usize, Duration) {
    let begun = Instant::now();
    let memories = desk.all_memories(NOW + 86_400_000);
    let count = memories.len().max(1);
    let bytes: usize = memories.iter().map(|(_, body)| body.len()).sum();
    (bytes / count, begun.elapsed() / u32::try_from(count).unwrap_or(1))
}

fn message(vin: Vin, n: usize, second: i64, size: usize) -> Message {
    let row = |at: i64| {
        let turn = ((second + at) as f64 / 97.0 + n as f64).sin();
        let values = [
            46.5 + 0.05 * turn,
            6.6 + 0.05 * turn,
            70.0 + 60.0 * turn,
            (70.0 + 60.0 * turn).floor(),
            2_000.0 + 1_000.0 * turn,
            50.0 + 40.0 * turn,
            88.0 + 3.0 * turn,
            95.0 + 4.0 * turn,
            60.0 - (second % 1000) as f64 * 0.01,
            14.1 - 0.2 * turn,
        ];
        Row { dt_ms: at as u32 * 1000, values: values.map(Some).to_vec() }
    };
    Message::Telemetry(Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(second.unsigned_abs()),
        t0: NOW + second * 1000,
        clock: Clock::Gnss,
        keys: KEYS.map(str::to_owned).to_vec(),
        rows: (0..size as i64).map(row).collect(),
        gap: None,
    })
}

/// So many rules: the kinds in turn.
fn book(rules: usize) -> Book {
    let geofences: Vec<GeofenceRecord> = (0..4_u32).map(fence).collect();
    let ids: Vec<String> = geofences.iter().map(|one| one.id.to_string()).collect();
    let rule = |n: usize| Rule {
        id: format!("rule-{n}"),
        title: format!("Rule {n}"),
        severity: Severity::Warning,
        enabled: true,
        scope: RuleScope::All,
        condition: condition(n, &ids),
        film: false,
    };
    Book { rules: (0..rules).map(rule).collect(), geofences, ..Book::default() }
}

fn fence(n: u32) -> GeofenceRecord {
    let (north, east) = (46.5 + 0.01 * f64::from(n), 6.6 + 0.01 * f64::from(n));
    // A ring of 24 corners.
    let corner = |k: u32| {
        let angle = f64::from(k) / 24.0 * std::f64::consts::TAU;
        (north + 0.01 * angle.sin(), east + 0.015 * angle.cos())
    };
    GeofenceRecord {
        id: GeofenceId(Uuid::from_u128(u128::from(n) + 1)),
        name: format!("Area {n}"),
        shape: Shape::Polygon((0..24).map(corner).collect()),
        client: None,
        colour: None,
        created: NOW,
        updated: NOW,
    }
}

fn condition(n: usize, areas: &[String]) -> Condition {
    let above = |signals: &[&str], on: f64, off: f64| Condition::Above {
        signals: signals.iter().map(|key| (*key).to_owned()).collect(),
        on,
        off,
        for_ms: 5_000,
    };
    let area = |when| Condition::Area(Area { geofences: areas.to_vec(), when, for_ms: 0 });
    let days = Weekday::ALL[..5].to_vec();
    match n % 12 {
        0 => above(&["spd", "gspd"], 125.0, 120.0),
        1 => Condition::Speeding(Speeding {
            limit_kmh: Some(120.0),
            areas: areas.iter().map(|id| AreaLimit { geofence: id.clone(), limit_kmh: 50.0 }).collect(),
            classes: Vec::new(),
            below_kmh: 5.0,
            for_ms: 10_000,
        }),
        2 => area(AreaMove::Enter),
        3 => area(AreaMove::Leave),
        4 => Condition::All(vec![
            above(&["spd"], 5.0, 2.0),
            Condition::OutsideHours(Hours { zone: "Europe/Zurich".into(), days, from_min: 360, to_min: 1200 }),
        ]),
        5 => above(&["ect"], 110.0, 105.0),
        6 => Condition::Any(vec![above(&["oil"], 140.0, 130.0), above(&["rpm"], 5_000.0, 4_000.0)]),
        7 => Condition::Below { signals: vec!["vbat".into()], on: 11.8, off: 12.2, for_ms: 60_000 },
        8 => Condition::FuelDrop(FuelDrop { by: 10.0, unit: FuelUnit::Percent, within_ms: 43_200_000 }),
        9 => Condition::Unusual(Unusual {
            signal: "ect".into(),
            against: Against::Load,
            side: UnusualSide::Above,
            deviations: 5.0,
            least: 8.0,
            for_ms: 120_000,
        }),
        10 => Condition::Codes(Codes { codes: Vec::new(), at_least: Severity::Warning, pending: false }),
        _ => Condition::Event(Happening { kinds: vec![EventKind::HarshBraking], hold_ms: 600_000 }),
    }
}

fn replace(report: &str) -> Result<(), Box<dyn std::error::Error>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
    let text = fs::read_to_string(&path)?;
    let (begin, end) = ("<!-- rules begin -->\n", "<!-- rules end -->");
    let from = text.find(begin).ok_or("docs/performance.md has no place for this")? + begin.len();
    let to = text.find(end).ok_or("docs/performance.md has no place for this")?;
    fs::write(path, format!("{}{report}{}", &text[..from], &text[to..]))?;
    Ok(())
}
