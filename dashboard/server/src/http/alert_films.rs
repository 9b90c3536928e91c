//! `/api/frontend/alerts/{id}/films`: what the cameras saw when an alert was opened.

use axum::{Json, extract::State};
use bugbrother_store::{CommandRecord, CommandState};
use bugbrother_wire::{
    CameraId,
    api::{AlertFilm, AlertFilmList, FilmState, Right},
    message::{Alert, Media, MediaKind, MediaState},
};

use super::{
    App,
    alerts::find,
    caller::{Access, Caller},
    cameras::may_look,
    failure::Failure,
    form::PathId,
    media::still_of,
    routes::Routes,
};
use crate::{clock, films};

const MAX_FILMS: usize = 32;
const MAX_STILLS: u32 = 200;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/alerts/{id}/films", Access::May(Right::Watch), list)
        .says("Photos and clips of the moment that an alert is about, and what was asked for of them")
        .gives::<AlertFilmList>();
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
) -> Result<Json<AlertFilmList>, Failure> {
    let alert = find(&app, &caller, &id).await?.alert;
    if !may_look(&app, &caller, alert.vin).await? {
        return Ok(Json(AlertFilmList { films: Vec::new() }));
    }
    let store = &app.config.store;
    let seen = films::of_alert(store, &alert).await?;
    let (from, to) =
        seen.iter().fold((alert.opened, alert.opened), |(from, to), media| (from.min(media.from), to.max(media.to)));
    let stills = store.stills(alert.vin, from, to, MAX_STILLS).await?;
    let asked = asked(&app, &alert, &seen).await?;
    let film = |media: Media| AlertFilm {
        camera: media.camera.clone(),
        state: state_of(&media),
        thumbnail: still_of(&media, &stills),
        why: media.reason.clone(),
        media: Some(Box::new(media)),
    };
    Ok(Json(AlertFilmList { films: seen.into_iter().map(film).chain(asked).take(MAX_FILMS).collect() }))
}

/// What the server has asked the vehicle for, and is not begun.
async fn asked(app: &App, alert: &Alert, seen: &[Media]) -> Result<Vec<AlertFilm>, Failure> {
    let store = &app.config.store;
    let birth = store.birth(alert.vin).await?;
    let mut asked = Vec::new();
    for camera in birth.into_iter().flat_map(|birth| birth.cameras) {
        let id = films::command_id(alert.id, &camera.id);
        let is_begun = seen.iter().any(|media| {
            media.cause.as_deref() == Some(&id.to_string())
                || (media.camera == camera.id && media.kind == MediaKind::Clip)
        });
        if is_begun {
            continue;
        }
        if let Some(record) = store.command(id).await? {
            asked.push(wanted(camera.id, &record));
        }
    }
    Ok(asked)
}

fn wanted(camera: CameraId, record: &CommandRecord) -> AlertFilm {
    let is_late = record.state == CommandState::Issued && record.command.expires <= clock::now();
    let failed = is_late || matches!(record.state, CommandState::Failed | CommandState::Expired | CommandState::Denied);
    let state = if failed { FilmState::Failed } else { FilmState::Wanted };
    let why = if is_late { None } else { record.detail.clone().filter(|_| failed) };
    AlertFilm { camera, state, media: None, thumbnail: None, why }
}

fn state_of(media: &Media) -> FilmState {
    match media.state {
        MediaState::Requested => FilmState::Wanted,
        MediaState::Recording => FilmState::Recording,
        MediaState::Ready => FilmState::OnItsWay,
        MediaState::Uploaded => FilmState::Ready,
        MediaState::Failed => FilmState::Failed,
        MediaState::Expired => FilmState::Evicted,
    }
}
