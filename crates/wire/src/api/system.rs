//! How the system is, and how the fleet is run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{UnixMs, Vin};

/// `GET /api/frontend/system`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct System {
    /// Version of the server.
    pub version: String,
    /// When this process was started.
    pub started: UnixMs,
    /// The server's clock.
    pub now: UnixMs,
    /// The kind of database, and its identity.
    pub store: String,
    /// Part → what is wrong with it, or `ok`.
    pub parts: BTreeMap<String, String>,
    /// What this process counts, by name.
    pub figures: Vec<Figure>,
    /// What could not be decoded, newest first.
    pub dead_letters: Vec<DeadLetter>,
    /// Records of an impossible time, oldest first.
    pub quarantine: Vec<Quarantined>,
    /// Room for photos and clips, where the server keeps any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaRoom>,
}

/// Room for photos and clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MediaRoom {
    /// Bytes of all that are here or coming.
    pub bytes: u64,
    /// Bytes that they may have.
    pub most_bytes: u64,
    /// What went last because there was no room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evicted: Option<Eviction>,
}

/// Photos and clips that went before their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Eviction {
    /// When.
    pub at: UnixMs,
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Something that is counted or measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Figure {
    /// Its name, as in `/metrics`.
    pub name: String,
    /// Labels and their values, such as `reason="expired"`; empty without any.
    pub labels: String,
    /// How much.
    pub value: f64,
}

/// Something that could not be taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetter {
    /// Where it was published.
    pub topic: String,
    /// Why it was refused.
    pub reason: String,
    /// Bytes that it had.
    pub size: i64,
    /// When it was received.
    pub received: UnixMs,
}

/// A record of an impossible time, kept apart until that is past or a clock is set right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quarantined {
    /// Who sent it.
    pub vin: Vin,
    /// Where it was published.
    pub topic: String,
    /// Why it is kept apart.
    pub reason: String,
    /// When it was received.
    pub received: UnixMs,
}

/// `GET` and `PUT /api/frontend/settings`: how the fleet is run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settings {
    /// For so many days each kind of data is kept, such as `telemetry_days`; nothing is for ever.
    pub retention: BTreeMap<String, Option<u32>>,
    /// What driving costs.
    pub prices: Prices,
    /// When alerts are told again; nothing said, it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
}

/// After how many minutes an alert that nobody has seen to is told again, once: 1 to 1440; nothing is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Escalation {
    /// A critical one.
    #[serde(default)]
    pub critical_minutes: Option<u32>,
    /// A warning.
    #[serde(default)]
    pub warning_minutes: Option<u32>,
}

/// Prices of what vehicles burn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Prices {
    /// Currency of all of them, by ISO 4217.
    pub currency: String,
    /// Of a litre (CNG: of a kilogram) of each fuel, such as `diesel`.
    pub fuel_per_l: BTreeMap<String, f64>,
    /// Of a kilowatt-hour of electricity.
    pub electricity_per_kwh: Option<f64>,
}
