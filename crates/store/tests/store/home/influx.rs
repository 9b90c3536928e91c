//! Stores on temporary files with their samples in an InfluxDB, one for all tests of the process.

use std::sync::atomic::{AtomicU32, Ordering};

use bugbrother_kit::influx::Influx;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Cases of a property test that opens stores: few, a database takes its time to be made.
pub const CASES: u32 = 4;

static SERVER: OnceCell<Influx> = OnceCell::const_new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A file, and the name of a database that is yet to be made.
pub struct Home {
    folder: TempDir,
    database: String,
    telemetry_url: String,
}

pub async fn make() -> Home {
    let database = format!("fleet_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let telemetry_url = server().await.url(&database);
    Home { folder: tempfile::tempdir().unwrap(), database, telemetry_url }
}

pub fn url(home: &Home) -> String {
    format!("sqlite://{}/fleet.db", home.folder.path().display())
}

pub fn telemetry_url(home: &Home) -> Option<String> {
    Some(home.telemetry_url.clone())
}

/// The name of its database of samples.
pub fn database(home: &Home) -> String {
    home.database.clone()
}

pub async fn server() -> &'static Influx {
    SERVER.get_or_try_init(Influx::start).await.unwrap()
}
