use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bugbrother_client::{PublishError, Publisher, Qos};
use bugbrother_wire::{Epoch, Topic, Vin, encode, message::Ack, topic::Kind};
use metrics::counter;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

/// Outboxes whose acknowledgement may wait. One that finds no room is not lost: the vehicle sends the record again.
const MAX_WAITING: usize = 65_536;
/// For the last ones at a shutdown.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

type Waiting = BTreeMap<(Vin, Epoch), Ack>;

/// `down/ack`s that wait to be published, the newest of each outbox.
#[derive(Default)]
pub struct Acks {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

impl Acks {
    /// Has these published. Never waits.
    pub fn offer(&self, acks: Vec<Ack>) {
        let mut waiting = self.lock();
        for ack in acks {
            let outbox = (ack.vin, ack.epoch);
            if waiting.len() < MAX_WAITING || waiting.contains_key(&outbox) {
                waiting.insert(outbox, ack);
            } else {
                counter!("bugbrother_ingest_acks_dropped_total").increment(1);
            }
        }
        drop(waiting);
        self.wake();
    }

    /// There is something to publish, or a connection to publish on.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Publishes what is offered until `last`, and then what is left.
    pub async fn publish(self: Arc<Self>, publisher: Publisher, last: CancellationToken) {
        loop {
            tokio::select! {
                () = self.wake.notified() => self.publish_all(&publisher).await,
                () = last.cancelled() => break,
            }
        }
        // What is not said now is said when the vehicle sends again.
        timeout(LAST_TIMEOUT, self.publish_all(&publisher)).await.ok();
    }

    async fn publish_all(&self, publisher: &Publisher) {
        let mut batch = mem::take(&mut *self.lock());
        while let Some((outbox, ack)) = batch.pop_first() {
            let topic = Topic::new(ack.vin, Kind::Ack).to_string();
            // The receipt is of no use: what gets lost with the connection is said when the vehicle sends again.
            match publisher.publish(topic, encode(&ack), Qos::AtLeastOnce, true).await {
                Ok(_) => counter!("bugbrother_ingest_acks_published_total").increment(1),
                Err(PublishError::NotConnected) => {
                    batch.insert(outbox, ack);
                    self.put_back(batch);
                    return;
                }
                Err(_) => counter!("bugbrother_ingest_acks_dropped_total").increment(1),
            }
        }
    }

    fn put_back(&self, mut older: Waiting) {
        let mut waiting = self.lock();
        older.append(&mut waiting);
        *waiting = older;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // The map is whole between any two statements.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
