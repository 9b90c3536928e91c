//! What real receivers have said, right and damaged, goes through the gate and the assembler.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[path = "parts/recording.rs"]
mod recording;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bugbrother_agent::gps::{
    Fix,
    fix::{Assembler, NoFix},
    gate::{Gate, Refusal, Sentence, Tally},
    judge::Judge,
};
use bugbrother_simulator::Drive;

const LOGS: [&str; 12] = [
    "switzerland-drive.nmea.gz",
    "gpsd-beidou-gb.log",
    "gpsd-bt451.log",
    "gpsd-bu303-climbing.log",
    "gpsd-bundg_zeus_9.log",
    "gpsd-garmin15x.log",
    "gpsd-greis-raw-2m.log",
    "gpsd-magellan-ec10.log",
    "gpsd-mt3339.log",
    "gpsd-quectel-eg25-g.log",
    "gpsd-tcp-torture.log",
    "gpsd-ublox-neo-m8n.log",
];

fn sentences(content: &[u8]) -> Vec<Sentence> {
    let mut gate = Gate::default();
    let mut found: Vec<_> = content.iter().filter_map(|byte| gate.push(*byte)).collect();
    found.extend(gate.finish());
    found.into_iter().filter_map(Result::ok).collect()
}

fn fixes(content: &[u8]) -> Vec<Fix> {
    decode(content).1
}

/// What the gate has seen, the fixes, and why the others are none.
fn decode(content: &[u8]) -> (Tally, Vec<Fix>, BTreeMap<NoFix, u64>) {
    let (mut gate, mut assembler, mut judge) = (Gate::default(), Assembler::default(), Judge::of_recording());
    let mut told = Vec::new();
    let mut lines: Vec<_> = content.iter().filter_map(|byte| gate.push(*byte)).collect();
    lines.extend(gate.finish());
    for sentence in lines.into_iter().flatten() {
        told.extend(assembler.push(&sentence));
    }
    told.extend(assembler.flush());
    let (mut fixes, mut none) = (Vec::new(), BTreeMap::new());
    for told in told {
        match told.and_then(|fix| judge.take(fix)) {
            Ok(fix) => fixes.push(fix),
            Err(no_fix) => *none.entry(no_fix).or_default() += 1,
        }
    }
    (gate.tally().clone(), fixes, none)
}

/// The logs beside the project, or a generated drive.
fn contents() -> Vec<(String, Vec<u8>)> {
    let shared =
        LOGS.iter().filter_map(|name| Some(((*name).to_owned(), recording::content(&recording::shared(name)?))));
    let mut contents: Vec<_> = shared.collect();
    contents.push(("a generated drive".to_owned(), generated().bytes));
    contents
}

fn generated() -> bugbrother_simulator::NmeaLog {
    Drive { seed: 11, duration: Duration::from_secs(900), start: 1_790_000_000_000, rate_hz: 5, damaged: true }.log()
}

fn assert_possible(fix: &Fix) {
    assert!((-90.0..=90.0).contains(&fix.lat) && (-180.0..=180.0).contains(&fix.lon), "{fix:?}");
    assert!(fix.lat != 0.0 || fix.lon != 0.0, "{fix:?}");
    assert!((946_684_800_000..3_471_292_800_000).contains(&fix.ts), "{fix:?}");
    assert!(fix.gspd.is_none_or(|speed| (0.0..=400.0).contains(&speed)), "{fix:?}");
    assert!(fix.hdg.is_none_or(|course| (0.0..=360.0).contains(&course)), "{fix:?}");
    assert!(fix.quality.alt.is_none_or(|alt| (-500.0..=9000.0).contains(&alt)), "{fix:?}");
}

#[test]
fn every_valid_fix_of_a_recorded_drive_is_found() {
    let Some(path) = recording::shared("switzerland-drive.nmea.gz") else {
        let log = generated();
        assert_eq!(fixes(&log.bytes).len(), log.valid_fixes);
        return;
    };
    let fixes = fixes(&recording::content(&path));
    assert_eq!(fixes.len(), 10_327);
    assert_eq!(fixes[0].ts, 1_270_293_745_844, "2010-04-03T11:22:25.844Z");
    assert!(fixes.is_sorted_by(|a, b| a.ts < b.ts));
    let fastest = fixes.iter().filter_map(|fix| fix.gspd).fold(0.0, f64::max);
    assert!((100.0..150.0).contains(&fastest), "{fastest} km/h");
    let with_altitude = fixes.iter().filter(|fix| fix.quality.alt.is_some()).count();
    assert!(with_altitude > 2_000, "{with_altitude}");
}

#[test]
fn a_generated_drive_with_damage_in_it_is_found_whole() {
    let log = generated();
    let fixes = fixes(&log.bytes);
    assert_eq!(fixes.len(), log.valid_fixes);
    let last = log.last.expect("the drive has a position");
    let found = fixes.last().expect("the drive has a fix");
    assert!((found.lat - last.point.lat).abs() < 1e-4 && (found.lon - last.point.lon).abs() < 1e-4);
}

#[test]
fn table() {
    for (name, content) in contents() {
        let (tally, fixes, none) = decode(&content);
        eprintln!("{name}: {tally:?} fixes {} {none:?}", fixes.len());
        for k in ["mode","alt","hdop","sats","acc"] { let n = fixes.iter().filter(|f| match k {"mode"=>f.quality.mode.is_some(),"alt"=>f.quality.alt.is_some(),"hdop"=>f.quality.hdop.is_some(),"sats"=>f.quality.sats.is_some(),_=>f.quality.acc.is_some()}).count(); eprint!(" {k}={n}"); }
        eprintln!();
    }
}

#[test]
fn no_receiver_says_anything_impossible() {
    for (name, content) in contents() {
        let found = fixes(&content);
        found.iter().for_each(assert_possible);
        println!("{name}: {} sentences, {} fixes", sentences(&content).len(), found.len());
    }
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

const FIELDS: [&str; 24] = [
    "",
    "-",
    "0",
    "-1",
    "1e9",
    "1e308",
    "NaN",
    "inf",
    "999999999999",
    "4294967295",
    "256",
    "$",
    ".",
    "240000.00",
    "126060.99",
    "310299",
    "9999.9999",
    "99999.9999",
    "235960",
    "-00000.1",
    "é",
    "*",
    "A",
    "000000.000",
];

/// A sentence with some fields replaced or some bytes changed, and mostly with a right checksum again.
fn mutate(sentence: &str, dice: &mut Dice) -> Vec<u8> {
    let mut line = match dice.roll(2) {
        0 => {
            let mut fields: Vec<&str> = sentence.split(',').collect();
            for _ in 0..=dice.roll(3) {
                let field = dice.roll(fields.len());
                fields[field] = FIELDS[dice.roll(FIELDS.len())];
            }
            fields.join(",").into_bytes()
        }
        _ => {
            let mut line = sentence.as_bytes().to_vec();
            for _ in 0..=dice.roll(5) {
                let at = dice.roll(line.len());
                line[at] = u8::try_from(dice.roll(256)).unwrap();
            }
            line
        }
    };
    let sum = line.iter().fold(0, |sum, byte| sum ^ byte);
    if dice.roll(8) > 0 {
        line.extend(format!("*{sum:02x}").bytes());
    }
    line.insert(0, b'$');
    line.extend(["\r\n", "\n", "", "$", "\0\u{7f}"][dice.roll(5)].bytes());
    line
}

#[test]
fn nothing_that_is_damaged_brings_the_decoder_down_or_passes_as_impossible() {
    let seeds: Vec<String> = contents()
        .iter()
        .flat_map(|(_, content)| sentences(content).into_iter().step_by(7))
        .map(|sentence| sentence.fields().collect::<Vec<_>>().join(","))
        .collect();
    let mut dice = Dice(88_172_645_463_325_252);
    let (mut gate, mut assembler, mut judge) = (Gate::default(), Assembler::default(), Judge::of_recording());
    let mut worst = Duration::ZERO;
    for _ in 0..200_000 {
        let line = mutate(&seeds[dice.roll(seeds.len())], &mut dice);
        let began = Instant::now();
        for byte in line {
            if let Some(Ok(sentence)) = gate.push(byte) {
                let told = assembler.push(&sentence).into_iter();
                told.filter_map(|told| judge.take(told.ok()?).ok()).for_each(|fix| assert_possible(&fix));
            }
        }
        worst = worst.max(began.elapsed());
    }
    assert!(worst < Duration::from_secs(1), "a line took {worst:?}");
}
