//! One condition on one vehicle: which of its signals counts, and how often it may be raised.

use bugbrother_wire::{UnixMs, rule::Condition};

use crate::{Change, Phase, Side, Threshold};

/// A cause that comes back sooner is the same one: what a vehicle says costs others only so much, however it says it.
const RAISED_EVERY_MS: i64 = 10_000;
/// A signal that is less preferred counts only when the preferred one has not been sent for so long.
const PREFERRED_FOR_MS: i64 = 10_000;

/// A condition on signals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit<'a> {
    /// Those that count, the best first.
    pub signals: &'a [String],
    /// Beyond what, and for how long.
    pub threshold: Threshold,
}

impl<'a> Limit<'a> {
    /// The limit of a condition; a silence has none.
    pub fn of(condition: &'a Condition) -> Option<Self> {
        let (side, signals, on, off, for_ms) = match condition {
            Condition::Above { signals, on, off, for_ms } => (Side::Above, signals, on, off, for_ms),
            Condition::Below { signals, on, off, for_ms } => (Side::Below, signals, on, off, for_ms),
            Condition::Silent { .. } => return None,
        };
        Some(Limit { signals, threshold: Threshold { side, on: *on, off: *off, for_ms: i64::from(*for_ms) } })
    }
}

/// A limit on a vehicle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watch {
    phase: Phase,
    last_ts: Option<UnixMs>,
    /// Which of the rule's signals is looked at, and when it was last sent.
    signal: Option<(usize, UnixMs)>,
    /// When it was last opened or came back, by our clock.
    raised: Option<UnixMs>,
}

impl Watch {
    /// One that goes on with an alert that is active, the worst value so far of which is known.
    pub fn resumed(worst: f64) -> Self {
        // `beyond`, so that the next sample beyond the threshold is not taken for a new occurrence.
        Watch { phase: Phase::Active { worst, beyond: true }, ..Watch::default() }
    }

    /// Takes in the value at `ts` of the signal that is so many places behind the best. `now`: our clock.
    ///
    /// What would be raised too soon after the last time waits until the cause has lasted longer, or counts as that last
    /// time.
    pub fn step(
        &mut self,
        threshold: Threshold,
        ts: UnixMs,
        (rank, value): (usize, f64),
        now: UnixMs,
    ) -> Option<Change> {
        if !self.looks_at(rank, ts) {
            return None;
        }
        let (phase, change) = threshold.step(self.phase, self.last_ts, ts, value);
        (self.phase, self.last_ts) = (phase, Some(ts));
        let too_soon = self.raised.is_some_and(|raised| (0..RAISED_EVERY_MS).contains(&(now - raised)));
        match change? {
            Change::Opened { since, worst } if too_soon => {
                self.phase = Phase::Rising { since, worst };
                None
            }
            Change::Recurred { worst } if too_soon => Some(Change::Worsened { worst }),
            change @ (Change::Opened { .. } | Change::Recurred { .. }) => {
                self.raised = Some(now);
                Some(change)
            }
            change @ (Change::Worsened { .. } | Change::Resolved { .. }) => Some(change),
        }
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
