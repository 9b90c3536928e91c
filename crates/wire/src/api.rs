//! Bodies of the dashboard's HTTP API, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    UnixMs, Vin,
    message::{Alert, Presence},
};

/// `POST /api/frontend/session`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignIn {
    /// User name.
    pub name: String,
    /// Password.
    pub password: String,
}

/// Answer to signing in, and `GET /api/frontend/session`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// User name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// When the session ends.
    pub expires: UnixMs,
    /// Bearer token for programs. Browsers use the cookie that is set beside it and are not given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Watch the fleet and see to alerts.
    Operator,
    /// Watch the vehicles of the own running contracts.
    Client,
}

/// Every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiError {
    /// One word that a program can tell it by, such as `token_expired`.
    pub error: String,
    /// What is wrong and what to do, for a person.
    pub message: String,
}

/// `GET /api/frontend/vehicles`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VehicleList {
    /// In the order of their VINs.
    pub vehicles: Vec<VehicleSummary>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A vehicle in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VehicleSummary {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    #[serde(default)]
    pub plate: Option<String>,
    /// Maker, where the VIN tells.
    #[serde(default)]
    pub maker: Option<String>,
    /// Whether it is connected.
    pub presence: Presence,
    /// Newest `source_ts`; 0 before the first value.
    pub source_ts: UnixMs,
    /// When the server got it; 0 before the first value.
    pub received_ts: UnixMs,
    /// Signal key → last value.
    pub values: BTreeMap<String, f64>,
}

/// `GET /api/frontend/alerts`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertList {
    /// Newest first.
    pub alerts: Vec<Alert>,
}

/// `GET /healthz`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Whether all is well.
    pub ok: bool,
    /// Part → what is wrong with it, or `ok`.
    pub parts: BTreeMap<String, String>,
}
