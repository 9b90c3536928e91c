use bugbrother_wire::message::EventKind;

use super::{
    row::Row,
    situation::{CHARGING_V, STANDING_KMH, Situation},
    snapshot::Snapshot,
};
use crate::outbox::Happening;

/// It must be on for so long, and off for so long: starters pull a line down for a moment, and control units that are
/// slow to answer seem to be off for some seconds.
const ON_MS: u64 = 1_000;
const OFF_MS: u64 = 15_000;
/// Who has moved just now has not switched off yet.
const ROLLS_MS: u64 = 10_000;
/// A sensor of the ignition that has been silent for so long is gone, and the rest counts again.
const WIRE_MS: u64 = 10 * 60_000;
/// Wheels that turn.
const ROLLING_KMH: f64 = 3.0;
/// Control units that have been silent for so long while the adapter speaks are asleep.
const ASLEEP_MS: u64 = 60_000;
/// And so is everything when nobody speaks and nothing moves for so long.
const SILENT_MS: u64 = 5 * 60_000;
/// Control units may stay awake for a while: an engine that stands, at rest, with the battery discharging.
const RESTING_MS: u64 = 5 * 60_000;
const RESTING_V: f64 = 12.9;
/// Where there is nothing but the voltage.
const CHARGING_FOR_MS: u64 = 10_000;
const RESTING_FOR_MS: u64 = 60_000;
/// An agent that was away for so long does not know any more.
const FORGOTTEN_MS: i64 = 10 * 60_000;

/// Whether the ignition is on: from its own line where that is wired, else from what only a car that is on does.
#[derive(Debug, Default)]
pub(super) struct Ignition {
    state: Option<bool>,
    restored: Option<i64>,
    answered: bool,
    wire_at: Option<u64>,
    /// A state that is to hold for a while before it counts.
    candidate: Option<(bool, u64)>,
    ecu_at: Option<u64>,
    adapter_at: Option<u64>,
    moved_at: Option<u64>,
    resting_since: Option<u64>,
    charging_since: Option<u64>,
    discharging_since: Option<u64>,
}

impl Ignition {
    pub fn take(&mut self, row: &Row, now: &Situation) {
        let at = row.at;
        if self.restored.take().is_some_and(|then| now.ts - then > FORGOTTEN_MS) && self.state == Some(true) {
            self.state = None;
        }
        self.answered |= row.ecu;
        if row.ecu {
            self.ecu_at = Some(at);
        }
        if row.ecu || row.volts.is_some() {
            self.adapter_at = Some(at);
        }
        if row.gspd.or(row.spd).is_some_and(|speed| speed >= STANDING_KMH) {
            self.moved_at = Some(at);
        }
        if let Some(ign) = row.ign {
            self.wire_at = Some(at);
            self.wish(ign, at);
        } else if !self.is_wired(now) {
            self.infer(row, now);
        }
    }

    /// Changes the state once it is time.
    pub fn tick(&mut self, now: &mut Situation, out: &mut Vec<Happening>) {
        let rolls = self.moved_at.is_some_and(|moved| moved + ROLLS_MS > now.now);
        let wished = self.candidate.filter(|(on, since)| {
            let held = now.now.saturating_sub(*since);
            if *on { held >= ON_MS } else { held >= OFF_MS && !rolls }
        });
        let off = || if self.is_wired(now) { None } else { self.went_off(now) };
        let change = wished.or_else(|| off().map(|since| (false, since)));
        if let Some((on, since)) = change {
            self.candidate = None;
            // Nobody knew before: an engine that is found running was started, one that is found off was not stopped.
            let is_news = self.state.is_some() || on;
            if self.state != Some(on) && is_news {
                let kind = if on { EventKind::IgnitionOn } else { EventKind::IgnitionOff };
                out.push(now.event(kind, since));
            }
            self.state = Some(on);
        }
        now.ignition = self.state;
        now.answered |= self.answered;
    }

    pub fn has_answered(&self) -> bool {
        self.answered
    }

    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.state = snapshot.ignition;
        self.answered = snapshot.answered;
        self.restored = Some(snapshot.ts);
    }

    pub fn forget(&mut self) {
        *self = Ignition {
            state: self.state,
            answered: self.answered,
            wire_at: self.wire_at.map(|_| 0),
            restored: self.restored,
            ..Ignition::default()
        };
    }

    fn is_wired(&self, now: &Situation) -> bool {
        self.wire_at.is_some_and(|at| at + WIRE_MS >= now.now)
    }

    /// It seems to be so from `at` on.
    fn wish(&mut self, on: bool, at: u64) {
        if self.state == Some(on) {
            self.candidate = None;
        } else if self.candidate.is_none_or(|(wished, _)| wished != on) {
            self.candidate = Some((on, at));
        }
    }

    fn infer(&mut self, row: &Row, now: &Situation) {
        let at = row.at;
        let rolls = row.spd.is_some_and(|spd| spd >= ROLLING_KMH);
        let turns = row.rpm.is_some() && now.turns() == Some(true);
        if rolls || turns {
            self.wish(true, at);
        } else if row.spd.is_some() && row.rpm.is_some() {
            // What looked like a start was none.
            self.candidate = None;
        }
        // A hybrid's engine stands while it drives, and at a light its converter still charges.
        let charges = now.volts().is_some_and(|volts| volts > CHARGING_V);
        let discharges = now.volts().is_some_and(|volts| volts < RESTING_V);
        if row.ecu {
            let stands = now.wheels().is_some_and(|wheels| wheels < ROLLING_KMH);
            let rests = stands && now.turns() != Some(true) && discharges;
            self.resting_since = if rests { self.resting_since.or(Some(at)) } else { None };
            self.discharging_since = None;
        }
        if row.volts.is_some() {
            self.discharging_since = if discharges && !row.ecu { self.discharging_since.or(Some(at)) } else { None };
        }
        // A parked car whose battery is on a charger is not on: the voltage counts only where nothing else tells.
        if row.volts.is_some() && !self.answered {
            self.charging_since = if charges { self.charging_since.or(Some(at)) } else { None };
            if self.charging_since.is_some_and(|since| at.saturating_sub(since) >= CHARGING_FOR_MS) {
                self.wish(true, at);
            }
        }
    }

    /// Since when the ignition is off, if it is on or unknown and turns out to be off.
    fn went_off(&self, now: &Situation) -> Option<u64> {
        if self.state == Some(false) {
            return None;
        }
        let past = |since: Option<u64>, ms: u64| since.filter(|since| now.now.saturating_sub(*since) >= ms);
        let moves = self.moved_at.is_some_and(|moved| moved + ASLEEP_MS > now.now);
        if moves {
            return None;
        }
        let charges = now.volts().is_some_and(|volts| volts > CHARGING_V);
        let adapter_speaks = self.adapter_at.is_some_and(|at| at + ASLEEP_MS > now.now);
        let asleep = past(self.ecu_at, ASLEEP_MS).filter(|_| adapter_speaks && !charges);
        let still = self.moved_at.is_none_or(|moved| moved + SILENT_MS <= now.now);
        let silent = past(self.adapter_at, SILENT_MS).filter(|_| still && self.answered);
        let resting = past(self.resting_since, RESTING_MS);
        let discharging = past(self.discharging_since, RESTING_FOR_MS);
        asleep.or(silent).or(resting).or(discharging)
    }
}
