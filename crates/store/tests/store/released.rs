//! The database of every released version, as `scripts/freeze` has kept some of it, is brought up to date and keeps what it has.
//! Of 0.1.0, which is older than that script, the rows were put together from its schema, its statements and its golden messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use bugbrother_store::{Engine, Store};
use bugbrother_wire::Vin;
use serde::Deserialize;
use serde_json::Value;
use sqlx::{AnyPool, Row, migrate::Migrator};

use crate::{
    fleet::{batch, everything, golf, live, open, url},
    home,
};

/// What is kept of a version's database.
#[derive(Deserialize)]
struct Release {
    /// Number of each migration that was done, and its check-sum.
    migrations: BTreeMap<i64, String>,
    /// In an order in which they can be filled.
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    table: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

fn releases() -> Vec<(String, Release)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let version = path.file_stem().unwrap().to_string_lossy().into_owned();
            let release = serde_json::from_str(&fs::read_to_string(&path).unwrap());
            (version, release.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_bytes(value: &Value) -> bool {
    value.is_object()
}

/// As SQL has it.
fn literal(value: &Value, engine: Engine) -> String {
    match (value, engine) {
        (Value::Null, _) => "NULL".to_owned(),
        (Value::String(text), _) => format!("'{}'", text.replace('\'', "''")),
        (Value::Object(bytes), Engine::Sqlite) => format!("x'{}'", bytes["hex"].as_str().unwrap()),
        (Value::Object(bytes), Engine::Postgres) => format!("'\\x{}'", bytes["hex"].as_str().unwrap()),
        (other, _) => other.to_string(),
    }
}

/// Whether the database says the same.
fn is_same(before: &Value, now: Option<&str>) -> bool {
    match (before, now) {
        (Value::Null, now) => now.is_none(),
        (_, None) => false,
        (Value::String(text), Some(now)) => text == now,
        (Value::Object(bytes), Some(now)) => bytes["hex"] == now,
        // SQLite writes fifteen digits of a number into a text.
        (Value::Number(number), Some(now)) => match (number.as_i64(), now.parse::<f64>(), number.as_f64()) {
            (Some(whole), ..) if whole.to_string() == now => true,
            (_, Ok(now), Some(before)) => (now - before).abs() <= before.abs() * 1e-13,
            _ => false,
        },
        _ => false,
    }
}

/// The database as that version left it.
async fn make(pool: &AnyPool, engine: Engine, version: &str, release: &Release) {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let old = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(&all).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let number: i64 = name.split('_').next().unwrap().parse().unwrap();
        if release.migrations.contains_key(&number) {
            fs::copy(&path, old.path().join(name)).unwrap();
        }
    }
    let migrator = Migrator::new(old.path()).await.unwrap();
    let sums: BTreeMap<i64, String> = migrator.iter().map(|one| (one.version, hex(&one.checksum))).collect();
    assert_eq!(sums, release.migrations, "{version}: a migration that was released has been changed");
    migrator.run(pool).await.unwrap();
    // The migrations themselves put some rows in.
    for table in release.tables.iter().rev() {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DELETE FROM {}", table.table))).execute(pool).await.unwrap();
    }
    for Table { table, columns, rows } in &release.tables {
        for row in rows {
            let values: Vec<_> = row.iter().map(|value| literal(value, engine)).collect();
            let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "));
            let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await;
            done.unwrap_or_else(|error| panic!("{version}: {table}: {error}"));
        }
    }
}

/// What stands in those columns now, as texts.
async fn rows_of(pool: &AnyPool, engine: Engine, table: &Table) -> Vec<Vec<Option<String>>> {
    let columns = table.columns.iter().enumerate().map(|(n, column)| {
        match (table.rows.iter().any(|row| is_bytes(&row[n])), engine) {
            (false, _) => format!("CAST({column} AS TEXT)"),
            (true, Engine::Sqlite) => format!("lower(hex({column}))"),
            (true, Engine::Postgres) => format!("encode({column}, 'hex')"),
        }
    });
    let sql = format!("SELECT {} FROM {}", columns.collect::<Vec<_>>().join(", "), table.table);
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
    rows.iter().map(|row| (0..table.columns.len()).map(|n| row.get(n)).collect()).collect()
}

/// Whose samples there are.
fn vehicles(release: &Release) -> BTreeSet<Vin> {
    let of = |table: &&Table| ["tail", "block"].contains(&table.table.as_str());
    let named = release.tables.iter().filter(of).flat_map(|table| {
        let at = table.columns.iter().position(|column| column == "vin").unwrap();
        table.rows.iter().map(move |row| row[at].as_str().unwrap().parse().unwrap())
    });
    named.collect()
}

async fn count(store: &Store, vehicles: &BTreeSet<Vin>) -> usize {
    let mut rows = 0;
    for vin in vehicles {
        rows += everything(store, *vin).await.rows.len();
    }
    rows
}

#[tokio::test]
async fn the_database_of_every_released_version_is_brought_up_to_date_and_keeps_each_row() {
    let releases = releases();
    assert!(releases.iter().any(|(version, _)| version == "0.1.0"));
    for (version, release) in releases {
        let home = home::make().await;
        sqlx::any::install_default_drivers();
        let engine = Engine::of(&url(&home)).unwrap();
        let made = if engine == Engine::Sqlite { "?mode=rwc" } else { "" };
        let pool = AnyPool::connect(&format!("{}{made}", url(&home))).await.unwrap();
        make(&pool, engine, &version, &release).await;

        let store = open(&home).await;
        for table in &release.tables {
            let mut now = rows_of(&pool, engine, table).await;
            for row in &table.rows {
                let same = |found: &Vec<Option<String>>| {
                    row.iter().zip(found).all(|(before, now)| is_same(before, now.as_deref()))
                };
                let at = now.iter().position(same);
                let at = at.unwrap_or_else(|| panic!("{version}: {} has lost {row:?}: {now:?}", table.table));
                now.remove(at);
            }
        }
        let identity: String =
            sqlx::query_scalar("SELECT value FROM meta WHERE key = 'identity'").fetch_one(&pool).await.unwrap();
        assert_eq!(store.identity(), identity);
        pool.close().await;

        // It is of use: what was measured can be read, folded and added to.
        let vehicles = vehicles(&release);
        let before = count(&store, &vehicles).await;
        assert!(before > 0 && !vehicles.is_empty(), "{version}");
        store.keep(&vehicles.iter().copied().collect::<Vec<_>>()).await.unwrap();
        assert_eq!(count(&store, &vehicles).await, before, "{version}");
        let done = store.commit(&[live(batch(golf(), 4_242, 1))]).await.unwrap();
        assert_eq!(done.stored, 1, "{version}");
        store.close().await;
    }
}
