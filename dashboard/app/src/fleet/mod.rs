//! The fleet as the live feed tells it. Pure: time is an argument.
//!
//! Two clocks: `now` is the server's, in Unix milliseconds; `frame_ms` is the one of the browser's animation.

pub mod filter;
pub mod interest;
pub mod track;
pub mod vehicle;

use std::collections::{BTreeMap, HashMap};

use bugbrother_wire::{
    AlertId, UnixMs, Vin,
    live::{Delta, Frame, News, Notice, Snapshot},
    message::{Alert, AlertState},
};

pub use filter::{Counts, Filter};
pub use interest::{Interest, Place};
pub use vehicle::{LOOKS, Look, Vehicle};

/// The fleet.
#[derive(Debug, Default)]
pub struct Fleet {
    vehicles: Vec<Vehicle>,
    by_number: HashMap<u32, usize>,
    by_vin: HashMap<Vin, usize>,
    /// Indexes of `vehicles` in the order of the names.
    order: Vec<usize>,
    alerts: BTreeMap<AlertId, Alert>,
    /// The server's clock less the animation's.
    offset_ms: f64,
    /// Version of the server.
    server: Option<String>,
    /// How often there was something new of a vehicle to be asked for.
    news: HashMap<(u32, News), u32>,
    loaded: bool,
    revision: u64,
}

impl Fleet {
    /// Takes a frame. A change for a number that no snapshot named is dropped: the feed names every vehicle first.
    pub fn apply(&mut self, frame: Frame, frame_ms: f64) {
        self.revision += 1;
        match frame {
            Frame::Hello { server, now, .. } => {
                self.server = Some(server);
                self.offset_ms = now as f64 - frame_ms;
            }
            Frame::Snapshot(snapshot) => self.replace(snapshot, frame_ms),
            Frame::Delta(delta) => self.change(delta, frame_ms),
        }
    }

    /// Takes what was kept of the fleet, if nothing newer is known. `now` is the browser's clock, since no server has told its
    /// own; whether something was taken.
    pub fn recall(&mut self, kept: Snapshot, now: UnixMs, frame_ms: f64) -> bool {
        if self.loaded {
            return false;
        }
        self.revision += 1;
        self.replace(Snapshot { now: now.max(kept.now), ..kept }, frame_ms);
        true
    }

    /// What is worth keeping for the next time there is no network; nothing before the server has told of the fleet.
    pub fn to_keep(&self, frame_ms: f64) -> Option<Snapshot> {
        self.server.as_ref().filter(|_| self.loaded)?;
        let vehicles = self.vehicles.iter().map(Vehicle::to_live).collect();
        Some(Snapshot { now: self.now(frame_ms), tick: 0, vehicles, alerts: self.alerts.values().cloned().collect() })
    }

    fn replace(&mut self, snapshot: Snapshot, frame_ms: f64) {
        self.offset_ms = snapshot.now as f64 - frame_ms;
        let mut known: HashMap<Vin, Vehicle> =
            std::mem::take(&mut self.vehicles).into_iter().map(|v| (v.vin, v)).collect();
        self.vehicles = snapshot
            .vehicles
            .into_iter()
            .map(|live| {
                let before = known.remove(&live.vin);
                Vehicle::new(live, before, snapshot.now, frame_ms)
            })
            .collect();
        self.index();
        self.alerts = snapshot.alerts.into_iter().filter(is_open).map(|alert| (alert.id, alert)).collect();
        self.mark_alerts();
        self.loaded = true;
    }

    fn change(&mut self, delta: Delta, frame_ms: f64) {
        self.offset_ms = delta.now as f64 - frame_ms;
        let named = !delta.named.is_empty();
        for live in delta.named {
            match self.by_vin.get(&live.vin) {
                Some(index) => {
                    let before = self.vehicles[*index].clone();
                    self.vehicles[*index] = Vehicle::new(live, Some(before), delta.now, frame_ms);
                }
                None => {
                    self.by_vin.insert(live.vin, self.vehicles.len());
                    self.vehicles.push(Vehicle::new(live, None, delta.now, frame_ms));
                }
            }
        }
        if named || !delta.left.is_empty() {
            self.vehicles.retain(|vehicle| !delta.left.contains(&vehicle.n));
            self.index();
        }
        for change in delta.changed {
            if let Some(index) = self.by_number.get(&change.0) {
                self.vehicles[*index].apply(change, delta.now, frame_ms);
            }
        }
        for Notice(n, news) in delta.notices {
            *self.news.entry((n, news)).or_default() += 1;
        }
        if !delta.alerts.is_empty() {
            for alert in delta.alerts {
                if is_open(&alert) {
                    self.alerts.insert(alert.id, alert);
                } else {
                    self.alerts.remove(&alert.id);
                }
            }
            self.mark_alerts();
        }
    }

    fn index(&mut self) {
        self.by_number = self.vehicles.iter().enumerate().map(|(index, v)| (v.n, index)).collect();
        self.by_vin = self.vehicles.iter().enumerate().map(|(index, v)| (v.vin, index)).collect();
        self.order = (0..self.vehicles.len()).collect();
        self.order.sort_by_cached_key(|index| (self.vehicles[*index].name.to_lowercase(), self.vehicles[*index].vin));
    }

    fn mark_alerts(&mut self) {
        for vehicle in &mut self.vehicles {
            vehicle.alert = None;
        }
        for alert in self.alerts.values() {
            if let Some(index) = self.by_vin.get(&alert.vin) {
                let vehicle = &mut self.vehicles[*index];
                vehicle.alert = vehicle.alert.max(Some(alert.severity));
                vehicle.revision += 1;
            }
        }
    }

    /// Looks again at every vehicle: some fall silent. To be called about once a second.
    pub fn tick(&mut self, frame_ms: f64) {
        let now = self.now(frame_ms);
        for vehicle in &mut self.vehicles {
            vehicle.consider(now);
        }
    }

    /// The server's clock.
    pub fn now(&self, frame_ms: f64) -> UnixMs {
        (self.offset_ms + frame_ms) as UnixMs
    }

    /// Version of the server, once it has said it.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// A number that rises whenever there is something new of a vehicle to be asked for.
    pub fn news(&self, vin: Vin, news: News) -> u32 {
        let vehicle = self.find(vin);
        vehicle.and_then(|vehicle| self.news.get(&(vehicle.n, news)).copied()).unwrap_or_default()
    }

    /// The same of all vehicles.
    pub fn all_news(&self, news: News) -> u32 {
        self.news.iter().filter(|((_, known), _)| *known == news).map(|(_, count)| count).sum()
    }

    /// Whether a snapshot has come.
    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Counts every frame.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Every vehicle, in the order of the feed.
    pub fn vehicles(&self) -> &[Vehicle] {
        &self.vehicles
    }

    /// The vehicle with that VIN.
    pub fn find(&self, vin: Vin) -> Option<&Vehicle> {
        self.by_vin.get(&vin).map(|index| &self.vehicles[*index])
    }

    /// Vehicles that pass a filter and are found by a text, in the order of their names.
    pub fn select<'a>(&'a self, filter: Filter, text: &str) -> impl Iterator<Item = &'a Vehicle> {
        let needle = text.trim().to_lowercase();
        self.order
            .iter()
            .map(|index| &self.vehicles[*index])
            .filter(move |vehicle| filter.passes(vehicle) && vehicle.is_found_by(&needle))
    }

    /// How many vehicles pass each filter.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.vehicles)
    }

    /// Open alerts, the worst and newest first.
    pub fn alerts(&self) -> Vec<&Alert> {
        let mut alerts: Vec<_> = self.alerts.values().collect();
        alerts.sort_by_key(|alert| std::cmp::Reverse((alert.severity, alert.opened)));
        alerts
    }

    /// Number of open alerts.
    pub fn alert_count(&self) -> usize {
        self.alerts.len()
    }
}

fn is_open(alert: &Alert) -> bool {
    alert.state != AlertState::Resolved
}

#[cfg(test)]
mod tests;
