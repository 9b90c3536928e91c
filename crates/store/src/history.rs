//! What vehicles sent, batch by batch, and what could not be taken.

use bugbrother_wire::{Epoch, Message, Seq, Topic, UnixMs, Vin, codec, message::Telemetry, topic::Kind};
use sqlx::{Row, any::AnyRow};

use crate::{Lane, Store, StoreError, page};

/// Most positions that one call returns.
pub const MAX_POSITIONS: usize = 100_000;
/// Batches are up to 256 KiB large and read by so many.
const BATCHES_PER_PAGE: u32 = 64;

/// A stored batch of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The batch.
    pub telemetry: Telemetry,
    /// How it was sent.
    pub lane: Lane,
    /// When it was received.
    pub received_ts: UnixMs,
}

impl Batch {
    /// Where it stands in its vehicle's history.
    pub fn cursor(&self) -> Cursor {
        Cursor { t0: self.telemetry.t0, epoch: self.telemetry.epoch, seq: self.telemetry.seq }
    }
}

/// A place in the history of a vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Beginning of the batch.
    pub t0: UnixMs,
    /// Its outbox.
    pub epoch: Epoch,
    /// Its number there.
    pub seq: Seq,
}

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

impl Store {
    /// Batches of a vehicle with a sample between `from` and `to` (inclusive), in the order of their beginnings, those
    /// after `after`.
    pub async fn samples(
        &self,
        vin: Vin,
        from: UnixMs,
        to: UnixMs,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Batch>, StoreError> {
        let after = after.unwrap_or(Cursor { t0: UnixMs::MIN, epoch: Epoch(0), seq: Seq(0) });
        // No batch spans more than `MAX_SPAN_MS`, so the index on t0 bounds the search at both ends.
        let rows = sqlx::query(
            "SELECT lane, received_ts, body FROM tail WHERE vin = $1 AND t0 >= $2 AND t0 <= $3 AND t1 >= $4 \
             AND (t0, epoch, seq) > ($5, $6, $7) ORDER BY t0, epoch, seq LIMIT $8",
        )
        .bind(vin.as_str())
        .bind(from.saturating_sub(i64::from(codec::MAX_SPAN_MS)).max(after.t0))
        .bind(to)
        .bind(from)
        .bind(after.t0)
        .bind(after.epoch.0.cast_signed())
        .bind(after.seq.0.cast_signed())
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| read_batch(vin, row)).collect()
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
        let mut after = None;
        loop {
            let batches = self.samples(vin, from, to, after, BATCHES_PER_PAGE).await?;
            let Some(last) = batches.last() else { break };
            after = Some(last.cursor());
            found.extend(
                batches.iter().flat_map(|batch| track(&batch.telemetry)).filter(|p| (from..=to).contains(&p.ts)),
            );
            found.sort_by_key(|position| position.ts);
            found.truncate(limit);
            // Batches overlap, so a later one may hold an earlier position until it begins after the last one wanted.
            if found.len() == limit && found.last().is_none_or(|position| position.ts < last.telemetry.t0) {
                break;
            }
        }
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
}

fn read_batch(vin: Vin, row: &AnyRow) -> Result<Batch, StoreError> {
    let (lane, kind) = match row.try_get::<&str, _>(0)? {
        "live" => (Lane::Live, Kind::Telemetry),
        "backfill" => (Lane::Backfill, Kind::Backfill),
        other => return Err(StoreError::corrupt("tail", format!("`{other}` is no lane"))),
    };
    match codec::decode(&Topic::new(vin, kind), row.try_get(2)?) {
        Ok(Message::Telemetry(telemetry) | Message::Backfill(telemetry)) => {
            Ok(Batch { telemetry, lane, received_ts: row.try_get(1)? })
        }
        Ok(_) => unreachable!("these two topics hold telemetry"),
        Err(error) => Err(StoreError::corrupt("tail", error)),
    }
}

/// The rows of a batch that tell both coordinates.
fn track(batch: &Telemetry) -> impl Iterator<Item = Position> {
    let [lat, lon, speed, heading] = ["lat", "lon", "gspd", "hdg"].map(|key| batch.column(key));
    batch.rows.iter().filter_map(move |row| {
        let value = |column: Option<usize>| row.values.get(column?).copied().flatten();
        Some(Position {
            ts: batch.t0 + i64::from(row.dt_ms),
            lat: value(lat)?,
            lon: value(lon)?,
            speed_kmh: value(speed),
            heading: value(heading),
        })
    })
}
