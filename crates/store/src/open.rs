use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AnyConnection, AnyPool, Connection, Executor,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{MigrateError, Migrator},
};
use uuid::Uuid;

use crate::{
    Engine, Store, StoreError, rule, tail,
    telemetry::{TimeSeries, embedded::Embedded, influx::Influx},
};

/// The schema, step by step.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!();

const READERS: u32 = 4;
/// As `PRAGMA auto_vacuum` tells it.
const INCREMENTAL: i64 = 2;
const OPEN_TRIES: u32 = 20;
/// How long a server may take to give a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Store {
    /// Opens the database at `url` (`sqlite:///var/lib/bugbrother/fleet.db`, `postgres://user:password@host/fleet`) and
    /// brings its schema up to date; a file is made where there is none. Several processes may have the same one open.
    ///
    /// Samples are kept there, too.
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        Self::open_with(url, None).await
    }

    /// The same, with the samples at `telemetry_url`; beside everything else where that is `None` or the same address.
    ///
    /// Elsewhere is an InfluxDB: `influxdb://user:password@host:8086/database`, made if an InfluxDB 1 has none of that name
    /// and kept by `?retention_days=400` for so long, or `influxdb://token@host:8086/bucket?v=2`; `influxdbs` over TLS.
    pub async fn open_with(url: &str, telemetry_url: Option<&str>) -> Result<Store, StoreError> {
        let elsewhere = telemetry_url.filter(|telemetry_url| *telemetry_url != url);
        if elsewhere.is_some_and(|telemetry_url| !Influx::is_at(telemetry_url)) {
            return Err(StoreError::TelemetryUrl);
        }
        let engine = Engine::of(url)?;
        sqlx::any::install_default_drivers();
        let mode = match engine {
            Engine::Sqlite if url.contains("mode=") => "",
            Engine::Sqlite if url.contains('?') => "&mode=rwc",
            Engine::Sqlite => "?mode=rwc",
            Engine::Postgres => "",
        };
        let options = AnyConnectOptions::from_str(&format!("{url}{mode}"))?;

        // Two processes that make the same file at once trip over each other's schema; the second try finds it made.
        let mut tries = 1;
        let connections = Arc::<AtomicU64>::default();
        let write = loop {
            match connect(&options, engine, &connections).await {
                Ok(pool) => break pool,
                Err(error @ StoreError::Newer(_)) => return Err(error),
                Err(error) if tries == OPEN_TRIES => return Err(error),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let identity = identify(&write, engine).await?;
        let read = pool(engine, false, &Arc::default()).connect_with(options).await?;
        let series: Arc<dyn TimeSeries> = match elsewhere {
            Some(telemetry_url) => Arc::new(Influx::open(telemetry_url, read.clone()).await?),
            None => Arc::new(Embedded { read: read.clone(), write: write.clone(), engine }),
        };
        Ok(Store {
            read,
            write,
            engine,
            identity: identity.into(),
            series,
            memory: Arc::default(),
            connections,
            rules: Arc::default(),
        })
    }
}

async fn connect(
    options: &AnyConnectOptions,
    engine: Engine,
    connections: &Arc<AtomicU64>,
) -> Result<AnyPool, StoreError> {
    let pool = pool(engine, true, connections).connect_with(options.clone()).await?;
    if let Err(error) = migrate(&pool, options, engine).await {
        pool.close().await;
        return Err(match error {
            MigrateError::VersionMissing(version) => StoreError::Newer(version),
            error => error.into(),
        });
    }
    if engine == Engine::Postgres {
        keep_uncompressed(&pool).await?;
    }
    Ok(pool)
}

/// Brings the schema up to date. What a server has may be a lot, so there it may take any time.
async fn migrate(pool: &AnyPool, options: &AnyConnectOptions, engine: Engine) -> Result<(), MigrateError> {
    if engine == Engine::Sqlite {
        return MIGRATIONS.run(pool).await;
    }
    let patient = AnyPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move {
                let settings = sqlx::raw_sql("SET statement_timeout = 0; SET client_min_messages = warning");
                connection.execute(settings).await.map(drop)
            })
        })
        .connect_with(options.clone())
        .await?;
    let done = async {
        MIGRATIONS.run(&patient).await?;
        Ok(number_tail(&patient).await?)
    };
    let done = done.await;
    patient.close().await;
    done
}

/// Where PostgreSQL has the numbers of batches from: a sequence, which nobody waits for. What SQLite calls INTEGER, whatever its
/// size, has four bytes there.
async fn number_tail(pool: &AnyPool) -> sqlx::Result<()> {
    const IS_NUMBERED: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM pg_class WHERE oid = to_regclass('tail_number')";
    if sqlx::query_scalar::<_, i64>(IS_NUMBERED).fetch_one(pool).await? == 1 {
        return Ok(());
    }
    let mut tx = pool.begin().await?;
    // Several processes may be at it.
    sqlx::query("LOCK TABLE tail IN ACCESS EXCLUSIVE MODE").execute(&mut *tx).await?;
    if sqlx::query_scalar::<_, i64>(IS_NUMBERED).fetch_one(&mut *tx).await? == 0 {
        sqlx::query("ALTER TABLE tail ALTER COLUMN number TYPE BIGINT").execute(&mut *tx).await?;
        let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM tail").fetch_one(&mut *tx).await?;
        let sql = format!("CREATE SEQUENCE tail_number INCREMENT BY {} START WITH {}", tail::NUMBERS, last + 1);
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// PostgreSQL tries to compress each value of more than 2 kB, which here takes three quarters of the time of a commit and
/// saves next to nothing: columns of an hour are compressed, and batches do not stay.
async fn keep_uncompressed(pool: &AnyPool) -> Result<(), StoreError> {
    for (table, column, alter) in [
        ("tail", "body", "ALTER TABLE tail ALTER COLUMN body SET STORAGE EXTERNAL"),
        ("chunk", "data", "ALTER TABLE chunk ALTER COLUMN data SET STORAGE EXTERNAL"),
    ] {
        // To change nothing would still wait for everybody who is at the table.
        let differs: Option<i64> = sqlx::query_scalar(
            "SELECT CAST(1 AS BIGINT) FROM pg_attribute WHERE attrelid = CAST($1 AS regclass) AND attname = CAST($2 AS name) \
             AND attstorage <> 'e' LIMIT 1",
        )
        .bind(table)
        .bind(column)
        .fetch_optional(pool)
        .await?;
        if differs.is_some() {
            sqlx::query(alter).execute(pool).await?;
        }
    }
    Ok(())
}

/// Connections to a file live as long as the pool: what they have cached is worth keeping, and a file does not hang up.
/// A server may: its connections are tried before they are used. `connections` counts those that are made.
fn pool(engine: Engine, writes: bool, connections: &Arc<AtomicU64>) -> AnyPoolOptions {
    let size = match (engine, writes) {
        (Engine::Sqlite, true) => 1,
        _ => READERS,
    };
    let options = AnyPoolOptions::new().max_connections(size).idle_timeout(None).max_lifetime(None);
    let options = match engine {
        Engine::Sqlite => options.test_before_acquire(false),
        Engine::Postgres => options.test_before_acquire(true).acquire_timeout(CONNECT_TIMEOUT),
    };
    // A full or failing disk makes SQLite roll a transaction back by itself. sqlx does not notice: for it the transaction goes
    // on for ever, and no other can begin on that connection.
    let options = options.before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
    let connections = Arc::clone(connections);
    options.after_connect(move |connection, _| {
        connections.fetch_add(1, Ordering::SeqCst);
        Box::pin(set_up(connection, engine, writes))
    })
}

/// What a connection is told first.
async fn set_up(connection: &mut AnyConnection, engine: Engine, writes: bool) -> sqlx::Result<()> {
    if engine == Engine::Sqlite {
        // Whoever meets the change to WAL by another process has to wait for it.
        connection.execute("PRAGMA busy_timeout = 10000").await?;
        // It counts for a new file only, before anything else is in it, and to say it again is to write: on a full disk
        // nobody could connect.
        let kind: i64 = sqlx::query_scalar("PRAGMA auto_vacuum").fetch_one(&mut *connection).await?;
        if kind != INCREMENTAL {
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL").await?;
        }
    }
    connection.execute(sqlx::raw_sql(engine.settings(writes))).await?;
    Ok(())
}

/// The identity; with it a new database gets the rules that every fleet starts with.
async fn identify(write: &AnyPool, engine: Engine) -> Result<String, StoreError> {
    let mut tx = write.begin_with(engine.begin()).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_a_full_disk_has_rolled_back_is_not_in_the_way_of_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await.unwrap();
        // For this connection the disk is full.
        sqlx::query("PRAGMA max_page_count = 1").execute(&store.write).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let insert = "INSERT INTO meta (key, value) VALUES ('much', CAST(zeroblob(1000000) AS TEXT))";
        let failure: StoreError = sqlx::query(insert).execute(&mut *tx).await.unwrap_err().into();
        assert_eq!(failure.word(), "disk full");
        drop(tx);
        let mut tx = store.begin().await.unwrap();
        sqlx::query(insert).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}
