//! A load, and what came of it.

use std::{
    fmt,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use tokio::{net::TcpStream, sync::oneshot, task::JoinSet, time::sleep};

use super::{
    PUBLISHERS, clock,
    plant::Plant,
    publisher::{Counts, Publisher},
    subscriber::{self, Heard},
};
use crate::{
    figures::{Sorted, grouped},
    usage,
};

/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(1);
/// After so long without a message nothing more is waited for: what is not there then is lost.
const QUIET: Duration = Duration::from_secs(3);
/// What is not acknowledged by then never is.
const DRAIN: Duration = Duration::from_secs(60);

/// What is published, and who hears it.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub qos: u8,
    /// Messages a second of all publishers together; `None` for as many as can be.
    pub rate: Option<u32>,
    pub subscribers: usize,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.rate.map_or_else(|| "flat out".to_owned(), |rate| format!("{}/s", grouped(rate.into())));
        write!(f, "QoS {}, {rate}, {} subscribers", self.qos, self.subscribers)
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Came {
    /// Messages that the broker took each second: acknowledged ones; at QoS 0 those after which it has answered a PINGREQ, or
    /// with a rate those that were written.
    pub taken: f64,
    /// Messages that each subscriber heard each second.
    pub heard: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Processor time of the broker for each message that it took.
    pub cpu_us: f64,
    /// Processor time of the driver for each of them.
    pub driver_us: f64,
    /// Memory of the broker in the end.
    pub bytes: f64,
    pub sent: u64,
    pub acknowledged: u64,
    /// Deliveries that never came, of all subscribers.
    pub lost: u64,
    /// Deliveries that came a second time.
    pub again: u64,
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} taken/s, {} heard/s, p50 {:.1} ms, p99 {:.1} ms, CPU {:.1} µs (driver {:.1}), {:.0} MB; sent {} acknowledged {} \
             lost {} again {}",
            grouped(self.taken),
            grouped(self.heard),
            self.p50_us / 1e3,
            self.p99_us / 1e3,
            self.cpu_us,
            self.driver_us,
            self.bytes / 1e6,
            self.sent,
            self.acknowledged,
            self.lost,
            self.again
        )
    }
}

/// Figures at a moment.
struct Look {
    at: Instant,
    stamp: u64,
    taken: u64,
    heard: u64,
    cpu: f64,
    driver: f64,
}

impl Load {
    /// Puts it on that broker for so long.
    pub async fn run(&self, plant: &Plant, time: Duration) -> Result<Came> {
        plant.is_up().await?;
        let heard: Vec<Arc<Heard>> = (0..self.subscribers).map(|_| Arc::default()).collect();
        let counts = Arc::new(Counts::default());
        let mut subscribers = Vec::new();
        for (number, heard) in heard.iter().enumerate() {
            subscribers.push((plant.reader(number, self.qos).await?, Arc::clone(heard)));
        }
        let mut publishers = Vec::new();
        for number in 0..PUBLISHERS {
            publishers.push(plant.vehicle(number).await?);
        }
        let hearing = in_a_thread(subscribers, |(stream, heard)| subscriber::run(stream, heard))?;
        let mut publishing = {
            let (load, counts) = (*self, Arc::clone(&counts));
            let numbered: Vec<_> = publishers.into_iter().enumerate().collect();
            in_a_thread(numbered, move |(number, stream)| load.publisher(number, &counts).run(stream))?
        };

        sleep(WARM_UP).await;
        let begin = self.look(plant, &counts, &heard)?;
        sleep(time).await;
        let end = self.look(plant, &counts, &heard)?;
        counts.enough.store(true, Relaxed);
        let done = tokio::time::timeout(DRAIN, &mut publishing).await;
        done.context("publishers wait for acknowledgements that do not come")?.context("the publishers' thread")??;
        wait_for_quiet(&counts, &heard).await;
        let bytes = usage::resident_bytes(&plant.process())?;
        if let Ok(ended) = {
            let mut hearing = hearing;
            hearing.try_recv()
        } {
            ended?;
            return Err(anyhow!("the subscribers have ended"));
        }

        let (sent, acknowledged) = (counts.sent.load(Relaxed), counts.acknowledged.load(Relaxed));
        let came: u64 = heard.iter().map(|heard| heard.messages.load(Relaxed)).sum();
        let mut delays = Vec::new();
        for heard in &heard {
            let all = heard.delays.lock().unwrap_or_else(PoisonError::into_inner);
            delays.extend(
                all.iter().filter(|(stamp, _)| (begin.stamp..end.stamp).contains(stamp)).map(|(_, us)| f64::from(*us)),
            );
        }
        let delays = Sorted::new(delays);
        let (seconds, taken) = ((end.at - begin.at).as_secs_f64(), (end.taken - begin.taken) as f64);
        Ok(Came {
            taken: taken / seconds,
            heard: (end.heard - begin.heard) as f64 / seconds / self.subscribers as f64,
            p50_us: delays.quantile(0.5),
            p99_us: delays.quantile(0.99),
            cpu_us: (end.cpu - begin.cpu) / taken,
            driver_us: (end.driver - begin.driver) / taken,
            bytes,
            sent,
            acknowledged,
            lost: (sent * self.subscribers as u64).saturating_sub(came),
            again: heard.iter().map(|heard| heard.again.load(Relaxed)).sum(),
        })
    }

    fn publisher(self, number: usize, counts: &Arc<Counts>) -> Publisher {
        let pace = self.rate.map(|rate| {
            let period = Duration::from_secs_f64(PUBLISHERS as f64 / f64::from(rate));
            (period, period.mul_f64(number as f64 / PUBLISHERS as f64))
        });
        Publisher { number, qos: self.qos, pace, counts: Arc::clone(counts) }
    }

    fn look(&self, plant: &Plant, counts: &Counts, heard: &[Arc<Heard>]) -> Result<Look> {
        let taken = if self.qos > 0 || self.rate.is_none() { &counts.acknowledged } else { &counts.sent };
        Ok(Look {
            at: Instant::now(),
            stamp: clock::now_us(),
            taken: taken.load(Relaxed),
            heard: heard.iter().map(|heard| heard.messages.load(Relaxed)).sum(),
            cpu: usage::cpu_us(&plant.process())?,
            driver: usage::cpu_us(&[std::process::id()])?,
        })
    }
}

/// Until everything has come, or nothing more does.
async fn wait_for_quiet(counts: &Counts, heard: &[Arc<Heard>]) {
    let wanted = counts.sent.load(Relaxed) * heard.len() as u64;
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let came: u64 = heard.iter().map(|heard| heard.messages.load(Relaxed)).sum();
        if came >= wanted || (came == last && since.elapsed() > QUIET) {
            return;
        }
        if came > last {
            (last, since) = (came, Instant::now());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// An event loop of its own with a task for each client; how it ended.
fn in_a_thread<C, F>(clients: Vec<C>, run: impl Fn(C) -> F + Send + 'static) -> Result<oneshot::Receiver<Result<()>>>
where
    C: Socketed,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let (told, ended) = oneshot::channel();
    // A socket belongs to the event loop that it was made in.
    let clients = clients.into_iter().map(C::detach).collect::<Result<Vec<_>>>()?;
    thread::Builder::new().spawn(move || {
        let result = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from);
        let result = result.and_then(|runtime| {
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for client in clients {
                    tasks.spawn(run(C::attach(client)?));
                }
                while let Some(ended) = tasks.join_next().await {
                    ended??;
                }
                Ok(())
            })
        });
        // Who has given up does not hear it.
        told.send(result).ok();
    })?;
    Ok(ended)
}

/// What holds a socket that goes to another event loop.
trait Socketed: Sized {
    type Detached: Send + 'static;

    fn detach(self) -> Result<Self::Detached>;
    fn attach(detached: Self::Detached) -> Result<Self>;
}

impl Socketed for (TcpStream, Arc<Heard>) {
    type Detached = (std::net::TcpStream, Arc<Heard>);

    fn detach(self) -> Result<Self::Detached> {
        Ok((self.0.into_std()?, self.1))
    }

    fn attach((stream, heard): Self::Detached) -> Result<Self> {
        Ok((TcpStream::from_std(stream)?, heard))
    }
}

impl Socketed for (usize, TcpStream) {
    type Detached = (usize, std::net::TcpStream);

    fn detach(self) -> Result<Self::Detached> {
        Ok((self.0, self.1.into_std()?))
    }

    fn attach((number, stream): Self::Detached) -> Result<Self> {
        Ok((number, TcpStream::from_std(stream)?))
    }
}
