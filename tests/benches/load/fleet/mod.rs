//! A large fleet on the server as it comes: `bugbrother up`, with SQLite, its own broker and all services in one process.
//!
//! # Layout
//! - `steady`: ten minutes of it; `pixel`: what is on a screen meanwhile
//! - `storm`: the server is killed, and all come back at once
//! - `backlog`: vehicles that were away for an hour come back, beside others that were not
//! - `soak`: vehicles and viewers come and go, and nothing may grow
//! - `meanwhile`: how a fleet fares while something else happens; `eye`: how old is what the live feed tells

mod backlog;
mod eye;
mod meanwhile;
mod pixel;
pub mod soak;
mod steady;
mod storm;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Result, bail};
use bugbrother_kit::{port, system::System, wait};
use bugbrother_load::fleet::{Form, Pace, Plan};

use crate::{
    drive::{self, Cut},
    report::Report,
    server,
    settings::Settings,
    usage,
};

/// Different drives, and samples of each.
const DRIVES: usize = 50;
const SAMPLES: usize = 3_600;
/// Between two messages of a vehicle.
const PERIOD: Duration = Duration::from_secs(1);
/// Everybody has been heard before anything is measured.
const SETTLING: Duration = Duration::from_secs(10);
/// How long what has to happen may take.
const LIMIT: Duration = Duration::from_secs(300);
/// The services that connect to the broker.
const SERVICES: usize = 3;

/// Measures these, or all of them.
pub async fn run(settings: &Settings, parts: &[String]) -> Result<()> {
    let all = ["steady", "pixel", "storm", "backlog"].map(str::to_owned);
    let parts = if parts.is_empty() { &all[..] } else { parts };
    for part in parts {
        let begun = usage::load();
        println!("{part}; {begun}");
        let (name, measured) = match part.as_str() {
            "steady" => ("fleet-steady", steady::measure(settings).await?),
            "pixel" => ("fleet-pixel", pixel::measure(settings).await?),
            "storm" => ("fleet-storm", storm::measure(settings).await?),
            "backlog" => ("fleet-backlog", backlog::measure(settings).await?),
            other => bail!("nothing is known of `{other}`: steady, pixel, storm or backlog?"),
        };
        println!("{measured}");
        let mut report = Report::new(name);
        report.add(&format!("{begun} at the beginning.\n"));
        report.add(&measured);
        report.finish(settings)?;
    }
    Ok(())
}

/// The server, which lets the vehicles with these numbers in.
async fn serve(vehicles: impl Iterator<Item = usize>) -> Result<System> {
    let mut system = System::new()?;
    server::admit(&system, vehicles)?;
    start(&mut system).await?;
    Ok(system)
}

/// Starts it, and waits until its services are connected.
async fn start(system: &mut System) -> Result<()> {
    system.start_all().await?;
    let up = system.process("up")?;
    let connected = wait::until("the services are connected", LIMIT, || {
        let running = up.check_running();
        let connected = up.logged().matches("connected to the broker").count() >= SERVICES;
        std::future::ready(running.err().map(Err).or(connected.then_some(Ok(()))))
    });
    connected.await?
}

/// Its database.
fn database(system: &System) -> PathBuf {
    system.data().join("fleet.db")
}

/// So many vehicles with a sample a second, each in a message of its own, that say what an agent says.
fn plan(system: &System, vehicles: usize) -> Plan {
    let mqtt = port::local(system.mqtt());
    Plan { greets: true, ..Plan::new(mqtt, vehicles, Pace::Every(PERIOD), Form::Contract, None) }
}

/// What they drive, with so many samples in a message.
fn drives(rows: usize) -> Vec<Arc<Cut>> {
    (0..DRIVES).map(|number| Arc::new(Cut::new(&drive::drive(number, SAMPLES), rows))).collect()
}

/// Most descriptors that this process may have open, where it is said.
fn most_files() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Fails if this process may not have so many connections.
fn check_files(connections: usize) -> Result<()> {
    let needed = connections + 200;
    match most_files() {
        Some(most) if most < needed => {
            bail!("{needed} open files are needed and {most} are allowed: ulimit -n {needed}")
        }
        _ => Ok(()),
    }
}
