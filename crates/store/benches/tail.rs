//! How long a commit takes while a large fleet's tail grows: 10,000 vehicles that send a message of one row with 20 signals each
//! second, 380 of them in a commit, none of it folded.
//!
//! `cargo bench -p bugbrother-store --bench tail`, on a file in the temporary folder (`TMPDIR`).

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

const VEHICLES: u64 = 10_000;
const TOGETHER: usize = 380;
const SECONDS: u64 = 120;
const KEYS: [&str; 20] = [
    "lat", "lon", "alt", "hdg", "gspd", "spd", "rpm", "ect", "iat", "map", "maf", "tps", "load", "fuel", "vbat", "oat",
    "ax", "ay", "az", "fr",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut vins: Vec<Vin> = (0..VEHICLES).map(|n| format!("WVWZZZ1JZ3W{n:06}").parse()).collect::<Result<_, _>>()?;
    // Vehicles do not come in the order of their names.
    vins.sort_by_key(|vin| {
        vin.to_string().bytes().fold(7_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(16_777_619))
    });
    let folder = tempfile::tempdir()?;
    let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
    let (mut commits, mut working, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    for second in 0..SECONDS {
        for vins in vins.chunks(TOGETHER) {
            let batch: Vec<Arrival> = vins.iter().map(|vin| record(*vin, second)).collect();
            let began = Instant::now();
            store.commit(&batch).await?;
            let took = began.elapsed();
            commits += 1;
            working += took;
            longest = longest.max(took);
        }
        if (second + 1) % 30 == 0 {
            let mean = working.as_secs_f64() * 1000.0 / f64::from(commits);
            let longest_ms = longest.as_millis();
            writeln!(stdout(), "{:>4} rows a vehicle: {mean:.1} ms a commit, longest {longest_ms} ms", second + 1)?;
            (commits, working, longest) = (0, Duration::ZERO, Duration::ZERO);
        }
    }
    store.close().await;
    Ok(())
}

fn record(vin: Vin, seq: u64) -> Arrival {
    let value = |column: usize| ((seq as f64 / (10.0 + column as f64)).sin() * 1000.0).round() / 10.0;
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
