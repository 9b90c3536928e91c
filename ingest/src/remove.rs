//! Removing what is not needed any more: batches that are folded, and what is older than it is to be kept.

use std::{sync::atomic::Ordering, time::Duration};

use bugbrother_store::StoreError;
use bugbrother_wire::{UnixMs, Vin};
use metrics::counter;
use tokio::time::{Instant, sleep};
use tracing::{error, info};

use crate::keeper::{Keeper, LONGEST_PAUSE, LONGEST_WAIT, LOOK, PAGE, QUIET, SLOWLY};

/// So many folded batches are worth going through the tail, unless more than that were left there.
const MANY_FOLDED: u64 = 20_000;
/// While commits are behind, removing gives way to them, until there are so many.
const MOST_FOLDED: u64 = 4_000_000;
/// Between two looks at what is too old.
const AGE_ROUND: Duration = Duration::from_secs(3600);
/// After a start others come first.
const FIRST_AGE_ROUND: Duration = Duration::from_secs(120);
/// Between two steps of removing: writers come first.
const BREATH: Duration = Duration::from_millis(20);

impl Keeper {
    /// Removes what is folded, again and again: when that is as much as was left the last time, so that of two batches that are
    /// looked at one goes, and after ten minutes in any case, or after one when nothing waits to be folded.
    pub(crate) async fn sweep(&self) {
        let (mut began, mut pause, mut left) = (Instant::now(), LOOK, 0);
        loop {
            let folded = self.folded.load(Ordering::Relaxed);
            let is_worth_it = folded >= MANY_FOLDED.max(left);
            let patience = if self.waits_for_nothing() { QUIET } else { LONGEST_WAIT };
            if !is_worth_it && (folded == 0 || began.elapsed() < patience) {
                sleep(LOOK).await;
                continue;
            }
            began = Instant::now();
            match self.sweep_once().await {
                Ok(still) => {
                    left = still;
                    self.folded.fetch_sub(folded, Ordering::Relaxed);
                    pause = LOOK;
                }
                Err(failure) => {
                    // Another worker is at it.
                    if !matches!(failure, StoreError::Conflict) {
                        let failure: &dyn std::error::Error = &failure;
                        error!(failure, "what is folded cannot be removed; trying again");
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Tells how many batches are left.
    async fn sweep_once(&self) -> Result<u64, StoreError> {
        let (mut after, mut left) = (0, 0);
        let end = self.store.tail_end().await?;
        while after < end {
            let began = Instant::now();
            let Some(swept) = self.store.sweep(after).await? else { break };
            after = swept.upto;
            left += swept.left;
            counter!("bugbrother_ingest_batches_removed_total").increment(swept.removed);
            let gives_way = self.commits_come_first() && self.folded.load(Ordering::Relaxed) < MOST_FOLDED;
            let rest = if gives_way { began.elapsed() * (SLOWLY - 1) } else { BREATH };
            sleep(rest.max(BREATH)).await;
        }
        Ok(left)
    }

    /// Removes what is too old, again and again.
    pub(crate) async fn remove(&self) {
        sleep(FIRST_AGE_ROUND).await;
        loop {
            if let Err(failure) = self.remove_old(crate::now()).await {
                let failure: &dyn std::error::Error = &failure;
                error!(failure, "what is too old cannot be removed; trying again in an hour");
            }
            sleep(AGE_ROUND).await;
        }
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
                removed += self.remove_samples(vehicle.vin, now).await;
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

    async fn remove_samples(&self, vin: Vin, now: UnixMs) -> u64 {
        let mut hours = 0;
        loop {
            match self.store.expire_samples(vin, now).await {
                Ok(0) => return hours,
                Ok(more) => hours += more,
                Err(failure) => {
                    let failure: &dyn std::error::Error = &failure;
                    error!(failure, %vin, "a vehicle's samples that are too old cannot be removed; trying again in an hour");
                    return hours;
                }
            }
            sleep(BREATH).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keeper::tests::{arrival, store, turns};

    #[tokio::test]
    async fn what_is_folded_is_removed_when_nothing_waits_any_more() {
        let (store, _folder) = store().await;
        let arrivals: Vec<_> = (0..40).map(|vehicle| arrival(vehicle, 1)).collect();
        store.commit(&arrivals).await.unwrap();
        let keeper = Arc::new(Keeper::new(store.clone()));
        turns(&keeper).await;
        let sweeping = tokio::spawn({
            let keeper = Arc::clone(&keeper);
            async move { keeper.sweep().await }
        });
        tokio::task::yield_now().await;
        assert!(keeper.folded.load(Ordering::Relaxed) > 40, "that is not yet worth while");
        tokio::time::pause();
        tokio::time::advance(QUIET + LOOK).await;
        tokio::time::resume();
        while keeper.folded.load(Ordering::Relaxed) > 0 {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(store.sweep(0).await.unwrap(), None, "it is empty");
        sweeping.abort();
    }
}
