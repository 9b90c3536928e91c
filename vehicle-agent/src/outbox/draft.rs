use std::collections::BTreeMap;

use bugbrother_wire::{
    CameraId, CommandId, Epoch, EventId, MediaId, SCHEMA_VERSION, Seq, UnixMs, Vin, encode,
    message::{
        Argument, Clock, Diagnostics, Dtc, Event, EventKind, FreezeFrame, Gap, Media, MediaKind, MediaState, Monitor,
        Reply, ReplyState, Row, Telemetry,
    },
    topic::Kind,
};

use crate::clock::is_provisional;

/// What is to be kept and sent, before it has its place in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub enum Draft {
    /// Samples.
    Batch(Batch),
    /// Records that are lost.
    Gap(Gap),
    /// What the car says is wrong with it.
    Diagnostics {
        /// When it was read.
        at: UnixMs,
        /// Malfunction indicator lamp.
        mil: Option<bool>,
        /// Trouble codes.
        dtcs: Vec<Dtc>,
        /// Readiness monitors.
        monitors: Vec<Monitor>,
        /// Values at the moment a code was stored.
        freeze_frame: Option<FreezeFrame>,
    },
    /// Something happened.
    Event(Happening),
    /// What became of a command.
    Reply(Answer),
    /// A step in the life of a photo or clip.
    Media(Step),
}

/// A step in the life of a photo or clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Whose.
    pub id: MediaId,
    /// The camera.
    pub camera: CameraId,
    /// Photo or clip.
    pub kind: MediaKind,
    /// The step.
    pub state: MediaState,
    /// When it was taken.
    pub at: UnixMs,
    /// First moment that is seen.
    pub from: UnixMs,
    /// Last moment that is seen.
    pub to: UnixMs,
    /// The event or command that asked for it.
    pub cause: Option<String>,
    /// Size of the file.
    pub bytes: Option<u64>,
    /// SHA-256 of the file in lower-case hexadecimal.
    pub sha256: Option<String>,
    /// How a clip's pictures are coded, by RFC 6381.
    pub codec: Option<String>,
    /// Why it failed or expired, in words.
    pub reason: Option<String>,
}

/// Something that happened in the vehicle.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// Its identity.
    pub id: EventId,
    /// When.
    pub at: UnixMs,
    /// What.
    pub kind: EventKind,
    /// Latitude and longitude in degrees, where known.
    pub place: Option<(f64, f64)>,
    /// Signal key → value at that moment.
    pub values: BTreeMap<String, f64>,
    /// More, in words.
    pub text: Option<String>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The command.
    pub command: CommandId,
    /// How far it has come.
    pub state: ReplyState,
    /// When.
    pub at: UnixMs,
    /// Result or reason, in words.
    pub detail: Option<String>,
    /// What programs can use of the result.
    pub result: BTreeMap<String, Argument>,
    /// A longer text that was asked for.
    pub text: Option<String>,
}

impl Answer {
    /// How far a command has come, with nothing more to say.
    pub fn new(command: CommandId, state: ReplyState, at: UnixMs) -> Self {
        Answer { command, state, at, detail: None, result: BTreeMap::new(), text: None }
    }
}

impl Happening {
    /// Of that kind, at that time, with an identity of its own and nothing more to say.
    pub fn new(kind: EventKind, at: UnixMs) -> Self {
        let id = EventId(uuid::Uuid::now_v7());
        Happening { id, at, kind, place: None, values: BTreeMap::new(), text: None }
    }
}

/// Samples in columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What the times come from.
    pub clock: Clock,
    /// Time from which the rows count.
    pub t0: UnixMs,
    /// Columns.
    pub keys: Vec<String>,
    /// Samples in rising order of time.
    pub rows: Vec<Row>,
    /// Fixes of a recording among them, so that its replay goes on where it was when the agent is started again.
    pub replayed: u64,
}

impl Draft {
    /// The topic of its message; telemetry that is sent late goes to another one.
    pub fn kind(&self) -> Kind {
        match self {
            Draft::Batch(_) | Draft::Gap(_) => Kind::Telemetry,
            Draft::Diagnostics { .. } => Kind::Diagnostics,
            Draft::Event(_) => Kind::Event,
            Draft::Reply(_) => Kind::Reply,
            Draft::Media(_) => Kind::Media,
        }
    }

    /// The command to which it is the last reply.
    pub(super) fn ended_command(&self) -> Option<CommandId> {
        match self {
            Draft::Reply(Answer { state: ReplyState::Accepted | ReplyState::Running, .. }) => None,
            Draft::Reply(answer) => Some(answer.command),
            _ => None,
        }
    }

    /// Fixes of a recording in it.
    pub(super) fn replayed(&self) -> u64 {
        match self {
            Draft::Batch(batch) => batch.replayed,
            _ => 0,
        }
    }

    /// Whether its time is only that since the computer's start.
    pub(super) fn is_provisional(&self, now: UnixMs) -> bool {
        match self {
            Draft::Batch(batch) => batch.clock == Clock::None && is_provisional(batch.t0),
            Draft::Gap(_) => is_provisional(now),
            Draft::Diagnostics { at, .. }
            | Draft::Reply(Answer { at, .. })
            | Draft::Media(Step { at, .. })
            | Draft::Event(Happening { at, .. }) => is_provisional(*at),
        }
    }

    /// Whether it outlives samples when there is no room for both.
    pub fn is_urgent(&self) -> bool {
        !matches!(self, Draft::Batch(_))
    }

    /// The message, in its place.
    pub fn encode(self, vin: Vin, epoch: Epoch, seq: Seq, now: UnixMs) -> Vec<u8> {
        let v = SCHEMA_VERSION;
        let telemetry = |batch: Batch, gap| Telemetry {
            v,
            vin,
            epoch,
            seq,
            t0: batch.t0,
            clock: batch.clock,
            keys: batch.keys,
            rows: batch.rows,
            gap,
        };
        match self {
            Draft::Batch(batch) => encode(&telemetry(batch, None)),
            Draft::Gap(gap) => {
                let nothing = Batch { clock: Clock::System, t0: now, keys: Vec::new(), rows: Vec::new(), replayed: 0 };
                encode(&telemetry(nothing, Some(gap)))
            }
            Draft::Diagnostics { at, mil, dtcs, monitors, freeze_frame } => {
                encode(&Diagnostics { v, vin, epoch, seq, at, mil, dtcs, monitors, freeze_frame })
            }
            Draft::Event(Happening { id, at, kind, place, values, text }) => {
                let (lat, lon) = place.unzip();
                encode(&Event { v, vin, epoch, seq, id, at, kind, lat, lon, values, text })
            }
            Draft::Reply(Answer { command, state, at, detail, result, text }) => {
                encode(&Reply { v, vin, epoch, seq, command, state, at, detail, result, text })
            }
            Draft::Media(step) => {
                let Step { id, camera, kind, state, at, from, to, cause, bytes, sha256, codec, reason } = step;
                encode(&Media {
                    v,
                    vin,
                    epoch,
                    seq,
                    id,
                    camera,
                    kind,
                    state,
                    at,
                    from,
                    to,
                    cause,
                    bytes,
                    sha256,
                    codec,
                    reason,
                })
            }
        }
    }
}
