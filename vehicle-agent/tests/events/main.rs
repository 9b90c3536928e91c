//! Events are made of samples and time: of written manoeuvres, of simulated cars, and of a drive that was recorded.
//!
//! # Layout
//! - `written`: a vehicle that does what is written, and its detectors
//! - `harsh`, `crash`, `ignition`, `parked`, `fences`: an event each, or some
//! - `drives`: whole drives, and values of any kind
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod crash;
mod drives;
mod fences;
mod harsh;
mod ignition;
mod parked;
#[path = "../parts/recording.rs"]
mod recording;
mod written;
