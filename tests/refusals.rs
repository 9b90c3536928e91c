//! Bad input from every side: refused with a clear error, counted, and everything else goes on.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use bugbrother_client::{Event, Events, Options, Publisher, Qos, connect};
use bugbrother_kit::{broker::Broker, on_each_broker, system::System, wait};
use bugbrother_store::Store;
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin,
    api::Problem,
    encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
    unix_ms,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const GOOD: &str = "WVWZZZ1JZ3W386752";
const BAD: &str = "1M8GDM9AXKP042788";
const LIMIT: Duration = Duration::from_secs(20);

/// A vehicle that says what it likes.
struct Car {
    vin: Vin,
    publisher: Publisher,
    events: Events,
    /// When its drive began.
    start: UnixMs,
    seq: u64,
}

impl Car {
    async fn connect(system: &System, vin: &str, shutdown: &CancellationToken) -> Result<Self> {
        let password = std::fs::read_to_string(system.add_vehicle(vin, vin)?)?;
        let mut events = session(system, vin, &password, shutdown);
        wait_for_up(&mut events.1).await?;
        // A drive of half a minute that ends now.
        let start = unix_ms(SystemTime::now()) - 30_000;
        Ok(Car { vin: vin.parse()?, publisher: events.0, events: events.1, start, seq: 0 })
    }

    /// A right batch with one position.
    async fn report(&mut self, speed: f64) -> Result<()> {
        self.seq += 1;
        let batch = Telemetry {
            v: SCHEMA_VERSION,
            vin: self.vin,
            epoch: Epoch(1),
            seq: Seq(self.seq),
            t0: self.start + self.seq as i64 * 1000,
            clock: Clock::Gnss,
            keys: ["lat", "lon", "spd"].map(str::to_owned).to_vec(),
            rows: vec![Row { dt_ms: 0, values: vec![Some(46.5), Some(6.6), Some(speed)] }],
            gap: None,
        };
        self.say(&Topic::new(self.vin, Kind::Telemetry).to_string(), encode(&batch)).await
    }

    async fn say(&self, topic: &str, payload: Vec<u8>) -> Result<()> {
        timeout(LIMIT, self.publisher.publish(topic, payload, Qos::AtLeastOnce, false)).await??.await?;
        Ok(())
    }
}

fn session(system: &System, user: &str, password: &str, shutdown: &CancellationToken) -> (Publisher, Events) {
    connect(Options::new("127.0.0.1", system.mqtt(), user, user, password), shutdown.clone())
}

async fn wait_for_up(events: &mut Events) -> Result<()> {
    loop {
        match timeout(LIMIT, events.recv()).await?.context("the session ended")? {
            Event::Up => return Ok(()),
            Event::Down { .. } | Event::Message(_) => {}
        }
    }
}

async fn until_counted(viewer: &Viewer, counter: &str, at_least: f64) -> Result<()> {
    wait::until(&format!("{counter} reaches {at_least}"), LIMIT, || async {
        viewer.counter(counter).await.ok().filter(|count| *count >= at_least).map(|_| ())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_and_counted_and_a_good_vehicle_goes_on() -> Result<()> {
    let mut system = System::new()?;
    system.start("up").await?;
    let shutdown = CancellationToken::new();
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let mut live = viewer.live().await?;
    let mut good = Car::connect(&system, GOOD, &shutdown).await?;
    good.report(50.0).await?;
    live.until("the good vehicle", |fleet| {
        fleet.vehicle(good.vin).filter(|v| v.values.get("spd") == Some(&50.0)).map(|_| ())
    })
    .await?;

    // A person with a wrong password
    let answer = viewer.post_session("admin", "guess").await?;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Problem>().await?.error, "wrong_credentials");
    until_counted(&viewer, "bugbrother_dashboard_sign_ins_refused_total", 1.0).await?;

    // A token that nobody signed
    let forged =
        viewer.with_token("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.").get("/api/frontend/vehicles").send().await?;
    assert_eq!(forged.status(), 401);
    assert_eq!(forged.json::<Problem>().await?.error, "token_invalid");

    // A vehicle with a wrong password
    let (_, mut stranger) = session(&system, GOOD, "guess", &shutdown);
    let event = timeout(LIMIT, stranger.recv()).await?;
    assert!(matches!(event, Some(Event::Down { .. })), "{event:?}");
    until_counted(&viewer, "bugbrother_broker_connects_refused_total", 1.0).await?;

    // Random bytes as payloads
    let bad = Car::connect(&system, BAD, &shutdown).await?;
    let mut rng = StdRng::seed_from_u64(1);
    for kind in [Kind::Telemetry, Kind::Status, Kind::Event, Kind::Diagnostics, Kind::Birth] {
        let length = rng.random_range(1..500);
        let payload: Vec<u8> = (0..length).map(|_| rng.random()).collect();
        bad.say(&Topic::new(bad.vin, kind).to_string(), payload).await?;
    }
    let store = Store::open(&system.database()).await?;
    let letters = wait::until("five dead letters", LIMIT, || async {
        store.dead_letters(100).await.ok().filter(|letters| letters.len() >= 5)
    })
    .await?;
    assert!(letters.iter().all(|letter| letter.topic.contains(BAD) && letter.reason == "malformed"), "{letters:?}");
    until_counted(&viewer, "bugbrother_ingest_refused_total", 5.0).await?;

    // A vehicle that speaks for another
    let topic = Topic::new(good.vin, Kind::Telemetry).to_string();
    let refused = bad.say(&topic, encode(&"not mine")).await.unwrap_err();
    assert_eq!(refused.to_string(), "the broker refused the message: not authorized");
    until_counted(&viewer, "bugbrother_broker_denied_publishes_total", 1.0).await?;

    // All the while
    good.report(60.0).await?;
    live.until("the good vehicle again", |fleet| {
        fleet.vehicle(good.vin).filter(|v| v.values.get("spd") == Some(&60.0)).map(|_| ())
    })
    .await?;
    let stored = wait::until("the second position", LIMIT, || async {
        store.positions(good.vin, 0, i64::MAX, 10).await.ok().filter(|stored| stored.len() >= 2)
    })
    .await?;
    assert_eq!(stored.len(), 2);
    assert_eq!(store.dead_letters(100).await?.len(), 5, "what was said for another did not reach ingest before this");
    shutdown.cancel();
    for mut car in [good, bad] {
        while car.events.recv().await.is_some() {}
    }
    system.check_running()?;
    system.check_logs()
}

on_each_broker!(a_fast_vehicle_raises_an_alert_that_goes_away_when_it_slows_down);

async fn a_fast_vehicle_raises_an_alert_that_goes_away_when_it_slows_down(broker: Broker) -> Result<()> {
    let mut system = System::on(broker)?;
    system.start_all().await?;
    let shutdown = CancellationToken::new();
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let mut live = viewer.live().await?;
    let mut car = Car::connect(&system, GOOD, &shutdown).await?;
    for _ in 0..15 {
        car.report(150.0).await?;
    }
    let raised = live.until("an alert", |fleet| fleet.alerts().iter().find(|a| a.vin == car.vin).cloned()).await?;
    assert_eq!(raised.value, Some(150.0));
    for _ in 0..15 {
        car.report(80.0).await?;
    }
    live.until("its end", |fleet| fleet.alerts().iter().find(|a| a.id == raised.id && a.resolved.is_some()).cloned())
        .await?;
    shutdown.cancel();
    while car.events.recv().await.is_some() {}
    system.check_logs()
}
