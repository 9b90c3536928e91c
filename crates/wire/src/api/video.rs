//! Cameras, and what is said beside the pictures of a live stream.

use serde::{Deserialize, Serialize};

use crate::{CameraId, Vin};

/// `GET /api/frontend/vehicles/{vin}/cameras`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CameraList {
    /// As the vehicle told them.
    pub cameras: Vec<CameraEntry>,
}

/// A camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CameraEntry {
    /// Its name in the vehicle.
    pub id: CameraId,
    /// What people call it.
    pub label: String,
}

/// `GET /api/frontend/cameras`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WallList {
    /// Vehicles with cameras, by VIN.
    pub vehicles: Vec<WallEntry>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Vin>,
}

/// A vehicle with cameras.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WallEntry {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Its cameras.
    pub cameras: Vec<CameraEntry>,
}

/// A text on the WebSocket `/video/{vin}/{camera}`, as JSON; the pictures are [`crate::video::Piece`]s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "word")]
pub enum StreamWord {
    /// The vehicle was asked, and no picture has come yet.
    Waiting,
    /// Pictures come.
    Live,
    /// None come.
    Gone {
        /// Why.
        why: String,
    },
    /// The viewer was too slow: pictures were left out, up to one where a decoder can start.
    Missed {
        /// How many.
        pictures: u64,
    },
}
