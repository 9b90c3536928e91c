//! `/live`: the fleet over a WebSocket.

use std::{num::NonZeroU32, pin::pin, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
    },
    http::HeaderMap,
    response::Response,
};
use bugbrother_wire::{encode, live::Frame};
use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{App, caller::Scope, failure::Failure, origin, tickets::Viewer};
use crate::{clock, pass::Pass};

/// Nothing that a viewer says matters, so it may not be long.
const MAX_VIEWER_MESSAGE: usize = 1024;
/// Messages and pings that a viewer may send at once; one a second comes free again.
const MAX_VIEWER_MESSAGES: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");
const PING_EVERY: Duration = Duration::from_secs(20);
/// A viewer that has not answered a ping for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(60);
/// Longest that a viewer may take over saying goodbye.
const FAREWELL: Duration = Duration::from_secs(2);
const RETRY_AFTER: Duration = Duration::from_secs(10);

pub(crate) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
    Viewer(caller): Viewer,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    origin::check(&app.config, &headers)?;
    if caller.scope != Scope::Fleet {
        return Err(Failure::forbidden("forbidden", "the live feed shows the whole fleet"));
    }
    let upgrade = upgrade.map_err(|refused| Failure::new(refused.status(), "no_websocket", refused.body_text()))?;
    let seat = app.viewers.take(&caller.name).ok_or_else(|| {
        let message = "too many viewers; close one";
        Failure::too_many("too_many_viewers", message, RETRY_AFTER)
    })?;
    let tracked = app.sockets.token();
    Ok(upgrade.max_message_size(MAX_VIEWER_MESSAGE).max_frame_size(MAX_VIEWER_MESSAGE).on_upgrade(
        async move |mut socket| {
            let viewers = metrics::gauge!("bugbrother_dashboard_live_viewers");
            viewers.increment(1.0);
            let end = attend(&mut socket, &app, &caller.pass).await;
            metrics::counter!("bugbrother_dashboard_live_closed_total", "reason" => end.reason()).increment(1);
            end.say_goodbye(socket).await;
            viewers.decrement(1.0);
            drop((seat, tracked));
        },
    ))
}

/// Why a viewer's socket ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Gone,
    Stuck,
    SessionOver,
    Flood,
    Stopping,
}

/// Shows the fleet until there is a reason to end.
async fn attend(socket: &mut WebSocket, app: &App, pass: &Pass) -> End {
    let mut session_over = pin!(app.passes.over(pass));
    let mut shown = pin!(show(socket, app));
    tokio::select! {
        biased;
        () = app.stop.cancelled() => End::Stopping,
        () = &mut session_over => End::SessionOver,
        end = &mut shown => end,
    }
}

async fn show(socket: &mut WebSocket, app: &App) -> End {
    let hello = Frame::Hello { server: env!("CARGO_PKG_VERSION").to_owned(), now: clock::now() };
    let (snapshot, mut frames) = app.feed.join(clock::now());
    let patience = app.config.limits.write_time;
    for frame in [Bytes::from(encode(&hello)), snapshot] {
        if let Err(end) = send(socket, Message::Binary(frame), patience).await {
            return end;
        }
    }
    let said: DefaultDirectRateLimiter =
        RateLimiter::direct(Quota::per_second(NonZeroU32::MIN).allow_burst(MAX_VIEWER_MESSAGES));
    let mut heard = Instant::now();
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            frame = frames.recv() => match frame {
                Ok(frame) => Message::Binary(frame),
                Err(RecvError::Lagged(_)) => {
                    metrics::counter!("bugbrother_dashboard_live_resyncs_total").increment(1);
                    let (snapshot, fresh) = app.feed.join(clock::now());
                    frames = fresh;
                    Message::Binary(snapshot)
                }
                Err(RecvError::Closed) => return End::Stopping,
            },
            message = socket.recv() => match message {
                None | Some(Err(_) | Ok(Message::Close(_))) => return End::Gone,
                Some(Ok(_)) if said.check().is_err() => return End::Flood,
                Some(Ok(_)) => {
                    heard = Instant::now();
                    continue;
                }
            },
            _ = pings.tick() => {
                if heard.elapsed() > GONE_AFTER {
                    return End::Stuck;
                }
                Message::Ping(Bytes::new())
            }
        };
        if let Err(end) = send(socket, message, patience).await {
            return end;
        }
    }
}

/// Returns when the frame is in the operating system's hands: a socket never holds a second one.
async fn send(socket: &mut WebSocket, message: Message, patience: Duration) -> Result<(), End> {
    match timeout(patience, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Stuck),
    }
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            End::Gone => "gone",
            End::Stuck => "stuck",
            End::SessionOver => "session_over",
            End::Flood => "flood",
            End::Stopping => "stopping",
        }
    }

    async fn say_goodbye(self, mut socket: WebSocket) {
        let (code, reason) = match self {
            End::Gone | End::Stuck => return,
            End::SessionOver => (4401, "the session has ended"),
            End::Flood => (1008, "too many messages"),
            End::Stopping => (1001, "the server is stopping"),
        };
        let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
        let farewell = async {
            if socket.send(close).await.is_ok() {
                // Closing with something unread would reset the connection, and the viewer would not learn why.
                while let Some(Ok(_)) = socket.recv().await {}
            }
        };
        // A viewer that does not answer is left all the same.
        drop(timeout(FAREWELL, farewell).await);
    }
}
