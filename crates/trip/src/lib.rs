//! Trips and stops of one vehicle, made from its samples.
//!
//! `docs/trips.md` states the rules, the formulas and where they come from.
//!
//! # Layout
//! - [`Machine`]: eats samples, gives [`Leg`]s; [`Sample`]: what it eats; [`Trip`], [`Stop`]: what it gives
//! - [`Car`], [`Limits`]: what it must know of the vehicle
//! - `parked`: when a standing vehicle has left; `driving`: when a driving one has arrived
//! - `latest`: values carried forward; `tally`: sums of a trip; `fuel`, `style`: what is made of them
//! - `gazetteer`: names of places, with the feature of that name
//! - [`simplify()`]: fewer points for the same line; [`track`]: a line as text; [`geo`]: points on the earth
//!
//! # Invariants
//! - This crate has no clock, no I/O and no randomness. Time is an argument.
//! - The same samples give the same legs, however the feeding was cut into pieces.
//! - Legs are in order and do not overlap: a stop begins where a trip ends.
//! - A machine is bounded in size, however long a trip or a stop is.

#![warn(missing_docs)]

mod car;
mod driving;
mod fuel;
#[cfg(feature = "gazetteer")]
pub mod gazetteer;
pub mod geo;
mod latest;
mod leg;
mod machine;
mod parked;
mod sample;
pub mod simplify;
mod style;
mod tally;
pub mod track;

pub use car::{Car, Fuel, Limits};
pub use geo::Point;
pub use leg::{DistanceFrom, End, FuelFrom, Leg, Stop, Trip};
pub use machine::{Machine, StepBack};
pub use sample::Sample;
pub use simplify::{TrackPoint, simplify, tolerance_m};
