use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_kit::{process::Process, system::System};
use bugbrother_wire::Vin;
use tempfile::TempDir;

use crate::sensors::{Fix, Recording};

/// Drives last longer than the killing, so that nobody has arrived when it ends.
const LONGER: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);

/// Vehicles that drive.
pub struct Fleet {
    vehicles: Vec<Vehicle>,
    speed: String,
    outboxes: TempDir,
}

/// One of them.
pub struct Vehicle {
    pub vin: Vin,
    /// What its receiver tells.
    pub fixes: Vec<Fix>,
    nmea: PathBuf,
    password: PathBuf,
    agent: Option<Process>,
}

impl Fleet {
    /// So many, with accounts on a system whose broker does not run yet.
    pub fn new(system: &System, count: usize, driving: Duration, rate: f64) -> Result<Self> {
        ensure!((1..=10_000).contains(&count), "1 to 10,000 vehicles");
        // Where a flush costs nothing: fifty outboxes on one disk would measure the disk. A kill -9 takes nothing from there.
        let memory = Path::new("/dev/shm");
        let outboxes = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }?;
        let mut vehicles = Vec::with_capacity(count);
        for number in 0..count {
            // A maker in Europe: no check digit.
            let vin: Vin = format!("WVWZZZ1JZ3W{number:06}").parse()?;
            let recording = Recording::of(number as u64, driving + LONGER, rate)?;
            let nmea = system.dir().join(format!("{vin}.nmea"));
            fs::write(&nmea, &recording.nmea)?;
            let password = system.add_vehicle(vin.as_str(), &format!("Vehicle {number}"))?;
            vehicles.push(Vehicle { vin, fixes: recording.fixes, nmea, password, agent: None });
        }
        Ok(Fleet { vehicles, speed: format!("{:.2}", Recording::speed(rate)), outboxes })
    }

    /// Starts the agents that do not run.
    pub fn start(&mut self, system: &System) -> Result<()> {
        for vehicle in self.vehicles.iter_mut().filter(|vehicle| vehicle.agent.is_none()) {
            let Vehicle { vin, nmea, password, .. } = &*vehicle;
            let outbox = self.outboxes.path().join(format!("{vin}.outbox"));
            vehicle.agent = Some(system.replay_by(&outbox, vin.as_str(), password, nmea, &self.speed)?);
        }
        Ok(())
    }

    /// Kill -9 for the agent of a vehicle that drives; one that has arrived is left in peace. Tells whether it was killed.
    pub fn kill(&mut self, number: usize) -> Result<bool> {
        let vehicle = &mut self.vehicles[number];
        let Some(agent) = &mut vehicle.agent else { return Ok(false) };
        agent.check_running().context("no drive ends before the killing does")?;
        agent.kill()?;
        vehicle.agent = None;
        Ok(true)
    }

    /// Waits until all agents have ended by themselves, which they do when the database has everything. Tells how many
    /// messages they have made. `look_after` is done again and again meanwhile.
    pub async fn arrives(&mut self, limit: Duration, mut look_after: impl AsyncFnMut() -> Result<()>) -> Result<u64> {
        let began = Instant::now();
        let mut messages = 0;
        for vehicle in &mut self.vehicles {
            let agent = vehicle.agent.as_mut().context("the agent runs")?;
            let status = loop {
                match agent.ended(LOOK).await {
                    Ok(status) => break status,
                    Err(error) if began.elapsed() > limit => return Err(error),
                    Err(_) => look_after().await?,
                }
            };
            ensure!(status.success(), "agent of {}: {status}", vehicle.vin);
            let log = agent.logged();
            let records = log.lines().rev().find_map(|line| line.split("the database has all of it records=").nth(1));
            messages += records.context("the agent says how many records it made")?.parse::<u64>()?;
        }
        Ok(messages)
    }

    /// Fails if an agent has ended.
    pub fn check_under_way(&mut self) -> Result<()> {
        self.vehicles.iter_mut().filter_map(|vehicle| vehicle.agent.as_mut()).try_for_each(Process::check_running)
    }

    /// All of them.
    pub fn vehicles(&self) -> &[Vehicle] {
        &self.vehicles
    }

    /// What all receivers tell.
    pub fn fixes(&self) -> usize {
        self.vehicles.iter().map(|vehicle| vehicle.fixes.len()).sum()
    }

    /// Fails if an agent logged an error.
    pub fn check_logs(&self) -> Result<()> {
        for Vehicle { vin, agent, .. } in &self.vehicles {
            let log = agent.as_ref().map(Process::logged).unwrap_or_default();
            if let Some(line) = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked")) {
                bail!("agent of {vin} logged: {line}");
            }
        }
        Ok(())
    }
}
