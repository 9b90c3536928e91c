//! `/api/frontend/vehicles/{vin}/cameras/{camera}/clip` and `…/photo`: what a camera that the server reaches sees now, put into
//! the library.

use std::{io::Cursor, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use bugbrother_store::{MediaFile, Offered};
use bugbrother_video::{Codec, MuxingError, PhotoError, Scene, photo, write_clip};
use bugbrother_wire::{
    CameraId, Epoch, MediaId, SCHEMA_VERSION, Seq, UnixMs, Vin,
    api::{KeptMedia, Right},
    live::News,
    message::{Media, MediaKind, MediaState},
};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    App,
    caller::{Access, Caller},
    cameras::Whose,
    failure::Failure,
    routes::Routes,
    uploads::{full, library, too_many},
    watch::camera_of,
};
use crate::{
    clock,
    library::{Appended, Finished, Library},
    video::{aim, pull::moment},
};

/// How much a clip holds.
const CLIP: Duration = Duration::from_secs(30);

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let command = Access::May(Right::Command);
    routes
        .post("/frontend/vehicles/{vin}/cameras/{camera}/clip", command, clip)
        .says("Saves the last 30 s of a camera that the server reaches, as far as somebody has looked at it")
        .gives::<KeptMedia>();
    routes
        .post("/frontend/vehicles/{vin}/cameras/{camera}/photo", command, photo)
        .says("Saves a photo of a camera that the server reaches")
        .gives::<KeptMedia>();
}

/// What is to be put into the library.
struct Taken {
    kind: MediaKind,
    data: Bytes,
    codec: Option<String>,
    from: UnixMs,
    to: UnixMs,
}

async fn clip(
    State(app): State<App>,
    caller: Caller,
    Path((vin, camera)): Path<(String, String)>,
) -> Result<Json<KeptMedia>, Failure> {
    let (vin, camera, whose) = camera_of(&app, &caller, &vin, &camera).await?;
    let Whose::Here(_) = whose else { return Err(not_ours("clip")) };
    let turn = app.clips.take().await?;
    let held = app.relay.held(vin, &camera).ok_or_else(nothing_held)?;
    let scenes = held.last(CLIP);
    if scenes.is_empty() {
        return Err(nothing_held());
    }
    let made =
        spawn_blocking(move || film(&scenes)).await.unwrap_or_else(|error| Err(std::io::Error::other(error).into()));
    let taken = made.map_err(|error| match error {
        MuxingError::Codec(codec) => unfit(&format!("{codec} cannot be put into a film; take a photo")),
        error => Failure::internal(&error, "the film could not be made; the server's log says why"),
    })?;
    let kept = keep(&app, &caller, vin, camera, taken).await;
    drop(turn);
    kept
}

async fn photo(
    State(app): State<App>,
    caller: Caller,
    Path((vin, camera)): Path<(String, String)>,
) -> Result<Json<KeptMedia>, Failure> {
    let (vin, camera, whose) = camera_of(&app, &caller, &vin, &camera).await?;
    let Whose::Here(eye) = whose else { return Err(not_ours("photo")) };
    let turn = app.clips.take().await?;
    let secret = app.config.store.eye_secret(vin, &camera).await?;
    let snapshot = aim::snapshot(&eye, secret, app.relay.guard()).await.map_err(|why| unfit(&why.to_string()))?;
    let picture = app.relay.held(vin, &camera).and_then(|held| held.picture());
    let (made, at) = match (snapshot, picture) {
        (Some(snapshot), _) => (spawn_blocking(move || snapshot.take()).await, clock::now()),
        (None, Some((parameters, unit))) => {
            let at = moment(unit.received);
            (spawn_blocking(move || photo::from_picture(&parameters, &unit)).await, at)
        }
        (None, None) => return Err(nothing_held()),
    };
    let data = made.map_err(|error| unfit(&error.to_string()))?.map_err(|error| match error {
        PhotoError::Codec(codec) => unfit(&no_photo_of(codec)),
        error => unfit(&error.to_string()),
    })?;
    let taken = Taken { kind: MediaKind::Photo, data, codec: None, from: at, to: at };
    let kept = keep(&app, &caller, vin, camera, taken).await;
    drop(turn);
    kept
}

fn film(scenes: &[Scene]) -> Result<Taken, MuxingError> {
    let mut file = Cursor::new(Vec::new());
    let written = write_clip(scenes, &mut file)?;
    let codec = scenes.first().map(|scene| scene.parameters.rfc6381.clone());
    let (from, to) = (moment(written.from), moment(written.to));
    Ok(Taken { kind: MediaKind::Clip, data: file.into_inner().into(), codec, from, to })
}

/// Puts it into the library: there is none of it before all of it is there.
async fn keep(
    app: &App,
    caller: &Caller,
    vin: Vin,
    camera: CameraId,
    taken: Taken,
) -> Result<Json<KeptMedia>, Failure> {
    let (library, store) = (library(app)?, &app.config.store);
    let (id, now) = (MediaId(Uuid::now_v7()), clock::now());
    let Taken { kind, data, codec, from, to } = taken;
    let sha256: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
    let file = MediaFile {
        vin,
        id,
        camera: camera.clone(),
        kind,
        bytes: data.len() as u64,
        sha256: sha256.clone(),
        object_key: Library::key(vin, id, kind),
        cause: None,
        from: Some(from),
        to: Some(to),
        offered: now,
        stored: None,
        gone: None,
        thumb_bytes: None,
    };
    let detail = json!({ "camera": camera, "kind": kind, "media": id });
    app.note(caller, "media_kept", Some(("vehicle", vin.as_str())), detail).await?;
    match app.room.offer(store, &library, &file).await? {
        Offered::New | Offered::Known(_) | Offered::Other => {}
        Offered::Full => return Err(full()),
        Offered::TooMany => return Err(too_many()),
    }
    if let Err(failure) = store_file(app, &library, &file, data).await {
        // Whatever cannot be cleared away now is, in a week.
        if store.forget_media(vin, id).await.is_ok() {
            library.forget(vin, id).await.unwrap_or_default();
        }
        return Err(failure);
    }
    let media = Media {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(0),
        seq: Seq(0),
        id,
        camera,
        kind,
        state: MediaState::Uploaded,
        at: now,
        from,
        to,
        cause: None,
        bytes: Some(file.bytes),
        sha256: Some(sha256),
        codec,
        reason: None,
    };
    store.add_media(&media, now).await?;
    metrics::counter!("bugbrother_dashboard_media_stored_total").increment(1);
    if kind == MediaKind::Photo {
        app.darkroom.wake();
    }
    app.feed.change(|fleet| fleet.notice(vin, News::Media));
    Ok(Json(KeptMedia { id }))
}

async fn store_file(app: &App, library: &Library, file: &MediaFile, data: Bytes) -> Result<(), Failure> {
    let broken = || Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the file could not be stored");
    match library.append(file.vin, file.id, 0, vec![data]).await? {
        Appended::At(reached) if reached == file.bytes => {}
        _ => return Err(broken()),
    }
    match library.finish(file).await? {
        Finished::Stored => {}
        Finished::WrongHash | Finished::WrongKind => return Err(broken()),
    }
    if !app.config.store.store_media(file.vin, file.id, &file.sha256, clock::now()).await? {
        return Err(broken());
    }
    library.forget(file.vin, file.id).await?;
    Ok(())
}

fn not_ours(command: &str) -> Failure {
    let message = format!("the vehicle reaches that camera: give it the command `{command}`");
    Failure::new(StatusCode::CONFLICT, "not_reached_here", message)
}

fn nothing_held() -> Failure {
    let message = "there is nothing of the last seconds: it is held while somebody looks at the camera";
    Failure::new(StatusCode::CONFLICT, "nothing_held", message)
}

fn unfit(message: &str) -> Failure {
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "no_picture", message)
}

fn no_photo_of(codec: Codec) -> String {
    format!("{codec} is not made into photos here: give the camera's address for photos")
}
