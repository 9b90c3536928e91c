//! What lies under the vehicles on the map.

use serde::{Deserialize, Serialize};

/// `GET /api/frontend/map`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MapSettings {
    /// Tiles over the built-in map, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiles: Option<TileLayer>,
}

/// Pictures in web mercator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TileLayer {
    /// Address of a tile, with `{z}`, `{x}` and `{y}`.
    pub url: String,
    /// Whom to thank, as plain text.
    pub attribution: String,
    /// The coarsest zoom that there is.
    pub min_zoom: u8,
    /// The finest; from there on tiles are enlarged.
    pub max_zoom: u8,
}
