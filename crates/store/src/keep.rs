//! Housekeeping: the tail of a vehicle is folded into hours, and its trips go on.

use bugbrother_wire::{UnixMs, Vin};
use futures_util::TryStreamExt;
use sqlx::{Any, Row, Transaction};

use crate::{
    Store, StoreError, page,
    telemetry::{
        Folded, TailBatch,
        embedded::{put, read_body},
    },
    trip::Journey,
};

/// Batches of the tail that are folded at once.
const BATCHES: i64 = 4096;
/// So many bytes are enough at once, with one batch more.
const MAX_BYTES: usize = 4 << 20;

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
    tail: Span,
    is_all: bool,
    folded: Folded,
    journey: Journey,
}

/// Batches of a tail that follow one another.
struct Span {
    first: (UnixMs, i64, i64),
    last: (UnixMs, i64, i64),
    batches: u64,
    rows: u64,
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
            let as_expected = take_off(&mut tx, work.vin, &work.tail).await? && work.journey.save(&mut tx).await?;
            if !as_expected {
                return Err(StoreError::Conflict);
            }
        }
        tx.commit().await?;
        let kept = works.into_iter().map(|work| {
            work.map(|work| {
                let Span { batches, rows, .. } = work.tail;
                Kept { batches, rows, more: !work.is_all }
            })
        });
        Ok(kept.map(Option::unwrap_or_default).collect())
    }

    /// Vehicles with something in their tail, in the order of their VINs, those after `after`.
    pub async fn waiting(&self, after: Option<Vin>, limit: u32) -> Result<Vec<Vin>, StoreError> {
        let mut found: Vec<Vin> = Vec::new();
        let mut after = after.map(|vin| vin.to_string()).unwrap_or_default();
        // One step of the index from each vehicle to the next.
        while (found.len() as i64) < page(limit) {
            let next: Option<String> = sqlx::query_scalar("SELECT vin FROM tail WHERE vin > $1 ORDER BY vin LIMIT 1")
                .bind(&after)
                .fetch_optional(&self.read)
                .await?;
            let Some(vin) = next else { break };
            found.push(vin.parse().map_err(|error| StoreError::corrupt("tail", error))?);
            after = vin;
        }
        Ok(found)
    }

    async fn prepare(&self, vin: Vin) -> Result<Option<Work>, StoreError> {
        let query = sqlx::query(
            "SELECT t0, epoch, seq, t1, row_count, body FROM tail WHERE vin = $1 ORDER BY t0, epoch, seq LIMIT $2",
        );
        let mut rows = query.bind(vin.as_str()).bind(BATCHES).fetch(&self.read);
        let mut tail = Vec::new();
        let (mut row_count, mut bytes) = (0, 0);
        while bytes < MAX_BYTES
            && let Some(row) = rows.try_next().await?
        {
            row_count += row.try_get::<i64, _>(4)?.cast_unsigned();
            let body: &[u8] = row.try_get(5)?;
            bytes += body.len();
            tail.push(TailBatch {
                t0: row.try_get(0)?,
                epoch: row.try_get(1)?,
                seq: row.try_get(2)?,
                t1: row.try_get(3)?,
                telemetry: read_body(vin, body)?,
            });
        }
        drop(rows);
        let is_all = bytes < MAX_BYTES && tail.len() < BATCHES as usize;
        let (Some(first), Some(last)) = (tail.first(), tail.last()) else { return Ok(None) };
        let place = |batch: &TailBatch| (batch.t0, batch.epoch, batch.seq);
        let span = Span { first: place(first), last: place(last), batches: tail.len() as u64, rows: row_count };
        let journey = self.journey(vin, &tail, is_all).await?;
        Ok(Some(Work { vin, tail: span, is_all, folded: self.series.fold(vin, tail).await?, journey }))
    }
}

/// Removes batches that have been folded. `false` when there are not as many as there were.
async fn take_off(tx: &mut Transaction<'static, Any>, vin: Vin, span: &Span) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "DELETE FROM tail WHERE vin = $1 AND t0 >= $2 AND t0 <= $5 AND (t0, epoch, seq) >= ($2, $3, $4) \
         AND (t0, epoch, seq) <= ($5, $6, $7)",
    )
    .bind(vin.as_str())
    .bind(span.first.0)
    .bind(span.first.1)
    .bind(span.first.2)
    .bind(span.last.0)
    .bind(span.last.1)
    .bind(span.last.2)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == span.batches)
}
