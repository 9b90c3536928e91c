//! `/api/frontend/map` and `/tiles`: what lies under the vehicles.

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bugbrother_wire::api::{MapSettings, Right, TileLayer};

use super::{App, caller::Access, failure::Failure, routes::Routes};
use crate::tiles::{Source, tile};

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let watch = Access::May(Right::Watch);
    routes.get("/frontend/map", watch, show).says("What lies under the vehicles on the map").gives::<MapSettings>();
    routes.get("/frontend/tiles/{z}/{x}/{y}", watch, picture).says("A tile of the server's own archive, a picture");
}

async fn show(State(app): State<App>) -> Json<MapSettings> {
    let tiles = app.config.tiles.as_ref().map(|tiles| {
        let (url, zooms) = match &tiles.source {
            Source::Server { url, .. } => (url.clone(), (0, 19)),
            Source::Archive { zooms, .. } => ("/api/frontend/tiles/{z}/{x}/{y}".to_owned(), *zooms),
        };
        TileLayer { url, attribution: tiles.attribution.clone(), min_zoom: zooms.0, max_zoom: zooms.1 }
    });
    Json(MapSettings { tiles })
}

async fn picture(
    State(app): State<App>,
    place: Result<Path<(u8, u32, u32)>, axum::extract::rejection::PathRejection>,
) -> Result<Response, Failure> {
    let Path(place) =
        place.map_err(|refused| Failure::new(StatusCode::BAD_REQUEST, "invalid_tile", refused.body_text()))?;
    let nothing = || Failure::not_found("there is no such tile");
    let Some(Source::Archive { reader, mime, .. }) = app.config.tiles.as_ref().map(|tiles| &tiles.source) else {
        return Err(nothing());
    };
    let found = tile(reader, place).await;
    let bytes = found.map_err(|error| Failure::internal(&error, "the tile cannot be read"))?.ok_or_else(nothing)?;
    let keep = "private, max-age=86400";
    Ok(([(header::CONTENT_TYPE, *mime), (header::CACHE_CONTROL, keep)], bytes).into_response())
}
