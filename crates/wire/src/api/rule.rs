//! Rules by which alerts are raised, and their trial on history.

use serde::{Deserialize, Serialize};

use crate::{
    UnixMs, Vin,
    message::{AlertCause, Severity},
    rule::{Condition, Scope},
};

/// `GET /api/frontend/rules`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleList {
    /// In the order of their identities.
    pub rules: Vec<RuleEntry>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleEntry {
    /// Its identity, such as `fast`: 1 to 40 of `a-z`, `0-9` and `-`.
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub rule: RuleEdit,
}

/// `PUT /api/frontend/rules/{id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleEdit {
    /// What is the matter when it holds, for a person: the title of its alerts. Up to 80 characters.
    pub title: String,
    /// How bad that is.
    pub severity: Severity,
    /// Whether it is looked at.
    pub enabled: bool,
    /// Which vehicles it is about.
    #[serde(default, skip_serializing_if = "Scope::is_all")]
    pub scope: Scope,
    /// What it looks at.
    pub condition: Condition,
    /// Whether its alerts are to have a film of the moment: a vehicle that makes none by itself is asked for one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub film: bool,
}

/// `POST /api/frontend/rules/trial`: would a rule have raised alerts?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrialOrder {
    /// What the rule looks at. Of silence together with something else, the books, the lamp and self tests there is no history.
    pub condition: Condition,
    /// Which vehicles it is about.
    #[serde(default, skip_serializing_if = "Scope::is_all")]
    pub scope: Scope,
    /// Beginning of the span, in milliseconds since 1970, inclusive.
    pub from: UnixMs,
    /// Its end, inclusive; at most 31 days later.
    pub to: UnixMs,
    /// One vehicle; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vin: Option<Vin>,
    /// Goes on after this vehicle: `next` of the answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vin>,
}

/// A part of a trial: as many vehicles as could be looked at in a few seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrialReport {
    /// When and where it would have raised an alert, vehicle by vehicle, oldest first; the first 200 of this part.
    pub firings: Vec<TrialFiring>,
    /// How often it would have.
    pub fired: u64,
    /// Vehicles that were looked at.
    pub vehicles: u32,
    /// Samples that were looked at.
    pub samples: u64,
    /// A vehicle has so many samples that only those before this moment could be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short_at: Option<UnixMs>,
    /// Give it as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Vin>,
}

/// Once that a rule would have raised an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrialFiring {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// When its cause began.
    pub opened: UnixMs,
    /// When its cause ended, where that is known.
    pub resolved: Option<UnixMs>,
    /// The worst value; a silence has none.
    pub worst: Option<f64>,
    /// The signal that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// What it is measured against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// What else is to be said of its cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<AlertCause>,
    /// How often its cause came back, at least 1.
    pub count: u32,
    /// Where the vehicle was: latitude and longitude in degrees.
    pub position: Option<(f64, f64)>,
    /// Name of that place.
    pub place: Option<String>,
}
