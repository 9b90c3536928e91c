//! What the bytes of each PID mean, and `docs/signals.md`, which says it to people.
//!
//! The document is written anew by `BUGBROTHER_WRITE_GOLDEN=1 cargo test -p bugbrother-agent --test signals`.
#![cfg(feature = "obd")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod document;
mod examples;
