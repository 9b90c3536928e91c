//! A database with a fleet in it, and a post that works at its queue.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use bugbrother_kit::wait;
use bugbrother_notifier::post::{Post, Settings, gate::Gate};
use bugbrother_store::{
    Assignment, Channel, ChannelSettings, Client, ClientId, Contract, ContractId, DeliveryFilter, DeliveryRecord,
    Store, User,
};
use bugbrother_wire::{
    AlertId, ChannelId, SCHEMA_VERSION, UnixMs, Vin,
    api::{ChannelKind, DeliveryState, Role},
    message::{Alert, AlertState, Severity},
    unix_ms,
};
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longest that a test waits for anything.
pub const LIMIT: Duration = Duration::from_secs(30);
pub const DASHBOARD: &str = "https://fleet.example.org";

pub struct Rig {
    pub store: Store,
    pub client: ClientId,
    pub said: Arc<Mutex<Vec<Alert>>>,
    _folder: TempDir,
}

/// A post at work.
pub struct Working {
    stop: CancellationToken,
    news: Arc<Notify>,
    task: JoinHandle<()>,
}

pub fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}

pub fn vin(n: usize) -> Vin {
    format!("WVWZZZ1JZ3W{n:06}").parse().expect("digits may stand in a VIN")
}

/// Settings with which this machine may be reached, and what fails is tried again soon.
pub fn settings() -> Settings {
    Settings {
        gate: Gate::new(["127.0.0.0/8".parse().expect("it is a network")]),
        dashboard: Some(DASHBOARD.to_owned()),
        first_wait: Duration::from_millis(50),
        ..Settings::default()
    }
}

impl Rig {
    /// A fleet with one vehicle, which a client has.
    pub async fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
        Self::on(store, folder).await
    }

    pub async fn on(store: Store, folder: TempDir) -> Result<Self> {
        let (client, contract) = (ClientId(Uuid::now_v7()), ContractId(Uuid::now_v7()));
        store.name_vehicle(vin(1), "Van 7", Some("VD 123 456"), now()).await?;
        let record = Client {
            id: client,
            name: "Rossi & Fils".into(),
            contact: Some("Ada Rossi".into()),
            email: None,
            phone: Some("+41 21 555 01 02".into()),
            note: None,
            created: now(),
            archived: None,
        };
        store.add_client(&record).await?;
        let terms = Contract {
            id: contract,
            client,
            title: "All of it".into(),
            starts: now() - 1000,
            ends: None,
            retention_days: None,
            media_retention_days: None,
            video: false,
            options: serde_json::Map::new(),
            note: None,
        };
        store.add_contract(&terms).await?;
        store.assign_vehicle(&Assignment { contract, vin: vin(1), from: now() - 1000, to: None }, now()).await?;
        Ok(Rig { store, client, said: Arc::default(), _folder: folder })
    }

    pub async fn person(&self, name: &str, role: Role) -> Result<()> {
        let user = User { name: name.to_owned(), password_hash: "hash".into(), role };
        self.store.add_user(&user, now()).await?;
        let account = self.store.account(name).await?.context("it was just added")?;
        let client = (role == Role::Client).then_some(self.client);
        let email = Some(format!("{name}@example.org"));
        self.store.update_account(&bugbrother_store::Account { client, email, ..account }, now()).await?;
        Ok(())
    }

    /// A channel of somebody, or of the fleet.
    pub async fn channel(
        &self,
        account: Option<&str>,
        kind: ChannelKind,
        target: &str,
        secret: Option<&str>,
    ) -> Result<ChannelId> {
        let channel = Channel {
            id: ChannelId(Uuid::now_v7()),
            account: account.map(str::to_owned),
            kind,
            label: "Night shift".into(),
            settings: ChannelSettings {
                target: target.to_owned(),
                severities: vec![Severity::Warning, Severity::Critical],
                ..ChannelSettings::default()
            },
            has_secret: secret.is_some(),
            enabled: true,
            created: now(),
            failing: None,
        };
        anyhow::ensure!(self.store.add_channel(&channel, secret).await?, "there is room for it");
        Ok(channel.id)
    }

    /// An alert of the vehicle, near Lausanne.
    pub fn alert(&self) -> Alert {
        Alert {
            v: SCHEMA_VERSION,
            vin: vin(1),
            id: AlertId(Uuid::now_v7()),
            // A rule has one active alert of a vehicle.
            rule: format!("hot {}", Uuid::now_v7()),
            title: "Coolant above 115 °C".into(),
            severity: Severity::Warning,
            state: AlertState::Open,
            opened: now(),
            updated: now(),
            resolved: None,
            count: 1,
            value: Some(118.5),
            signal: Some("ect".into()),
            limit: Some(115.0),
            lat: Some(46.5197),
            lon: Some(6.6323),
            acknowledged_by: None,
            late: false,
            detail: None,
        }
    }

    pub fn post(&self, settings: Settings) -> Result<Working> {
        let said = self.said.clone();
        let tell = Arc::new(move |alert| said.lock().expect("nobody panics with it").push(alert));
        let post = Post::new(self.store.clone(), settings, tell)?;
        let (stop, news) = (CancellationToken::new(), Arc::new(Notify::new()));
        let task = tokio::spawn(post.run(news.clone(), stop.clone()));
        Ok(Working { stop, news, task })
    }

    /// The deliveries of a channel, newest first, once they are as they are wanted.
    pub async fn deliveries(
        &self,
        channel: ChannelId,
        are: impl Fn(&[DeliveryRecord]) -> bool,
    ) -> Result<Vec<DeliveryRecord>> {
        let filter = DeliveryFilter { channel: Some(channel), state: None };
        wait::until("deliveries come to their end", LIMIT, || async {
            let found = self.store.deliveries(filter, None, 1_000).await.ok()?;
            are(&found).then_some(found)
        })
        .await
    }

    /// The one delivery of a channel, once it has come to its end.
    pub async fn outcome(&self, channel: ChannelId) -> Result<DeliveryRecord> {
        let ended = |found: &[DeliveryRecord]| found.len() == 1 && found[0].state != DeliveryState::Waiting;
        Ok(self.deliveries(channel, ended).await?.remove(0))
    }
}

impl Working {
    /// Says that an alert was stored.
    pub fn look(&self) {
        self.news.notify_one();
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(timeout(LIMIT, self.task).await??)
    }

    /// Ends it in the middle of whatever it does, as kill -9 would.
    pub fn kill(self) {
        self.task.abort();
    }
}
