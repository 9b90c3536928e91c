//! Frames of the dashboard's WebSocket `/live`, as MessagePack.
//!
//! The server says [`Frame::Hello`] and a [`Snapshot`], then [`Delta`]s. A viewer may say at any time what it [wants](Want)
//! to be told of, and what it knows already: then it gets what has changed since instead of a snapshot. A viewer that falls
//! behind misses deltas and gets what has changed meanwhile in one: it always sees the latest state and never a queue of old
//! ones. Values are given by signal key; a key that is not named in a delta has not changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    UnixMs, Vin,
    message::{Alert, Presence},
};

/// What the server says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// First of all.
    Hello {
        /// Version of the server; an app of another one reloads itself.
        server: String,
        /// The server's clock.
        now: UnixMs,
        /// Identity of this feed: numbers of vehicles and ticks count in it alone.
        #[serde(default)]
        feed: String,
    },
    /// Everything.
    Snapshot(Snapshot),
    /// What has changed since the frame before.
    Delta(Delta),
}

/// The whole fleet as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The server's clock.
    pub now: UnixMs,
    /// Number of the newest tick that it holds; 0 when it is not whole yet: the rest comes in deltas, the last with the number.
    #[serde(default)]
    pub tick: u64,
    /// Every vehicle that is wanted.
    pub vehicles: Vec<LiveVehicle>,
    /// Every alert that is not resolved.
    pub alerts: Vec<Alert>,
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// The server's clock.
    pub now: UnixMs,
    /// Number of the tick that the viewer knows everything up to now. A large one comes in pieces: those before the last have
    /// the number of the one before, or 0.
    #[serde(default)]
    pub tick: u64,
    /// Vehicles that are new, whose name has changed, or of which more has changed than a change can say.
    #[serde(default)]
    pub named: Vec<LiveVehicle>,
    /// Numbers of vehicles that are told of no more: they have left the wanted area.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<u32>,
    /// Vehicles with new values.
    #[serde(default)]
    pub changed: Vec<Change>,
    /// Alerts that were raised or have changed; a resolved one is said once and is to be dropped.
    #[serde(default)]
    pub alerts: Vec<Alert>,
    /// Where there is something new to be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// There is something new of a vehicle that this feed does not tell, as an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Notice(
    /// The vehicle's number.
    pub u32,
    /// What.
    pub News,
);

/// What is new of a vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A command was given, or has come further.
    Command,
    /// Trouble codes, lamp or self tests.
    Diagnostics,
    /// Trips and stops.
    Trips,
    /// A photo or clip.
    Media,
    /// Something happened in the vehicle.
    Event,
    /// Who sees to an alert.
    Handling,
    /// What this version does not know.
    #[serde(other)]
    Other,
}

/// A vehicle in a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveVehicle {
    /// Its number on this feed; the same in every frame of a connection.
    pub n: u32,
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    #[serde(default)]
    pub plate: Option<String>,
    /// Name of the client whom it serves now, if it serves one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Whether it is connected.
    pub presence: Presence,
    /// Newest `source_ts`, by the vehicle's clock; 0 before the first value.
    pub source_ts: UnixMs,
    /// When the server got it; 0 before the first value.
    pub received_ts: UnixMs,
    /// Signal key → last value.
    pub values: BTreeMap<String, f64>,
}

/// New values of a vehicle, as an array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change(
    /// The vehicle's number.
    pub u32,
    /// Presence.
    pub Presence,
    /// `source_ts`
    pub UnixMs,
    /// `received_ts`
    pub UnixMs,
    /// Signal key and value of what has changed.
    pub Vec<(String, f64)>,
);

/// What a viewer wants to be told of, in place of what it wanted before. Alerts are always told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Want {
    /// Which vehicles.
    #[serde(default)]
    pub which: Which,
    /// Only these signals of them, at most [`MAX_WANTED_SIGNALS`]; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<Vec<String>>,
    /// These vehicles too, with every signal, at most [`MAX_WHOLE`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<Vin>,
    /// What the viewer knows already. If that is not too long ago, it is told what has changed since, otherwise everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Mark>,
}

/// Most signals that a viewer may name.
pub const MAX_WANTED_SIGNALS: usize = 32;
/// Most vehicles that a viewer may want whole.
pub const MAX_WHOLE: usize = 32;
/// Most vehicles that a viewer may name.
pub const MAX_ONLY: usize = 500;

/// Which vehicles are wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All that the account may see.
    #[default]
    Fleet,
    /// Those inside a rectangle, in degrees. Where `west` is greater than `east` it goes over the date line.
    Area {
        /// Southern edge.
        south: f64,
        /// Western edge.
        west: f64,
        /// Northern edge.
        north: f64,
        /// Eastern edge.
        east: f64,
    },
    /// These, at most [`MAX_ONLY`].
    Only(Vec<Vin>),
}

impl Which {
    /// Whether a rectangle holds a position; nobody's position is in none.
    pub fn holds(&self, position: Option<(f64, f64)>) -> bool {
        match (self, position) {
            (Which::Area { south, west, north, east }, Some((lat, lon))) => {
                let inside = if west <= east { (*west..=*east).contains(&lon) } else { lon >= *west || lon <= *east };
                inside && (*south..=*north).contains(&lat)
            }
            _ => false,
        }
    }
}

/// A place in a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Identity of the feed.
    pub feed: String,
    /// Number of the last tick that was taken in.
    pub tick: u64,
}

/// What a vehicle does, as far as its last values tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Motion {
    /// Drives.
    Moving,
    /// Stands with the engine running.
    Idle,
    /// Stands with the engine off.
    Parked,
    /// Has not been heard of, or is not connected.
    Silent,
}

/// Below this a car stands: receivers and wheel sensors tell 1 or 2 km/h of a car that does not move.
pub const STANDING_KMH: f64 = 3.0;
/// A vehicle that has said nothing for so long counts as silent even if nobody has seen it disconnect.
pub const SILENT_AFTER_MS: i64 = 120_000;

impl Motion {
    /// From the last values; `age_ms` is the time since the last one was received.
    pub fn of(presence: Presence, values: &BTreeMap<String, f64>, age_ms: i64) -> Self {
        if presence == Presence::Offline || age_ms > SILENT_AFTER_MS {
            return Motion::Silent;
        }
        if speed_kmh(values).is_some_and(|speed| speed >= STANDING_KMH) {
            Motion::Moving
        } else if values.get("rpm").is_some_and(|rpm| *rpm > 0.0) {
            Motion::Idle
        } else {
            Motion::Parked
        }
    }
}

/// Speed by the car's own sensor, else over ground.
pub fn speed_kmh(values: &BTreeMap<String, f64>) -> Option<f64> {
    values.get("spd").or_else(|| values.get("gspd")).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_may_go_over_the_date_line() {
        let area = Which::Area { south: -20.0, west: 170.0, north: -10.0, east: -170.0 };
        assert!(area.holds(Some((-15.0, 179.0))) && area.holds(Some((-15.0, -179.0))));
        assert!(!area.holds(Some((-15.0, 0.0))) && !area.holds(Some((-25.0, 179.0))) && !area.holds(None));
        assert!(!Which::Fleet.holds(Some((0.0, 0.0))), "only a rectangle is asked");
    }

    #[test]
    fn motion_follows_presence_then_speed_then_engine() {
        let values =
            |pairs: &[(&str, f64)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect::<BTreeMap<_, _>>();
        let moving = values(&[("spd", 50.0), ("rpm", 2000.0)]);
        assert_eq!(Motion::of(Presence::Online, &moving, 0), Motion::Moving);
        assert_eq!(Motion::of(Presence::Offline, &moving, 0), Motion::Silent);
        assert_eq!(Motion::of(Presence::Online, &moving, SILENT_AFTER_MS + 1), Motion::Silent);
        assert_eq!(Motion::of(Presence::Online, &values(&[("spd", 1.0), ("rpm", 800.0)]), 0), Motion::Idle);
        assert_eq!(Motion::of(Presence::Asleep, &values(&[("spd", 0.0), ("rpm", 0.0)]), 0), Motion::Parked);
        assert_eq!(Motion::of(Presence::Online, &values(&[("gspd", 30.0)]), 0), Motion::Moving);
    }
}
