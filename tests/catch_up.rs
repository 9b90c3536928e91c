//! A vehicle was out of reach for two hours: what it kept comes in behind what is live, and nobody is woken up by it.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use bugbrother_agent::{
    Config,
    clock::{ClockSettings, Time},
    link::Address,
    outbox::{Batch, Draft, Outbox},
    uplink::{self, Account, Ties},
};
use bugbrother_client::Traffic;
use bugbrother_kit::{broker::Broker, on_each_broker, system::System, wait};
use bugbrother_store::{Store, history::MAX_POSITIONS};
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{
    UnixMs, Vin,
    message::{Clock, Row, VinSource},
    unix_ms,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const VIN: &str = "WVWZZZ1JZ3W386752";
const AWAY_S: i64 = 7_200;
const LIVE_P99: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(400);
/// Above the limit of the rule that every new fleet has.
const FAST: f64 = 180.0;

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}

/// A second of a drive, with some of the values that an engine tells.
fn second(t0: UnixMs, speed: f64) -> Draft {
    let keys = ["lat", "lon", "spd", "rpm", "ect", "load", "thr"].map(str::to_owned).to_vec();
    let part = (t0 / 1000 % 3600) as f64 / 36_000.0;
    let values = [46.5 + part, 6.6 + part, speed, 2_000.5 + part, 89.0, 41.2, 12.9];
    let rows = vec![Row { dt_ms: 0, values: values.map(Some).to_vec() }];
    Draft::Batch(Batch { clock: Clock::Gnss, t0, keys, rows, replayed: 0 })
}

on_each_broker!(after_two_hours_out_of_reach_backfill_completes_live_stays_live_and_nobody_is_paged);

async fn after_two_hours_out_of_reach_backfill_completes_live_stays_live_and_nobody_is_paged(
    broker: Broker,
) -> Result<()> {
    let mut system = System::on(broker)?;
    system.start_all().await?;
    let password = std::fs::read_to_string(system.add_vehicle(VIN, "Late")?)?;
    let vin: Vin = VIN.parse()?;
    // It stood for a minute before it was back: what is a few seconds old would still be live.
    let began = now() - (AWAY_S + 60) * 1000;
    let outbox = Outbox::open(&system.dir().join("late.outbox"), 256 << 20, vin, VinSource::Configured, began).await?;
    for t in (0..AWAY_S).map(|second| began + second * 1000) {
        outbox.append(&[second(t, FAST)], t).await?;
    }

    let address = Address { host: "127.0.0.1".to_owned(), port: system.mqtt() };
    // The pace that every agent has without settings.
    let pace = Config::new(address.clone(), String::new().into(), "outbox.db".into()).pace();
    let traffic = Traffic::default();
    let account = Account {
        brokers: vec![address],
        return_after: Duration::from_secs(600),
        tls: None,
        username: VIN.to_owned(),
        password: password.into(),
        pace,
        traffic: traffic.clone(),
    };
    let time = Time::new(ClockSettings::of_this_system());
    time.look().await;
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let mut live = viewer.live().await?;
    let stop = CancellationToken::new();
    let back = Instant::now();
    let ties = Ties::of_an_outbox_alone(time);
    let uplink = tokio::spawn(uplink::run(account, outbox.clone(), ties, stop.clone()));

    let mut delays = Vec::new();
    let mut tally = outbox.tally();
    let mut recorded = 0;
    let mut caught_up = None;
    while caught_up.is_none() || delays.len() < 100 {
        let due = Instant::now() + Duration::from_secs(1);
        let t0 = now();
        outbox.append(&[second(t0, 80.0)], t0).await?;
        recorded += 1;
        let shown = live
            .until("what is live", |fleet| fleet.vehicle(vin).filter(|vehicle| vehicle.source_ts >= t0).map(|_| ()));
        shown.await?;
        delays.push(Duration::from_millis((now() - t0).unsigned_abs()));
        ensure!(back.elapsed() < LIMIT, "{} records are still in the vehicle", tally.borrow().unstored);
        if caught_up.is_none() && tally.borrow_and_update().unstored <= 3 {
            caught_up = Some(back.elapsed());
        }
        tokio::time::sleep_until(due).await;
    }
    let caught_up = caught_up.context("it has")?;
    wait::until("the database has all of it", LIMIT, || {
        std::future::ready((tally.borrow_and_update().unstored == 0).then_some(()))
    })
    .await?;
    delays.sort_unstable();
    let p99 = delays[delays.len() * 99 / 100];
    eprintln!(
        "{AWAY_S} late records in {caught_up:?} behind {} live ones: p50 {:?}, p99 {p99:?}, worst {:?}; {} kB sent",
        delays.len(),
        delays[delays.len() / 2],
        delays[delays.len() - 1],
        traffic.sent() / 1000,
    );
    ensure!(p99 < LIVE_P99, "live p99 is {p99:?}");

    let store = Store::open(&system.database()).await?;
    let stored = store.positions(vin, 0, i64::MAX, MAX_POSITIONS).await?;
    assert_eq!(stored.len() as i64, AWAY_S + recorded, "every second is stored once");
    assert!(stored.windows(2).all(|pair| pair[0].ts < pair[1].ts), "no moment twice");
    let fast = live.alerts().iter().filter(|alert| alert.rule == "fast").count();
    assert_eq!(fast, 0, "nobody is paged for what was");
    // For what is now, somebody is.
    for _ in 0..6 {
        let t0 = now();
        outbox.append(&[second(t0, FAST)], t0).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    live.until("an alert", |fleet| fleet.alerts().iter().find(|alert| alert.rule == "fast").map(|_| ())).await?;
    stop.cancel();
    uplink.await??;
    outbox.close().await?;
    system.check_running()?;
    system.check_logs()
}
