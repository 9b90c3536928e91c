use std::time::{Duration, Instant};

use bugbrother_store::{Arrival, Committed, Place, Refusal, Store, StoreError};
use metrics::{counter, gauge, histogram};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::Health;

/// Between two tries of a database that fails.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Commits batches and counts what became of them.
pub struct Ledger {
    store: Store,
    health: Health,
}

impl Ledger {
    pub fn new(store: Store, health: Health) -> Self {
        gauge!("bugbrother_ingest_healthy").set(1.0);
        Ledger { store, health }
    }

    /// Commits a batch. A database that fails is asked again for as long as it takes, and nothing is received meanwhile;
    /// `None` when the shutdown comes first.
    pub async fn commit(&self, arrivals: &[Arrival], shutdown: &CancellationToken) -> Option<Committed> {
        let mut wait = FIRST_WAIT;
        let mut failures = 0u32;
        loop {
            let began = Instant::now();
            match self.try_commit(arrivals).await {
                Ok(committed) => {
                    if failures > 0 {
                        info!(failures, "the fleet database takes records again");
                        gauge!("bugbrother_ingest_healthy").set(1.0);
                        self.health.is_well();
                    }
                    count(arrivals, &committed, began.elapsed());
                    return Some(committed);
                }
                Err(failure) => {
                    counter!("bugbrother_ingest_commit_failures_total").increment(1);
                    gauge!("bugbrother_ingest_healthy").set(0.0);
                    self.health.is_ill(failure.word(), arrivals.len());
                    if failures == 0 {
                        let failure: &dyn std::error::Error = &failure;
                        error!(failure, messages = arrivals.len(), "the fleet database takes no records; trying again");
                    }
                    failures += 1;
                }
            }
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                () = shutdown.cancelled() => return None,
            }
        }
    }

    async fn try_commit(&self, arrivals: &[Arrival]) -> Result<Committed, StoreError> {
        match self.store.commit(arrivals).await {
            Err(error) if error.is_about_content() => self.commit_apart(arrivals).await,
            other => other,
        }
    }

    /// One of them holds what the schema does not: each goes in by itself, and the one that cannot is a dead letter.
    async fn commit_apart(&self, arrivals: &[Arrival]) -> Result<Committed, StoreError> {
        let mut all = Committed::default();
        for arrival in arrivals {
            let one = match self.store.commit(std::slice::from_ref(arrival)).await {
                Err(error) if error.is_about_content() => self.store.commit(&[bury(arrival)]).await?,
                other => other?,
            };
            all.add(one);
        }
        Ok(all)
    }
}

fn bury(arrival: &Arrival) -> Arrival {
    let place = match &arrival.content {
        Ok(message) => message.as_record().map(Place::of),
        Err(refusal) => refusal.place,
    };
    Arrival { content: Err(Refusal { reason: "database", place }), ..arrival.clone() }
}

fn count(arrivals: &[Arrival], committed: &Committed, took: Duration) {
    counter!("bugbrother_ingest_messages_total").increment(arrivals.len() as u64);
    counter!("bugbrother_ingest_records_stored_total").increment(committed.stored);
    counter!("bugbrother_ingest_records_duplicate_total").increment(committed.duplicates);
    counter!("bugbrother_ingest_records_scattered_total").increment(committed.scattered);
    counter!("bugbrother_ingest_dead_letters_dropped_total").increment(committed.dead_letters_dropped);
    counter!("bugbrother_ingest_records_quarantined_total").increment(committed.quarantined);
    counter!("bugbrother_ingest_quarantine_dropped_total").increment(committed.quarantine_dropped);
    histogram!("bugbrother_ingest_commit_duration_seconds").record(took);
    histogram!("bugbrother_ingest_commit_size_messages").record(arrivals.len() as f64);

    let mut refused = arrivals.iter().filter_map(|arrival| Some((arrival, arrival.content.as_ref().err()?)));
    for (_, refusal) in refused.clone() {
        counter!("bugbrother_ingest_refused_total", "reason" => refusal.reason).increment(1);
    }
    // One line for a batch: a vehicle that sends nothing but rubbish does not fill the log.
    if let Some((arrival, refusal)) = refused.next() {
        warn!(
            topic = arrival.topic,
            bytes = arrival.payload.len(),
            reason = refusal.reason,
            record_done = refusal.place.is_some(),
            others = refused.count(),
            "refused a message; it is among the dead letters, or in quarantine where its time is impossible"
        );
    }
}
