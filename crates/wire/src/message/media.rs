use serde::{Deserialize, Serialize};

use crate::{CameraId, Epoch, MediaId, Seq, UnixMs, Vin};

/// `up/media`: a step in the life of a photo or clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Media {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// The outbox.
    pub epoch: Epoch,
    /// Place in the outbox.
    pub seq: Seq,
    /// Its identity.
    pub id: MediaId,
    /// The camera.
    pub camera: CameraId,
    /// Photo or clip.
    pub kind: MediaKind,
    /// The step.
    pub state: MediaState,
    /// When the step was taken.
    pub at: UnixMs,
    /// First moment that is seen.
    pub from: UnixMs,
    /// Last moment that is seen.
    pub to: UnixMs,
    /// The event or command that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Size of the file, once it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 of the file in lower-case hexadecimal, once it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How a clip's pictures are coded, by RFC 6381, such as `avc1.42C01E`, once it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Why it failed or expired, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A JPEG.
    Photo,
    /// An MP4.
    Clip,
}

/// Life of a photo or clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MediaState {
    /// Asked for.
    Requested,
    /// Being recorded.
    Recording,
    /// Whole and playable in the vehicle.
    Ready,
    /// Whole and playable in the object store.
    Uploaded,
    /// Could not be made.
    Failed,
    /// Removed to make room before it was uploaded.
    Expired,
}
