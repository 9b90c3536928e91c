//! A vehicle as the app knows it.

use std::collections::BTreeMap;

use bugbrother_wire::{
    UnixMs, Vin,
    live::{Change, LiveVehicle, Motion, speed_kmh},
    message::{Presence, Severity},
    wmi,
};

use super::track::Track;
use crate::geo::Point;

/// A vehicle.
#[derive(Debug, Clone)]
pub struct Vehicle {
    /// Its number on the feed.
    pub n: u32,
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate.
    pub plate: Option<String>,
    /// Name of the client whom it serves.
    pub client: Option<String>,
    /// Maker, where the VIN tells.
    pub maker: Option<&'static str>,
    /// Whether it is connected.
    pub presence: Presence,
    /// Newest `source_ts`; 0 before the first value.
    pub source_ts: UnixMs,
    /// When the server got it; 0 before the first value.
    pub received_ts: UnixMs,
    /// Signal key → last value.
    pub values: BTreeMap<String, f64>,
    /// Where it is; `None` before the first position.
    pub track: Option<Track>,
    /// What it does.
    pub motion: Motion,
    /// Since when, if that was seen.
    pub since: Option<UnixMs>,
    /// The worst of its open alerts.
    pub alert: Option<Severity>,
    /// Counts every change.
    pub revision: u64,
    /// What a search looks through.
    haystack: String,
}

/// How a vehicle is drawn: an alert outweighs what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    /// Not heard of.
    Silent,
    /// Engine off.
    Parked,
    /// Stands with the engine running.
    Idle,
    /// Drives.
    Moving,
    /// Has an open alert.
    Alert,
}

/// Every look, the worst last.
pub const LOOKS: [Look; 5] = [Look::Silent, Look::Parked, Look::Idle, Look::Moving, Look::Alert];

impl From<Motion> for Look {
    fn from(motion: Motion) -> Self {
        match motion {
            Motion::Moving => Look::Moving,
            Motion::Idle => Look::Idle,
            Motion::Parked => Look::Parked,
            Motion::Silent => Look::Silent,
        }
    }
}

impl Vehicle {
    /// As a snapshot tells; `before` is what was known of it.
    pub fn new(live: LiveVehicle, before: Option<Vehicle>, now: UnixMs, frame_ms: f64) -> Self {
        let [plate, client] = [&live.plate, &live.client].map(|text| text.as_deref().unwrap_or_default());
        let haystack = format!("{} {plate} {} {client}", live.name, live.vin).to_lowercase();
        let (track, motion, since, alert, revision) = match before {
            Some(before) => (before.track, Some(before.motion), before.since, before.alert, before.revision),
            None => (None, None, None, None, 0),
        };
        let mut vehicle = Vehicle {
            n: live.n,
            vin: live.vin,
            maker: wmi::maker(live.vin),
            name: live.name,
            plate: live.plate,
            client: live.client,
            presence: live.presence,
            source_ts: live.source_ts,
            received_ts: live.received_ts,
            values: live.values,
            track,
            motion: motion.unwrap_or(Motion::Silent),
            since,
            alert,
            revision: revision + 1,
            haystack,
        };
        vehicle.locate(frame_ms);
        let known = motion.is_some();
        vehicle.consider(now);
        if !known {
            // When it began to do what it does was before the app looked; since when it is silent can be told.
            vehicle.since =
                (vehicle.motion == Motion::Silent && vehicle.received_ts > 0).then_some(vehicle.received_ts);
        }
        vehicle
    }

    /// As a snapshot would tell of it.
    pub fn to_live(&self) -> LiveVehicle {
        LiveVehicle {
            n: self.n,
            vin: self.vin,
            name: self.name.clone(),
            plate: self.plate.clone(),
            client: self.client.clone(),
            presence: self.presence,
            source_ts: self.source_ts,
            received_ts: self.received_ts,
            values: self.values.clone(),
        }
    }

    /// Takes new values.
    pub fn apply(&mut self, Change(_, presence, source_ts, received_ts, values): Change, now: UnixMs, frame_ms: f64) {
        let moved = values.iter().any(|(key, _)| key == "lat" || key == "lon");
        self.presence = presence;
        self.source_ts = source_ts;
        self.received_ts = received_ts;
        self.values.extend(values);
        self.revision += 1;
        if moved {
            self.locate(frame_ms);
        }
        self.consider(now);
    }

    /// Looks again at what it does: silence comes with time alone.
    pub fn consider(&mut self, now: UnixMs) {
        let motion = Motion::of(self.presence, &self.values, self.age_ms(now));
        if motion != self.motion {
            self.motion = motion;
            self.since = Some(if motion == Motion::Silent { self.received_ts } else { now });
            self.revision += 1;
        }
    }

    /// Time since the server heard of it.
    pub fn age_ms(&self, now: UnixMs) -> i64 {
        (now - self.received_ts).max(0)
    }

    /// How it is drawn.
    pub fn look(&self) -> Look {
        if self.alert.is_some() { Look::Alert } else { self.motion.into() }
    }

    /// Speed in km/h.
    pub fn speed_kmh(&self) -> Option<f64> {
        speed_kmh(&self.values)
    }

    /// A value by signal key.
    pub fn value(&self, key: &str) -> Option<f64> {
        self.values.get(key).copied()
    }

    /// In which order two stand: by their names, however they are written.
    pub fn compare(&self, other: &Vehicle) -> std::cmp::Ordering {
        // Begins with the name, in lower case.
        self.haystack.cmp(&other.haystack)
    }

    /// Whether its name, plate or VIN holds `needle`, which is in lower case.
    pub fn is_found_by(&self, needle: &str) -> bool {
        self.haystack.contains(needle)
    }

    fn locate(&mut self, frame_ms: f64) {
        let (Some(lat), Some(lon)) = (self.value("lat"), self.value("lon")) else { return };
        let at = Point::from_degrees(lat, lon);
        // A receiver's heading is noise while the car stands.
        let standing = self.speed_kmh().is_some_and(|speed| speed < 1.0);
        let heading = self.value("hdg").filter(|_| !standing);
        match &mut self.track {
            Some(track) => track.advance(at, heading, self.source_ts, frame_ms),
            None => self.track = Some(Track::new(at, self.value("hdg"), self.source_ts)),
        }
    }
}
