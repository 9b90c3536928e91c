//! Rows per second that housekeeping folds into hours, by how many vehicles are folded at once.
//!
//! `cargo bench -p bugbrother-store --bench fold`: vehicles that have sent a message of one row with 20 signals each second
//! for five minutes, on a file in the temporary folder (`TMPDIR`). Three rounds, in the same hour: the second and the third
//! find what the one before has folded.

use std::{
    io::{Write, stdout},
    time::Instant,
};

use bugbrother_store::{Arrival, Store};
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, Topic, Vin, encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
};

const VEHICLES: u64 = 64;
const MESSAGES: u64 = 300;
const KEYS: [&str; 20] = [
    "lat", "lon", "alt", "hdg", "gspd", "spd", "rpm", "ect", "iat", "map", "maf", "tps", "load", "fuel", "vbat", "oat",
    "ax", "ay", "az", "fr",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vins: Vec<Vin> = (0..VEHICLES).map(|n| format!("WVWZZZ1JZ3W{n:06}").parse()).collect::<Result<_, _>>()?;
    for together in [4, 16] {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
        for round in 0..3 {
            for seq in round * MESSAGES..(round + 1) * MESSAGES {
                let batch: Vec<Arrival> = vins.iter().map(|vin| record(*vin, seq)).collect();
                store.commit(&batch).await?;
            }
            let began = Instant::now();
            let mut rows = 0;
            for vins in vins.chunks(together) {
                rows += store.keep(vins).await?.iter().map(|kept| kept.rows).sum::<u64>();
            }
            let took = began.elapsed().as_secs_f64();
            writeln!(
                stdout(),
                "{together:>3} vehicles at once, round {round}: {rows} rows, {:>7.0} rows/s, {:.1} ms a vehicle",
                rows as f64 / took,
                took * 1000.0 / VEHICLES as f64
            )?;
        }
        store.close().await;
    }
    Ok(())
}

fn record(vin: Vin, seq: u64) -> Arrival {
    let value = |column: usize| match column {
        0 => 46.5 + seq as f64 * 1e-4,
        1 => 6.6 + (seq as f64 / 50.0).sin() * 1e-2,
        column => ((seq as f64 / (10.0 + column as f64)).sin() * 1000.0).round() / 10.0,
    };
    let batch = Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(seq + 1),
        t0: 1_760_000_400_000 + seq as i64 * 1000,
        clock: Clock::Gnss,
        keys: KEYS.map(str::to_owned).to_vec(),
        rows: vec![Row { dt_ms: 0, values: (0..KEYS.len()).map(|column| Some(value(column))).collect() }],
        gap: None,
    };
    Arrival {
        received_ts: batch.t0 + 50,
        topic: Topic::new(vin, Kind::Telemetry).to_string(),
        payload: encode(&batch).into(),
        content: Ok(Message::Telemetry(batch)),
    }
}
