//! Commands to vehicles, and what these are to send.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CommandId, UnixMs, message::Argument};

/// `POST /api/frontend/vehicles/{vin}/commands`. Sent twice with the same id it is one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewCommand {
    /// Made by whoever gives it, at random or by time (UUIDv4 or v7).
    pub id: CommandId,
    /// `read_dtcs`, `clear_dtcs`, `resync`, `set_rates`, `privacy`, `restart`, `send_log`, `photo`, `clip`, `stream_start` or
    /// `stream_stop`.
    pub name: String,
    /// How: `confirm` (text) for `clear_dtcs`, `on` (yes or no) for `privacy`, `lines` for `send_log`, an interval in ms for
    /// each signal of `set_rates`, `camera` for all that is about one, `before_s` (0 to 30), `after_s` (0 to 60) and `at`
    /// (the moment that both are counted from, in ms since 1970; of the last 42 s) for `clip`, `seconds` (5 to 600) for
    /// `stream_start`.
    #[serde(default)]
    pub arguments: BTreeMap<String, Argument>,
    /// For how long it waits for a vehicle that is out of reach, in seconds, 10 to 604,800; ten minutes without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u32>,
}

/// `GET /api/frontend/vehicles/{vin}/commands`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandList {
    /// Newest first.
    pub commands: Vec<CommandEntry>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A command, and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandEntry {
    /// Its identity.
    pub id: CommandId,
    /// What to do.
    pub name: String,
    /// How.
    pub arguments: BTreeMap<String, Argument>,
    /// When it was given.
    pub issued: UnixMs,
    /// From when on it is not carried out any more.
    pub expires: UnixMs,
    /// Who gave it.
    pub by: String,
    /// How far it has come.
    pub state: CommandProgress,
    /// Since when.
    pub state_ts: UnixMs,
    /// Result or reason, in the vehicle's words.
    pub detail: Option<String>,
    /// What programs can use of the result.
    #[serde(default)]
    pub result: BTreeMap<String, Argument>,
    /// A longer text that was asked for.
    pub text: Option<String>,
}

/// Life of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CommandProgress {
    /// The vehicle has not replied.
    Issued,
    /// Understood and permitted.
    Accepted,
    /// Being carried out.
    Running,
    /// Carried out.
    Done,
    /// Could not be carried out.
    Failed,
    /// Came too late, or the vehicle did not come back in time.
    Expired,
    /// Not permitted, or not known.
    Denied,
}

impl CommandProgress {
    /// Whether it stays as it is.
    pub fn is_end(self) -> bool {
        !matches!(self, CommandProgress::Issued | CommandProgress::Accepted | CommandProgress::Running)
    }
}

/// `PUT /api/frontend/vehicles/{vin}/wishes`: what a vehicle is wanted to send.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WishesEdit {
    /// Signal key → wanted interval in milliseconds, 50 to 3,600,000.
    #[serde(default)]
    pub periods_ms: BTreeMap<String, u32>,
    /// Event threshold → value, such as `harsh_braking` → 3.5 (m/s²).
    #[serde(default)]
    pub thresholds: BTreeMap<String, f64>,
    /// Neither position nor pictures leave the vehicle.
    #[serde(default)]
    pub privacy: bool,
    /// Whether the driver may switch privacy on and off in the car.
    #[serde(default)]
    pub driver_privacy: bool,
    /// Most bytes to send in a day (UTC); no limit without it.
    #[serde(default)]
    pub daily_bytes: Option<u64>,
}

/// `GET /api/frontend/vehicles/{vin}/wishes`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WishesState {
    /// What is wanted.
    pub wishes: WishesEdit,
    /// What the vehicle was told last has this number; 0 when it was told nothing.
    pub revision: u64,
    /// Geofences that it was told to watch.
    pub geofences: usize,
    /// When that was changed last.
    pub updated: Option<UnixMs>,
    /// By whom, if a person did.
    pub updated_by: Option<String>,
}
