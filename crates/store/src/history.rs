//! What vehicles measured, and what could not be taken.

use bugbrother_wire::{UnixMs, Vin};
use sqlx::{Row, any::AnyRow};

use crate::{Page, Question, Samples, Series, Store, StoreError, page, telemetry::bucket};

/// Most positions that one call returns.
pub const MAX_POSITIONS: usize = 100_000;
/// Most rows that one call returns, but for those of the same time as the last one.
pub const MAX_ROWS: usize = 20_000;
/// Most buckets that one call returns.
pub const MAX_BUCKETS: u32 = 10_000;

/// Where a vehicle was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// By the vehicle's clock.
    pub ts: UnixMs,
    /// Latitude in degrees.
    pub lat: f64,
    /// Longitude in degrees.
    pub lon: f64,
    /// Speed over ground, where the receiver told.
    pub speed_kmh: Option<f64>,
    /// Heading in degrees, where the receiver told.
    pub heading: Option<f64>,
}

/// Something that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Rises by one with each.
    pub number: i64,
    /// Where it was published.
    pub topic: String,
    /// Why it was refused.
    pub reason: String,
    /// Bytes that it had.
    pub size: i64,
    /// The first [`crate::arrival::MAX_DEAD_BYTES`] of them.
    pub payload: Vec<u8>,
    /// When it was received.
    pub received_ts: UnixMs,
}

/// A record of an impossible time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Rises by one with each.
    pub number: i64,
    /// Who sent it.
    pub vin: Vin,
    /// Where it was published.
    pub topic: String,
    /// Why it is kept apart.
    pub reason: String,
    /// When it was received.
    pub received_ts: UnixMs,
    /// The whole of it.
    pub payload: Vec<u8>,
}

impl Store {
    /// What a vehicle measured, about `limit` rows (at most [`MAX_ROWS`]) from the beginning of what is asked for.
    pub async fn samples(&self, question: Question<'_>, limit: usize) -> Result<Page, StoreError> {
        self.series.samples(question, limit.clamp(1, MAX_ROWS)).await
    }

    /// A signal of a vehicle between `from` and `to` (inclusive) in at most `buckets` (and [`MAX_BUCKETS`]) buckets.
    pub async fn series(
        &self,
        vin: Vin,
        signal: &str,
        from: UnixMs,
        to: UnixMs,
        buckets: u32,
    ) -> Result<Series, StoreError> {
        let (bucket_ms, begin, end) = bucket::grid(from, to, buckets.min(MAX_BUCKETS));
        Ok(Series { bucket_ms, buckets: self.series.series(vin, signal, begin, end, bucket_ms).await? })
    }

    /// Signals that a vehicle has between `from` and `to` (inclusive), in the order of their names.
    pub async fn signals(&self, vin: Vin, from: UnixMs, to: UnixMs) -> Result<Vec<String>, StoreError> {
        self.series.signals(vin, from, to).await
    }

    /// Removes what a vehicle measured before `before`, as whole hours, up to about `limit` of them. Tells how many.
    pub async fn forget_samples(&self, vin: Vin, before: UnixMs, limit: u32) -> Result<u64, StoreError> {
        self.series.forget(vin, before, limit).await
    }

    /// Where a vehicle was between `from` and `to` (inclusive): the first `limit` positions in the order of time, at most
    /// [`MAX_POSITIONS`].
    pub async fn positions(
        &self,
        vin: Vin,
        from: UnixMs,
        to: UnixMs,
        limit: usize,
    ) -> Result<Vec<Position>, StoreError> {
        let limit = limit.min(MAX_POSITIONS);
        let mut found: Vec<Position> = Vec::new();
        let mut from = Some(from);
        while let Some(begin) = from.filter(|_| found.len() < limit) {
            let question = Question { vin, from: begin, to, signals: Some(&TRACK) };
            let page = self.samples(question, MAX_ROWS.min(limit - found.len())).await?;
            found.extend(track(&page.samples));
            from = page.next;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// What could not be taken, newest first.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, topic, reason, size, payload, received_ts FROM dead_letter ORDER BY number DESC LIMIT $1",
        )
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let read = |row: &AnyRow| {
            Ok(DeadLetter {
                number: row.try_get(0)?,
                topic: row.try_get(1)?,
                reason: row.try_get(2)?,
                size: row.try_get(3)?,
                payload: row.try_get(4)?,
                received_ts: row.try_get(5)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Records of an impossible time, oldest first, those after `after`.
    pub async fn quarantine(&self, after: i64, limit: u32) -> Result<Vec<Quarantined>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, vin, topic, reason, received_ts, payload FROM quarantine WHERE number > $1 \
             ORDER BY number LIMIT $2",
        )
        .bind(after)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read_quarantined).collect()
    }
}

fn read_quarantined(row: &AnyRow) -> Result<Quarantined, StoreError> {
    let vin = row.try_get::<&str, _>(1)?.parse().map_err(|error| StoreError::corrupt("quarantine", error))?;
    Ok(Quarantined {
        number: row.try_get(0)?,
        vin,
        topic: row.try_get(2)?,
        reason: row.try_get(3)?,
        received_ts: row.try_get(4)?,
        payload: row.try_get(5)?,
    })
}

const TRACK: [&str; 4] = ["lat", "lon", "gspd", "hdg"];

/// The rows that tell both coordinates.
fn track(samples: &Samples) -> impl Iterator<Item = Position> {
    let [lat, lon, speed, heading] = TRACK.map(|key| samples.column(key));
    samples.rows.iter().filter_map(move |row| {
        let value = |column: Option<usize>| row.values[column?];
        Some(Position {
            ts: row.ts,
            lat: value(lat)?,
            lon: value(lon)?,
            speed_kmh: value(speed),
            heading: value(heading),
        })
    })
}
