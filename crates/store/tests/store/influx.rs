//! The store in a file with its samples in an InfluxDB: the same as with all of it in the file.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod commit;
mod elsewhere;
mod fleet;
#[path = "home/influx.rs"]
mod home;
mod killed;
mod telemetry;
mod trip;
