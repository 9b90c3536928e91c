//! Takes what vehicles say from the broker into the fleet database, and tells them what is safe there.
//!
//! # Layout
//! - [`run`]: the service
//! - [`verdict`]: whether a payload can be taken (pure)
//! - `intake`: gathering what arrives into batches
//! - `ledger`: committing a batch, however long the database takes to be well again
//! - `acks`: saying `down/ack`
//!
//! # Invariants
//! - The order is commit, PUBACK, `down/ack`. Nothing is acknowledged that would not survive a power cut.
//! - Nothing that a vehicle sends stops anybody: what cannot be taken becomes a dead letter and its record counts as done.
//! - The loop that receives never waits for a publish: the broker may be waiting for it to receive.
//! - Everything is bounded: a batch in messages, bytes and time; `down/ack`s that wait by outbox, the newest replacing
//!   the one before.

mod acks;
mod intake;
mod ledger;
pub mod verdict;

use std::{sync::Arc, time::SystemTime};

use bugbrother_client::{Delivery, Options, Qos, connect};
use bugbrother_store::{Arrival, Store};
use bugbrother_wire::{UnixMs, topic, unix_ms};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::{acks::Acks, intake::gather, ledger::Ledger};

/// What ingest works with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The broker, and the account there. The client identifier and the subscription are ingest's own. The largest packet
    /// must be at least the broker's: a larger one would end the connection.
    pub mqtt: Options,
    /// The fleet database.
    pub store: Store,
}

/// Why ingest ended without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The MQTT session is gone, which only a panic inside it can bring about.
    #[error("the MQTT session ended by itself")]
    Session,
}

/// Takes in what arrives until `shutdown`; then commits and acknowledges what it holds and leaves.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let options = Options {
        client_id: "ingest".into(),
        subscriptions: vec![(topic::ALL_UP.to_owned(), Qos::AtLeastOnce)],
        ..config.mqtt
    };
    // The session outlives the shutdown by the last acknowledgements.
    let session = CancellationToken::new();
    let (publisher, mut events) = connect(options, session.clone());
    let acks = Arc::new(Acks::default());
    let tasks = TaskTracker::new();
    let last_acks = CancellationToken::new();
    tasks.spawn(acks.clone().publish(publisher, last_acks.clone()));
    tasks.close();

    let ledger = Ledger::new(config.store);
    while let Some(deliveries) = gather(&mut events, &acks, &shutdown).await {
        let now = now();
        let arrivals: Vec<Arrival> = deliveries.iter().map(|delivery| arrival(delivery, now)).collect();
        let Some(committed) = ledger.commit(&arrivals, &shutdown).await else { break };
        deliveries.iter().for_each(Delivery::ack);
        acks.offer(committed.acks);
    }

    last_acks.cancel();
    tasks.wait().await;
    session.cancel();
    while events.recv().await.is_some() {}
    if !shutdown.is_cancelled() {
        return Err(Error::Session);
    }
    info!("ingest has left");
    Ok(())
}

fn arrival(delivery: &Delivery, received_ts: UnixMs) -> Arrival {
    Arrival {
        received_ts,
        topic: delivery.topic.clone(),
        payload: delivery.payload.clone(),
        content: verdict::judge(&delivery.topic, &delivery.payload),
    }
}

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}
