//! What people at the dashboard see: how long a value takes from the vehicle to the screen, how evenly the map moves with a
//! large fleet on it, and what many viewers cost.
//!
//! # Layout
//! - `gateways`: publish for thousands of vehicles over a few connections
//! - `viewers`: many who watch the live feed, some of them slowly
//! - `pixel`: from publish to the screen; `frames`: how the map moves

mod frames;
mod gateways;
pub mod pixel;
mod viewers;

use std::path::Path;

use anyhow::{Context, Result, bail};
use bugbrother_kit::{port, process::Process, system::System, wait};
use bugbrother_tests::node;

use crate::{report::Report, settings::Settings, usage};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Vehicles of the large fleet, each with a message a second.
const VEHICLES: usize = 10_000;

/// Measures these, or all of them.
pub async fn run(settings: &Settings, parts: &[String]) -> Result<()> {
    let all = ["pixel", "frames", "viewers"].map(str::to_owned);
    let parts = if parts.is_empty() { &all[..] } else { parts };
    for part in parts {
        println!("{part}; {}", usage::load());
        let (name, measured) = match part.as_str() {
            "pixel" => ("pixel", pixel::measure(settings).await?),
            "frames" => ("frames", frames::measure(settings).await?),
            "viewers" => ("viewers", viewers::measure(settings).await?),
            other => bail!("nothing is known of `{other}`: pixel, frames or viewers?"),
        };
        let mut report = Report::new(name);
        report.add(&measured);
        report.finish(settings)?;
    }
    Ok(())
}

/// A broker and a dashboard as processes of their own. Nothing is stored: ingest would take its part of the same cores.
async fn serve() -> Result<System> {
    let mut system = System::new()?;
    gateways::admit(&system)?;
    system.start("broker").await?;
    system.start("dashboard").await?;
    let dashboard = system.process("dashboard")?;
    let connected = wait::until("the dashboard is connected", LIMIT, || {
        let running = dashboard.check_running();
        let connected = dashboard.logged().contains("connected to the broker").then_some(Ok(()));
        std::future::ready(running.err().map(Err).or(connected))
    });
    connected.await??;
    Ok(system)
}

/// Starts a script of `tests/browser` for somebody who has an account there.
fn browse(system: &System, script: &str, more: &[(&str, &str)]) -> Result<Process> {
    let scripts = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/browser"));
    node::install(scripts)?;
    let url = format!("http://{}", port::local(system.http()));
    let account =
        [("BUGBROTHER_URL", url.as_str()), ("BUGBROTHER_USER", "admin"), ("BUGBROTHER_PASSWORD", system.password()?)];
    Process::start(system.dir(), script, Path::new("node"), &[scripts.join(script)], &[&account[..], more].concat())
}

/// What a script prints last, once it has ended.
async fn printed(mut browser: Process, limit: std::time::Duration) -> Result<String> {
    let status = browser.ended(limit).await?;
    if !status.success() {
        bail!("the browser's script: {status}\n{}\n{}", browser.printed(), browser.logged());
    }
    browser.printed().lines().last().map(str::to_owned).context("the browser's script prints something")
}
