//! What a vehicle costs, the more there are of them.

use std::{fmt::Write as _, fs, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::broker::Broker;
use bugbrother_load::fleet::{Fleet, Form, Pace, Plan};

use crate::{
    drive::{self, Cut, SIGNALS, Sample},
    figures::{Sorted, grouped},
    plot::{self, Line},
    report::{self, Report},
    server::{Databases, Kind, Server},
    settings::Settings,
    usage,
};

const FLEETS: [usize; 4] = [10, 100, 1_000, 10_000];
/// Samples of a message, which is also how many seconds lie between two.
const FORMS: [usize; 2] = [1, 10];
/// Different drives.
const DRIVES: usize = 50;
const SAMPLES: usize = 3600;
/// A fleet that has fallen behind by so much is not on time.
const ON_TIME_MS: f64 = 2_000.0;

/// What a fleet took.
struct Cost {
    vehicles: usize,
    rows: usize,
    /// Of the messages that were due.
    committed: f64,
    p99_ms: f64,
    /// Of one core, per vehicle.
    broker_us: f64,
    ingest_us: f64,
    broker_bytes: f64,
    ingest_bytes: f64,
    disk_bytes: f64,
}

impl Cost {
    fn cpu_us(&self) -> f64 {
        self.broker_us + self.ingest_us
    }

    fn is_on_time(&self) -> bool {
        self.committed > 0.98 && self.p99_ms < ON_TIME_MS
    }
}

pub async fn run(settings: &Settings) -> Result<()> {
    println!("{}", usage::load());
    let samples: Vec<Vec<Sample>> = (0..DRIVES).map(|number| drive::drive(number, SAMPLES)).collect();
    let mut costs = Vec::new();
    for rows in FORMS {
        let drives: Vec<Arc<Cut>> = samples.iter().map(|samples| Arc::new(Cut::new(samples, rows))).collect();
        for vehicles in FLEETS {
            let cost = cost(settings, vehicles, rows, &drives).await?;
            println!(
                "{} vehicles at 1 Hz, {rows} samples a message: {:.1} % committed in time, p99 {:.0} ms; per vehicle: CPU µs/s \
                 broker {:.0} ingest {:.0}, memory kB broker {:.0} ingest {:.0}, disk bytes/sample {:.0}; {}",
                grouped(vehicles as f64),
                cost.committed * 100.0,
                cost.p99_ms,
                cost.broker_us,
                cost.ingest_us,
                cost.broker_bytes / 1e3 / vehicles as f64,
                cost.ingest_bytes / 1e3 / vehicles as f64,
                cost.disk_bytes,
                usage::load()
            );
            costs.push(cost);
        }
    }
    let mut report = Report::new("growth");
    report.add(&table(&costs));
    if settings.write {
        fs::write(report::documents().join("growth.svg"), drawing(&costs))?;
    }
    println!("{}", table(&costs));
    report.finish(settings)
}

async fn cost(settings: &Settings, vehicles: usize, rows: usize, drives: &[Arc<Cut>]) -> Result<Cost> {
    let mut databases = Databases::start(Kind::Sqlite).await?;
    let mut server = Server::start(Kind::Sqlite, Broker::Embedded, vehicles, &mut databases).await?;
    let period = Duration::from_secs(rows as u64);
    let start = crate::ingest::start();
    let plan = Plan::new(server.mqtt(), vehicles, Pace::Every(period), Form::Contract, start);
    let mut fleet = Fleet::start(plan, drives)?;
    // Everybody has been heard once.
    fleet.measure(period + Duration::from_secs(5)).await?;
    let (broker, ingest) = ([server.broker_process()?], [server.ingest_process()?]);
    let disk = |server: &Server| -> Result<f64> {
        Ok(server.files().iter().map(|file| fs::metadata(file).map_or(0, |about| about.len())).sum::<u64>() as f64)
    };
    let before = (usage::cpu_us(&broker)?, usage::cpu_us(&ingest)?, disk(&server)?);
    let time = settings.time.max(period * 3);
    let done = fleet.measure(time).await?;
    let after = (usage::cpu_us(&broker)?, usage::cpu_us(&ingest)?, disk(&server)?);
    let (broker_bytes, ingest_bytes) = (usage::resident_bytes(&broker)?, usage::resident_bytes(&ingest)?);
    fleet.leave().context("after the measurement")?;
    server.check()?;
    let vehicle_seconds = vehicles as f64 * done.seconds;
    Ok(Cost {
        vehicles,
        rows,
        committed: done.samples as f64 / vehicle_seconds,
        p99_ms: Sorted::new(done.latencies_ms).quantile(0.99),
        broker_us: (after.0 - before.0) / vehicle_seconds,
        ingest_us: (after.1 - before.1) / vehicle_seconds,
        broker_bytes,
        ingest_bytes,
        disk_bytes: (after.2 - before.2) / done.samples as f64,
    })
}

fn table(costs: &[Cost]) -> String {
    let mut text = format!(
        "\nSamples of {SIGNALS} signals; CPU in µs per vehicle and second, of one core; memory in MB of the whole process.\n\n\
         | vehicles | samples a message | committed | p99 ms | CPU: broker | ingest | memory: broker | ingest | disk bytes/sample, before folding |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for cost in costs {
        writeln!(
            text,
            "| {} | {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
            grouped(cost.vehicles as f64),
            cost.rows,
            if cost.is_on_time() { "all, in time".to_owned() } else { format!("{:.0} %", cost.committed * 100.0) },
            grouped(cost.p99_ms),
            cost.broker_us,
            cost.ingest_us,
            cost.broker_bytes / 1e6,
            cost.ingest_bytes / 1e6,
            cost.disk_bytes
        )
        .expect("a string takes everything");
    }
    text
}

fn drawing(costs: &[Cost]) -> String {
    let lines = FORMS.map(|rows| Line {
        name: match rows {
            1 => "a message each second".to_owned(),
            rows => format!("a message every {rows} seconds"),
        },
        points: costs
            .iter()
            .filter(|cost| cost.rows == rows)
            .map(|cost| (cost.vehicles as f64, cost.cpu_us(), cost.is_on_time()))
            .collect(),
    });
    plot::draw("CPU of broker and ingest per vehicle at 1 Hz, in µs per second", "vehicles", &lines)
}
