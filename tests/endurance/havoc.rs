use std::{
    fmt::{self, Display, Formatter},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{influx::Influx, postgres::Postgres, system::System};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::sleep;

use crate::fleet::Fleet;

/// Between two attacks. The only sleeps here are what the attacks are made of.
const PEACE_MS: std::ops::Range<u64> = 200..1_500;
/// How long something stays away.
const ABSENCE_MS: std::ops::Range<u64> = 0..1_500;
const SERVER_ABSENCE_MS: std::ops::Range<u64> = 0..3_000;
const MOST_AGENTS: usize = 5;
/// An ingest that has run for less may not have reached its database yet.
const YOUNG: Duration = Duration::from_secs(10);

/// A server that keeps the system's data.
pub enum Server {
    /// A file.
    None,
    /// It is killed now and then.
    Postgres(Postgres),
    /// It is killed at the beginning, and away until the end.
    Influx(Influx),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Broker,
    Ingest,
    Agents,
    Postgres,
}

/// How often who was killed.
#[derive(Debug, Default)]
pub struct Toll {
    broker: u32,
    ingest: u32,
    agents: u32,
    server: u32,
    /// An ingest that found no database at its start and ended.
    given_up: u32,
}

impl Display for Toll {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Toll { broker, ingest, agents, server, given_up } = self;
        write!(f, "broker {broker}, ingest {ingest}, agents {agents}, database {server} times")?;
        write!(f, " (and ingest gave up waiting for one {given_up} times)")
    }
}

/// Kills at random, and starts again what was killed.
pub struct Havoc {
    rng: StdRng,
    server: Server,
    toll: Toll,
    ingest_since: Instant,
    /// The youth of an ingest and the absence of its database have overlapped.
    ingest_is_excused: bool,
    server_is_away: bool,
}

impl Havoc {
    pub fn new(seed: u64, server: Server) -> Self {
        Havoc {
            rng: StdRng::seed_from_u64(seed),
            server,
            toll: Toll::default(),
            ingest_since: Instant::now(),
            ingest_is_excused: false,
            server_is_away: false,
        }
    }

    /// Attacks again and again for so long. At the end everything runs.
    pub async fn rage(&mut self, system: &mut System, fleet: &mut Fleet, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        if let Server::Influx(influx) = &mut self.server {
            influx.kill().await?;
            self.toll.server += 1;
            self.lose_server();
        }
        // Everybody once, so that no run spares one, and then anybody.
        let mut once = self.candidates();
        once.shuffle(&mut self.rng);
        while Instant::now() < end || !once.is_empty() {
            self.pause(PEACE_MS).await;
            self.look_after(system).await?;
            let victims = match once.pop() {
                Some(victim) => vec![victim],
                None => self.pick(),
            };
            self.attack(victims, system, fleet).await?;
        }
        if let Server::Influx(influx) = &mut self.server {
            influx.start_again().await?;
            self.server_is_away = false;
        }
        Ok(())
    }

    /// What a supervisor does: an ingest that found no database at its start is started again.
    pub async fn look_after(&mut self, system: &mut System) -> Result<()> {
        let Err(ended) = system.process("ingest")?.check_running() else { return Ok(()) };
        ensure!(self.ingest_is_excused, "ingest had its database and ended all the same: {ended}");
        self.toll.given_up += 1;
        self.start_ingest(system).await
    }

    pub fn toll(&self) -> &Toll {
        &self.toll
    }

    pub fn is_about_a_server(&self) -> bool {
        !matches!(self.server, Server::None)
    }

    fn candidates(&self) -> Vec<Victim> {
        let mut candidates = vec![Victim::Broker, Victim::Ingest, Victim::Agents];
        if matches!(self.server, Server::Postgres(_)) {
            candidates.push(Victim::Postgres);
        }
        candidates
    }

    /// One mostly, sometimes several.
    fn pick(&mut self) -> Vec<Victim> {
        let mut victims = self.candidates();
        victims.shuffle(&mut self.rng);
        let count = if self.rng.random_bool(0.6) { 1 } else { self.rng.random_range(2..=victims.len()) };
        victims.truncate(count);
        victims
    }

    /// Kills them at the same time, and starts them in any order.
    async fn attack(&mut self, mut victims: Vec<Victim>, system: &mut System, fleet: &mut Fleet) -> Result<()> {
        for victim in &victims {
            self.kill(*victim, system, fleet).await?;
        }
        victims.shuffle(&mut self.rng);
        let place = |victim| victims.iter().position(|other| *other == victim);
        if let (Some(broker), Some(postgres)) = (place(Victim::Broker), place(Victim::Postgres)) {
            // The broker reads from the fleet database which certificates are revoked, and does not start before.
            let (first, second) = (broker.min(postgres), broker.max(postgres));
            (victims[first], victims[second]) = (Victim::Postgres, Victim::Broker);
        }
        for victim in victims {
            self.pause(if victim == Victim::Postgres { SERVER_ABSENCE_MS } else { ABSENCE_MS }).await;
            match victim {
                Victim::Broker => system.start("broker").await?,
                Victim::Ingest => self.start_ingest(system).await?,
                Victim::Agents => fleet.start(system)?,
                Victim::Postgres => {
                    let Server::Postgres(postgres) = &mut self.server else { continue };
                    postgres.start_again().await?;
                    self.server_is_away = false;
                }
            }
        }
        Ok(())
    }

    async fn kill(&mut self, victim: Victim, system: &mut System, fleet: &mut Fleet) -> Result<()> {
        match victim {
            Victim::Broker => {
                system.kill("broker")?;
                self.toll.broker += 1;
            }
            Victim::Ingest => {
                system.kill("ingest")?;
                self.toll.ingest += 1;
            }
            Victim::Agents => {
                for _ in 0..self.rng.random_range(1..=MOST_AGENTS) {
                    let number = self.rng.random_range(0..fleet.vehicles().len());
                    self.toll.agents += u32::from(fleet.kill(number)?);
                }
            }
            Victim::Postgres => {
                let Server::Postgres(postgres) = &mut self.server else { return Ok(()) };
                postgres.kill().await.context("the database runs")?;
                self.toll.server += 1;
                self.lose_server();
            }
        }
        Ok(())
    }

    fn lose_server(&mut self) {
        self.server_is_away = true;
        self.ingest_is_excused |= self.has_lost_postgres() && self.ingest_since.elapsed() < YOUNG;
    }

    fn has_lost_postgres(&self) -> bool {
        self.server_is_away && matches!(self.server, Server::Postgres(_))
    }

    async fn start_ingest(&mut self, system: &mut System) -> Result<()> {
        self.ingest_since = Instant::now();
        self.ingest_is_excused = self.has_lost_postgres();
        system.start("ingest").await
    }

    async fn pause(&mut self, ms: std::ops::Range<u64>) {
        sleep(Duration::from_millis(self.rng.random_range(ms))).await;
    }
}
