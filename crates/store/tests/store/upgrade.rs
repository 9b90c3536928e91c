//! A database of an earlier version.

use std::{fs, path::Path};

use bugbrother_store::Store;
use sqlx::{AnyPool, migrate::Migrator};

use crate::fleet::{batch, everything, golf, live};

/// What version 0.1.0 had.
const FIRST: [&str; 2] = ["0001_spine.sql", "0002_credentials.sql"];

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_and_keeps_what_it_has() {
    sqlx::any::install_default_drivers();
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("migrations");
    fs::create_dir(&old).unwrap();
    for name in FIRST {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name);
        fs::copy(path, old.join(name)).unwrap();
    }
    let url = format!("sqlite://{}/fleet.db?mode=rwc", folder.path().display());
    let pool = AnyPool::connect(&url).await.unwrap();
    Migrator::new(old).await.unwrap().run(&pool).await.unwrap();
    let sent = batch(golf(), 7, 1);
    let body = bugbrother_wire::encode(&sent);
    for sql in [
        "INSERT INTO meta (key, value) VALUES ('identity', 'the old one')",
        "INSERT INTO vehicle (vin, name, created_ts) VALUES ('WVWZZZ1JZ3W386752', 'Golf', 1)",
        "INSERT INTO last_state VALUES ('WVWZZZ1JZ3W386752', 'online', 7, 1, 1, 1, '{}')",
        "INSERT INTO progress VALUES ('WVWZZZ1JZ3W386752', 7, 1, '[]')",
        // Two of the same rule and vehicle, which could be before.
        "INSERT INTO alert VALUES ('a', 'WVWZZZ1JZ3W386752', 'fast', 'Fast', 'info', 'open', 1, 5, NULL, 1, NULL, NULL)",
        "INSERT INTO alert VALUES ('b', 'WVWZZZ1JZ3W386752', 'fast', 'Fast', 'info', 'open', 2, 6, NULL, 1, NULL, NULL)",
        "INSERT INTO dead_letter VALUES (41, 'x', 'malformed', 1, x'00', 1)",
    ] {
        sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    }
    sqlx::query("INSERT INTO tail VALUES ('WVWZZZ1JZ3W386752', 7, 1, $1, $2, 10, 'live', 5, $3)")
        .bind(sent.t0)
        .bind(sent.last_ts().unwrap())
        .bind(body)
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;

    let store = Store::open(&url).await.unwrap();
    assert_eq!(store.identity(), "the old one");
    assert_eq!(everything(&store, golf()).await.rows.len(), 10);
    let done = store.commit(&[live(sent), live(batch(golf(), 7, 2))]).await.unwrap();
    assert_eq!((done.stored, done.duplicates), (1, 1));
    store.keep(&[golf()]).await.unwrap();
    assert_eq!(everything(&store, golf()).await.rows.len(), 20);
    assert_eq!(store.dead_letters(10).await.unwrap()[0].number, 41);
    assert_eq!(store.vehicle(golf()).await.unwrap().unwrap().name, "Golf");

    let pool = AnyPool::connect(&url).await.unwrap();
    let active = "SELECT id FROM alert WHERE resolved IS NULL";
    assert_eq!(sqlx::query_scalar::<_, String>(active).fetch_all(&pool).await.unwrap(), ["b"]);
    let ended: i64 = sqlx::query_scalar("SELECT resolved FROM alert WHERE id = 'a'").fetch_one(&pool).await.unwrap();
    assert_eq!(ended, 5, "when it was heard of last");
}
