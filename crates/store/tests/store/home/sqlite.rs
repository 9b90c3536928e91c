//! Stores on temporary files.

use tempfile::TempDir;

/// Cases of a property test that opens stores.
pub const CASES: u32 = 16;

/// What a store lives in; it ends with this value.
pub type Home = TempDir;

pub async fn make() -> Home {
    tempfile::tempdir().unwrap()
}

pub fn url(home: &Home) -> String {
    format!("sqlite://{}/fleet.db", home.path().display())
}

pub fn telemetry_url(_: &Home) -> Option<String> {
    None
}
