//! The service against Debian's Mosquitto and a database file.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use bugbrother_client::{Event, Events, Options, Publisher, Qos, connect};
use bugbrother_ingest::{Config, Health, run};
use bugbrother_kit::{mosquitto::Mosquitto, port, wait};
use bugbrother_store::Store;
use bugbrother_wire::{
    Epoch, Message, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, decode, encode,
    message::{Ack, Clock, Presence, Row, Status, Telemetry},
    topic::Kind,
    unix_ms,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(20);
const T0: UnixMs = 1_760_000_000_000;

fn golf() -> Vin {
    "WVWZZZ1JZ3W386752".parse().expect("it is a VIN")
}

fn batch(seq: u64) -> Telemetry {
    let rows = (0..10).map(|n| Row { dt_ms: n * 100, values: vec![Some(47.0), Some(8.0), Some(f64::from(n))] });
    Telemetry {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(5),
        seq: Seq(seq),
        t0: T0 + seq as i64 * 1000,
        clock: Clock::Gnss,
        keys: ["lat", "lon", "spd"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
        gap: None,
    }
}

/// Ingest, a car that talks to it, and what it counts.
struct Bench {
    store: Store,
    folder: TempDir,
    car: Publisher,
    heard: Events,
    metrics: PrometheusHandle,
    health: Health,
    ingest: JoinHandle<Result<(), bugbrother_ingest::Error>>,
    shutdown: CancellationToken,
}

impl Bench {
    async fn new(broker: &Mosquitto) -> Result<Self> {
        let metrics = PrometheusBuilder::new().install_recorder()?;
        let folder = tempfile::tempdir()?;
        let store = Store::open(&url(&folder)).await?;
        let shutdown = CancellationToken::new();
        let mqtt = Options::new("127.0.0.1", broker.port(), "", "ingest", "");
        let health = Health::default();
        let config = Config { mqtt, store: store.clone(), shared_group: None, health: health.clone() };
        let ingest = tokio::spawn(run(config, shutdown.clone()));
        let mut options = Options::new("127.0.0.1", broker.port(), "car", "car", "");
        options.subscriptions = vec![(Topic::down_filter(golf()), Qos::AtLeastOnce)];
        let (car, mut heard) = connect(options, shutdown.clone());
        until_up(&mut heard).await?;
        let bench = Bench { store, folder, car, heard, metrics, health, ingest, shutdown };
        bench.until_listening().await?;
        Ok(bench)
    }

    /// A record that nobody hears is lost to this test: the car here has no outbox.
    async fn until_listening(&self) -> Result<()> {
        let since = T0;
        let online =
            Status { v: SCHEMA_VERSION, vin: golf(), epoch: Epoch(5), status: Presence::Online, since, reason: None };
        self.publish(Kind::Status, encode(&online), true).await?;
        wait::until("ingest listens", LIMIT, || async { self.store.vehicle(golf()).await.ok().flatten() }).await?;
        Ok(())
    }

    async fn publish(&self, kind: Kind, payload: Vec<u8>, retain: bool) -> Result<()> {
        let topic = Topic::new(golf(), kind).to_string();
        self.car.publish(topic, payload, Qos::AtLeastOnce, retain).await?.await?;
        Ok(())
    }

    async fn send(&self, seqs: impl IntoIterator<Item = u64>) -> Result<()> {
        for seq in seqs {
            self.publish(Kind::Telemetry, encode(&batch(seq)), false).await?;
        }
        Ok(())
    }

    async fn until_acknowledged(&mut self, seq: u64) -> Result<Ack> {
        loop {
            let event = timeout(LIMIT, self.heard.recv()).await.with_context(|| format!("no ack of {seq}"))?;
            let Some(Event::Message(delivery)) = event else { continue };
            delivery.ack();
            let Message::Ack(ack) = decode(&delivery.topic.parse()?, &delivery.payload)? else { continue };
            if ack.seq >= Seq(seq) {
                return Ok(ack);
            }
        }
    }

    async fn until_counted(&self, line: &str) -> Result<()> {
        wait::until(line, LIMIT, || async { self.metrics.render().contains(line).then_some(()) }).await
    }

    async fn positions(&self) -> Result<usize> {
        Ok(self.store.positions(golf(), 0, i64::MAX, 100_000).await?.len())
    }

    /// A hand in the database from outside.
    async fn meddle(&self, sql: &'static str) -> Result<()> {
        let pool = sqlx::AnyPool::connect(&url(&self.folder)).await?;
        sqlx::raw_sql(sql).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        timeout(LIMIT, self.ingest).await???;
        Ok(())
    }
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}/fleet.db", folder.path().display())
}

async fn until_up(events: &mut Events) -> Result<()> {
    while !matches!(timeout(LIMIT, events.recv()).await?, Some(Event::Up)) {}
    Ok(())
}

#[tokio::test]
async fn what_a_car_sends_is_stored_once_and_acknowledged_each_time() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(&broker).await?;
    bench.send(1..=60).await?;
    let ack = bench.until_acknowledged(60).await?;
    assert_eq!((ack.epoch, ack.ranges.len(), ack.store.as_str()), (Epoch(5), 0, bench.store.identity()));
    assert_eq!(bench.positions().await?, 600);
    bench.send(31..=61).await?;
    bench.until_acknowledged(61).await?;
    assert_eq!(bench.positions().await?, 610);
    bench.until_counted("bugbrother_ingest_records_duplicate_total 30").await?;
    assert_eq!(bench.store.vehicle(golf()).await?.unwrap().latest.presence, Presence::Online);
    bench.stop().await
}

#[tokio::test]
async fn the_acknowledgement_is_kept_by_the_broker_for_a_car_that_comes_later() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(&broker).await?;
    bench.send(1..=3).await?;
    bench.until_acknowledged(3).await?;
    let mut options = Options::new("127.0.0.1", broker.port(), "car again", "car", "");
    options.subscriptions = vec![(Topic::down_filter(golf()), Qos::AtLeastOnce)];
    let (_publisher, heard) = connect(options, bench.shutdown.clone());
    bench.heard = heard;
    assert_eq!(bench.until_acknowledged(3).await?.seq, Seq(3));
    bench.stop().await
}

#[tokio::test]
async fn poison_is_buried_and_everything_else_goes_on() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(&broker).await?;
    bench.send([1]).await?;
    bench.publish(Kind::Telemetry, b"\xc1\x00 random bytes".to_vec(), false).await?;
    bench.publish(Kind::Event, Vec::new(), false).await?;
    let far_north = Telemetry { rows: vec![Row { dt_ms: 0, values: vec![Some(91.0), None, None] }], ..batch(2) };
    bench.publish(Kind::Telemetry, encode(&far_north), false).await?;
    let in_2099 = Telemetry { t0: 4_070_908_800_000, ..batch(3) };
    bench.publish(Kind::Telemetry, encode(&in_2099), false).await?;
    bench.car.publish("fleet/v1/nobody/up/telemetry", encode(&batch(4)), Qos::AtLeastOnce, false).await?.await?;
    bench.send([4]).await?;
    bench.until_acknowledged(4).await?;

    let mut reasons: Vec<_> =
        bench.store.dead_letters(10).await?.into_iter().map(|letter| (letter.number, letter.reason)).collect();
    reasons.sort();
    let reasons: Vec<_> = reasons.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["malformed", "malformed", "field", "topic"]);
    assert_eq!(bench.positions().await?, 20);
    let apart = bench.store.quarantine(0, 10).await?;
    assert_eq!(apart.iter().map(|record| record.reason.as_str()).collect::<Vec<_>>(), ["future"]);
    assert_eq!(apart[0].payload, encode(&in_2099), "what claims to be of 2099 is kept whole, and apart");
    let latest = bench.store.vehicle(golf()).await?.unwrap().latest;
    assert!(latest.source_ts < unix_ms(SystemTime::now()) + 120_000, "2099 has not become the latest");
    bench.until_counted(r#"bugbrother_ingest_refused_total{reason="malformed"} 2"#).await?;
    bench.stop().await
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_database_fails_and_nothing_is_lost() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(&broker).await?;
    bench.send([1]).await?;
    bench.until_acknowledged(1).await?;
    bench.meddle("CREATE TRIGGER full BEFORE INSERT ON tail BEGIN SELECT RAISE(ABORT, 'disk full'); END").await?;
    bench.send([2, 3]).await?;
    bench.until_counted("bugbrother_ingest_commit_failures_total 3").await?;
    bench.until_counted("bugbrother_ingest_healthy 0").await?;
    let trouble = bench.health.trouble().expect("ingest says that it is not well");
    assert!(trouble.contains("messages wait here"), "{trouble}");
    assert_eq!(bench.positions().await?, 10);
    bench.meddle("DROP TRIGGER full").await?;
    assert_eq!(bench.until_acknowledged(2).await?.seq, Seq(3), "the first thing that is said is said after the commit");
    assert_eq!(bench.positions().await?, 30);
    bench.until_counted("bugbrother_ingest_healthy 1").await?;
    assert_eq!(bench.health.trouble(), None);
    bench.stop().await
}

#[tokio::test]
async fn a_record_that_the_schema_refuses_does_not_hold_up_the_others() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut bench = Bench::new(&broker).await?;
    bench
        .meddle(
            "CREATE TRIGGER picky AFTER INSERT ON tail WHEN NEW.seq = 2 \
             BEGIN INSERT INTO meta (key, value) VALUES ('x', NULL); END",
        )
        .await?;
    bench.send(1..=5).await?;
    bench.until_acknowledged(5).await?;
    let letters = bench.store.dead_letters(10).await?;
    assert_eq!(letters.iter().map(|letter| letter.reason.as_str()).collect::<Vec<_>>(), ["database"]);
    assert_eq!(bench.positions().await?, 40);
    bench.stop().await
}

#[tokio::test]
async fn ingest_goes_on_when_the_broker_comes_back() -> Result<()> {
    let port = port::free()?;
    let broker = Mosquitto::open_to_all_on(port)?;
    let mut bench = Bench::new(&broker).await?;
    bench.send(1..=5).await?;
    bench.until_acknowledged(5).await?;
    drop(broker);
    let _broker = Mosquitto::open_to_all_on(port)?;
    until_up(&mut bench.heard).await?;
    // Whether ingest is back, only an answer tells; until then the car sends again, as an outbox would.
    let answer = async {
        loop {
            bench.send(3..=9).await?;
            if let Ok(ack) = timeout(Duration::from_millis(500), bench.until_acknowledged(9)).await {
                return ack;
            }
        }
    };
    timeout(LIMIT, answer).await??;
    assert_eq!(bench.positions().await?, 90);
    bench.stop().await
}

#[tokio::test]
async fn workers_of_a_group_share_the_fleet_and_one_that_leaves_leaves_nothing_behind() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let folder = tempfile::tempdir()?;
    let stop = CancellationToken::new();
    let worker = |name: &'static str, stop: CancellationToken| {
        let url = url(&folder);
        let mqtt = Options::new("127.0.0.1", broker.port(), "", name, "");
        async move {
            let store = Store::open(&url).await?;
            let config = Config { mqtt, store, shared_group: Some("ingest".to_owned()), health: Health::default() };
            anyhow::Ok(run(config, stop).await?)
        }
    };
    let (first_stops, second_stops) = (stop.child_token(), stop.child_token());
    let first = tokio::spawn(worker("one", first_stops.clone()));
    let second = tokio::spawn(worker("two", second_stops.clone()));
    let store = Store::open(&url(&folder)).await?;
    let mut options = Options::new("127.0.0.1", broker.port(), "car", "car", "");
    options.subscriptions = vec![(Topic::down_filter(golf()), Qos::AtLeastOnce)];
    let (car, mut heard) = connect(options, stop.clone());
    until_up(&mut heard).await?;
    let topic = Topic::new(golf(), Kind::Telemetry).to_string();
    let send = async |seqs: std::ops::RangeInclusive<u64>| -> Result<()> {
        for seq in seqs {
            car.publish(topic.clone(), encode(&batch(seq)), Qos::AtLeastOnce, false).await?.await?;
        }
        Ok(())
    };
    // What nobody hears yet is lost to this test: the car here has no outbox.
    let all_stored = async |last: u64| {
        wait::until("everything is stored", LIMIT, || async {
            send(1..=last).await.ok()?;
            let stored = store.positions(golf(), 0, i64::MAX, 100_000).await.ok()?;
            (stored.len() as u64 == last * 10).then_some(())
        })
        .await
    };
    all_stored(40).await?;
    second_stops.cancel();
    timeout(LIMIT, second).await???;
    all_stored(80).await?;
    first_stops.cancel();
    timeout(LIMIT, first).await???;
    Ok(())
}

#[tokio::test]
async fn a_group_that_is_no_topic_level_is_refused_in_words() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config {
        mqtt: Options::new("127.0.0.1", 1, "", "ingest", ""),
        store: Store::open(&url(&folder)).await?,
        shared_group: Some("a/b".into()),
        health: Health::default(),
    };
    let error = run(config, CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().starts_with("shared group `a/b` is not"), "{error}");
    Ok(())
}
