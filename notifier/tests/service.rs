//! The service against Debian's Mosquitto and a database file.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use bugbrother_client::{Event, Events, Options, Publisher, Qos, connect};
use bugbrother_kit::{mosquitto::Mosquitto, port, wait};
use bugbrother_notifier::{Config, post::Settings, run};
use bugbrother_store::{Condition, Store};
use bugbrother_wire::{
    AlertId, Epoch, Message, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, decode, encode,
    message::{Alert, AlertState, Clock, Row, Telemetry},
    topic::{ALL_ALERTS, Kind},
    unix_ms,
};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LIMIT: Duration = Duration::from_secs(20);

fn golf() -> Vin {
    "WVWZZZ1JZ3W386752".parse().expect("it is a VIN")
}

/// A notifier and somebody who listens to its alerts and drives.
struct Bench {
    port: u16,
    store: Store,
    folder: TempDir,
    person: Publisher,
    heard: Events,
    notifier: JoinHandle<Result<(), bugbrother_notifier::Error>>,
    leave: CancellationToken,
    shutdown: CancellationToken,
    /// When the drive began.
    t0: UnixMs,
}

impl Bench {
    async fn new(port: u16) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&url(&folder)).await?;
        let shutdown = CancellationToken::new();
        let (person, heard) = listener(port, &shutdown).await?;
        let leave = CancellationToken::new();
        let notifier = start(port, &store, &leave);
        Ok(Bench { port, store, folder, person, heard, notifier, leave, shutdown, t0: unix_ms(SystemTime::now()) })
    }

    async fn restart(&mut self) -> Result<()> {
        self.leave.cancel();
        timeout(LIMIT, &mut self.notifier).await???;
        self.leave = CancellationToken::new();
        self.notifier = start(self.port, &self.store, &self.leave);
        Ok(())
    }

    async fn drive(&self, at: i64, kmh: f64) -> Result<()> {
        let rows = (0..5).map(|n| Row { dt_ms: n * 1000, values: vec![Some(kmh)] }).collect();
        let batch = Telemetry {
            v: SCHEMA_VERSION,
            vin: golf(),
            epoch: Epoch(1),
            seq: Seq(1),
            t0: self.t0 + at,
            clock: Clock::Gnss,
            keys: vec!["spd".into()],
            rows,
            gap: None,
        };
        let topic = Topic::new(golf(), Kind::Telemetry).to_string();
        self.person.publish(topic, encode(&batch), Qos::AtLeastOnce, false).await?.await?;
        Ok(())
    }

    /// Drives at that speed from `at` on until an alert says so: whether the notifier listens, only its word tells.
    async fn drive_until_alert(&mut self, at: i64, kmh: f64) -> Result<Alert> {
        let answer = async {
            for at in (at..).step_by(5000) {
                self.drive(at, kmh).await?;
                if let Ok(alert) = timeout(Duration::from_millis(300), next_alert(&mut self.heard)).await {
                    return alert;
                }
            }
            unreachable!("time does not end")
        };
        timeout(LIMIT, answer).await.context("no alert")?
    }

    async fn meddle(&self, sql: &'static str) -> Result<()> {
        let pool = sqlx::AnyPool::connect(&url(&self.folder)).await?;
        sqlx::raw_sql(sql).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        self.leave.cancel();
        timeout(LIMIT, self.notifier).await???;
        self.shutdown.cancel();
        Ok(())
    }
}

fn start(port: u16, store: &Store, leave: &CancellationToken) -> JoinHandle<Result<(), bugbrother_notifier::Error>> {
    let mqtt = Options::new("127.0.0.1", port, "", "notifier", "");
    tokio::spawn(run(Config { mqtt, store: store.clone(), post: Settings::default() }, leave.clone()))
}

async fn listener(port: u16, shutdown: &CancellationToken) -> Result<(Publisher, Events)> {
    let name = Uuid::new_v4().to_string();
    let mut options = Options::new("127.0.0.1", port, name, "person", "");
    options.subscriptions = vec![(ALL_ALERTS.to_owned(), Qos::AtLeastOnce)];
    let (publisher, mut events) = connect(options, shutdown.clone());
    while !matches!(timeout(LIMIT, events.recv()).await?, Some(Event::Up)) {}
    Ok((publisher, events))
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}/fleet.db", folder.path().display())
}

async fn next(heard: &mut Events) -> Result<(Topic, Message)> {
    loop {
        let event = timeout(LIMIT, heard.recv()).await.context("nothing is said of an alert")?;
        if let Some(Event::Message(delivery)) = event {
            delivery.ack();
            let topic: Topic = delivery.topic.parse()?;
            return Ok((topic, decode(&topic, &delivery.payload)?));
        }
    }
}

async fn next_alert(heard: &mut Events) -> Result<Alert> {
    loop {
        if let (_, Message::Alert(alert)) = next(heard).await? {
            return Ok(alert);
        }
    }
}

#[tokio::test]
async fn speeding_is_said_stored_resolved_and_cleared() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(broker.port()).await?;
    bench.person.publish("fleet/v1/x/up/telemetry", "\u{1}junk", Qos::AtLeastOnce, false).await?.await?;
    let alert = bench.drive_until_alert(0, 142.0).await?;
    assert_eq!((alert.vin, alert.rule.as_str(), alert.state), (golf(), "fast", AlertState::Open));
    assert_eq!((alert.value, alert.title.as_str()), (Some(142.0), "Faster than 130 km/h"));

    let (_late, mut late) = listener(broker.port(), &bench.shutdown).await?;
    assert_eq!(next_alert(&mut late).await?.id, alert.id, "kept for who comes later");

    bench.drive(3_600_000, 80.0).await?;
    let resolved = next_alert(&mut bench.heard).await?;
    assert_eq!((resolved.id, resolved.state), (alert.id, AlertState::Resolved));
    let (topic, cleared) = next(&mut bench.heard).await?;
    assert_eq!((topic, cleared), (Topic::new(golf(), Kind::Alert(alert.id)), Message::AlertCleared));
    wait::until("the alert is stored as resolved", LIMIT, || async {
        let stored = bench.store.alerts(None, 10).await.ok()?;
        (stored == [resolved.clone()]).then_some(())
    })
    .await?;
    assert!(bench.store.active_alerts(10).await?.is_empty());
    bench.stop().await
}

#[tokio::test]
async fn a_restart_of_the_notifier_and_of_the_broker_leaves_the_alert_as_it_is() -> Result<()> {
    let port = port::free()?;
    let broker = Mosquitto::open_to_all_on(port)?;
    let mut bench = Bench::new(port).await?;
    let alert = bench.drive_until_alert(0, 142.0).await?;
    bench.restart().await?;
    let repeated = next_alert(&mut bench.heard).await?;
    assert_eq!((repeated.id, repeated.opened, repeated.count), (alert.id, alert.opened, 1));

    // The broker keeps retained messages in memory alone.
    drop(broker);
    let _broker = Mosquitto::open_to_all_on(port)?;
    let again = next_alert(&mut bench.heard).await?;
    assert_eq!(again.id, alert.id);

    let resolved = bench.drive_until_alert(7_200_000, 50.0).await?;
    assert_eq!((resolved.id, resolved.state), (alert.id, AlertState::Resolved));
    assert_eq!(bench.store.alerts(None, 10).await?.len(), 1);
    bench.stop().await
}

#[tokio::test]
async fn an_acknowledgement_in_the_database_is_kept_and_said() -> Result<()> {
    let port = port::free()?;
    let broker = Mosquitto::open_to_all_on(port)?;
    let mut bench = Bench::new(port).await?;
    let alert = bench.drive_until_alert(0, 142.0).await?;
    bench.meddle("UPDATE alert SET state = 'acknowledged', acknowledged_by = 'ada'").await?;
    let acknowledged = Alert { state: AlertState::Acknowledged, acknowledged_by: Some("ada".into()), ..alert };

    drop(broker);
    let _broker = Mosquitto::open_to_all_on(port)?;
    assert_eq!(next_alert(&mut bench.heard).await?, acknowledged);
    assert_eq!(bench.store.active_alerts(10).await?, std::slice::from_ref(&acknowledged));

    let resolved = bench.drive_until_alert(7_200_000, 50.0).await?;
    assert_eq!((resolved.state, resolved.acknowledged_by), (AlertState::Resolved, Some("ada".into())));
    bench.stop().await
}

#[tokio::test]
async fn a_vehicle_that_falls_silent_is_missed() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(broker.port()).await?;
    let mut silent = bench.store.rules().await?.remove(1);
    silent.condition = Condition::Silent { after_ms: 1500 };
    bench.store.save_rule(&silent).await?;
    bench.restart().await?;
    let fast = bench.drive_until_alert(0, 142.0).await?;
    let alert = next_alert(&mut bench.heard).await?;
    assert_eq!((alert.rule.as_str(), alert.state), ("silent", AlertState::Open));
    bench.drive(3_600_000, 50.0).await?;
    let over = [next_alert(&mut bench.heard).await?, next_alert(&mut bench.heard).await?];
    assert!(over.iter().all(|alert| alert.state == AlertState::Resolved));
    assert!(over.iter().any(|over| over.id == alert.id) && over.iter().any(|over| over.id == fast.id));
    bench.stop().await
}

#[tokio::test]
async fn an_alert_that_the_broker_kept_and_nobody_knows_is_cleared() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(broker.port()).await?;
    let mut stale = bench.drive_until_alert(0, 142.0).await?;
    stale.id = AlertId(Uuid::from_u128(99));
    let topic = Topic::new(golf(), Kind::Alert(stale.id));
    bench.person.publish(topic.to_string(), encode(&stale), Qos::AtLeastOnce, true).await?.await?;
    bench.restart().await?;
    loop {
        let (of, message) = next(&mut bench.heard).await?;
        if message == Message::AlertCleared {
            assert_eq!(of, topic);
            break;
        }
    }
    assert_eq!(bench.store.active_alerts(10).await?.len(), 1);
    bench.stop().await
}

#[tokio::test]
async fn a_database_that_fails_does_not_keep_an_alert_from_being_said() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(broker.port()).await?;
    bench.meddle("CREATE TRIGGER full BEFORE INSERT ON alert BEGIN SELECT RAISE(ABORT, 'disk full'); END").await?;
    let alert = bench.drive_until_alert(0, 142.0).await?;
    assert!(bench.store.active_alerts(10).await?.is_empty());
    bench.meddle("DROP TRIGGER full").await?;
    wait::until("the alert is stored", LIMIT, || async {
        let stored = bench.store.active_alerts(10).await.ok()?;
        stored.iter().any(|stored| stored.id == alert.id).then_some(())
    })
    .await?;
    bench.stop().await
}
