use serde::{Deserialize, Serialize};

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
