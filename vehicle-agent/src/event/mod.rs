//! Samples and time → what has happened. `docs/events.md` states every rule and where its numbers come from.
//!
//! # Layout
//! - [`limits`]: thresholds by name, from `down/config`
//! - `row`: a moment's values → those that can be believed; `situation`: what is known now
//! - `slope`, `axis`, `manoeuvre`: rates of change, accelerometers, events that last
//! - `ignition`, `pedals`, `corners`, `crash`, `tow`, `idling`, `battery`, `fences`: one detector each
//! - [`snapshot`]: what must outlive the agent
//! - `lookout`: the task that lies between the sensors and the recorder
//!
//! # Invariants
//! - No I/O and no clock: the same moments give the same events, their random identities apart.
//! - One event per manoeuvre. A value that is late, of another time or of a bad fix makes none.
//! - While position is private, no event has a place and no geofence is crossed.

mod axis;
mod battery;
mod corners;
mod crash;
mod fences;
mod idling;
mod ignition;
pub mod limits;
mod lookout;
mod manoeuvre;
mod pedals;
mod row;
mod situation;
mod slope;
pub mod snapshot;
mod tow;

use bugbrother_wire::{UnixMs, message::Geofence};

pub(crate) use self::lookout::{Inputs, Outputs, look_out};
use self::{
    battery::Battery, corners::Corners, crash::Crash, fences::Fences, idling::Idling, ignition::Ignition,
    pedals::Pedals, row::Row, situation::Situation, tow::Tow,
};
pub use self::{limits::Limits, snapshot::Snapshot};
use crate::{outbox::Happening, recorder::Key};

/// A step back in time that is larger is another time, and what was being watched is forgotten.
const LATE_MS: u64 = 5_000;
const MS_PER_KMH: f64 = 1.0 / 3.6;

/// What was measured at a moment: one row, which may hold only some signals.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// When, in milliseconds of a clock that is never set; of a recording, its own time.
    pub at_ms: u64,
    /// The same by the calendar.
    pub ts: UnixMs,
    /// Signal key and value.
    pub values: &'a [(Key, f64)],
}

/// All detectors. They see every value, also those that are not recorded.
#[derive(Debug, Default)]
pub struct Detectors {
    limits: Limits,
    situation: Situation,
    ignition: Ignition,
    pedals: Pedals,
    corners: Corners,
    crash: Crash,
    tow: Tow,
    idling: Idling,
    battery: Battery,
    fences: Fences,
}

impl Detectors {
    /// Detectors that know nothing yet.
    pub fn new(limits: Limits, fences: Vec<Geofence>) -> Self {
        let mut detectors = Detectors::default();
        detectors.set(limits, fences);
        detectors
    }

    /// Changes the thresholds and the areas. What is known of an area that stays as it was is kept.
    pub fn set(&mut self, limits: Limits, fences: Vec<Geofence>) {
        self.limits = limits;
        self.fences.set(fences);
    }

    /// Whether position stays in the vehicle from now on.
    pub fn keep_private(&mut self, private: bool) {
        self.situation.private = private;
    }

    /// Takes what was measured and adds what has happened.
    pub fn take(&mut self, moment: &Moment<'_>, out: &mut Vec<Happening>) {
        if moment.at_ms + LATE_MS < self.situation.now {
            self.forget();
        }
        let row = Row::read(moment);
        self.situation.take(&row, moment.ts);
        self.ignition.take(&row, &self.situation);
        self.pedals.take(&row, &self.situation, &self.limits, out);
        self.corners.take(&row, &self.situation, &self.limits, out);
        self.crash.take(&row, &self.situation, &self.limits, out);
        self.tow.take(&row, &self.situation, &self.limits, out);
        self.battery.take(&row, &self.situation, &self.limits, out);
        self.fences.take(&row, &self.situation, &self.limits, out);
        self.pass_time(out);
    }

    /// Lets time pass; wanted about once a second, also while nothing is measured.
    pub fn tick(&mut self, at_ms: u64, ts: UnixMs, out: &mut Vec<Happening>) {
        if at_ms + LATE_MS < self.situation.now {
            self.forget();
        }
        self.situation.advance(at_ms, ts);
        self.pass_time(out);
    }

    /// Where the vehicle is, if that is known and may be told: for events that are made elsewhere.
    pub fn place(&self) -> Option<(f64, f64)> {
        self.situation.place_to_tell()
    }

    /// Whether the ignition is on, as far as anybody knows.
    pub fn ignition(&self) -> Option<bool> {
        self.situation.ignition
    }

    /// What must outlive the agent.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            v: snapshot::VERSION,
            ts: self.situation.ts,
            ignition: self.situation.ignition,
            answered: self.ignition.has_answered(),
            anchor: self.tow.anchor(),
            towed: self.tow.is_told(),
            battery_told: self.battery.is_told(),
            charging_told: self.battery.is_charging_told(),
            fences: self.fences.known(),
        }
    }

    /// Goes on from where an agent was that ended. A snapshot of another version is as none.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        if snapshot.v != snapshot::VERSION {
            return;
        }
        self.ignition.restore(snapshot);
        self.tow.restore(snapshot);
        self.battery.restore(snapshot);
        self.fences.restore(&snapshot.fences);
        self.situation.ignition = snapshot.ignition;
    }

    fn pass_time(&mut self, out: &mut Vec<Happening>) {
        self.ignition.tick(&mut self.situation, out);
        self.pedals.tick(&self.situation, out);
        self.corners.tick(&self.situation, out);
        self.tow.tick(&self.situation);
        self.idling.tick(&self.situation, &self.limits, out);
    }

    /// Time has gone back: nothing that was measured before can be compared with what comes. What is known stays.
    fn forget(&mut self) {
        self.situation.forget();
        self.ignition.forget();
        self.pedals = Pedals::default();
        self.corners = Corners::default();
        self.crash = Crash::default();
        self.tow.forget();
        self.idling = Idling::default();
        self.battery.forget();
        self.fences.forget();
    }
}
