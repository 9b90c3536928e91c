//! `/live`: the fleet over a WebSocket.

use std::{collections::HashSet, convert::Infallible, num::NonZeroU32, pin::pin, sync::Arc, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::HeaderMap,
    response::Response,
};
use bugbrother_store::MAX_PAGE;
use bugbrother_wire::{
    Vin,
    codec::decode_value,
    encode,
    live::{Delta, Frame, Snapshot, Want},
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{
    App,
    body::Params,
    caller::{Caller, Scope},
    failure::Failure,
    origin,
    sockets::{self, Lost, Pulse},
    tickets::Watcher,
};
use crate::{
    clock,
    feed::{self, Tick},
    pieces::{self, Pieces},
    view::View,
};

/// The longest wish names some 500 vehicles.
const MAX_VIEWER_MESSAGE: usize = 16 * 1024;
/// Messages and pings that a viewer may send at once; one a second comes free again.
const MAX_VIEWER_MESSAGES: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");
const PING_EVERY: Duration = Duration::from_secs(20);
/// A viewer that has not answered a ping for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(60);
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How a viewer begins.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Beginning {
    /// Nothing but hello is said before the viewer has said what it wants.
    #[serde(default)]
    quiet: Option<u8>,
}

pub(crate) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
    Params(Beginning { quiet }): Params<Beginning>,
    Watcher(caller): Watcher,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    origin::check(&app.config, &headers)?;
    let upgrade = upgrade.map_err(|refused| Failure::new(refused.status(), "no_websocket", refused.body_text()))?;
    let seat = app.viewers.take(&caller.name).ok_or_else(|| {
        let message = "too many viewers; close one";
        Failure::too_many("too_many_viewers", message, RETRY_AFTER)
    })?;
    let allowed = allowed(&app, &caller).await?;
    let tracked = app.sockets.token();
    Ok(upgrade.max_message_size(MAX_VIEWER_MESSAGE).max_frame_size(MAX_VIEWER_MESSAGE).on_upgrade(
        async move |mut socket| {
            let viewers = metrics::gauge!("bugbrother_dashboard_live_viewers");
            viewers.increment(1.0);
            let mut viewer = Viewer { socket: &mut socket, app: &app, view: View::new(allowed) };
            let end = viewer.attend(&caller, quiet.is_some()).await;
            metrics::counter!("bugbrother_dashboard_live_closed_total", "reason" => end.reason()).increment(1);
            end.say_goodbye(socket).await;
            viewers.decrement(1.0);
            drop((seat, tracked));
        },
    ))
}

/// The vehicles that the caller may know of; all without a set.
async fn allowed(app: &App, caller: &Caller) -> Result<Option<HashSet<Vin>>, Failure> {
    let client = match caller.scope {
        Scope::Fleet => return Ok(None),
        Scope::Nothing => return Ok(Some(HashSet::new())),
        Scope::Client(client) => client,
    };
    let mut allowed = HashSet::new();
    let mut after = None;
    loop {
        let page = app.config.store.client_vehicles(client, clock::now(), after, MAX_PAGE).await?;
        after = page.last().copied();
        allowed.extend(&page);
        if page.len() < MAX_PAGE as usize {
            return Ok(Some(allowed));
        }
    }
}

/// Why a viewer's socket ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Gone,
    Stuck,
    SessionOver,
    Flood,
    NotUnderstood,
    Stopping,
}

/// Somebody who watches.
struct Viewer<'a> {
    socket: &'a mut WebSocket,
    app: &'a App,
    view: View,
}

impl Viewer<'_> {
    /// Shows the fleet until there is a reason to end.
    async fn attend(&mut self, caller: &Caller, quiet: bool) -> End {
        let app = self.app;
        let mut session_over = pin!(app.passes.over(&caller.pass));
        let mut shown = pin!(self.show(caller, quiet));
        tokio::select! {
            biased;
            () = app.stop.cancelled() => End::Stopping,
            () = &mut session_over => End::SessionOver,
            end = &mut shown => end,
        }
    }

    async fn show(&mut self, caller: &Caller, quiet: bool) -> End {
        let end = self.follow(caller, quiet).await;
        end.err().unwrap_or(End::Gone)
    }

    /// Does not end but for a reason.
    async fn follow(&mut self, caller: &Caller, quiet: bool) -> Result<Infallible, End> {
        let feed = &self.app.feed;
        let hello = Frame::Hello {
            server: env!("CARGO_PKG_VERSION").to_owned(),
            now: clock::now(),
            feed: feed.identity.clone(),
        };
        self.send(encode(&hello)).await?;
        let mut tick = 0;
        let mut ticks = match quiet {
            true => None,
            false => Some(self.begin(None).await?),
        };
        let said: DefaultDirectRateLimiter =
            RateLimiter::direct(Quota::per_second(NonZeroU32::MIN).allow_burst(MAX_VIEWER_MESSAGES));
        let mut pulse = Pulse::new(PING_EVERY, GONE_AFTER);
        loop {
            tokio::select! {
                next = next(&mut ticks) => match next {
                    Ok(news) => {
                        tick = news.delta.tick;
                        self.tell(&news).await?;
                    }
                    Err(RecvError::Lagged(_)) => {
                        metrics::counter!("bugbrother_dashboard_live_resyncs_total").increment(1);
                        // The ticks that are still there are among what has changed since.
                        ticks = Some(self.begin((tick > 0).then(|| feed::shared(tick))).await?);
                    }
                    Err(RecvError::Closed) => return Err(End::Stopping),
                },
                message = self.socket.recv() => match message {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Err(End::Gone),
                    Some(Ok(_)) if said.check().is_err() => return Err(End::Flood),
                    Some(Ok(Message::Binary(wish))) => {
                        pulse.hear();
                        let since = self.want(&wish)?;
                        ticks = Some(self.begin(since).await?);
                    }
                    Some(Ok(_)) => pulse.hear(),
                },
                ping = pulse.beat() => {
                    let ping = ping?;
                    if self.view.allowed.is_some() {
                        self.look_again(caller).await?;
                    }
                    self.say(ping).await?;
                }
            }
        }
    }

    /// What the viewer wants, and the tick up to which it knows this feed.
    fn want(&mut self, wish: &[u8]) -> Result<Option<u64>, End> {
        let want: Want = decode_value(wish).map_err(|_| End::NotUnderstood)?;
        let since = want.since.as_ref().filter(|mark| mark.feed == self.app.feed.identity).map(|mark| mark.tick);
        self.view.want(want).map_err(|_| End::NotUnderstood)?;
        Ok(since)
    }

    /// Contracts begin and end, and vehicles come into them and leave: a change is told by a snapshot.
    async fn look_again(&mut self, caller: &Caller) -> Result<(), End> {
        // A database that does not answer changes nothing.
        let Ok(allowed) = allowed(self.app, caller).await else { return Ok(()) };
        if allowed == self.view.allowed {
            return Ok(());
        }
        self.view.allowed = allowed;
        let snapshot = self.app.feed.look(|fleet| self.view.snapshot(fleet, clock::now()));
        self.say_all(&pieces::of_snapshot(snapshot)).await
    }

    /// Says what has changed since a tick, or everything; then every tick is said.
    async fn begin(&mut self, since: Option<u64>) -> Result<Receiver<Arc<Tick>>, End> {
        let (feed, view, now) = (&self.app.feed, &mut self.view, clock::now());
        let (pieces, ticks) = if view.is_common() {
            let missed = since.and_then(|tick| feed.join_since(&view.signals, tick, now));
            missed.unwrap_or_else(|| feed.join_all(&view.signals, now))
        } else {
            enum Told {
                Since(Delta, u64),
                All(Snapshot),
            }
            let (told, ticks) = feed.join(|fleet| {
                let missed = since.and_then(|tick| Some(Told::Since(view.since(fleet, tick, now)?, tick)));
                missed.unwrap_or_else(|| Told::All(view.snapshot(fleet, now)))
            });
            // Encoded without keeping others from the fleet.
            let pieces = match told {
                Told::Since(delta, tick) => pieces::of_delta(delta, tick),
                Told::All(snapshot) => pieces::of_snapshot(snapshot),
            };
            (pieces, ticks)
        };
        let wholes = feed.look(|fleet| view.wholes(fleet, now));
        self.say_all(&pieces).await?;
        if let Some(wholes) = wholes {
            self.send(encode(&Frame::Delta(wholes))).await?;
        }
        Ok(ticks)
    }

    async fn tell(&mut self, tick: &Tick) -> Result<(), End> {
        if self.view.is_common() {
            self.say_all(&tick.encoded(&self.view.signals)).await?;
        }
        let feed = &self.app.feed;
        match self.view.take(tick, |look| feed.look(|fleet| look(fleet))) {
            Some(mine) => {
                let before = mine.tick - 1;
                self.say_all(&pieces::of_delta(mine, before)).await
            }
            None => Ok(()),
        }
    }

    async fn say_all(&mut self, pieces: &Pieces) -> Result<(), End> {
        for piece in pieces.iter() {
            self.say(Message::Binary(piece.clone())).await?;
        }
        Ok(())
    }

    async fn send(&mut self, frame: Vec<u8>) -> Result<(), End> {
        self.say(Message::Binary(frame.into())).await
    }

    async fn say(&mut self, message: Message) -> Result<(), End> {
        Ok(sockets::send(self.socket, message, self.app.config.limits.write_time).await?)
    }
}

/// The next tick; before the viewer has said what it wants there is none.
async fn next(ticks: &mut Option<Receiver<Arc<Tick>>>) -> Result<Arc<Tick>, RecvError> {
    match ticks {
        Some(ticks) => ticks.recv().await,
        None => std::future::pending().await,
    }
}

impl From<Lost> for End {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Gone => End::Gone,
            Lost::Stuck => End::Stuck,
        }
    }
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            End::Gone => "gone",
            End::Stuck => "stuck",
            End::SessionOver => "session_over",
            End::Flood => "flood",
            End::NotUnderstood => "not_understood",
            End::Stopping => "stopping",
        }
    }

    async fn say_goodbye(self, socket: WebSocket) {
        let (code, reason) = match self {
            End::Gone | End::Stuck => return,
            End::SessionOver => (4401, "the session has ended"),
            End::Flood => (1008, "too many messages"),
            End::NotUnderstood => (1007, "what the viewer wants is no wish within the limits"),
            End::Stopping => (1001, "the server is stopping"),
        };
        sockets::say_goodbye(socket, code, reason).await;
    }
}
