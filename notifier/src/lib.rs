//! Rules on what vehicles say, and on their saying nothing, to alerts: retained on MQTT and stored.
//!
//! # Layout
//! - [`run`]: the service
//! - [`desk`]: which alerts are active (pure); crate `bugbrother-rule` has one rule on one vehicle, moment by moment
//! - `takeover`: where the last notifier stopped; `late`: what came late, judged by what is stored
//! - `outgoing`: alerts on their way to the database and to the broker; `waiting`: their
//!   queue, in which vehicles take turns (pure)
//! - `rulebook`: the rules and what they look at, read again from time to time; `books`: maintenance and contracts
//!
//! # Invariants
//! - One active alert for each rule and vehicle. It survives a restart of the notifier, which does not raise it again, and
//!   a restart of the broker, which keeps retained messages in memory alone.
//! - What is remembered of a vehicle is stored with the alerts that it raised, all or nothing: a restart neither forgets what
//!   had begun nor raises anything again.
//! - Late data never raises an alert that anybody is told of; silence is only counted while we would hear a vehicle that speaks.
//! - A vehicle raises an alert of a rule every 10 s at most, and what waits to be told of it leaves others their places.
//! - The loop that receives waits neither for the database nor for a publish.

mod books;
pub mod desk;
mod late;
mod outgoing;
mod rulebook;
mod takeover;
mod waiting;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bugbrother_client::{Delivery, Event, Options, Qos, connect};
use bugbrother_store::{Store, StoreError};
use bugbrother_wire::{
    Message, Topic, UnixMs, Vin, judge_present,
    message::{Alert, AlertState},
    topic::{self, Kind},
    unix_ms,
};
use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::{desk::Desk, outgoing::Outgoing};

const TICK: Duration = Duration::from_secs(1);
/// What is remembered of so many vehicles is stored in a second, beside what goes with alerts.
const KEPT_PER_TICK: usize = 200;

/// What the notifier works with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker, and the account there. The client identifier and the subscriptions are the notifier's own.
    pub mqtt: Options,
    /// The fleet database.
    pub store: Store,
}

/// Why the notifier ended without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What it has to know to begin cannot be read.
    #[error("the notifier cannot read where it left off")]
    Store(#[from] StoreError),
    /// The MQTT session is gone, which only a panic inside it can bring about.
    #[error("the MQTT session ended by itself")]
    Session,
}

/// Watches until `shutdown`.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let (mut desk, changed) = takeover::load(&config.store, now()).await?;
    let outgoing = Arc::new(Outgoing::default());
    send(&outgoing, &mut desk, changed);

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
    let mut rules = rulebook::follow(config.store.clone(), &tasks, stop.clone());
    let mut books = books::follow(config.store.clone(), &tasks, stop.clone());
    let mut late = late::Bench::new(config.store, &tasks, stop.clone());
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
                    send(&outgoing, &mut desk, changed);
                }
                None => break Err(Error::Session),
            },
            _ = ticks.tick() => {
                let changed = desk.tick(now());
                send(&outgoing, &mut desk, changed);
                outgoing.keep(desk.memories(KEPT_PER_TICK, now()));
                late.give(|| desk.take_late(now()));
            }
            Some(book) = rules.recv() => {
                let ended = desk.set_book(book, now());
                send(&outgoing, &mut desk, ended);
            }
            Some(books) = books.recv() => {
                let changed = desk.read(&books, now());
                send(&outgoing, &mut desk, changed);
            }
            Some((vin, span)) = late.failed.recv() => desk.mark_late(vin, span, now()),
            () = shutdown.cancelled() => break Ok(()),
        }
    };

    outgoing.keep(desk.all_memories(now()));
    stop.cancel();
    tasks.wait().await;
    session.cancel();
    while events.recv().await.is_some() {}
    info!("the notifier has left");
    result
}

/// The alerts that a message changed. What cannot be read is ingest's to keep.
fn read(delivery: &Delivery, desk: &mut Desk, outgoing: &Outgoing) -> Vec<Alert> {
    // Our own words come back, also those that this version would not take.
    if let Ok(Topic { vin, kind: Kind::Alert(id) }) = delivery.topic.parse() {
        // One that the broker has kept from before, and nobody knows, is of an alert that ended while it could not be
        // told, or that somebody acknowledged in the same moment.
        if !delivery.payload.is_empty() && !desk.is_active(vin, id) && (delivery.retained || !is_end(delivery)) {
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

/// Has alerts that changed stored and told, with what is remembered of their vehicles.
fn send(outgoing: &Outgoing, desk: &mut Desk, changed: Vec<Alert>) {
    if changed.is_empty() {
        return;
    }
    let now = now();
    let vins: BTreeSet<Vin> = changed.iter().map(|alert| alert.vin).collect();
    outgoing.keep(vins.into_iter().filter_map(|vin| Some((vin, desk.memory(vin, now)?))));
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
