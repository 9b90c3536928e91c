//! From a vehicle's publish to whoever is told of its alert, beside a fleet that is judged by 20 rules; and what these rules
//! cost the notifier.
//!
//! # Layout
//! - `rules`: the rules, and the areas that they look at
//! - `probe`: vehicles that cross a limit again and again
//! - `sink`: where webhooks and web pushes arrive; `screen`: the dashboard's live feed

mod probe;
pub mod rules;
pub mod screen;
mod sink;

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{port, system::System, wait};
use bugbrother_load::fleet::{Fleet, Form, Pace, Plan};
use bugbrother_store::{Channel, ChannelSettings, Store};
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{
    AlertId, ChannelId,
    api::{ChannelKind, OwnNotifications, Tongue},
    message::Severity,
    unix_ms,
};
use uuid::Uuid;

use self::{probe::Crossing, screen::Screen, sink::Sink};
use crate::{
    drive::{self, Cut, Sample},
    figures::{Sorted, grouped},
    report::Report,
    server,
    settings::{self, Settings},
    usage,
};

const VEHICLES: usize = 1_000;
/// Different drives, and samples of each.
const DRIVES: usize = 50;
const SAMPLES: usize = 1_800;
/// Between two messages of a vehicle.
const PERIOD: Duration = Duration::from_secs(1);
/// What has not arrived so long after the last crossing is lost.
const LIMIT: Duration = Duration::from_secs(60);
/// Rules are in force, and what they found at once is told, before anything is measured.
const SETTLING: Duration = Duration::from_secs(45);
/// The notifier may reach the sinks.
const HOME: [&str; 2] = ["--allow-private", "127.0.0.0/8"];
/// What every delivery is to take at most.
const AIM_MS: f64 = 1_000.0;

/// What the notifier takes.
struct Taken {
    /// Processor time per vehicle and second.
    cpu_us: f64,
    bytes: f64,
}

pub async fn run(settings: &Settings) -> Result<()> {
    let vehicles = settings::vehicles(VEHICLES)?;
    println!("{}", usage::load());
    let begun = usage::load();
    let mut system = System::new()?;
    server::admit(&system, (0..vehicles).chain(probe::numbers()))?;
    system.start("broker").await?;
    for service in ["ingest", "notifier", "dashboard"] {
        system.start_with(service, if service == "notifier" { &HOME } else { &[] }).await?;
        server::connected(&mut system, service).await?;
    }
    let store = Store::open(&system.database()).await?;
    for rule in store.rules().await? {
        ensure!(store.delete_rule(&rule.id).await?, "it was just there");
    }

    let drives: Vec<Vec<Sample>> = (0..DRIVES.min(vehicles)).map(|number| drive::drive(number, SAMPLES)).collect();
    let drives: Vec<Arc<Cut>> = drives.iter().map(|samples| Arc::new(Cut::new(samples, 1))).collect();
    let start = unix_ms(SystemTime::now());
    let mqtt = port::local(system.mqtt());
    let plan = Plan::new(mqtt, vehicles, Pace::Every(PERIOD), Form::Contract, start);
    let mut fleet = Fleet::start(plan, &drives)?;
    // Everybody has been heard.
    fleet.measure(PERIOD * 10).await?;
    let without = idle(&mut system, &mut fleet, settings.time.min(Duration::from_secs(60)), vehicles).await?;

    rules::enact(&store).await?;
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let own: OwnNotifications = viewer.get("/api/frontend/notifications").send().await?.json().await?;
    let hook = Sink::start("200 OK").await?;
    let push = Sink::start("201 Created").await?;
    let browser = sink::Browser::new()?;
    open(&store, None, ChannelKind::Webhook, &hook.url(), Some(sink::SECRET)).await?;
    open(&store, Some("admin"), ChannelKind::Push, "", Some(&browser.subscription(&push.url()))).await?;
    let screen = Screen::open(port::local(system.http()), viewer.token()).await?;
    fleet.measure(SETTLING.min(settings.time)).await?;

    let notifier = [system.process("notifier")?.id()];
    let (before, begin) = (usage::cpu_us(&notifier)?, std::time::Instant::now());
    let probes = probe::start(mqtt, settings.time);
    let done = fleet.measure(settings.time).await?;
    let crossings = probes.finish().await?;
    let seconds = begin.elapsed().as_secs_f64();
    let with = Taken {
        cpu_us: (usage::cpu_us(&notifier)? - before) / seconds / vehicles as f64,
        bytes: usage::resident_bytes(&notifier)?,
    };
    ensure!(!crossings.is_empty(), "too short a time: no probe has crossed its limit");
    println!(
        "{} crossings; {} samples of the fleet a second; {}",
        crossings.len(),
        grouped(done.samples as f64 / done.seconds),
        usage::load()
    );

    // What was crossed last has to arrive, too.
    let all = wait::until("everybody is told of every crossing", LIMIT, || {
        let (hooked, shown) = (hook.alerts(), screen.seen());
        let told = match (hooked, shown) {
            (Ok(hooked), Ok(shown)) => (hooked, shown),
            (Err(error), _) | (_, Err(error)) => return std::future::ready(Some(Err(error))),
        };
        let done = crossings.iter().all(|one| told.0.contains_key(one) && told.1.contains_key(one));
        std::future::ready((done && push.count() > 0).then_some(Ok(told)))
    });
    let (hooked, shown) = all.await??;
    let names: HashMap<AlertId, &Crossing> = hooked.iter().map(|(crossing, (id, _))| (*id, crossing)).collect();
    let vapid = own.push_key.context("the dashboard tells browsers the key")?;
    let pushed = loop {
        let found = browser.read(&push.heard(), &vapid)?;
        let of_crossings: HashMap<&Crossing, f64> =
            found.iter().filter_map(|(id, at)| Some((*names.get(id)?, *at))).collect();
        if crossings.iter().all(|one| of_crossings.contains_key(one)) {
            break of_crossings.into_iter().map(|(crossing, at)| (*crossing, at)).collect::<HashMap<_, _>>();
        }
        push.next(LIMIT).await.context("a push of a crossing is missing")?;
    };
    let alerts = screen.count();
    screen.close();
    fleet.leave().context("after the measurement")?;
    system.check_running()?;
    system.check_logs()?;
    store.close().await;

    let age = |at: &dyn Fn(&Crossing) -> f64| Sorted::new(crossings.iter().map(|one| at(one) - one.published_ms()));
    let rows = [
        ("webhook, its signature checked", age(&|one| hooked[one].1)),
        ("live feed of the dashboard", age(&|one| shown[one])),
        ("push service, encrypted for the browser", age(&|one| pushed[one])),
    ];
    let mut report = Report::new("notify");
    report.add(&format!("{begun} at the beginning.\n"));
    report.add(&table(vehicles, alerts, &rows)?);
    report.add(&costs(&without, &with)?);
    println!("{}{}", table(vehicles, alerts, &rows)?, costs(&without, &with)?);
    report.finish(settings)?;
    for (what, figures) in rows.iter().filter(|(_, figures)| figures.quantile(0.99) >= AIM_MS) {
        println!("the aim is missed: {what}, p99 {:.0} ms", figures.quantile(0.99));
    }
    Ok(())
}

/// What the notifier takes for hearing a fleet by which no rule looks.
async fn idle(system: &mut System, fleet: &mut Fleet, time: Duration, vehicles: usize) -> Result<Taken> {
    let notifier = [system.process("notifier")?.id()];
    let before = usage::cpu_us(&notifier)?;
    let done = fleet.measure(time).await?;
    Ok(Taken {
        cpu_us: (usage::cpu_us(&notifier)? - before) / done.seconds / vehicles as f64,
        bytes: usage::resident_bytes(&notifier)?,
    })
}

/// Opens a channel of somebody, or of the fleet, that hears of everything.
async fn open(
    store: &Store,
    account: Option<&str>,
    kind: ChannelKind,
    target: &str,
    secret: Option<&str>,
) -> Result<()> {
    let channel = Channel {
        id: ChannelId(Uuid::now_v7()),
        account: account.map(str::to_owned),
        kind,
        label: format!("{kind:?}"),
        settings: ChannelSettings {
            target: target.to_owned(),
            severities: vec![Severity::Info, Severity::Warning, Severity::Critical],
            language: Tongue::En,
        },
        has_secret: secret.is_some(),
        enabled: true,
        created: unix_ms(SystemTime::now()),
        failing: None,
    };
    ensure!(store.add_channel(&channel, secret).await?, "there is room for it");
    Ok(())
}

fn table(vehicles: usize, alerts: usize, rows: &[(&str, Sorted); 3]) -> Result<String> {
    let mut text = format!(
        "\n{} vehicles at 1 Hz with 20 signals each, {} rules; {} alerts were on the live feed meanwhile.\n\n\
         | from publish to | alerts | p50 | p99 | longest |\n|---|---:|---:|---:|---:|\n",
        grouped(vehicles as f64),
        rules::RULES,
        grouped(alerts as f64),
    );
    for (what, figures) in rows {
        let at = |share: f64| format!("{} ms", grouped(figures.quantile(share)));
        writeln!(text, "| {what} | {} | {} | {} | {} |", figures.len(), at(0.5), at(0.99), at(1.0))?;
    }
    Ok(text)
}

fn costs(without: &Taken, with: &Taken) -> Result<String> {
    let mut text = String::from(
        "\nThe notifier's process; processor time in µs of one core, per vehicle and second.\n\n\
         | rules | processor time | of that each rule | memory |\n|---:|---:|---:|---:|\n",
    );
    writeln!(text, "| 0 | {:.0} | – | {:.0} MB |", without.cpu_us, without.bytes / 1e6)?;
    let each = (with.cpu_us - without.cpu_us) / rules::RULES as f64;
    writeln!(text, "| {} | {:.0} | {each:.1} | {:.0} MB |", rules::RULES, with.cpu_us, with.bytes / 1e6)?;
    Ok(text)
}

/// Our clock in ms, with what is below.
fn clock() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}
