//! What is wrong with a vehicle, in words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    MediaId, UnixMs,
    message::{DtcStatus, Event, Media, Severity},
};

/// `GET /api/frontend/vehicles/{vin}/diagnostics`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiagnosticsReport {
    /// When the car was asked last, by its clock; nothing before it was asked at all.
    pub at: Option<UnixMs>,
    /// Malfunction indicator lamp, where the car tells.
    pub mil: Option<bool>,
    /// Trouble codes that are there first, then such as are gone; the ones told last first.
    pub codes: Vec<DtcInWords>,
    /// Self tests that the car runs over.
    pub monitors: Vec<MonitorInWords>,
    /// Values at the moment a code was stored.
    pub freeze_frame: Option<FreezeFrameInWords>,
}

/// A trouble code, and what it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DtcInWords {
    /// SAE J2012: `P0420`.
    pub code: String,
    /// What is wrong; of a code that is not known by itself, what its family is about.
    pub title: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
    /// Part of the vehicle that it is in.
    pub system: String,
    /// Whether it means the same in every vehicle; else its maker knows more.
    pub generic: bool,
    /// How bad it is to drive on with it.
    pub severity: Severity,
    /// How sure the control unit is.
    pub status: DtcStatus,
    /// The control unit; empty where it did not say.
    pub ecu: String,
    /// When it was told first.
    pub first_seen: UnixMs,
    /// When it was told last.
    pub last_seen: UnixMs,
    /// When the vehicle told its codes and this one was no longer among them; it is there without it.
    pub gone: Option<UnixMs>,
    /// How often it came, at least 1.
    pub times: u32,
}

/// A self test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MonitorInWords {
    /// Name as in SAE J1979, such as `catalyst`.
    pub name: String,
    /// For a person.
    pub label: String,
    /// Whether it has run to its end since codes were cleared.
    pub complete: bool,
}

/// Values at the moment a code was stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FreezeFrameInWords {
    /// The code that caused it.
    pub code: String,
    /// The control unit that keeps it, where it is known.
    pub ecu: Option<String>,
    /// The values.
    pub values: Vec<NamedValue>,
}

/// A value with what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NamedValue {
    /// Key of the signal.
    pub key: String,
    /// Its name for people.
    pub label: String,
    /// Its unit; empty for a bare number and where none is known.
    pub unit: String,
    /// The value.
    pub value: f64,
}

/// `GET /api/frontend/vehicles/{vin}/events`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventList {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /api/frontend/vehicles/{vin}/media`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MediaList {
    /// Photos and clips that begin in the span, oldest first.
    pub media: Vec<Media>,
    /// Give it as `from` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UnixMs>,
    /// For those that have a small picture, whose it is: a clip has that of a photo which was taken with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub thumbnails: BTreeMap<MediaId, MediaId>,
}

/// `GET /api/frontend/vehicles/{vin}/card`: the head of a vehicle's page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VehicleCard {
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    pub plate: Option<String>,
    /// Maker, where the VIN tells.
    pub maker: Option<String>,
    /// The clients that see it; of somebody who signs in for a client none but that.
    pub clients: Vec<String>,
    /// Since when it drives, if its newest trip goes on.
    pub driving_since: Option<UnixMs>,
    /// Since when it stands, if its newest trip has ended.
    pub standing_since: Option<UnixMs>,
    /// Version of its agent, where one has said so.
    pub agent: Option<String>,
}
