//! Contracts, the vehicles in them, and their documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ClientId, ContractId, DocumentId, UnixMs, Vin};

/// So long before its end a contract ends soon.
pub const ENDS_SOON_MS: i64 = 60 * 24 * 60 * 60 * 1000;

/// `POST /api/frontend/contracts` and `PUT /api/frontend/contracts/{id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContractForm {
    /// With whom. It stays as it is when a contract is changed.
    pub client: ClientId,
    /// What it is called: 1 to 120 characters.
    pub title: String,
    /// When it begins.
    pub starts: UnixMs,
    /// When it ends, if that is known: the first moment after it.
    #[serde(default)]
    pub ends: Option<UnixMs>,
    /// For so many days its vehicles' data is to be kept; without it the fleet's settings count.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// The same for photos and clips.
    #[serde(default)]
    pub media_retention_days: Option<u32>,
    /// Whether the client may see what the cameras see.
    #[serde(default)]
    pub video: bool,
    /// Whatever else was agreed on: up to 30 names and values.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// What else is worth knowing.
    #[serde(default)]
    pub note: Option<String>,
}

/// What a contract has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContractState {
    /// It is to begin.
    Coming,
    /// It runs.
    Running,
    /// It runs, and ends within 60 days.
    Ending,
    /// It has ended.
    Ended,
}

impl ContractState {
    /// Of a contract at a moment.
    pub fn of(starts: UnixMs, ends: Option<UnixMs>, now: UnixMs) -> Self {
        match ends {
            Some(ends) if ends <= now => ContractState::Ended,
            _ if starts > now => ContractState::Coming,
            Some(ends) if ends - now <= ENDS_SOON_MS => ContractState::Ending,
            _ => ContractState::Running,
        }
    }
}

/// A contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContractSummary {
    /// Its identity.
    pub id: ContractId,
    /// What was agreed on.
    #[serde(flatten)]
    pub form: ContractForm,
    /// Name of the client.
    pub client_name: String,
    /// What it has come to.
    pub state: ContractState,
    /// How many vehicles are in it now.
    pub vehicles: u32,
}

/// `GET /api/frontend/contracts`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContractList {
    /// In the order of what was asked for.
    pub contracts: Vec<ContractSummary>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /api/frontend/contracts/{id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContractDetail {
    /// The contract.
    pub contract: ContractSummary,
    /// Vehicles that are and were in it, by VIN and beginning; the first 1,000.
    pub vehicles: Vec<ContractVehicle>,
    /// Its documents, the oldest first; at most 100.
    pub documents: Vec<ContractDocument>,
}

/// A vehicle in a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContractVehicle {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    #[serde(default)]
    pub plate: Option<String>,
    /// Since when it is in the contract.
    pub from: UnixMs,
    /// Until when, if that is known.
    #[serde(default)]
    pub to: Option<UnixMs>,
}

/// A document of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContractDocument {
    /// Its identity.
    pub id: DocumentId,
    /// Its file name.
    pub name: String,
    /// What it is, such as `application/pdf`.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// When it was added.
    pub created: UnixMs,
}

/// `POST /api/frontend/contracts/{id}/vehicles`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Assign {
    /// The vehicles: up to 500, which must be known.
    pub vins: Vec<Vin>,
    /// From when on; from now on without it.
    #[serde(default)]
    pub from: Option<UnixMs>,
}

/// `POST /api/frontend/contracts/{id}/vehicles/{vin}/release`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Release {
    /// From when on it is out; from now on without it.
    #[serde(default)]
    pub at: Option<UnixMs>,
}
