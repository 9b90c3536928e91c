use std::{str::FromStr, time::Duration};

use sqlx::{
    AnyPool, Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
};
use uuid::Uuid;

use crate::{Store, StoreError, rule};

const READERS: u32 = 4;
const OPEN_TRIES: u32 = 20;

/// In this order: whoever meets the change to WAL by another process has to wait for it.
/// `synchronous=FULL` makes a commit survive a power cut, which is what an acknowledgement to a vehicle promises.
const READER_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                              PRAGMA foreign_keys = ON";
/// A large cache and rare checkpoints spare the random writes into the index of `tail`.
const WRITER_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                              PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8000";

impl Store {
    /// Opens the database at `url` (`sqlite:///var/lib/bugbrother/fleet.db`), makes it where there is none and brings
    /// its schema up to date. Several processes may have the same file open.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        if !url.starts_with("sqlite://") {
            return Err(StoreError::Url);
        }
        sqlx::any::install_default_drivers();
        let mode = if url.contains("mode=") {
            ""
        } else if url.contains('?') {
            "&mode=rwc"
        } else {
            "?mode=rwc"
        };
        let options = AnyConnectOptions::from_str(&format!("{url}{mode}"))?;

        // Two processes that make the same file at once trip over each other's schema; the second try finds it made.
        let mut tries = 1;
        let write = loop {
            match connect(&options, 1, WRITER_PRAGMAS).await {
                Ok(pool) => break pool,
                Err(error) if tries == OPEN_TRIES => return Err(error),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let identity = identify(&write).await?;
        let read = pool(READERS, READER_PRAGMAS).connect_with(options).await?;
        Ok(Store { read, write, identity: identity.into() })
    }
}

async fn connect(options: &AnyConnectOptions, size: u32, pragmas: &'static str) -> Result<AnyPool, StoreError> {
    let pool = pool(size, pragmas).connect_with(options.clone()).await?;
    if let Err(error) = sqlx::migrate!().run(&pool).await {
        pool.close().await;
        return Err(error.into());
    }
    Ok(pool)
}

/// Connections live as long as the pool: what they have cached is worth keeping, and a file does not hang up.
fn pool(size: u32, pragmas: &'static str) -> AnyPoolOptions {
    let options = AnyPoolOptions::new().max_connections(size).idle_timeout(None).max_lifetime(None);
    options.test_before_acquire(false).after_connect(move |connection, _| {
        Box::pin(async move {
            connection.execute(sqlx::raw_sql(pragmas)).await?;
            Ok(())
        })
    })
}

/// The identity; with it a new database gets the rules that every fleet starts with.
async fn identify(write: &AnyPool) -> Result<String, StoreError> {
    let mut tx = write.begin_with("BEGIN IMMEDIATE").await?;
    let made = sqlx::query("INSERT INTO meta (key, value) VALUES ('identity', $1) ON CONFLICT (key) DO NOTHING")
        .bind(Uuid::new_v4().to_string())
        .execute(&mut *tx)
        .await?;
    if made.rows_affected() == 1 {
        for rule in rule::defaults() {
            rule::upsert(&mut tx, &rule).await?;
        }
    }
    let identity = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'identity'").fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(identity)
}
