//! The conversation with adapters and cars of every kind, through crate obd2 and what is around it.
#![cfg(feature = "obd")]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod bench;
mod cars;
mod faults;
mod scripts;
mod search;
mod sleep;
mod tasks;
