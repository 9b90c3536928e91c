//! What arrived on the broker and is to be committed.

use bugbrother_wire::{
    Epoch, Message, Seq, UnixMs, Vin,
    message::{Ack, Record},
};
use bytes::Bytes;

/// Something that arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When, by our clock.
    pub received_ts: UnixMs,
    /// Where it was published.
    pub topic: String,
    /// The payload as it came, with fields that this version does not know.
    pub payload: Bytes,
    /// The message, or why it is none. What no vehicle says (`down/…`, alerts) is passed over.
    pub content: Result<Message, Refusal>,
}

/// Why something cannot be taken: it is kept among the dead letters, or in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// One of few words.
    pub reason: &'static str,
    /// The record that it claims to be, where that can be read: it counts as done, so that the vehicle does not send it
    /// for ever.
    pub place: Option<Place>,
}

impl Refusal {
    /// Whether the record's time is what is wrong with it: which clock is to blame a person must find out, so the whole of
    /// it is kept.
    pub fn is_about_time(&self) -> bool {
        matches!(self.reason, "future" | "time")
    }
}

/// The place of a record in the outboxes of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The vehicle.
    pub vin: Vin,
    /// The outbox.
    pub epoch: Epoch,
    /// The number in it.
    pub seq: Seq,
}

impl Place {
    /// Where a record stands.
    pub fn of(record: &dyn Record) -> Self {
        Place { vin: record.vin(), epoch: record.epoch(), seq: record.seq() }
    }
}

/// How a batch was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// `up/telemetry`
    Live,
    /// `up/backfill`
    Backfill,
}

impl Lane {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Lane::Live => "live",
            Lane::Backfill => "backfill",
        }
    }
}

/// What became of a batch of arrivals, once it is committed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Committed {
    /// For each outbox that was named: what of it is committed now. The last one of an outbox is the newest.
    pub acks: Vec<Ack>,
    /// Records that were stored.
    pub stored: u64,
    /// Records that were there already.
    pub duplicates: u64,
    /// Records that were not taken because they lie too far apart; the vehicle sends them again.
    pub scattered: u64,
    /// Dead letters that were stored.
    pub dead_letters: u64,
    /// Older dead letters that had to make room.
    pub dead_letters_dropped: u64,
    /// Records of an impossible time, which are kept apart.
    pub quarantined: u64,
    /// Older ones that had to make room.
    pub quarantine_dropped: u64,
    /// Vehicles with new batches in the tail, and how many rows these have.
    pub waiting: Vec<(Vin, u64)>,
}

impl Committed {
    /// What became of this batch and a later one.
    pub fn add(&mut self, later: Committed) {
        self.acks.extend(later.acks);
        self.stored += later.stored;
        self.duplicates += later.duplicates;
        self.scattered += later.scattered;
        self.dead_letters += later.dead_letters;
        self.dead_letters_dropped += later.dead_letters_dropped;
        self.quarantined += later.quarantined;
        self.quarantine_dropped += later.quarantine_dropped;
        self.waiting.extend(later.waiting);
    }
}

/// So many bytes of a payload are kept with a dead letter.
pub const MAX_DEAD_BYTES: usize = 4096;
/// So many characters of its topic.
pub const MAX_DEAD_TOPIC: usize = 256;
/// So many dead letters are kept.
pub const MAX_DEAD_LETTERS: u32 = 10_000;
/// So many records are kept in quarantine.
pub const MAX_QUARANTINE: u32 = 1_000_000;
