//! One vehicle, and what of it viewers have not been told.

use std::collections::BTreeSet;

use bugbrother_store::{Latest, Moved, VehicleState};
use bugbrother_wire::{
    UnixMs, Vin,
    live::{Change, LiveVehicle},
    message::{Status, Telemetry},
};

use super::Placed;

/// What viewers have to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    None,
    Values,
    Whole,
}

/// What viewers are told.
pub(super) enum Told {
    Whole(LiveVehicle),
    Change(Change),
}

pub(super) struct Vehicle {
    vin: Vin,
    name: String,
    plate: Option<String>,
    /// Name of whom it serves.
    client: Option<String>,
    latest: Latest,
    /// Whether the broker has told of its presence what the database had not: from then on the broker is believed.
    heard: bool,
    /// Signals whose values viewers have not been told.
    untold: BTreeSet<String>,
    news: News,
    /// Number of the last delta that told of it.
    pub told: u64,
    /// Number of the last delta that told all of it.
    pub told_whole: u64,
}

impl Vehicle {
    /// One that nothing is known of yet but that it exists.
    pub fn new(vin: Vin) -> Self {
        Vehicle {
            vin,
            name: vin.to_string(),
            plate: None,
            client: None,
            latest: Latest::default(),
            heard: false,
            untold: BTreeSet::new(),
            news: News::Whole,
            told: 0,
            told_whole: 0,
        }
    }

    /// VIN and position in degrees.
    pub fn place(&self) -> Placed {
        let value = |key| self.latest.signals.get(key).map(|(_, value)| *value);
        (self.vin, value("lat").zip(value("lon")))
    }

    pub fn take_batch(&mut self, batch: &Telemetry, now: UnixMs) -> News {
        let moved = self.latest.merge(batch, now);
        self.take_moved(&moved)
    }

    pub fn take_status(&mut self, status: &Status) -> News {
        let before = self.latest.presence;
        self.heard |= self.latest.hear(status);
        self.remember(if self.latest.presence == before { News::None } else { News::Values })
    }

    pub fn restore(&mut self, state: VehicleState, now: UnixMs) -> News {
        let named = self.rename(&state.name, state.plate.as_deref());
        let before = self.latest.presence;
        if !self.heard {
            self.latest.presence = state.latest.presence;
            self.latest.presence_epoch = state.latest.presence_epoch;
            self.latest.presence_since = state.latest.presence_since;
        }
        let said = if self.latest.presence == before { News::None } else { News::Values };
        let moved = self.latest.catch_up(&state.latest, now);
        let measured = self.take_moved(&moved);
        self.remember(named.max(said).max(measured))
    }

    pub fn rename(&mut self, name: &str, plate: Option<&str>) -> News {
        if self.name == name && self.plate.as_deref() == plate {
            return News::None;
        }
        name.clone_into(&mut self.name);
        self.plate = plate.map(str::to_owned);
        self.remember(News::Whole)
    }

    /// It serves that client.
    pub fn serve(&mut self, client: Option<String>) -> News {
        if self.client == client {
            return News::None;
        }
        self.client = client;
        self.remember(News::Whole)
    }

    /// The vehicle with all that is known of it.
    pub fn whole(&self, n: u32) -> LiveVehicle {
        LiveVehicle {
            n,
            vin: self.vin,
            name: self.name.clone(),
            plate: self.plate.clone(),
            client: self.client.clone(),
            presence: self.latest.presence,
            source_ts: self.latest.source_ts,
            received_ts: self.latest.received_ts,
            values: self.latest.values(),
        }
    }

    /// All its values, as a change.
    pub fn values(&self, n: u32) -> Change {
        let latest = &self.latest;
        Change(n, latest.presence, latest.source_ts, latest.received_ts, latest.values().into_iter().collect())
    }

    /// What viewers have not been told; from now on they have.
    pub fn take_news(&mut self, n: u32) -> Told {
        let untold = std::mem::take(&mut self.untold);
        if std::mem::replace(&mut self.news, News::None) == News::Whole {
            return Told::Whole(self.whole(n));
        }
        let latest = &self.latest;
        let values = untold.into_iter().filter_map(|key| {
            let (_, value) = latest.signals.get(&key)?;
            Some((key, *value))
        });
        Told::Change(Change(n, latest.presence, latest.source_ts, latest.received_ts, values.collect()))
    }

    fn take_moved(&mut self, moved: &Moved<'_>) -> News {
        for key in &moved.values {
            if !self.untold.contains(*key) {
                self.untold.insert((*key).to_owned());
            }
        }
        self.remember(match moved {
            // A change has no word for a signal that is no longer kept.
            Moved { evicted: true, .. } => News::Whole,
            Moved { keys, .. } if keys.is_empty() => News::None,
            _ => News::Values,
        })
    }

    fn remember(&mut self, news: News) -> News {
        self.news = self.news.max(news);
        news
    }
}
