//! Recordings through the agent's own decoders.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::collections::BTreeMap;

use bugbrother_agent::gps::{
    Fix,
    assembler::Assembler,
    fix::NoFix,
    gate::{Gate, Refusal, Sentence, Tally},
    judge::Judge,
};

pub const LOGS: [&str; 12] = [
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

/// What comes of a recording.
pub struct Decoded {
    pub tally: Tally,
    pub fixes: Vec<Fix>,
    pub none: BTreeMap<NoFix, u64>,
}

pub fn lines(content: &[u8]) -> Vec<Result<Sentence, Refusal>> {
    let mut gate = Gate::default();
    read(&mut gate, content)
}

fn read(gate: &mut Gate, content: &[u8]) -> Vec<Result<Sentence, Refusal>> {
    let mut lines: Vec<_> = content.iter().filter_map(|byte| gate.push(*byte)).collect();
    lines.extend(gate.finish());
    lines
}

pub fn decode(content: &[u8]) -> Decoded {
    let (mut gate, mut assembler, mut judge) = (Gate::default(), Assembler::default(), Judge::of_recording());
    let lines = read(&mut gate, content);
    let mut told: Vec<_> = lines.into_iter().flatten().flat_map(|sentence| assembler.push(&sentence)).collect();
    told.extend(assembler.flush());
    let mut decoded = Decoded { tally: gate.tally().clone(), fixes: Vec::new(), none: BTreeMap::new() };
    for told in told {
        match told.and_then(|fix| judge.take(fix)) {
            Ok(fix) => decoded.fixes.push(fix),
            Err(no_fix) => *decoded.none.entry(no_fix).or_default() += 1,
        }
    }
    decoded
}
