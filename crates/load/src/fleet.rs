//! Vehicles that publish, each over a connection of its own, and hear what of it is committed. They share one thread.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_wire::UnixMs;
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{self, Cut, Messages},
    vehicle::{Vehicle, sign_in},
};

/// Vehicles that sign in at a time.
const TOGETHER: usize = 64;

/// What a vehicle is to do.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As fast as it goes, with so many messages that are not committed yet.
    Window(usize),
    /// A message each period, whatever becomes of those before.
    Every(Duration),
}

/// What the messages are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As in the contract; `down/ack` says what is committed.
    Contract,
    /// JSON for others, who acknowledge nothing but to the broker.
    Json,
}

/// What a fleet is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the broker is, without TLS.
    pub mqtt: SocketAddr,
    /// How many there are.
    pub vehicles: usize,
    /// How often each publishes.
    pub pace: Pace,
    /// What its messages are like.
    pub form: Form,
    /// Time of the first sample.
    pub start: UnixMs,
    /// The password of all of them; each one's own VIN for `None`.
    pub password: Option<Arc<str>>,
    /// What else happens to them.
    pub weather: Weather,
}

impl Plan {
    /// A fleet in good weather whose passwords are their VINs.
    pub fn new(mqtt: SocketAddr, vehicles: usize, pace: Pace, form: Form, start: UnixMs) -> Self {
        Plan { mqtt, vehicles, pace, form, start, password: None, weather: Weather::default() }
    }
}

/// What happens to vehicles on the road.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// A vehicle that loses its connection makes a new one; otherwise the whole fleet fails.
    pub rough: bool,
    /// How long a vehicle stays connected, on average, before it is cut off by itself.
    pub cut_after: Option<Duration>,
    /// For how long it is then out of reach; what it measures meanwhile it sends afterwards.
    pub away: Duration,
    /// All of them are out of reach at once: since when, counted from the beginning, and for how long.
    pub tunnel: Option<(Duration, Duration)>,
}

/// What all vehicles together have done.
#[derive(Default)]
pub(crate) struct Tally {
    pub published: AtomicU64,
    pub committed: AtomicU64,
    pub sent_again: AtomicU64,
    pub connected: AtomicU64,
    pub reconnects: AtomicU64,
    /// From when a message was due to when its acknowledgement had come, in ms.
    pub latencies: Mutex<Vec<f64>>,
    /// From when a message was written to its PUBACK, in ms.
    pub pubacks: Mutex<Vec<f64>>,
}

/// Figures of a fleet since its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Different messages that were published.
    pub published: u64,
    /// Messages of which the vehicle has heard that they are committed.
    pub committed: u64,
    /// Messages that were sent once more.
    pub sent_again: u64,
    /// Vehicles that are connected.
    pub connected: u64,
    /// Connections that were made anew.
    pub reconnects: u64,
}

/// Whether the first vehicle of a fleet would be let in.
pub async fn is_admitted(plan: &Plan) -> bool {
    sign_in(plan, 0).await.is_ok()
}

/// A fleet on the road.
pub struct Fleet {
    tally: Arc<Tally>,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<()>>>,
    rows: u64,
}

/// What a fleet did for some time.
pub struct Done {
    /// For how long.
    pub seconds: f64,
    /// Messages that were published.
    pub published: u64,
    /// Messages of which the vehicle has heard that they are committed.
    pub committed: u64,
    /// Samples of those.
    pub samples: u64,
    /// From when each was due until then.
    pub latencies_ms: Vec<f64>,
}

impl Fleet {
    /// Signs all of them in; returns when everyone is on the road.
    pub fn start(plan: Plan, drives: &[Arc<Cut>]) -> Result<Self> {
        let (tally, stop) = (Arc::new(Tally::default()), CancellationToken::new());
        let (say, everyone) = mpsc::channel();
        let rows = drives.first().context("a fleet needs a drive")?.rows() as u64;
        let drives = drives.to_vec();
        let (their_tally, their_stop) = (Arc::clone(&tally), stop.clone());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let all = run(plan, drives, their_tally, their_stop, say);
            runtime.block_on(LocalSet::new().run_until(all))
        };
        let thread = std::thread::Builder::new().name("fleet".into()).spawn(work)?;
        let mut fleet = Fleet { tally, stop, thread: Some(thread), rows };
        match everyone.recv() {
            Ok(()) => Ok(fleet),
            Err(_) => {
                fleet.end()?;
                bail!("the fleet has left before it began");
            }
        }
    }

    /// What it does in that time.
    pub async fn measure(&mut self, time: Duration) -> Result<Done> {
        let tally = Arc::clone(&self.tally);
        let counts = || (tally.published.load(Relaxed), tally.committed.load(Relaxed));
        let (began, before) = (Instant::now(), counts());
        self.latencies().clear();
        self.pubacks();
        while began.elapsed() < time {
            sleep(time.saturating_sub(began.elapsed()).min(Duration::from_millis(200))).await;
            if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
                self.end()?;
                bail!("the fleet has left");
            }
        }
        let (seconds, after) = (began.elapsed().as_secs_f64(), counts());
        let latencies_ms = std::mem::take(&mut *self.latencies());
        let (published, committed) = (after.0 - before.0, after.1 - before.1);
        Ok(Done { seconds, published, committed, samples: committed * self.rows, latencies_ms })
    }

    /// Messages that were published so far.
    pub fn published(&self) -> u64 {
        self.tally.published.load(Relaxed)
    }

    /// What it did so far.
    pub fn figures(&self) -> Figures {
        let Tally { published, committed, sent_again, connected, reconnects, .. } = &*self.tally;
        let [published, committed, sent_again, connected, reconnects] =
            [published, committed, sent_again, connected, reconnects].map(|figure| figure.load(Relaxed));
        Figures { published, committed, sent_again, connected, reconnects }
    }

    /// The times to a commit that were taken since the last call, in ms.
    pub fn commits(&self) -> Vec<f64> {
        std::mem::take(&mut *self.latencies())
    }

    /// The times to a PUBACK that were taken since the last call, in ms.
    pub fn pubacks(&self) -> Vec<f64> {
        std::mem::take(&mut *self.tally.pubacks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Publishes no more. What is not committed is still sent.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether everybody has left.
    pub fn has_left(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Publishes no more, and waits until everything is committed. All messages that were.
    pub fn leave(mut self) -> Result<u64> {
        self.end()?;
        let (published, committed) = (self.published(), self.tally.committed.load(Relaxed));
        ensure!(published == committed, "{published} messages were published, {committed} are committed");
        Ok(committed)
    }

    fn end(&mut self) -> Result<()> {
        self.stop.cancel();
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow::anyhow!("the fleet's thread panicked"))?,
            None => Ok(()),
        }
    }

    fn latencies(&self) -> std::sync::MutexGuard<'_, Vec<f64>> {
        self.tally.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn run(
    plan: Plan,
    drives: Vec<Arc<Cut>>,
    tally: Arc<Tally>,
    stop: CancellationToken,
    everyone: mpsc::Sender<()>,
) -> Result<()> {
    let plan = Arc::new(plan);
    let mut vehicles = Vec::with_capacity(plan.vehicles);
    let mut signing_in = JoinSet::new();
    let epoch = bugbrother_wire::unix_ms(std::time::SystemTime::now()) as u64;
    let mut next = 0;
    while vehicles.len() < plan.vehicles {
        while next < plan.vehicles && signing_in.len() < TOGETHER {
            let (plan, number) = (Arc::clone(&plan), next);
            signing_in.spawn_local(async move { sign_in(&plan, number).await.map(|came| (number, came)) });
            next += 1;
        }
        let (number, came) = signing_in.join_next().await.context("a vehicle signs in")???;
        tally.connected.fetch_add(1, Relaxed);
        let cut = Arc::clone(&drives[number % drives.len()]);
        let messages = Messages::new(drive::vin(number), epoch, plan.start, cut);
        vehicles.push((number, came, messages));
    }
    // Nobody need be waiting any more.
    everyone.send(()).ok();
    let began = tokio::time::Instant::now();
    let mut driving = JoinSet::new();
    let door = Arc::new(Semaphore::new(TOGETHER));
    for (number, came, messages) in vehicles {
        let vehicle = Vehicle::new(number, &plan, messages, (epoch, began), &tally, &door);
        driving.spawn_local(vehicle.live(came, stop.clone()));
    }
    while let Some(ended) = driving.join_next().await {
        ended??;
    }
    Ok(())
}
