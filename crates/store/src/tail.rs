//! The tail: batches as they came, until they are folded.
//!
//! They stand in the order in which they came, so that a commit writes a few pages whatever the size of the fleet. Each has a
//! number and knows that of the outbox's batch behind it; the outbox's row of `progress` knows the newest one, and up to which one
//! they are in columns. A vehicle's part of the tail is found along these chains. What is folded is removed later, many at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use bugbrother_wire::{UnixMs, Vin, message::Telemetry};
use sqlx::{Any, AnyPool, Row, Transaction};

use crate::{
    Lane, MAX_PAGE, Store, StoreError,
    bulk::Bulk,
    page,
    telemetry::{TailBatch, embedded::read_body},
};

/// Numbers that a committer takes at once, to give them out one by one.
pub(crate) const NUMBERS: i64 = 1 << 16;
/// Batches of a vehicle that are read at once.
const MOST: i64 = 4096;
/// So many bytes of them are enough, with one batch more.
const BYTES: i64 = 4 << 20;
/// Batches that are looked at in one step of removing.
const STEP: i64 = 2048;

/// A batch on its way into `tail`.
pub(crate) struct TailRow<'a> {
    pub place: Link,
    pub batch: &'a Telemetry,
    pub lane: Lane,
    pub received_ts: UnixMs,
    pub body: &'a [u8],
}

/// A batch's number, and that of the one behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub number: i64,
    pub behind: i64,
}

/// Numbers that nobody else gives out.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Range<i64>);

impl Numbers {
    /// The next one, above `behind`. Another committer may have given that out, of numbers that it took later.
    pub async fn after(&mut self, tx: &mut Transaction<'static, Any>, behind: i64) -> Result<Link, StoreError> {
        if self.0.is_empty() || self.0.start <= behind {
            // SQLite has one writer at a time, and a sequence of PostgreSQL keeps nobody waiting.
            let first: i64 = if tx.backend_name() == "SQLite" {
                let sql = "UPDATE counter SET value = value + $1 WHERE name = 'tail' RETURNING value - $1 + 1";
                sqlx::query_scalar(sql).bind(NUMBERS).fetch_one(&mut **tx).await?
            } else {
                sqlx::query_scalar("SELECT nextval('tail_number')").fetch_one(&mut **tx).await?
            };
            self.0 = first..first + NUMBERS;
        }
        let number = self.0.start;
        self.0.start += 1;
        Ok(Link { number, behind })
    }
}

static INSERT: Bulk = Bulk::new(
    "INSERT INTO tail (number, behind, vin, epoch, seq, t0, t1, row_count, lane, received_ts, body) VALUES ",
    11,
    "",
);

pub(crate) async fn append(tx: &mut Transaction<'static, Any>, rows: &[TailRow<'_>]) -> Result<(), StoreError> {
    INSERT
        .run(tx, rows, |query, TailRow { place, batch, lane, received_ts, body }| {
            query
                .bind(place.number)
                .bind(place.behind)
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

/// `chain`: what of the vehicle $1 is not folded, newest first; then the rest of the statement.
macro_rules! of_chain {
    ($($rest:literal),+) => {
        concat!(
            "WITH RECURSIVE chain (number, behind, folded, epoch, seq, t0, t1, size) AS (",
            "SELECT tail.number, tail.behind, progress.folded, tail.epoch, tail.seq, tail.t0, tail.t1, length(tail.body) ",
            "FROM progress JOIN tail ON tail.number = progress.newest ",
            "WHERE progress.vin = $1 AND progress.newest > progress.folded ",
            "UNION ALL ",
            "SELECT tail.number, tail.behind, chain.folded, tail.epoch, tail.seq, tail.t0, tail.t1, length(tail.body) ",
            "FROM chain JOIN tail ON tail.number = chain.behind WHERE chain.behind > chain.folded) ",
            $($rest),+
        )
    };
}

/// What of a vehicle is to be folded now.
#[derive(Default)]
pub(crate) struct Oldest {
    /// In the order of time.
    pub batches: Vec<TailBatch>,
    /// Rows in them.
    pub rows: u64,
    /// Whether nothing else waits.
    pub is_all: bool,
    /// How far.
    pub folded: Folded,
}

/// By the epoch of an outbox, up to which number it was folded, and will be.
pub(crate) type Folded = BTreeMap<i64, (i64, i64)>;

impl Oldest {
    fn take(&mut self, batch: TailBatch, rows: u64, before: i64, number: i64) {
        let (_, now) = self.folded.entry(batch.epoch).or_insert((before, number));
        *now = number.max(*now);
        self.rows += rows;
        self.batches.push(batch);
    }
}

/// Each column of a row has its price, and a batch tells the rest itself.
const OLDEST: &str = of_chain!(
    "SELECT oldest.number, oldest.folded, tail.body ",
    "FROM (SELECT number, folded, size, SUM(size) OVER (ORDER BY number) AS upto FROM chain ORDER BY number LIMIT $2) AS oldest ",
    "JOIN tail ON tail.number = oldest.number WHERE oldest.upto - oldest.size < $3"
);
const OLDEST_ELSEWHERE: &str = of_chain!(
    "SELECT oldest.number, oldest.folded, tail.epoch, tail.seq, tail.t0, tail.t1, tail.row_count ",
    "FROM (SELECT number, folded FROM chain ORDER BY number LIMIT $2) AS oldest JOIN tail ON tail.number = oldest.number"
);

/// The batches of a vehicle that came first, as many as are read at once; `None` if nothing waits.
pub(crate) async fn oldest(pool: &AnyPool, vin: Vin) -> Result<Option<Oldest>, StoreError> {
    let rows = sqlx::query(OLDEST).bind(vin.as_str()).bind(MOST).bind(BYTES).fetch_all(pool).await?;
    let (mut oldest, mut size, mut elsewhere) = (Oldest::default(), 0, BTreeSet::new());
    for row in &rows {
        let (number, body): (i64, &[u8]) = (row.try_get(0)?, row.try_get(2)?);
        size += body.len() as i64;
        let Some(telemetry) = read_body(vin, body)? else {
            elsewhere.insert(number);
            continue;
        };
        let row_count = telemetry.rows.len() as u64;
        let batch = TailBatch {
            t0: telemetry.t0,
            epoch: telemetry.epoch.0.cast_signed(),
            seq: telemetry.seq.0.cast_signed(),
            t1: telemetry.last_ts().unwrap_or(telemetry.t0),
            telemetry: Some(telemetry),
        };
        oldest.take(batch, row_count, row.try_get(1)?, number);
    }
    if !elsewhere.is_empty() {
        for row in sqlx::query(OLDEST_ELSEWHERE).bind(vin.as_str()).bind(MOST).fetch_all(pool).await? {
            let number = row.try_get(0)?;
            if elsewhere.remove(&number) {
                let (epoch, seq) = (row.try_get(2)?, row.try_get(3)?);
                let batch = TailBatch { t0: row.try_get(4)?, epoch, seq, t1: row.try_get(5)?, telemetry: None };
                oldest.take(batch, row.try_get::<i64, _>(6)?.cast_unsigned(), row.try_get(1)?, number);
            }
        }
    }
    // Other workers may have committed, and folded, between the two.
    if !elsewhere.is_empty() {
        return Err(StoreError::Conflict);
    }
    oldest.is_all = (rows.len() as i64) < MOST && size < BYTES;
    if !oldest.is_all {
        let newest = newest_of(pool, vin).await?;
        let is_taken = |(epoch, newest): &(i64, i64)| oldest.folded.get(epoch).is_some_and(|(_, upto)| upto >= newest);
        oldest.is_all = newest.iter().all(is_taken);
    }
    oldest.batches.sort_by_key(|batch| (batch.t0, batch.epoch, batch.seq));
    Ok(Some(oldest).filter(|oldest| !oldest.batches.is_empty()))
}

/// The newest batch of each of a vehicle's outboxes with something that waits, by its epoch.
async fn newest_of(pool: &AnyPool, vin: Vin) -> Result<Vec<(i64, i64)>, StoreError> {
    let sql = "SELECT epoch, newest FROM progress WHERE vin = $1 AND newest > folded ORDER BY epoch LIMIT $2";
    let rows = sqlx::query(sql).bind(vin.as_str()).bind(i64::from(MAX_PAGE)).fetch_all(pool).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Notes that batches are in columns now. `false` when they are not waiting any more as they were: somebody else has folded them, the
/// vehicle is erased, or behind the connection is another server that never had them.
pub(crate) async fn take_off(
    tx: &mut Transaction<'static, Any>,
    vin: Vin,
    folded: &Folded,
) -> Result<bool, StoreError> {
    for (epoch, (before, now)) in folded {
        let done = sqlx::query(
            "UPDATE progress SET folded = $3 WHERE vin = $1 AND epoch = $2 AND folded = $4 \
             AND EXISTS (SELECT 1 FROM tail WHERE number = $3 AND vin = $1 AND epoch = $2)",
        )
        .bind(vin.as_str())
        .bind(epoch)
        .bind(now)
        .bind(before)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Batches with a row between `from` and `to` (inclusive), and up to when these are all: where there are more than are read at once,
/// that is before `to`.
pub(crate) async fn between(
    tx: &mut Transaction<'static, Any>,
    vin: Vin,
    from: UnixMs,
    to: UnixMs,
) -> Result<(Vec<Telemetry>, UnixMs), StoreError> {
    let (mut most, mut bytes) = (MOST, BYTES);
    loop {
        let rows = sqlx::query(of_chain!(
            "SELECT tail.body FROM (SELECT number, size, SUM(size) OVER (ORDER BY t0, epoch, seq) AS upto ",
            "FROM chain WHERE t0 <= $3 AND t1 >= $2 ORDER BY t0, epoch, seq LIMIT $4) AS chosen ",
            "JOIN tail ON tail.number = chosen.number WHERE chosen.upto - chosen.size < $5"
        ))
        .bind(vin.as_str())
        .bind(from)
        .bind(to)
        .bind(most)
        .bind(bytes)
        .fetch_all(&mut **tx)
        .await?;
        let (mut batches, mut size) = (Vec::with_capacity(rows.len()), 0);
        for row in &rows {
            let body: &[u8] = row.try_get(0)?;
            size += body.len() as i64;
            batches.extend(read_body(vin, body)?);
        }
        batches.sort_by_key(|batch| (batch.t0, batch.epoch, batch.seq));
        if (rows.len() as i64) < most && size < bytes {
            return Ok((batches, to));
        }
        // Another one may begin when the last one does.
        match batches.last().map(|last| last.t0 - 1).filter(|end| *end >= from) {
            Some(end) => return Ok((batches, end)),
            None => (most, bytes) = (most * 4, bytes * 4),
        }
    }
}

/// When batches begin and end that have a row between `from` (inclusive) and `to` (exclusive), up to `most`, the earliest first.
pub(crate) async fn spans(
    pool: &AnyPool,
    vin: Vin,
    (from, to): (UnixMs, UnixMs),
    most: i64,
) -> Result<Vec<(UnixMs, UnixMs)>, StoreError> {
    let rows =
        sqlx::query(of_chain!("SELECT t0, t1 FROM chain WHERE t0 < $3 AND t1 >= $2 ORDER BY t0, epoch, seq LIMIT $4"))
            .bind(vin.as_str())
            .bind(from)
            .bind(to)
            .bind(most)
            .fetch_all(pool)
            .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// A step of removing what is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// The last number that was looked at.
    pub upto: i64,
    /// Batches that were removed.
    pub removed: u64,
    /// Batches that were looked at and are still there.
    pub left: u64,
}

impl Store {
    /// Vehicles with something in their tail, in the order of their VINs, those after `after`.
    pub async fn waiting(&self, after: Option<Vin>, limit: u32) -> Result<Vec<Vin>, StoreError> {
        let vins: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT vin FROM progress WHERE vin > $1 AND newest > folded ORDER BY vin LIMIT $2",
        )
        .bind(after.as_ref().map(Vin::as_str).unwrap_or_default())
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        vins.iter().map(|vin| vin.parse().map_err(|error| StoreError::corrupt("progress", error))).collect()
    }

    /// The number of the newest batch; 0 if there is none.
    pub async fn tail_end(&self) -> Result<i64, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar("SELECT MAX(number) FROM tail").fetch_one(&self.read).await?;
        Ok(newest.unwrap_or(0))
    }

    /// Removes those of some thousand batches after the number `after` that are folded; `None` after the last one.
    pub async fn sweep(&self, after: i64) -> Result<Option<Swept>, StoreError> {
        let Some((upto, batches)) = self.step_after(after).await? else { return Ok(None) };
        // Nobody finds a batch of an outbox that is not known.
        let done = sqlx::query(
            "DELETE FROM tail WHERE number > $1 AND number <= $2 AND number <= COALESCE((SELECT folded FROM progress \
             WHERE progress.vin = tail.vin AND progress.epoch = tail.epoch), number)",
        )
        .bind(after)
        .bind(upto)
        .execute(&self.write)
        .await;
        let removed = done.map_err(|error| StoreError::from(error).or_conflict())?.rows_affected();
        Ok(Some(Swept { upto, removed, left: batches.saturating_sub(removed) }))
    }

    /// Removes all that are folded, one step after the other; tells how many they were. What comes meanwhile is left.
    pub async fn sweep_all(&self) -> Result<u64, StoreError> {
        let (mut after, mut removed, end) = (0, 0, self.tail_end().await?);
        while after < end
            && let Some(swept) = self.sweep(after).await?
        {
            after = swept.upto;
            removed += swept.removed;
        }
        Ok(removed)
    }

    /// Removes all batches of a vehicle, folded or not; tells how many there were. What comes meanwhile is left.
    pub(crate) async fn erase_tail(&self, vin: Vin) -> Result<u64, StoreError> {
        let (mut after, mut batches, end) = (0, 0, self.tail_end().await?);
        while after < end
            && let Some((upto, _)) = self.step_after(after).await?
        {
            let done = sqlx::query("DELETE FROM tail WHERE number > $1 AND number <= $2 AND vin = $3")
                .bind(after)
                .bind(upto)
                .bind(vin.as_str())
                .execute(&self.write)
                .await?;
            batches += done.rows_affected();
            after = upto;
        }
        Ok(batches)
    }

    /// The last number of a step that begins after this one, and how many batches there are up to it.
    async fn step_after(&self, after: i64) -> Result<Option<(i64, u64)>, StoreError> {
        let row = sqlx::query(
            "SELECT MAX(number), COUNT(*) FROM (SELECT number FROM tail WHERE number > $1 ORDER BY number LIMIT $2) AS next",
        )
        .bind(after)
        .bind(STEP)
        .fetch_one(&self.read)
        .await?;
        let batches = row.try_get::<i64, _>(1)?.cast_unsigned();
        Ok(row.try_get::<Option<i64>, _>(0)?.map(|upto| (upto, batches)))
    }
}
