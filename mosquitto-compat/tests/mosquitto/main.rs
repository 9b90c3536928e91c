//! What we write a real Mosquitto reads, what it writes we read, and what it decides we decide.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acl;
mod certificates;
mod client;
mod conf;
mod passwords;
