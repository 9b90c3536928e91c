//! The contract of BugBrother: what is said on the fleet's MQTT topics, on the live feed and in the HTTP API.
//!
//! # Layout
//! - [`vin`]: vehicle identification numbers; [`wmi`]: who made the car
//! - [`id`]: epochs, sequence numbers and the other identities
//! - [`topic`]: the topics below `fleet/v1/` and the filters for them
//! - [`signal`]: the catalogue of signals: short key, COVESA VSS path, unit, range, OBD-II PID
//! - [`message`]: the message on each topic
//! - [`codec`]: MessagePack with limits, and every reason why a payload is refused
//! - [`live`]: frames of the dashboard's WebSocket
//! - [`api`]: bodies of the dashboard's HTTP API
//!
//! # Invariants
//! - No I/O and no clock: time is an argument. Builds for wasm32.
//! - A value that [`codec::decode`] returns is inside every limit of this crate: no NaN, no latitude of 91°, no row of
//!   another length than its keys, and its VIN is the VIN of its topic.
//! - Inside a major version of the schema fields are only added, unknown ones are ignored and units never change.

pub mod api;
pub mod codec;
pub mod id;
pub mod live;
pub mod message;
pub mod signal;
pub mod topic;
pub mod vin;
pub mod wmi;

pub use codec::{DecodeError, decode, encode};
pub use id::{AlertId, CameraId, CommandId, Epoch, EventId, MediaId, Seq};
pub use message::Message;
pub use topic::Topic;
pub use vin::Vin;

/// Major version of the schema: the `v1` of the topics and the `v` of the messages.
pub const SCHEMA_VERSION: u8 = 1;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = i64;
