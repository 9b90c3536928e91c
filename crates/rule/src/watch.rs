//! A threshold on the best of several signals.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

use crate::{Change, Phase, Threshold};

/// A signal that is less preferred counts only when the preferred one has not been sent for so long.
const PREFERRED_FOR_MS: i64 = 10_000;

/// How far a threshold has come on a vehicle, and which of its signals counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    phase: Phase,
    last_ts: Option<UnixMs>,
    /// Which of the rule's signals is looked at, and when it was last sent.
    signal: Option<(usize, UnixMs)>,
}

impl Watch {
    /// One that goes on with what is active, the worst value so far of which is known.
    pub fn resumed(worst: f64) -> Self {
        // `beyond`, so that the next sample beyond the threshold is not taken for a new occurrence.
        Watch { phase: Phase::Active { worst, beyond: true }, ..Watch::default() }
    }

    /// Whether nothing is the matter.
    pub fn is_quiet(&self) -> bool {
        self.phase == Phase::Quiet
    }

    /// Takes in the value at `ts` of the signal that is so many places behind the best.
    pub fn step(&mut self, threshold: Threshold, ts: UnixMs, (rank, value): (usize, f64)) -> Option<Change> {
        if !self.looks_at(rank, ts) {
            return None;
        }
        let (phase, change) = threshold.step(self.phase, self.last_ts, ts, value);
        (self.phase, self.last_ts) = (phase, Some(ts));
        change
    }

    /// Whether a sample counts: it is newer than the last, and of the signal that is preferred among those that are sent.
    fn looks_at(&mut self, rank: usize, ts: UnixMs) -> bool {
        if self.last_ts.is_some_and(|last| ts <= last) {
            return false;
        }
        let better = self.signal.filter(|(best, sent)| *best < rank && ts - sent < PREFERRED_FOR_MS);
        if better.is_none() {
            self.signal = Some((rank, ts));
        }
        better.is_none()
    }
}
