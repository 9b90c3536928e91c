//! Rules on what vehicles say, and on their saying nothing, to alerts: retained on MQTT and stored.
//!
//! # Layout
//! - [`run`]: the service
//! - [`desk`]: which alerts are active (pure); crate `bugbrother-rule` has one rule on one vehicle, sample by sample
//! - `outgoing`: alerts on their way to the database and to the broker; `waiting`: their
//!   queue, in which vehicles take turns (pure)
//! - `rulebook`: the rules, read again from time to time
//! - [`share`]: which vehicles a notifier should look after (pure); `holding`: taking and giving them; `overheard`: what
//!   vehicles of others said a moment ago (pure)
//! - `again`: alerts that are told again
//!
//! # Invariants
//! - One active alert for each rule and vehicle. It survives a restart of the notifier, which does not raise it again, and
//!   a restart of the broker, which keeps retained messages in memory alone.
//! - Late data never raises an alert; silence is only counted while we would hear a vehicle that speaks.
//! - A vehicle raises an alert of a rule every 10 s at most, and what waits to be told of it leaves others their places.
//! - The loop that receives waits neither for the database nor for a publish.
//! - A vehicle is one notifier's. One that was paused and has lost it changes nothing when it wakes up: what it saves is
//!   refused by the database, and not said.

mod again;
pub mod desk;
mod holding;
mod outgoing;
mod overheard;
mod rulebook;
pub mod share;
mod waiting;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bugbrother_client::{Delivery, Event, Options, Qos, connect};
use bugbrother_store::{SHARDS, Store, StoreError, shard_of};
use bugbrother_wire::{
    Message, Topic, UnixMs, Vin, judge_present,
    message::{Alert, AlertState},
    topic::{self, Kind},
    unix_ms,
};
use bytes::Bytes;
use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    desk::Desk,
    holding::{Hand, Holding, Passage, Taken},
    outgoing::{Outgoing, Renamed},
    overheard::Overheard,
};

const TICK: Duration = Duration::from_secs(1);
/// What the database may take at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

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
    let id = Uuid::new_v4().to_string();
    let mut holding = Holding::new(id.clone(), config.store.clone());
    let hand = holding.hand();
    let (outgoing, mut renamed) = Outgoing::new(Arc::clone(&hand));
    let outgoing = Arc::new(outgoing);
    let (desk, _) = Desk::new(config.store.rules().await?, Vec::new(), Vec::new(), now());
    let mut part = Part { desk, outgoing: Arc::clone(&outgoing), shards: BTreeSet::new(), overheard: Overheard::default() };
    part.take(holding.first().await?);

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
    let mut passages = holding.follow(Arc::clone(&outgoing), &tasks, stop.clone());
    again::follow(config.store.clone(), Arc::clone(&hand), outgoing, &tasks, stop.clone());
    let mut rules = rulebook::follow(config.store.clone(), &tasks, stop.clone());
    tasks.close();

    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Up) => {
                    part.desk.listen(now());
                    part.outgoing.repeat(part.desk.active());
                }
                Some(Event::Down { .. }) => part.desk.stop_listening(),
                Some(Event::Message(delivery)) => {
                    part.hear(&delivery);
                    delivery.ack();
                }
                None => break Err(Error::Session),
            },
            _ = ticks.tick() => {
                let opened = part.desk.tick(now());
                part.send(opened);
            }
            Some(rules) = rules.recv() => {
                let ended = part.desk.set_rules(rules, now());
                part.send(ended);
            }
            Some(passage) = passages.recv() => part.pass(passage),
            Some(Renamed { was, stored }) = renamed.recv() => part.desk.rename(was, &stored),
            () = shutdown.cancelled() => break Ok(()),
        }
    };

    stop.cancel();
    tasks.wait().await;
    let memories = part.release(&(0..SHARDS).collect::<Vec<_>>());
    leave(&config.store, &hand, &id, &memories).await;
    session.cancel();
    while events.recv().await.is_some() {}
    info!("the notifier has left");
    result
}

/// Lets others have everything at once. Without a database they find out by themselves.
async fn leave(store: &Store, hand: &Hand, id: &str, memories: &[(Vin, String)]) {
    let left = timeout(LEAVE_TIMEOUT, async {
        holding::keep(store, &hand.held(), memories).await?;
        store.leave(id).await
    });
    match left.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            warn!(error, "the fleet database does not take what this notifier leaves");
        }
        Err(_) => warn!("the fleet database is too slow to take what this notifier leaves"),
    }
}

/// The vehicles that this notifier looks after, and what it hears of the others.
struct Part {
    desk: Desk,
    outgoing: Arc<Outgoing>,
    shards: BTreeSet<u8>,
    overheard: Overheard<Delivered>,
}

/// Topic and payload of a message.
type Delivered = (String, Bytes);

impl Part {
    fn hear(&mut self, delivery: &Delivery) {
        let Ok(Topic { vin, kind }) = delivery.topic.parse() else { return };
        if self.shards.contains(&shard_of(vin)) {
            let changed = read(delivery, (vin, kind), &mut self.desk, &self.outgoing);
            self.send(changed);
        // What the broker has kept from before says nothing new, and alerts are the database's to know.
        } else if !delivery.retained && !matches!(kind, Kind::Alert(_)) {
            let delivered = (delivery.topic.clone(), delivery.payload.clone());
            self.overheard.keep(vin, delivered, delivery.payload.len(), now());
        }
    }

    fn pass(&mut self, passage: Passage) {
        match passage {
            Passage::Took(taken) => self.take(taken),
            Passage::Lost(shards) => drop(self.release(&shards)),
            Passage::Give(shards, answer) => {
                // Whoever asked may be gone: then everything is.
                answer.send(self.release(&shards)).ok();
            }
        }
    }

    /// Goes on where others stopped, with what was heard since.
    fn take(&mut self, Taken { shards, vehicles, ended }: Taken) {
        let now = now();
        let mut changed = Vec::new();
        for (vin, adopted) in vehicles {
            changed.extend(self.desk.adopt(vin, adopted, now));
        }
        // They may not have come to say it.
        self.outgoing.repeat(self.desk.active().filter(|alert| shards.contains(&shard_of(alert.vin))));
        for (vin, id) in ended {
            self.outgoing.clear(vin, id);
        }
        for (heard, (topic, payload)) in self.overheard.take(&shards, now) {
            if let Ok((topic, message)) = judge_present(&topic, &payload, heard) {
                changed.extend(self.desk.hear(topic.vin, &message, false, heard));
            }
        }
        self.shards.extend(shards);
        self.send(changed);
    }

    /// Lets go of vehicles. Returns what is to be kept of them.
    fn release(&mut self, shards: &[u8]) -> Vec<(Vin, String)> {
        self.shards.retain(|shard| !shards.contains(shard));
        let vins: Vec<Vin> = self.desk.vins().filter(|vin| shards.contains(&shard_of(*vin))).collect();
        vins.into_iter().filter_map(|vin| Some((vin, self.desk.release(vin)?))).collect()
    }

    fn send(&self, changed: Vec<Alert>) {
        send(&self.outgoing, &self.desk, changed);
    }
}

/// The alerts that a message changed. What cannot be read is ingest's to keep.
fn read(delivery: &Delivery, of: (Vin, Kind), desk: &mut Desk, outgoing: &Outgoing) -> Vec<Alert> {
    // Our own words come back, also those that this version would not take.
    if let (vin, Kind::Alert(id)) = of {
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
