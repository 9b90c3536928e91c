//! What is heard of a vehicle at a moment.

use std::collections::HashMap;

use bugbrother_wire::{
    UnixMs,
    message::{Diagnostics, Event},
};

/// Latitude and longitude in degrees.
pub type Place = (f64, f64);

/// Something new of a vehicle, and what is known of it beside.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// When it was so, by the vehicle's clock; of time that passes and of silence, by ours.
    pub ts: UnixMs,
    /// What is new.
    pub news: News<'a>,
    /// Where it was by then, where that is known.
    pub place: Option<Place>,
    /// What people know of it.
    pub member: &'a Member,
    /// When it was heard.
    pub hearing: Hearing,
}

/// What is new of a vehicle.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// Values, by [slot](Slots).
    Sample(&'a [Option<f64>]),
    /// What the car says is wrong with it.
    Diagnostics(&'a Diagnostics),
    /// Something happened.
    Event(&'a Event),
    /// What the books say of it.
    Books(&'a Books),
    /// It said something, whatever it was.
    Word,
    /// Time has passed.
    Time,
}

/// What people know of a vehicle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Member {
    /// What kind of vehicle it is, such as `Van`.
    pub class: Option<String>,
    /// Size of its tank in litres.
    pub tank_l: Option<f64>,
}

/// When a vehicle was heard, by our clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hearing {
    /// Last; 0 for never.
    pub heard: UnixMs,
    /// Since when silence is counted: since then, or since we would hear it.
    pub counted_from: UnixMs,
    /// It said that it goes to sleep.
    pub asleep: bool,
    /// Since when the broker says that its connection broke off.
    pub offline_since: Option<UnixMs>,
}

/// What the books say of a vehicle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Books {
    /// What is to be done to it, and should have been.
    pub overdue: Vec<Item>,
    /// What is to be done to it soon.
    pub soon: Vec<Item>,
    /// Contracts that it is the first vehicle of, and that end.
    pub contracts: Vec<Item>,
}

/// A line of the books.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What people call it.
    pub title: String,
    /// When it is due, or ends, where that has a day.
    pub due: Option<UnixMs>,
}

/// Places of signals in a sample, for all rules together: a rule finds its value by number.
#[derive(Debug, Clone)]
pub struct Slots {
    keys: Vec<String>,
    by_key: HashMap<String, usize>,
}

/// Signals that have a place whether or not a rule names them.
const FIXED: [&str; 8] = ["lat", "lon", "spd", "gspd", "ign", "rpm", "load", "fuel"];
pub(crate) const LAT: usize = 0;
pub(crate) const LON: usize = 1;
pub(crate) const SPD: usize = 2;
pub(crate) const GSPD: usize = 3;
pub(crate) const IGN: usize = 4;
pub(crate) const RPM: usize = 5;
pub(crate) const LOAD: usize = 6;
pub(crate) const FUEL: usize = 7;

impl Default for Slots {
    fn default() -> Self {
        let mut slots = Slots { keys: Vec::new(), by_key: HashMap::new() };
        for key in FIXED {
            slots.take(key);
        }
        slots
    }
}

impl Slots {
    /// The place of a signal, which it is given if it has none.
    pub fn take(&mut self, key: &str) -> usize {
        if let Some(slot) = self.by_key.get(key) {
            return *slot;
        }
        self.keys.push(key.to_owned());
        self.by_key.insert(key.to_owned(), self.keys.len() - 1);
        self.keys.len() - 1
    }

    /// The place of a signal that has one.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// The signals in the order of their places.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }
}

/// The position in a sample.
pub fn position(values: &[Option<f64>]) -> Option<Place> {
    values[LAT].zip(values[LON])
}

/// The speed in a sample: the car's own, or else the receiver's.
pub(crate) fn speed(values: &[Option<f64>]) -> Option<f64> {
    values[SPD].or(values[GSPD])
}
