use serde::{Deserialize, Serialize};

use super::EventKind;
use crate::{AlertId, UnixMs, Vin};

/// `alert/{id}`: an alert as it stands. Retained until it is resolved; then the topic is cleared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alert {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// Its identity.
    pub id: AlertId,
    /// Identity of the rule that raised it.
    pub rule: String,
    /// What is the matter, for a person: `Faster than 130 km/h`.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// How far it has come.
    pub state: AlertState,
    /// When its cause began, by the vehicle's clock where it has one.
    pub opened: UnixMs,
    /// When this was said.
    pub updated: UnixMs,
    /// When its cause ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<UnixMs>,
    /// How often its cause came back while it was active, at least 1.
    pub count: u32,
    /// The value that matters: for a threshold the worst one so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The signal that it is about, where it is about one: the best that the rule names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The value beyond which it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Where the vehicle was then: latitude in degrees, where that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    /// Longitude in degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    /// Who said that they see to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// It was found in data that came late: it is history, and nobody is told of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// What else is to be said of its cause, for programs to put into words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<AlertCause>>,
}

/// What is to be said of an alert's cause beside its value: what there is depends on what the rule looks at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertCause {
    /// The trouble codes that it is about, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// The self tests (SAE J1979) that no longer have run to their end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<String>,
    /// What happened in the vehicle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventKind>,
    /// Name of the geofence that it is in, or is no longer in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geofence: Option<String>,
    /// What the signal usually is in this vehicle, beside what it was: `value` of the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<f64>,
    /// What the usual value depends on: `load` or `spd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// What that was at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_value: Option<f64>,
    /// Maintenance that is due, or contracts that are about to end, by their names, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// When the first of these is due, or ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<UnixMs>,
    /// Unit of the value and the limit where they are no signal's, such as `l` or `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

/// Life of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nobody has seen to it.
    Open,
    /// Somebody sees to it.
    Acknowledged,
    /// Its cause is gone.
    Resolved,
}
