//! The dashboard's server: HTTP API for people and vehicles, live feed over WebSocket, and the embedded web app.
//!
//! # Layout
//! - [`run`]: the service; [`Config`] and [`Limits`]: what it is told
//! - [`SigningKey`], [`ensure_administrator`], [`reset_password`]: what has to be there before
//! - [`export`]: samples from the database into a file, a page at a time
//! - `fleet`: the fleet as it stands, and what viewers have not been told (pure)
//! - `downlink`: what is said on the broker; [`Heralding`]: how the fleet stands, for others; `notices`: where viewers are told to ask; `trial`: rules tried on history
//! - `feed`: the fleet shared, its deltas at a steady tick; `view`: what of them a viewer is told (pure); `pieces`: how
//!   it is cut into frames (pure); `subscription`: what arrives from the broker
//! - `token`, `refresh`, `pass`, `ticket`: what lets somebody in, for how long, and when it does so no more
//! - `password`, `second_factor`, `attempts`, `seats`, `turns`: who may come in, how often, how many, and at what cost
//! - `key`, `digest`, `user_agent`: what signs, how secrets are kept, what browsers call themselves
//! - `vehicle_pass`: what lets a vehicle in; [`library`]: files of photos and clips; `gardener`, `room`: what of them goes, when it is
//!   old and when there is no room; `darkroom`, `thumbnail`: small pictures of them; `films`: those that belong to alerts
//! - [`documents`]: files of contracts; [`issue_code`]: enrolment codes; `sheet`: vehicles out of spreadsheets (pure);
//!   `report`: statistics as files (pure); `calendar`: days where a person is
//! - `video`: cameras' live streams, each taken in once for all who look, from vehicles and from cameras that are reached here
//! - `http`: routes, extractors, answers, the WebSocket and the listener; `assets`: the app's files
//!
//! # Invariants
//! - A signal's latest value moves only forward in the vehicle's time, whatever arrives late.
//! - What many viewers want is encoded once for all of them, and no viewer has a queue: who falls behind gets what has
//!   changed meanwhile in one.
//! - Every refusal is an [`bugbrother_wire::api::Problem`] and is counted; none tells whether a user exists.
//! - Nobody sees the fleet without a token that runs, from an origin that is ours; an open socket ends with its session.
//! - What an export holds is a page and what its reader has not taken; a reader that stalls loses it.
//! - A camera's address is looked at before each connection, and the connection goes to what was looked at.
//! - No password, token, code, certificate or payload is ever logged.
//! - A wrong, a used and an expired enrolment code are refused alike.
//! - Strangers, from however many networks, use up no count that vehicles with a code or a certificate need.

mod administrator;
mod assets;
mod attempts;
mod calendar;
mod clock;
mod config;
mod darkroom;
mod digest;
pub mod documents;
mod downlink;
mod enrolment;
pub mod export;
mod feed;
mod films;
mod fleet;
mod gardener;
mod herald;
mod http;
mod key;
pub mod library;
mod notices;
mod pass;
mod passage;
mod password;
mod pieces;
mod refresh;
mod report;
mod room;
mod seats;
mod second_factor;
mod sheet;
mod subscription;
mod thumbnail;
mod ticket;
pub mod tiles;
mod token;
mod trial;
mod turns;
mod user_agent;
mod vehicle_pass;
mod video;
mod view;

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use bugbrother_store::StoreError;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

pub use administrator::{ADMINISTRATOR, NewPassword, ResetError, add_user, ensure_administrator, reset_password};
pub use config::{Config, Enrolment, Limits, Revoke, Trouble};
pub use enrolment::issue_code;
pub use herald::{Heralding, Prefix};
pub use key::{KeyError, SigningKey};
pub use report::page_of_text;

use crate::{
    attempts::{Attempts, Visits},
    darkroom::Bell,
    downlink::Downlink,
    feed::Feed,
    films::Films,
    fleet::Fleet,
    herald::Herald,
    http::{Overviews, Shared, Shows},
    notices::Notices,
    pass::Passes,
    passage::Passages,
    password::Passwords,
    room::Room,
    seats::Seats,
    subscription::Subscription,
    ticket::Tickets,
    token::Tokens,
    turns::Turns,
    vehicle_pass::VehiclePasses,
    video::Relay,
};

/// Trials of rules on history under way at a time.
const TRIALS: usize = 2;

/// Films that are made here at a time, each of which is in memory meanwhile.
const CLIPS: usize = 2;
/// Cameras that are tried at a time before they are added.
const TRYING: usize = 4;

/// Between two looks at who has stopped to play a camera.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Why the dashboard does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The fleet cannot be read.
    #[error("the dashboard cannot read the fleet")]
    Store(#[from] StoreError),
    /// An origin of another form.
    #[error("origin `{0}` is not of the form `https://host` or `http://host:port`, in lower case")]
    Origin(String),
    /// Sessions that end before they begin, or never.
    #[error("sessions and access tokens must last a second or more, and ten years or less")]
    SessionTtl,
    /// One of its parts panicked.
    #[error("a part of the dashboard failed")]
    Part(#[from] tokio::task::JoinError),
}

/// Serves the dashboard on `listener` until `shutdown`; then viewers are told, requests that run are answered, and
/// nothing is left running.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
    config.check()?;
    let feed = Arc::new(Feed::new(Fleet::new(config.limits.vehicles)));

    // Of its own: when one part fails, the others end too.
    let stop = shutdown.child_token();
    let options = subscription::options(config.mqtt.clone(), config.heralding.as_ref());
    let (publisher, events) = bugbrother_client::connect(options, stop.clone());
    let herald = config.heralding.clone().map(|heralding| {
        let max_vehicles = config.limits.vehicles;
        Arc::new(Herald::new(heralding, publisher.clone(), config.store.clone(), Arc::clone(&feed), max_vehicles))
    });
    let downlink = Arc::new(Downlink::new(publisher, config.store.clone()));
    let (ear, notices) = Notices::new(config.store.clone(), Arc::clone(&feed));
    let (films_ear, films) = Films::new(config.store.clone());
    let ears = subscription::Ears { news: ear, films: films_ear, herald: herald.clone() };
    let sockets = TaskTracker::new();
    let relay = Relay::new(
        downlink.asking_for_streams(),
        video::aim::finding(config.store.clone()),
        config.cameras.clone(),
        sockets.clone(),
        stop.clone(),
    );
    let subscription =
        Subscription::new(Arc::clone(&feed), config.store.clone(), Arc::clone(&downlink), ears, Arc::clone(&relay));
    if let Err(error) = subscription.refresh().await {
        stop.cancel();
        return Err(error.into());
    }
    let shared = Arc::new(Shared {
        tokens: Tokens::new(&config.key, config.access_ttl),
        passes: Passes::new(config.access_ttl),
        tickets: Tickets::default(),
        passwords: Passwords::new().await,
        attempts: Attempts::new(),
        passages: Passages::new(&config.key),
        vehicle_passes: VehiclePasses::new(&config.key),
        enrolments: Visits::new(),
        renewals: Visits::new(),
        desk: Turns::new((available_parallelism().map_or(1, usize::from) / 2).max(1)),
        viewers: Seats::new(config.limits.viewers_per_user, config.limits.viewers),
        watchers: Seats::new(config.limits.watchers_per_user, config.limits.watchers),
        relay: Arc::clone(&relay),
        shows: Shows::default(),
        clips: Turns::new(CLIPS),
        trying: Turns::new(TRYING),
        darkroom: Bell::default(),
        room: Room::new(config.limits.media_bytes, Arc::clone(&feed)),
        overviews: Overviews::default(),
        exports: Seats::new(config.limits.exports_per_user, config.limits.exports),
        feed: Arc::clone(&feed),
        downlink: Arc::clone(&downlink),
        trials: Turns::new(TRIALS),
        sockets: sockets.clone(),
        stop: stop.clone(),
        started: clock::now(),
        config,
    });

    shared.passes.ask(&shared.config.store).await?;
    let mut parts = JoinSet::new();
    parts.spawn(async move { subscription.run(events).await });
    let token = stop.clone();
    parts.spawn(async move { feed.run(token).await });
    let (follower, token) = (Arc::clone(&shared), stop.clone());
    parts.spawn(async move { follower.passes.follow(&follower.config.store, token).await });
    let token = stop.clone();
    parts.spawn(async move { downlink.run(token).await });
    if let Some(herald) = herald {
        let token = stop.clone();
        parts.spawn(async move { herald.run(token).await });
    }
    parts.spawn(notices.run(stop.clone()));
    let (follower, token) = (Arc::clone(&shared), stop.clone());
    parts.spawn(async move { films.run(&follower.downlink, &follower.feed, token).await });
    let (players, token) = (Arc::clone(&shared), stop.clone());
    parts.spawn(async move {
        let mut turns = tokio::time::interval(SWEEP_EVERY);
        while token.run_until_cancelled(turns.tick()).await.is_some() {
            players.shows.sweep();
        }
    });
    if let Some(library) = shared.config.library.clone() {
        let (store, bell) = (shared.config.store.clone(), shared.darkroom.clone());
        parts.spawn(gardener::tend(library.clone(), store.clone(), stop.clone()));
        parts.spawn(darkroom::work(library, store, Arc::clone(&shared.feed), bell, stop.clone()));
    }
    parts.spawn(http::serve(listener, shared));

    let mut outcome = Ok(());
    while let Some(ended) = parts.join_next().await {
        stop.cancel();
        outcome = outcome.and(ended.map_err(Error::from));
    }
    sockets.close();
    sockets.wait().await;
    info!("dashboard stopped");
    outcome
}
