//! Two days of a vehicle: what it would send, and a store that has folded the first of them and not the second.

use std::collections::BTreeMap;

use anyhow::Result;
use bugbrother_store::{Arrival, Store};
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
};

/// Midnight in UTC.
pub const START: UnixMs = 1_789_948_800_000;
pub const HOUR: i64 = 3_600_000;
pub const DAY: i64 = 24 * HOUR;
const KEYS: [&str; 5] = ["lat", "lon", "gspd", "rpm", "x.own"];

/// Values by time and signal.
pub type Values = BTreeMap<(UnixMs, String), f64>;

pub fn batch(vin: Vin, seq: u64, t0: UnixMs, keys: &[&str], rows: Vec<Row>) -> Telemetry {
    Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(seq),
        t0,
        clock: Clock::Gnss,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        rows,
        gap: None,
    }
}

pub fn arrival(batch: Telemetry) -> Arrival {
    Arrival {
        received_ts: batch.t0,
        topic: Topic::new(batch.vin, Kind::Telemetry).to_string(),
        payload: encode(&batch).into(),
        content: Ok(Message::Telemetry(batch)),
    }
}

/// Folds all that waits.
pub async fn fold(store: &Store, vin: Vin) -> Result<()> {
    while store.keep(&[vin]).await?[0].more {}
    Ok(())
}

/// Two days with a drive of an hour at eight and at seventeen, in batches of ten minutes: a fix every two seconds, and half a
/// second later what the engine told. On a drive from 46.5° 6.6° to the east and back at 72 km/h.
fn batches(vin: Vin) -> Vec<Telemetry> {
    let mut batches = Vec::new();
    for (drive, begin) in [8, 17, 32, 41].map(|hour| START + hour * HOUR).into_iter().enumerate() {
        for part in 0..6u32 {
            let rows = (0..300u32).flat_map(|n| {
                let second = f64::from(part * 600 + n * 2);
                // 20 m/s; a degree of longitude has 76,539 m there.
                let way = second * 20.0 / 76_539.0;
                let lon = if drive % 2 == 0 { 6.6 + way } else { 6.6 + 3600.0 * 20.0 / 76_539.0 - way };
                let fix = [Some(46.5), Some(lon), Some(72.0), None, None];
                let engine = [None, None, None, Some(1500.0 + second % 100.0), Some(-second)];
                [Row { dt_ms: n * 2000, values: fix.to_vec() }, Row { dt_ms: n * 2000 + 500, values: engine.to_vec() }]
            });
            let t0 = begin + i64::from(part) * 600_000;
            batches.push(batch(vin, batches.len() as u64 + 1, t0, &KEYS, rows.collect()));
        }
    }
    batches
}

/// What is in the store after [`two_days`].
pub fn values(vin: Vin) -> Values {
    let batches = batches(vin);
    let all = batches.iter().flat_map(Telemetry::samples);
    all.map(|(ts, key, value)| ((ts, key.to_owned()), value)).collect()
}

/// Fills a store: the first day is folded, the second is in the tail.
pub async fn two_days(store: &Store, vin: Vin) -> Result<()> {
    let mut days: [Vec<Arrival>; 2] = Default::default();
    for batch in batches(vin) {
        days[usize::from(batch.t0 >= START + DAY)].push(arrival(batch));
    }
    store.commit(&days[0]).await?;
    fold(store, vin).await?;
    store.commit(&days[1]).await?;
    Ok(())
}
