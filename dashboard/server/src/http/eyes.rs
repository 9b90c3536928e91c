//! `/api/frontend/vehicles/{vin}/eyes`: cameras of a vehicle that the server reaches by itself.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{Eye, EyeAdded, MAX_ALL_EYES, MAX_EYES};
use bugbrother_video::{Camera, Item, Parameters, RtspSession, SourceError};
use bugbrother_wire::{
    CameraId, Vin,
    api::{EyeEntry, EyeForm, EyeList, EyeReport, EyeTransport, Right},
    live::News,
};
use serde_json::json;
use tokio::time::timeout;
use url::Url;

use super::{
    App,
    body::{Body, PathVin},
    caller::{Access, Caller},
    failure::Failure,
    form::{Form, PathIds, nothing_there},
    routes::Routes,
};
use crate::{
    clock,
    video::aim::{self, Aim, NoWay},
};

const MAX_LABEL: usize = 60;
const MAX_URL: usize = 500;
const MAX_USER: usize = 100;
const MAX_PASSWORD: usize = 200;
/// Longest that a camera that is tried may take, below what a request may.
const TRY_FOR: Duration = Duration::from_secs(8);
/// Of that, what each step and the first picture may take.
const STEP: Duration = Duration::from_secs(4);

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let set = Access::May(Right::Settings);
    routes
        .get("/frontend/vehicles/{vin}/eyes", set, list)
        .says("Cameras of a vehicle that the server reaches by itself")
        .gives::<EyeList>();
    routes
        .post("/frontend/vehicles/{vin}/eyes", set, add)
        .says("Has the server reach another camera for a vehicle, up to eight")
        .takes::<EyeForm>()
        .gives::<EyeEntry>();
    routes
        .put("/frontend/vehicles/{vin}/eyes/{camera}", set, change)
        .says("Changes a camera that the server reaches; without a password the present one stays")
        .takes::<EyeForm>()
        .gives::<EyeEntry>();
    routes
        .delete("/frontend/vehicles/{vin}/eyes/{camera}", set, remove)
        .says("Removes a camera that the server reaches; its photos and clips stay");
    routes
        .post("/frontend/vehicles/{vin}/eye-test", set, test)
        .says("Tries a camera as it is filled in, for eight seconds at most, and tells what it answered")
        .takes::<EyeForm>()
        .gives::<EyeReport>();
}

async fn list(State(app): State<App>, caller: Caller, PathVin(vin): PathVin) -> Result<Json<EyeList>, Failure> {
    caller.sees(&app, vin).await?;
    let eyes = app.config.store.eyes(vin).await?;
    Ok(Json(EyeList { eyes: eyes.into_iter().map(entry).collect() }))
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Body(form): Body<EyeForm>,
) -> Result<Json<EyeEntry>, Failure> {
    caller.sees(&app, vin).await?;
    let (eye, password) = checked(&app, &caller, vin, form, None).await?;
    let birth = app.config.store.birth(vin).await?;
    if birth.is_some_and(|birth| birth.cameras.iter().any(|known| known.id == eye.camera)) {
        return Err(Failure::field("camera", "the vehicle has a camera of that name itself"));
    }
    note(&app, &caller, "eye_added", &eye).await?;
    let conflict = |error, message: String| Err(Failure::new(StatusCode::CONFLICT, error, message));
    match app.config.store.add_eye(&eye, password.as_deref()).await? {
        EyeAdded::Added => {}
        EyeAdded::Taken => return Err(Failure::field("camera", "there is one of that name already")),
        EyeAdded::TooMany => {
            return conflict("too_many_eyes", format!("a vehicle has up to {MAX_EYES} of them: remove one first"));
        }
        EyeAdded::Full => {
            return conflict("too_many_eyes", format!("the fleet has up to {MAX_ALL_EYES} of them: remove one first"));
        }
    }
    changed(&app, &eye);
    Ok(Json(entry(eye)))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, camera): PathIds<Vin, Name>,
    Body(form): Body<EyeForm>,
) -> Result<Json<EyeEntry>, Failure> {
    caller.sees(&app, vin).await?;
    let known = app.config.store.eye(vin, &camera.0).await?.ok_or_else(nothing_there)?;
    let (eye, password) = checked(&app, &caller, vin, form, Some(known)).await?;
    note(&app, &caller, "eye_changed", &eye).await?;
    if !app.config.store.update_eye(&eye, password.as_deref(), clock::now()).await? {
        return Err(nothing_there());
    }
    changed(&app, &eye);
    Ok(Json(entry(eye)))
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, camera): PathIds<Vin, Name>,
) -> Result<StatusCode, Failure> {
    caller.sees(&app, vin).await?;
    let known = app.config.store.eye(vin, &camera.0).await?.ok_or_else(nothing_there)?;
    note(&app, &caller, "eye_removed", &known).await?;
    if !app.config.store.remove_eye(vin, &camera.0).await? {
        return Err(nothing_there());
    }
    changed(&app, &known);
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Body(form): Body<EyeForm>,
) -> Result<Json<EyeReport>, Failure> {
    caller.sees(&app, vin).await?;
    let id = CameraId::try_from(form.camera.clone()).ok();
    let known = match &id {
        Some(id) => app.config.store.eye(vin, id).await?,
        None => None,
    };
    let (eye, password) = checked(&app, &caller, vin, form, known.clone()).await?;
    let secret = match (password, known) {
        (Some(password), _) => Some(password),
        (None, Some(known)) => app.config.store.eye_secret(vin, &known.camera).await?,
        (None, None) => None,
    };
    let _turn = app.trying.take().await?;
    note(&app, &caller, "eye_tested", &eye).await?;
    let guard = app.relay.guard();
    let camera = async { Aim::of(&eye, secret, false)?.admit(guard, 0).await };
    let report = match camera.await {
        Err(why) => EyeReport { refused: Some(why.to_string()), ..EyeReport::default() },
        Ok(camera) => report(timeout(TRY_FOR, look(camera)).await),
    };
    Ok(Json(report))
}

/// The first picture's parameters.
async fn look(mut camera: Camera) -> Result<std::sync::Arc<Parameters>, SourceError> {
    (camera.step_deadline, camera.stall_deadline) = (STEP, STEP);
    let mut session = RtspSession::open(&camera).await?;
    let found = loop {
        match session.next().await? {
            Item::Parameters(parameters) => break parameters,
            Item::Unit(_) | Item::Sound(_) => {}
        }
    };
    session.close().await;
    Ok(found)
}

fn report(looked: Result<Result<std::sync::Arc<Parameters>, SourceError>, tokio::time::error::Elapsed>) -> EyeReport {
    let refused = |why: String| EyeReport { refused: Some(why), ..EyeReport::default() };
    match looked {
        Err(_) => refused("the camera does not answer in time".to_owned()),
        Ok(Err(error)) => refused(error.told()),
        Ok(Ok(found)) => EyeReport {
            codec: Some(found.codec.to_string()),
            width: found.width,
            height: found.height,
            plays: found.plays_in_browsers(),
            refused: None,
        },
    }
}

/// What is filled in, if all of it is right, and the password if one is given.
async fn checked(
    app: &App,
    caller: &Caller,
    vin: Vin,
    form: EyeForm,
    known: Option<Eye>,
) -> Result<(Eye, Option<String>), Failure> {
    let mut check = Form::default();
    let camera = CameraId::try_from(form.camera.trim().to_owned()).ok();
    check.check("camera", camera.is_some(), "1 to 32 of a-z, 0-9 and -");
    let stays = known.as_ref().zip(camera.as_ref()).is_none_or(|(known, camera)| known.camera == *camera);
    check.check("camera", stays, "a camera keeps its name");
    let label = check.line("label", &form.label, MAX_LABEL);
    let guard = app.relay.guard();
    let url = check.line("url", &form.url, MAX_URL);
    address(&mut check, "url", aim::rtsp(&url), guard).await;
    let sub_url = check.some_line("sub_url", form.sub_url.as_deref(), MAX_URL);
    if let Some(url) = &sub_url {
        address(&mut check, "sub_url", aim::rtsp(url), guard).await;
    }
    let photo_url = check.some_line("photo_url", form.photo_url.as_deref(), MAX_URL);
    if let Some(url) = &photo_url {
        address(&mut check, "photo_url", aim::http(url), guard).await;
    }
    let user = check.some_line("user", form.user.as_deref(), MAX_USER);
    let password = form.password.filter(|password| !password.is_empty());
    let fits = |password: &String| password.chars().count() <= MAX_PASSWORD && !password.chars().any(char::is_control);
    check.check("password", password.as_ref().is_none_or(fits), "up to 200 characters, no control characters");
    check.check("user", password.is_none() || user.is_some(), "a password needs a user name");
    // A password for one camera is not for another.
    let is_kept = password.is_none() && user.is_some();
    let moved = known
        .as_ref()
        .is_some_and(|known| known.has_secret && is_kept && hosts(known) != hosts_of(&url, &sub_url, &photo_url));
    check.check("password", !moved, "give the password again: it was for another address");
    if form.transport == EyeTransport::Udp {
        let is_named = is_named(&url, guard).await;
        check.check("transport", is_named, "UDP is for cameras in networks that --allow-cameras names; use TCP");
    }
    let camera = match camera {
        Some(camera) => {
            check.done()?;
            camera
        }
        None => return Err(check.done().err().unwrap_or_else(nothing_there)),
    };
    let now = clock::now();
    let has_secret = user.is_some() && (password.is_some() || known.as_ref().is_some_and(|known| known.has_secret));
    let (by, created) = known.map_or_else(|| (caller.name.clone(), now), |known| (known.by, known.created));
    let eye = Eye {
        vin,
        camera,
        label,
        url,
        sub_url,
        photo_url,
        transport: form.transport,
        user,
        has_secret,
        enabled: form.enabled,
        by,
        created,
        updated: now,
    };
    Ok((eye, password))
}

async fn address(check: &mut Form, field: &str, url: Result<Url, NoWay>, guard: &bugbrother_guard::Guard) {
    let refused = match url {
        Ok(url) => aim::may_be(&url, guard).await.err(),
        Err(why) => Some(why),
    };
    if let Some(why) = refused {
        check.check(field, false, &why.to_string());
    }
}

async fn is_named(url: &str, guard: &bugbrother_guard::Guard) -> bool {
    let Ok(url) = aim::rtsp(url) else { return true };
    aim::is_named(&url, guard).await
}

/// Where a password goes: each host and port.
fn hosts(eye: &Eye) -> Vec<Option<(String, Option<u16>)>> {
    hosts_of(&eye.url, &eye.sub_url, &eye.photo_url)
}

fn hosts_of(url: &str, sub_url: &Option<String>, photo_url: &Option<String>) -> Vec<Option<(String, Option<u16>)>> {
    let host = |text: &str| Url::parse(text).ok().and_then(|url| Some((url.host_str()?.to_owned(), url.port())));
    [Some(url), sub_url.as_deref(), photo_url.as_deref()].into_iter().map(|text| text.and_then(host)).collect()
}

/// Who looks at it is shown it as it is now, and pages ask again.
fn changed(app: &App, eye: &Eye) {
    app.relay.doubt(eye.vin, &eye.camera);
    app.feed.change(|fleet| fleet.notice(eye.vin, News::Media));
}

async fn note(app: &App, caller: &Caller, what: &str, eye: &Eye) -> Result<(), Failure> {
    let detail = json!({ "camera": eye.camera, "label": eye.label, "url": eye.url });
    app.note(caller, what, Some(("vehicle", eye.vin.as_str())), detail).await
}

fn entry(eye: Eye) -> EyeEntry {
    EyeEntry {
        form: EyeForm {
            camera: eye.camera.to_string(),
            label: eye.label,
            url: eye.url,
            sub_url: eye.sub_url,
            photo_url: eye.photo_url,
            transport: eye.transport,
            user: eye.user,
            password: None,
            enabled: eye.enabled,
        },
        has_password: eye.has_secret,
        by: eye.by,
        created: eye.created,
    }
}

/// A camera's name in the path.
pub(super) struct Name(pub CameraId);

impl std::str::FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        CameraId::try_from(text.to_owned()).map(Name).map_err(|_| ())
    }
}
