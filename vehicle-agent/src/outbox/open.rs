use std::{path::Path, sync::Arc, time::Duration};

use bugbrother_wire::{Epoch, Seq, UnixMs, Vin, message::VinSource};
use sqlx::{
    ConnectOptions, Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous},
};
use tokio::sync::{Mutex, watch};
use tracing::{error, info};

use super::{File, Identity, Outbox, OutboxError, Shared, Tally, failed, to_column};

/// How long a file that another process is just closing is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
const SQLITE_BUSY: &str = "5";
const SQLITE_CORRUPT: &str = "11";
const SQLITE_NOT_A_DATABASE: &str = "26";

/// The vehicle of the outbox at `path` and where its VIN came from; `None` if there is no such file yet.
pub async fn peek_vin(path: &Path) -> Result<Option<(Vin, VinSource)>, OutboxError> {
    if !path.exists() {
        return Ok(None);
    }
    let mut db = match connect(path).await {
        Err(error) if is(&error, &[SQLITE_CORRUPT, SQLITE_NOT_A_DATABASE]) => return Ok(None),
        connected => connected.map_err(|error| refused(path, error))?,
    };
    let identity = read_identity(&mut db).await;
    db.close().await.map_err(failed("closed"))?;
    Ok(identity?.map(|identity| (identity.vin, identity.vin_source)))
}

impl Outbox {
    /// Opens the outbox of `vin`, or makes it. A file that is damaged is put aside and a new one made, whose epoch is new.
    pub async fn open(
        path: &Path,
        max_bytes: u64,
        vin: Vin,
        vin_source: VinSource,
        now: UnixMs,
    ) -> Result<Self, OutboxError> {
        let mut db = match connect(path).await {
            Err(error) if is(&error, &[SQLITE_CORRUPT, SQLITE_NOT_A_DATABASE]) => {
                put_aside(path, now)?;
                connect(path).await
            }
            connected => connected,
        }
        .map_err(|error| refused(path, error))?;
        let identity = match read_identity(&mut db).await? {
            Some(identity) if identity.vin != vin => {
                return Err(OutboxError::OtherVehicle { path: path.to_owned(), of: identity.vin, wanted: vin });
            }
            Some(identity) => identity,
            None => found(&mut db, vin, vin_source, now).await?,
        };
        let (file, tally) = File::load(db, max_bytes).await?;
        info!(
            outbox = %path.display(),
            epoch = identity.epoch.0,
            top = tally.top.0,
            unstored = tally.unstored,
            "outbox opened"
        );
        Ok(Outbox(Arc::new(Shared { file: Mutex::new(file), identity, tally: watch::Sender::new(tally) })))
    }
}

impl File {
    async fn load(mut db: SqliteConnection, max_bytes: u64) -> Result<(Self, Tally), OutboxError> {
        let row = sqlx::query(
            "SELECT coalesce(sum(length(body)), 0), coalesce(sum(stored = 0), 0), \
             coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'record'), 0) FROM record",
        )
        .fetch_one(&mut db)
        .await
        .map_err(failed("read"))?;
        let number = |index: usize| row.get::<i64, _>(index).unsigned_abs();
        let (bytes, unstored, top) = (number(0), number(1), Seq(number(2)));
        let row =
            sqlx::query("SELECT store, stored_seq FROM identity").fetch_one(&mut db).await.map_err(failed("read"))?;
        let file = File {
            db,
            max_bytes,
            bytes,
            trimmed: 0,
            store: row.get(0),
            stored_seq: Seq(row.get::<i64, _>(1).unsigned_abs()),
        };
        Ok((file, Tally { top, unstored }))
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .locking_mode(SqliteLockingMode::Exclusive)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("wal_autocheckpoint", "256");
    let mut db = options.connect().await?;
    // The first write takes the file for this process alone, until the connection is closed.
    sqlx::raw_sql(include_str!("schema.sql")).execute(&mut db).await?;
    sqlx::query("DELETE FROM identity WHERE one <> 1").execute(&mut db).await?;
    Ok(db)
}

async fn read_identity(db: &mut SqliteConnection) -> Result<Option<Identity>, OutboxError> {
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

async fn found(
    db: &mut SqliteConnection,
    vin: Vin,
    vin_source: VinSource,
    now: UnixMs,
) -> Result<Identity, OutboxError> {
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

/// With its log, which SQLite would otherwise take for that of the new file.
fn put_aside(path: &Path, now: UnixMs) -> Result<(), OutboxError> {
    error!(outbox = %path.display(), "outbox is damaged and put aside");
    for part in ["", "-wal", "-shm"] {
        let name = format!("{}{part}", path.display());
        let aside = format!("{}.damaged-{now}{part}", path.display());
        match std::fs::rename(name, aside) {
            Err(error) if part.is_empty() || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(OutboxError::Open { path: path.to_owned(), source: sqlx::Error::Io(error) });
            }
            _ => {}
        }
    }
    Ok(())
}

fn refused(path: &Path, source: sqlx::Error) -> OutboxError {
    let path = path.to_owned();
    if is(&source, &[SQLITE_BUSY]) { OutboxError::InUse(path) } else { OutboxError::Open { path, source } }
}

fn is(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| codes.contains(&code.as_ref()))
}
