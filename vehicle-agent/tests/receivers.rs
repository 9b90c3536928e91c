//! What real receivers have said, right and damaged, goes through the gate, the assembler and the judge.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[path = "parts/decoding.rs"]
mod decoding;
#[path = "parts/recording.rs"]
mod recording;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bugbrother_agent::gps::{
    Fix,
    assembler::Assembler,
    gate::{Gate, Refusal, Sentence},
    judge::Judge,
};
use bugbrother_simulator::Drive;
use decoding::{LOGS, decode, lines};

fn sentences(content: &[u8]) -> Vec<Sentence> {
    lines(content).into_iter().filter_map(Result::ok).collect()
}

fn fixes(content: &[u8]) -> Vec<Fix> {
    decode(content).fixes
}

/// The logs beside the project, and a generated drive.
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
    assert!(fix.quality.hdop.is_none_or(|hdop| (0.0..=100.0).contains(&hdop)), "{fix:?}");
    assert!(fix.quality.sats.is_none_or(|sats| (0.0..=99.0).contains(&sats)), "{fix:?}");
    assert!(fix.quality.acc.is_none_or(|acc| (0.0..=100_000.0).contains(&acc)), "{fix:?}");
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

/// What is accepted of each recording. Those of zeros are SiRF binary, raw GREIS and UBX, which no NMEA hides in.
#[test]
fn of_each_recording_just_what_is_right_is_accepted() {
    use Refusal::{Binary, NoChecksum, TooLong};
    // name, sentences with a right checksum, of use, refused lines, fixes, sentences that are none
    type Expected = (&'static str, u64, u64, &'static [(Refusal, u64)], usize, &'static [(&'static str, u64)]);
    let table: [Expected; 12] = [
        ("switzerland-drive.nmea.gz", 38_938, 23_426, &[], 10_327, &[("void", 85)]),
        ("gpsd-beidou-gb.log", 68, 17, &[], 2, &[("void", 3)]),
        ("gpsd-bt451.log", 144, 85, &[], 13, &[("void", 4)]),
        ("gpsd-bu303-climbing.log", 0, 0, &[(TooLong, 5), (Binary, 3), (NoChecksum, 8)], 0, &[]),
        // A GGA before the first date.
        ("gpsd-bundg_zeus_9.log", 4999, 730, &[], 146, &[("date", 1)]),
        ("gpsd-garmin15x.log", 57, 21, &[], 7, &[]),
        ("gpsd-greis-raw-2m.log", 0, 0, &[(TooLong, 232), (Binary, 324), (NoChecksum, 13)], 0, &[]),
        ("gpsd-magellan-ec10.log", 76, 38, &[], 21, &[("void", 17)]),
        ("gpsd-mt3339.log", 138, 120, &[], 30, &[]),
        ("gpsd-quectel-eg25-g.log", 861, 342, &[(NoChecksum, 1)], 23, &[("void", 37)]),
        ("gpsd-tcp-torture.log", 7, 4, &[], 1, &[]),
        ("gpsd-ublox-neo-m8n.log", 0, 0, &[(TooLong, 3), (Binary, 7)], 0, &[]),
    ];
    assert_eq!(table.map(|(name, ..)| name), LOGS);
    for (name, right, used, refused, fixes, none) in table {
        let Some(path) = recording::shared(name) else { continue };
        let decoded = decode(&recording::content(&path));
        assert_eq!((decoded.tally.right, decoded.tally.used), (right, used), "{name}");
        assert_eq!(decoded.tally.refused, refused.iter().copied().collect(), "{name}");
        let reasons: BTreeMap<_, _> = decoded.none.iter().map(|(no_fix, count)| (no_fix.reason(), *count)).collect();
        assert_eq!((decoded.fixes.len(), reasons), (fixes, none.iter().copied().collect()), "{name}");
    }
    let log = generated();
    let decoded = decode(&log.bytes);
    assert_eq!(decoded.fixes.len(), log.valid_fixes);
    assert!(decoded.tally.refused.len() >= 2, "it is damaged: {:?}", decoded.tally);
}

#[test]
fn no_receiver_says_anything_impossible() {
    for (name, content) in contents() {
        let found = fixes(&content);
        found.iter().for_each(assert_possible);
        assert!(name.contains("gpsd") || found.len() > 1000, "{name}: {} fixes", found.len());
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

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).unwrap()
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
/// Sentences that no recording has.
const RARE: [&str; 5] = [
    "GNGST,112228.037,1.0,2.5,2.0,45.0,3.0,4.0,6.0",
    "GNGGA,112228.037,4719.9584,N,00749.2468,E,4,07,1.6,533.4,M,48.0,M,,0000",
    "GPZDA,112228.037,03,04,2010,00,00",
    "GPVTG,180.50,T,,M,10.00,N,18.52,K,A",
    "GARMC,235959.99,A,0000.0001,S,17959.9999,W,10.00,359.99,311279,,,E",
];

/// A sentence with some fields replaced or some bytes changed, mostly with a right checksum again; or just bytes.
fn mutate(sentence: &str, dice: &mut Dice) -> Vec<u8> {
    let mut line = match dice.roll(9) {
        0 => {
            let length = dice.roll(200);
            return (0..length).map(|_| dice.byte()).collect();
        }
        1..=4 => {
            let mut fields: Vec<&str> = sentence.split(',').collect();
            for _ in 0..=dice.roll(3) {
                let field = dice.roll(fields.len());
                fields[field] = FIELDS[dice.roll(FIELDS.len())];
            }
            fields.join(",").into_bytes()
        }
        5 => sentence.as_bytes().to_vec(),
        _ => {
            let mut line = sentence.as_bytes().to_vec();
            for _ in 0..=dice.roll(5) {
                let at = dice.roll(line.len());
                line[at] = dice.byte();
            }
            line
        }
    };
    let sum = line.iter().fold(0, |sum, byte| sum ^ byte);
    match dice.roll(16) {
        0 => {}
        1 => line.extend(format!("*{:02X}", sum ^ 1).bytes()),
        2 => line.truncate(dice.roll(line.len())),
        _ => line.extend(format!("*{sum:02x}").bytes()),
    }
    line.insert(0, b'$');
    line.extend(["\r\n", "\n", "", "$", "\0\u{7f}"][dice.roll(5)].bytes());
    line
}

/// The positions in the lines with a right checksum that came last, found without the agent's own code.
#[derive(Default)]
struct Witness {
    line: Vec<u8>,
    inside: bool,
    positions: VecDeque<(f64, f64)>,
}

impl Witness {
    fn see(&mut self, byte: u8) {
        if !matches!(byte, b'$' | b'\r' | b'\n') {
            if self.line.len() < 10_000 {
                self.line.push(byte);
            }
            return;
        }
        if self.inside {
            self.positions.extend(position(&self.line));
        }
        if self.positions.len() > 4096 {
            self.positions.pop_front();
        }
        self.line.clear();
        self.inside = byte == b'$';
    }

    fn has_seen(&self, fix: &Fix) -> bool {
        let near = |seen: f64, told: f64| (seen - told.abs()).abs() < 1e-9;
        self.positions.iter().rev().any(|(lat, lon)| near(*lat, fix.lat) && near(*lon, fix.lon))
    }
}

/// Degrees without their sign, of RMC or GGA with a right checksum.
fn position(line: &[u8]) -> Option<(f64, f64)> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let (body, sum) = (line.get(..line.len().checked_sub(3)?)?, line.get(line.len() - 2..)?);
    let xor = body.bytes().reduce(|sum, byte| sum ^ byte)?;
    if !sum.eq_ignore_ascii_case(&format!("{xor:02X}")) || !line[body.len()..].starts_with('*') {
        return None;
    }
    let fields: Vec<&str> = body.split(',').collect();
    let at = match fields[0].get(2..)? {
        "RMC" => 3,
        "GGA" => 2,
        _ => return None,
    };
    let degrees = |text: &str, digits: usize| -> Option<f64> {
        let (degrees, minutes) = text.split_at_checked(digits)?;
        Some(degrees.parse::<f64>().ok()? + minutes.parse::<f64>().ok()? / 60.0)
    };
    Some((degrees(fields.get(at)?, 2)?, degrees(fields.get(at + 2)?, 3)?))
}

/// BUGBROTHER_FUZZ_LINES says how many lines, 200,000 if absent.
#[test]
fn nothing_that_is_damaged_brings_the_decoder_down_or_passes_as_impossible() {
    let count = std::env::var("BUGBROTHER_FUZZ_LINES").ok().map_or(200_000, |text| text.parse().unwrap());
    let mut seeds: Vec<String> = contents()
        .iter()
        .flat_map(|(_, content)| sentences(content).into_iter().step_by(7))
        .map(|sentence| sentence.fields().collect::<Vec<_>>().join(","))
        .collect();
    // As many as half of the others.
    let more = RARE.map(str::to_owned).into_iter().cycle().take(seeds.len() / 2).collect::<Vec<_>>();
    seeds.extend(more);
    let mut dice = Dice(88_172_645_463_325_252);
    let (mut gate, mut assembler) = (Gate::default(), Assembler::default());
    let (mut judge, mut doubting, mut witness) = (Judge::of_recording(), Judge::of_receiver(), Witness::default());
    let (mut fixes, mut believed, began) = (0_u64, 0_u64, Instant::now());
    let (mut worst, mut slowest) = (Duration::ZERO, Vec::new());
    for _ in 0..count {
        let line = mutate(&seeds[dice.roll(seeds.len())], &mut dice);
        let mut told = Vec::new();
        let line_began = Instant::now();
        for byte in &line {
            if let Some(Ok(sentence)) = gate.push(*byte) {
                told.extend(assembler.push(&sentence));
            }
        }
        if line_began.elapsed() > worst {
            worst = line_began.elapsed();
            slowest.clone_from(&line);
        }
        line.iter().for_each(|byte| witness.see(*byte));
        for fix in told.into_iter().filter_map(Result::ok) {
            fixes += 1;
            assert!(witness.has_seen(&fix), "{fix:?} was never said");
            for believed_fix in [judge.take(fix.clone()), doubting.take(fix)].into_iter().flatten() {
                believed += 1;
                assert_possible(&believed_fix);
            }
        }
    }
    println!("{count} lines in {:?}, {fixes} fixes, {believed} believed", began.elapsed());
    println!("the slowest line took {worst:?}: {:?}", String::from_utf8_lossy(&slowest));
    assert!(fixes > count / 100 && believed > 0, "the mutations are not all hopeless");
    // The machine may have been busy with something else, but not three times more.
    let again = (0..3).map(|_| decoding_time(&slowest)).min().unwrap();
    assert!(again < Duration::from_millis(100), "a line takes {again:?}: {slowest:?}");
}

fn decoding_time(line: &[u8]) -> Duration {
    let began = Instant::now();
    decode(line);
    began.elapsed()
}
