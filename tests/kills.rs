//! Kill -9 in the middle of everything: nothing is lost and nothing is there twice.

use std::{collections::HashSet, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{broker::Broker, on_each_broker, process::Process, system::System, wait};
use bugbrother_simulator::Drive;
use bugbrother_store::{Position, Store, history::MAX_POSITIONS};
use bugbrother_wire::Vin;

const VIN: &str = "1M8GDM9AXKP042788";
/// 3,600 s of driving in a quarter of a minute.
const SPEED: &str = "240";
const LIMIT: Duration = Duration::from_secs(90);

/// A drive that is replayed by an agent into a broker and an ingest of their own processes.
struct Journey {
    system: System,
    agent: Process,
    password: PathBuf,
    nmea: PathBuf,
    store: Store,
    fixes: usize,
}

impl Journey {
    async fn begin(broker: Broker) -> Result<Self> {
        let drive = Drive {
            seed: 3,
            duration: Duration::from_secs(3600),
            start: 1_790_000_000_000,
            rate_hz: 2,
            damaged: false,
        };
        let log = drive.log();
        let mut system = System::on(broker)?;
        system.start("broker").await?;
        system.start("ingest").await?;
        let nmea = system.dir().join("drive.nmea");
        fs::write(&nmea, &log.bytes)?;
        let password = system.add_vehicle(VIN, "Survivor")?;
        let agent = system.replay(VIN, &password, &nmea, SPEED)?;
        let store = Store::open(&system.database()).await?;
        Ok(Journey { system, agent, password, nmea, store, fixes: log.valid_fixes })
    }

    /// Starts an agent where the killed one was.
    fn start_agent(&self) -> Result<Process> {
        self.system.replay(VIN, &self.password, &self.nmea, SPEED)
    }

    async fn stored(&self) -> Result<Vec<Position>> {
        let vin: Vin = VIN.parse()?;
        Ok(self.store.positions(vin, 0, i64::MAX, MAX_POSITIONS).await?)
    }

    /// Waits until this share of the drive is stored: the middle of everything.
    async fn until_stored(&self, share: f64) -> Result<()> {
        let wanted = (self.fixes as f64 * share) as usize;
        wait::until(&format!("{wanted} positions are stored"), LIMIT, || async {
            self.stored().await.ok().filter(|stored| stored.len() >= wanted).map(|_| ())
        })
        .await
    }

    async fn ends_with_everything_stored_once(mut self) -> Result<()> {
        let status = self.agent.ended(LIMIT).await?;
        assert!(status.success(), "{status}: {}", self.agent.logged());
        let stored = self.stored().await?;
        let times: HashSet<_> = stored.iter().map(|position| position.ts).collect();
        assert_eq!((stored.len(), times.len()), (self.fixes, self.fixes), "stored, different moments and fixes");
        self.system.check_running()
    }
}

on_each_broker!(
    a_killed_broker_loses_nothing,
    a_killed_ingest_loses_nothing,
    a_killed_agent_loses_nothing,
    all_of_them_killed_in_turn_lose_nothing,
);

async fn a_killed_broker_loses_nothing(broker: Broker) -> Result<()> {
    let mut journey = Journey::begin(broker).await?;
    for share in [0.2, 0.4, 0.6] {
        journey.until_stored(share).await?;
        journey.system.kill("broker")?;
        journey.system.start("broker").await?;
    }
    journey.ends_with_everything_stored_once().await
}

async fn a_killed_ingest_loses_nothing(broker: Broker) -> Result<()> {
    let mut journey = Journey::begin(broker).await?;
    for share in [0.2, 0.4, 0.6] {
        journey.until_stored(share).await?;
        journey.system.kill("ingest")?;
        journey.system.start("ingest").await?;
    }
    journey.ends_with_everything_stored_once().await
}

async fn a_killed_agent_loses_nothing(broker: Broker) -> Result<()> {
    let mut journey = Journey::begin(broker).await?;
    for share in [0.2, 0.4, 0.6] {
        journey.until_stored(share).await?;
        journey.agent.kill()?;
        journey.agent = journey.start_agent()?;
    }
    journey.ends_with_everything_stored_once().await
}

async fn all_of_them_killed_in_turn_lose_nothing(broker: Broker) -> Result<()> {
    let mut journey = Journey::begin(broker).await?;
    for share in [0.1, 0.25, 0.4, 0.55] {
        journey.until_stored(share).await?;
        journey.system.kill("broker")?;
        journey.system.kill("ingest")?;
        journey.agent.kill()?;
        journey.system.start("ingest").await?;
        journey.agent = journey.start_agent()?;
        journey.system.start("broker").await?;
    }
    journey.ends_with_everything_stored_once().await.context("after four rounds")
}
