//! `bugbrother load`: vehicles by the thousand against a server that was made for trials, and how it does.

use std::{
    io::{self, Write as _, stderr, stdout},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bugbrother_load::{
    drive::{self, Cut},
    fleet::{Figures, Fleet, Form, Pace, Plan, Weather, is_admitted},
    histogram::Histogram,
};
use rand::distr::{Alphanumeric, SampleString};
use serde::Serialize;
use tokio::time::sleep;

use crate::{accounts, arguments::Load, data::DataDir, process, vehicles};

/// How long the broker may take to read the accounts.
const ADMITTED: Duration = Duration::from_secs(60);
/// What is not committed so long after the last commit is lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what has been done.
const LOOK: Duration = Duration::from_millis(250);
/// Between two lines of progress.
const TELL: Duration = Duration::from_secs(5);
/// Different drives, and samples of each.
const DRIVES: usize = 50;
const LONGEST_DRIVE: usize = 3600;
/// Files that this process has open besides.
const OTHER_FILES: u64 = 64;
/// As mosquitto_passwd has them: the password is as long as a key.
const ITERATIONS: u32 = 101;

/// Times in ms.
#[derive(Serialize)]
struct Times {
    p50: f64,
    p90: f64,
    p99: f64,
    longest: f64,
}

/// What came of it.
#[derive(Serialize)]
struct Report {
    vehicles: u32,
    seconds: f64,
    /// Until everybody was connected at the beginning.
    connected_after_s: f64,
    /// Until everything was committed at the end.
    drained_after_s: f64,
    messages: u64,
    messages_per_s: f64,
    samples_per_s: f64,
    lost: u64,
    sent_again: u64,
    reconnects: u64,
    /// Tries to come back that the broker refused, and those when nobody listened.
    refused: u64,
    unreachable: u64,
    /// From when a message was due until its vehicle knew that it is committed; out of reach included.
    commit_ms: Times,
    /// From a publish to its PUBACK.
    puback_ms: Times,
}

/// Plays the vehicles; an error if something was lost.
pub async fn run(data: &DataDir, wanted: Load) -> Result<()> {
    check(data, &wanted).await?;
    let password: Arc<str> = Alphanumeric.sample_string(&mut rand::rng(), 24).into();
    admit(data, wanted.vehicles, Some(&password))?;
    let played = play(&wanted, password).await;
    if !wanted.keep {
        admit(data, wanted.vehicles, None)?;
    }
    let report = played?;
    let lost = report.lost;
    tell(&report, wanted.json)?;
    if lost > 0 { bail!("{lost} messages were not committed within {PATIENCE:?}") } else { Ok(()) }
}

/// Whether this is a server for trials, and this process may have so many connections.
async fn check(data: &DataDir, wanted: &Load) -> Result<()> {
    if let Some((real, _)) = vehicles::list(data).await?.iter().find(|(known, _)| !drive::is_simulated(known.vin)) {
        bail!(
            "this server has vehicles of its own, such as {}: make one for trials (bugbrother --data trial up), since those \
             that are played stay in the database",
            real.vin
        );
    }
    let needed = u64::from(wanted.vehicles) + OTHER_FILES;
    match process::most_files() {
        Some(most) if most < needed => {
            bail!("{} connections need {needed} open files and {most} are allowed: ulimit -n {needed}", wanted.vehicles)
        }
        _ => Ok(()),
    }
}

/// Gives all of them this password, or takes their accounts away.
fn admit(data: &DataDir, vehicles: u32, password: Option<&str>) -> Result<()> {
    accounts::ensure(data)?;
    let _lock = data.lock()?;
    let mut passwords = accounts::load(data)?;
    for number in 0..vehicles as usize {
        let vin = drive::vin(number);
        match password {
            Some(password) => passwords.set_with(vin.as_str(), password, ITERATIONS)?,
            None => _ = passwords.remove(vin.as_str()),
        }
    }
    Ok(passwords.save(&data.access().passwords())?)
}

async fn play(wanted: &Load, password: Arc<str>) -> Result<Report> {
    let (time, samples) = (Duration::from_secs(wanted.seconds), wanted.samples as usize);
    let length = (wanted.seconds as usize).next_multiple_of(samples).clamp(samples, LONGEST_DRIVE.max(samples));
    let cut = |number| Arc::new(Cut::new(&drive::drive(number, length), samples));
    let drives: Vec<_> = (0..DRIVES.min(wanted.vehicles as usize)).map(cut).collect();
    let period = Duration::from_secs(u64::from(wanted.samples));
    let pace = Pace::Every(period);
    let weather = Weather {
        rough: true,
        cut_after: wanted.cut_after.map(Duration::from_secs),
        away: Duration::from_secs(wanted.away),
        tunnel: wanted.tunnel.map(|length| (time / 3, Duration::from_secs(length))),
    };
    let plan = Plan {
        password: Some(password),
        greets: true,
        weather,
        ..Plan::new(wanted.mqtt, wanted.vehicles as usize, pace, Form::Contract, None)
    };
    let began = Instant::now();
    while !is_admitted(&plan).await {
        if began.elapsed() > ADMITTED {
            bail!("the broker at {} lets no vehicle in: does it run, and with this data folder?", wanted.mqtt);
        }
        sleep(LOOK).await;
    }
    let began = Instant::now();
    let mut fleet = Some(tokio::task::spawn_blocking(move || Fleet::start(plan, &drives)).await??);
    let connected_after_s = began.elapsed().as_secs_f64();
    let fleet_ref = fleet.as_ref().context("it has just begun")?;
    let (commits, pubacks, figures, drained_after_s) = watch(fleet_ref, time).await?;
    drop(fleet.take());
    Ok(Report {
        vehicles: wanted.vehicles,
        seconds: time.as_secs_f64(),
        connected_after_s,
        drained_after_s,
        messages: figures.committed,
        messages_per_s: figures.committed as f64 / time.as_secs_f64(),
        samples_per_s: figures.committed as f64 * f64::from(wanted.samples) / time.as_secs_f64(),
        lost: figures.published - figures.committed,
        sent_again: figures.sent_again,
        reconnects: figures.reconnects,
        refused: figures.refused,
        unreachable: figures.unreachable,
        commit_ms: times(&commits),
        puback_ms: times(&pubacks),
    })
}

/// Until everything is committed, or nothing more is.
async fn watch(fleet: &Fleet, time: Duration) -> Result<(Histogram, Histogram, Figures, f64)> {
    let (mut commits, mut pubacks) = (Histogram::default(), Histogram::default());
    let began = Instant::now();
    let (mut told, mut moved, mut before, mut stopped) = (began, began, fleet.figures(), None);
    loop {
        sleep(LOOK).await;
        fleet.commits().into_iter().for_each(|ms| commits.add(ms));
        fleet.pubacks().into_iter().for_each(|ms| pubacks.add(ms));
        let figures = fleet.figures();
        if figures.committed != before.committed {
            (moved, before) = (Instant::now(), figures);
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            progress(began.elapsed(), figures, &commits)?;
        }
        if stopped.is_none() && began.elapsed() >= time {
            fleet.stop();
            stopped = Some(Instant::now());
        }
        let is_over = stopped.is_some() && (figures.published == figures.committed || moved.elapsed() > PATIENCE);
        if is_over || (fleet.has_left() && stopped.is_some()) {
            // What was heard of meanwhile.
            fleet.commits().into_iter().for_each(|ms| commits.add(ms));
            let drained = stopped.map_or(0.0, |at: Instant| at.elapsed().as_secs_f64());
            return Ok((commits, pubacks, fleet.figures(), drained));
        }
        if fleet.has_left() {
            bail!("the vehicles' thread has ended");
        }
    }
}

fn progress(elapsed: Duration, figures: Figures, commits: &Histogram) -> io::Result<()> {
    writeln!(
        stderr(),
        "{:>6} s   {} connected   {} published   {} not committed yet   {} reconnects   p99 {:.0} ms",
        elapsed.as_secs(),
        figures.connected,
        figures.published,
        figures.published - figures.committed,
        figures.reconnects,
        commits.quantile(0.99)
    )
}

fn times(all: &Histogram) -> Times {
    Times { p50: all.quantile(0.5), p90: all.quantile(0.9), p99: all.quantile(0.99), longest: all.longest() }
}

fn tell(report: &Report, json: bool) -> Result<()> {
    let mut out = stdout().lock();
    if json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(report)?)?);
    }
    let Report { vehicles, seconds, messages, messages_per_s, samples_per_s, lost, .. } = report;
    writeln!(out, "vehicles    {vehicles}, connected within {:.1} s", report.connected_after_s)?;
    writeln!(
        out,
        "messages    {messages} in {seconds:.0} s: {messages_per_s:.0} a second, {samples_per_s:.0} samples a second"
    )?;
    writeln!(out, "lost        {lost}")?;
    writeln!(out, "sent again  {}, over {} connections made anew", report.sent_again, report.reconnects)?;
    writeln!(out, "in vain     {} tries refused, {} when nobody listened", report.refused, report.unreachable)?;
    for (name, Times { p50, p90, p99, longest }) in [("committed", &report.commit_ms), ("PUBACK", &report.puback_ms)] {
        writeln!(out, "{name:<10}  p50 {p50:.1} ms, p90 {p90:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms")?;
    }
    Ok(writeln!(out, "at the end  everything was committed after {:.1} s", report.drained_after_s)?)
}
