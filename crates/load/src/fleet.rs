//! Vehicles that publish, each over a connection of its own, and hear what of it is committed. They share one thread.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_wire::{UnixMs, unix_ms};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{self, Cut, Messages},
    greeting::Greeting,
    vehicle::{Vehicle, sign_in},
};

/// Vehicles that sign in at a time, if nothing else is said.
const TOGETHER: usize = 64;
/// Vehicles with the same address, if nothing else is said.
const NEIGHBOURS: usize = 1000;

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
    /// Time of the first sample; where there is none, a message's last sample is of when the message is due.
    pub start: Option<UnixMs>,
    /// Number of the first of them.
    pub first: usize,
    /// The password of all of them; each one's own VIN for `None`.
    pub password: Option<Arc<str>>,
    /// Each says on every connection that it is there and what it will send, and leaves a will, as an agent does.
    pub greets: bool,
    /// Messages that each has recorded before it comes. They go into the second lane.
    pub backlog: u64,
    /// So many of them have the same address, where the broker is on this machine.
    pub neighbours: usize,
    /// So many of them try at a time to come back.
    pub together: usize,
    /// What else happens to them.
    pub weather: Weather,
}

impl Plan {
    /// A fleet in good weather whose passwords are their VINs, with nothing to make up for.
    pub fn new(mqtt: SocketAddr, vehicles: usize, pace: Pace, form: Form, start: impl Into<Option<UnixMs>>) -> Self {
        Plan {
            mqtt,
            vehicles,
            pace,
            form,
            start: start.into(),
            first: 0,
            password: None,
            greets: false,
            backlog: 0,
            neighbours: NEIGHBOURS,
            together: TOGETHER,
            weather: Weather::default(),
        }
    }

    /// Where the vehicle with that number has its turn in a period: they do not publish all at once.
    pub(crate) fn turn_of(&self, number: usize) -> Duration {
        match self.pace {
            Pace::Window(_) => Duration::ZERO,
            Pace::Every(period) => period.mul_f64((number - self.first) as f64 / self.vehicles as f64),
        }
    }

    /// Time of the first sample of the vehicle with that number, of a fleet that begins to publish at `began`.
    fn start_of(&self, number: usize, began: UnixMs, rows: usize) -> UnixMs {
        // The first live message ends when it is due, and what was recorded before lies before it.
        let due = began + self.turn_of(number).as_millis() as i64;
        let before = (self.backlog as i64 + 1) * rows as i64 - 1;
        self.start.unwrap_or(due - before * drive::PERIOD_MS)
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
    pub served: AtomicU64,
    pub reconnects: AtomicU64,
    pub unreachable: AtomicU64,
    pub refused: AtomicU64,
    pub made_up: AtomicU64,
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
    /// Of those, the ones that have written something since that is committed.
    pub served: u64,
    /// Connections that were made anew.
    pub reconnects: u64,
    /// Tries to come back when nobody listened.
    pub unreachable: u64,
    /// Tries to come back that the broker refused or did not answer.
    pub refused: u64,
    /// Messages from before the vehicles came that are committed.
    pub made_up: u64,
}

/// Whether the first vehicle of a fleet would be let in.
pub async fn is_admitted(plan: &Plan) -> bool {
    sign_in(plan, plan.first, None).await.is_ok()
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
    /// From when each was due until then, but for those that were recorded before their vehicles came.
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
            self.check()?;
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
        let of = |figure: &AtomicU64| figure.load(Relaxed);
        let tally = &*self.tally;
        Figures {
            published: of(&tally.published),
            committed: of(&tally.committed),
            sent_again: of(&tally.sent_again),
            connected: of(&tally.connected),
            served: of(&tally.served),
            reconnects: of(&tally.reconnects),
            unreachable: of(&tally.unreachable),
            refused: of(&tally.refused),
            made_up: of(&tally.made_up),
        }
    }

    /// Fails if everybody has left, with the reason.
    pub fn check(&mut self) -> Result<()> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            self.end()?;
            bail!("the fleet has left");
        }
        Ok(())
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
    let since = unix_ms(SystemTime::now());
    let greeting = |number| Greeting { vin: drive::vin(number), epoch: since as u64, since };
    let mut numbers = plan.first..plan.first + plan.vehicles;
    while vehicles.len() < plan.vehicles {
        for number in numbers.by_ref().take(TOGETHER.saturating_sub(signing_in.len())) {
            let (plan, greeting) = (Arc::clone(&plan), plan.greets.then(|| greeting(number)));
            signing_in.spawn_local(async move { sign_in(&plan, number, greeting).await.map(|came| (number, came)) });
        }
        let came = signing_in.join_next().await.context("a vehicle signs in")???;
        tally.connected.fetch_add(1, Relaxed);
        vehicles.push(came);
    }
    let (began, began_ms) = (tokio::time::Instant::now(), unix_ms(SystemTime::now()));
    let mut driving = JoinSet::new();
    let door = Arc::new(Semaphore::new(plan.together.max(1)));
    for (number, came) in vehicles {
        let cut = Arc::clone(&drives[number % drives.len()]);
        let start = plan.start_of(number, began_ms, cut.rows());
        let messages = Messages::new(drive::vin(number), since as u64, start, cut);
        let vehicle = Vehicle::new(number, &plan, messages, greeting(number), began, &tally, &door);
        driving.spawn_local(vehicle.live(came, stop.clone()));
    }
    // Nobody need be waiting any more.
    everyone.send(()).ok();
    while let Some(ended) = driving.join_next().await {
        ended??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_start_a_message_ends_when_it_is_due_and_the_backlog_lies_before_it() {
        let mqtt = ([127, 0, 0, 1], 1883).into();
        let every = |rows| Pace::Every(Duration::from_secs(rows));
        let plan = |rows| Plan { first: 100, ..Plan::new(mqtt, 10, every(rows), Form::Contract, None) };
        let began = 1_790_000_000_000;
        assert_eq!(plan(1).start_of(100, began, 1), began);
        assert_eq!(plan(1).start_of(105, began, 1), began + 500);
        // Ten samples, of which the last is of now.
        assert_eq!(plan(10).start_of(100, began, 10), began - 9_000);
        let away = Plan { backlog: 3_600, ..plan(1) };
        assert_eq!(away.start_of(100, began, 1), began - 3_600_000);
        assert_eq!(Plan { start: Some(7), ..away }.start_of(105, began, 1), 7);
    }
}
