use serde::{Deserialize, Serialize};

use crate::{CameraId, Epoch, UnixMs, Vin};

/// `up/birth`: what an agent says of itself when it connects. Retained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Birth {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// Where the VIN came from.
    pub vin_source: VinSource,
    /// The outbox that is in use.
    pub epoch: Epoch,
    /// The agent's version, such as `0.1.0`.
    pub agent: String,
    /// When the agent was started.
    pub started: UnixMs,
    /// What it will send.
    #[serde(default)]
    pub signals: Vec<SignalDeclaration>,
    /// The cameras that it has.
    #[serde(default)]
    pub cameras: Vec<CameraDeclaration>,
    /// What the car itself said over OBD-II, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub car: Option<CarDeclaration>,
}

/// Where an agent has its VIN from. Many cars before 2008 do not tell theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VinSource {
    /// OBD-II, mode 09 PID 02.
    Obd,
    /// The agent's configuration.
    Configured,
}

/// A signal that the agent will send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignalDeclaration {
    /// Short key, the column name in telemetry.
    pub key: String,
    /// COVESA VSS path, where VSS has the signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vss: Option<String>,
    /// Unit, as VSS names it.
    pub unit: String,
    /// Wanted interval between two values.
    pub period_ms: u32,
}

/// What a car says of itself over OBD-II.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CarDeclaration {
    /// Protocol of its diagnostic bus, such as `ISO 15765-4 (CAN 11/500)`.
    pub protocol: String,
    /// What the adapter calls itself, such as `ELM327 v1.5`.
    pub adapter: String,
    /// Its control units, those that answered.
    #[serde(default)]
    pub ecus: Vec<EcuDeclaration>,
}

/// A control unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EcuDeclaration {
    /// Its address, such as `7E8`; empty where the adapter does not tell.
    pub ecu: String,
    /// Its name (mode 09 PID 0A), such as `ECM-EngineControl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Identities of its software (mode 09 PID 04).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibrations: Vec<String>,
    /// Verification numbers of its software (mode 09 PID 06), eight hexadecimal digits each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verifications: Vec<String>,
}

/// A camera in the vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CameraDeclaration {
    /// Its name in the vehicle.
    pub id: CameraId,
    /// What people call it.
    pub label: String,
}
