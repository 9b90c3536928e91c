use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use bugbrother_kit::{
    mqtt::{Client, Connect},
    port,
    system::System,
    tls,
};
use bugbrother_pki::{Authority, new_key_and_request};
use bugbrother_wire::Vin;
use rustls::ClientConfig;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval_at, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::figures::Latencies;

pub const VEHICLES: usize = 50;
/// Between two messages of one vehicle.
pub const PERIOD: Duration = Duration::from_millis(100);
/// About what a batch of ten seconds takes.
pub const PAYLOAD: usize = 600;

const OBSERVER: &str = "observer";
const LIMIT: Duration = Duration::from_secs(60);

/// A vehicle and its certificate.
pub type Keys = (Vin, Arc<ClientConfig>);

/// Makes the vehicles and an account that hears all of them.
pub fn enrol(system: &System) -> Result<Vec<Keys>> {
    system.add_account(OBSERVER, OBSERVER, "topic read fleet/v1/+/up/#")?;
    let authority = Authority::open_or_create(&system.data().join("secrets/ca"), SystemTime::now())?;
    let keys = |n: usize| {
        let vin: Vin = format!("WVWZZZ1JZ3W{n:06}").parse()?;
        let (key, request) = new_key_and_request(vin.as_str())?;
        let issued = authority.sign_vehicle(&request, vin, SystemTime::now())?;
        Ok((vin, tls::client(authority.certificate_pem(), Some((&issued.pem, &key)))?))
    };
    (0..VEHICLES).map(keys).collect()
}

/// Vehicles that publish and a subscriber that measures, until they leave.
pub struct Fleet {
    heard: mpsc::UnboundedReceiver<f64>,
    tasks: JoinSet<Result<()>>,
    stop: CancellationToken,
}

impl Fleet {
    pub async fn connect(system: &System, keys: &[Keys]) -> Result<Self> {
        let (began, stop, mut tasks) = (Instant::now(), CancellationToken::new(), JoinSet::new());
        let observer = Connect::new(5, OBSERVER, OBSERVER);
        let mut observer = Client::connect(port::local(system.mqtt()), &observer).await?;
        anyhow::ensure!(observer.subscribe("fleet/v1/+/up/#").await? == 1, "the observer may not hear the fleet");
        let (tell, heard) = mpsc::unbounded_channel();
        let stopped = stop.clone();
        tasks.spawn(async move {
            while let Some(message) = stopped.run_until_cancelled(observer.message()).await {
                let message = message?;
                let sent = message.payload.first_chunk().context("a moment at the beginning")?;
                let sent = Duration::from_nanos(u64::from_le_bytes(*sent));
                if tell.send((began.elapsed().saturating_sub(sent)).as_secs_f64() * 1e6).is_err() {
                    break;
                }
            }
            Ok(())
        });
        for (n, (vin, config)) in keys.iter().enumerate() {
            let stream = tls::connect(port::local(system.vehicles()), Arc::clone(config)).await?;
            let client = Client::offer(stream, &Connect::nameless(5, vin.as_str())).await?;
            let client = client.map_err(|code| anyhow::anyhow!("{vin} was refused with {code:#x}"))?;
            let first = Instant::now() + PERIOD + PERIOD * n as u32 / VEHICLES as u32;
            tasks.spawn(drive(client, *vin, began, first, stop.clone()));
        }
        Ok(Fleet { heard, tasks, stop })
    }

    /// The latencies of the messages that arrive in so much time.
    pub async fn measure(&mut self, time: Duration) -> Result<Latencies> {
        while self.heard.try_recv().is_ok() {}
        let began = Instant::now();
        let mut all = Vec::new();
        while began.elapsed() < time {
            if let Some(ended) = self.tasks.try_join_next() {
                ended?.context("one of the fleet")?;
            }
            all.push(
                timeout(LIMIT, self.heard.recv()).await.context("nothing is heard")?.context("the observer ended")?,
            );
        }
        Ok(Latencies::new(all))
    }

    /// Lets what was before fade away.
    pub async fn rest(&mut self, time: Duration) -> Result<()> {
        self.measure(time).await.map(drop)
    }

    pub async fn leave(mut self) -> Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// Publishes at each tick. A message that has to wait for the one before is as old as its tick.
async fn drive(mut client: Client, vin: Vin, began: Instant, first: Instant, stop: CancellationToken) -> Result<()> {
    let topic = format!("fleet/v1/{vin}/up/telemetry");
    let mut ticks = interval_at(first.into(), PERIOD);
    let mut payload = vec![0; PAYLOAD];
    while let Some(tick) = stop.run_until_cancelled(ticks.tick()).await {
        let due = tick.into_std().saturating_duration_since(began).as_nanos() as u64;
        payload[..8].copy_from_slice(&due.to_le_bytes());
        let code = client.publish(&topic, &payload, 1, false).await?;
        anyhow::ensure!(code == 0, "{vin}: PUBACK {code:#x}");
    }
    client.leave().await
}
