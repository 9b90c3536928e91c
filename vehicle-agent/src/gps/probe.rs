use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{Fix, GpsSource, ear::Told, search::Search};
use crate::ports::Ports;

/// What was found where a receiver is to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probe {
    /// Where it is: of a serial port with the speed that was found.
    pub place: Option<GpsSource>,
    /// Why there is none, or why it ended.
    pub trouble: Option<String>,
    /// Sentences of use with a right checksum, or reports of a gpsd.
    pub sentences: u64,
    /// What was refused, and why: lines, and sentences that are no fix (`void` is a receiver that has none yet).
    pub refused: BTreeMap<&'static str, u64>,
    /// Who spoke: NMEA's two letters (`GP` GPS, `GL` GLONASS, `GA` Galileo, `GB` BeiDou, `GN` several at once), or a gpsd's
    /// device.
    pub talkers: Vec<String>,
    /// The most accurate fix.
    pub best: Option<Fix>,
    /// Most satellites that were used at a time.
    pub satellites: Option<u32>,
}

/// So many fixes are enough to choose the best of.
const ENOUGH: u32 = 5;

/// Looks for a receiver and listens to it for as long as `patience`, or until it has told a few fixes.
pub async fn probe(source: &GpsSource, ports: &Ports, patience: Duration) -> Probe {
    let (until, mut search) = (Instant::now() + patience, Search::default());
    let mut found = match timeout_at(until, search.find(source, ports, patience)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Probe { trouble: Some(error.to_string()), ..Probe::default() },
        Err(_) => return Probe { trouble: Some("nothing was found in time".to_owned()), ..Probe::default() },
    };
    let mut probe = Probe { place: Some(found.place.clone()), ..Probe::default() };
    let mut fixes = 0;
    while fixes < ENOUGH {
        match timeout_at(until, found.ear.listen()).await {
            Ok(Ok(told)) => fixes += probe.take(told),
            Ok(Err(error)) => {
                probe.trouble = Some(error.to_string());
                break;
            }
            Err(_) => break,
        }
        probe.see(found.ear.decoder().satellites());
    }
    probe.take(found.ear.end());
    let decoder = found.ear.decoder();
    probe.sentences = decoder.spoken();
    probe.talkers = decoder.talkers();
    probe
}

impl Probe {
    /// Takes what was told; answers how many fixes that were.
    fn take(&mut self, told: Vec<Told>) -> u32 {
        let mut fixes = 0;
        for told in told {
            match told {
                Ok(fix) => {
                    fixes += 1;
                    self.see(fix.quality.sats);
                    if self.best.as_ref().is_none_or(|best| rank(&fix) <= rank(best)) {
                        self.best = Some(fix);
                    }
                }
                Err(reason) => *self.refused.entry(reason).or_default() += 1,
            }
        }
        fixes
    }

    fn see(&mut self, satellites: Option<f64>) {
        // Plausible numbers of satellites are from 0 to 99.
        self.satellites = self.satellites.max(satellites.map(|satellites| satellites as u32));
    }
}

/// The lower, the better. Without an accuracy some metres for each unit of dilution stand for it.
fn rank(fix: &Fix) -> f64 {
    const M_PER_HDOP: f64 = 5.0;
    fix.quality.acc.or(fix.quality.hdop.map(|hdop| M_PER_HDOP * hdop)).unwrap_or(f64::MAX)
}
