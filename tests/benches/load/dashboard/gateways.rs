//! Gateways that publish for thousands of vehicles: what the dashboard hears is the same as from the vehicles themselves,
//! and the machine is spared their connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use anyhow::{Result, ensure};
use bugbrother_kit::{port, system::System};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, Topic, encode,
    message::{Clock, Presence, Row, Status, Telemetry},
    topic::Kind,
    unix_ms,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{self, KEYS, Sample},
    packet::{self, Connect},
};

/// The broker takes 5,000 messages a second of a user.
const GATEWAYS: usize = 4;
/// Different drives, and samples of each.
const DRIVES: usize = 50;
const SAMPLES: usize = 600;
/// Between two looks at what is due.
const STEP: Duration = Duration::from_millis(10);
/// Between two messages of a vehicle.
const PERIOD: Duration = Duration::from_secs(1);

/// Gives the gateways their accounts, and one to the vehicle whose messages are timed.
pub fn admit(system: &System) -> Result<()> {
    let watched = drive::vin(super::pixel::WATCHED).to_string();
    for name in (0..GATEWAYS).map(name).chain([watched]) {
        system.add_account(&name, &name, "topic write fleet/v1/+/up/#")?;
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("gateway-{number}")
}

/// Gateways at work.
pub struct Gateways {
    published: Arc<AtomicU64>,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Gateways {
    /// Begins to publish for so many vehicles.
    pub fn start(system: &System, vehicles: usize) -> Result<Self> {
        let drives: Vec<Vec<Sample>> = (0..DRIVES).map(|number| drive::drive(number, SAMPLES)).collect();
        let (published, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let (broker, count, stopped) = (port::local(system.mqtt()), Arc::clone(&published), stop.clone());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let drives = Arc::new(drives);
            runtime.block_on(async {
                let all = (0..GATEWAYS).map(|number| {
                    let numbers = (number..vehicles).step_by(GATEWAYS).collect();
                    let gateway = Gateway { numbers, drives: Arc::clone(&drives), published: Arc::clone(&count) };
                    gateway.work(broker, name(number), stopped.clone())
                });
                futures_util::future::try_join_all(all).await.map(drop)
            })
        };
        let thread = std::thread::Builder::new().name("gateways".into()).spawn(work)?;
        Ok(Gateways { published, stop, thread: Some(thread) })
    }

    /// Messages that were published so far.
    pub fn published(&self) -> u64 {
        self.published.load(Relaxed)
    }

    /// Publishes no more.
    pub fn leave(mut self) -> Result<()> {
        self.stop.cancel();
        match self.thread.take() {
            Some(thread) => thread.join().map_err(|_| anyhow::anyhow!("the gateways' thread panicked"))?,
            None => Ok(()),
        }
    }
}

impl Drop for Gateways {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Gateway {
    numbers: Vec<usize>,
    drives: Arc<Vec<Vec<Sample>>>,
    published: Arc<AtomicU64>,
}

impl Gateway {
    /// Publishes for each of its vehicles in turn, so that the turn comes round in a second.
    async fn work(self, broker: SocketAddr, name: String, stop: CancellationToken) -> Result<()> {
        let mut stream = TcpStream::connect(broker).await?;
        stream.set_nodelay(true)?;
        let mut out = Vec::new();
        packet::connect(&mut out, &Connect { client_id: &name, user: &name, password: &name, will: None });
        stream.write_all(&out).await?;
        out.clear();
        let (mut read, mut write) = stream.into_split();
        let hearing = tokio::spawn(async move {
            let mut inbound = Vec::new();
            while read.read_buf(&mut inbound).await? > 0 {
                let mut at = 0;
                while let Some((first, body, length)) = packet::take(&inbound[at..]) {
                    let refused = match first >> 4 {
                        2 => body[1],
                        4 => body.get(2).copied().unwrap_or(0),
                        other => other,
                    };
                    ensure!(refused < 0x80, "{name} was refused with {refused:#x}");
                    at += length;
                }
                inbound.drain(..at);
            }
            Ok(())
        });
        // Who does not say that it is there is silent, whatever it tells.
        let since = unix_ms(SystemTime::now());
        for number in &self.numbers {
            let vin = drive::vin(*number);
            let (epoch, status) = (Epoch(since as u64), Presence::Online);
            let status = Status { v: SCHEMA_VERSION, vin, epoch, status, since, reason: None };
            packet::publish(&mut out, &Topic::new(vin, Kind::Status).to_string(), 60_001, &encode(&status));
        }
        write.write_all(&out).await?;
        let (began, mut sent, mut steps) = (Instant::now(), 0_usize, interval(STEP));
        let epoch = unix_ms(SystemTime::now()) as u64;
        let mut batch = Telemetry {
            v: SCHEMA_VERSION,
            vin: drive::vin(0),
            epoch: Epoch(epoch),
            seq: Seq(0),
            t0: 0,
            clock: Clock::Gnss,
            keys: KEYS.map(str::to_owned).to_vec(),
            rows: vec![Row { dt_ms: 0, values: Vec::new() }],
            gap: None,
        };
        while stop.run_until_cancelled(steps.tick()).await.is_some() && !hearing.is_finished() {
            let due = (began.elapsed().as_secs_f64() / PERIOD.as_secs_f64() * self.numbers.len() as f64) as usize;
            out.clear();
            let first = sent;
            while sent < due {
                let (number, round) = (self.numbers[sent % self.numbers.len()], sent / self.numbers.len());
                batch.vin = drive::vin(number);
                batch.seq = Seq(round as u64 + 1);
                batch.t0 = unix_ms(SystemTime::now());
                batch.rows[0].values = self.sample(number, round).to_vec();
                let topic = Topic::new(batch.vin, Kind::Telemetry).to_string();
                packet::publish(&mut out, &topic, (sent % 60_000) as u16 + 1, &encode(&batch));
                sent += 1;
            }
            write.write_all(&out).await?;
            self.published.fetch_add((sent - first) as u64, Relaxed);
        }
        if hearing.is_finished() {
            return hearing.await?;
        }
        hearing.abort();
        Ok(())
    }

    /// What a vehicle measures: the drive of one of the demo's cars, each in a place of its own in a country.
    fn sample(&self, number: usize, round: usize) -> Sample {
        let drive = &self.drives[number % self.drives.len()];
        let mut sample = drive[(round + number / self.drives.len() * 7) % drive.len()];
        let place = |step: f64| (number as f64 * step).fract() - 0.5;
        let shift = [place(0.618_033_988_75) * 5.0, place(std::f64::consts::SQRT_2) * 8.0];
        for (value, shift) in sample.iter_mut().zip(shift) {
            *value = value.map(|value| ((value + shift) * 1e7).round() / 1e7);
        }
        sample
    }
}
