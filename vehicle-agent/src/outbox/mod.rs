//! What is not yet in the fleet's database, on disk: SQLite, WAL, `synchronous=FULL`.
//!
//! # Layout
//! - [`Draft`]: what is to be kept, before it has its place
//! - `open`: the file and its identity; `migrate`: its tables
//! - `append`: group commit, and what goes when there is no room
//! - `acknowledge`: what the database has
//! - `room`: what goes when the disk is full before the outbox is; `salvage`: what is left of a damaged file
//! - `hold`: records that wait until it is known what time it is
//! - `snapshot`: what parts of the agent want to know after the next start
//! - `wishes`: what fleet and driver want; `commands`: which commands were taken on
//!
//! # Invariants
//! - One connection, which holds the file for itself: a second agent on the same file is refused.
//! - `(epoch, seq)` is given once: the epoch is the file's, the number survives the record.
//! - A record that went for want of room is named by a gap record in the same transaction, and so is what it declared.
//! - A gap record is sent in the place of its hole: the database never has to keep in mind more than a few ranges.
//! - The newest [`KEPT`] numbers stay after they are acknowledged, for a database that falls back to an older copy.

mod acknowledge;
mod append;
mod commands;
mod draft;
mod hold;
mod migrate;
mod open;
mod room;
mod salvage;
mod snapshot;
mod usage;
mod wishes;

use std::{
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    sync::Arc,
};

use bugbrother_wire::{Epoch, Seq, UnixMs, Vin, message::VinSource, topic::Kind};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use tokio::sync::{Mutex, watch};

use tracing::debug;

use acknowledge::Stored;
use hold::Booted;

use crate::now_ms;

pub use acknowledge::Progress;
pub use append::{Grouping, keep};
pub use commands::Unfinished;
pub use draft::{Answer, Batch, Draft, Happening, Step};
pub use hold::release;
pub use open::peek_vin;
pub use wishes::Wanted;

/// So many of the newest numbers stay after they are acknowledged.
pub const KEPT: u64 = 512;

/// The outbox. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    file: Mutex<File>,
    identity: Identity,
    tally: watch::Sender<Tally>,
}

/// Whose outbox a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The vehicle.
    pub vin: Vin,
    /// Where its VIN came from.
    pub vin_source: VinSource,
    /// The life of the file.
    pub epoch: Epoch,
}

/// How the outbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The newest number that was given; 0 before the first.
    pub top: Seq,
    /// Records that the database does not have yet.
    pub unstored: u64,
    /// The newest number that was given to anything but samples since the file was opened; 0 before the first.
    pub urgent: Seq,
    /// Records that were held back and can be sent by now, since the file was opened.
    pub released: u64,
}

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where it is sent: a gap record in the place of the last number that it declares, as long as that is in the range
    /// that was asked for, everything else in that of its own number. So each record in turn, or what it declares, is
    /// the lowest that the database does not have.
    pub place: Seq,
    /// Its number.
    pub seq: Seq,
    /// The topic that it belongs to.
    pub kind: Kind,
    /// The message.
    pub body: Vec<u8>,
}

/// Why the outbox does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The file cannot be opened or made.
    #[error("outbox {path} cannot be opened")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// Another process holds the file.
    #[error("outbox {0} is in use by another agent: end that one, or give this one a file of its own")]
    InUse(PathBuf),
    /// The file belongs to another vehicle.
    #[error("outbox {path} belongs to {of}, this vehicle is {wanted}: give each vehicle a file of its own")]
    OtherVehicle {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        of: Vin,
        /// Who wanted it.
        wanted: Vin,
    },
    /// The file holds what no agent wrote.
    #[error("outbox holds a wrong {0}")]
    Corrupt(&'static str),
    /// The file cannot be read or written.
    #[error("outbox cannot be {doing}")]
    Sql {
        /// What was wanted.
        doing: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}

/// The connection and what is known of the file without asking it.
struct File {
    db: SqliteConnection,
    path: PathBuf,
    max_bytes: u64,
    bytes: u64,
    /// Stored records up to here are gone.
    trimmed: u64,
    stored: Stored,
    /// Whether what is known to be stored is still to be written.
    unwritten: bool,
    /// This start of the computer, once it is told.
    boot: Option<Booted>,
}

impl Outbox {
    /// Whose outbox it is.
    pub fn identity(&self) -> Identity {
        self.0.identity
    }

    /// How it stands, and every change of that.
    pub fn tally(&self) -> watch::Receiver<Tally> {
        self.0.tally.subscribe()
    }

    /// The first records in `range` that the database does not have and that are not held back, by their place, at most
    /// `limit`. Those that the disk has spoilt are given up, and named by a gap record.
    pub async fn read(&self, range: Range<Seq>, limit: usize) -> Result<Vec<Kept>, OutboxError> {
        let mut file = self.0.file.lock().await;
        let mut salvaged = false;
        loop {
            // A disk that takes nothing may still be read: what is sent twice does no harm.
            if let Err(error) = self.write_acknowledged_in(&mut file).await {
                debug!(error = &error as &dyn std::error::Error, "acknowledgement is not noted yet");
            }
            match file.read(range.clone(), limit).await {
                Ok(found) if found.spoilt.is_empty() => return Ok(found.whole),
                Ok(found) => match self.give_up(&mut file, &found.spoilt, now_ms()).await {
                    // It goes as soon as the disk takes something.
                    Err(error) if !open::is_damage(&error) => return Ok(found.whole),
                    given_up => given_up?,
                },
                Err(error) if open::is_damage(&error) && !salvaged => {
                    self.salvage(&mut file, &error, now_ms()).await?;
                    salvaged = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The lowest number whose record was made at `since` or later, of the newest `reach` ones; what follows the newest
    /// if there is none.
    pub async fn first_since(&self, since: UnixMs, reach: u64) -> Result<Seq, OutboxError> {
        let mut file = self.0.file.lock().await;
        let top = self.0.tally.borrow().top;
        let found: Option<i64> = sqlx::query_scalar("SELECT min(seq) FROM record WHERE seq > $1 AND made_at >= $2")
            .bind(to_column(top.0.saturating_sub(reach)))
            .bind(since)
            .fetch_one(&mut file.db)
            .await
            .map_err(failed("read"))?;
        Ok(found.map_or(top.next(), |seq| Seq(seq.unsigned_abs())))
    }

    /// How many fixes of `recording` are in the outbox or were; 0 for another one than last time.
    pub async fn resume_recording(&self, recording: &Path) -> Result<u64, OutboxError> {
        let mut file = self.0.file.lock().await;
        let name = recording.to_string_lossy();
        let replayed: Option<i64> = sqlx::query_scalar("SELECT replayed FROM identity WHERE recording = $1")
            .bind(&*name)
            .fetch_optional(&mut file.db)
            .await
            .map_err(failed("read"))?;
        if replayed.is_none() {
            file.note_recording(Some(&name)).await?;
        }
        Ok(replayed.unwrap_or(0).unsigned_abs())
    }

    /// The recording is through: next time it is replayed anew.
    pub async fn finish_recording(&self) -> Result<(), OutboxError> {
        self.0.file.lock().await.note_recording(None).await
    }

    /// As a full disk does, or one that is well again.
    #[cfg(test)]
    pub(crate) async fn refuse_writes(&self, refuse: bool) {
        let pragma = if refuse { "PRAGMA query_only = ON" } else { "PRAGMA query_only = OFF" };
        sqlx::query(pragma).execute(&mut self.0.file.lock().await.db).await.expect("a connection can be told so");
    }

    /// Writes everything to the file proper and closes it. Other handles can no longer be used.
    pub async fn close(self) -> Result<(), OutboxError> {
        let mut file = self.0.file.lock().await;
        self.write_acknowledged_in(&mut file).await?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut file.db).await.map_err(failed("closed"))?;
        Ok(())
    }
}

/// What is in a part of the file.
struct Found {
    whole: Vec<Kept>,
    spoilt: Vec<Seq>,
}

impl File {
    async fn read(&mut self, range: Range<Seq>, limit: usize) -> Result<Found, OutboxError> {
        let rows = sqlx::query(
            "SELECT seq AS place, seq, kind, body, crc FROM record \
             WHERE stored = 0 AND boot IS NULL AND seq >= $1 AND seq < $2 AND (gap_to IS NULL OR gap_to < $1) \
             UNION ALL SELECT gap_to, seq, kind, body, crc FROM record \
             WHERE stored = 0 AND boot IS NULL AND seq < $2 AND gap_to >= $1 \
             ORDER BY place LIMIT $3",
        )
        .bind(to_column(range.start.0))
        .bind(to_column(range.end.0))
        .bind(to_column(limit as u64))
        .fetch_all(&mut self.db)
        .await
        .map_err(failed("read"))?;
        let mut found = Found { whole: Vec::with_capacity(rows.len()), spoilt: Vec::new() };
        for row in rows {
            let seq = Seq(row.get::<i64, _>(1).unsigned_abs());
            let body: Vec<u8> = row.get(3);
            // Older versions wrote no sum.
            let whole = row.get::<Option<i64>, _>(4).is_none_or(|crc| crc == crc_of(&body));
            match to_kind(row.get(2)).filter(|_| whole) {
                Some(kind) => {
                    let place = Seq(row.get::<i64, _>(0).unsigned_abs());
                    found.whole.push(Kept { place, seq, kind, body });
                }
                None => found.spoilt.push(seq),
            }
        }
        Ok(found)
    }

    async fn note_recording(&mut self, recording: Option<&str>) -> Result<(), OutboxError> {
        sqlx::query("UPDATE identity SET recording = $1, replayed = 0")
            .bind(recording)
            .execute(&mut self.db)
            .await
            .map_err(failed("written"))?;
        Ok(())
    }
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> OutboxError {
    move |source| OutboxError::Sql { doing, source }
}

/// Memory cards change bits, and SQLite has no sums.
fn crc_of(body: &[u8]) -> i64 {
    crc32fast::hash(body).into()
}

/// Numbers stay far below 2^63: at a thousand a second for longer than there have been cars.
fn to_column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What a gap record declares, from the columns `gap_from` and `gap_to`.
fn gap_of(row: &SqliteRow, at: usize) -> Option<RangeInclusive<u64>> {
    let from: Option<i64> = row.get(at);
    let to: Option<i64> = row.get(at + 1);
    Some(from?.unsigned_abs()..=to?.unsigned_abs())
}

fn from_kind(kind: Kind) -> i64 {
    match kind {
        Kind::Diagnostics => 1,
        Kind::Event => 2,
        Kind::Reply => 3,
        Kind::Media => 4,
        _ => 0,
    }
}

fn to_kind(column: i64) -> Option<Kind> {
    let kinds = [Kind::Telemetry, Kind::Diagnostics, Kind::Event, Kind::Reply, Kind::Media];
    kinds.into_iter().find(|kind| from_kind(*kind) == column)
}
