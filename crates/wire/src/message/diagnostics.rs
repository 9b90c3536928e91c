use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Epoch, Seq, UnixMs, Vin};

/// `up/diagnostics`: what the car says is wrong with it, the whole picture each time. Retained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diagnostics {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// The outbox.
    pub epoch: Epoch,
    /// Place in the outbox.
    pub seq: Seq,
    /// When it was read.
    pub at: UnixMs,
    /// Malfunction indicator lamp, where the car tells (mode 01 PID 01).
    #[serde(default)]
    pub mil: Option<bool>,
    /// Trouble codes (modes 03, 07 and 0A).
    #[serde(default)]
    pub dtcs: Vec<Dtc>,
    /// Readiness monitors (mode 01 PID 01).
    #[serde(default)]
    pub monitors: Vec<Monitor>,
    /// Values at the moment a code was stored (mode 02).
    #[serde(default)]
    pub freeze_frame: Option<FreezeFrame>,
}

/// A diagnostic trouble code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dtc {
    /// SAE J2012: `P0420`.
    pub code: String,
    /// How far it has come.
    pub status: DtcStatus,
    /// Address of the ECU that tells, such as `7E8`, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecu: Option<String>,
}

/// Life of a trouble code in the ECU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DtcStatus {
    /// Seen in this or the last drive cycle (mode 07).
    Pending,
    /// Confirmed; may light the lamp (mode 03).
    Stored,
    /// Cannot be cleared by a tool (mode 0A).
    Permanent,
}

/// A self test that the car runs over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Monitor {
    /// Name as in SAE J1979, such as `catalyst`.
    pub name: String,
    /// Whether it has run to its end since codes were cleared.
    pub complete: bool,
}

/// Values at the moment a code was stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FreezeFrame {
    /// The code that caused it.
    pub code: String,
    /// Signal key → value.
    pub values: BTreeMap<String, f64>,
    /// Address of the ECU that keeps it, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecu: Option<String>,
}
