//! The ways of some records through the services, as OpenTelemetry has them.
//!
//! A record is followed without a header on any message: the names of its trace and of the steps in it are hashes of what it is
//! called anyhow, `(vin, epoch, seq)`, and the same hash decides whether it is one of those that are followed. So processes that
//! know nothing of each other tell the same collector of the same records, and the collector puts their steps together.
//!
//! # Layout
//! - [`start`]: follows records from now on in this process; [`took`]: tells of a step
//! - [`Steps`]: what was told, for whoever sends it to a collector
//! - [`otlp`]: steps as that collector wants them
//!
//! # Invariants
//! - Nobody waits for it: where it is not started a step costs a look, and when it is not sent as fast as it is told, it is dropped
//!   and counted.
//! - No step holds anything that was measured.

pub mod otlp;

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use bugbrother_wire::{Epoch, Seq, UnixMs, Vin, message::Record};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

/// Steps that wait to be sent.
const MAX_WAITING: usize = 4096;

static FOLLOWING: OnceLock<Following> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

struct Following {
    /// Hashes up to this one are followed.
    most: u64,
    steps: mpsc::Sender<Step>,
}

/// What happens to a record. The first one is what the others are parts of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// From the vehicle's newest sample in it until ingest has it: what the vehicle, the network and the broker take.
    Arrive,
    /// Until it is committed.
    Store,
    /// Until rules have judged it.
    Judge,
    /// Until viewers are told.
    Show,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Stage::Arrive => "arrive",
            Stage::Store => "store",
            Stage::Judge => "judge",
            Stage::Show => "show",
        }
    }

    fn service(self) -> &'static str {
        match self {
            Stage::Arrive | Stage::Store => "ingest",
            Stage::Judge => "notifier",
            Stage::Show => "dashboard",
        }
    }
}

/// A record that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    vin: Vin,
    epoch: Epoch,
    seq: Seq,
    hash: [u8; 32],
}

impl Followed {
    fn of(record: &dyn Record) -> Self {
        let (vin, epoch, seq) = (record.vin(), record.epoch(), record.seq());
        let mut hash = Sha256::new_with_prefix("bugbrother trace v1 ");
        hash.update(vin.as_str());
        hash.update(epoch.0.to_be_bytes());
        hash.update(seq.0.to_be_bytes());
        Followed { vin, epoch, seq, hash: hash.finalize().into() }
    }

    /// Where between none and all of them it is.
    fn place(&self) -> u64 {
        let last = self.hash.last_chunk().expect("a hash is longer than a number");
        u64::from_be_bytes(*last)
    }
}

/// Something that happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    record: Followed,
    stage: Stage,
    from: UnixMs,
    to: UnixMs,
}

/// Steps that were told, oldest first.
pub struct Steps(mpsc::Receiver<Step>);

impl Steps {
    /// Waits for the next ones, at most `limit` at once; none when nobody will tell any more.
    pub async fn next(&mut self, limit: usize) -> Vec<Step> {
        let mut found = Vec::new();
        self.0.recv_many(&mut found, limit).await;
        found
    }

    /// How many were dropped since this was asked last.
    pub fn dropped(&self) -> u64 {
        DROPPED.swap(0, Ordering::Relaxed)
    }
}

/// Follows this share of all records (0 to 1) in this process from now on; `None` if that was asked for before.
pub fn start(share: f64) -> Option<Steps> {
    let (steps, waiting) = mpsc::channel(MAX_WAITING);
    FOLLOWING.set(Following { most: most(share), steps }).ok()?;
    Some(Steps(waiting))
}

fn most(share: f64) -> u64 {
    // A number that is no share is none, and all of them are all.
    (share.clamp(0.0, 1.0) * u64::MAX as f64) as u64
}

/// The record, if it is one of those that are followed.
pub fn followed(record: &dyn Record) -> Option<Followed> {
    let following = FOLLOWING.get()?;
    let record = Followed::of(record);
    (record.place() <= following.most && following.most > 0).then_some(record)
}

/// This happened to a record, from then until then.
pub fn took(record: Followed, stage: Stage, from: UnixMs, to: UnixMs) {
    // Of two clocks one may be behind.
    let step = Step { record, stage, from: from.min(to), to };
    if FOLLOWING.get().is_some_and(|following| following.steps.try_send(step).is_err()) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbered(u64);

    impl Record for Numbered {
        fn vin(&self) -> Vin {
            "WVWZZZ1JZ3W386752".parse().expect("a VIN")
        }

        fn epoch(&self) -> Epoch {
            Epoch(7)
        }

        fn seq(&self) -> Seq {
            Seq(self.0)
        }
    }

    #[test]
    fn a_share_of_all_records_is_followed_and_always_the_same_ones() {
        let of = |share| (1..=10_000).filter(|n| Followed::of(&Numbered(*n)).place() <= most(share)).count();
        assert_eq!((of(1.0), of(0.0), of(-1.0), of(f64::NAN)), (10_000, 0, 0, 0));
        let tenth = of(0.1);
        assert!((900..1100).contains(&tenth), "{tenth}");
        assert_eq!(Followed::of(&Numbered(4)), Followed::of(&Numbered(4)));
        assert_ne!(Followed::of(&Numbered(4)).hash, Followed::of(&Numbered(5)).hash);
    }

    /// One test of the whole process: to follow is for ever.
    #[tokio::test]
    async fn what_is_told_waits_until_it_is_fetched_and_too_much_is_dropped_and_counted() {
        assert_eq!(followed(&Numbered(1)), None, "nobody has asked for it");
        let mut steps = start(1.0).expect("the first one");
        assert!(start(1.0).is_none());
        let record = followed(&Numbered(1)).expect("all of them are followed");
        took(record, Stage::Store, 20, 10);
        assert_eq!(steps.next(8).await, [Step { record, stage: Stage::Store, from: 10, to: 10 }]);
        for n in 0..MAX_WAITING as i64 + 3 {
            took(record, Stage::Show, n, n);
        }
        assert_eq!((steps.dropped(), steps.dropped()), (3, 0));
        assert_eq!(steps.next(512).await.len(), 512);
    }
}
