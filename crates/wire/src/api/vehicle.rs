//! Vehicles in lists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{UnixMs, Vin, message::Presence};

/// `GET /api/frontend/vehicles`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VehicleList {
    /// In the order of their VINs.
    pub vehicles: Vec<VehicleSummary>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A vehicle in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
