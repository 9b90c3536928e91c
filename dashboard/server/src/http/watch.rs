//! `/video/{vin}/{camera}`: a camera, live, over a WebSocket.

use std::{pin::pin, time::Duration};

use axum::{
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::HeaderMap,
    response::Response,
};
use bugbrother_wire::{CameraId, Vin, api::StreamWord};
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    body::Params,
    caller::Caller,
    cameras::{Whose, may_look, whose},
    failure::Failure,
    origin,
    sockets::{self, Pulse},
    tickets::Onlooker,
};
use crate::video::{
    Key, Look,
    channel::Standing,
    viewer::{Next, Place},
};

/// A viewer has nothing to say but pongs.
const MAX_VIEWER_MESSAGE: usize = 1024;
const PING_EVERY: Duration = Duration::from_secs(20);
const GONE_AFTER: Duration = Duration::from_secs(60);
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Bytes a second of the slowest line that counts as one: a large picture takes its time on it.
const SLOWEST_LINE: f64 = 4_096.0;

/// What is wished for beside the camera.
#[derive(Deserialize)]
pub(crate) struct Wish {
    /// `small` for the smaller stream, where the server knows of one.
    size: Option<String>,
}

pub(crate) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
    Path((vin, camera)): Path<(String, String)>,
    Params(wish): Params<Wish>,
    Onlooker(caller): Onlooker,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    origin::check(&app.config, &headers)?;
    let upgrade = upgrade.map_err(|refused| Failure::new(refused.status(), "no_websocket", refused.body_text()))?;
    let (vin, camera, whose) = camera_of(&app, &caller, &vin, &camera).await?;
    let has_small = matches!(&whose, Whose::Here(eye) if eye.sub_url.is_some());
    let key = Key { is_small: has_small && wish.size.as_deref() == Some("small"), ..Key::new(vin, &camera) };
    let is_eye = matches!(whose, Whose::Here(_));
    let seat = app.watchers.take(&caller.name).ok_or_else(busy)?;
    let look = app.relay.look(key, &caller.name).ok_or_else(busy)?;
    app.note(&caller, "video_watched", Some(("vehicle", vin.as_str())), json!({ "camera": camera })).await?;
    let tracked = app.sockets.token();
    Ok(upgrade.max_message_size(MAX_VIEWER_MESSAGE).max_frame_size(MAX_VIEWER_MESSAGE).on_upgrade(
        async move |mut socket| {
            let viewers = metrics::gauge!("bugbrother_dashboard_video_viewers");
            viewers.increment(1.0);
            let end = attend(&mut socket, &app, &caller, &look, is_eye).await;
            say_goodbye(socket, end).await;
            viewers.decrement(1.0);
            drop((seat, look, tracked));
        },
    ))
}

/// A camera that the caller may look at. Of others nobody is told whether they are there.
pub(super) async fn camera_of(
    app: &App,
    caller: &Caller,
    vin: &str,
    camera: &str,
) -> Result<(Vin, CameraId, Whose), Failure> {
    let nothing = || Failure::not_found("no such camera is known");
    let (Ok(vin), Ok(camera)) = (vin.parse::<Vin>(), CameraId::try_from(camera.to_owned())) else {
        return Err(nothing());
    };
    caller.sees(app, vin).await?;
    if !may_look(app, caller, vin).await? {
        return Err(nothing());
    }
    let whose = whose(app, vin, &camera).await?.ok_or_else(nothing)?;
    Ok((vin, camera, whose))
}

fn busy() -> Failure {
    Failure::too_many("too_many_viewers", "too many look at cameras; close one", RETRY_AFTER)
}

/// Why a viewer's socket ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Gone,
    SessionOver,
    NotAllowed,
    Stopping,
}

async fn attend(socket: &mut WebSocket, app: &App, caller: &Caller, look: &Look, is_eye: bool) -> End {
    let mut session_over = pin!(app.passes.over(&caller.pass));
    tokio::select! {
        biased;
        () = app.stop.cancelled() => End::Stopping,
        () = &mut session_over => End::SessionOver,
        end = show(socket, app, caller, look, is_eye) => end,
    }
}

async fn show(socket: &mut WebSocket, app: &App, caller: &Caller, look: &Look, is_eye: bool) -> End {
    let mut place = Place::new(look.channel());
    let mut pulse = Pulse::new(PING_EVERY, GONE_AFTER);
    loop {
        let message = tokio::select! {
            next = place.next() => match next {
                Some(Next::Piece(piece)) => Message::Binary(piece),
                Some(Next::Standing(standing)) => word(&standing_word(standing)),
                Some(Next::Missed(pictures)) => {
                    metrics::counter!("bugbrother_dashboard_video_pictures_missed_total").increment(pictures);
                    word(&StreamWord::Missed { pictures })
                }
                None => return End::Stopping,
            },
            message = socket.recv() => match message {
                None | Some(Err(_) | Ok(Message::Close(_))) => return End::Gone,
                Some(Ok(_)) => {
                    pulse.hear();
                    continue;
                }
            },
            ping = pulse.beat() => {
                let Ok(ping) = ping else { return End::Gone };
                // Contracts end, and cameras are taken away. A database that does not answer changes nothing.
                let is_taken_away =
                    is_eye && matches!(whose(app, look.vin(), look.camera()).await, Ok(None | Some(Whose::Vehicle)));
                if is_taken_away || matches!(may_look(app, caller, look.vin()).await, Ok(false)) {
                    return End::NotAllowed;
                }
                ping
            }
        };
        let bytes = if let Message::Binary(piece) = &message { piece.len() } else { 0 };
        let on_the_way = Duration::from_secs_f64(bytes as f64 / SLOWEST_LINE).min(GONE_AFTER);
        let patience = app.config.limits.write_time + on_the_way;
        if sockets::send(socket, message, patience).await.is_err() {
            return End::Gone;
        }
    }
}

fn standing_word(standing: Standing) -> StreamWord {
    match standing {
        Standing::Waiting => StreamWord::Waiting,
        Standing::Live => StreamWord::Live,
        Standing::Gone(why) => StreamWord::Gone { why: why.to_string() },
    }
}

fn word(word: &StreamWord) -> Message {
    Message::Text(serde_json::to_string(word).expect("words have a form in JSON").into())
}

async fn say_goodbye(socket: WebSocket, end: End) {
    let (code, reason) = match end {
        End::Gone => return,
        End::SessionOver => (4401, "the session has ended"),
        End::NotAllowed => (4403, "this camera is not there for you any more"),
        End::Stopping => (1001, "the server is stopping"),
    };
    sockets::say_goodbye(socket, code, reason).await;
}
