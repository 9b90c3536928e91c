//! Thousands of vehicles from one process: the contract's own messages over a connection for each, and what becomes of them.
//! `bugbrother load` plays them against a server, and the benches measure by them.
//!
//! # Layout
//! - [`fleet`]: a fleet on the road, [`fleet::Plan`] what it is to do, [`fleet::Done`] what it did
//! - `vehicle`: one of them: it signs in, publishes, is cut off, comes back and sends again what is not committed
//! - `outbox`: what it has to send and what goes when (pure); `greeting`: what it says of itself
//! - [`drive`]: what simulated cars tell; [`packet`]: as little of MQTT as that takes
//! - [`histogram`]: times in few numbers, however many there are (pure)
//!
//! # Invariants
//! - A message counts once the vehicle has been told by `down/ack` that it is committed.
//! - What a vehicle has not heard that of it sends again when it is back, as an agent does; what is old goes into the second lane.
//! - One thread for all of them, and for each a connection, a few buffers, and the numbers of what is not committed yet.

#![warn(missing_docs)]

pub mod drive;
pub mod fleet;
mod greeting;
pub mod histogram;
mod outbox;
pub mod packet;
mod vehicle;
