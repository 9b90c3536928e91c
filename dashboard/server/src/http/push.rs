//! `/api/embedded/live/{camera}`: a vehicle brings a camera's live pictures over a WebSocket.

use std::time::Duration;

use axum::{
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::StatusCode,
    response::Response,
};
use bugbrother_wire::{
    CameraId,
    video::{MAX_MESSAGE_BYTES, Piece, closing},
};
use tracing::info;

use super::{
    App,
    caller::Access,
    failure::Failure,
    routes::Routes,
    sockets::{self, Pulse},
    vehicle::Vehicle,
};
use crate::video::Push;

const PING_EVERY: Duration = Duration::from_secs(10);
/// A vehicle that says nothing for so long is gone, whatever its connection looks like.
const SILENCE: Duration = Duration::from_secs(30);
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Its route.
pub(super) fn routes(routes: &mut Routes) {
    routes.get("/embedded/live/{camera}", Access::Vehicle, open).says(
        "A WebSocket for a camera's live pictures, which somebody has asked for; docs/video.md tells its messages",
    );
}

async fn open(
    State(app): State<App>,
    Vehicle(holder): Vehicle,
    Path(camera): Path<String>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let camera = CameraId::try_from(camera)
        .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, "invalid_camera", error.to_string()))?;
    let upgrade = upgrade.map_err(|refused| Failure::new(refused.status(), "no_websocket", refused.body_text()))?;
    let push = app.relay.push(holder.vin, &camera);
    let push = push.ok_or_else(|| Failure::new(StatusCode::CONFLICT, "not_wanted", "nobody looks at that camera"))?;
    let tracked = app.sockets.token();
    Ok(upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES).on_upgrade(
        async move |mut socket| {
            info!(vin = %holder.vin, %camera, "a vehicle shows a camera");
            let streams = metrics::gauge!("bugbrother_dashboard_video_streams");
            streams.increment(1.0);
            let end = take(&mut socket, &push).await;
            streams.decrement(1.0);
            info!(vin = %holder.vin, %camera, ?end, "a vehicle no longer shows a camera");
            say_goodbye(socket, end).await;
            drop((push, tracked));
        },
    ))
}

/// Why a vehicle's socket ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Gone,
    Silent,
    Unwanted,
    NotUnderstood,
}

async fn take(socket: &mut WebSocket, push: &Push) -> End {
    let mut pulse = Pulse::new(PING_EVERY, SILENCE);
    let taken = metrics::counter!("bugbrother_dashboard_video_bytes_total");
    loop {
        tokio::select! {
            () = push.unwanted.cancelled() => return End::Unwanted,
            message = socket.recv() => match message {
                None | Some(Err(_) | Ok(Message::Close(_))) => return End::Gone,
                Some(Ok(Message::Binary(bytes))) => {
                    pulse.hear();
                    taken.increment(bytes.len() as u64);
                    match Piece::read(&bytes) {
                        Ok(Some(piece)) => push.channel.take(&piece, bytes.clone()),
                        // Of a newer agent.
                        Ok(None) => {}
                        Err(_) => return End::NotUnderstood,
                    }
                }
                Some(Ok(_)) => pulse.hear(),
            },
            ping = pulse.beat() => {
                let Ok(ping) = ping else { return End::Silent };
                if sockets::send(socket, ping, WRITE_WITHIN).await.is_err() {
                    return End::Silent;
                }
            }
        }
    }
}

async fn say_goodbye(socket: WebSocket, end: End) {
    let (code, reason) = match end {
        End::Gone | End::Silent => return,
        End::Unwanted => (closing::NOBODY_LOOKS, "nobody looks any more, or it was brought anew"),
        End::NotUnderstood => (closing::NOT_UNDERSTOOD, "that is no piece of a live stream"),
    };
    sockets::say_goodbye(socket, code, reason).await;
}
