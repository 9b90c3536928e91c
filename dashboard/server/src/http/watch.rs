//! `/video/{vin}/{camera}`: a camera, live, over a WebSocket.

use std::{pin::pin, time::Duration};

use axum::{
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
    },
    http::HeaderMap,
    response::Response,
};
use bugbrother_wire::{CameraId, Vin, api::StreamWord};
use bytes::Bytes;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{App, caller::Caller, cameras::may_look, failure::Failure, origin, tickets::Onlooker};
use crate::video::{
    Look,
    channel::Standing,
    viewer::{Next, Place},
};

/// A viewer has nothing to say but pongs.
const MAX_VIEWER_MESSAGE: usize = 1024;
const PING_EVERY: Duration = Duration::from_secs(20);
const GONE_AFTER: Duration = Duration::from_secs(60);
const FAREWELL: Duration = Duration::from_secs(2);
const RETRY_AFTER: Duration = Duration::from_secs(10);

pub(crate) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
    Path((vin, camera)): Path<(String, String)>,
    Onlooker(caller): Onlooker,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    origin::check(&app.config, &headers)?;
    let upgrade = upgrade.map_err(|refused| Failure::new(refused.status(), "no_websocket", refused.body_text()))?;
    let (vin, camera) = camera_of(&app, &caller, &vin, &camera).await?;
    let seat = app.watchers.take(&caller.name).ok_or_else(busy)?;
    let look = app.relay.look(vin, &camera, &caller.name).ok_or_else(busy)?;
    app.note(&caller, "video_watched", Some(("vehicle", vin.as_str())), json!({ "camera": camera })).await?;
    let tracked = app.sockets.token();
    Ok(upgrade.max_message_size(MAX_VIEWER_MESSAGE).max_frame_size(MAX_VIEWER_MESSAGE).on_upgrade(
        async move |mut socket| {
            let viewers = metrics::gauge!("bugbrother_dashboard_video_viewers");
            viewers.increment(1.0);
            let end = attend(&mut socket, &app, &caller, &look).await;
            say_goodbye(socket, end).await;
            viewers.decrement(1.0);
            drop((seat, look, tracked));
        },
    ))
}

/// A camera that the caller may look at. Of others nobody is told whether they are there.
pub(super) async fn camera_of(app: &App, caller: &Caller, vin: &str, camera: &str) -> Result<(Vin, CameraId), Failure> {
    let nothing = || Failure::not_found("no such camera is known");
    let (Ok(vin), Ok(camera)) = (vin.parse::<Vin>(), CameraId::try_from(camera.to_owned())) else {
        return Err(nothing());
    };
    caller.sees(app, vin).await?;
    let birth = app.config.store.birth(vin).await?;
    let is_known = birth.is_some_and(|birth| birth.cameras.iter().any(|known| known.id == camera));
    if !is_known || !may_look(app, caller, vin).await? {
        return Err(nothing());
    }
    Ok((vin, camera))
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

async fn attend(socket: &mut WebSocket, app: &App, caller: &Caller, look: &Look) -> End {
    let mut session_over = pin!(app.passes.over(&caller.pass));
    tokio::select! {
        biased;
        () = app.stop.cancelled() => End::Stopping,
        () = &mut session_over => End::SessionOver,
        end = show(socket, app, caller, look) => end,
    }
}

async fn show(socket: &mut WebSocket, app: &App, caller: &Caller, look: &Look) -> End {
    let mut place = Place::new(look.channel());
    let patience = app.config.limits.write_time;
    let mut heard = Instant::now();
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                    heard = Instant::now();
                    continue;
                }
            },
            _ = pings.tick() => {
                if heard.elapsed() > GONE_AFTER {
                    return End::Gone;
                }
                // Contracts end. A database that does not answer changes nothing.
                if matches!(may_look(app, caller, look.vin()).await, Ok(false)) {
                    return End::NotAllowed;
                }
                Message::Ping(Bytes::new())
            }
        };
        if !matches!(timeout(patience, socket.send(message)).await, Ok(Ok(()))) {
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

async fn say_goodbye(mut socket: WebSocket, end: End) {
    let (code, reason) = match end {
        End::Gone => return,
        End::SessionOver => (4401, "the session has ended"),
        End::NotAllowed => (4403, "no contract lets you see this camera any more"),
        End::Stopping => (1001, "the server is stopping"),
    };
    let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    let farewell = async {
        if socket.send(close).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    drop(timeout(FAREWELL, farewell).await);
}
