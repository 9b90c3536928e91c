//! A large fleet at a sample a second: from publish to commit and to the live feed, and what that takes of the machine.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

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
/// Ingest brings what is so old into its lasting form; a run that lasts as long looks at that, too.
const FOLDED_AFTER: Duration = Duration::from_secs(600);
const FOLDING: Duration = Duration::from_secs(120);
/// Longest time until everything is in its lasting form.
const FOLD_LIMIT: Duration = Duration::from_secs(1_800);

struct Phase {
    name: String,
    meanwhile: Meanwhile,
    live: Histogram,
}

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
    let name = format!("{:.0} s", settings.time.as_secs_f64());
    let mut phases = vec![phase(name, &mut fleet, &server, &eye, settings.time).await?];
    let before_folding = (space::folder(&system.data())? - empty.1) / fleet.figures().committed as f64;
    if settings.time >= FOLDED_AFTER {
        let name = format!("the next {:.0} s: what is ten minutes old is folded", FOLDING.as_secs_f64());
        phases.push(phase(name, &mut fleet, &server, &eye, FOLDING).await?);
    }
    drop(eye);
    // Nothing may be missing.
    let messages = fleet.leave()?;
    let after = fold(&system).await?;
    system.check_running()?;
    system.check_logs()?;
    let folded = (space::sqlite(&database(&system)).await? - empty.0) / messages as f64;
    table(vehicles, &phases, messages, before_folding, folded, after)
}

async fn phase(name: String, fleet: &mut Fleet, server: &[u32], eye: &Eye, time: Duration) -> Result<Phase> {
    eye.take()?;
    let meanwhile = for_a_time(fleet, server, time).await?;
    Ok(Phase { name, meanwhile, live: eye.take()? })
}

/// Waits until everything is in its lasting form; how long that took.
async fn fold(system: &System) -> Result<Duration> {
    let store = Store::open(&system.database()).await?;
    let began = Instant::now();
    while !store.waiting(None, 1).await?.is_empty() {
        ensure!(began.elapsed() < FOLD_LIMIT, "batches are still waiting to be folded after {FOLD_LIMIT:?}");
        sleep(Duration::from_millis(500)).await;
    }
    store.close().await;
    Ok(began.elapsed())
}

fn table(
    vehicles: usize,
    phases: &[Phase],
    messages: u64,
    before_folding: f64,
    folded: f64,
    after: Duration,
) -> Result<String> {
    let mut text = format!(
        "\n### {} vehicles at 1 Hz\n\nA sample of {SIGNALS} signals in each message; {} messages were published, and all of them are \
         committed: lost 0.\n\n\
         | | messages/s | to commit p50 | p99 | longest | to the live feed p50 | p99 | longest | CPU of the server | \
         of vehicles and viewer | memory | at most |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        grouped(vehicles as f64),
        grouped(messages as f64),
    );
    for Phase { name, meanwhile, live } in phases {
        writeln!(
            text,
            "| {name} | {} | {} | {} | {:.2} cores | {:.2} cores | {:.0} MB | {:.0} MB |",
            grouped(meanwhile.messages_per_second()),
            cells(&meanwhile.commits),
            cells(live),
            meanwhile.server_cores,
            meanwhile.own_cores,
            meanwhile.bytes / 1e6,
            meanwhile.most_bytes / 1e6,
        )?;
    }
    let an_hour = |bytes: f64| grouped(bytes * 3_600.0 / 1e3);
    writeln!(
        text,
        "\nOn disk, with the broker's file, {before_folding:.0} bytes a sample as they come, {} kB an hour and vehicle, until they are \
         folded; in their lasting form {folded:.1} bytes a sample, {} kB an hour and vehicle. Everything was in it {:.0} s after the \
         last message.",
        an_hour(before_folding),
        an_hour(folded),
        after.as_secs_f64(),
    )?;
    Ok(text)
}
