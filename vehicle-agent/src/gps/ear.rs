//! A receiver that is listened to.

use std::{io, time::Duration};

use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout_at},
};

use super::{
    Fix,
    assembler::Assembler,
    gate::{Gate, Refusal, Sentence},
    gpsd::Gpsd,
    judge::Judge,
    source::Source,
};

/// How long the rest of an epoch may take after its fix.
const EPOCH_REST: Duration = Duration::from_millis(200);

/// A fix that is believed, or a word for why something that was said is none.
pub(super) type Told = Result<Fix, &'static str>;

/// Makes fixes of what a receiver says.
pub(super) struct Ear {
    input: Source,
    decoder: Decoder,
    dead_after: Duration,
    /// When something readable was said last.
    heard: Instant,
}

pub(super) enum Decoder {
    Nmea(Box<Nmea>),
    Gpsd(Box<Gpsd>),
}

/// NMEA 0183.
pub(super) struct Nmea {
    gate: Gate,
    assembler: Assembler,
    judge: Judge,
}

impl Ear {
    pub fn new(input: Source, decoder: Decoder, dead_after: Duration) -> Self {
        Ear { input, decoder, dead_after, heard: Instant::now() }
    }

    /// Waits for what is said next. Fails when the input ends, and when nothing readable is said for too long: noise is no
    /// sign of life, a sentence without a fix is one.
    pub async fn listen(&mut self) -> io::Result<Vec<Told>> {
        let (waits, dead_at) = (self.decoder.is_waiting(), self.heard + self.dead_after);
        if !waits && Instant::now() >= dead_at {
            return Err(io::Error::new(io::ErrorKind::TimedOut, self.decoder.silence()));
        }
        let until = if waits { Instant::now() + EPOCH_REST } else { dead_at };
        let mut bytes = [0; 4096];
        match timeout_at(until, self.input.read(&mut bytes)).await {
            Ok(Ok(0)) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")),
            Ok(count) => Ok(self.hear(&bytes[..count?])),
            Err(_) => Ok(self.decoder.end_epoch()),
        }
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Told> {
        let (before, now) = (self.decoder.spoken(), Instant::now());
        let told = self.decoder.hear(bytes, now);
        if self.decoder.spoken() > before {
            self.heard = now;
        }
        told
    }

    /// What waits for the rest of its epoch.
    pub fn end(&mut self) -> Vec<Told> {
        self.decoder.end()
    }

    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }
}

impl Decoder {
    pub fn nmea(judge: Judge) -> Self {
        Decoder::Nmea(Box::new(Nmea { gate: Gate::default(), assembler: Assembler::default(), judge }))
    }

    pub fn gpsd() -> Self {
        Decoder::Gpsd(Box::new(Gpsd::new(Judge::of_receiver())))
    }

    fn hear(&mut self, bytes: &[u8], now: Instant) -> Vec<Told> {
        match self {
            Decoder::Nmea(nmea) => bytes.iter().flat_map(|byte| nmea.hear(*byte)).collect(),
            Decoder::Gpsd(gpsd) => bytes.iter().filter_map(|byte| gpsd.hear(*byte, now)).collect(),
        }
    }

    fn is_waiting(&self) -> bool {
        matches!(self, Decoder::Nmea(nmea) if nmea.assembler.is_waiting())
    }

    fn end_epoch(&mut self) -> Vec<Told> {
        match self {
            Decoder::Nmea(nmea) => nmea.end_epoch(),
            Decoder::Gpsd(_) => Vec::new(),
        }
    }

    fn end(&mut self) -> Vec<Told> {
        match self {
            Decoder::Nmea(nmea) => {
                let last = nmea.gate.finish();
                let mut told = last.map_or_else(Vec::new, |line| nmea.take(line));
                told.extend(nmea.end_epoch());
                told
            }
            Decoder::Gpsd(_) => Vec::new(),
        }
    }

    /// Sentences with a right checksum, or reports of a gpsd's receiver.
    pub fn spoken(&self) -> u64 {
        match self {
            Decoder::Nmea(nmea) => nmea.gate.tally().used,
            Decoder::Gpsd(gpsd) => gpsd.reports(),
        }
    }

    /// NMEA's two letters of who has spoken, or the devices of a gpsd.
    pub fn talkers(&self) -> Vec<String> {
        match self {
            Decoder::Nmea(nmea) => nmea.gate.tally().talkers.iter().map(|talker| (*talker).to_owned()).collect(),
            Decoder::Gpsd(gpsd) => gpsd.device().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Satellites that are used, fix or not.
    pub fn satellites(&self) -> Option<f64> {
        match self {
            Decoder::Nmea(nmea) => nmea.assembler.satellites(),
            Decoder::Gpsd(gpsd) => gpsd.satellites(),
        }
    }

    fn silence(&self) -> &'static str {
        match self {
            Decoder::Nmea(nmea) if nmea.gate.tally().used > 0 => "it is silent",
            Decoder::Nmea(nmea) if nmea.gate.tally().refused.is_empty() => "it has said no NMEA 0183",
            Decoder::Nmea(_) => "what it says cannot be read: is the speed right?",
            Decoder::Gpsd(_) => "gpsd tells of no receiver",
        }
    }
}

impl Nmea {
    fn hear(&mut self, byte: u8) -> Vec<Told> {
        // Most bytes end no line, and an empty vector costs nothing.
        self.gate.push(byte).map_or_else(Vec::new, |line| self.take(line))
    }

    fn take(&mut self, line: Result<Sentence, Refusal>) -> Vec<Told> {
        match line {
            Ok(sentence) => {
                let told = self.assembler.push(&sentence).into_iter();
                told.map(|told| told.and_then(|fix| self.judge.take(fix)).map_err(|no_fix| no_fix.reason())).collect()
            }
            Err(refusal) => vec![Err(refusal.reason())],
        }
    }

    fn end_epoch(&mut self) -> Vec<Told> {
        let told = self.assembler.flush().into_iter();
        told.map(|told| told.and_then(|fix| self.judge.take(fix)).map_err(|no_fix| no_fix.reason())).collect()
    }
}
