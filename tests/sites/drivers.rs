//! Vehicles whose receivers tell where they are now, once a second, and real agents that listen to them.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    network::Host,
    process::{Process, program},
};
use bugbrother_simulator::{Fix, NmeaTalker, geo::Point};
use bugbrother_wire::{UnixMs, Vin, unix_ms};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::interval,
};

const SECOND_MS: i64 = 1000;
/// Metres of a degree of latitude, roughly.
const DEGREE_M: f64 = 111_000.0;

/// A vehicle on the road.
pub struct Driver {
    pub vin: Vin,
    kmh: Arc<AtomicU32>,
    /// Moments that its receiver has told of.
    told: Arc<Mutex<BTreeSet<UnixMs>>>,
    receiver: JoinSet<()>,
    agent: Process,
}

impl Driver {
    /// Starts its receiver at an address of the test's, and its agent on `host` with the identity in `folder`.
    pub async fn start(
        host: &Host,
        here: Ipv4Addr,
        vin: Vin,
        number: usize,
        folder: &Path,
        settings: &Path,
        kmh: u32,
    ) -> Result<Self> {
        let listener = TcpListener::bind((here, 0)).await?;
        let gps = format!("tcp:{}", listener.local_addr()?);
        let (kmh, told) = (Arc::new(AtomicU32::new(kmh)), Arc::default());
        let mut receiver = JoinSet::new();
        receiver.spawn(tell(listener, number, Arc::clone(&kmh), Arc::clone(&told)));
        let text = |path: &Path| path.display().to_string();
        let arguments = ["--config", &text(settings), "--identity", &text(folder), "--gps", &gps, "--obd", "none"]
            .map(str::to_owned);
        let folder: PathBuf = folder.parent().context("identities have a folder")?.into();
        let name = format!("agent-{vin}");
        let agent = host.start(&folder, &name, &program("bugbrother-agent")?, &arguments, &[("NO_COLOR", "1")])?;
        Ok(Driver { vin, kmh, told, receiver, agent })
    }

    /// Drives like that from now on.
    pub fn drive(&self, kmh: u32) {
        self.kmh.store(kmh, Ordering::Relaxed);
    }

    /// Nothing is told any more; the moments that were.
    pub async fn arrive(&mut self) -> BTreeSet<UnixMs> {
        self.receiver.shutdown().await;
        self.told()
    }

    /// The moments that were told so far.
    pub fn told(&self) -> BTreeSet<UnixMs> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether its agent has logged that.
    pub fn logged(&self, text: &str) -> bool {
        self.agent.logged().contains(text)
    }

    /// Fails if its agent has ended, or logged an error.
    pub fn check(&mut self) -> Result<()> {
        self.agent.check_running()?;
        let log = self.agent.logged();
        let wrong = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked"));
        ensure!(wrong.is_none(), "agent of {}: {wrong:?}", self.vin);
        Ok(())
    }
}

/// Northwards, each on a road of its own.
async fn tell(listener: TcpListener, number: usize, kmh: Arc<AtomicU32>, told: Arc<Mutex<BTreeSet<UnixMs>>>) {
    let mut point = Point { lat: 46.0, lon: 6.0 + number as f64 / 10.0 };
    let mut seconds = interval(Duration::from_secs(1));
    while let Ok((mut agent, _)) = listener.accept().await {
        let mut last = 0;
        loop {
            seconds.tick().await;
            let now = unix_ms(SystemTime::now());
            let time = now - now % SECOND_MS;
            if time <= last {
                continue;
            }
            last = time;
            let kmh = f64::from(kmh.load(Ordering::Relaxed));
            point.lat += kmh / 3.6 / DEGREE_M;
            let fix =
                Fix { time, point, alt_m: 400.0, speed_kmh: kmh, heading_deg: Some(0.0), satellites: 9, hdop: 1.0 };
            if say(&mut agent, &fix).await.is_err() {
                break;
            }
            told.lock().unwrap_or_else(PoisonError::into_inner).insert(time);
        }
    }
}

/// In one piece: a test that ends it in between must not leave half of it.
async fn say(agent: &mut TcpStream, fix: &Fix) -> std::io::Result<()> {
    agent.write_all(NmeaTalker::sentences(fix).as_bytes()).await
}
