//! Stores on a PostgreSQL, one for all tests of the process.

use std::sync::atomic::{AtomicU32, Ordering};

use bugbrother_kit::postgres::Postgres;
use tokio::sync::OnceCell;

/// Cases of a property test that opens stores: few, a database takes its time to be made.
pub const CASES: u32 = 4;

static SERVER: OnceCell<Postgres> = OnceCell::const_new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of the server.
pub struct Home {
    url: String,
}

pub async fn make() -> Home {
    let server = SERVER.get_or_try_init(Postgres::start).await.unwrap();
    let name = format!("fleet_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    Home { url: server.create_database(&name).await.unwrap() }
}

pub fn url(home: &Home) -> String {
    home.url.clone()
}

pub fn telemetry_url(_: &Home) -> Option<String> {
    None
}
