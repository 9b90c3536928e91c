//! Alerts in lists, and who sees to them.

use serde::{Deserialize, Serialize};

use crate::{
    UnixMs,
    message::{Alert, Severity},
};

/// `GET /api/frontend/alerts`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertList {
    /// Newest first.
    pub alerts: Vec<AlertSummary>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An alert, and who sees to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertSummary {
    /// As it stands.
    #[serde(flatten)]
    pub alert: Alert,
    /// Whom it was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// Until then it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<UnixMs>,
}

/// `GET /api/frontend/alerts/{id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertDetail {
    /// As it stands.
    pub alert: AlertSummary,
    /// What people call the vehicle.
    pub vehicle: String,
    /// Name of the place where it was.
    pub place: Option<String>,
    /// What happened to it, oldest first.
    pub history: Vec<AlertStep>,
    /// The trouble codes that it is about, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<TroubleInWords>,
}

/// A trouble code of an alert, and what it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TroubleInWords {
    /// SAE J2012: `P0420`.
    pub code: String,
    /// What is wrong.
    pub title: String,
    /// What to do about it.
    pub advice: String,
    /// How bad it is to drive on with it.
    pub severity: Severity,
}

/// Something that happened to an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertStep {
    /// Rises by one with each of the same alert.
    pub number: u32,
    /// When.
    pub at: UnixMs,
    /// What.
    pub kind: AlertStepKind,
    /// Who did it, if a person did.
    pub by: Option<String>,
    /// A comment, to whom it was given, until when it rests.
    pub text: Option<String>,
}

/// What happens to alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertStepKind {
    /// It was raised, or somebody took back that they see to it.
    Opened,
    /// Somebody said that they see to it.
    Acknowledged,
    /// It was given to somebody, or to nobody any more.
    Assigned,
    /// Somebody had something to say.
    Commented,
    /// It is to rest for a while, or no longer.
    Snoozed,
    /// Nobody saw to it in time.
    Escalated,
    /// Its cause is gone.
    Resolved,
}

/// `POST /api/frontend/alerts/{id}/comments`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertComment {
    /// What there is to say, up to 1,000 characters.
    pub text: String,
}

/// `PUT /api/frontend/alerts/{id}/assignment`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertAssignment {
    /// User name; nobody without it.
    #[serde(default)]
    pub to: Option<String>,
}

/// `PUT /api/frontend/alerts/{id}/rest`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertRest {
    /// Until when it is to rest; no longer without it.
    #[serde(default)]
    pub until: Option<UnixMs>,
}

/// `GET /api/frontend/alerts/people`: to whom alerts can be given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeopleList {
    /// User names, in their order.
    pub people: Vec<String>,
}
