//! A large fleet at a sample a second: from publish to commit and to the live feed, and what that takes of the machine.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bugbrother_kit::system::System;
use bugbrother_load::{fleet::Fleet, histogram::Histogram};
use bugbrother_store::Store;
use tokio::time::sleep;

use super::{
    SETTLING, check_files, database, drives,
    eye::Eye,
    meanwhile::{Meanwhile, cells, for_a_time},
    plan, serve,
};
use crate::{
    drive::SIGNALS,
    figures::grouped,
    settings::{self, Settings},
    space,
};

const VEHICLES: usize = 10_000;
/// Longest time until everything is in its lasting form.
const FOLD_LIMIT: Duration = Duration::from_secs(1_800);

pub async fn measure(settings: &Settings) -> Result<String> {
    let vehicles = settings::vehicles(VEHICLES)?;
    check_files(vehicles)?;
    let mut system = serve(0..vehicles).await?;
    let server = [system.process("up")?.id()];
    let empty = (space::sqlite(&database(&system)).await?, space::folder(&system.data())?);

    let began = Instant::now();
    let mut fleet = Fleet::start(plan(&system, vehicles), &drives(1))?;
    println!("  everybody was connected after {:.1} s", began.elapsed().as_secs_f64());
    let eye = Eye::open(&system, 0..vehicles).await?;
    for_a_time(&mut fleet, &server, SETTLING).await?;
    eye.take()?;
    let meanwhile = for_a_time(&mut fleet, &server, settings.time).await?;
    let live = eye.take()?;
    drop(eye);
    let grown = (space::folder(&system.data())? - empty.1) / fleet.figures().committed as f64;
    // Nothing may be missing.
    let messages = fleet.leave()?;
    let after = fold(&system).await?;
    system.check_running()?;
    system.check_logs()?;
    let folded = (space::sqlite(&database(&system)).await? - empty.0) / messages as f64;
    Ok(table(vehicles, settings.time, &meanwhile, &live, messages) + &on_disk(grown, folded, after))
}

/// Waits until everything is in its lasting form; how long that took.
async fn fold(system: &System) -> Result<Duration> {
    let store = Store::open(&system.database()).await?;
    let began = Instant::now();
    while !store.waiting(None, 1).await?.is_empty() {
        ensure!(began.elapsed() < FOLD_LIMIT, "batches are still waiting to be folded after {FOLD_LIMIT:?}");
        sleep(Duration::from_millis(500)).await;
    }
    let took = began.elapsed();
    store.sweep_all().await?;
    store.close().await;
    Ok(took)
}

fn table(vehicles: usize, time: Duration, meanwhile: &Meanwhile, live: &Histogram, messages: u64) -> String {
    format!(
        "\n### {} vehicles at 1 Hz\n\nA sample of {SIGNALS} signals in each message; {} messages were published, and all of them are \
         committed: lost 0.\n\n\
         | | messages/s | to commit p50 | p99 | longest | to the live feed p50 | p99 | longest | CPU of the server | \
         of vehicles and viewer | memory | at most |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n\
         | {:.0} s | {} | {} | {} | {:.2} cores | {:.2} cores | {:.0} MB | {:.0} MB |\n",
        grouped(vehicles as f64),
        grouped(messages as f64),
        time.as_secs_f64(),
        grouped(meanwhile.messages_per_second()),
        cells(&meanwhile.commits),
        cells(live),
        meanwhile.server_cores,
        meanwhile.own_cores,
        meanwhile.bytes / 1e6,
        meanwhile.most_bytes / 1e6,
    )
}

/// Bytes a sample: as much as the folder has grown meanwhile, and in the lasting form, in which everything was after that time.
fn on_disk(grown: f64, folded: f64, after: Duration) -> String {
    format!(
        "\nMeanwhile the data folder grew by {grown:.0} bytes a sample, with the broker's file and what was not folded yet. In their \
         lasting form samples have {folded:.1} bytes each, {} kB an hour and vehicle; everything was in it {:.0} s after the last \
         message.\n",
        grouped(folded * 3_600.0 / 1e3),
        after.as_secs_f64(),
    )
}
