//! A drive as a receiver tells it, arranged so that every two or four fixes are a message of their own.
//!
//! An agent gathers what comes within a second, so a drive as it is makes a message a second, however fast it is replayed.
//! It closes a batch when the time goes back by more than two seconds. So the moments come out of order here: 0, 4, 1, 5, 2,
//! 6, 3, 7, then 8, 12, 9 and so on, as from a receiver that tells every second one four seconds late.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bugbrother_simulator::Drive;
use bugbrother_wire::UnixMs;

/// The first moment of every drive.
const START: UnixMs = 1_760_000_000_000;
/// Moments that are told in disorder among themselves.
const BLOCK: usize = 8;
/// How the agent cuts them: 0 4 | 1 5 | 2 6 | 3 7 8 12 | 9 13 | 10 14 | 11 15 16 20 | …
const MESSAGES_IN_A_BLOCK: f64 = 3.0;
/// Steps forward, by which a replay is paced: four of 4 s, and one to the next block.
const SECONDS_IN_A_BLOCK: f64 = 17.0;

/// Where the vehicle was at a moment, in units that can be compared: ms, and 10^-7 degrees (1 cm).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fix {
    pub ts: UnixMs,
    pub lat: i64,
    pub lon: i64,
}

impl Fix {
    pub fn new(ts: UnixMs, lat: f64, lon: f64) -> Self {
        let round = |degrees: f64| (degrees * 1e7).round() as i64;
        Fix { ts, lat: round(lat), lon: round(lon) }
    }
}

/// What a receiver tells.
pub struct Recording {
    pub nmea: String,
    pub fixes: Vec<Fix>,
}

impl Recording {
    /// Enough for that long at so many messages per second.
    pub fn of(seed: u64, duration: Duration, rate: f64) -> Result<Self> {
        let blocks = (duration.as_secs_f64() * rate / MESSAGES_IN_A_BLOCK).ceil() as usize;
        let length = Duration::from_secs((blocks * BLOCK) as u64);
        let drive = Drive { seed, duration: length, start: START, rate_hz: 1, damaged: false };
        let log = String::from_utf8(drive.log().bytes)?;
        // Each moment begins with RMC.
        let beginnings: Vec<usize> = log.match_indices("$GPRMC").map(|(at, _)| at).collect();
        ensure!(beginnings.len() == blocks * BLOCK, "a moment of the drive has another form");
        let ends = beginnings.iter().copied().skip(1).chain([log.len()]);
        let moments: Vec<&str> = beginnings.iter().zip(ends).map(|(from, to)| &log[*from..to]).collect();
        let fixes = moments.iter().enumerate().map(|(second, moment)| fix(START + second as i64 * 1000, moment));
        let fixes = fixes.collect::<Result<_>>()?;
        let half = BLOCK / 2;
        let told = moments.chunks(BLOCK).flat_map(|block| (0..half).flat_map(|at| [block[at], block[at + half]]));
        Ok(Recording { nmea: told.collect(), fixes })
    }

    /// How much faster than the clock it has to be replayed for that rate.
    pub fn speed(rate: f64) -> f64 {
        rate * SECONDS_IN_A_BLOCK / MESSAGES_IN_A_BLOCK
    }
}

/// `$GPRMC,time,A,ddmm.m…,N|S,dddmm.m…,E|W,…`
fn fix(ts: UnixMs, rmc: &str) -> Result<Fix> {
    let fields: Vec<&str> = rmc.split(',').collect();
    let degrees = |at: usize, digits: usize| -> Result<f64> {
        let (whole, minutes) = fields[at].split_at(digits);
        let angle = whole.parse::<f64>()? + minutes.parse::<f64>()? / 60.0;
        Ok(if matches!(fields[at + 1], "S" | "W") { -angle } else { angle })
    };
    ensure!(fields.get(2) == Some(&"A"), "a moment without a position");
    let place = || Ok::<_, anyhow::Error>(Fix::new(ts, degrees(3, 2)?, degrees(5, 3)?));
    place().with_context(|| format!("not an RMC sentence: {rmc}"))
}
