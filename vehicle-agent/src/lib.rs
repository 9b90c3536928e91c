//! The program in the car: it reads the GNSS receiver and the OBD-II adapter, keeps what they say in an outbox on disk,
//! and publishes it over MQTT until the fleet's database has said that it is stored.
//!
//! # Layout
//! - [`alive`]: what systemd is told
//! - [`doctor`]: what there is in the car, for who installs it
//! - [`config`]: settings; [`enrol`]: the vehicle's certificate; [`run`] in `agent` puts the parts together
//! - [`clock`]: what time it is and what that is worth
//! - [`link`]: the way to a device, a serial port or a TCP socket; [`ports`]: which serial ports are free
//! - [`gps`]: NMEA 0183 from a receiver or a recording, or a gpsd → fixes
//! - `obd`: ELM327 → values, trouble codes, VIN (feature `obd`)
//! - [`microcontroller`]: sensors, buttons and doors on a serial line → values and presses
//! - [`camera`]: what its cameras see: films, photos, live pictures
//! - [`event`]: samples → what has happened: ignition, harsh driving, crash, geofences
//! - [`recorder`]: fixes and values → rows → batches; [`sieve`]: which values are worth it; [`rest`]: when the vehicle stands
//!   with its engine off
//! - [`outbox`]: what is not yet in the fleet's database, on disk
//! - [`budget`]: how much may go over the network in a day
//! - [`uplink`]: outbox → MQTT, acknowledgements, settings and commands back
//! - [`wishes`]: what fleet and driver want; [`command`]: what the fleet has done once; [`log`]: the newest lines of the log
//!
//! # Invariants
//! - A record is on disk before it is sent, and stays there until the database has it. PUBACK deletes nothing.
//! - A sequence number is given once in the life of an outbox file. A record that had to go is named by a gap record.
//! - Every valid fix becomes exactly one row, at the receiver's own time, unless the day's bytes are scarce.
//! - What a device says is data: nothing that it says ends the agent, and every buffer for it is bounded.

mod agent;
pub mod alive;
pub mod budget;
pub mod camera;
pub mod clock;
pub mod command;
pub mod config;
pub mod doctor;
pub mod enrol;
pub mod event;
pub mod gps;
pub mod link;
pub mod log;
pub mod microcontroller;
pub mod obd;
pub mod outbox;
pub mod ports;
pub mod recorder;
pub mod rest;
mod retry;
pub mod sieve;
pub mod uplink;
pub mod wishes;

pub use agent::{Ended, Error, run};
pub use config::Config;

use clock::computers_clock as now_ms;
