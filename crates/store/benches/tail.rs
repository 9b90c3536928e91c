//! How long a commit takes while a large fleet's tail grows: 10,000 vehicles that send a message of one row with 20 signals each
//! second, 380 of them in a commit, none of it folded.
//!
//! `cargo bench -p bugbrother-store --bench tail`, on a file in the temporary folder (`TMPDIR`).

use std::{
    io::{Write, stdout},
    time::{Duration, Instant},
};

use bugbrother_store::{Arrival, Store};
use bugbrother_wire::Vin;

mod live;

const VEHICLES: u64 = 10_000;
const TOGETHER: usize = 380;
const SECONDS: u64 = 120;

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
            let batch: Vec<Arrival> = vins.iter().map(|vin| live::sample(*vin, second)).collect();
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
