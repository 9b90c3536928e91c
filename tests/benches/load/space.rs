//! How large a database is, without space in it that is free to be used again.

use std::{fs, io, path::Path};

use anyhow::{Context, Result};
use bugbrother_kit::postgres::Postgres;
use sqlx::{Connection as _, SqliteConnection};

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

/// Of all files below a folder, as they stand.
pub fn folder(path: &Path) -> Result<f64> {
    let mut bytes = 0.0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // Those of a database come and go.
        match entry.metadata() {
            Ok(about) if about.is_dir() => bytes += folder(&entry.path())?,
            Ok(about) => bytes += about.len() as f64,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// Of the tables that hold samples, with their indexes, after a VACUUM.
pub async fn postgres(postgres: &Postgres, database: &str) -> Result<f64> {
    postgres.execute(database, "VACUUM").await?;
    let sizes = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname <> 'tail'";
    postgres.execute(database, sizes).await?.trim().parse().context("a size")
}
