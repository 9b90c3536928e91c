use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Epoch, EventId, Seq, UnixMs, Vin};

/// `up/event`: something happened in the vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// The outbox.
    pub epoch: Epoch,
    /// Place in the outbox.
    pub seq: Seq,
    /// Its identity.
    pub id: EventId,
    /// When it happened.
    pub at: UnixMs,
    /// What.
    pub kind: EventKind,
    /// Latitude in degrees, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    /// Longitude in degrees, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    /// Signal key → value at that moment.
    #[serde(default)]
    pub values: BTreeMap<String, f64>,
    /// More, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Ignition switched on.
    IgnitionOn,
    /// Ignition switched off.
    IgnitionOff,
    /// Braked harder than the threshold.
    HarshBraking,
    /// Accelerated harder than the threshold.
    HarshAcceleration,
    /// Cornered harder than the threshold.
    HarshCornering,
    /// A crash, as far as the sensors tell.
    Crash,
    /// Moved with the ignition off.
    Tow,
    /// Stood with the engine running for too long.
    Idling,
    /// The car's battery is low.
    LowBattery,
    /// The OBD adapter is gone.
    AdapterUnplugged,
    /// The OBD adapter is back.
    AdapterPlugged,
    /// The GNSS receiver is gone or silent.
    ReceiverLost,
    /// The GNSS receiver is back.
    ReceiverFound,
    /// A camera is gone.
    CameraUnplugged,
    /// A camera is back.
    CameraPlugged,
    /// The disk in the vehicle is nearly full.
    LowDisk,
    /// The outbox was damaged and put aside: records may be lost.
    OutboxDamaged,
    /// Position and pictures stay in the vehicle from now on.
    PrivacyOn,
    /// Position and pictures leave the vehicle again.
    PrivacyOff,
    /// Entered a geofence.
    GeofenceEnter,
    /// Left a geofence.
    GeofenceLeave,
    /// The panic button was pressed.
    PanicButton,
    /// A door or another contact opened or closed.
    Contact,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}
