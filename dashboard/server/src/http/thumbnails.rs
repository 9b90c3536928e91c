//! `/api/frontend/vehicles/{vin}/media/{id}/thumbnail`: small pictures of photos and clips, for lists.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bugbrother_wire::{MediaId, Vin, api::Right};

use super::{
    App,
    caller::{Access, Caller},
    failure::Failure,
    form::{PathIds, nothing_there},
    routes::Routes,
    uploads::{file_of, library},
};
use crate::library::Library;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/vehicles/{vin}/media/{id}/thumbnail", Access::May(Right::Watch), fetch)
        .says("The small picture of a photo as a JPEG, where the list of photos and clips names it");
}

async fn fetch(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, id): PathIds<Vin, MediaId>,
) -> Result<Response, Failure> {
    let file = file_of(&app, &caller, vin, id).await?;
    let bytes = file.thumb_bytes.filter(|bytes| *bytes > 0).ok_or_else(nothing_there)?;
    let body = library(&app)?.read(&Library::thumb_key(&file.object_key), 0..bytes).await?;
    let body = body.ok_or_else(|| Failure::not_found("the file is not in this server's store"))?;
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400, immutable"));
    Ok(response)
}
