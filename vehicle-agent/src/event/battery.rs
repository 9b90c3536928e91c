use bugbrother_wire::message::EventKind;

use super::{Limits, manoeuvre::rounded, row::Row, situation::Situation, snapshot::Snapshot};
use crate::outbox::Happening;

/// The voltage must stay low for so long: a starter pulls it down for a second.
const HELD_MS: u64 = 60_000;
/// Values that are farther apart do not show that it stayed low: an adapter that sleeps is asked every few minutes.
const GAP_MS: u64 = 30 * 60_000;
/// What it has to recover before it can be low again.
const RECOVERED_V: f64 = 0.4;

/// A battery that is low with the engine off, or is not charged with the engine running.
#[derive(Debug, Default)]
pub(super) struct Battery {
    resting: Low,
    charging: Low,
}

/// One voltage that is too low.
#[derive(Debug, Default)]
struct Low {
    since: Option<u64>,
    last: u64,
    told: bool,
}

impl Battery {
    pub fn take(&mut self, row: &Row, now: &Situation, limits: &Limits, out: &mut Vec<Happening>) {
        let Some(volts) = row.volts else { return };
        let runs = now.turns().or(now.ignition);
        let told = |volts: f64, since: u64, text: &str| {
            let mut event = now.event(EventKind::LowBattery, since);
            event.values.insert("vbat".to_owned(), rounded(volts));
            event.text = Some(text.to_owned());
            event
        };
        if let Some(limit) = limits.low_battery
            && let Some(since) = self.resting.take(row.at, volts, limit, runs != Some(true))
        {
            out.push(told(volts, since, "with the engine off"));
        }
        if let Some(limit) = limits.low_charging
            && let Some(since) = self.charging.take(row.at, volts, limit, now.turns() == Some(true))
        {
            out.push(told(volts, since, "not charged while the engine runs"));
        }
    }

    pub fn is_told(&self) -> bool {
        self.resting.told
    }

    pub fn is_charging_told(&self) -> bool {
        self.charging.told
    }

    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.resting.told = snapshot.battery_told;
        self.charging.told = snapshot.charging_told;
    }

    pub fn forget(&mut self) {
        self.resting.since = None;
        self.charging.since = None;
    }
}

impl Low {
    /// Takes a voltage; tells since when it is too low, once.
    fn take(&mut self, at: u64, volts: f64, limit: f64, applies: bool) -> Option<u64> {
        let gap = at.saturating_sub(self.last) > GAP_MS;
        self.last = at;
        if volts > limit + RECOVERED_V {
            self.told = false;
        }
        if !applies || volts >= limit || gap {
            self.since = None;
        }
        if !applies || volts >= limit {
            return None;
        }
        let since = *self.since.get_or_insert(at);
        let held = at.saturating_sub(since) >= HELD_MS && !self.told;
        self.told |= held;
        held.then_some(since)
    }
}
