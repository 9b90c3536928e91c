//! An alert on its way to people: the notifier is killed between raising and delivering, and it arrives once.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_client::{Event, Options, Publisher, Qos, connect};
use bugbrother_kit::{broker::Broker, on_each_broker, port, process::Process, system::System, wait};
use bugbrother_store::{AlertEventKind, Channel, ChannelSettings, DeliveryFilter, Store};
use bugbrother_tests::{python, viewer::Viewer};
use bugbrother_wire::{
    ChannelId, Epoch, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin,
    api::{ChannelKind, DeliveryState, RuleEdit, Tongue},
    encode,
    message::{Alert, Clock, Row, Severity, Telemetry},
    rule::{Condition, Scope},
    topic::Kind,
    unix_ms,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const VIN: &str = "WVWZZZ1JZ3W386752";
/// A killed notifier's message is nobody else's for half a minute.
const LIMIT: Duration = Duration::from_secs(90);
const SECRET: &str = "swordfish";
/// What the services are told: this machine may be reached.
const HOME: [&str; 2] = ["--allow-private", "127.0.0.0/8"];

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}

/// Who takes requests, and answers none before it is told to.
struct Slow {
    port: u16,
    /// The message in each request.
    heard: Arc<Mutex<Vec<String>>>,
    answer: CancellationToken,
}

impl Slow {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let slow =
            Slow { port: listener.local_addr()?.port(), heard: Arc::default(), answer: CancellationToken::new() };
        let (heard, answer) = (slow.heard.clone(), slow.answer.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (heard, answer) = (heard.clone(), answer.clone());
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                        match socket.read_buf(&mut request).await {
                            Ok(0) | Err(_) => return,
                            Ok(_) => {}
                        }
                    }
                    let head = String::from_utf8_lossy(&request).to_lowercase();
                    let message = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
                    heard.lock().expect("nobody panics with it").extend(message.map(str::to_owned));
                    answer.cancelled().await;
                    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
                    socket.write_all(answer).await.ok();
                });
            }
        });
        Ok(slow)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panics with it").clone()
    }

    async fn wait(&self, count: usize) -> Result<Vec<String>> {
        wait::until(&format!("{count} requests"), LIMIT, || {
            let heard = self.heard();
            std::future::ready((heard.len() >= count).then_some(heard))
        })
        .await
    }
}

async fn hook(store: &Store, port: u16) -> Result<ChannelId> {
    let channel = Channel {
        id: ChannelId(Uuid::now_v7()),
        account: None,
        kind: ChannelKind::Webhook,
        label: "hook".into(),
        settings: ChannelSettings {
            target: format!("http://127.0.0.1:{port}/"),
            severities: vec![Severity::Info, Severity::Warning, Severity::Critical],
            language: Tongue::En,
        },
        has_secret: true,
        enabled: true,
        created: now(),
        failing: None,
    };
    ensure!(store.add_channel(&channel, Some(SECRET)).await?, "there is room for it");
    Ok(channel.id)
}

/// Drives too fast until somebody has noticed.
async fn drive(system: &System, store: &Store) -> Result<()> {
    system.add_account("driver", SECRET, "topic write fleet/v1/#")?;
    let stop = CancellationToken::new();
    let options = Options::new("127.0.0.1", system.mqtt(), "driver", "driver", SECRET);
    let (driver, mut events) = connect(options, stop.clone());
    while !matches!(timeout(LIMIT, events.recv()).await?, Some(Event::Up)) {}
    let vin: Vin = VIN.parse()?;
    let t0 = now() - 9 * 60_000;
    for n in 0.. {
        say(&driver, vin, t0 + n * 3_000, n as u64).await?;
        if timeout(Duration::from_millis(200), raised(store)).await.is_ok_and(|raised| raised.is_ok()) {
            break;
        }
        ensure!(n < 170, "nobody has noticed");
    }
    stop.cancel();
    Ok(())
}

async fn raised(store: &Store) -> Result<()> {
    wait::until("an alert is raised", LIMIT, || async {
        store.active_alerts(10).await.ok().filter(|alerts| !alerts.is_empty()).map(drop)
    })
    .await
}

async fn say(driver: &Publisher, vin: Vin, t0: UnixMs, seq: u64) -> Result<()> {
    let rows = (0..3).map(|n| Row { dt_ms: n * 1000, values: vec![Some(170.0)] }).collect();
    let batch = Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(seq + 1),
        t0,
        clock: Clock::Gnss,
        keys: vec!["spd".into()],
        rows,
        gap: None,
    };
    let topic = Topic::new(vin, Kind::Telemetry).to_string();
    driver.publish(topic, encode(&batch), Qos::AtLeastOnce, false).await?.await?;
    Ok(())
}

/// `docs/examples/webhook.py`, as its reader would run it.
async fn example(system: &System) -> Result<(Process, u16)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/webhook.py");
    ensure!(Path::new(script).exists(), "`{script}` is there");
    let port = port::free()?;
    let number = port.to_string();
    let arguments = [script, "--secret", SECRET, "--port", &number];
    let example = Process::start(system.dir(), "webhook", &python::interpreter()?, &arguments, &[])?;
    wait::until("the example listens", LIMIT, || {
        std::future::ready(example.printed().contains("listening").then_some(()))
    })
    .await?;
    Ok((example, port))
}

on_each_broker!(a_notifier_that_is_killed_between_raising_and_delivering_tells_each_alert_once);

async fn a_notifier_that_is_killed_between_raising_and_delivering_tells_each_alert_once(broker: Broker) -> Result<()> {
    let mut system = System::on(broker)?;
    for service in ["broker", "ingest"] {
        system.start(service).await?;
    }
    system.start_with("notifier", &HOME).await?;
    let store = Store::open(&system.database()).await?;
    let slow = Slow::start().await?;
    let (example, port) = example(&system).await?;
    let (hangs, prints) = (hook(&store, slow.port).await?, hook(&store, port).await?);
    drive(&system, &store).await?;

    // It is raised, and on its way into a channel that has not answered.
    let first = slow.wait(1).await?;
    system.kill("notifier")?;
    slow.answer.cancel();
    system.start_with("notifier", &HOME).await?;
    let all = wait::until("everything is told", LIMIT, || async {
        let filter = DeliveryFilter::default();
        let found = store.deliveries(filter, None, 100).await.ok()?;
        let done = |channel| {
            let mut of_channel = found.iter().filter(|one| one.channel == channel).peekable();
            of_channel.peek().is_some() && of_channel.all(|one| one.state == DeliveryState::Sent)
        };
        (done(hangs) && done(prints)).then_some(found.clone())
    })
    .await?;
    let heard = slow.heard();
    let messages: BTreeSet<&String> = heard.iter().collect();
    let told = all.iter().filter(|one| one.channel == hangs).count();
    assert_eq!(messages.len(), told, "each message has one identity, however often it was tried: {heard:?}");
    assert!(heard.iter().filter(|one| **one == first[0]).count() >= 2, "what was cut off came again: {heard:?}");
    let alerts = store.alerts(None, 100).await?;
    let openings: usize = {
        let mut count = 0;
        for alert in &alerts {
            let history = store.alert_events(alert.id, 0, 100).await?;
            count += history.iter().filter(|event| event.kind == AlertEventKind::Opened).count();
        }
        count
    };
    let printed = example.printed();
    let lines = printed.lines().filter(|line| line.starts_with("opened ")).count();
    assert_eq!(lines, openings, "the example was told of each once: {printed}");
    let of_vehicle = |line: &&str| line.contains("Volkswagen");
    ensure!(printed.lines().any(|line| of_vehicle(&line)), "{printed}");
    system.check_running().context("and nobody has died")
}

/// How many samples, ten a second, it took until it had come to something.
async fn samples(
    driver: &Publisher,
    seq: &mut u64,
    store: &Store,
    what: &str,
    is: impl Fn(&[Alert]) -> bool,
) -> Result<u64> {
    let began = *seq;
    let mut pace = interval(Duration::from_millis(100));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if is(&store.active_alerts(10).await?) {
            return Ok(*seq - began);
        }
        // On an idle machine it takes a few; this is a busy one's.
        ensure!(*seq - began < 300, "{what}: not after {} samples", *seq - began);
        pace.tick().await;
        *seq += 1;
        let batch = Telemetry {
            v: SCHEMA_VERSION,
            vin: VIN.parse()?,
            epoch: Epoch(2),
            seq: Seq(*seq),
            t0: now(),
            clock: Clock::Gnss,
            keys: vec!["ect".into()],
            rows: vec![Row { dt_ms: 0, values: vec![Some(120.0)] }],
            gap: None,
        };
        let topic = Topic::new(batch.vin, Kind::Telemetry).to_string();
        driver.publish(topic, encode(&batch), Qos::AtLeastOnce, false).await?.await?;
    }
}

/// In one process, and in several that share a database.
#[tokio::test]
async fn a_rule_that_is_made_changed_or_switched_off_is_in_force_moments_later() -> Result<()> {
    for services in [&["up"][..], &["broker", "notifier", "dashboard"]] {
        let mut system = System::new()?;
        for service in services {
            system.start(service).await?;
        }
        let store = Store::open(&system.database()).await?;
        system.add_account("driver", SECRET, "topic write fleet/v1/#")?;
        let stop = CancellationToken::new();
        let options = Options::new("127.0.0.1", system.mqtt(), "driver", "driver", SECRET);
        let (driver, mut events) = connect(options, stop.clone());
        while !matches!(timeout(LIMIT, events.recv()).await?, Some(Event::Up)) {}
        let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
        let put = async |limit: f64, enabled: bool| -> Result<()> {
            let signals = vec!["ect".to_owned()];
            let condition = Condition::Above { signals, on: limit, off: limit - 1.0, for_ms: 0 };
            let (title, severity, scope) = ("Hot".to_owned(), Severity::Warning, Scope::All);
            let rule = RuleEdit { title, severity, enabled, scope, condition, film: false };
            viewer.put("/api/frontend/rules/hot", &rule).send().await?.error_for_status()?;
            Ok(())
        };
        let is_hot = |alerts: &[Alert]| alerts.iter().any(|alert| alert.rule == "hot");
        let mut seq = 0;
        // The notifier hears by now: its first words are of the rule that is there from the beginning.
        put(110.0, true).await?;
        samples(&driver, &mut seq, &store, "the notifier hears", is_hot).await?;
        let mut took = Vec::new();
        put(110.0, false).await?;
        took.push(("switched off", samples(&driver, &mut seq, &store, "switched off", |now| !is_hot(now)).await?));
        put(130.0, true).await?;
        put(110.0, true).await?;
        took.push(("made and changed", samples(&driver, &mut seq, &store, "made", is_hot).await?));
        put(130.0, true).await?;
        took.push(("changed", samples(&driver, &mut seq, &store, "changed", |now| !is_hot(now)).await?));
        println!("{services:?}, in samples of 100 ms: {took:?}");
        stop.cancel();
        system.check_running()?;
    }
    Ok(())
}
