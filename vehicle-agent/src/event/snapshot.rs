//! What must outlive the agent, so that a restart is neither a crossing nor a start of the engine.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

/// Version of [`Snapshot`].
pub const VERSION: u8 = 1;

/// What the detectors know. It holds a position and stays in the vehicle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// [`VERSION`]; another one is not taken.
    pub v: u8,
    /// When it was.
    pub ts: UnixMs,
    /// Whether the ignition is on.
    pub ignition: Option<bool>,
    /// Whether control units have ever answered.
    pub answered: bool,
    /// Latitude and longitude at which it was parked.
    pub anchor: Option<(f64, f64)>,
    /// Whether it was told that it is towed.
    pub towed: bool,
    /// Whether it was told that the battery is low.
    pub battery_told: bool,
    /// Whether it was told that the battery is not charged.
    pub charging_told: bool,
    /// Areas of which it is known.
    pub fences: Vec<Known>,
}

/// What is known of an area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The area's identity.
    pub id: String,
    /// Stands for its shape: of one that was moved nothing is known.
    pub shape: u64,
    /// Whether the vehicle is inside.
    pub inside: bool,
}
