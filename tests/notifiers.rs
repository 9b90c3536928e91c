//! Two notifiers share twenty vehicles on a PostgreSQL: one is killed, one is paused and comes back, and each alert is opened
//! once and resolved once.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_client::{Event, Events, Options, Publisher, Qos, connect};
use bugbrother_kit::{
    broker::Broker,
    postgres::Postgres,
    process::{Process, program},
    system::{Stores, System},
    wait,
};
use bugbrother_store::{AlertEventKind, Condition, Rule, Store};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, encode,
    message::{Alert, AlertState, Clock, Row, Telemetry},
    topic::Kind,
    unix_ms,
};
use tokio::time::{Interval, interval, timeout};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);
/// Until another notifier has taken over.
const TAKE_OVER: Duration = Duration::from_secs(10);
const VEHICLES: usize = 20;
/// Between two messages of a vehicle, in which it drives for three seconds of its own.
const EVERY: Duration = Duration::from_millis(500);
const CALM: f64 = 100.0;
const FAST: f64 = 150.0;

/// A broker, an ingest, a database, and somebody who drives twenty vehicles.
struct Fleet {
    system: System,
    store: Store,
    driver: Publisher,
    _heard: Events,
    shutdown: CancellationToken,
    vins: Vec<Vin>,
    /// Time of the vehicles, which runs faster than ours and stays behind it.
    at: UnixMs,
    seq: u64,
    pace: Interval,
}

impl Fleet {
    async fn start(stores: Stores) -> Result<Self> {
        let mut system = System::on_stores(Broker::Embedded, stores)?;
        system.start("broker").await?;
        system.start("ingest").await?;
        system.add_account("driver", "secret", "topic write fleet/v1/#")?;
        let shutdown = CancellationToken::new();
        let options = Options::new("127.0.0.1", system.mqtt(), "driver", "driver", "secret");
        let (driver, mut heard) = connect(options, shutdown.clone());
        while !matches!(timeout(LIMIT, heard.recv()).await?, Some(Event::Up)) {}
        let store = Store::open(&system.database()).await?;
        let vins = (0..VEHICLES).map(|n| Ok(format!("WVWZZZ1JZ3W{n:06}").parse()?)).collect::<Result<_>>()?;
        let at = unix_ms(SystemTime::now()) - 9 * 60_000;
        Ok(Fleet { system, store, driver, _heard: heard, shutdown, vins, at, seq: 0, pace: interval(EVERY) })
    }

    /// Starts a notifier of that name.
    fn notifier(&self, name: &str) -> Result<Process> {
        let (mqtt, data) = (format!("127.0.0.1:{}", self.system.mqtt()), self.system.data().display().to_string());
        let database = self.system.database();
        let environment = [("BUGBROTHER_DATABASE", database.as_str()), ("NO_COLOR", "1")];
        let arguments = ["notifier", "--mqtt", &mqtt, "--data", &data];
        Process::start(self.system.dir(), name, &program("bugbrother")?, &arguments, &environment)
    }

    /// All drive for three seconds of their time.
    async fn drive(&mut self, kmh: f64) -> Result<()> {
        self.pace.tick().await;
        self.seq += 1;
        for vin in &self.vins {
            let rows = (0..3).map(|n| Row { dt_ms: n * 1000, values: vec![Some(kmh)] }).collect();
            let batch = Telemetry {
                v: SCHEMA_VERSION,
                vin: *vin,
                epoch: Epoch(1),
                seq: Seq(self.seq),
                t0: self.at,
                clock: Clock::Gnss,
                keys: vec!["spd".into()],
                rows,
                gap: None,
            };
            let topic = Topic::new(*vin, Kind::Telemetry).to_string();
            self.driver.publish(topic, encode(&batch), Qos::AtLeastOnce, false).await?.await?;
        }
        self.at += 3_000;
        Ok(())
    }

    /// Drives on like that until it has come to something; how long that took.
    async fn drive_until(
        &mut self,
        kmh: f64,
        what: &str,
        come: impl AsyncFn(&Store) -> Result<bool>,
    ) -> Result<Duration> {
        let began = Instant::now();
        while !come(&self.store).await? {
            ensure!(began.elapsed() < LIMIT, "waited in vain for: {what}");
            self.drive(kmh).await?;
        }
        Ok(began.elapsed())
    }

    /// Waits until the shards are spread like that over the notifiers that live.
    async fn spread(&self, parts: &[usize]) -> Result<()> {
        let wanted = parts.to_vec();
        wait::until(&format!("shards are spread {parts:?}"), LIMIT, || async {
            let mut spread = self.held().await.ok()?;
            spread.sort_unstable();
            (spread == wanted).then_some(())
        })
        .await
    }

    /// How many shards each holder has.
    async fn held(&self) -> Result<Vec<usize>> {
        let pool = sqlx::AnyPool::connect(&self.system.database()).await?;
        let sql = "SELECT COUNT(*) FROM lease WHERE holder IS NOT NULL GROUP BY holder";
        let counts: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&pool).await?;
        pool.close().await;
        Ok(counts.into_iter().map(|count| count as usize).collect())
    }

    /// Each vehicle has had one alert, which was opened once and resolved once.
    async fn each_was_opened_and_resolved_once(&self) -> Result<()> {
        let alerts = self.store.alerts(None, 1_000).await?;
        let of: BTreeSet<_> = alerts.iter().map(|alert| alert.vin).collect();
        assert_eq!((alerts.len(), of.len()), (VEHICLES, VEHICLES), "one for each vehicle");
        for Alert { id, state, .. } in alerts {
            assert_eq!(state, AlertState::Resolved);
            let kinds: Vec<_> =
                self.store.alert_events(id, 0, 100).await?.into_iter().map(|event| event.kind).collect();
            assert_eq!(kinds, [AlertEventKind::Opened, AlertEventKind::Resolved]);
        }
        Ok(())
    }

    async fn end(mut self, notifiers: impl IntoIterator<Item = Process>) -> Result<()> {
        for mut notifier in notifiers {
            assert!(notifier.terminate(LIMIT).await?.success());
            assert!(!notifier.logged().contains("panicked"), "{}", notifier.logged());
        }
        assert_eq!(self.held().await?, [0_usize; 0], "who leaves gives everything up");
        self.shutdown.cancel();
        self.system.check_running()?;
        self.system.check_logs()
    }
}

async fn active(store: &Store) -> Result<usize> {
    Ok(store.active_alerts(1_000).await?.len())
}

async fn all_are_active(store: &Store) -> Result<bool> {
    Ok(active(store).await? == VEHICLES)
}

async fn none_is_active(store: &Store) -> Result<bool> {
    Ok(active(store).await? == 0)
}

async fn postgres() -> Result<(Postgres, Stores)> {
    let postgres = Postgres::start().await?;
    let database = postgres.create_database("fleet").await?;
    Ok((postgres, Stores { database: Some(database), telemetry: None }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_notifier_is_followed_by_another_within_ten_seconds_and_each_alert_is_there_once() -> Result<()> {
    let (_postgres, stores) = postgres().await?;
    let mut fleet = Fleet::start(stores).await?;
    let mut one = fleet.notifier("one")?;
    fleet.spread(&[64]).await?;
    let two = fleet.notifier("two")?;
    fleet.spread(&[32, 32]).await?;
    fleet.drive(CALM).await?;

    // They have just begun to speed: no notifier has had the time to raise anything of the one's vehicles.
    one.kill()?;
    let killed = Instant::now();
    fleet.drive(FAST).await?;
    fleet.drive_until(FAST, "every vehicle has its alert", all_are_active).await?;
    let raised = killed.elapsed();
    fleet.spread(&[64]).await?;
    println!("taken over and raised {:.1} s after the kill", raised.as_secs_f64());
    assert!(raised < TAKE_OVER, "{raised:?}");

    // And with alerts that are active: who comes and who is killed takes nothing away.
    let three = fleet.notifier("three")?;
    fleet.spread(&[32, 32]).await?;
    let mut two = two;
    two.kill()?;
    let took = fleet.drive_until(CALM, "every alert is resolved", none_is_active).await?;
    println!("taken over and resolved {:.1} s after the kill", took.as_secs_f64());
    assert!(took < TAKE_OVER, "{took:?}");
    fleet.each_was_opened_and_resolved_once().await?;
    fleet.end([three]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_that_was_paused_and_comes_back_changes_nothing() -> Result<()> {
    let (_postgres, stores) = postgres().await?;
    let mut fleet = Fleet::start(stores).await?;
    let one = fleet.notifier("one")?;
    fleet.spread(&[64]).await?;
    let two = fleet.notifier("two")?;
    fleet.spread(&[32, 32]).await?;
    fleet.drive(CALM).await?;

    one.signal("STOP")?;
    fleet.drive_until(FAST, "every vehicle has its alert", all_are_active).await?;
    fleet.drive_until(CALM, "every alert is resolved", none_is_active).await?;
    fleet.each_was_opened_and_resolved_once().await?;

    // What it had not read yet is full of alerts that it would raise.
    one.signal("CONT")?;
    wait::until("it finds out", LIMIT, || {
        std::future::ready(one.logged().contains("others have taken over").then_some(()))
    })
    .await?;
    fleet.spread(&[32, 32]).await?;
    fleet.drive(CALM).await?;
    fleet.each_was_opened_and_resolved_once().await?;
    fleet.end([one, two]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_notifier_on_a_file_goes_on_after_a_kill_where_it_was() -> Result<()> {
    let mut fleet = Fleet::start(Stores::default()).await?;
    let mut notifier = fleet.notifier("one")?;
    fleet.spread(&[64]).await?;
    fleet.drive_until(FAST, "every vehicle has its alert", all_are_active).await?;
    notifier.kill()?;
    let mut notifier = fleet.notifier("two")?;
    let took = fleet.drive_until(CALM, "every alert is resolved", none_is_active).await?;
    println!("a notifier that was killed and started again goes on after {:.1} s", took.as_secs_f64());
    assert!(took < TAKE_OVER, "{took:?}");
    fleet.each_was_opened_and_resolved_once().await?;
    // Told to stop, it leaves everything to the next one at once.
    assert!(notifier.terminate(LIMIT).await?.success());
    let next = fleet.notifier("three")?;
    let began = Instant::now();
    fleet.spread(&[64]).await?;
    let followed = began.elapsed();
    println!("one that is stopped is followed after {:.1} s", followed.as_secs_f64());
    assert!(followed < Duration::from_secs(4), "{followed:?}");
    fleet.end([next]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_begun_before_a_kill_goes_on_after_it() -> Result<()> {
    let mut fleet = Fleet::start(Stores::default()).await?;
    // A minute of a vehicle's time: ten seconds of ours.
    let rules = fleet.store.rules().await?;
    let fast = rules.into_iter().find(|rule| rule.id == "fast").context("every fleet begins with that rule")?;
    let Condition::Above { signals, on, off, .. } = fast.condition.clone() else { bail!("{fast:?}") };
    let condition = Condition::Above { signals, on, off, for_ms: 60_000 };
    fleet.store.save_rule(&Rule { condition, ..fast }).await?;
    let mut notifier = fleet.notifier("one")?;
    fleet.spread(&[64]).await?;
    fleet.drive(CALM).await?;
    let began = fleet.at;
    for _ in 0..8 {
        fleet.drive(FAST).await?;
    }
    assert_eq!(active(&fleet.store).await?, 0, "it has not lasted for a minute");
    notifier.kill()?;
    let killed = fleet.at;
    let notifier = fleet.notifier("two")?;
    fleet.drive_until(FAST, "every vehicle has its alert", all_are_active).await?;
    for alert in fleet.store.active_alerts(1_000).await? {
        assert!((began..killed).contains(&alert.opened), "it began before the kill: {alert:?}");
    }
    fleet.drive_until(CALM, "every alert is resolved", none_is_active).await?;
    fleet.each_was_opened_and_resolved_once().await?;
    fleet.end([notifier]).await
}

/// Only what is said of a vehicle in the end is on the broker: nothing, when its alerts are over.
#[tokio::test(flavor = "multi_thread")]
async fn no_alert_stays_on_the_broker_when_it_is_over() -> Result<()> {
    let (_postgres, stores) = postgres().await?;
    let mut fleet = Fleet::start(stores).await?;
    let mut one = fleet.notifier("one")?;
    let two = fleet.notifier("two")?;
    fleet.spread(&[32, 32]).await?;
    fleet.drive_until(FAST, "every vehicle has its alert", all_are_active).await?;
    one.kill()?;
    fleet.drive_until(CALM, "every alert is resolved", none_is_active).await?;
    let password = fleet.system.grant("listener", "fleet/v1/+/alert/#")?;
    wait::until("no alert is retained", LIMIT, || async {
        retained(fleet.system.mqtt(), &password).await.ok().filter(|count| *count == 0).map(|_| ())
    })
    .await?;
    fleet.end([two]).await
}

/// How many alerts the broker keeps.
async fn retained(port: u16, password: &str) -> Result<usize> {
    let shutdown = CancellationToken::new();
    let options = Options {
        subscriptions: vec![("fleet/v1/+/alert/#".to_owned(), Qos::AtLeastOnce)],
        ..Options::new("127.0.0.1", port, uuid::Uuid::new_v4().to_string(), "listener", password)
    };
    let (_listener, mut events) = connect(options, shutdown.clone());
    let mut count = 0;
    // What is retained comes right after the subscription.
    while let Ok(Some(event)) = timeout(Duration::from_millis(500), events.recv()).await {
        if let Event::Message(delivery) = event {
            count += usize::from(delivery.retained && !delivery.payload.is_empty());
            delivery.ack();
        }
    }
    shutdown.cancel();
    Ok(count)
}
