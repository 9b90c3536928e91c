//! Clients: whom the fleet serves.

use serde::{Deserialize, Serialize};

use super::{ContractSummary, NamedVehicle};
use crate::{ClientId, UnixMs};

/// `POST /api/frontend/clients` and `PUT /api/frontend/clients/{id}`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientForm {
    /// What it is called: 1 to 120 characters.
    pub name: String,
    /// Whom to ask for.
    #[serde(default)]
    pub contact: Option<String>,
    /// Where to write.
    #[serde(default)]
    pub email: Option<String>,
    /// Where to call.
    #[serde(default)]
    pub phone: Option<String>,
    /// What else is worth knowing.
    #[serde(default)]
    pub note: Option<String>,
}

/// A client, with what runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientSummary {
    /// Its identity.
    pub id: ClientId,
    /// What people know of it.
    #[serde(flatten)]
    pub form: ClientForm,
    /// When it was added.
    pub created: UnixMs,
    /// Since when it is a client no more.
    #[serde(default)]
    pub archived: Option<UnixMs>,
    /// How many of its contracts run.
    pub contracts: u32,
    /// How many vehicles are in them.
    pub vehicles: u32,
}

/// `GET /api/frontend/clients`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientList {
    /// By name.
    pub clients: Vec<ClientSummary>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ClientId>,
}

/// `GET /api/frontend/clients/{id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientDetail {
    /// The client.
    pub client: ClientSummary,
    /// Its contracts, the latest to begin first; the first 100.
    pub contracts: Vec<ContractSummary>,
    /// The vehicles that it sees now, by VIN; the first 500.
    pub vehicles: Vec<NamedVehicle>,
    /// Who may sign in for it; the first 100.
    pub users: Vec<ClientUser>,
}

/// Somebody who may sign in for a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientUser {
    /// User name.
    pub name: String,
    /// What people call the user.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Whether the user may not sign in for now.
    pub disabled: bool,
}

/// A client by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NamedClient {
    /// Its identity.
    pub id: ClientId,
    /// What it is called.
    pub name: String,
}
