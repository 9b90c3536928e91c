//! What is at an address, before anything is started.

use bugbrother_store::{Engine, Store, StoreError, look};
use sqlx::AnyPool;

use crate::{
    fleet::{store, url},
    home,
};

#[tokio::test]
async fn an_empty_database_and_one_that_is_up_to_date_are_told_apart() {
    let (store, home) = store().await;
    let schema = look(&url(&home)).await.unwrap();
    assert_eq!(schema.engine, store.engine());
    assert_eq!((schema.done, schema.newer, schema.broken, schema.read_only), (schema.known, None, None, false));
    assert!(schema.known >= 14 && schema.version.contains('.'), "{schema:?}");
    assert_eq!(schema.clock_ms.is_some(), store.engine() == Engine::Postgres);
}

#[tokio::test]
async fn looking_changes_nothing() {
    let home = home::make().await;
    let (first, second) = (look(&url(&home)).await, look(&url(&home)).await);
    match (first, second) {
        // A file is not made by looking at it.
        (Err(_), Err(_)) => assert!(url(&home).starts_with("sqlite:")),
        (first, second) => {
            let (first, second) = (first.unwrap(), second.unwrap());
            assert_eq!((first.done, second.done), (0, 0));
        }
    }
}

#[tokio::test]
async fn a_database_of_a_later_version_is_not_opened() {
    let (store, home) = store().await;
    store.close().await;
    let pool = AnyPool::connect(&url(&home)).await.unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 9001, 'of tomorrow', success, checksum, 1 FROM _sqlx_migrations WHERE version = 1";
    sqlx::raw_sql(later).execute(&pool).await.unwrap();
    pool.close().await;
    let refused = Store::open(&url(&home)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer(9001)), "{refused}");
    assert!(refused.to_string().contains("a later version of bugbrother (migration 9001)"), "{refused}");
    assert_eq!(look(&url(&home)).await.unwrap().newer, Some(9001));
}
