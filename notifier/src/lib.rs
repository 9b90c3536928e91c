//! Rules on what vehicles say, and on their saying nothing, to alerts: retained on MQTT, stored, and told to people.
//!
//! # Layout
//! - [`run`]: the service
//! - [`desk`]: which alerts are active (pure); crate `bugbrother-rule` has one rule on one vehicle, sample by sample
//! - `outgoing`: alerts on their way to the database and to the broker; `waiting`: their
//!   queue, in which vehicles take turns (pure)
//! - `rulebook`: the rules, read again from time to time
//! - [`post`]: alerts to people
//!
//! # Invariants
//! - One active alert for each rule and vehicle. It survives a restart of the notifier, which does not raise it again, and
//!   a restart of the broker, which keeps retained messages in memory alone.
//! - Late data never raises an alert; silence is only counted while we would hear a vehicle that speaks.
//! - A vehicle raises an alert of a rule every 10 s at most, and what waits to be told of it leaves others their places.
//! - The loop that receives waits neither for the database nor for a publish.

pub mod desk;
mod outgoing;
pub mod post;
mod rulebook;
mod waiting;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bugbrother_client::{Delivery, Event, Options, Qos, connect};
use bugbrother_store::{MAX_PAGE, Store, StoreError};
use bugbrother_wire::{
    Message, Topic, UnixMs, judge_present,
    message::{Alert, AlertState},
    topic::{self, Kind},
    unix_ms,
};
use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::{desk::Desk, outgoing::Outgoing, post::Post};

const TICK: Duration = Duration::from_secs(1);

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
    let (mut desk, ended) = load(&config.store).await?;
    let outgoing = Arc::new(Outgoing::default());
    let tell = {
        let outgoing = outgoing.clone();
        Arc::new(move |alert| outgoing.send([alert]))
    };
    let post = Post::new(config.store.clone(), config.post, tell)?;
    send(&outgoing, &desk, ended);

    let options = Options {
        client_id: "notifier".into(),
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
    tasks.spawn(post.run(outgoing.stored(), stop.clone()));
    let mut rules = rulebook::follow(config.store, &tasks, stop.clone());
    tasks.close();

    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Up) => {
                    desk.listen(now());
                    outgoing.repeat(desk.active());
                }
                Some(Event::Down { .. }) => desk.stop_listening(),
                Some(Event::Message(delivery)) => {
                    let changed = read(&delivery, &mut desk, &outgoing);
                    delivery.ack();
                    send(&outgoing, &desk, changed);
                }
                None => break Err(Error::Session),
            },
            _ = ticks.tick() => {
                let opened = desk.tick(now());
                send(&outgoing, &desk, opened);
            }
            Some(rules) = rules.recv() => {
                let ended = desk.set_rules(rules, now());
                send(&outgoing, &desk, ended);
            }
            () = shutdown.cancelled() => break Ok(()),
        }
    };

    stop.cancel();
    tasks.wait().await;
    session.cancel();
    while events.recv().await.is_some() {}
    info!("the notifier has left");
    result
}

async fn load(store: &Store) -> Result<(Desk, Vec<Alert>), StoreError> {
    let mut vehicles = Vec::new();
    loop {
        let after = vehicles.last().map(|vehicle: &bugbrother_store::VehicleState| vehicle.vin);
        let page = store.vehicles(after, 1000).await?;
        if page.is_empty() {
            break;
        }
        vehicles.extend(page);
    }
    let mut alerts = store.active_alerts(MAX_PAGE).await?;
    alerts.retain(|alert| alert.rule != post::RULE);
    Ok(Desk::new(store.rules().await?, vehicles, alerts, now()))
}

/// The alerts that a message changed. What cannot be read is ingest's to keep.
fn read(delivery: &Delivery, desk: &mut Desk, outgoing: &Outgoing) -> Vec<Alert> {
    // Our own words come back, also those that this version would not take.
    if let Ok(Topic { vin, kind: Kind::Alert(id) }) = delivery.topic.parse() {
        // One that the broker has kept from before, and nobody knows, is of an alert that ended while it could not be
        // told, or that somebody acknowledged in the same moment.
        let is_unknown = !delivery.payload.is_empty() && !desk.is_active(vin, id);
        if is_unknown && !is_of_post(delivery) && (delivery.retained || !is_end(delivery)) {
            outgoing.clear(vin, id);
        }
        return Vec::new();
    }
    let now = now();
    match judge_present(&delivery.topic, &delivery.payload, now) {
        Ok((topic, message)) => desk.hear(topic.vin, &message, delivery.retained, now),
        Err(refused) => {
            counter!("bugbrother_notifier_refused_total", "reason" => refused.reason()).increment(1);
            Vec::new()
        }
    }
}

/// Whether it is the last word on an alert, after which its topic is cleared anyway.
fn is_end(delivery: &Delivery) -> bool {
    let said = judge_present(&delivery.topic, &delivery.payload, now());
    matches!(said, Ok((_, Message::Alert(alert))) if alert.state == AlertState::Resolved)
}

/// Whether it says that a channel does not work, which is no rule's to end.
fn is_of_post(delivery: &Delivery) -> bool {
    let said = judge_present(&delivery.topic, &delivery.payload, now());
    matches!(said, Ok((_, Message::Alert(alert))) if alert.rule == post::RULE && alert.state != AlertState::Resolved)
}

fn send(outgoing: &Outgoing, desk: &Desk, changed: Vec<Alert>) {
    if changed.is_empty() {
        return;
    }
    for alert in &changed {
        if alert.state == AlertState::Resolved {
            counter!("bugbrother_notifier_alerts_resolved_total").increment(1);
        } else {
            counter!("bugbrother_notifier_alerts_changed_total").increment(1);
        }
    }
    gauge!("bugbrother_notifier_alerts_active").set(desk.active().count() as f64);
    outgoing.send(changed);
}

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}
