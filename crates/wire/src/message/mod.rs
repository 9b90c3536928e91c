//! The message on each topic.
//!
//! Every message carries `v`, the schema's major version, and `vin`. What a vehicle must not lose also carries `epoch`
//! and `seq`, its place in the outbox ([`Record`]).

mod alert;
mod birth;
mod command;
mod diagnostics;
mod event;
mod media;
mod status;
mod telemetry;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use alert::{Alert, AlertCause, AlertState, Severity};
pub use birth::{Birth, CameraDeclaration, CarDeclaration, EcuDeclaration, SignalDeclaration, VinSource};
pub use command::{Argument, Command, Config, Geofence, HELD_MS, Reply, ReplyState, Shape};
pub use diagnostics::{Diagnostics, Dtc, DtcStatus, FreezeFrame, Monitor};
pub use event::{Event, EventKind};
pub use media::{Media, MediaKind, MediaState};
pub use status::{Ack, Presence, Status};
pub use telemetry::{Clock, Gap, Row, Telemetry};

use crate::{Epoch, Seq, UnixMs, Vin};

/// A message of the contract, by its topic.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// `up/birth`
    Birth(Birth),
    /// `up/status`
    Status(Status),
    /// `up/telemetry`
    Telemetry(Telemetry),
    /// `up/backfill`
    Backfill(Telemetry),
    /// `up/diagnostics`
    Diagnostics(Diagnostics),
    /// `up/event`
    Event(Event),
    /// `up/media`
    Media(Media),
    /// `up/reply`
    Reply(Reply),
    /// `down/ack`
    Ack(Ack),
    /// `down/command`
    Command(Command),
    /// `down/config`
    Config(Config),
    /// `alert/{id}` with a body
    Alert(Alert),
    /// `alert/{id}` with an empty body: the alert is resolved and no longer retained
    AlertCleared,
    /// `state`
    State(State),
}

/// A message that is kept in the vehicle's outbox until the fleet's database has it.
pub trait Record {
    /// The vehicle.
    fn vin(&self) -> Vin;
    /// The outbox that it is kept in.
    fn epoch(&self) -> Epoch;
    /// Its place there.
    fn seq(&self) -> Seq;
}

macro_rules! record {
    ($($name:ty),*) => {$(
        impl Record for $name {
            fn vin(&self) -> Vin { self.vin }
            fn epoch(&self) -> Epoch { self.epoch }
            fn seq(&self) -> Seq { self.seq }
        }
    )*};
}
record!(Telemetry, Diagnostics, Event, Media, Reply);

impl Message {
    /// The message as a record of an outbox, if it is one.
    pub fn as_record(&self) -> Option<&dyn Record> {
        match self {
            Message::Telemetry(m) | Message::Backfill(m) => Some(m),
            Message::Diagnostics(m) => Some(m),
            Message::Event(m) => Some(m),
            Message::Media(m) => Some(m),
            Message::Reply(m) => Some(m),
            _ => None,
        }
    }
}

/// Last known state at a low rate, as JSON, for Home Assistant, Node-RED and spreadsheets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct State {
    /// Schema version.
    pub v: u8,
    /// The vehicle.
    pub vin: Vin,
    /// When the newest value was measured, by the vehicle's clock.
    pub source_ts: UnixMs,
    /// Whether the vehicle is connected.
    pub presence: Presence,
    /// Signal key → value.
    pub values: BTreeMap<String, f64>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Registration plate, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
    /// Degrees, under the name by which maps look for it; the same as `lat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees; the same as `lon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// Whether the engine runs, where the vehicle tells its speed of rotation. Of one that is away it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_on: Option<bool>,
    /// Trouble codes that the vehicle has told of last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble_codes: Option<u32>,
}
