//! The demo in a real browser, as people use it: each script does the main tasks of some pages.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{process::Process, system::System, wait};
use bugbrother_store::{Arrival, Condition, Rule, RuleScope, Store};
use bugbrother_tests::node;
use bugbrother_wire::{
    AlertId, Epoch, Message, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, encode,
    message::{Alert, AlertState, Clock, Diagnostics, Dtc, DtcStatus, FreezeFrame, Monitor, Row, Severity, Telemetry},
    topic::Kind,
    unix_ms,
};

const LIMIT: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_watches_a_car_drive() -> Result<()> {
    let mut system = System::new()?;
    system.start("demo").await?;
    run(system, "fleet.mjs", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_looks_into_a_vehicle_and_sees_to_its_alerts() -> Result<()> {
    let mut system = System::new()?;
    system.start("demo").await?;
    let store = Store::open(&system.database()).await?;
    let vin: Vin = "WVWZZZ1JZ3W386752".parse()?;
    yesterday(&store, vin).await?;
    run(system, "vehicle.mjs", &[("VEHICLE", vin.as_str())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_invited_set_a_second_factor_up_and_are_sent_away() -> Result<()> {
    let mut system = System::new()?;
    system.start("demo").await?;
    run(system, "people.mjs", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_says_how_alerts_are_told_and_is_told_in_the_browser() -> Result<()> {
    let mut system = System::new()?;
    system.start_with("demo", &["--allow-private", "127.0.0.0/8"]).await?;
    run(system, "notifications.mjs", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_office_keeps_its_books() -> Result<()> {
    let mut system = System::new()?;
    system.start("demo").await?;
    run(system, "business.mjs", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_cameras_show_now_and_what_led_to_an_alert() -> Result<()> {
    let mut system = System::new()?;
    system.start("demo").await?;
    let store = Store::open(&system.database()).await?;
    let vin: Vin = "VF1MA000X64123458".parse()?;
    let demo = system.process("demo")?;
    let both_play = || std::future::ready((demo.logged().matches("camera plays").count() >= 2).then_some(()));
    wait::until("both cameras of the demo play", LIMIT, both_play).await?;
    let rule = Rule {
        id: "moves".to_owned(),
        title: "It moves".to_owned(),
        severity: Severity::Warning,
        enabled: true,
        scope: RuleScope::Vehicles(vec![vin]),
        condition: Condition::Above { signals: vec!["gspd".to_owned()], on: 5.0, off: 0.0, for_ms: 0 },
        film: true,
    };
    store.save_rule(&rule).await?;
    let alert = wait::until("it moves", LIMIT, || async {
        let raised = store.alerts(None, 50).await.ok()?;
        raised.into_iter().find(|alert| alert.rule == rule.id).map(|alert| alert.id.to_string())
    })
    .await?;
    run(system, "cameras.mjs", &[("VEHICLE", vin.as_str()), ("ALERT", &alert)]).await
}

/// Runs a script against a demo that has been started.
async fn run(mut system: System, script: &str, more: &[(&str, &str)]) -> Result<()> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    node::install(&scripts)?;
    let (base, password) = (format!("http://127.0.0.1:{}", system.http()), system.password()?.to_owned());
    let shots = std::env::var_os("SCREENSHOTS").map_or_else(|| system.dir().join("screenshots"), Into::into);
    let mut environment = vec![
        ("BUGBROTHER_URL", base.as_str()),
        ("BUGBROTHER_USER", "admin"),
        ("BUGBROTHER_PASSWORD", &password),
        ("SCREENSHOTS", shots.to_str().context("a UTF-8 path")?),
    ];
    environment.extend(more);
    let script = scripts.join(script);
    let mut browser = Process::start(system.dir(), "browser", Path::new("node"), &[script], &environment)?;
    let status = browser.ended(LIMIT).await?;
    assert!(status.success(), "{status}\n{}\n{}", browser.printed(), browser.logged());
    system.check_running()?;
    system.check_logs()?;
    let status = system.process("demo")?.terminate(Duration::from_secs(30)).await?;
    assert!(status.success(), "the demo ends in order when it is asked to: {status}");
    Ok(())
}

fn arrival(message: Message, vin: Vin, kind: Kind, payload: Vec<u8>, at: UnixMs) -> Arrival {
    Arrival { received_ts: at, topic: Topic::new(vin, kind).to_string(), payload: payload.into(), content: Ok(message) }
}

/// What a vehicle left behind that drove for an hour yesterday and has not been heard of since: a trip, too fast at times,
/// trouble codes and an alert.
async fn yesterday(store: &Store, vin: Vin) -> Result<()> {
    const KEYS: [&str; 8] = ["lat", "lon", "hdg", "gspd", "spd", "rpm", "ect", "fuel"];
    let now = unix_ms(std::time::SystemTime::now());
    let begin = now - 26 * 3_600_000;
    store.name_vehicle(vin, "Golf of yesterday", Some("VD 123 456"), begin).await?;
    let batches = (0..62u32).map(|minute| {
        let rows = (0..60u32).map(|second| {
            let t = f64::from(minute * 60 + second);
            // The last two minutes it stands with the engine off.
            let drives = minute < 60;
            let speed = if drives { 85.0 + 55.0 * (t / 240.0).sin() } else { 0.0 };
            let along = (t.min(3600.0)) / 3600.0;
            let values = [
                46.5197 + 0.42 * along + 0.02 * (along * 40.0).sin(),
                6.6323 + 0.80 * along,
                60.0,
                speed,
                speed,
                if drives { 1400.0 + speed * 14.0 } else { 0.0 },
                (20.0 + t / 8.0).min(91.0),
                80.0 - 9.0 * along,
            ];
            Row { dt_ms: second * 1000, values: values.map(Some).to_vec() }
        });
        Telemetry {
            v: SCHEMA_VERSION,
            vin,
            epoch: Epoch(1),
            seq: Seq(u64::from(minute) + 1),
            t0: begin + i64::from(minute) * 60_000,
            clock: Clock::Gnss,
            keys: KEYS.iter().map(|key| (*key).to_owned()).collect(),
            rows: rows.collect(),
            gap: None,
        }
    });
    let batches = batches.map(|batch| {
        let (payload, at) = (encode(&batch), batch.t0 + 60_000);
        arrival(Message::Backfill(batch), vin, Kind::Backfill, payload, at)
    });
    store.commit(&batches.collect::<Vec<_>>()).await?;
    while store.keep(&[vin]).await?[0].more {}
    store.end_silent_trip(vin, now).await?;
    let told = Diagnostics {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(90),
        at: begin + 3_000_000,
        mil: Some(true),
        dtcs: vec![
            Dtc { code: "P0302".into(), status: DtcStatus::Stored, ecu: Some("7E8".into()) },
            Dtc { code: "P0420".into(), status: DtcStatus::Pending, ecu: Some("7E8".into()) },
        ],
        monitors: vec![
            Monitor { name: "misfire".into(), complete: true },
            Monitor { name: "catalyst".into(), complete: false },
        ],
        freeze_frame: Some(FreezeFrame {
            code: "P0302".into(),
            values: [("rpm".to_owned(), 2210.0), ("ect".to_owned(), 88.0), ("spd".to_owned(), 64.0)].into(),
            ecu: None,
        }),
    };
    let payload = encode(&told);
    store.commit(&[arrival(Message::Diagnostics(told), vin, Kind::Diagnostics, payload, now)]).await?;
    let alert = Alert {
        v: SCHEMA_VERSION,
        vin,
        id: AlertId(uuid::Uuid::from_u128(0x0192_6b2e_7f00_7000_8000_0000_0000_0001)),
        rule: "hot".into(),
        title: "Coolant above 90 °C".into(),
        severity: Severity::Critical,
        state: AlertState::Resolved,
        opened: begin + 600_000,
        updated: begin + 3_600_000,
        resolved: Some(begin + 3_600_000),
        count: 2,
        value: Some(91.0),
        signal: Some("ect".into()),
        limit: Some(90.0),
        lat: Some(46.6),
        lon: Some(6.77),
        acknowledged_by: None,
        late: false,
        detail: None,
    };
    store.save_alert(&alert).await?;
    Ok(())
}
