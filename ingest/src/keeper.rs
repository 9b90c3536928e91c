use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bugbrother_store::{Store, StoreError};
use bugbrother_wire::{UnixMs, Vin};
use metrics::{counter, gauge};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// So many rows of a vehicle are worth folding at once.
const MANY_ROWS: u64 = 1_200;
/// No row stays in the tail for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// A vehicle that has fallen silent has parked, and its trip is wanted.
const QUIET: Duration = Duration::from_secs(60);
/// Vehicles whose tails are folded in one transaction.
const TOGETHER: usize = 16;
/// Vehicles that are asked for at once.
const PAGE: u32 = 1_000;
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at what has to be done now and then.
const ROUND: Duration = Duration::from_secs(60);
/// A trip of which nothing is heard for so long may have ended; the machine knows.
const SILENT_MS: i64 = 15 * 60_000;
/// Between two looks at what is too old.
const AGE_ROUND: Duration = Duration::from_secs(3600);
/// Between two steps of removing: writers come first.
const BREATH: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Folds the tails of vehicles, each when it is worth while.
pub struct Keeper {
    store: Store,
    waiting: Mutex<HashMap<Vin, Waiting>>,
    wake: Notify,
}

struct Waiting {
    rows: u64,
    since: Instant,
    last: Instant,
}

impl Keeper {
    pub fn new(store: Store) -> Self {
        Keeper { store, waiting: Mutex::default(), wake: Notify::new() }
    }

    /// These vehicles have so many more rows in their tails.
    pub fn take(&self, vehicles: &[(Vin, u64)]) {
        let now = Instant::now();
        let mut waiting = self.lock();
        let mut is_due = false;
        for (vin, rows) in vehicles {
            let entry = waiting.entry(*vin).or_insert(Waiting { rows: 0, since: now, last: now });
            entry.rows += rows;
            entry.last = now;
            is_due |= entry.rows >= MANY_ROWS;
        }
        drop(waiting);
        if is_due {
            self.wake.notify_one();
        }
    }

    /// Keeps house until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.keep()).await;
    }

    async fn keep(&self) {
        let mut pause = LOOK;
        let mut is_known = false;
        let mut round = Instant::now();
        let mut age_round = Instant::now();
        loop {
            if age_round.elapsed() >= AGE_ROUND {
                age_round = Instant::now();
                if let Err(failure) = self.remove_old(crate::now()).await {
                    let failure: &dyn std::error::Error = &failure;
                    error!(failure, "what is too old cannot be removed; trying again in an hour");
                }
            }
            match self.turn(&mut is_known, &mut round).await {
                Ok(true) => pause = LOOK,
                Ok(false) => {
                    pause = LOOK;
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = sleep(LOOK) => {}
                    }
                }
                // Another worker was at the same vehicle.
                Err(StoreError::Conflict) => sleep(LOOK).await,
                Err(failure) => {
                    counter!("bugbrother_ingest_keep_failures_total").increment(1);
                    if pause == LOOK {
                        let failure: &dyn std::error::Error = &failure;
                        error!(failure, "the tails of vehicles cannot be folded; trying again");
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Folds some tails that are due. Tells whether there were some.
    async fn turn(&self, is_known: &mut bool, round: &mut Instant) -> Result<bool, StoreError> {
        if !*is_known {
            self.find().await?;
            *is_known = true;
        }
        if round.elapsed() >= ROUND {
            *round = Instant::now();
            self.go_round(crate::now()).await?;
        }
        let due = self.due();
        if due.is_empty() {
            return Ok(false);
        }
        let kept = match self.store.keep(&due).await {
            Err(StoreError::Conflict) if due.len() > 1 => {
                let mut kept = Vec::with_capacity(due.len());
                for vin in &due {
                    kept.extend(self.store.keep(std::slice::from_ref(vin)).await?);
                }
                kept
            }
            other => other?,
        };
        let mut waiting = self.lock();
        for (vin, kept) in due.iter().zip(&kept) {
            counter!("bugbrother_ingest_batches_folded_total").increment(kept.batches);
            let Some(entry) = waiting.get_mut(vin) else { continue };
            // What came meanwhile may be in it or not; what is left over is found again by its age.
            entry.rows = entry.rows.saturating_sub(kept.rows);
            if kept.more {
                entry.rows = entry.rows.max(MANY_ROWS);
            } else if entry.rows == 0 {
                waiting.remove(vin);
            } else {
                entry.since = Instant::now();
            }
        }
        gauge!("bugbrother_ingest_vehicles_waiting").set(waiting.len() as f64);
        Ok(true)
    }

    /// What has to be done now and then.
    async fn go_round(&self, now: UnixMs) -> Result<(), StoreError> {
        for vin in self.store.silent_trips(now - SILENT_MS, PAGE).await? {
            match self.store.end_silent_trip(vin, now).await {
                // Something has been heard of it after all.
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        loop {
            let released = self.store.release(now).await?;
            if released.records == 0 {
                break;
            }
            counter!("bugbrother_ingest_quarantine_released_total").increment(released.records);
            self.take(&released.waiting);
        }
        Ok(())
    }

    /// What is older than it is to be kept, step by step.
    async fn remove_old(&self, now: UnixMs) -> Result<(), StoreError> {
        let mut removed = 0;
        loop {
            match self.store.expire(now).await? {
                0 => break,
                rows => removed += rows,
            }
            sleep(BREATH).await;
        }
        let mut after = None;
        loop {
            let page = self.store.vehicles(after, PAGE).await?;
            for vehicle in &page {
                while self.store.expire_samples(vehicle.vin, now).await? > 0 {
                    removed += 1;
                    sleep(BREATH).await;
                }
            }
            after = page.last().map(|vehicle| vehicle.vin);
            if page.len() < PAGE as usize {
                break;
            }
        }
        while self.store.give_back().await? {
            sleep(BREATH).await;
        }
        counter!("bugbrother_ingest_rows_expired_total").increment(removed);
        info!(removed, "removed what was too old");
        Ok(())
    }

    /// After a start: what was left in the tails.
    async fn find(&self) -> Result<(), StoreError> {
        let mut after = None;
        let mut found = 0;
        loop {
            let page = self.store.waiting(after, PAGE).await?;
            found += page.len();
            self.take(&page.iter().map(|vin| (*vin, MANY_ROWS)).collect::<Vec<_>>());
            after = page.last().copied();
            if page.len() < PAGE as usize {
                break;
            }
        }
        info!(vehicles = found, "found batches to be folded");
        Ok(())
    }

    fn due(&self) -> Vec<Vin> {
        let waiting = self.lock();
        let due = waiting.iter().filter(|(_, entry)| {
            entry.rows >= MANY_ROWS || entry.since.elapsed() >= LONGEST_WAIT || entry.last.elapsed() >= QUIET
        });
        due.map(|(vin, _)| *vin).take(TOGETHER).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vin, Waiting>> {
        // The map is whole between any two statements.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
