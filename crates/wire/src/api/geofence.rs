//! Areas that are watched.

use serde::{Deserialize, Serialize};

use crate::{UnixMs, message::Shape};

/// Most points of a polygon or a corridor.
pub const MAX_POINTS: usize = 200;

/// `GET /api/frontend/geofences`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GeofenceList {
    /// In the order in which they were made.
    pub geofences: Vec<GeofenceEntry>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An area that is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GeofenceEntry {
    /// Its identity (UUID).
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub geofence: GeofenceEdit,
    /// Name of its client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// When it was made.
    pub created: UnixMs,
    /// When it was changed last.
    pub updated: UnixMs,
}

/// `POST /api/frontend/geofences`, `PUT /api/frontend/geofences/{id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GeofenceEdit {
    /// What people call it, up to 80 characters.
    pub name: String,
    /// Where it is: at most 200 points, 10 m to 200 km across.
    pub shape: Shape,
    /// The client (UUID) that it concerns; the whole fleet without one.
    #[serde(default)]
    pub client: Option<String>,
    /// How it is drawn, such as `#e66100`.
    #[serde(default)]
    pub colour: Option<String>,
}
