//! What the end-to-end tests share.
//!
//! # Layout
//! - [`drive`]: recordings of a receiver and what is in them, counted without the agent's decoder
//! - [`viewer`]: somebody who has signed in: the HTTP API and the live feed
//!
//! # Invariants
//! - Nothing here imports a service: they are processes, started by `bugbrother_kit`.

pub mod drive;
pub mod viewer;
