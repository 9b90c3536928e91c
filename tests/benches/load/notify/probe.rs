//! Vehicles that cross a limit again and again: one for each of the limits.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{Client, Connect};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, encode,
    message::{Alert, Clock, Row, Telemetry},
    topic::Kind,
    unix_ms,
};
use rand::Rng;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    clock,
    rules::{PROBED, Probed},
};
use crate::drive;

/// Numbers that no other vehicle has.
const FIRST: usize = 900_000;
/// A vehicle raises an alert of a rule every 10 s at most; it is beyond for some of these seconds.
const CYCLE_S: u32 = 10;
const BEYOND_S: u32 = 3;
/// And so much longer, so that it is in step with nothing.
const PAUSE_MS: std::ops::Range<u64> = 100..1_100;

/// That a limit was crossed. The clock of the probe is its alert's beginning.
#[derive(Debug, Clone, Copy)]
pub struct Crossing {
    vin: Vin,
    at: UnixMs,
    published_ms: f64,
}

impl PartialEq for Crossing {
    fn eq(&self, other: &Self) -> bool {
        (self.vin, self.at) == (other.vin, other.at)
    }
}

impl Eq for Crossing {}

impl std::hash::Hash for Crossing {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.vin, self.at).hash(state);
    }
}

impl Crossing {
    /// The one that an alert is about, if it is a probe's.
    pub fn of(alert: &Alert) -> Option<Self> {
        let is_probe = PROBED.iter().any(|probed| probed.rule == alert.rule);
        is_probe.then_some(Crossing { vin: alert.vin, at: alert.opened, published_ms: f64::NAN })
    }

    /// Our clock just before it was published.
    pub fn published_ms(&self) -> f64 {
        self.published_ms
    }
}

/// The numbers of these vehicles.
pub fn numbers() -> std::ops::Range<usize> {
    FIRST..FIRST + PROBED.len()
}

/// Probes on the road.
pub struct Probes(JoinSet<Result<Vec<Crossing>>>);

/// Has all of them cross their limits for so long.
pub fn start(mqtt: SocketAddr, time: Duration) -> Probes {
    let mut probes = JoinSet::new();
    for (number, probed) in numbers().zip(PROBED) {
        probes.spawn(drive(mqtt, drive::vin(number), probed, Instant::now() + time));
    }
    Probes(probes)
}

impl Probes {
    /// What they have crossed, in all.
    pub async fn finish(mut self) -> Result<Vec<Crossing>> {
        let mut all = Vec::new();
        while let Some(ended) = self.0.join_next().await {
            all.extend(ended??);
        }
        Ok(all)
    }
}

async fn drive(mqtt: SocketAddr, vin: Vin, probed: Probed, until: Instant) -> Result<Vec<Crossing>> {
    let mut client = Client::connect(mqtt, &Connect::new(5, vin.as_str(), vin.as_str())).await?;
    let topic = Topic::new(vin, Kind::Telemetry).to_string();
    let epoch = Epoch(unix_ms(SystemTime::now()) as u64);
    let mut crossings = Vec::new();
    let mut seq = 0;
    loop {
        let pause_ms = rand::rng().random_range(PAUSE_MS);
        sleep(Duration::from_millis(pause_ms)).await;
        if Instant::now() >= until {
            return Ok(crossings);
        }
        for second in 0..CYCLE_S {
            seq += 1;
            let value = if second < BEYOND_S { probed.beyond } else { probed.usual };
            let batch = Telemetry {
                v: SCHEMA_VERSION,
                vin,
                epoch,
                seq: Seq(seq),
                t0: unix_ms(SystemTime::now()),
                clock: Clock::Gnss,
                keys: ["lat", "lon", "gspd", probed.signal].map(str::to_owned).to_vec(),
                rows: vec![Row { dt_ms: 0, values: vec![Some(46.2), Some(6.1), Some(60.0), Some(value)] }],
                gap: None,
            };
            let (payload, published_ms) = (encode(&batch), clock());
            if second == 0 {
                crossings.push(Crossing { vin, at: batch.t0, published_ms });
            }
            let code = client.publish(&topic, &payload, 1, false).await.context("a probe publishes")?;
            ensure!(code == 0, "PUBACK {code:#x}");
            sleep(Duration::from_secs(1)).await;
        }
    }
}
