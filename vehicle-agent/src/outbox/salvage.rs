//! What is left of a damaged file goes into a new one.
//!
//! The new file is made whole beside the damaged one, with gap records for what could not be read and an event that tells
//! the fleet, before it takes its place: an agent that is killed meanwhile begins anew or finds it ready.

use std::{
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use bugbrother_wire::{
    Seq, UnixMs,
    message::{EventKind, Gap, VinSource},
};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteRow};
use tracing::{error, warn};

use super::{
    File, Identity, Outbox, OutboxError, Tally, crc_of,
    draft::{Draft, Happening},
    failed, gap_of,
    open::{Owner, connect, load, read_identity},
    room, to_column,
};

/// So many numbers are looked for at a time; one by one where that meets damage.
const STEP: u64 = 256;
/// Numbers further below the newest are not looked for: at ten records a second that is more than a week.
const REACH: u64 = 10_000_000;
/// Tables and their columns besides the records.
const REST: [(&str, &str); 7] = [
    ("wish", "one, config, driver_private"),
    ("note", "part, body"),
    ("command", "number, id, name, taken_at, ended"),
    ("wanted", "one, revision, private"),
    ("wanted_period", "key, period_ms"),
    ("boot", "number, id, guess, started, clock"),
    ("usage", "one, day, bytes"),
];

/// An agent was killed after it had put the damaged file aside and before the new one took its place.
pub(super) fn finish(path: &Path) -> io::Result<()> {
    let new = beside(path);
    if path.exists() || !new.exists() { Ok(()) } else { fs::rename(new, path) }
}

/// Puts the damaged file aside and a new one in its place, with all of it that can be read. Its epoch goes on if its
/// identity and its newest number can be read; they are `known` when the damage shows late.
pub(super) async fn replace(
    path: &Path,
    max_bytes: u64,
    owner: Owner,
    known: Option<(Identity, Seq)>,
    cause: &OutboxError,
) -> Result<(), OutboxError> {
    error!(outbox = %path.display(), error = cause as &dyn std::error::Error, "outbox is damaged and put aside");
    let new = beside(path);
    remove(&new).map_err(|error| opening(path, error))?;
    let rest = match Remains::open(path, known).await {
        Some(remains) => remains.copy_to(&new).await?,
        None => Rest::default(),
    };
    let (identity, file, tally) = load(&new, max_bytes, owner).await?;
    let outbox = Outbox::of(identity, file, tally);
    let (kept, lost) = outbox.declare_lost(owner.now).await?;
    outbox.close().await?;
    warn!(records = kept, lost, settings = rest.tables, "what could be read of the outbox goes on in a new file");
    metrics::counter!("bugbrother_agent_lost_records_total").increment(lost);
    // The damaged file's room is the new one's.
    fs::remove_file(room::reserve(&new)).ok();
    put_aside(path, owner.now).and_then(|()| fs::rename(&new, path)).map_err(|error| opening(path, error))?;
    // Without it a power cut could undo the renaming. Not every file system can.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).ok();
    Ok(())
}

impl Outbox {
    /// The file is damaged, which showed only now.
    pub(super) async fn salvage(&self, file: &mut File, cause: &OutboxError, now: UnixMs) -> Result<(), OutboxError> {
        let nothing = SqliteConnection::connect("sqlite::memory:").await.map_err(failed("closed"))?;
        // What it cannot write any more is read from its log.
        drop(std::mem::replace(&mut file.db, nothing).close().await);
        let Identity { vin, vin_source, .. } = self.0.identity;
        let owner = Owner { vin, vin_source, now };
        let old = *self.0.tally.borrow();
        replace(&file.path, file.max_bytes, owner, Some((self.0.identity, old.top)), cause).await?;
        let (_, new, tally) = load(&file.path, file.max_bytes, owner).await?;
        file.db = new.db;
        file.bytes = new.bytes;
        file.trimmed = 0;
        file.unwritten = true;
        self.0.tally.send_replace(Tally { released: old.released, ..tally });
        Ok(())
    }

    /// Records that the disk has spoilt go, and gap records name them.
    pub(super) async fn give_up(&self, file: &mut File, spoilt: &[Seq], now: UnixMs) -> Result<(), OutboxError> {
        let mut lost = rangemap::RangeInclusiveSet::new();
        for seq in spoilt {
            lost.insert(seq.0..=seq.0);
            let row = sqlx::query("SELECT gap_from, gap_to FROM record WHERE seq = $1")
                .bind(to_column(seq.0))
                .fetch_one(&mut file.db)
                .await
                .map_err(failed("read"))?;
            lost.extend(gap_of(&row, 0));
        }
        let gaps: Vec<_> = lost.into_iter().map(gap).collect();
        self.append_to(file, &gaps, spoilt, now).await?;
        metrics::counter!("bugbrother_agent_lost_records_total").increment(spoilt.len() as u64);
        warn!(records = spoilt.len(), "the disk has spoilt records: they are given up");
        Ok(())
    }

    /// Names what is neither here nor in the database, and tells the fleet. How many records there are, and are lost.
    async fn declare_lost(&self, now: UnixMs) -> Result<(u64, u64), OutboxError> {
        let mut file = self.0.file.lock().await;
        let Tally { top, unstored, .. } = *self.0.tally.borrow();
        let from = file.stored.seq();
        let mut lost = file.holes(from, top).await?;
        for range in file.stored.numbers.clone() {
            lost.remove(range);
        }
        let count = lost.iter().map(|range| range.end() - range.start() + 1).sum();
        let mut drafts: Vec<_> = lost.into_iter().map(gap).collect();
        let text = format!("{unstored} records could be read, {count} are lost");
        drafts.push(Draft::Event(Happening { text: Some(text), ..Happening::new(EventKind::OutboxDamaged, now) }));
        self.append_to(&mut file, &drafts, &[], now).await?;
        Ok((unstored, count))
    }
}

fn gap(range: RangeInclusive<u64>) -> Draft {
    let (from, to) = (Seq(*range.start()), Seq(*range.end()));
    Draft::Gap(Gap { from, to, reason: "the disk has spoilt it".to_owned() })
}

/// A damaged file of which it can be read whose it is and how far its numbers go.
struct Remains {
    db: SqliteConnection,
    identity: Identity,
    top: Seq,
}

/// What else could be read.
#[derive(Default)]
struct Rest {
    tables: usize,
}

impl Remains {
    async fn open(path: &Path, known: Option<(Identity, Seq)>) -> Option<Self> {
        let mut db = connect(path).await.ok()?;
        let read = async {
            // Also to bring its tables up to date.
            let identity = read_identity(path, &mut db).await;
            if let Some((identity, top)) = known {
                return Some((identity, top));
            }
            let top: i64 = sqlx::query_scalar(
                "SELECT max(seq) FROM (SELECT seq FROM sqlite_sequence WHERE name = 'record' UNION ALL SELECT 0)",
            )
            .fetch_one(&mut db)
            .await
            .ok()?;
            Some((identity.ok()??, Seq(top.unsigned_abs())))
        };
        match read.await {
            Some((identity, top)) => Some(Remains { db, identity, top }),
            None => {
                drop(db.close().await);
                None
            }
        }
    }

    async fn copy_to(mut self, path: &Path) -> Result<Rest, OutboxError> {
        let mut new = connect(path).await?;
        let copied = self.copy(path, &mut new).await;
        let closed = new.close().await.map_err(failed("written"));
        drop(self.db.close().await);
        let rest = copied?;
        closed?;
        Ok(rest)
    }

    async fn copy(&mut self, path: &Path, new: &mut SqliteConnection) -> Result<Rest, OutboxError> {
        // Makes the tables.
        read_identity(path, new).await?;
        let Identity { vin, vin_source, epoch } = self.identity;
        sqlx::query("INSERT INTO identity (one, vin, vin_source, epoch) VALUES (1, $1, $2, $3)")
            .bind(vin.as_str())
            .bind(if vin_source == VinSource::Configured { "configured" } else { "obd" })
            .bind(to_column(epoch.0))
            .execute(&mut *new)
            .await
            .map_err(failed("written"))?;
        let progress = "SELECT store, stored_seq, stored_ranges, recording, replayed FROM identity";
        let mut stored_seq = 0;
        if let Ok(row) = sqlx::query(progress).fetch_one(&mut self.db).await {
            stored_seq = row.get::<i64, _>(1).unsigned_abs();
            sqlx::query(
                "UPDATE identity SET store = $1, stored_seq = $2, stored_ranges = $3, recording = $4, replayed = $5",
            )
            .bind(row.get::<Option<String>, _>(0))
            .bind(row.get::<i64, _>(1))
            .bind(row.get::<Option<Vec<u8>>, _>(2))
            .bind(row.get::<Option<String>, _>(3))
            .bind(row.get::<i64, _>(4))
            .execute(&mut *new)
            .await
            .map_err(failed("written"))?;
        }
        let mut rest = Rest::default();
        for (table, columns) in REST {
            rest.tables += usize::from(self.copy_table(new, table, columns).await?);
        }
        let lowest: Result<Option<i64>, _> =
            sqlx::query_scalar("SELECT min(seq) FROM record").fetch_one(&mut self.db).await;
        let lowest = lowest.ok().flatten().map_or(stored_seq + 1, i64::unsigned_abs);
        let mut from = lowest.max(self.top.0.saturating_sub(REACH));
        while from <= self.top.0 {
            let to = (from + STEP - 1).min(self.top.0);
            let rows = self.records(from, to).await;
            let mut tx = new.begin().await.map_err(failed("written"))?;
            for row in rows {
                insert(&mut tx, &row).await?;
            }
            tx.commit().await.map_err(failed("written"))?;
            from = to + 1;
        }
        sqlx::raw_sql("DELETE FROM sqlite_sequence WHERE name = 'record'")
            .execute(&mut *new)
            .await
            .map_err(failed("written"))?;
        sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ('record', $1)")
            .bind(to_column(self.top.0))
            .execute(new)
            .await
            .map_err(failed("written"))?;
        Ok(rest)
    }

    /// Those between two numbers that can be read and are whole.
    async fn records(&mut self, from: u64, to: u64) -> Vec<SqliteRow> {
        let select = "SELECT seq, kind, urgent, made_at, stored, body, gap_from, gap_to, boot, crc FROM record \
                      WHERE seq BETWEEN $1 AND $2";
        let between = async |db: &mut SqliteConnection, from: u64, to: u64| {
            sqlx::query(select).bind(to_column(from)).bind(to_column(to)).fetch_all(db).await
        };
        let mut rows = match between(&mut self.db, from, to).await {
            Ok(rows) => rows,
            Err(_) => {
                let mut found = Vec::new();
                for seq in from..=to {
                    found.extend(between(&mut self.db, seq, seq).await.unwrap_or_default());
                }
                found
            }
        };
        rows.retain(|row| row.get::<Option<i64>, _>(9).is_none_or(|crc| crc == crc_of(row.get(5))));
        rows
    }

    /// Whether it could be read.
    async fn copy_table(
        &mut self,
        new: &mut SqliteConnection,
        table: &str,
        columns: &str,
    ) -> Result<bool, OutboxError> {
        let select = format!("SELECT {columns} FROM {table}");
        let Ok(rows) = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_all(&mut self.db).await else {
            return Ok(false);
        };
        let places: Vec<_> = (1..=columns.split(", ").count()).map(|place| format!("${place}")).collect();
        let insert = format!("INSERT INTO {table} ({columns}) VALUES ({})", places.join(", "));
        for row in rows {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(insert.as_str()));
            for index in 0..places.len() {
                query = match row.try_get::<Option<i64>, _>(index) {
                    Ok(number) => query.bind(number),
                    Err(_) => query.bind(row.try_get::<Option<String>, _>(index).ok().flatten()),
                };
            }
            query.execute(&mut *new).await.map_err(failed("written"))?;
        }
        Ok(true)
    }
}

async fn insert(tx: &mut SqliteConnection, row: &SqliteRow) -> Result<(), OutboxError> {
    sqlx::query(
        "INSERT INTO record (seq, kind, urgent, made_at, stored, body, gap_from, gap_to, boot, crc) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(row.get::<i64, _>(0))
    .bind(row.get::<i64, _>(1))
    .bind(row.get::<i64, _>(2))
    .bind(row.get::<i64, _>(3))
    .bind(row.get::<i64, _>(4))
    .bind(row.get::<Vec<u8>, _>(5))
    .bind(row.get::<Option<i64>, _>(6))
    .bind(row.get::<Option<i64>, _>(7))
    .bind(row.get::<Option<i64>, _>(8))
    .bind(row.get::<Option<i64>, _>(9))
    .execute(tx)
    .await
    .map(drop)
    .map_err(failed("written"))
}

fn beside(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.new", path.display()))
}

const PARTS: [&str; 3] = ["", "-wal", "-shm"];

fn remove(path: &Path) -> io::Result<()> {
    for part in PARTS {
        match fs::remove_file(format!("{}{part}", path.display())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// With its log, which SQLite would otherwise take for that of the new file. Only the last damaged file is kept.
fn put_aside(path: &Path, now: UnixMs) -> io::Result<()> {
    let aside = format!("{}.damaged-", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder)?.flatten() {
        if folder
            .join(entry.file_name())
            .display()
            .to_string()
            .trim_start_matches("./")
            .starts_with(aside.trim_start_matches("./"))
        {
            fs::remove_file(entry.path())?;
        }
    }
    for part in PARTS {
        match fs::rename(format!("{}{part}", path.display()), format!("{aside}{now}{part}")) {
            Err(error) if part.is_empty() || error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn opening(path: &Path, error: io::Error) -> OutboxError {
    OutboxError::Open { path: path.to_owned(), source: sqlx::Error::Io(error) }
}
