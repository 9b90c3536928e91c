//! The contract of BugBrother: what is said on the fleet's MQTT topics, on the live feed and in the HTTP API.
//!
//! # Layout
//! - [`vin`]: vehicle identification numbers; [`wmi`]: who made the car
//! - [`id`]: epochs, sequence numbers and the other identities
//! - [`topic`]: the topics below `fleet/v1/` and the filters for them
//! - [`rule`]: what rules look at, and which vehicles they are about; [`area`]: how far a place is from the border of an area
//! - [`signal`]: the catalogue of signals: short key, COVESA VSS path, unit, range, OBD-II PID
//! - [`message`]: the message on each topic
//! - [`codec`]: MessagePack with limits, and every reason why a payload is refused
//! - [`verdict`]: whether what arrives is taken
//! - [`live`]: frames of the dashboard's WebSocket; [`video`]: what vehicles push of their cameras
//! - [`api`], [`embedded`]: bodies of the dashboard's HTTP API, for people and for vehicles; `schema` (a feature): JSON
//!   Schemas of identities
//!
//! # Invariants
//! - No I/O and no clock: time is an argument. Builds for wasm32.
//! - A value that [`codec::decode`] returns is inside every limit of this crate: no NaN, no latitude of 91°, no row of
//!   another length than its keys, and its VIN is the VIN of its topic.
//! - Inside a major version of the schema fields are only added, unknown ones are ignored and units never change.

pub mod api;
pub mod area;
pub mod codec;
pub mod embedded;
pub mod fuel;
pub mod id;
pub mod live;
pub mod message;
pub mod rule;
#[cfg(feature = "schema")]
mod schema;
pub mod signal;
pub mod topic;
pub mod verdict;
pub mod video;
pub mod vin;
pub mod wmi;

use std::time::{SystemTime, UNIX_EPOCH};

pub use codec::{DecodeError, decode, encode};
pub use fuel::FuelKind;
pub use id::{
    AlertId, ApiTokenId, CameraId, ChannelId, ClientId, CommandId, ContractId, DeliveryId, DocumentId, Epoch, EventId,
    MaintenanceId, MediaId, Seq, SessionId, ViewId, WorkId,
};
pub use message::Message;
pub use topic::Topic;
pub use verdict::{Refused, judge, judge_present};
pub use vin::Vin;

/// Major version of the schema: the `v1` of the topics and the `v` of the messages.
pub const SCHEMA_VERSION: u8 = 1;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = i64;

/// A moment of the computer's clock. One before 1970, as of a computer whose clock was never set, counts as 1970.
pub fn unix_ms(time: SystemTime) -> UnixMs {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs::try_from(since.as_millis()).unwrap_or(UnixMs::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_milliseconds_since_1970_and_none_is_before() {
        assert_eq!(unix_ms(UNIX_EPOCH + Duration::from_micros(1_790_000_000_123_999)), 1_790_000_000_123);
        assert_eq!(unix_ms(UNIX_EPOCH - Duration::from_secs(5)), 0);
    }
}
