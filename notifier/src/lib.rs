//! Rules on what vehicles say, and on their saying nothing, to alerts: retained on MQTT, stored, and told to people.
//!
//! # Layout
//! - [`run`]: the service
//! - [`desk`]: which alerts are active (pure); crate `bugbrother-rule` has one rule on one vehicle, moment by moment
//! - `takeover`: where the last notifier of a vehicle stopped; `late`: what came late, judged by what is stored
//! - `outgoing`: alerts on their way to the database and to the broker; `waiting`: their
//!   queue, in which vehicles take turns (pure)
//! - `rulebook`: the rules and what they look at, read again from time to time; `books`: maintenance and contracts
//! - [`share`]: which vehicles a notifier should look after (pure); `holding`: taking and giving them; `overheard`: what
//!   vehicles of others said a moment ago (pure)
//! - `part`: the desk, with what it is told and what it says; `again`: alerts that are told again
//! - [`post`]: alerts to people
//!
//! # Invariants
//! - One active alert for each rule and vehicle. It survives a restart of the notifier, which does not raise it again, and
//!   a restart of the broker, which keeps retained messages in memory alone.
//! - What is remembered of a vehicle is stored with the alerts that it raised, all or nothing: a restart neither forgets what
//!   had begun nor raises anything again.
//! - Late data never raises an alert that anybody is told of; silence is only counted while we would hear a vehicle that speaks.
//! - A vehicle raises an alert of a rule every 10 s at most, and what waits to be told of it leaves others their places.
//! - The loop that receives waits neither for the database nor for a publish.
//! - A vehicle is one notifier's. One that was paused and has lost it changes nothing when it wakes up: what it saves is
//!   refused by the database, and not said.

mod again;
mod books;
pub mod desk;
mod holding;
mod late;
mod outgoing;
mod overheard;
mod part;
pub mod post;
mod rulebook;
pub mod share;
mod takeover;
mod waiting;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bugbrother_client::{Event, Options, Qos, connect};
use bugbrother_store::{Store, StoreError};
use bugbrother_wire::{UnixMs, topic, unix_ms};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    desk::Desk,
    holding::Holding,
    outgoing::{Outgoing, Renamed},
    part::Part,
    post::Post,
};

const TICK: Duration = Duration::from_secs(1);
/// What the database may take at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// What is remembered of so many vehicles is stored in a second, beside what goes with alerts.
const KEPT_PER_TICK: usize = 200;

/// What the notifier works with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker, and the account there. The client identifier and the subscriptions are the notifier's own.
    pub mqtt: Options,
    /// The fleet database.
    pub store: Store,
    /// How people are told.
    pub post: post::Settings,
}

/// Why the notifier ended without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it has to know to begin cannot be read.
    #[error("the notifier cannot read where it left off")]
    Store(#[from] StoreError),
    /// Nothing can go out by HTTP.
    #[error("no HTTP client can be made: does this system trust any certificate authority (ca-certificates)?")]
    Http(#[from] reqwest::Error),
    /// The MQTT session is gone, which only a panic inside it can bring about.
    #[error("the MQTT session ended by itself")]
    Session,
}

/// Watches until `shutdown`.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let id = Uuid::new_v4().to_string();
    let mut holding = Holding::new(id.clone(), config.store.clone());
    let (outgoing, mut renamed) = Outgoing::new(holding.hand());
    let outgoing = Arc::new(outgoing);
    let (desk, _) = Desk::new(rulebook::read(&config.store).await?, Vec::new(), Vec::new(), now());
    let mut part = Part::new(desk, Arc::clone(&outgoing));
    while let Some(taken) = holding.first().await? {
        part.take(taken);
    }
    let tell = {
        let outgoing = Arc::clone(&outgoing);
        Arc::new(move |alert| outgoing.say([alert]))
    };
    let post = Post::new(config.store.clone(), config.post, tell)?;

    let options = Options {
        // Each its own: a broker ends the session of who had the same.
        client_id: format!("notifier-{id}"),
        subscriptions: vec![
            (topic::ALL_UP.to_owned(), Qos::AtLeastOnce),
            (topic::ALL_ALERTS.to_owned(), Qos::AtLeastOnce),
        ],
        ..config.mqtt
    };
    // The session outlives the shutdown by the last alerts.
    let session = CancellationToken::new();
    let (publisher, mut events) = connect(options, session.clone());
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(outgoing.clone().work(config.store.clone(), publisher, stop.clone()));
    again::follow(config.store.clone(), holding.hand(), Arc::clone(&outgoing), &tasks, stop.clone());
    let mut passages = holding.follow(Arc::clone(&outgoing), &tasks, stop.clone());
    let mut rules = rulebook::follow(config.store.clone(), &tasks, stop.clone());
    let mut books = books::follow(config.store.clone(), &tasks, stop.clone());
    let mut late = late::Bench::new(config.store.clone(), &tasks, stop.clone());
    tasks.spawn(post.run(outgoing.news(), stop.clone()));
    tasks.close();

    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Up) => {
                    part.desk.listen(now());
                    outgoing.repeat(part.desk.active());
                }
                Some(Event::Down { .. }) => part.desk.stop_listening(),
                Some(Event::Message(delivery)) => {
                    part.hear(&delivery);
                    delivery.ack();
                }
                None => break Err(Error::Session),
            },
            _ = ticks.tick() => {
                let changed = part.desk.tick(now());
                part.send(changed);
                outgoing.keep(part.desk.memories(KEPT_PER_TICK, now()));
                late.give(|| part.desk.take_late(now()));
            }
            Some(book) = rules.recv() => {
                let ended = part.desk.set_book(book, now());
                part.send(ended);
            }
            Some(books) = books.recv() => {
                let changed = part.desk.read(&books, now());
                part.send(changed);
            }
            Some((vin, span)) = late.failed.recv() => part.desk.mark_late(vin, span, now()),
            Some(passage) = passages.recv() => part.pass(passage),
            Some(Renamed { was, stored }) = renamed.recv() => part.desk.rename(was, &stored),
            () = shutdown.cancelled() => break Ok(()),
        }
    };

    outgoing.keep(part.desk.all_memories(now()));
    stop.cancel();
    tasks.wait().await;
    leave(&config.store, &id).await;
    session.cancel();
    while events.recv().await.is_some() {}
    info!("the notifier has left");
    result
}

/// Lets others have everything at once. Without a database they find out by themselves.
async fn leave(store: &Store, id: &str) {
    match timeout(LEAVE_TIMEOUT, store.leave(id)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            warn!(error, "the fleet database is not told that this notifier leaves");
        }
        Err(_) => warn!("the fleet database is too slow to be told that this notifier leaves"),
    }
}

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}
