//! Half an hour of vehicles that are cut off and come back, of people who come and go, and of alerts; and whether memory, file
//! descriptors and threads of each process stay where they are.
//!
//! # Layout
//! - `people`: those who come and go
//! - `table`: what was seen of each process, and whether it is flat

mod people;
mod table;

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bugbrother_kit::{port, system::System};
use bugbrother_load::{
    fleet::{Fleet, Plan, Weather},
    histogram::Histogram,
};
use bugbrother_store::Store;
use bugbrother_tests::viewer::Viewer;
use tokio::time::{MissedTickBehavior, interval};

use self::{people::People, table::Watched};
use super::{SETTLING, check_files, drives, plan};
use crate::{
    figures::grouped,
    notify::{rules, screen::Screen},
    report::Report,
    server,
    settings::{self, Settings},
    space, usage,
};

const VEHICLES: usize = 1_000;
/// How long a vehicle stays connected on average, and how long it is out of reach then.
const CUT_AFTER: Duration = Duration::from_secs(120);
const AWAY: Duration = Duration::from_secs(20);
/// Between two looks at the processes.
const EVERY: Duration = Duration::from_secs(10);
/// A third of less says nothing.
const SHORTEST: Duration = Duration::from_secs(100);
/// Between two lines that say how far it is, in looks.
const TELL: usize = 6;

pub async fn run(settings: &Settings) -> Result<()> {
    let vehicles = settings::vehicles(VEHICLES)?;
    check_files(vehicles)?;
    ensure!(settings.time >= SHORTEST, "a soak of less than {SHORTEST:?} says nothing");
    let begun = usage::load();
    println!("soak; {begun}");
    let mut system = System::new()?;
    server::admit(&system, 0..vehicles)?;
    system.start("broker").await?;
    for service in ["ingest", "notifier", "dashboard"] {
        system.start(service).await?;
        server::connected(&mut system, service).await?;
    }
    let store = Store::open(&system.database()).await?;
    for rule in store.rules().await? {
        ensure!(store.delete_rule(&rule.id).await?, "it was just there");
    }
    rules::enact(&store).await?;
    store.close().await;

    let plan = Plan {
        weather: Weather { rough: true, cut_after: Some(CUT_AFTER), away: AWAY, tunnel: None },
        ..plan(&system, vehicles)
    };
    let mut fleet = Fleet::start(plan, &drives(1))?;
    fleet.measure(SETTLING).await?;
    let people = People::come(&system, vehicles)?;
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let screen = Screen::open(port::local(system.http()), viewer.token()).await?;

    let mut processes = Vec::new();
    for name in ["broker", "ingest", "notifier", "dashboard"] {
        processes.push(Watched::new(name, system.process(name)?.id()));
    }
    let pubacks = watch(settings.time, &mut fleet, &people, &screen, &mut processes).await?;
    let (alerts, visits) = (screen.count(), people.leave().await?);
    screen.close();
    fleet.stop();
    let figures = fleet.figures();
    let messages = fleet.leave()?;
    system.check_running()?;
    system.check_logs()?;
    let bytes = space::folder(&system.data())?;

    let mut report = Report::new("soak");
    report.add(&format!("{begun} at the beginning.\n"));
    let mut text = format!(
        "\n### {:.0} minutes of {} vehicles at 1 Hz\n\nEach is cut off after {} s on average and is back {} s later, which was {} \
         connections made anew; {} visits of people, {} alerts under {} rules. {} messages were published and all of them are committed: \
         lost 0, {} sent again. From publish to PUBACK p50 {:.0} ms, p99 {:.0} ms. The data folder had {:.0} MB at the end.\n",
        settings.time.as_secs_f64() / 60.0,
        grouped(vehicles as f64),
        CUT_AFTER.as_secs(),
        AWAY.as_secs(),
        grouped(figures.reconnects as f64),
        grouped(visits as f64),
        grouped(alerts as f64),
        rules::RULES,
        grouped(messages as f64),
        grouped(figures.sent_again as f64),
        pubacks.quantile(0.5),
        pubacks.quantile(0.99),
        bytes / 1e6,
    );
    let (lines, growing) = table::of(&processes)?;
    text.push_str(&lines);
    println!("{text}");
    report.add(&text);
    report.finish(settings)?;
    if growing.is_empty() { Ok(()) } else { bail!("not flat: {}", growing.join("; ")) }
}

/// Looks at the processes again and again; how long a PUBACK takes meanwhile.
async fn watch(
    time: Duration,
    fleet: &mut Fleet,
    people: &People,
    screen: &Screen,
    processes: &mut [Watched],
) -> Result<Histogram> {
    let (began, mut pubacks, mut looks) = (Instant::now(), Histogram::default(), 0);
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while began.elapsed() < time {
        ticks.tick().await;
        fleet.check()?;
        people.check()?;
        screen.seen()?;
        drop(fleet.commits());
        fleet.pubacks().into_iter().for_each(|ms| pubacks.add(ms));
        let connected = fleet.figures().connected as f64;
        for process in processes.iter_mut() {
            let connections = match process.name {
                "broker" => connected,
                "dashboard" => people.present() as f64,
                _ => 0.0,
            };
            process.look(connections)?;
        }
        looks += 1;
        if looks % TELL == 0 {
            let all = processes.iter().map(Watched::told).collect::<Vec<_>>().join(", ");
            println!("  {:.0} s, {connected} connected: {all}; {}", began.elapsed().as_secs_f64(), usage::load());
        }
    }
    Ok(pubacks)
}
