//! Signing in, and what one may do.

use serde::{Deserialize, Serialize};

use crate::{SessionId, UnixMs};

/// `POST /api/frontend/session`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignIn {
    /// User name.
    pub name: String,
    /// Password.
    pub password: String,
    /// Code of the second factor, or a recovery code. Where one is needed and none is given, the answer is 401
    /// `second_factor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Answer to signing in and to `POST /api/frontend/session/refresh`, and `GET /api/frontend/session`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// User name.
    pub name: String,
    /// What people call the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What the user may do.
    pub role: Role,
    /// What that is, a right each.
    #[serde(default)]
    pub rights: Vec<Right>,
    /// Until when the access token is good; a refresh makes another.
    pub expires: UnixMs,
    /// When the session ends, if it is not refreshed.
    #[serde(default)]
    pub ends: UnixMs,
    /// Bearer token for programs. Browsers use the cookie that is set beside it and are not given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// For programs: what the next access token is had by, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// `POST /api/frontend/session/refresh`. Browsers send nothing but their cookie.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefreshSession {
    /// The refresh token that was given last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// `GET /api/frontend/sessions`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionList {
    /// Those that were used lately come first.
    pub sessions: Vec<OpenSession>,
}

/// A session that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenSession {
    /// Its identity.
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// Whether a program signed in, and not a browser.
    pub program: bool,
    /// Browser or program, where it tells: `Firefox`.
    #[serde(default)]
    pub browser: Option<String>,
    /// System, where it tells: `Android`.
    #[serde(default)]
    pub system: Option<String>,
    /// Address from which it was used last.
    #[serde(default)]
    pub address: Option<String>,
    /// When it began.
    pub created: UnixMs,
    /// When it was last refreshed.
    pub used: UnixMs,
    /// When it ends, if it is not used.
    pub expires: UnixMs,
}

/// `POST /api/frontend/tickets`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TicketWish {
    /// What it is to open.
    #[serde(rename = "for")]
    pub purpose: Purpose,
}

/// What a ticket opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The live feed, `/live?ticket=…`.
    Live,
    /// A camera, `/video/{vin}/{camera}?ticket=…`.
    Video,
}

/// A ticket: good once, for half a minute, for what a browser opens without being able to say who asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ticket {
    /// The ticket.
    pub ticket: String,
    /// Until when it is good.
    pub expires: UnixMs,
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

/// `GET /api/frontend/servers`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Servers {
    /// The fleet's dashboards, each an origin, the preferred one first; empty where there is only this one.
    pub servers: Vec<String>,
    /// For [`Passage`] at another one, once and within ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage: Option<String>,
}

/// `POST /api/frontend/session/passage`
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Passage {
    /// What another dashboard of the fleet gave out.
    pub passage: String,
}

impl std::fmt::Debug for Passage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passage(..)")
    }
}
