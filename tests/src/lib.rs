//! What the end-to-end tests share.
//!
//! # Layout
//! - [`drive`]: recordings of a receiver and what is in them, counted without the agent's decoder
//! - [`flatness`]: whether a figure stays where it is while a program works
//! - [`herd`]: thousands of vehicles that drive in a live feed alone
//! - [`node`]: scripts for Node.js with what they need from npm
//! - [`node_red`]: Node-RED with flows of the test's
//! - [`prometheus`]: Debian's Prometheus
//! - [`python`]: the Python of `scripts/python`
//! - [`viewer`]: somebody who has signed in: the HTTP API and the live feed
//!
//! # Invariants
//! - Nothing here imports a service: they are processes, started by `bugbrother_kit`.

pub mod drive;
pub mod flatness;
pub mod herd;
pub mod node;
pub mod node_red;
pub mod prometheus;
pub mod python;
pub mod viewer;
