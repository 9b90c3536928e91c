//! The harness of the tests: real servers on free ports, real binaries, and waiting for conditions.
//!
//! # Layout
//! - [`broker`]: which broker a test runs on
//! - [`mosquitto`]: Debian's Mosquitto, the broker that we did not write
//! - [`postgres`], [`influx`]: the databases, as Debian has them; [`standby`]: a copy of the first that follows it
//! - [`camera`]: an RTSP camera; [`turnstile`]: a way to one that counts who goes through; [`film`]: what FFmpeg says of a film
//! - [`volume`]: a small disk, to fill; [`disk`]: one whose power can be cut
//! - [`mqtt`]: MQTT clients that hide nothing
//! - [`process`]: a program of ours: started, killed, its log kept
//! - [`system`]: the server's services on free ports with a data folder of their own
//! - [`tls`]: TLS of a client; [`trickle`]: a network that can be slow
//! - [`wait`]: a condition that must come true
//! - [`port`]: free ports; [`switch`]: one that leads now here, now there; [`network`]: hosts of the test's own
//! - `command`: a program that ends
//! - `crew`: all processes of a server
//! - `janitor`: who clears up also behind a test that is killed
//!
//! # Invariants
//! - A part that is missing on the machine fails the test and says what to install. Nothing is skipped.
//! - What is started here ends with the value that stands for it.

pub mod broker;
pub mod camera;
mod command;
mod crew;
pub mod disk;
pub mod film;
pub mod influx;
mod janitor;
pub mod mosquitto;
pub mod mqtt;
pub mod network;
pub mod port;
pub mod postgres;
pub mod process;
pub mod standby;
pub mod switch;
pub mod system;
pub mod tls;
pub mod trickle;
pub mod turnstile;
pub mod volume;
pub mod wait;
