//! What vehicles that are connected notice of a crowd at the gate: quiet and crowded rounds in turn, and the latency of
//! their messages from vehicle to subscriber in both.
//!
//! # Layout
//! - `fleet`: vehicles that publish at a steady pace over TLS, and the subscriber that measures
//! - `crowd`: strangers, in a process of their own: handshakes, silent sockets, one byte a second
//! - `figures`: quantiles and medians
#![expect(clippy::print_stdout, reason = "a benchmark says what it has measured")]

mod crowd;
mod figures;
mod fleet;

use std::{env, fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{port, process::Process, system::System, wait};

use crate::{
    figures::{Latencies, median},
    fleet::Fleet,
};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().collect();
    match arguments.iter().position(|argument| argument == crowd::ARGUMENT) {
        Some(at) => crowd::run(&arguments[at + 1..]).await,
        None => measure().await,
    }
}

async fn measure() -> Result<()> {
    let mut system = System::new()?;
    let keys = fleet::enrol(&system)?;
    let metrics = port::local(port::free()?);
    system.start_with("broker", &["--metrics", &metrics.to_string()]).await?;
    let mut fleet = Fleet::connect(&system, &keys).await?;
    println!(
        "{} vehicles over TLS, {} messages/s of {} bytes at QoS 1, rounds of {} s",
        fleet::VEHICLES,
        fleet::VEHICLES as f64 / fleet::PERIOD.as_secs_f64(),
        fleet::PAYLOAD,
        ROUND.as_secs()
    );
    fleet.measure(Duration::from_secs(5)).await?;
    let (mut quiet, mut crowded) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        quiet.push(fleet.measure(ROUND).await?);
        say(&mut system, &format!("round {round} quiet  "), quiet.last())?;

        let refused = refused(metrics).await?;
        let mut crowd = gather(&system)?;
        crowd.wait_until_it_is_there().await?;
        crowded.push(fleet.measure(ROUND).await?);
        let said = crowd.process.printed().lines().last().unwrap_or_default().to_owned();
        say(&mut system, &format!("round {round} crowded"), crowded.last())?;
        println!("                 {said}; the broker refused {}", self::refused(metrics).await? - refused);
        crowd.process.kill()?;
        fleet.rest(Duration::from_secs(3)).await?;
    }
    let of = |rounds: &[Latencies], quantile: f64| median(rounds.iter().map(|round| round.quantile(quantile)));
    for quantile in [0.5, 0.99] {
        let (quiet, crowded) = (of(&quiet, quantile), of(&crowded, quantile));
        println!(
            "p{:<2.0} median of {ROUNDS} rounds: quiet {quiet:.0} µs, crowded {crowded:.0} µs, ratio {:.2}",
            quantile * 100.0,
            crowded / quiet
        );
    }
    fleet.leave().await?;
    system.check_running()
}

fn say(system: &mut System, what: &str, latencies: Option<&Latencies>) -> Result<()> {
    let latencies = latencies.context("a round was measured")?;
    let status = fs::read_to_string(format!("/proc/{}/status", system.process("broker")?.id()))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("unknown").trim();
    println!(
        "{what}  n {:>6}  p50 {:>6.0} µs  p99 {:>6.0} µs  max {:>7.0} µs  broker {resident}",
        latencies.len(),
        latencies.quantile(0.5),
        latencies.quantile(0.99),
        latencies.quantile(1.0)
    );
    Ok(())
}

/// Connections that the broker has turned away, by its own count.
async fn refused(metrics: std::net::SocketAddr) -> Result<f64> {
    let text = reqwest::get(format!("http://{metrics}/metrics")).await?.error_for_status()?.text().await?;
    let of_name = |line: &&str| line.starts_with("bugbrother_broker_connects_refused_total");
    Ok(text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

struct Crowd {
    process: Process,
}

fn gather(system: &System) -> Result<Crowd> {
    let doors = [system.mqtts(), system.vehicles(), system.mqtt()].map(|port| port.to_string());
    let ca = system.data().join("access/ca.crt").display().to_string();
    // Strangers have machines of their own, so they come last on this one.
    let mut arguments = ["-n", "19"].map(str::to_owned).to_vec();
    arguments.extend([env::current_exe()?.display().to_string(), crowd::ARGUMENT.to_owned(), ca]);
    arguments.extend(doors);
    let name = format!("crowd-{}", fs::read_dir(system.dir())?.count());
    let process = Process::start(system.dir(), &name, Path::new("nice"), &arguments, &[])?;
    Ok(Crowd { process })
}

impl Crowd {
    async fn wait_until_it_is_there(&mut self) -> Result<()> {
        let process = &mut self.process;
        wait::until("the crowd is there", LIMIT, || {
            let there = process.printed().lines().count() > 0;
            std::future::ready(if there { Some(Ok(())) } else { process.check_running().err().map(Err) })
        })
        .await?
    }
}
