use serde::{Deserialize, Serialize};

use crate::{Epoch, Seq, UnixMs, Vin};

/// `up/status`: whether the vehicle is connected. Retained; `offline` is also the will.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// The outbox that is in use: a will of an older agent is told from the present one's word by it and by `since`.
    pub epoch: Epoch,
    /// The state.
    pub status: Presence,
    /// When the connection that says so was begun, by the vehicle's clock.
    pub since: UnixMs,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a vehicle can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Connected.
    Online,
    /// Disconnected on purpose, to spare the car's battery.
    Asleep,
    /// Not connected.
    Offline,
}

/// `down/ack`: what of an outbox the fleet's database has. Retained.
///
/// The agent deletes what is named here and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ack {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// The outbox.
    pub epoch: Epoch,
    /// Every record up to here, this one included, is committed. 0: none.
    pub seq: Seq,
    /// Committed records above `seq`, as inclusive ranges in rising order: live data overtakes what is sent late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<(Seq, Seq)>,
    /// Identity of the database. Another one, or a lower `seq`, means a fail-over to a copy that lagged behind.
    pub store: String,
}
