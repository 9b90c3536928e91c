//! How large a database is, without space in it that is free to be used again.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{influx::Influx, postgres::Postgres};
use sqlx::{Connection as _, SqliteConnection};

use crate::usage;

/// Of a file, after a checkpoint.
pub async fn sqlite(file: &Path) -> Result<f64> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
    sqlx::raw_sql("PRAGMA busy_timeout = 10000; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    let [mut used, mut free, mut size] = [0_i64; 3];
    for (figure, sql) in
        [(&mut used, "PRAGMA page_count"), (&mut free, "PRAGMA freelist_count"), (&mut size, "PRAGMA page_size")]
    {
        *figure = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    }
    connection.close().await?;
    println!("  the file has {used} pages of {size} bytes, {free} of them free");
    Ok(((used - free) * size) as f64)
}

/// Of the tables that hold samples, with their indexes, after a VACUUM.
pub async fn postgres(postgres: &Postgres, database: &str) -> Result<f64> {
    postgres.execute(database, "VACUUM").await?;
    let sizes = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname <> 'tail'";
    postgres.execute(database, sizes).await?.trim().parse().context("a size")
}

/// Of the folder with the database's data, once its log of writes is empty.
pub async fn influx(influx: &Influx, database: &str) -> Result<f64> {
    let process = *influx.processes()?.first().context("influxd runs")?;
    let data = fs::read_link(format!("/proc/{process}/cwd"))?;
    // It writes what is in its log into files by itself; it is asked for nothing else meanwhile.
    let mut before = 0;
    for _ in 0..60 {
        let now = usage::folder_bytes(&data.join("wal").join(database))?;
        if now == before {
            break;
        }
        before = now;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    Ok(usage::folder_bytes(&data.join("data").join(database))? as f64 + before as f64)
}
