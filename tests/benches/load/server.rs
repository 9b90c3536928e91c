//! What is measured: a broker and ingest as processes of their own, and the database behind them.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    broker::Broker,
    influx::Influx,
    mosquitto, port,
    postgres::Postgres,
    system::{Stores, System},
    wait,
};
use bugbrother_store::Store;
use tokio::time::sleep;

use crate::{drive, usage};

const LIMIT: Duration = Duration::from_secs(60);
/// Longest time until everything is in its lasting form.
const FOLD_LIMIT: Duration = Duration::from_secs(900);

/// Where samples are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    /// The samples; everything else is in SQLite.
    Influx,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Sqlite, Kind::Postgres, Kind::Influx];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "SQLite",
            Kind::Postgres => "PostgreSQL",
            Kind::Influx => "InfluxDB",
        }
    }

    pub fn called(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// The database servers, which stay while systems come and go.
pub struct Databases {
    pub postgres: Option<Postgres>,
    pub influx: Option<Influx>,
    made: usize,
}

impl Databases {
    /// Those that `kind` needs.
    pub async fn start(kind: Kind) -> Result<Self> {
        let postgres = if kind == Kind::Postgres { Some(Postgres::start().await?) } else { None };
        let influx = if kind == Kind::Influx { Some(Influx::start().await?) } else { None };
        Ok(Databases { postgres, influx, made: 0 })
    }

    /// A name that no database has yet.
    pub fn fresh(&mut self) -> String {
        self.made += 1;
        format!("bench{}", self.made)
    }

    /// The processes of the server, if there is one.
    pub fn processes(&self) -> Result<Vec<u32>> {
        match (&self.postgres, &self.influx) {
            (Some(postgres), _) => postgres.processes(),
            (_, Some(influx)) => influx.processes(),
            _ => Ok(Vec::new()),
        }
    }
}

/// A broker and ingest.
pub struct Server {
    system: System,
    /// URL of the samples' own store.
    telemetry: Option<String>,
    /// Of the database at its server.
    name: String,
}

impl Server {
    /// Starts both, with an empty database and so many vehicles that may sign in.
    pub async fn start(kind: Kind, broker: Broker, vehicles: usize, databases: &mut Databases) -> Result<Self> {
        let name = databases.fresh();
        let mut stores = Stores::default();
        match kind {
            Kind::Sqlite => {}
            Kind::Postgres => {
                let postgres = databases.postgres.as_ref().context("a PostgreSQL")?;
                stores.database = Some(postgres.create_database(&name).await?);
            }
            Kind::Influx => {
                let influx = databases.influx.as_ref().context("an InfluxDB")?;
                stores.telemetry = Some(influx.create_database(&name).await?);
            }
        }
        let telemetry = stores.telemetry.clone();
        let mut server = Server { system: System::on_stores(broker, stores)?, telemetry, name };
        admit(&server.system, 0..vehicles)?;
        server.system.start("broker").await?;
        server.system.start("ingest").await?;
        connected(&mut server.system, "ingest").await?;
        Ok(server)
    }

    /// Where the broker is.
    pub fn mqtt(&self) -> SocketAddr {
        port::local(self.system.mqtt())
    }

    pub fn broker_process(&mut self) -> Result<u32> {
        Ok(self.system.process("broker")?.id())
    }

    pub fn ingest_process(&mut self) -> Result<u32> {
        Ok(self.system.process("ingest")?.id())
    }

    /// The fleet's database.
    pub async fn store(&self) -> Result<Store> {
        Ok(Store::open_with(&self.system.database(), self.telemetry.as_deref()).await?)
    }

    /// The database's files, where it is SQLite.
    pub fn files(&self) -> [PathBuf; 2] {
        [self.system.data().join("fleet.db"), self.system.data().join("fleet.db-wal")]
    }

    /// Name of the database at its server, for who asks it directly.
    pub fn database_name(&self) -> &str {
        &self.name
    }

    /// Waits until every batch is in its lasting form; how much of ingest's processor time that took, in µs.
    pub async fn fold(&mut self) -> Result<f64> {
        let store = self.store().await?;
        let ingest = [self.ingest_process()?];
        let (before, began) = (usage::cpu_us(&ingest)?, Instant::now());
        while !store.waiting(None, 1).await?.is_empty() {
            ensure!(began.elapsed() < FOLD_LIMIT, "batches are still waiting to be folded after {FOLD_LIMIT:?}");
            sleep(Duration::from_millis(500)).await;
        }
        let spent = usage::cpu_us(&ingest)? - before;
        store.sweep_all().await?;
        store.close().await;
        Ok(spent)
    }

    /// A counter of ingest's, or of the broker's where both are one.
    pub async fn counter(&self, name: &str) -> Result<f64> {
        let url = format!("http://{}/metrics", port::local(self.system.metrics()));
        let text = reqwest::get(url).await?.error_for_status()?.text().await?;
        let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        Ok(text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Fails if a part has ended or logged an error.
    pub fn check(&mut self) -> Result<()> {
        self.system.check_running()?;
        self.system.check_logs()
    }
}

/// Lets the vehicles with these numbers sign in with their VIN for a password.
pub fn admit(system: &System, vehicles: impl Iterator<Item = usize>) -> Result<()> {
    let lines: String = vehicles.map(|number| format!("{0}:{0}\n", drive::vin(number))).collect();
    let fresh = system.dir().join("fresh-passwords");
    fs::write(&fresh, lines)?;
    // All of a file at once, which one by one would take longer than the measurement.
    let tool = mosquitto::program("mosquitto_passwd")?;
    let run = Command::new(tool).arg("-U").arg(&fresh).output()?;
    ensure!(run.status.success(), "mosquitto_passwd: {}", String::from_utf8_lossy(&run.stderr));
    system.manage(&["access", "list"])?;
    let passwords = system.data().join("access/passwords");
    let all = fs::read_to_string(&passwords)? + &fs::read_to_string(&fresh)?;
    Ok(fs::write(&passwords, all)?)
}

/// Waits until a service that was started is connected to the broker.
pub async fn connected(system: &mut System, service: &str) -> Result<()> {
    let process = system.process(service)?;
    let connected = wait::until("it is connected", LIMIT, || {
        let running = process.check_running();
        let connected = process.logged().contains("connected to the broker").then_some(Ok(()));
        std::future::ready(running.err().map(Err).or(connected))
    });
    connected.await?.with_context(|| format!("{service} is connected to the broker"))
}
