//! Cameras, and what is said beside the pictures of a live stream.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CameraId, MediaId, UnixMs, Vin, message::Media};

/// `GET /api/frontend/vehicles/{vin}/cameras`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CameraList {
    /// As the vehicle told them, and those that the server reaches by itself.
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
    /// Whether the server reaches it by itself: no vehicle is asked then, and films are made here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reached: bool,
    /// Its last picture of the last 31 days, where there is a small one, in the list of one vehicle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still: Option<CameraStill>,
}

/// What a camera saw last, as a small picture: `…/media/{id}/thumbnail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CameraStill {
    /// The photo.
    pub id: MediaId,
    /// When it was taken.
    pub at: UnixMs,
}

/// `GET /api/frontend/vehicles/{vin}/eyes`: cameras that the server reaches by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EyeList {
    /// By name.
    pub eyes: Vec<EyeEntry>,
}

/// A camera that the server reaches by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EyeEntry {
    /// As it was filled in, without its password.
    #[serde(flatten)]
    pub form: EyeForm,
    /// Whether a password goes with the user name.
    pub has_password: bool,
    /// Who added it.
    pub by: String,
    /// When.
    pub created: UnixMs,
}

/// `POST /api/frontend/vehicles/{vin}/eyes`, and `PUT` below it
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EyeForm {
    /// Its name among the vehicle's cameras, 1 to 32 of a-z, 0-9 and -; it stays.
    pub camera: String,
    /// What people call it.
    pub label: String,
    /// Where it is: `rtsp://` without user name and password.
    pub url: String,
    /// Where its smaller stream is, for walls of many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_url: Option<String>,
    /// Where it gives photos: `http://` without user name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// How its pictures come.
    #[serde(default)]
    pub transport: EyeTransport,
    /// User name, where it wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password; absent it stays as it is. It is never given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Whether it is used.
    pub enabled: bool,
}

/// Without its password.
impl fmt::Debug for EyeForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EyeForm").field("camera", &self.camera).field("url", &self.url).finish_non_exhaustive()
    }
}

/// How a camera's pictures come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EyeTransport {
    /// Through the RTSP connection.
    #[default]
    Tcp,
    /// In datagrams: for cameras in networks that are allowed by name alone.
    Udp,
}

/// `POST /api/frontend/vehicles/{vin}/eyes/test`: what a camera answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EyeReport {
    /// How its pictures are coded, such as `H.264`; absent when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Pixels across.
    #[serde(default)]
    pub width: u32,
    /// Pixels down.
    #[serde(default)]
    pub height: u32,
    /// Whether browsers play it.
    #[serde(default)]
    pub plays: bool,
    /// Why no picture came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// `POST /api/frontend/vehicles/{vin}/cameras/{camera}/clip` and `…/photo`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptMedia {
    /// What was put into the library.
    pub id: MediaId,
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
