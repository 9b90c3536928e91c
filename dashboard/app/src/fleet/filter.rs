//! Which vehicles a list shows.

use bugbrother_wire::live::Motion;

use super::Vehicle;

/// A filter. Alerts go across what a vehicle does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Filter {
    /// Every vehicle.
    #[default]
    All,
    /// Those that drive.
    Moving,
    /// Those that stand with the engine running.
    Idle,
    /// Those with the engine off.
    Parked,
    /// Those that nobody has heard of.
    Silent,
    /// Those with an open alert.
    Alert,
}

/// Every filter, in the order in which they are offered.
pub const FILTERS: [Filter; 6] =
    [Filter::All, Filter::Moving, Filter::Idle, Filter::Parked, Filter::Silent, Filter::Alert];

impl Filter {
    /// Whether a vehicle is shown.
    pub fn passes(self, vehicle: &Vehicle) -> bool {
        match self {
            Filter::All => true,
            Filter::Moving => vehicle.motion == Motion::Moving,
            Filter::Idle => vehicle.motion == Motion::Idle,
            Filter::Parked => vehicle.motion == Motion::Parked,
            Filter::Silent => vehicle.motion == Motion::Silent,
            Filter::Alert => vehicle.alert.is_some(),
        }
    }

    /// Its word in the address.
    pub fn word(self) -> &'static str {
        match self {
            Filter::All => "all",
            Filter::Moving => "moving",
            Filter::Idle => "idle",
            Filter::Parked => "parked",
            Filter::Silent => "silent",
            Filter::Alert => "alert",
        }
    }

    /// The filter of a word; all vehicles if there is none.
    pub fn from_word(word: &str) -> Self {
        FILTERS.into_iter().find(|filter| filter.word() == word).unwrap_or_default()
    }
}

/// How many vehicles pass each filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([usize; FILTERS.len()]);

impl Counts {
    /// Counts.
    pub fn of(vehicles: &[Vehicle]) -> Self {
        Counts(FILTERS.map(|filter| vehicles.iter().filter(|vehicle| filter.passes(vehicle)).count()))
    }

    /// How many pass `filter`.
    pub fn get(&self, filter: Filter) -> usize {
        self.0[filter as usize]
    }
}
