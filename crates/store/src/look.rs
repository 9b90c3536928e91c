//! What is at an address, for whoever asks before the system is started. Nothing is changed.

use std::{str::FromStr, time::Duration};

use sqlx::{AnyConnection, Connection, any::AnyConnectOptions};
use tokio::time::timeout;

use crate::{Engine, StoreError, open::MIGRATIONS, telemetry::influx::Influx};

/// How long a database may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A database that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Its kind.
    pub engine: Engine,
    /// Its version, as it tells it: `15.7`, `3.46.0`.
    pub version: String,
    /// How many migrations have been done.
    pub done: usize,
    /// How many this program knows.
    pub known: usize,
    /// The last one that has been done and that this program does not know: a later version has been here.
    pub newer: Option<i64>,
    /// One that has failed in the middle.
    pub broken: Option<i64>,
    /// Whether changes are not taken: it is a replica, or a file that may not be written.
    pub read_only: bool,
    /// What its clock says, in milliseconds since 1970, where it has one of its own.
    pub clock_ms: Option<i64>,
}

/// Looks at the database at `url`, as [`crate::Store::open`] takes it. A file that is not there is an error.
pub async fn look(url: &str) -> Result<Schema, StoreError> {
    let engine = Engine::of(url)?;
    sqlx::any::install_default_drivers();
    let url = match engine {
        Engine::Sqlite => format!("{}?mode=ro", url.split('?').next().unwrap_or(url)),
        Engine::Postgres => url.to_owned(),
    };
    let options = AnyConnectOptions::from_str(&url)?;
    let looked = async {
        let mut connection = AnyConnection::connect_with(&options).await?;
        let schema = schema(&mut connection, engine).await;
        connection.close().await?;
        schema
    };
    timeout(PATIENCE, looked).await.unwrap_or(Err(StoreError::Silent))
}

async fn schema(connection: &mut AnyConnection, engine: Engine) -> Result<Schema, StoreError> {
    let (version, read_only, clock_ms) = match engine {
        Engine::Sqlite => {
            // Not a file at all shows at the first look inside.
            let _tables: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master").fetch_one(&mut *connection).await?;
            (sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut *connection).await?, false, None)
        }
        Engine::Postgres => {
            let version: String =
                sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(&mut *connection).await?;
            let read_only: i64 = sqlx::query_scalar(
                "SELECT CASE WHEN pg_is_in_recovery() THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END",
            )
            .fetch_one(&mut *connection)
            .await?;
            let clock = sqlx::query_scalar("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)");
            let clock: i64 = clock.fetch_one(&mut *connection).await?;
            // What Debian adds to it says nothing.
            let version = version.split_whitespace().next().unwrap_or_default().to_owned();
            (version, read_only == 1, Some(clock))
        }
    };
    let table = match engine {
        Engine::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
        Engine::Postgres => {
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = '_sqlx_migrations' \
             AND table_schema = current_schema()"
        }
    };
    let has_table: i64 = sqlx::query_scalar(table).fetch_one(&mut *connection).await?;
    let mut done: Vec<(i64, i64)> = Vec::new();
    if has_table > 0 {
        let steps = "SELECT version, CASE WHEN success THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END \
                     FROM _sqlx_migrations ORDER BY version LIMIT 10000";
        done = sqlx::query_as(steps).fetch_all(&mut *connection).await?;
    }
    let knows = |version: i64| MIGRATIONS.iter().any(|migration| migration.version == version);
    Ok(Schema {
        engine,
        version,
        done: done.iter().filter(|(_, success)| *success == 1).count(),
        known: MIGRATIONS.iter().count(),
        newer: done.iter().map(|(version, _)| *version).rfind(|version| !knows(*version)),
        broken: done.iter().find(|(_, success)| *success == 0).map(|(version, _)| *version),
        read_only,
        clock_ms,
    })
}

/// Asks the samples' own store at `url` whether it lets us in. One of which the database is not there yet does.
pub async fn look_at_samples(url: &str) -> Result<(), StoreError> {
    if !Influx::is_at(url) {
        return Err(StoreError::TelemetryUrl);
    }
    timeout(PATIENCE, Influx::look(url)).await.unwrap_or(Err(StoreError::Silent))
}
