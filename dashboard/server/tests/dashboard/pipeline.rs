//! From MQTT to the viewer, over Debian's Mosquitto.

use std::time::Duration;

use anyhow::{Result, ensure};
use bugbrother_client::{Event, Events, Options, Publisher, Qos, connect};
use bugbrother_dashboard::Config;
use bugbrother_kit::{mosquitto::Mosquitto, port, wait};
use bugbrother_wire::{
    AlertId, Epoch, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, encode,
    message::{Alert, AlertState, Clock, Presence, Row, Severity, Status, Telemetry},
    topic::Kind,
};
use reqwest::{Method, StatusCode};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    rig::{LIMIT, Rig, counted, now, vin},
    viewer::Viewer,
};

/// A client with the word of all vehicles and of the notifier.
struct Fleet {
    publisher: Publisher,
    _events: Events,
    _stop: tokio_util::sync::DropGuard,
}

impl Fleet {
    async fn connect(port: u16) -> Result<Self> {
        let stop = CancellationToken::new();
        let options = Options::new("127.0.0.1", port, "the-fleet", "fleet", "");
        let (publisher, mut events) = connect(options, stop.clone());
        while !matches!(timeout(LIMIT, events.recv()).await?, Some(Event::Up)) {}
        Ok(Fleet { publisher, _events: events, _stop: stop.drop_guard() })
    }

    async fn say(&self, vin: Vin, kind: Kind, payload: Vec<u8>) -> Result<()> {
        let topic = Topic::new(vin, kind).to_string();
        let receipt = self.publisher.publish(topic, payload, Qos::AtLeastOnce, kind.retained()).await?;
        Ok(receipt.await?)
    }
}

async fn rig_on(broker: &Mosquitto) -> Result<Rig> {
    patient_rig_on(broker, Duration::from_secs(60)).await
}

/// With so much patience for viewers that do not read.
async fn patient_rig_on(broker: &Mosquitto, patience: Duration) -> Result<Rig> {
    let change = |config: &mut Config| config.limits.write_time = patience;
    let rig = Rig::start_with(broker.port(), change).await?;
    rig.until_healthy().await?;
    Ok(rig)
}

fn batch(vin: Vin, t0: UnixMs, values: &[(&str, f64)]) -> Vec<u8> {
    encode(&Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(1),
        t0,
        clock: Clock::Gnss,
        keys: values.iter().map(|(key, _)| (*key).to_owned()).collect(),
        rows: vec![Row { dt_ms: 0, values: values.iter().map(|(_, value)| Some(*value)).collect() }],
        gap: None,
    })
}

fn status(vin: Vin, since: UnixMs, status: Presence) -> Vec<u8> {
    encode(&Status { v: SCHEMA_VERSION, vin, epoch: Epoch(1), status, since, reason: None })
}

#[tokio::test]
async fn telemetry_moves_forward_and_late_data_never_moves_it_back() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let fleet = Fleet::connect(broker.port()).await?;
    rig.store.name_vehicle(vin(1), "Van 1", Some("ZH 123"), now()).await?;
    let mut viewer = Viewer::join(&rig, &rig.token().await?).await?;
    let t0 = now();
    let values = [("lat", 47.3), ("lon", 8.5), ("spd", 80.0)];
    fleet.say(vin(1), Kind::Telemetry, batch(vin(1), t0, &values)).await?;
    // The name is looked up when the vehicle is first heard of, and comes when it is found.
    viewer
        .until(|viewer| {
            let named =
                viewer.vehicle(vin(1)).is_some_and(|v| v.name == "Van 1" && v.plate.is_some() && v.source_ts == t0);
            named && viewer.value(vin(1), "spd") == Some(80.0)
        })
        .await?;

    let late = [("spd", 20.0), ("fuel", 55.0)];
    fleet.say(vin(1), Kind::Backfill, batch(vin(1), t0 - 60_000, &late)).await?;
    viewer.until(|viewer| viewer.value(vin(1), "fuel") == Some(55.0)).await?;
    assert_eq!(viewer.value(vin(1), "spd"), Some(80.0));
    assert_eq!(viewer.vehicle(vin(1)).map(|v| v.source_ts), Some(t0));

    let since = t0 - 1000;
    fleet.say(vin(1), Kind::Status, status(vin(1), since, Presence::Online)).await?;
    fleet.say(vin(1), Kind::Status, status(vin(1), since - 1, Presence::Offline)).await?;
    fleet.say(vin(1), Kind::Telemetry, batch(vin(1), t0 + 1, &[("spd", 81.0)])).await?;
    viewer.until(|viewer| viewer.value(vin(1), "spd") == Some(81.0)).await?;
    assert_eq!(viewer.vehicle(vin(1)).map(|v| v.presence), Some(Presence::Online));
    rig.stop().await
}

#[tokio::test]
async fn bad_payloads_are_counted_and_everything_goes_on() -> Result<()> {
    let counter = |reason| format!("bugbrother_dashboard_messages_refused_total{{reason=\"{reason}\"}}");
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let fleet = Fleet::connect(broker.port()).await?;
    let mut viewer = Viewer::join(&rig, &rig.token().await?).await?;
    let reasons = ["malformed", "other_vin", "field", "topic"];
    let before = reasons.map(|reason| counted(&counter(reason)));

    let random = (0..=255u8).rev().collect();
    fleet.say(vin(1), Kind::Telemetry, random).await?;
    fleet.say(vin(1), Kind::Telemetry, batch(vin(2), now(), &[("spd", 1.0)])).await?;
    fleet.say(vin(1), Kind::Telemetry, batch(vin(1), now(), &[("lat", 91.0)])).await?;
    let topic = "fleet/v1/..%2f/up/telemetry";
    let receipt = fleet.publisher.publish(topic, "x", Qos::AtLeastOnce, false).await?;
    receipt.await?;
    fleet.say(vin(3), Kind::Telemetry, batch(vin(3), now(), &[("spd", 3.0)])).await?;

    viewer.until(|viewer| viewer.value(vin(3), "spd") == Some(3.0)).await?;
    assert_eq!(viewer.vehicles.len(), 1, "nothing else became known");
    let after = reasons.map(|reason| counted(&counter(reason)));
    assert!(before.iter().zip(&after).all(|(before, after)| after > before), "{after:?}");
    rig.stop().await
}

#[tokio::test]
async fn an_alert_appears_and_vanishes_even_if_its_end_was_not_heard() -> Result<()> {
    let port = port::free()?;
    let broker = Mosquitto::open_to_all_on(port)?;
    let rig = rig_on(&broker).await?;
    let fleet = Fleet::connect(port).await?;
    let mut viewer = Viewer::join(&rig, &rig.token().await?).await?;
    let alert = |n: u128| Alert {
        v: SCHEMA_VERSION,
        vin: vin(1),
        id: AlertId(uuid::Uuid::from_u128(n)),
        rule: "speed".to_owned(),
        title: "Faster than 130 km/h".to_owned(),
        severity: Severity::Warning,
        state: AlertState::Open,
        opened: now(),
        updated: now(),
        resolved: None,
        count: 1,
        value: Some(141.0),
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
    };
    let (heard, unheard) = (alert(1), alert(2));
    for alert in [&heard, &unheard] {
        rig.store.save_alert(alert).await?;
        fleet.say(vin(1), Kind::Alert(alert.id), encode(alert)).await?;
    }
    viewer.until(|viewer| viewer.alerts.len() == 2).await?;
    fleet.say(vin(1), Kind::Alert(heard.id), Vec::new()).await?;
    viewer.until(|viewer| viewer.alerts == [unheard.clone()]).await?;

    drop((fleet, broker));
    for (alert, end) in [(&heard, now()), (&unheard, now())] {
        let resolved = Alert { state: AlertState::Resolved, resolved: Some(end), ..alert.clone() };
        rig.store.save_alert(&resolved).await?;
    }
    let _broker = Mosquitto::open_to_all_on(port)?;
    viewer.until(|viewer| viewer.alerts.is_empty()).await?;
    rig.stop().await
}

#[tokio::test]
async fn a_broker_that_comes_back_is_heard_again() -> Result<()> {
    let port = port::free()?;
    let broker = Mosquitto::open_to_all_on(port)?;
    let rig = rig_on(&broker).await?;
    let mut viewer = Viewer::join(&rig, &rig.token().await?).await?;
    drop(broker);
    wait::until("the dashboard misses its broker", LIMIT, || async {
        let answer = rig.request(Method::GET, "/healthz").send().await.ok()?;
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await?;
    let _broker = Mosquitto::open_to_all_on(port)?;
    rig.until_healthy().await?;
    let fleet = Fleet::connect(port).await?;
    fleet.say(vin(1), Kind::Telemetry, batch(vin(1), now(), &[("spd", 7.0)])).await?;
    viewer.until(|viewer| viewer.value(vin(1), "spd") == Some(7.0)).await?;
    assert_eq!(viewer.snapshots, 1, "the viewers' line was never cut");
    rig.stop().await
}

#[tokio::test]
async fn a_viewer_that_stops_reading_gets_the_latest_state_and_no_queue() -> Result<()> {
    const ROUNDS: usize = 60;
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let fleet = Fleet::connect(broker.port()).await?;
    let token = rig.token().await?;
    let mut slow = Viewer::join(&rig, &token).await?;
    let mut quick = Viewer::join(&rig, &token).await?;
    for round in 0..ROUNDS {
        fleet.say_much(round).await?;
        // The one that reads has seen the round before the next one begins.
        quick.until(|viewer| has_heard(viewer, round)).await?;
    }
    let bytes = slow.bytes;
    slow.until(|viewer| has_heard(viewer, ROUNDS - 1)).await?;
    let (late, said) = (slow.bytes - bytes, quick.bytes);
    assert!(counted("bugbrother_dashboard_live_resyncs_total") > 0, "it was given what had changed in one");
    ensure!(late < said / 3, "{late} of {said} bytes were kept for it");
    for (n, vehicle) in &quick.vehicles {
        assert_eq!(slow.vehicles.get(n), Some(vehicle));
    }
    rig.stop().await
}

#[tokio::test]
async fn a_viewer_that_never_reads_again_is_dropped() -> Result<()> {
    const COUNTER: &str = "bugbrother_dashboard_live_closed_total{reason=\"stuck\"}";
    let broker = Mosquitto::open_to_all()?;
    let rig = patient_rig_on(&broker, Duration::from_millis(200)).await?;
    let fleet = Fleet::connect(broker.port()).await?;
    let _dead = Viewer::join(&rig, &rig.token().await?).await?;
    let before = counted(COUNTER);
    let mut round = 0;
    while counted(COUNTER) == before {
        fleet.say_much(round).await?;
        round += 1;
        ensure!(round < 1000, "it is still there");
    }
    rig.stop().await
}

/// Vehicles that say much, and signals of each.
const MANY: usize = 100;

fn has_heard(viewer: &Viewer, round: usize) -> bool {
    (0..MANY).all(|n| viewer.value(vin(n), "x.sensor.99") == Some(loud(round)))
}

/// A value that fills its nine bytes.
fn loud(round: usize) -> f64 {
    round as f64 + 0.1
}

impl Fleet {
    async fn say_much(&self, round: usize) -> Result<()> {
        let keys: Vec<_> = (0..MANY).map(|n| format!("x.sensor.{n}")).collect();
        let values: Vec<_> = keys.iter().map(|key| (key.as_str(), loud(round))).collect();
        let t0 = 1_790_000_000_000 + i64::try_from(round)?;
        for n in 0..MANY {
            let payload = batch(vin(n), t0, &values);
            self.say(vin(n), Kind::Telemetry, payload).await?;
        }
        Ok(())
    }
}
