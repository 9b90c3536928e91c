//! The broker as its clients see it: over real sockets, with packets made by hand and with a real client.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod authority;
mod connect;
mod delivery;
mod doors;
mod files;
mod hostile;
mod kit;
mod limits;
mod log;
mod metrics;
mod mutual;
mod properties;
mod proxy;
mod qos2;
mod real_client;
mod realms;
mod reload;
mod restart;
mod retained;
mod sessions;
mod shared;
mod stop;
mod sys;
mod tls;
mod websocket;
mod will;
mod wires;
