use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CommandId, Epoch, Seq, UnixMs, Vin};

/// `down/command`: something that the vehicle is to do once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Command {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// Its identity: an agent carries out an id once.
    pub id: CommandId,
    /// What to do, such as `clear_dtcs`.
    pub name: String,
    /// How.
    #[serde(default)]
    pub arguments: BTreeMap<String, Argument>,
    /// When it was given.
    pub issued: UnixMs,
    /// From when on it is not to be carried out any more.
    pub expires: UnixMs,
    /// Who gave it.
    pub by: String,
}

/// What a camera's last seconds hold: `at` of the command `clip` is no longer ago.
pub const HELD_MS: i64 = 42_000;

/// A value given with a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Argument {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
}

/// `up/reply`: what became of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reply {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// The outbox.
    pub epoch: Epoch,
    /// Place in the outbox.
    pub seq: Seq,
    /// The command.
    pub command: CommandId,
    /// How far it has come.
    pub state: ReplyState,
    /// When.
    pub at: UnixMs,
    /// Result or reason, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What programs can use of the result, such as the word that confirms a command of two steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub result: BTreeMap<String, Argument>,
    /// A longer text that was asked for, such as the log: at most 32 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Life of a command in the vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplyState {
    /// Understood and permitted.
    Accepted,
    /// Being carried out.
    Running,
    /// Carried out.
    Done,
    /// Could not be carried out.
    Failed,
    /// Came too late.
    Expired,
    /// Not permitted, or not known.
    Denied,
}

/// `down/config`: what the vehicle is wanted to send. Retained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// Rises with every change.
    pub revision: u64,
    /// Signal key → wanted interval in milliseconds.
    #[serde(default)]
    pub periods_ms: BTreeMap<String, u32>,
    /// Event threshold → value, such as `harsh_braking` → 3.5 (m/s²).
    #[serde(default)]
    pub thresholds: BTreeMap<String, f64>,
    /// Areas to watch in the vehicle.
    #[serde(default)]
    pub geofences: Vec<Geofence>,
    /// Neither position nor pictures leave the vehicle.
    #[serde(default)]
    pub privacy: bool,
    /// Whether the driver may switch privacy on and off by the button in the car.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub driver_privacy: bool,
    /// Most bytes to send in a day (UTC); without it there is no limit. Positions are thinned last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_bytes: Option<u64>,
}

/// An area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Geofence {
    /// Its identity.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub shape: Shape,
}

/// Shape of an area; positions are `(latitude, longitude)` in degrees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Within `radius_m` of a point.
    Circle {
        /// The middle.
        centre: (f64, f64),
        /// In metres.
        radius_m: f64,
    },
    /// Inside a ring, which closes itself.
    Polygon(Vec<(f64, f64)>),
    /// Within `width_m` of a line.
    Corridor {
        /// The line.
        line: Vec<(f64, f64)>,
        /// In metres, to either side.
        width_m: f64,
    },
}
