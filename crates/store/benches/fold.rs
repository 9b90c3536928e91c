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
use bugbrother_wire::Vin;

mod live;

const VEHICLES: u64 = 64;
const MESSAGES: u64 = 300;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vins: Vec<Vin> = (0..VEHICLES).map(|n| format!("WVWZZZ1JZ3W{n:06}").parse()).collect::<Result<_, _>>()?;
    for together in [4, 16] {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
        for round in 0..3 {
            for seq in round * MESSAGES..(round + 1) * MESSAGES {
                let batch: Vec<Arrival> = vins.iter().map(|vin| live::sample(*vin, seq)).collect();
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
