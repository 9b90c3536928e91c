//! Signing in, and what one may do.

use serde::{Deserialize, Serialize};

use crate::UnixMs;

/// `POST /api/frontend/session`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignIn {
    /// User name.
    pub name: String,
    /// Password.
    pub password: String,
}

/// Answer to signing in, and `GET /api/frontend/session`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// User name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// What that is, a right each.
    #[serde(default)]
    pub rights: Vec<Right>,
    /// When the session ends.
    pub expires: UnixMs,
    /// Bearer token for programs. Browsers use the cookie that is set beside it and are not given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Watch the fleet and see to alerts.
    Operator,
    /// Watch the vehicles of the own running contracts.
    Client,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 3] = [Role::Administrator, Role::Operator, Role::Client];

    /// What the role permits.
    pub fn rights(self) -> &'static [Right] {
        match self {
            Role::Administrator => &Right::ALL,
            Role::Operator => &[Right::Watch, Right::HandleAlerts, Right::Command, Right::Geofences, Right::Export],
            Role::Client => &[Right::Watch],
        }
    }
}

/// Something that one may do. Whoever signs in for a client may do it with the vehicles of its running contracts alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// See vehicles, their past, and alerts.
    Watch,
    /// Acknowledge, comment and assign alerts.
    HandleAlerts,
    /// Give commands to vehicles and say what they are to send.
    Command,
    /// Add, change and archive vehicles, and give out enrolment codes.
    Vehicles,
    /// See and change clients and contracts.
    Clients,
    /// Change the rules by which alerts are raised.
    Rules,
    /// Change areas that are watched.
    Geofences,
    /// See and change users.
    Users,
    /// Change how the fleet is run, and see how the system is.
    Settings,
    /// Take data away as files.
    Export,
    /// Erase people's and vehicles' data for good.
    Erase,
    /// Read the audit log.
    Audit,
}

impl Right {
    /// All rights.
    pub const ALL: [Right; 12] = [
        Right::Watch,
        Right::HandleAlerts,
        Right::Command,
        Right::Vehicles,
        Right::Clients,
        Right::Rules,
        Right::Geofences,
        Right::Users,
        Right::Settings,
        Right::Export,
        Right::Erase,
        Right::Audit,
    ];
}
