//! A server in whose place a copy of it has come that lagged behind.

use bugbrother_wire::Seq;

use crate::{
    fleet::{batch, golf, live, open, url},
    home,
};

/// What a commit writes.
const TABLES: [&str; 3] = ["progress", "last_state", "tail"];

#[tokio::test]
async fn what_a_promoted_copy_has_lost_is_stored_again_though_it_was_stored_once() {
    let home = home::make().await;
    let store = open(&home).await;
    let record = |seq| live(batch(golf(), 1, seq));
    let pool = sqlx::AnyPool::connect(&url(&home)).await.unwrap();
    let run = async |sql: String| sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();

    store.commit(&[record(1)]).await.unwrap();
    for table in TABLES {
        run(format!("CREATE TABLE copy_of_{table} AS SELECT * FROM {table}")).await;
    }
    for seq in [2, 3] {
        store.commit(&[record(seq)]).await.unwrap();
    }

    for table in TABLES {
        run(format!("DELETE FROM {table}")).await;
        run(format!("INSERT INTO {table} SELECT * FROM copy_of_{table}")).await;
    }
    // No connection outlives its server.
    let others = "SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    pool.close().await;
    let alone = sqlx::AnyPool::connect(&url(&home)).await.unwrap();
    sqlx::query(others).fetch_all(&alone).await.unwrap();
    // Meanwhile another process has come as far on the copy, counted in versions.
    let other = open(&home).await;
    for seq in [4, 5] {
        other.commit(&[record(seq)]).await.unwrap();
    }

    let done = store.commit(&[record(2), record(3)]).await.unwrap();
    assert_eq!((done.stored, done.duplicates, done.acks[0].seq), (2, 0, Seq(5)));
    assert_eq!(store.positions(golf(), 0, i64::MAX, 1_000).await.unwrap().len(), 50);
}
