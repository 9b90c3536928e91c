//! Samples in the fleet database itself: the tail, batches as they came, and hours of columns that they are folded into.
//!
//! A reader sees both in one snapshot: while a batch is folded it is in one of them and never in both.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bugbrother_wire::{Message, Topic, UnixMs, Vin, codec, message::Telemetry, topic::Kind};
use sqlx::{Any, AnyPool, Row, Transaction};
use tokio::task::spawn_blocking;

use super::{
    Bucket, CLOCK, Collector, Folded, Page, Question, Samples, TailBatch, TimeSeries,
    bucket::Filling,
    hour::{HOUR_MS, Hour, Packed, Summary, hour_of},
};
use crate::{StoreError, bulk::Bulk, engine::Engine, tail};

/// Hours that are looked at together.
const HOURS: usize = 24;
/// Summaries that are read at once.
const SUMMARIES: i64 = 10_000;
/// Hours that are erased in one step.
const ERASED_HOURS: u32 = 48;
/// Hours of which the columns are read at once.
const COLUMNS: i64 = 256;

/// The fleet database as a store of samples.
#[derive(Debug, Clone)]
pub(crate) struct Embedded {
    pub read: AnyPool,
    pub write: AnyPool,
    pub engine: Engine,
}

type Tx = Transaction<'static, Any>;

#[async_trait]
impl TimeSeries for Embedded {
    async fn write(&self, _: &[&Telemetry]) -> Result<(), StoreError> {
        Ok(())
    }

    fn is_in_tail(&self) -> bool {
        true
    }

    async fn fold(&self, vin: Vin, tail: Vec<TailBatch>) -> Result<Folded, StoreError> {
        let mut parts: BTreeMap<UnixMs, Vec<Samples>> = BTreeMap::new();
        for batch in tail.iter().filter_map(|batch| batch.telemetry.as_ref()) {
            let (mut hour, last) = (hour_of(batch.t0), batch.last_ts().unwrap_or(batch.t0));
            while hour <= last {
                Samples::append(parts.entry(hour).or_default(), batch, hour, hour + HOUR_MS - 1);
                hour += HOUR_MS;
            }
        }
        let mut known = Vec::with_capacity(parts.len());
        let mut tx = self.snapshot().await?;
        for (hour, parts) in parts.into_iter().filter(|(_, parts)| !parts.is_empty()) {
            known.push((hour, packed_hour(&mut tx, vin, hour).await?, parts));
        }
        tx.commit().await?;
        compute(move || {
            let hours = known.into_iter().map(|(hour, known, parts)| {
                let (version, mut columns) = match known {
                    Some(known) => (known.version, known.unpack()?),
                    None => (0, Hour::default()),
                };
                parts.iter().for_each(|part| columns.merge(part));
                let packed = columns.pack().expect("parts without rows were left out");
                Ok((hour, version, packed))
            });
            Ok(Folded { hours: hours.collect::<Result<_, StoreError>>()? })
        })
        .await
    }

    async fn samples(&self, question: Question<'_>, limit: usize) -> Result<Page, StoreError> {
        let Question { vin, from, to, signals } = question;
        let mut tx = self.snapshot().await?;
        let hours = sqlx::query(
            "SELECT hour, times FROM block WHERE vin = $1 AND hour >= $2 AND hour <= $3 ORDER BY hour LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(hour_of(from))
        .bind(to)
        .bind(HOURS as i64)
        .fetch_all(&mut *tx)
        .await?;
        let mut end = to;
        if let Some(last) = hours.get(HOURS - 1) {
            end = end.min(last.try_get::<i64, _>(0)? + HOUR_MS - 1);
        }
        let (tail, tail_end) = tail::between(&mut tx, vin, from, end).await?;
        end = end.min(tail_end);

        let mut found = Collector::default();
        for row in hours {
            let hour: UnixMs = row.try_get(0)?;
            if hour > end {
                break;
            }
            let chunks = columns(&mut tx, vin, hour, signals).await?;
            let times: Vec<u8> = row.try_get(1)?;
            let wanted: Option<Vec<String>> =
                signals.map(|signals| signals.iter().map(|signal| (*signal).to_owned()).collect());
            let part = compute(move || {
                let chunks = chunks.iter().map(|(signal, data)| (signal.clone(), data.as_slice()));
                let wanted: Option<Vec<&str>> =
                    wanted.as_ref().map(|wanted| wanted.iter().map(String::as_str).collect());
                Ok(Hour::unpack(&times, chunks)?.samples(wanted.as_deref()))
            });
            found.take(part.await?, &question, end);
            if found.len() >= limit {
                end = end.min(hour + HOUR_MS - 1);
                break;
            }
        }
        tx.commit().await?;
        for batch in tail {
            found.take(Samples::of_batch(&batch, from, end), &question, end);
        }
        Ok(found.page(limit, end, to))
    }

    async fn series(
        &self,
        vin: Vin,
        signal: &str,
        from: UnixMs,
        to: UnixMs,
        bucket_ms: i64,
    ) -> Result<Vec<Bucket>, StoreError> {
        let mut filling = Filling::new(from, to, bucket_ms);
        let mut tx = self.snapshot().await?;
        if bucket_ms % HOUR_MS == 0 {
            summaries(&mut tx, vin, signal, from, to, &mut filling).await?;
        } else {
            filling = columns_of(&mut tx, vin, signal, from, to, filling).await?;
        }
        let mut from = from;
        while from < to {
            let (tail, end) = tail::between(&mut tx, vin, from, to - 1).await?;
            for batch in tail {
                let Some(column) = batch.column(signal) else { continue };
                for row in &batch.rows {
                    let ts = batch.t0 + i64::from(row.dt_ms);
                    if let Some(value) = row.values[column].filter(|_| (from..=end).contains(&ts)) {
                        filling.add(ts, value);
                    }
                }
            }
            from = end + 1;
        }
        tx.commit().await?;
        Ok(filling.done())
    }

    async fn signals(&self, vin: Vin, from: UnixMs, to: UnixMs) -> Result<Vec<String>, StoreError> {
        let mut tx = self.snapshot().await?;
        let mut found = Vec::new();
        // One step of the index from each signal to the next.
        let mut after = String::new();
        loop {
            let next: Option<String> = sqlx::query_scalar(
                "SELECT signal FROM chunk WHERE vin = $1 AND signal > $2 ORDER BY vin, signal LIMIT 1",
            )
            .bind(vin.as_str())
            .bind(&after)
            .fetch_optional(&mut *tx)
            .await?;
            let Some(signal) = next else { break };
            if signal == CLOCK {
                after = signal;
                continue;
            }
            let within: Option<i64> = sqlx::query_scalar(
                "SELECT hour FROM chunk WHERE vin = $1 AND signal = $2 AND hour >= $3 AND hour <= $4 \
                 ORDER BY hour LIMIT 1",
            )
            .bind(vin.as_str())
            .bind(&signal)
            .bind(hour_of(from))
            .bind(to)
            .fetch_optional(&mut *tx)
            .await?;
            found.extend(within.map(|_| signal.clone()));
            after = signal;
        }
        let mut from = from;
        while from <= to {
            let (tail, end) = tail::between(&mut tx, vin, from, to).await?;
            found.extend(tail.into_iter().flat_map(|batch| batch.keys));
            found.sort_unstable();
            found.dedup();
            let Some(next) = end.checked_add(1) else { break };
            from = next;
        }
        tx.commit().await?;
        Ok(found)
    }

    async fn forget(&self, vin: Vin, before: UnixMs, limit: u32) -> Result<u64, StoreError> {
        let hours: Vec<i64> =
            sqlx::query_scalar("SELECT hour FROM block WHERE vin = $1 AND hour < $2 ORDER BY hour LIMIT $3")
                .bind(vin.as_str())
                .bind(hour_of(before))
                .bind(i64::from(limit))
                .fetch_all(&self.read)
                .await?;
        let Some(last) = hours.last() else { return Ok(0) };
        // Blocks first: who is folding into one of them finds out.
        let mut tx = self.write.begin_with(self.engine.begin()).await?;
        for sql in
            ["DELETE FROM block WHERE vin = $1 AND hour <= $2", "DELETE FROM chunk WHERE vin = $1 AND hour <= $2"]
        {
            sqlx::query(sql).bind(vin.as_str()).bind(last).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(hours.len() as u64)
    }

    async fn erase(&self, vin: Vin) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            match self.forget(vin, UnixMs::MAX, ERASED_HOURS).await? {
                0 => return Ok(all),
                hours => all += hours,
            }
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Embedded {
    async fn snapshot(&self) -> Result<Tx, StoreError> {
        Ok(self.read.begin_with(self.engine.snapshot()).await?)
    }
}

/// An hour as the database has it.
struct Known {
    version: i64,
    times: Vec<u8>,
    chunks: Vec<(String, Vec<u8>)>,
}

impl Known {
    fn unpack(&self) -> Result<Hour, StoreError> {
        Hour::unpack(&self.times, self.chunks.iter().map(|(signal, data)| (signal.clone(), data.as_slice())))
    }
}

async fn packed_hour(tx: &mut Tx, vin: Vin, hour: UnixMs) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query("SELECT version, times FROM block WHERE vin = $1 AND hour = $2")
        .bind(vin.as_str())
        .bind(hour)
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let chunks = columns(tx, vin, hour, None).await?;
    Ok(Some(Known { version: row.try_get(0)?, times: row.try_get(1)?, chunks }))
}

/// The wanted columns of an hour.
async fn columns(
    tx: &mut Tx,
    vin: Vin,
    hour: UnixMs,
    wanted: Option<&[&str]>,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    let Some(wanted) = wanted else {
        let rows = sqlx::query("SELECT signal, data FROM chunk WHERE vin = $1 AND hour = $2 ORDER BY signal LIMIT $3")
            .bind(vin.as_str())
            .bind(hour)
            .bind(i64::from(crate::MAX_PAGE))
            .fetch_all(&mut **tx)
            .await?;
        for row in rows {
            found.push((row.try_get(0)?, row.try_get(1)?));
        }
        return Ok(found);
    };
    for signal in wanted {
        let data: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT data FROM chunk WHERE vin = $1 AND hour = $2 AND signal = $3")
                .bind(vin.as_str())
                .bind(hour)
                .bind(*signal)
                .fetch_optional(&mut **tx)
                .await?;
        found.extend(data.map(|data| ((*signal).to_owned(), data)));
    }
    Ok(found)
}

/// What whole hours amount to, from the index alone.
async fn summaries(
    tx: &mut Tx,
    vin: Vin,
    signal: &str,
    from: UnixMs,
    to: UnixMs,
    filling: &mut Filling,
) -> Result<(), StoreError> {
    let mut after = from - 1;
    loop {
        let rows = sqlx::query(
            "SELECT hour, n, low, high, total FROM chunk WHERE vin = $1 AND signal = $2 AND hour > $3 AND hour < $4 \
             ORDER BY hour LIMIT $5",
        )
        .bind(vin.as_str())
        .bind(signal)
        .bind(after)
        .bind(to)
        .bind(SUMMARIES)
        .fetch_all(&mut **tx)
        .await?;
        for row in &rows {
            after = row.try_get(0)?;
            let part =
                Summary { n: row.try_get(1)?, low: row.try_get(2)?, high: row.try_get(3)?, total: row.try_get(4)? };
            filling.merge(after, &part);
        }
        if rows.len() < SUMMARIES as usize {
            return Ok(());
        }
    }
}

/// The same from the values themselves.
async fn columns_of(
    tx: &mut Tx,
    vin: Vin,
    signal: &str,
    from: UnixMs,
    to: UnixMs,
    mut filling: Filling,
) -> Result<Filling, StoreError> {
    let mut after = hour_of(from) - 1;
    loop {
        let rows = sqlx::query(
            "SELECT chunk.hour, times, data FROM chunk JOIN block ON block.vin = chunk.vin AND block.hour = chunk.hour \
             WHERE chunk.vin = $1 AND signal = $2 AND chunk.hour > $3 AND chunk.hour < $4 ORDER BY chunk.hour LIMIT $5",
        )
        .bind(vin.as_str())
        .bind(signal)
        .bind(after)
        .bind(to)
        .bind(COLUMNS)
        .fetch_all(&mut **tx)
        .await?;
        let mut hours = Vec::with_capacity(rows.len());
        for row in &rows {
            after = row.try_get(0)?;
            hours.push((row.try_get::<Vec<u8>, _>(1)?, row.try_get::<Vec<u8>, _>(2)?));
        }
        let name = signal.to_owned();
        filling = compute(move || {
            for (times, data) in &hours {
                let hour = Hour::unpack(times, [(name.clone(), data.as_slice())])?;
                hour.values(&name).for_each(|(ts, value)| filling.add(ts, value));
            }
            Ok(filling)
        })
        .await?;
        if rows.len() < COLUMNS as usize {
            return Ok(filling);
        }
    }
}

/// A batch as it came; `None` where its samples are elsewhere.
pub(crate) fn read_body(vin: Vin, body: &[u8]) -> Result<Option<Telemetry>, StoreError> {
    if body.is_empty() {
        return Ok(None);
    }
    // What was said on either topic has one form.
    match codec::decode(&Topic::new(vin, Kind::Telemetry), body) {
        Ok(Message::Telemetry(telemetry)) => Ok(Some(telemetry)),
        Ok(_) => unreachable!("this topic holds telemetry"),
        Err(error) => Err(StoreError::corrupt("tail", error)),
    }
}

static BLOCKS: Bulk = Bulk::new(
    "INSERT INTO block (vin, hour, version, from_ts, to_ts, row_count, times) VALUES ",
    7,
    " ON CONFLICT (vin, hour) DO UPDATE SET version = excluded.version, from_ts = excluded.from_ts, \
     to_ts = excluded.to_ts, row_count = excluded.row_count, times = excluded.times \
     WHERE block.version = excluded.version - 1",
);
static CHUNKS: Bulk = Bulk::new(
    "INSERT INTO chunk (vin, hour, signal, n, low, high, total, data) VALUES ",
    8,
    " ON CONFLICT (vin, hour, signal) DO UPDATE SET n = excluded.n, low = excluded.low, high = excluded.high, \
     total = excluded.total, data = excluded.data",
);

/// Puts folded hours of some vehicles in their place. `false` when one of them has changed since they were made.
pub(crate) async fn put(tx: &mut Tx, folded: &[(Vin, &Folded)]) -> Result<bool, StoreError> {
    let hours: Vec<_> =
        folded.iter().flat_map(|(vin, folded)| folded.hours.iter().map(move |hour| (*vin, hour))).collect();
    let put = BLOCKS
        .run(tx, &hours, |query, (vin, (hour, version, packed))| {
            let Packed { from, to, row_count, times, .. } = packed;
            let query = query.bind(vin.as_str()).bind(*hour).bind(version + 1);
            query.bind(*from).bind(*to).bind(*row_count).bind(times.as_slice())
        })
        .await?;
    if put != hours.len() as u64 {
        return Ok(false);
    }
    let chunks: Vec<_> = hours
        .iter()
        .flat_map(|(vin, (hour, _, packed))| packed.chunks.iter().map(move |chunk| (*vin, *hour, chunk)))
        .collect();
    CHUNKS
        .run(tx, &chunks, |query, (vin, hour, chunk)| {
            let Summary { n, low, high, total } = chunk.summary;
            let query = query.bind(vin.as_str()).bind(*hour).bind(chunk.signal.as_str());
            query.bind(n).bind(low).bind(high).bind(total).bind(chunk.data.as_slice())
        })
        .await?;
    Ok(true)
}

/// Arithmetic that would hold up a thread of the runtime.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::Closed),
        },
    }
}
