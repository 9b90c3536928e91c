//! What a database takes at most: the same values, by one writer, without MQTT and without any check, in batches of the
//! size that suits it best.

use std::{
    fmt::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bugbrother_store::{Arrival, Store};
use bugbrother_wire::{UnixMs, Vin, message::Telemetry};
use sqlx::{Connection as _, PgConnection, SqliteConnection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

use crate::{
    arrival::arrival,
    drive::{self, Cut, KEYS, Messages},
    server::{Databases, Kind},
};

/// As `crates/store` tells its writer.
const SQLITE: &str = "PRAGMA busy_timeout = 10000; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; \
                      PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; \
                      PRAGMA wal_autocheckpoint = 8000";
const POSTGRES: &str = "SET synchronous_commit = on; SET client_min_messages = warning";
/// Rows of one statement.
const STATEMENT: usize = 500;
const TAIL: &str =
    "INSERT INTO tail (number, behind, vin, epoch, seq, t0, t1, row_count, lane, received_ts, body) VALUES ";

/// The best that was reached, and with how many in a transaction.
#[derive(Debug, Clone, Copy)]
pub struct Ceiling {
    pub messages_per_second: f64,
    pub batch: usize,
}

impl Ceiling {
    fn best(of: impl IntoIterator<Item = Ceiling>) -> Result<Ceiling> {
        let faster = |a: &Ceiling, b: &Ceiling| a.messages_per_second.total_cmp(&b.messages_per_second);
        of.into_iter().max_by(faster).context("a batch size is tried")
    }
}

/// A message as a row of `tail`, or as points.
struct Record {
    number: i64,
    vin: Vin,
    seq: i64,
    t0: UnixMs,
    t1: UnixMs,
    rows: i64,
    body: Vec<u8>,
}

/// Messages of all vehicles in turn.
struct Source {
    vehicles: Vec<Messages>,
    rows: usize,
    sent: u64,
    as_points: bool,
}

impl Source {
    fn new(drives: &[Arc<Cut>], start: UnixMs, as_points: bool) -> Result<Self> {
        let rows = drives.first().context("a drive")?.rows();
        let vehicles =
            drives.iter().enumerate().map(|(number, cut)| Messages::new(drive::vin(number), 1, start, Arc::clone(cut)));
        Ok(Source { vehicles: vehicles.collect(), rows, sent: 0, as_points })
    }

    fn next(&mut self) -> Record {
        let count = self.vehicles.len() as u64;
        let (number, seq) = ((self.sent % count) as usize, self.sent / count + 1);
        self.sent += 1;
        let messages = &mut self.vehicles[number];
        let head = messages.head(seq);
        let (vin, t0) = (head.vin, head.t0);
        let t1 = t0 + (self.rows as i64 - 1) * drive::PERIOD_MS;
        let body = if self.as_points { points(messages, seq) } else { messages.encode(seq) };
        Record { number: self.sent as i64, vin, seq: seq as i64, t0, t1, rows: self.rows as i64, body }
    }

    fn next_batch(&mut self) -> Telemetry {
        let count = self.vehicles.len() as u64;
        let (number, seq) = ((self.sent % count) as usize, self.sent / count + 1);
        self.sent += 1;
        self.vehicles[number].batch(seq)
    }

    fn next_arrival(&mut self) -> Arrival {
        let count = self.vehicles.len() as u64;
        let (number, seq) = ((self.sent % count) as usize, self.sent / count + 1);
        self.sent += 1;
        arrival(&mut self.vehicles[number], seq)
    }

    fn take(&mut self, count: usize) -> Vec<Record> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// InfluxDB's line protocol.
fn points(messages: &mut Messages, seq: u64) -> Vec<u8> {
    let batch = messages.batch(seq);
    let mut text = String::new();
    for row in &batch.rows {
        let mut before = ' ';
        write!(text, "telemetry,vin={}", batch.vin).expect("a string takes everything");
        for (key, value) in batch.keys.iter().zip(&row.values) {
            if let Some(value) = value {
                write!(text, "{before}{key}={value}").expect("a string takes everything");
                before = ',';
            }
        }
        writeln!(text, " {}", batch.t0 + i64::from(row.dt_ms)).expect("a string takes everything");
    }
    text.into_bytes()
}

/// Measures each size of a batch for so long; `folder` is for a file.
pub async fn measure(
    kind: Kind,
    drives: &[Arc<Cut>],
    start: UnixMs,
    time: Duration,
    databases: &mut Databases,
    folder: &Path,
) -> Result<Ceiling> {
    let mut source = Source::new(drives, start, kind == Kind::Influx)?;
    let rows = source.rows;
    let sizes: &[usize] = match (kind, rows) {
        (Kind::Influx, ..10) => &[1000, 5000, 20_000],
        (Kind::Influx, 10..100) => &[100, 500, 2000],
        (Kind::Influx, _) => &[10, 50, 200],
        (_, ..100) => &[500, 2000, 8000],
        (_, _) => &[100, 400, 1600],
    };
    match kind {
        Kind::Sqlite => {
            let file = folder.join("ceiling.db");
            let url = format!("sqlite://{}", file.display());
            Store::open(&url).await?.close().await;
            let mut connection = SqliteConnection::connect_with(&url.parse::<SqliteConnectOptions>()?).await?;
            sqlx::raw_sql(SQLITE).execute(&mut connection).await?;
            let mut all = Vec::new();
            for size in sizes {
                let began = Instant::now();
                let (mut working, mut count) = (Duration::ZERO, 0);
                while began.elapsed() < time || working < time / 2 {
                    let records = source.take(*size);
                    let begin = Instant::now();
                    insert_sqlite(&mut connection, &records).await?;
                    working += begin.elapsed();
                    count += size;
                }
                all.push(Ceiling { messages_per_second: count as f64 / working.as_secs_f64(), batch: *size });
            }
            connection.close().await?;
            for suffix in ["", "-wal", "-shm"] {
                // The last two go with the last connection.
                std::fs::remove_file(folder.join(format!("ceiling.db{suffix}"))).ok();
            }
            Ceiling::best(all)
        }
        Kind::Postgres => {
            let name = databases.fresh();
            let url = databases.postgres.as_ref().context("a PostgreSQL")?.create_database(&name).await?;
            Store::open(&url).await?.close().await;
            let mut connection = PgConnection::connect_with(&url.parse::<PgConnectOptions>()?).await?;
            sqlx::raw_sql(POSTGRES).execute(&mut connection).await?;
            let mut all = Vec::new();
            for size in sizes {
                for by_columns in [false, true] {
                    let began = Instant::now();
                    let (mut working, mut count) = (Duration::ZERO, 0);
                    while began.elapsed() < time || working < time / 2 {
                        let records = source.take(*size);
                        let begin = Instant::now();
                        match by_columns {
                            false => insert_postgres(&mut connection, &records).await?,
                            true => insert_columns(&mut connection, &records).await?,
                        }
                        working += begin.elapsed();
                        count += size;
                    }
                    let messages_per_second = count as f64 / working.as_secs_f64();
                    all.push(Ceiling { messages_per_second, batch: *size });
                }
            }
            connection.close().await?;
            Ceiling::best(all)
        }
        Kind::Influx => {
            let name = databases.fresh();
            let influx = databases.influx.as_ref().context("an InfluxDB")?;
            influx.create_database(&name).await?;
            let (user, password) = influx.account();
            let client = reqwest::Client::new();
            let url = format!("{}/write?db={name}&precision=ms", influx.http());
            let mut all = Vec::new();
            for size in sizes {
                let began = Instant::now();
                let (mut working, mut count) = (Duration::ZERO, 0);
                while began.elapsed() < time || working < time / 2 {
                    let body: Vec<u8> = source.take(*size).into_iter().flat_map(|record| record.body).collect();
                    let begin = Instant::now();
                    let request = client.post(&url).basic_auth(user, Some(password)).body(body);
                    request.send().await?.error_for_status()?;
                    working += begin.elapsed();
                    count += size;
                }
                all.push(Ceiling { messages_per_second: count as f64 / working.as_secs_f64(), batch: *size });
            }
            Ceiling::best(all)
        }
    }
}

/// The same by the store's own door: what it takes without MQTT and without decoding.
pub async fn measure_store(
    kind: Kind,
    drives: &[Arc<Cut>],
    start: UnixMs,
    time: Duration,
    databases: &mut Databases,
    folder: &Path,
) -> Result<Ceiling> {
    let name = databases.fresh();
    let file = format!("sqlite://{}", folder.join(format!("{name}.db")).display());
    let store = match kind {
        Kind::Sqlite => Store::open(&file).await?,
        Kind::Postgres => {
            Store::open(&databases.postgres.as_ref().context("a PostgreSQL")?.create_database(&name).await?).await?
        }
        Kind::Influx => {
            let samples = databases.influx.as_ref().context("an InfluxDB")?.create_database(&name).await?;
            Store::open_with(&file, Some(&samples)).await?
        }
    };
    let mut source = Source::new(drives, start, false)?;
    let mut all = Vec::new();
    for size in [500, 2000] {
        let began = Instant::now();
        let (mut working, mut count) = (Duration::ZERO, 0);
        while began.elapsed() < time || working < time / 2 {
            let arrivals: Vec<Arrival> = (0..size).map(|_| source.next_arrival()).collect();
            let begin = Instant::now();
            store.commit(&arrivals).await?;
            working += begin.elapsed();
            count += size;
        }
        all.push(Ceiling { messages_per_second: count as f64 / working.as_secs_f64(), batch: size });
    }
    store.close().await;
    Ceiling::best(all)
}

/// Places for so many rows. SQLite looks for each numbered one among all of them.
fn places(kind: Kind, rows: usize, columns: usize) -> String {
    let place = |place: usize| if kind == Kind::Postgres { format!("${place}") } else { "?".to_owned() };
    let row = |row: usize| {
        let columns: Vec<_> = (1..=columns).map(|column| place(row * columns + column)).collect();
        format!("({})", columns.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

macro_rules! insert {
    ($kind:expr, $connection:expr, $records:expr) => {{
        let mut tx = $connection.begin().await?;
        for part in $records.chunks(STATEMENT) {
            // Kept prepared by the connection, by its text.
            let sql = format!("{TAIL}{}", places($kind, part.len(), 11));
            let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
            for record in part {
                query = query
                    .bind(record.number)
                    .bind(0_i64)
                    .bind(record.vin.as_str())
                    .bind(1_i64)
                    .bind(record.seq)
                    .bind(record.t0)
                    .bind(record.t1)
                    .bind(record.rows)
                    .bind("live")
                    .bind(record.t1)
                    .bind(record.body.as_slice());
            }
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }};
}

async fn insert_sqlite(connection: &mut SqliteConnection, records: &[Record]) -> Result<()> {
    insert!(Kind::Sqlite, connection, records);
    Ok(())
}

async fn insert_postgres(connection: &mut PgConnection, records: &[Record]) -> Result<()> {
    insert!(Kind::Postgres, connection, records);
    Ok(())
}

/// All rows with one statement, as PostgreSQL takes them fastest short of COPY.
async fn insert_columns(connection: &mut PgConnection, records: &[Record]) -> Result<()> {
    let mut tx = connection.begin().await?;
    let numbers = |of: fn(&Record) -> i64| records.iter().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "INSERT INTO tail (number, behind, vin, epoch, seq, t0, t1, row_count, lane, received_ts, body) \
         SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[], \
         $8::BIGINT[], $9::TEXT[], $10::BIGINT[], $11::BYTEA[])",
    )
    .bind(numbers(|record| record.number))
    .bind(numbers(|_| 0))
    .bind(records.iter().map(|record| record.vin.as_str()).collect::<Vec<_>>())
    .bind(numbers(|_| 1))
    .bind(numbers(|record| record.seq))
    .bind(numbers(|record| record.t0))
    .bind(numbers(|record| record.t1))
    .bind(numbers(|record| record.rows))
    .bind(vec!["live"; records.len()])
    .bind(numbers(|record| record.t1))
    .bind(records.iter().map(|record| record.body.as_slice()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// A table with a row for what, on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// For each sample, with a column for each signal.
    RowPerSample,
    /// For each value.
    RowPerValue,
}

/// Samples per second into a plain table with the index that it takes to read it, the best of some batch sizes.
pub async fn measure_plain(
    plain: Plain,
    drives: &[Arc<Cut>],
    start: UnixMs,
    time: Duration,
    folder: &Path,
) -> Result<Ceiling> {
    let url = format!("sqlite://{}?mode=rwc", folder.join("plain.db").display());
    let mut connection = SqliteConnection::connect_with(&url.parse::<SqliteConnectOptions>()?).await?;
    sqlx::raw_sql(SQLITE).execute(&mut connection).await?;
    let columns = KEYS.map(|key| format!("\"{key}\" REAL")).join(", ");
    let schema = match plain {
        Plain::RowPerSample => format!(
            "CREATE TABLE sample (vin TEXT NOT NULL, ts BIGINT NOT NULL, {columns}); \
             CREATE UNIQUE INDEX sample_time ON sample (vin, ts)"
        ),
        Plain::RowPerValue => "CREATE TABLE sample (vin TEXT NOT NULL, signal TEXT NOT NULL, ts BIGINT NOT NULL, \
                               value REAL NOT NULL); CREATE UNIQUE INDEX sample_time ON sample (vin, signal, ts)"
            .to_owned(),
    };
    sqlx::raw_sql(sqlx::AssertSqlSafe(schema)).execute(&mut connection).await?;
    let mut source = Source::new(drives, start, false)?;
    let per_message = source.rows;
    let mut all = Vec::new();
    for size in [100, 1000, 5000] {
        let began = Instant::now();
        let (mut working, mut samples) = (Duration::ZERO, 0);
        while began.elapsed() < time || working < time / 2 {
            let mut rows: Vec<(Vin, i64, Vec<Option<f64>>)> = Vec::with_capacity(size);
            while rows.len() < size {
                let batch = source.next_batch();
                let row = |row: bugbrother_wire::message::Row| (batch.vin, batch.t0 + i64::from(row.dt_ms), row.values);
                rows.extend(batch.rows.into_iter().map(row));
            }
            let begin = Instant::now();
            insert_plain(&mut connection, plain, &rows).await?;
            working += begin.elapsed();
            samples += rows.len();
        }
        let rate = samples as f64 / working.as_secs_f64() / per_message as f64;
        all.push(Ceiling { messages_per_second: rate, batch: size });
    }
    connection.close().await?;
    std::fs::remove_file(folder.join("plain.db"))?;
    Ceiling::best(all)
}

async fn insert_plain(
    connection: &mut SqliteConnection,
    plain: Plain,
    rows: &[(Vin, i64, Vec<Option<f64>>)],
) -> Result<()> {
    let mut tx = connection.begin().await?;
    match plain {
        Plain::RowPerSample => {
            for part in rows.chunks(STATEMENT) {
                let sql = format!("INSERT INTO sample VALUES {}", places(Kind::Sqlite, part.len(), KEYS.len() + 2));
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
                for (vin, ts, values) in part {
                    query = query.bind(vin.as_str()).bind(*ts);
                    for value in values {
                        query = query.bind(*value);
                    }
                }
                query.execute(&mut *tx).await?;
            }
        }
        Plain::RowPerValue => {
            let values = rows.iter().flat_map(|(vin, ts, values)| {
                KEYS.iter().zip(values).filter_map(move |(key, value)| Some((vin, *key, *ts, (*value)?)))
            });
            let values: Vec<_> = values.collect();
            for part in values.chunks(STATEMENT) {
                let sql = format!("INSERT INTO sample VALUES {}", places(Kind::Sqlite, part.len(), 4));
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
                for (vin, key, ts, value) in part {
                    query = query.bind(vin.as_str()).bind(*key).bind(*ts).bind(*value);
                }
                query.execute(&mut *tx).await?;
            }
        }
    }
    Ok(tx.commit().await?)
}
