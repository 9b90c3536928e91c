//! Vehicles that publish, each over a connection of its own, and hear what of it is committed. They share one thread.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_wire::{
    Topic, UnixMs, Vin, codec,
    message::{Ack, Row},
    topic::Kind,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::{JoinSet, LocalSet},
    time::{sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{self, Cut, Messages},
    packet::{self, Connect},
};

/// What is not committed after so long is lost.
const LOST: Duration = Duration::from_secs(60);
/// Vehicles that sign in at a time.
const TOGETHER: usize = 64;
/// Vehicles with the same address.
const NEIGHBOURS: usize = 1000;
/// Most bytes of messages that are written at once.
const BURST: usize = 64 * 1024;

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
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub mqtt: SocketAddr,
    pub vehicles: usize,
    pub pace: Pace,
    pub form: Form,
    /// Time of the first sample.
    pub start: UnixMs,
}

#[derive(Default)]
struct Tally {
    published: AtomicU64,
    committed: AtomicU64,
    /// From when a message was due to when its acknowledgement had come, in ms.
    latencies: Mutex<Vec<f64>>,
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
    pub seconds: f64,
    pub published: u64,
    /// Messages of which the vehicle has heard that they are committed.
    pub committed: u64,
    pub samples: u64,
    pub latencies_ms: Vec<f64>,
}

impl Fleet {
    /// Signs all of them in, with their VIN for a password; returns when everyone is on the road.
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
    let mut vehicles = Vec::with_capacity(plan.vehicles);
    let mut signing_in = JoinSet::new();
    let epoch = bugbrother_wire::unix_ms(std::time::SystemTime::now()) as u64;
    let mut next = 0;
    while vehicles.len() < plan.vehicles {
        while next < plan.vehicles && signing_in.len() < TOGETHER {
            signing_in.spawn_local(sign_in(plan, next));
            next += 1;
        }
        let (number, stream) = signing_in.join_next().await.context("a vehicle signs in")???;
        let cut = Arc::clone(&drives[number % drives.len()]);
        let messages = Messages::new(drive::vin(number), epoch, plan.start, cut);
        vehicles.push((number, stream, messages));
    }
    // Nobody need be waiting any more.
    everyone.send(()).ok();
    let began = tokio::time::Instant::now();
    let mut driving = JoinSet::new();
    for (number, stream, messages) in vehicles {
        let first = match plan.pace {
            Pace::Window(_) => began,
            Pace::Every(period) => began + period.mul_f64(number as f64 / plan.vehicles as f64),
        };
        let vehicle = Vehicle {
            topic: topic(drive::vin(number), plan.form),
            messages,
            pace: plan.pace,
            form: plan.form,
            next_due: first,
            sent: VecDeque::new(),
            seq: 0,
            epoch,
            packet_id: 0,
            tally: Arc::clone(&tally),
        };
        driving.spawn_local(vehicle.drive(stream, stop.clone()));
    }
    while let Some(ended) = driving.join_next().await {
        ended??;
    }
    Ok(())
}

fn topic(vin: Vin, form: Form) -> String {
    match form {
        Form::Contract => Topic::new(vin, Kind::Telemetry).to_string(),
        Form::Json => format!("fleet/v1/{vin}/up/json"),
    }
}

async fn sign_in(plan: Plan, number: usize) -> Result<(usize, TcpStream)> {
    let socket = TcpSocket::new_v4()?;
    // The broker takes only so many from one address.
    socket.bind((Ipv4Addr::new(127, 1, (number / NEIGHBOURS) as u8, 1), 0).into())?;
    let mut stream = socket.connect(plan.mqtt).await?;
    stream.set_nodelay(true)?;
    let vin = drive::vin(number);
    let mut out = Vec::new();
    packet::connect(&mut out, &Connect { client_id: vin.as_str(), user: vin.as_str(), password: vin.as_str() });
    if plan.form == Form::Contract {
        packet::subscribe(&mut out, &Topic::down_filter(vin));
    }
    stream.write_all(&out).await?;
    let mut inbound = Vec::new();
    let mut wanted = if plan.form == Form::Contract { 2 } else { 1 };
    while wanted > 0 {
        ensure!(stream.read_buf(&mut inbound).await? > 0, "{vin} was sent away");
        while let Some((first, body, length)) = packet::take(&inbound) {
            match first >> 4 {
                2 => ensure!(body[1] == 0, "{vin} was refused with {:#x}", body[1]),
                9 => ensure!(body.last() == Some(&1), "{vin} may not subscribe: {body:?}"),
                other => bail!("a packet of type {other} came too soon"),
            }
            wanted -= 1;
            inbound.drain(..length);
        }
    }
    Ok((number, stream))
}

/// A vehicle that is connected.
struct Vehicle {
    topic: String,
    messages: Messages,
    pace: Pace,
    form: Form,
    /// When the next message is to be published.
    next_due: tokio::time::Instant,
    /// What is not committed yet: number, and when it was due.
    sent: VecDeque<(u64, tokio::time::Instant)>,
    seq: u64,
    epoch: u64,
    packet_id: u16,
    tally: Arc<Tally>,
}

impl Vehicle {
    async fn drive(mut self, mut stream: TcpStream, stop: CancellationToken) -> Result<()> {
        let (mut inbound, mut out) = (Vec::with_capacity(8192), Vec::new());
        loop {
            let leaving = stop.is_cancelled();
            if !leaving {
                self.publish(&mut out);
            }
            if !out.is_empty() {
                stream.write_all(&out).await?;
                out.clear();
                if out.capacity() > 2 * BURST {
                    out = Vec::new();
                }
            }
            if leaving && self.sent.is_empty() {
                return Ok(());
            }
            let patience = self.sent.front().map(|(_, due)| *due + LOST);
            tokio::select! {
                read = stream.read_buf(&mut inbound) => {
                    ensure!(read? > 0, "{}: the broker has closed the connection", self.topic);
                    self.hear(&mut inbound, &mut out)?;
                }
                () = sleep_until(self.next_due), if !leaving && self.is_ahead() => {}
                () = sleep_until(patience.unwrap_or(self.next_due)), if patience.is_some() => {
                    bail!("{}: not committed after {LOST:?}", self.topic);
                }
                () = stop.cancelled(), if !leaving => {}
            }
        }
    }

    /// Whether there is a moment to wait for.
    fn is_ahead(&self) -> bool {
        matches!(self.pace, Pace::Every(_))
    }

    /// Writes the messages that are due.
    fn publish(&mut self, out: &mut Vec<u8>) {
        let now = tokio::time::Instant::now();
        while out.len() < BURST {
            let due = match self.pace {
                Pace::Window(window) if self.sent.len() < window => now,
                Pace::Every(period) if self.next_due <= now => {
                    let due = self.next_due;
                    self.next_due += period;
                    due
                }
                Pace::Window(_) | Pace::Every(_) => break,
            };
            self.seq += 1;
            let payload = match self.form {
                Form::Contract => self.messages.encode(self.seq),
                Form::Json => json(&mut self.messages, self.seq),
            };
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            packet::publish(out, &self.topic, self.packet_id, &payload);
            self.sent.push_back((self.seq, due));
            self.tally.published.fetch_add(1, Relaxed);
        }
    }

    fn hear(&mut self, inbound: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        let mut at = 0;
        while let Some((first, body, length)) = packet::take(&inbound[at..]) {
            match first >> 4 {
                3 => {
                    let (payload, id) = packet::delivery(first, body)?;
                    if let Some(id) = id {
                        packet::puback(out, id);
                    }
                    let ack: Ack = codec::decode_value(payload)?;
                    if ack.epoch.0 == self.epoch {
                        self.settle(ack.seq.0);
                    }
                }
                4 => {
                    let code = body.get(2).copied().unwrap_or(0);
                    ensure!(code < 0x80, "{}: refused with {code:#x}", self.topic);
                    if self.form == Form::Json {
                        let oldest = self.sent.front().map_or(0, |(seq, _)| *seq);
                        self.settle(oldest);
                    }
                }
                other => bail!("{}: a packet of type {other}: {body:?}", self.topic),
            }
            at += length;
        }
        inbound.drain(..at);
        Ok(())
    }

    /// Everything up to here is committed.
    fn settle(&mut self, seq: u64) {
        let now = tokio::time::Instant::now();
        let mut latencies = self.tally.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, due)) = self.sent.pop_front_if(|(oldest, _)| *oldest <= seq) {
            latencies.push((now - due).as_secs_f64() * 1e3);
            self.tally.committed.fetch_add(1, Relaxed);
        }
    }
}

fn json(messages: &mut Messages, seq: u64) -> Vec<u8> {
    let batch = messages.batch(seq);
    let row = |row: &Row| [&[Some(f64::from(row.dt_ms))], row.values.as_slice()].concat();
    let rows: Vec<_> = batch.rows.iter().map(row).collect();
    serde_json::json!({ "vin": batch.vin.as_str(), "t0": batch.t0, "keys": batch.keys, "rows": rows })
        .to_string()
        .into_bytes()
}
