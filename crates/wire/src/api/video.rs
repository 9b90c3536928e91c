//! Cameras, and what is said beside the pictures of a live stream.

use serde::{Deserialize, Serialize};

use crate::{CameraId, MediaId, Vin, message::Media};

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

/// What is filmed so long before an alert was opened belongs to it.
pub const FILM_BEFORE_MS: i64 = 30_000;
/// What begins so long after an alert was opened belongs to it.
pub const FILM_AFTER_MS: i64 = 15_000;

/// `GET /api/frontend/alerts/{id}/films`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertFilmList {
    /// What was seen when the alert was opened, oldest first, and after it what was asked for and is not begun; at most 32.
    pub films: Vec<AlertFilm>,
}

/// A photo or clip of the moment that an alert is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertFilm {
    /// The camera.
    pub camera: CameraId,
    /// How far it has come.
    pub state: FilmState,
    /// The photo or clip, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Box<Media>>,
    /// Whose small picture it has, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<MediaId>,
    /// Why it failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How far a film of an alert has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FilmState {
    /// The vehicle was asked for it.
    Wanted,
    /// It is being taken.
    Recording,
    /// The vehicle has it.
    OnItsWay,
    /// It can be looked at.
    Ready,
    /// It is no longer kept.
    Evicted,
    /// There is none.
    Failed,
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
