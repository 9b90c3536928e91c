//! Takes what vehicles say from the broker into the fleet database, and tells them what is safe there.
//!
//! # Layout
//! - [`run`]: the service
//! - [`verdict`]: whether a payload can be taken (pure)
//! - `intake`: gathering what arrives into batches
//! - `ledger`: committing a batch, however long the database takes to be well again; [`Health`]: whether it is
//! - `acks`: saying `down/ack`
//! - `keeper`: folding what was stored into its lasting form; `remove`: removing what is not needed any more
//!
//! # Invariants
//! - The order is commit, PUBACK, `down/ack`. Nothing is acknowledged that would not survive a power cut.
//! - Nothing that a vehicle sends stops anybody: what cannot be taken becomes a dead letter and its record counts as done.
//! - The loop that receives never waits for a publish: the broker may be waiting for it to receive. While a batch is
//!   committed the next one is received and judged, and no more than that: a database that is slow slows the broker down.
//! - Everything is bounded: a batch in messages, bytes and time; `down/ack`s that wait by outbox, the newest replacing
//!   the one before.

mod acks;
mod health;
mod intake;
mod keeper;
mod ledger;
mod remove;
pub mod verdict;

use std::{sync::Arc, time::SystemTime};

use bugbrother_client::{Delivery, Options, Qos, connect};
use bugbrother_store::{Arrival, Store};
use bugbrother_trace::Stage;
use bugbrother_wire::{Message, UnixMs, topic, unix_ms};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;
use uuid::Uuid;

pub use health::Health;

use crate::{
    acks::Acks,
    intake::{Batch, gather},
    keeper::Keeper,
    ledger::Ledger,
};

/// What ingest works with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker, and the account there. The client identifier and the subscription are ingest's own. The largest packet
    /// must be at least the broker's: a larger one would end the connection.
    pub mqtt: Options,
    /// The fleet database.
    pub store: Store,
    /// Shares the fleet's messages with other workers of that group (`$share/{group}/…`), on a broker that can do so.
    pub shared_group: Option<String>,
    /// Is kept up to date.
    pub health: Health,
}

/// Why ingest ended without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The MQTT session is gone, which only a panic inside it can bring about.
    #[error("the MQTT session ended by itself")]
    Session,
    /// A group that no broker would take.
    #[error("shared group `{0}` is not of the form of a topic level: no `/`, `+`, `#`, and not empty")]
    Group(String),
}

/// Most `down/ack`s that the broker has not acknowledged: it does so when they are on its disk, and writes many at once.
const ACKS_WINDOW: usize = 500;

/// Messages that the broker may have under way to ingest: while some of them are committed, as many come in.
const BACKLOG: usize = 4_096;

/// Takes in what arrives until `shutdown`; then commits and acknowledges what it holds and leaves.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let filter = match &config.shared_group {
        None => topic::ALL_UP.to_owned(),
        Some(group) if group.is_empty() || group.contains(['/', '+', '#', '\0']) => {
            return Err(Error::Group(group.clone()));
        }
        Some(group) => format!("$share/{group}/{}", topic::ALL_UP),
    };
    // Each its own: a broker ends the session of who had the same, and another site's ingest may be there as well.
    let client_id = format!("ingest-{}", Uuid::new_v4().simple());
    let options = Options {
        client_id,
        subscriptions: vec![(filter, Qos::AtLeastOnce)],
        window: ACKS_WINDOW,
        backlog: BACKLOG,
        ..config.mqtt
    };
    // The session outlives the shutdown by the last acknowledgements.
    let session = CancellationToken::new();
    let (publisher, mut events) = connect(options, session.clone());
    let acks = Arc::new(Acks::default());
    let keeper = Arc::new(Keeper::new(config.store.clone()));
    let tasks = TaskTracker::new();
    let last_acks = CancellationToken::new();
    tasks.spawn(acks.clone().publish(publisher, last_acks.clone()));
    let house = shutdown.child_token();
    tasks.spawn(keeper.clone().run(house.clone()));

    let (batches, taken) = mpsc::channel(1);
    let ledger = Ledger::new(config.store, config.health);
    let committer = tokio::spawn(commit(ledger, taken, Arc::clone(&acks), keeper, shutdown.clone()));
    let turn = Arc::new(Semaphore::new(1));
    while let Some(batch) = gather(&mut events, &acks, &turn, &shutdown).await {
        if batches.send(batch).await.is_err() {
            break;
        }
    }
    drop(batches);
    // A panic there has been told.
    committer.await.ok();

    last_acks.cancel();
    house.cancel();
    tasks.close();
    tasks.wait().await;
    session.cancel();
    while events.recv().await.is_some() {}
    if !shutdown.is_cancelled() {
        return Err(Error::Session);
    }
    info!("ingest has left");
    Ok(())
}

/// Commits batches one after the other and acknowledges them.
async fn commit(
    ledger: Ledger,
    mut batches: mpsc::Receiver<Batch>,
    acks: Arc<Acks>,
    keeper: Arc<Keeper>,
    shutdown: CancellationToken,
) {
    while let Some(Batch { deliveries, arrivals, has_waited, turn }) = batches.recv().await {
        if has_waited {
            keeper.give_way();
        }
        let Some(committed) = ledger.commit(&arrivals, &shutdown).await else { break };
        arrivals.iter().for_each(|arrival| follow(arrival, now()));
        deliveries.iter().for_each(Delivery::ack);
        acks.offer(committed.acks);
        keeper.take(&committed.waiting);
        drop(turn);
    }
}

/// Tells of what was measured how it came here and was stored, if it is one of the records that are followed.
fn follow(arrival: &Arrival, committed: UnixMs) {
    if let Ok(Message::Telemetry(batch) | Message::Backfill(batch)) = &arrival.content
        && let Some(record) = bugbrother_trace::followed(batch)
    {
        let measured = batch.last_ts().unwrap_or(arrival.received_ts);
        bugbrother_trace::took(record, Stage::Arrive, measured, arrival.received_ts);
        bugbrother_trace::took(record, Stage::Store, arrival.received_ts, committed);
    }
}

fn arrival(delivery: &Delivery, received_ts: UnixMs) -> Arrival {
    Arrival {
        received_ts,
        topic: delivery.topic.clone(),
        payload: delivery.payload.clone(),
        content: verdict::judge(&delivery.topic, &delivery.payload, received_ts),
    }
}

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}
