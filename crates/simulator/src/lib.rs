//! A car to talk to without a car: it drives a route, and speaks NMEA and ELM327 to whoever connects.
//!
//! `bugbrother demo` gives its vehicle agents these cars as sensors, so that the real decoders run; tests use the same.
//!
//! # Layout
//! - [`fleet`]: the profiles of the demo's vehicles; [`roads`]: where they drive
//! - [`route`]: way points made into a smooth ring; [`geo`]: points on the earth
//! - [`driver`](crate::fleet::Style): how fast, where to halt; [`engine`]: force, fuel, air; [`car`]: all of it together
//! - [`nmea`]: the GNSS receiver; [`log`]: a drive as a file
//! - [`elm`]: the ELM327; `ecu`: the control units behind it
//! - [`mock`]: adapters and cars of all kinds, and everything that goes wrong with them
//! - [`serve`]: both on TCP ports
//! - [`camera`]: a dash camera; [`film`]: what it sees
//!
//! # Invariants
//! - The model has no clock and no randomness of its own: the same profile and steps give the same drive.
//! - What a car tells over the bus is what its model holds: bit masks list exactly the PIDs that are answered.
//! - Nobody who connects can stop the car or make it wait.

pub mod camera;
pub mod car;
pub mod elm;
pub mod engine;
pub mod film;
pub mod fleet;
pub mod geo;
pub mod log;
pub mod mock;
pub mod nmea;
pub mod roads;
pub mod route;
pub mod serve;

mod calendar;
mod driver;
mod ecu;
mod noise;

pub use camera::Dashcam;
pub use car::{Car, Reading};
pub use elm::Elm327;
pub use fleet::{Profile, Style, demo_fleet};
pub use log::{Drive, NmeaLog, nmea_log};
pub use nmea::{Fix, NmeaTalker};
pub use serve::Simulator;
