//! `/api/embedded/media/{id}`: photos and clips from vehicles, and `/api/frontend/vehicles/{vin}/media/{id}/file`, where people
//! look at them.

use std::ops::Range;

use axum::{
    Json,
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use bugbrother_store::{MediaFile, Offered};
use bugbrother_wire::{
    MediaId, Vin,
    api::Right,
    codec::MAX_TEXT,
    embedded::{MAX_PIECE_BYTES, MediaOffer, MediaProgress},
    message::MediaKind,
};
use bytes::Bytes;
use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::{
    App,
    body::{Body as JsonBody, Params},
    caller::{Access, Caller},
    cameras::may_look,
    documents::attachment,
    failure::Failure,
    form::{Form, PathId, PathIds, nothing_there},
    routes::Routes,
    vehicle::Vehicle,
};
use crate::{
    clock,
    library::{Appended, Finished, Library, LibraryError},
};

/// Largest file.
const MAX_BYTES: u64 = 512 << 20;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct At {
    /// Where the piece belongs: how many bytes are there already.
    offset: u64,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct As {
    /// 1 to have it as a file to keep, instead of one to look at.
    #[serde(default)]
    download: Option<u8>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let (vehicle, watch) = (Access::Vehicle, Access::May(Right::Watch));
    routes
        .post("/embedded/media/{id}", vehicle, offer)
        .says("A vehicle offers a photo or clip; how much of it is there already")
        .takes::<MediaOffer>()
        .gives::<MediaProgress>();
    routes
        .patch("/embedded/media/{id}", vehicle, append)
        .says("The next piece of a file, up to 1 MiB, as the body; with another offset than the end it is answered with 409")
        .asks::<At>()
        .gives::<MediaProgress>();
    routes.get("/embedded/media/{id}", vehicle, progress).says("How far an upload has come").gives::<MediaProgress>();
    routes
        .get("/frontend/vehicles/{vin}/media/{id}/file", watch, fetch)
        .says("A photo or clip as a file, or a part of it (Range); a download may be sent on to the object store (307)")
        .asks::<As>();
}

async fn offer(
    State(app): State<App>,
    Vehicle(holder): Vehicle,
    PathId(id): PathId<MediaId>,
    JsonBody(offer): JsonBody<MediaOffer>,
) -> Result<Json<MediaProgress>, Failure> {
    let library = library(&app)?;
    check(&offer)?;
    let MediaOffer { camera, kind, bytes, sha256, from, to, cause } = offer;
    if bytes > MAX_BYTES {
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "media_size", "a photo or clip has up to 512 MiB"));
    }
    let vin = holder.vin;
    let file = MediaFile {
        vin,
        id,
        camera,
        kind,
        bytes,
        sha256,
        object_key: Library::key(vin, id, kind),
        cause,
        from,
        to,
        offered: clock::now(),
        stored: None,
        gone: None,
        thumb_bytes: None,
    };
    match app.room.offer(&app.config.store, &library, &file).await? {
        Offered::Known(known) if known.stored.is_some() => Ok(Json(MediaProgress { offset: bytes, stored: true })),
        Offered::Known(_) | Offered::New => Ok(Json(here(&library, vin, id).await?)),
        Offered::Other => {
            let known = app.config.store.media_file(vin, id).await?;
            if known.is_some_and(|known| known.stored.is_some()) {
                let message = "another file is stored under that identity; make a new one";
                return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "id_is_taken", message));
            }
            library.forget(vin, id).await?;
            Ok(Json(MediaProgress { offset: 0, stored: false }))
        }
        Offered::Full => Err(full()),
        Offered::TooMany => Err(too_many()),
    }
}

/// There is no room.
pub(super) fn full() -> Failure {
    metrics::counter!("bugbrother_dashboard_media_refused_total", "reason" => "full").increment(1);
    Failure::new(StatusCode::INSUFFICIENT_STORAGE, "media_full", "there is no room for more media")
}

/// [`MAX_COMING`](crate::room::MAX_COMING) are coming.
pub(super) fn too_many() -> Failure {
    let message = "so many files of this vehicle are coming in already";
    Failure::too_many("too_many_uploads", message, std::time::Duration::from_secs(60))
}

fn check(offer: &MediaOffer) -> Result<(), Failure> {
    let mut form = Form::default();
    let is_hash = offer.sha256.len() == 64 && offer.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    form.check("sha256", is_hash, "64 lower-case hexadecimal digits");
    form.check("bytes", offer.bytes > 0, "more than none");
    form.check("cause", offer.cause.as_ref().is_none_or(|cause| cause.len() <= MAX_TEXT), "up to 1,024 bytes");
    let is_span = offer.from.zip(offer.to).is_none_or(|(from, to)| from <= to);
    form.check("to", is_span, "not before `from`");
    form.done()
}

async fn append(
    State(app): State<App>,
    Vehicle(holder): Vehicle,
    PathId(id): PathId<MediaId>,
    Params(At { offset }): Params<At>,
    request: Request,
) -> Result<Json<MediaProgress>, Failure> {
    let library = library(&app)?;
    let vin = holder.vin;
    let file = app.config.store.media_file(vin, id).await?.ok_or_else(nothing_there)?;
    if file.stored.is_some() {
        return Ok(Json(MediaProgress { offset: file.bytes, stored: true }));
    }
    let piece = receive(request.into_body(), file.bytes.saturating_sub(offset)).await?;
    let reached = match library.append(vin, id, offset, piece).await? {
        Appended::At(reached) => reached,
        Appended::Elsewhere(offset) if offset != file.bytes => {
            return Err(Failure::elsewhere("offset", offset));
        }
        // All of it is there, but it was not stored when it came: a server that was ended in between.
        Appended::Elsewhere(offset) => offset,
        Appended::Busy => {
            let message = "another piece of the same file is being written";
            return Err(Failure::too_many("busy", message, std::time::Duration::from_secs(2)));
        }
    };
    if reached < file.bytes {
        return Ok(Json(MediaProgress { offset: reached, stored: false }));
    }
    match library.finish(&file).await? {
        Finished::Stored => {}
        Finished::WrongHash => return Err(refused("wrong_hash", "its hash is another; it begins anew")),
        Finished::WrongKind => return Err(refused("wrong_kind", "it is no JPEG or MP4")),
    }
    app.config.store.store_media(vin, id, &file.sha256, clock::now()).await?;
    library.forget(vin, id).await?;
    metrics::counter!("bugbrother_dashboard_media_stored_total").increment(1);
    info!(%vin, media = %id, bytes = file.bytes, "photo or clip stored");
    if file.kind == MediaKind::Photo {
        app.darkroom.wake();
    }
    app.feed.change(|fleet| fleet.notice(vin, bugbrother_wire::live::News::Media));
    Ok(Json(MediaProgress { offset: file.bytes, stored: true }))
}

fn refused(word: &'static str, message: &str) -> Failure {
    metrics::counter!("bugbrother_dashboard_media_refused_total", "reason" => word).increment(1);
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, word, message)
}

/// The body of a piece, no longer than what is missing.
async fn receive(body: Body, missing: u64) -> Result<Vec<Bytes>, Failure> {
    let too_large = || {
        Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "piece_size",
            "a piece has up to 1 MiB, and no more than what is missing",
        )
    };
    let most = usize::try_from(missing).unwrap_or(usize::MAX).min(MAX_PIECE_BYTES);
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let (mut pieces, mut size) = (Vec::new(), 0);
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "body_cut", "the body broke off"))?;
        size += piece.len();
        if size > most {
            return Err(too_large());
        }
        pieces.push(piece);
    }
    Ok(pieces)
}

async fn progress(
    State(app): State<App>,
    Vehicle(holder): Vehicle,
    PathId(id): PathId<MediaId>,
) -> Result<Json<MediaProgress>, Failure> {
    let file = app.config.store.media_file(holder.vin, id).await?.ok_or_else(nothing_there)?;
    if file.stored.is_some() {
        return Ok(Json(MediaProgress { offset: file.bytes, stored: true }));
    }
    Ok(Json(here(&library(&app)?, holder.vin, id).await?))
}

async fn here(library: &Library, vin: Vin, id: MediaId) -> Result<MediaProgress, Failure> {
    Ok(MediaProgress { offset: library.offset(vin, id).await?, stored: false })
}

/// A file that is here, if the caller may see what the cameras of its vehicle see.
pub(super) async fn file_of(app: &App, caller: &Caller, vin: Vin, id: MediaId) -> Result<MediaFile, Failure> {
    caller.sees(app, vin).await?;
    if !may_look(app, caller, vin).await? {
        return Err(nothing_there());
    }
    let file = app.config.store.media_file(vin, id).await?;
    file.filter(MediaFile::is_here).ok_or_else(nothing_there)
}

async fn fetch(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, id): PathIds<Vin, MediaId>,
    Params(As { download }): Params<As>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let file = file_of(&app, &caller, vin, id).await?;
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = match asked.map(|asked| range_of(asked, file.bytes)) {
        None | Some(Asked::Ignore) => None,
        Some(Asked::Part(range)) => Some(range),
        Some(Asked::Nothing) => {
            let mut response =
                Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", "there is nothing in that range")
                    .into_response();
            let length = HeaderValue::from_str(&format!("bytes */{}", file.bytes));
            response.headers_mut().insert(header::CONTENT_RANGE, length.map_err(|_| nothing_there())?);
            return Ok(response);
        }
    };
    // A player asks for the rest piece by piece: who looks at it is noted once.
    if range.as_ref().is_none_or(|range| range.start == 0) {
        let detail = json!({ "media": id, "camera": file.camera, "kind": file.kind, "download": download == Some(1) });
        app.note(&caller, "media_viewed", Some(("vehicle", vin.as_str())), detail).await?;
    }
    if range.is_none() && download == Some(1) {
        let name = attachment(&file_name(&file));
        let link = library(&app)?.link(&file.object_key, name.to_str().unwrap_or("attachment")).await?;
        if let Some(link) = link {
            // The link is a key by itself, for two minutes: nobody is to keep it.
            return Ok(([(header::CACHE_CONTROL, "no-store")], Redirect::temporary(&link)).into_response());
        }
    }
    let wanted = range.clone().unwrap_or(0..file.bytes);
    let body = library(&app)?.read(&file.object_key, wanted.clone()).await?;
    let body = body.ok_or_else(|| Failure::not_found("the file is not in this server's store"))?;
    let kind = match file.kind {
        MediaKind::Photo => "image/jpeg",
        MediaKind::Clip => "video/mp4",
    };
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(wanted.end - wanted.start));
    // A file never changes, and is for who asked alone.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400, immutable"));
    if download == Some(1) {
        headers.insert(header::CONTENT_DISPOSITION, attachment(&file_name(&file)));
    }
    if let Some(Range { start, end }) = range {
        let part = HeaderValue::from_str(&format!("bytes {start}-{}/{}", end - 1, file.bytes));
        headers.insert(header::CONTENT_RANGE, part.map_err(|_| nothing_there())?);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// What a file is called by who saves it.
fn file_name(file: &MediaFile) -> String {
    let own = file.object_key.rsplit('/').next().unwrap_or_default();
    format!("{}-{}-{own}", file.vin, file.camera)
}

/// What a `Range` asks for (RFC 9110, 14.1.2).
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// It is not understood, or several parts: all of it.
    Ignore,
    /// A part.
    Part(Range<u64>),
    /// There is nothing there.
    Nothing,
}

fn range_of(text: &str, length: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Asked::Ignore;
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return Asked::Ignore,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

/// The library, if there is one.
pub(super) fn library(app: &App) -> Result<Library, Failure> {
    app.config.library.clone().ok_or_else(|| Failure::not_found("this server keeps no photos and clips"))
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Self {
        let is_full = matches!(&error, LibraryError::Disk(error) if error.kind() == std::io::ErrorKind::StorageFull);
        if is_full {
            return Failure::new(StatusCode::INSUFFICIENT_STORAGE, "media_full", "there is no room for more media");
        }
        Failure::internal(&error, "the photo or clip could not be written or read; the server's log says why")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_of_what_there_is() {
        for (text, asked) in [
            ("bytes=0-", Asked::Part(0..100)),
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=10-19", Asked::Part(10..20)),
            ("bytes=90-1000", Asked::Part(90..100)),
            ("bytes=-10", Asked::Part(90..100)),
            ("bytes=-1000", Asked::Part(0..100)),
            ("bytes=100-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=0-18446744073709551615", Asked::Part(0..100)),
            ("bytes=5-2", Asked::Ignore),
            ("bytes=0-1,5-6", Asked::Ignore),
            ("lines=0-1", Asked::Ignore),
            ("bytes=", Asked::Ignore),
            ("bytes=-", Asked::Ignore),
        ] {
            assert_eq!(range_of(text, 100), asked, "{text}");
        }
    }
}
