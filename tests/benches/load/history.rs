//! How long a reader waits for the first page of a vehicle's history, with a year of it in the table.

use std::{env, fmt::Write as _, fs, process::Command, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::postgres::Postgres;
use bugbrother_store::{Arrival, Question, Store, history::MAX_POSITIONS};
use bugbrother_trip::{TrackPoint, simplify, tolerance_m};
use bugbrother_wire::{UnixMs, Vin};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{
    arrival::arrival,
    drive::{self, Cut, Messages, SIGNALS, Sample},
    figures::{Sorted, grouped},
    report::Report,
    server::Kind,
    settings::Settings,
    usage,
};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Samples of a batch, and batches of a commit.
const ROWS: usize = 1800;
const TOGETHER: u64 = 16;
/// What the vehicles drive again and again.
const DRIVE: usize = 3 * 86_400;
const OTHERS: usize = 10;
const OTHERS_DAYS: i64 = 7;
/// The first commands of a day at a zoom where a day's track fills the screen.
const ZOOM: u8 = 12;
const BUCKETS: u32 = 1000;
const PAGE: usize = 1000;
/// The benchmark's own program with this argument is a reader that has just been started.
pub const READER: &str = "--reader";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Series,
    Samples,
    Track,
}

const ASKS: [Ask; 3] = [Ask::Series, Ask::Samples, Ask::Track];
const SPANS: [(&str, i64); 5] = [
    ("an hour", HOUR_MS),
    ("a day", DAY_MS),
    ("a week", 7 * DAY_MS),
    ("a month", 30 * DAY_MS),
    ("a year", 365 * DAY_MS),
];

impl Ask {
    fn name(self) -> &'static str {
        match self {
            Ask::Series => "series",
            Ask::Samples => "samples",
            Ask::Track => "track",
        }
    }

    fn called(name: &str) -> Option<Self> {
        ASKS.into_iter().find(|ask| ask.name() == name)
    }

    fn title(self) -> String {
        match self {
            Ask::Series => format!("a signal in {BUCKETS} buckets"),
            Ask::Samples => format!("the first {PAGE} samples, all signals"),
            Ask::Track => "the track, simplified".to_owned(),
        }
    }

    async fn answer(self, store: &Store, vin: Vin, from: UnixMs, to: UnixMs) -> Result<usize> {
        Ok(match self {
            Ask::Series => store.series(vin, "spd", from, to, BUCKETS).await?.buckets.len(),
            Ask::Samples => store.samples(Question { vin, from, to, signals: None }, PAGE).await?.samples.rows.len(),
            Ask::Track => {
                let positions = store.positions(vin, from, to, MAX_POSITIONS).await?;
                let points: Vec<TrackPoint> = positions
                    .iter()
                    .map(|position| TrackPoint { ts: position.ts, lat: position.lat, lon: position.lon })
                    .collect();
                let lat = points.first().map_or(0.0, |point| point.lat);
                simplify(&points, tolerance_m(ZOOM, lat)).len()
            }
        })
    }
}

pub async fn run(settings: &Settings, kinds: &[Kind]) -> Result<()> {
    println!("{}", usage::load());
    let days = env::var("BUGBROTHER_BENCH_DAYS").ok().map_or(Ok(365), |days| days.parse::<i64>())?;
    let samples = drive::drive(0, DRIVE);
    let mut report = Report::new("history");
    for kind in kinds.iter().filter(|kind| **kind != Kind::Influx) {
        store(settings, *kind, days, &samples, &mut report).await?;
    }
    report.finish(settings)
}

async fn store(settings: &Settings, kind: Kind, days: i64, samples: &[Sample], report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut postgres = if kind == Kind::Postgres { Some(Postgres::start().await?) } else { None };
    let url = match &postgres {
        Some(postgres) => postgres.create_database("history").await?,
        None => format!("sqlite://{}", folder.path().join("history.db").display()),
    };
    let end = crate::ingest::start() / DAY_MS * DAY_MS + 365 * DAY_MS / 2;
    let begin = end - days * DAY_MS;
    let vin = drive::vin(0);
    let building = Instant::now();
    let store = Store::open(&url).await?;
    fill(&store, vin, begin, end, samples).await?;
    for number in 1..=OTHERS {
        fill(&store, drive::vin(number), end - OTHERS_DAYS.min(days) * DAY_MS, end, samples).await?;
    }
    let bytes = match &postgres {
        Some(postgres) => crate::space::postgres(postgres, "history").await?,
        None => crate::space::sqlite(&folder.path().join("history.db")).await?,
    };
    let count = (days + OTHERS as i64 * OTHERS_DAYS.min(days)) as f64 * 86_400.0;
    println!(
        "{}: {} samples of {SIGNALS} signals written and folded in {:.0} s, {:.1} bytes each; {}",
        kind.name(),
        grouped(count),
        building.elapsed().as_secs_f64(),
        bytes / count,
        usage::load()
    );
    let mut text = format!(
        "\n### {}\n\n{} samples of {SIGNALS} signals in the tables, {:.1} bytes each.\n\n\
         | of | first page | warm p50 ms | p99 | after a restart, nothing cached, p50 | worst |\n|---|---|---:|---:|---:|---:|\n",
        kind.name(),
        grouped(count),
        bytes / count
    );
    let mut rng = StdRng::seed_from_u64(1);
    for (name, length) in SPANS.into_iter().filter(|(_, length)| *length <= days * DAY_MS) {
        for ask in ASKS {
            let mut moment = || rng.random_range(begin..=end - length) / HOUR_MS * HOUR_MS;
            let (mut warm, asking) = (Vec::new(), Instant::now());
            while warm.len() < 200 && (warm.len() < 10 || asking.elapsed() < settings.time) {
                let from = moment();
                let began = Instant::now();
                ensure!(ask.answer(&store, vin, from, from + length - 1).await? > 0, "an answer with something in it");
                warm.push(began.elapsed().as_secs_f64() * 1e3);
            }
            let mut cold = Vec::new();
            for _ in 0..settings.rounds {
                if let Some(postgres) = &mut postgres {
                    postgres.execute("history", "CHECKPOINT").await?;
                    postgres.kill().await?;
                    forget_files()?;
                    postgres.start_again().await?;
                } else {
                    forget_files()?;
                }
                cold.push(read_afresh(&url, ask, moment(), length)?);
            }
            let (warm, cold) = (Sorted::new(warm), Sorted::new(cold));
            let line = format!(
                "| {name} | {} | {:.1} | {:.1} | {:.0} | {:.0} |",
                ask.title(),
                warm.quantile(0.5),
                warm.quantile(0.99),
                cold.quantile(0.5),
                cold.quantile(1.0)
            );
            println!("{line} (n {} and {})", warm.len(), cold.len());
            writeln!(text, "{line}")?;
        }
    }
    println!("{}", usage::load());
    store.close().await;
    report.add(&text);
    Ok(())
}

/// Has a vehicle drive from `begin` to `end`, and folds all but the last minutes of it, as ingest does.
async fn fill(store: &Store, vin: Vin, begin: UnixMs, end: UnixMs, samples: &[Sample]) -> Result<()> {
    let mut messages = Messages::new(vin, 1, begin, Arc::new(Cut::new(samples, ROWS)));
    let batches = ((end - begin) / (ROWS as i64 * drive::PERIOD_MS)) as u64;
    let mut seq = 0;
    while seq < batches {
        let upto = (seq + TOGETHER).min(batches);
        let arrivals: Vec<Arrival> = (seq + 1..=upto).map(|seq| arrival(&mut messages, seq)).collect();
        seq = upto;
        store.commit(&arrivals).await?;
        while store.keep(&[vin]).await?.iter().any(|kept| kept.more) {}
    }
    // What a vehicle that is on the road has in the tail.
    let mut messages = Messages::new(vin, 2, end, Arc::new(Cut::new(&samples[..600], 10)));
    let arrivals: Vec<Arrival> = (1..=60).map(|seq| arrival(&mut messages, seq)).collect();
    store.commit(&arrivals).await?;
    Ok(())
}

/// The kernel forgets what it has read of any file.
fn forget_files() -> Result<()> {
    ensure!(Command::new("sync").status()?.success(), "sync failed");
    fs::write("/proc/sys/vm/drop_caches", "3").context("only root can have the page cache dropped: run it as root")
}

/// In a process of its own: opening the database is not counted, everything after it is.
fn read_afresh(url: &str, ask: Ask, from: UnixMs, length: i64) -> Result<f64> {
    let output = Command::new(env::current_exe()?)
        .args([READER, url, ask.name(), &from.to_string(), &length.to_string()])
        .output()?;
    let printed = String::from_utf8(output.stdout)?;
    printed.trim().parse().with_context(|| format!("the reader failed: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What that process does.
pub async fn read(arguments: &[String]) -> Result<()> {
    let [url, ask, from, length] = arguments else { anyhow::bail!("the reader needs four arguments") };
    let ask = Ask::called(ask).context("what to ask for")?;
    let (from, length): (UnixMs, i64) = (from.parse()?, length.parse()?);
    let store = Store::open(url).await?;
    let began = Instant::now();
    ask.answer(&store, drive::vin(0), from, from + length - 1).await?;
    println!("{}", began.elapsed().as_secs_f64() * 1e3);
    store.close().await;
    Ok(())
}
