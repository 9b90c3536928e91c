//! The store in a file.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod account;
mod alert_event;
mod alert_list;
mod audit;
mod books;
mod client;
mod command;
mod commit;
mod contract;
mod credential;
mod delivery;
mod device;
mod escalation;
mod eye;
mod face;
mod facts;
mod fleet;
mod geofence;
#[path = "home/sqlite.rs"]
mod home;
mod keeping;
mod killed;
mod lease;
mod look;
mod maintenance;
mod media_file;
mod office;
mod people;
mod receipt;
mod released;
mod rule;
mod schema;
mod setting;
mod statistics;
mod table;
mod tail;
mod telemetry;
mod trip;
mod upgrade;
mod wish;
