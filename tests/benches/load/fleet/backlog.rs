//! Vehicles that were away for an hour come back and make up for it, beside others that were not away.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use bugbrother_load::{
    fleet::{Fleet, Pace, Plan},
    histogram::Histogram,
};
use tokio::time::sleep;

use super::{
    PERIOD, SETTLING, check_files, drives,
    eye::Eye,
    meanwhile::{Meanwhile, cells, during, for_a_time},
    plan, serve,
};
use crate::{
    figures::grouped,
    settings::{self, Settings},
    usage,
};

/// Of each kind.
const VEHICLES: usize = 1_000;
/// Samples that each has to make up for: an hour at 1 Hz.
const MISSED: u64 = 3_600;
/// Samples of a record, as an agent makes them: one a second as usual, and half a minute's with `economy`.
const FORMS: [u64; 2] = [1, 30];
/// Before and after.
const BESIDE: Duration = Duration::from_secs(60);
/// Between two looks at how much is left.
const LOOK: Duration = Duration::from_millis(50);
/// Longest time until nothing is.
const LIMIT: Duration = Duration::from_secs(1_800);

/// How the others fared.
struct Others {
    when: &'static str,
    meanwhile: Meanwhile,
    live: Histogram,
}

/// How those that came back fared.
struct Made {
    up: Duration,
    records: u64,
    samples: u64,
    /// Of what they measured meanwhile.
    commits: Histogram,
}

pub async fn measure(settings: &Settings) -> Result<String> {
    let vehicles = settings::vehicles(VEHICLES)?;
    check_files(2 * vehicles)?;
    let mut text = format!(
        "\n### {0} vehicles make up for an hour, beside {0} others\n\nEach has {1} samples to make up for, and goes on driving. The \
         times are those of the others at 1 Hz; the last line of each kind is about what those that came back said of meanwhile.\n\n\
         | samples a record | | to commit p50 | p99 | longest | to the live feed p50 | p99 | longest | messages/s | CPU of the server \
         | memory at most |\n|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        grouped(vehicles as f64),
        grouped(MISSED as f64),
    );
    let mut said = String::new();
    for rows in FORMS {
        let (others, made) = return_with(rows, vehicles, settings.time.min(BESIDE)).await?;
        for Others { when, meanwhile, live } in &others {
            writeln!(
                text,
                "| {rows} | {when} | {} | {} | {} | {:.2} cores | {:.0} MB |",
                cells(&meanwhile.commits),
                cells(live),
                grouped(meanwhile.messages_per_second()),
                meanwhile.server_cores,
                meanwhile.most_bytes / 1e6,
            )?;
        }
        writeln!(text, "| {rows} | those that came back | {} | – | – | – | – | – | – |", cells(&made.commits))?;
        let seconds = made.up.as_secs_f64();
        writeln!(
            said,
            "\nWith {rows} samples a record, {} records were committed within {seconds:.0} s: {} records/s, {} samples/s.",
            grouped(made.records as f64),
            grouped(made.records as f64 / seconds),
            grouped(made.samples as f64 / seconds),
        )?;
        println!("{} {}", said.lines().last().unwrap_or_default(), usage::load());
    }
    Ok(text + &said)
}

async fn return_with(rows: u64, vehicles: usize, beside: Duration) -> Result<([Others; 3], Made)> {
    let mut system = serve(0..2 * vehicles).await?;
    let server = [system.process("up")?.id()];
    let mut fleet = Fleet::start(plan(&system, vehicles), &drives(1))?;
    let eye = Eye::open(&system, 0..vehicles).await?;
    for_a_time(&mut fleet, &server, SETTLING.min(beside)).await?;
    eye.take()?;
    let before = for_a_time(&mut fleet, &server, beside).await?;
    let before = Others { when: "before", meanwhile: before, live: eye.take()? };

    let plan = Plan {
        first: vehicles,
        backlog: MISSED / rows,
        pace: Pace::Every(PERIOD * rows as u32),
        ..plan(&system, vehicles)
    };
    let drives = drives(rows as usize);
    let records = plan.backlog * vehicles as u64;
    let returning = async {
        let mut away = tokio::task::spawn_blocking(move || Fleet::start(plan, &drives)).await??;
        let (began, mut commits) = (Instant::now(), Histogram::default());
        let mut made_up = 0;
        while made_up < records {
            sleep(LOOK).await;
            away.check()?;
            made_up = away.figures().made_up;
            away.commits().into_iter().for_each(|ms| commits.add(ms));
            drop(away.pubacks());
            ensure!(began.elapsed() < LIMIT, "{made_up} of {records} records are committed after {LIMIT:?}");
        }
        Ok((away, began.elapsed(), commits))
    };
    let ((away, up, commits), meanwhile) = during(&mut fleet, &server, returning).await?;
    let meanwhile = Others { when: "meanwhile", meanwhile, live: eye.take()? };
    let after = for_a_time(&mut fleet, &server, beside).await?;
    let after = Others { when: "afterwards", meanwhile: after, live: eye.take()? };
    // Of neither anything may be missing.
    away.leave()?;
    fleet.leave()?;
    system.check_running()?;
    system.check_logs()?;
    Ok(([before, meanwhile, after], Made { up, records, samples: records * rows, commits }))
}
