//! Housekeeping: the tail of a vehicle is folded into hours, and its trips go on.

use bugbrother_wire::Vin;

use crate::{
    Store, StoreError,
    tail::{self, Oldest},
    telemetry::{Folded, embedded::put},
    trip::Journey,
};

/// What became of a vehicle's tail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Batches that are folded now.
    pub batches: u64,
    /// Rows in them.
    pub rows: u64,
    /// There are more.
    pub more: bool,
}

/// A vehicle's part of a housekeeping transaction.
struct Work {
    vin: Vin,
    kept: Kept,
    off: tail::Folded,
    folded: Folded,
    journey: Journey,
}

impl Store {
    /// Folds the oldest batches of these vehicles' tails. Where another process has changed the same at the same time, nothing
    /// is done and [`StoreError::Conflict`] says so.
    pub async fn keep(&self, vins: &[Vin]) -> Result<Vec<Kept>, StoreError> {
        self.fold(vins).await.map_err(StoreError::or_conflict)
    }

    async fn fold(&self, vins: &[Vin]) -> Result<Vec<Kept>, StoreError> {
        let mut works = Vec::with_capacity(vins.len());
        for vin in vins {
            works.push(self.prepare(*vin).await?);
        }
        if works.iter().all(Option::is_none) {
            return Ok(vec![Kept::default(); vins.len()]);
        }
        let mut tx = self.begin().await?;
        let folded: Vec<_> = works.iter().flatten().map(|work| (work.vin, &work.folded)).collect();
        if !put(&mut tx, &folded).await? {
            return Err(StoreError::Conflict);
        }
        for work in works.iter().flatten() {
            if !work.journey.save(&mut tx).await? {
                return Err(StoreError::Conflict);
            }
        }
        // Last of all: whoever commits records of the same outboxes waits from here on.
        for work in works.iter().flatten() {
            if !tail::take_off(&mut tx, work.vin, &work.off).await? {
                return Err(StoreError::Conflict);
            }
        }
        tx.commit().await?;
        Ok(works.into_iter().map(|work| work.map(|work| work.kept).unwrap_or_default()).collect())
    }

    async fn prepare(&self, vin: Vin) -> Result<Option<Work>, StoreError> {
        let Some(oldest) = tail::oldest(&self.read, vin).await? else { return Ok(None) };
        let Oldest { batches: tail, rows, is_all, folded: off } = oldest;
        let kept = Kept { batches: tail.len() as u64, rows, more: !is_all };
        let journey = self.journey(vin, &tail, is_all).await?;
        Ok(Some(Work { vin, kept, off, folded: self.series.fold(vin, tail).await?, journey }))
    }
}
