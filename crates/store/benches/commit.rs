//! Records per second of the commit path, by the number of records in a commit.
//!
//! `cargo bench -p bugbrother-store`: each record is a batch of ten rows with eight signals, of 50 vehicles in turn, on a
//! file in the temporary folder (`TMPDIR`), with every commit on the disk before the next begins.

use std::{
    io::{Write, stdout},
    time::{Duration, Instant},
};

use bugbrother_store::{Arrival, Store};
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, Topic, Vin, encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
};

const VEHICLES: u64 = 50;
const MEASURE: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
    let mut sent = 0;
    for size in [1, 100, 1000] {
        let began = Instant::now();
        let mut stored = 0;
        let mut working = Duration::ZERO;
        while began.elapsed() < MEASURE {
            let batch: Vec<Arrival> = (sent..sent + size).map(record).collect::<Result<_, _>>()?;
            sent += size;
            let commit = Instant::now();
            stored += store.commit(&batch).await?.stored;
            working += commit.elapsed();
        }
        let rate = stored as f64 / working.as_secs_f64();
        writeln!(stdout(), "{size:>5} records per commit: {rate:>8.0} records/s, {stored} stored")?;
    }
    store.close().await;
    Ok(())
}

fn record(n: u64) -> Result<Arrival, Box<dyn std::error::Error>> {
    let vin: Vin = format!("WVWZZZ1JZ3W{:06}", n % VEHICLES).parse()?;
    let seq = n / VEHICLES + 1;
    let keys = ["lat", "lon", "hdg", "gspd", "spd", "rpm", "ect", "fuel"];
    let value = |row: u64, column: u64| ((seq * 10 + row) * (column + 3) % 1000) as f64 / 11.0;
    let rows = (0..10).map(|row| Row {
        dt_ms: row as u32 * 1000,
        values: (0..keys.len() as u64).map(|column| Some(value(row, column))).collect(),
    });
    let batch = Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(seq),
        t0: 1_760_000_000_000 + seq as i64 * 10_000,
        clock: Clock::Gnss,
        keys: keys.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        gap: None,
    };
    Ok(Arrival {
        received_ts: batch.t0 + 10_000,
        topic: Topic::new(vin, Kind::Telemetry).to_string(),
        payload: encode(&batch).into(),
        content: Ok(Message::Telemetry(batch)),
    })
}
