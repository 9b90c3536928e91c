//! Batches as they came.

use bugbrother_wire::{UnixMs, message::Telemetry};
use sqlx::{Any, Transaction};

use crate::{Lane, StoreError, bulk::Bulk};

/// A batch on its way into `tail`.
pub(crate) struct TailRow<'a> {
    pub batch: &'a Telemetry,
    pub lane: Lane,
    pub received_ts: UnixMs,
    pub body: &'a [u8],
}

static INSERT: Bulk = Bulk::new(
    "INSERT INTO tail (vin, epoch, seq, t0, t1, row_count, lane, received_ts, body) VALUES ",
    9,
    " ON CONFLICT (vin, t0, epoch, seq) DO NOTHING",
);

pub(crate) async fn append(tx: &mut Transaction<'static, Any>, rows: &[TailRow<'_>]) -> Result<(), StoreError> {
    INSERT
        .run(tx, rows, |query, TailRow { batch, lane, received_ts, body }| {
            query
                .bind(batch.vin.as_str())
                .bind(batch.epoch.0.cast_signed())
                .bind(batch.seq.0.cast_signed())
                .bind(batch.t0)
                .bind(batch.last_ts().unwrap_or(batch.t0))
                .bind(i64::try_from(batch.rows.len()).expect("a batch has at most 4096 rows"))
                .bind(lane.word())
                .bind(*received_ts)
                .bind(*body)
        })
        .await?;
    Ok(())
}
