//! A drive as the content of an NMEA file.

use std::time::Duration;

use bugbrother_wire::UnixMs;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    car::Car,
    fleet::demo_fleet,
    nmea::{Fix, NmeaTalker},
};

/// What the drive shall be like.
#[derive(Debug, Clone, Copy)]
pub struct Drive {
    /// Chooses the car and everything that is random.
    pub seed: u64,
    /// How long it drives.
    pub duration: Duration,
    /// Time of the first fix.
    pub start: UnixMs,
    /// Fixes per second: 1 to 20.
    pub rate_hz: u32,
    /// Whether fixes without a position, damaged ones and noise stand between the good ones.
    pub damaged: bool,
}

/// A file and what a right reader finds in it.
#[derive(Debug, Clone)]
pub struct NmeaLog {
    /// The content: RMC, GGA, GSA and VTG for each moment.
    pub bytes: Vec<u8>,
    /// How many moments have a valid position; all of their sentences are whole.
    pub valid_fixes: usize,
    /// The last valid one.
    pub last: Option<Fix>,
}

/// An undamaged drive at one fix per second.
pub fn nmea_log(seed: u64, duration: Duration, start: UnixMs) -> NmeaLog {
    Drive { seed, duration, start, rate_hz: 1, damaged: false }.log()
}

impl Drive {
    /// Drives and writes it down.
    pub fn log(&self) -> NmeaLog {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let fleet = demo_fleet();
        let mut profile = fleet[self.seed as usize % fleet.len()];
        profile.seed = self.seed;
        profile.parked = false;
        let mut car = Car::new(&profile);
        let mut talker = NmeaTalker::new(&car);
        let mut log = NmeaLog { bytes: Vec::new(), valid_fixes: 0, last: None };

        let period_ms = 1000 / i64::from(self.rate_hz.clamp(1, 20));
        let moments = self.duration.as_millis() as i64 / period_ms;
        for moment in 0..moments {
            let time = self.start + moment * period_ms;
            let fix = talker.fix(&car.reading(), time);
            let sentences = NmeaTalker::sentences(&fix);
            match Damage::pick(self.damaged, &mut rng) {
                Damage::None => {
                    log.bytes.extend_from_slice(sentences.as_bytes());
                    log.valid_fixes += 1;
                    log.last = Some(fix);
                }
                Damage::Void => log.bytes.extend_from_slice(NmeaTalker::void_sentences(time).as_bytes()),
                Damage::Flipped => log.bytes.extend(flipped(&sentences)),
                Damage::Noise => {
                    // A line of its own, so that the whole sentences after it stay whole.
                    log.bytes.extend_from_slice(b"$GPRMC,1234\xFF\x00\x80*zz\r\n");
                    log.bytes.extend_from_slice(b"$GPTXT,01,01,02,no such sentence*00\r\n");
                    log.bytes.extend_from_slice(sentences.as_bytes());
                    log.valid_fixes += 1;
                    log.last = Some(fix);
                }
            }
            car.step(Duration::from_millis(period_ms as u64));
        }
        log
    }
}

enum Damage {
    None,
    Void,
    Flipped,
    Noise,
}

impl Damage {
    fn pick(wanted: bool, rng: &mut StdRng) -> Self {
        match rng.random_range(0..100) {
            0..=2 if wanted => Damage::Void,
            3..=5 if wanted => Damage::Flipped,
            6..=8 if wanted => Damage::Noise,
            _ => Damage::None,
        }
    }
}

/// Each sentence with one bit of its first data field turned over: none has its checksum any more.
fn flipped(sentences: &str) -> impl Iterator<Item = u8> {
    let mut since_dollar = 0;
    sentences.bytes().collect::<Vec<_>>().into_iter().map(move |byte| {
        since_dollar = if byte == b'$' { 0 } else { since_dollar + 1 };
        if since_dollar == 7 { byte ^ 0x01 } else { byte }
    })
}
