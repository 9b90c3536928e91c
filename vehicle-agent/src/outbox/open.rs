use std::{path::Path, sync::Arc, time::Duration};

use bugbrother_wire::{Epoch, Seq, UnixMs, Vin, message::VinSource};
use sqlx::{
    ConnectOptions, Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous},
};
use tokio::sync::{Mutex, watch};
use tracing::info;

use super::{
    File, Identity, Outbox, OutboxError, Shared, Stored, Tally, failed, migrate::migrate, room, salvage, to_column,
};

/// How long a file that another process is just closing is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
const SQLITE_BUSY: i32 = 5;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOT_A_DATABASE: i32 = 26;

/// The vehicle of the outbox at `path` and where its VIN came from; `None` if there is no such file yet, or none that
/// can be read.
pub async fn peek_vin(path: &Path) -> Result<Option<(Vin, VinSource)>, OutboxError> {
    salvage::finish(path).map_err(|error| refused(path, sqlx::Error::Io(error)))?;
    if !path.exists() {
        return Ok(None);
    }
    match read_vin(path).await {
        Err(error) if is_damage(&error) => Ok(None),
        read => read,
    }
}

async fn read_vin(path: &Path) -> Result<Option<(Vin, VinSource)>, OutboxError> {
    let mut db = connect(path).await?;
    let identity = read_identity(path, &mut db).await;
    drop(db.close().await);
    Ok(identity?.map(|identity| (identity.vin, identity.vin_source)))
}

impl Outbox {
    /// Opens the outbox of `vin`, or makes it. A file that is damaged is put aside, and what can be read of it goes on in a
    /// new one.
    pub async fn open(
        path: &Path,
        max_bytes: u64,
        vin: Vin,
        vin_source: VinSource,
        now: UnixMs,
    ) -> Result<Self, OutboxError> {
        let owner = Owner { vin, vin_source, now };
        salvage::finish(path).map_err(|error| refused(path, sqlx::Error::Io(error)))?;
        let (identity, file, tally) = match load(path, max_bytes, owner).await {
            Err(error) if is_damage(&error) => {
                salvage::replace(path, max_bytes, owner, None, &error).await?;
                load(path, max_bytes, owner).await
            }
            loaded => loaded,
        }?;
        info!(
            outbox = %path.display(),
            epoch = identity.epoch.0,
            top = tally.top.0,
            unstored = tally.unstored,
            "outbox opened"
        );
        Ok(Outbox::of(identity, file, tally))
    }

    pub(super) fn of(identity: Identity, file: File, tally: Tally) -> Self {
        Outbox(Arc::new(Shared { file: Mutex::new(file), identity, tally: watch::Sender::new(tally) }))
    }
}

/// Who opens an outbox.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub vin: Vin,
    pub vin_source: VinSource,
    pub now: UnixMs,
}

/// Everything that is read before the first record is written, so that damage shows while it can be put aside.
pub(super) async fn load(path: &Path, max_bytes: u64, owner: Owner) -> Result<(Identity, File, Tally), OutboxError> {
    let mut db = connect(path).await?;
    let loaded = async {
        let identity = match read_identity(path, &mut db).await? {
            Some(identity) if identity.vin != owner.vin => {
                return Err(OutboxError::OtherVehicle { path: path.to_owned(), of: identity.vin, wanted: owner.vin });
            }
            Some(identity) => identity,
            None => {
                let identity = found(&mut db, owner).await?;
                room::keep(path);
                identity
            }
        };
        Ok((identity, Contents::read(&mut db).await?))
    }
    .await;
    match loaded {
        Ok((identity, contents)) => {
            let Contents { bytes, tally, stored } = contents;
            Ok((
                identity,
                File { db, path: path.to_owned(), max_bytes, bytes, trimmed: 0, stored, unwritten: false, boot: None },
                tally,
            ))
        }
        Err(error) => {
            // Closed before anything else is done with the path: SQLite removes the log of a file that it closes.
            drop(db.close().await);
            Err(error)
        }
    }
}

struct Contents {
    bytes: u64,
    tally: Tally,
    stored: Stored,
}

impl Contents {
    async fn read(db: &mut SqliteConnection) -> Result<Self, OutboxError> {
        let row = sqlx::query(
            "SELECT coalesce(sum(length(body)), 0), coalesce(sum(stored = 0), 0), \
             coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'record'), 0) FROM record",
        )
        .fetch_one(&mut *db)
        .await
        .map_err(failed("read"))?;
        let number = |index: usize| row.get::<i64, _>(index).unsigned_abs();
        let (bytes, unstored, top) = (number(0), number(1), Seq(number(2)));
        let row = sqlx::query("SELECT store, stored_seq, stored_ranges FROM identity")
            .fetch_one(db)
            .await
            .map_err(failed("read"))?;
        let stored = Stored::new(row.get(0), row.get::<i64, _>(1).unsigned_abs(), row.get(2))?;
        Ok(Contents { bytes, tally: Tally { top, unstored, released: 0, urgent: Seq(0) }, stored })
    }
}

pub(super) async fn connect(path: &Path) -> Result<SqliteConnection, OutboxError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("wal_autocheckpoint", "256");
    options.connect().await.map_err(|error| refused(path, error))
}

pub(super) async fn read_identity(path: &Path, db: &mut SqliteConnection) -> Result<Option<Identity>, OutboxError> {
    migrate(db).await.map_err(|error| refused(path, error))?;
    let row =
        sqlx::query("SELECT vin, vin_source, epoch FROM identity").fetch_optional(db).await.map_err(failed("read"))?;
    let Some(row) = row else { return Ok(None) };
    let vin = row.get::<String, _>(0).parse();
    let configured = row.get::<String, _>(1) == "configured";
    Ok(Some(Identity {
        vin: vin.map_err(|_| OutboxError::Corrupt("VIN"))?,
        vin_source: if configured { VinSource::Configured } else { VinSource::Obd },
        epoch: Epoch(row.get::<i64, _>(2).unsigned_abs()),
    }))
}

async fn found(db: &mut SqliteConnection, owner: Owner) -> Result<Identity, OutboxError> {
    let Owner { vin, vin_source, now } = owner;
    let identity = Identity { vin, vin_source, epoch: Epoch::new(now, rand::random()) };
    sqlx::query("INSERT INTO identity (one, vin, vin_source, epoch) VALUES (1, $1, $2, $3)")
        .bind(vin.as_str())
        .bind(match vin_source {
            VinSource::Configured => "configured",
            VinSource::Obd => "obd",
        })
        .bind(to_column(identity.epoch.0))
        .execute(db)
        .await
        .map_err(failed("written"))?;
    Ok(identity)
}

fn refused(path: &Path, source: sqlx::Error) -> OutboxError {
    let path = path.to_owned();
    if is(&source, &[SQLITE_BUSY]) { OutboxError::InUse(path) } else { OutboxError::Open { path, source } }
}

pub(super) fn is_damage(error: &OutboxError) -> bool {
    match error {
        OutboxError::Corrupt(_) => true,
        OutboxError::Open { source, .. } | OutboxError::Sql { source, .. } => {
            is(source, &[SQLITE_CORRUPT, SQLITE_NOT_A_DATABASE])
        }
        OutboxError::InUse(_) | OutboxError::OtherVehicle { .. } => false,
    }
}

pub(super) fn is_full(error: &OutboxError) -> bool {
    matches!(error, OutboxError::Sql { source, .. } if is(source, &[SQLITE_FULL]))
}

/// Whether it is one of the primary codes; SQLite's extended ones have theirs in the lowest byte.
fn is(error: &sqlx::Error, codes: &[i32]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    code.is_some_and(|code| codes.contains(&(code & 0xff)))
}
