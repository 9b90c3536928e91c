//! The broker as its clients see it: over real sockets, with packets made by hand and with a real client.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod connect;
mod delivery;
mod files;
mod hostile;
mod kit;
mod metrics;
mod real_client;
mod retained;
mod stop;
mod will;
