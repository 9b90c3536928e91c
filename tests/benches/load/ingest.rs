//! From publish to commit, beside what the same database takes at most, in the same run.

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use bugbrother_kit::broker::Broker;
use bugbrother_load::fleet::{Fleet, Form, Pace, Plan};
use bugbrother_wire::{UnixMs, unix_ms};

use crate::{
    ceiling::{self, Ceiling, Plain},
    drive::{self, Cut, SIGNALS, Sample},
    figures::{Sorted, grouped, median},
    nodered,
    report::Report,
    server::{Databases, Kind, Server},
    settings::Settings,
    usage,
};

pub const VEHICLES: usize = 50;
/// An hour's drive each.
const SAMPLES: usize = 3600;
/// Samples of a message: live, a batch as usual, and what was recorded while out of reach.
const FORMS: [usize; 3] = [1, 10, 100];
const WARM_UP: Duration = Duration::from_secs(3);
/// So old are the first samples: the fleet lives faster than the clock, and may not overtake it.
const AGE_MS: i64 = 300 * 24 * 60 * 60 * 1000;

/// Messages of a vehicle that are not committed yet: enough for ingest never to wait for them, and not more than the
/// broker keeps for who is slow.
fn window(rows: usize) -> usize {
    match rows {
        ..10 => 64,
        10..100 => 32,
        _ => 8,
    }
}

fn drives(rows: usize, samples: &[Vec<Sample>]) -> Vec<Arc<Cut>> {
    samples.iter().map(|samples| Arc::new(Cut::new(samples, rows))).collect()
}

pub fn simulate() -> Vec<Vec<Sample>> {
    (0..VEHICLES).map(|number| drive::drive(number, SAMPLES)).collect()
}

pub fn start() -> UnixMs {
    unix_ms(SystemTime::now()) - AGE_MS
}

/// What a round of one form came to.
struct Round {
    ceiling: Ceiling,
    store: Ceiling,
    flood: Flood,
}

/// How a fleet fared that sends as fast as it goes.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    pub messages_per_second: f64,
    pub broker_us: f64,
    pub ingest_us: f64,
    pub database_us: f64,
    pub fleet_us: f64,
    pub commit_messages: f64,
}

pub async fn run(settings: &Settings, kinds: &[Kind]) -> Result<()> {
    println!("{}; {} vehicles, {SIGNALS} signals", usage::load(), VEHICLES);
    let samples = simulate();
    let mut report = Report::new("ingest");
    for kind in kinds {
        store(settings, *kind, &samples, &mut report).await?;
    }
    if kinds.contains(&Kind::Influx) {
        nodered::run(settings, &samples, &mut report).await?;
    }
    report.finish(settings)
}

/// Nothing but fleets that send as fast as it goes, for who looks for what takes how long.
pub async fn run_floods(settings: &Settings, kinds: &[Kind]) -> Result<()> {
    let samples = simulate();
    for kind in kinds {
        let mut databases = Databases::start(*kind).await?;
        for rows in FORMS {
            let mut server = Server::start(*kind, Broker::Embedded, VEHICLES, &mut databases).await?;
            let flood = flood(&mut server, &drives(rows, &samples), &databases, settings.time).await?;
            println!("{}, {rows} samples a message: {flood:.1?}; {}", kind.name(), usage::load());
        }
    }
    Ok(())
}

async fn store(settings: &Settings, kind: Kind, samples: &[Vec<Sample>], report: &mut Report) -> Result<()> {
    let mut databases = Databases::start(kind).await?;
    let folder = tempfile::tempdir()?;
    let mut rounds: [Vec<Round>; FORMS.len()] = Default::default();
    let mut plain: Vec<(f64, f64)> = Vec::new();
    for round in 1..=settings.rounds {
        for (rows, rounds) in FORMS.into_iter().zip(&mut rounds) {
            let drives = drives(rows, samples);
            let time = settings.time / 6;
            let ceiling = ceiling::measure(kind, &drives, start(), time, &mut databases, folder.path()).await?;
            let store = ceiling::measure_store(kind, &drives, start(), time, &mut databases, folder.path()).await?;
            let mut server = Server::start(kind, Broker::Embedded, VEHICLES, &mut databases).await?;
            let flood = flood(&mut server, &drives, &databases, settings.time).await?;
            println!(
                "{} round {round}, {rows} samples a message: {} messages/s committed, ceiling {} (by {}), ratio {:.2}; \
                 by the store's own door {} (by {}); CPU µs/message: broker {:.1}, ingest {:.1}, database {:.1}, vehicles \
                 {:.1}; {:.0} messages a commit; {}",
                kind.name(),
                grouped(flood.messages_per_second),
                grouped(ceiling.messages_per_second),
                ceiling.batch,
                flood.messages_per_second / ceiling.messages_per_second,
                grouped(store.messages_per_second),
                store.batch,
                flood.broker_us,
                flood.ingest_us,
                flood.database_us,
                flood.fleet_us,
                flood.commit_messages,
                usage::load()
            );
            rounds.push(Round { ceiling, store, flood });
        }
        if kind == Kind::Sqlite {
            let drives = drives(100, samples);
            let mut rates = [0.0; 2];
            for (rate, plain) in rates.iter_mut().zip([Plain::RowPerSample, Plain::RowPerValue]) {
                let found = ceiling::measure_plain(plain, &drives, start(), settings.time / 6, folder.path()).await?;
                *rate = found.messages_per_second * 100.0;
                println!("SQLite round {round}, {plain:?}: {} samples/s (by {})", grouped(*rate), found.batch);
            }
            plain.push((rates[0], rates[1]));
        }
    }
    let [_, usual, _] = &rounds;
    let ceiling = median(usual.iter().map(|round| round.ceiling.messages_per_second));
    let reached = median(usual.iter().map(|round| round.flood.messages_per_second));
    let third = ceiling.min(reached) / 3.0;
    let calm = calm(settings, kind, third, &drives(10, samples), &mut databases).await?;
    tell(kind, &rounds, &plain, &calm, report);
    Ok(())
}

/// As fast as it goes.
pub async fn flood(server: &mut Server, drives: &[Arc<Cut>], databases: &Databases, time: Duration) -> Result<Flood> {
    let rows = drives.first().context("a drive")?.rows();
    let plan = Plan::new(server.mqtt(), VEHICLES, Pace::Window(window(rows)), Form::Contract, start());
    let mut fleet = Fleet::start(plan, drives)?;
    fleet.measure(WARM_UP).await?;
    let processes = [
        vec![server.broker_process()?],
        vec![server.ingest_process()?],
        databases.processes()?,
        vec![std::process::id()],
    ];
    let cpu = || -> Result<Vec<f64>> { processes.iter().map(|ids| usage::cpu_us(ids)).collect() };
    let commits = server.counter("bugbrother_ingest_commit_duration_seconds_count").await?;
    let messages = server.counter("bugbrother_ingest_messages_total").await?;
    let before = cpu()?;
    let done = fleet.measure(time).await?;
    let after = cpu()?;
    let commits = server.counter("bugbrother_ingest_commit_duration_seconds_count").await? - commits;
    let messages = server.counter("bugbrother_ingest_messages_total").await? - messages;
    fleet.leave()?;
    server.check()?;
    let each = |place: usize| (after[place] - before[place]) / done.committed as f64;
    Ok(Flood {
        messages_per_second: done.committed as f64 / done.seconds,
        broker_us: each(0),
        ingest_us: each(1),
        database_us: each(2),
        fleet_us: each(3),
        commit_messages: messages / commits,
    })
}

/// What is seen at a third of what is possible, and what is left when everything is in its lasting form.
struct Calm {
    messages_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    samples: f64,
    bytes: f64,
    fold_us: f64,
}

async fn calm(
    settings: &Settings,
    kind: Kind,
    rate: f64,
    drives: &[Arc<Cut>],
    databases: &mut Databases,
) -> Result<Calm> {
    let mut server = Server::start(kind, Broker::Embedded, VEHICLES, databases).await?;
    let rows = drives.first().context("a drive")?.rows();
    let pace = Pace::Every(Duration::from_secs_f64(VEHICLES as f64 / rate));
    let plan = Plan::new(server.mqtt(), VEHICLES, pace, Form::Contract, start());
    let mut fleet = Fleet::start(plan, drives)?;
    fleet.measure(WARM_UP).await?;
    let done = fleet.measure(settings.time).await?;
    let latencies = Sorted::new(done.latencies_ms);
    let samples = fleet.leave()? as f64 * rows as f64;
    let fold_us = server.fold().await? / samples;
    let bytes = stored(kind, &server, databases).await?;
    let calm = Calm {
        messages_per_second: done.committed as f64 / done.seconds,
        p50_ms: latencies.quantile(0.5),
        p99_ms: latencies.quantile(0.99),
        samples,
        bytes,
        fold_us,
    };
    println!(
        "{} at {} messages/s of {rows} samples: publish to down/ack p50 {:.1} ms, p99 {:.1} ms (n {}); {} samples folded: \
         {:.1} bytes each, {:.1} µs of ingest's CPU after the last publish; {}",
        kind.name(),
        grouped(calm.messages_per_second),
        calm.p50_ms,
        calm.p99_ms,
        grouped(latencies.len() as f64),
        grouped(samples),
        bytes / samples,
        fold_us,
        usage::load()
    );
    server.check()?;
    Ok(calm)
}

/// Bytes of the database, without space that is free to be used again.
async fn stored(kind: Kind, server: &Server, databases: &Databases) -> Result<f64> {
    match kind {
        Kind::Sqlite => {
            let [file, _] = server.files();
            crate::space::sqlite(&file).await
        }
        Kind::Postgres => {
            let postgres = databases.postgres.as_ref().context("a PostgreSQL")?;
            crate::space::postgres(postgres, server.database_name()).await
        }
        // It keeps what is new in a log of writes for ten minutes.
        Kind::Influx => Ok(f64::NAN),
    }
}

fn tell(kind: Kind, rounds: &[Vec<Round>; FORMS.len()], plain: &[(f64, f64)], calm: &Calm, report: &mut Report) {
    let mut text = String::new();
    let mut line = |line: String| {
        println!("{line}");
        writeln!(text, "{line}").expect("a string takes everything");
    };
    line(format!("\n### {}\n", kind.name()));
    line("| samples a message | messages/s | samples/s | ceiling, messages/s | ratio | store's own door, messages/s | CPU µs/message: broker | ingest | database | vehicles |".into());
    line("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|".into());
    let mut best: f64 = 0.0;
    for (rows, rounds) in FORMS.into_iter().zip(rounds) {
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
        let rate = of(|round| round.flood.messages_per_second);
        best = best.max(rate * rows as f64);
        line(format!(
            "| {rows} | {} | {} | {} | {:.2} | {} | {:.0} | {:.0} | {} | {:.0} |",
            grouped(rate),
            grouped(rate * rows as f64),
            grouped(of(|round| round.ceiling.messages_per_second)),
            of(|round| round.flood.messages_per_second / round.ceiling.messages_per_second),
            grouped(of(|round| round.store.messages_per_second)),
            of(|round| round.flood.broker_us),
            of(|round| round.flood.ingest_us),
            if kind == Kind::Sqlite {
                "in ingest".to_owned()
            } else {
                format!("{:.0}", of(|round| round.flood.database_us))
            },
            of(|round| round.flood.fleet_us),
        ));
    }
    line(String::new());
    line(format!(
        "At {} messages/s of 10 samples, a third of that: from publish to the vehicle's `down/ack` p50 {:.0} ms, p99 {:.0} \
         ms.",
        grouped(calm.messages_per_second),
        calm.p50_ms,
        calm.p99_ms,
    ));
    if calm.bytes.is_finite() {
        line(format!(
            "\n{} samples of {SIGNALS} signals in their lasting form: {:.1} bytes each. Folding what was left took {:.1} µs of \
             CPU a sample.",
            grouped(calm.samples),
            calm.bytes / calm.samples,
            calm.fold_us
        ));
    }
    if !plain.is_empty() {
        let (samples, values) = (median(plain.iter().map(|p| p.0)), median(plain.iter().map(|p| p.1)));
        line(format!(
            "\nPlain tables on the same file system, by one writer in batches of the best size: a row per sample, with \
             {SIGNALS} columns, {} samples/s; a row per value {} samples/s. End to end it is {:.1} and {:.1} times that.",
            grouped(samples),
            grouped(values),
            best / samples,
            best / values
        ));
    }
    report.add(&text);
}
