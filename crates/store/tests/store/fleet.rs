//! New stores, and what vehicles would send.

use bugbrother_store::{Arrival, Question, Samples, Store};
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
};

use crate::home;
pub use crate::home::{Home, url};

pub const NOW: UnixMs = 1_790_000_000_000;

pub fn golf() -> Vin {
    "WVWZZZ1JZ3W386752".parse().unwrap()
}

pub fn fiesta() -> Vin {
    "WF0DXXGAKDHA12345".parse().unwrap()
}

/// A new one.
pub async fn store() -> (Store, Home) {
    let home = home::make().await;
    (open(&home).await, home)
}

/// The one that lives there, once more.
pub async fn open(home: &Home) -> Store {
    Store::open_with(&url(home), home::telemetry_url(home).as_deref()).await.unwrap()
}

/// One fix and one speed per second, ten to a batch; batch `seq` begins ten seconds after the one before.
pub fn batch(vin: Vin, epoch: u64, seq: u64) -> Telemetry {
    let rows = (0..10)
        .map(|n| {
            let t = (seq * 10 + n) as f64;
            Row { dt_ms: n as u32 * 1000, values: vec![Some(47.0 + t / 1e4), Some(8.0 + t / 1e4), Some(t)] }
        })
        .collect();
    Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(epoch),
        seq: Seq(seq),
        t0: NOW + seq as i64 * 10_000,
        clock: Clock::Gnss,
        keys: vec!["lat".into(), "lon".into(), "spd".into()],
        rows,
        gap: None,
    }
}

pub fn live(batch: Telemetry) -> Arrival {
    let payload = encode(&batch).into();
    Arrival {
        received_ts: batch.t0 + 15_000,
        topic: Topic::new(batch.vin, Kind::Telemetry).to_string(),
        payload,
        content: Ok(Message::Telemetry(batch)),
    }
}

pub fn late(batch: Telemetry) -> Arrival {
    let payload = encode(&batch).into();
    Arrival {
        received_ts: NOW + 9_000_000,
        topic: Topic::new(batch.vin, Kind::Backfill).to_string(),
        payload,
        content: Ok(Message::Backfill(batch)),
    }
}

/// All that is kept of what a vehicle measured.
pub async fn everything(store: &Store, vin: Vin) -> Samples {
    let question = Question { vin, from: 0, to: i64::MAX, signals: None };
    let page = store.samples(question, 20_000).await.unwrap();
    assert_eq!(page.next, None, "these are few enough for one page");
    page.samples
}
