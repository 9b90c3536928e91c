//! The numbered statements of MQTT 3.1.1 and 5.0 that bind a server, tried on the embedded broker and on Debian's
//! Mosquitto by a client that sends any bytes.
//!
//! The same cases run on both. What is known to fail stands in `expected/`, a line for each case and version: a case that
//! fails must stand there and one that holds must not. `make conformance` writes these lists and `CONFORMANCE.md` anew.
//!
//! # Layout
//! - `lab`: the two brokers, and what a case is given to try one of them
//! - `case`: a case, and how all of them run at once
//! - `cases`: what is tried, a file for each part of the specification
//! - `statement`: the statements in our words (`statements/`), and why some cannot be tried
//! - `table`: `CONFORMANCE.md`
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod case;
mod cases;
mod lab;
mod statement;
mod table;

use lab::Which;

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_holds_what_it_is_known_to_hold() {
    case::run_all(Which::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_holds_what_it_is_known_to_hold() {
    case::run_all(Which::Mosquitto).await;
}
