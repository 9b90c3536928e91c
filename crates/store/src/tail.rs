use std::{fmt::Write, sync::LazyLock};

use bugbrother_wire::{UnixMs, message::Telemetry};
use sqlx::{Any, Transaction};

use crate::{Lane, StoreError};

/// A batch on its way into `tail`.
pub(crate) struct TailRow<'a> {
    pub batch: &'a Telemetry,
    pub lane: Lane,
    pub received_ts: UnixMs,
    pub body: &'a [u8],
}

/// A statement for one row costs as much in going to and fro as in writing. Few sizes, so that each is prepared once.
const MANY: usize = 64;
const SOME: usize = 8;
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert(MANY));
static INSERT_SOME: LazyLock<String> = LazyLock::new(|| insert(SOME));
static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert(1));

pub(crate) async fn append(tx: &mut Transaction<'_, Any>, mut rows: &[TailRow<'_>]) -> Result<(), StoreError> {
    while !rows.is_empty() {
        let (sql, size): (&'static str, usize) = match rows.len() {
            MANY.. => (&INSERT_MANY, MANY),
            SOME.. => (&INSERT_SOME, SOME),
            _ => (&INSERT_ONE, 1),
        };
        let (now, later) = rows.split_at(size);
        let mut query = sqlx::query(sql);
        for TailRow { batch, lane, received_ts, body } in now {
            query = query
                .bind(batch.vin.as_str())
                .bind(batch.epoch.0.cast_signed())
                .bind(batch.seq.0.cast_signed())
                .bind(batch.t0)
                .bind(batch.last_ts().unwrap_or(batch.t0))
                .bind(i64::try_from(batch.rows.len()).expect("a batch has at most 4096 rows"))
                .bind(lane.word())
                .bind(*received_ts)
                .bind(*body);
        }
        query.execute(&mut **tx).await?;
        rows = later;
    }
    Ok(())
}

fn insert(rows: usize) -> String {
    const COLUMNS: usize = 9;
    let mut sql = "INSERT INTO tail (vin, epoch, seq, t0, t1, row_count, lane, received_ts, body) VALUES ".to_owned();
    for n in 1..=rows * COLUMNS {
        let before = if n == 1 {
            "("
        } else if n % COLUMNS == 1 {
            "), ("
        } else {
            ", "
        };
        write!(sql, "{before}${n}").expect("a String takes everything");
    }
    // Progress has told duplicates already; this is for a tail that is ahead of its progress, after a restored backup.
    sql + ") ON CONFLICT (vin, epoch, seq) DO NOTHING"
}
