//! The disk under the database fills up and gets room again: nothing is acknowledged that is not stored, the health pages say
//! what is wrong, and everything goes on by itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    broker::Broker,
    postgres::Postgres,
    system::{Stores, System},
    volume::Volume,
    wait,
};
use bugbrother_store::Store;

use crate::{DELIVERY_LIMIT, KNOWN, LIMIT, RATE, audit, fleet::Fleet};

const VEHICLES: usize = 4;
const DRIVING: Duration = Duration::from_secs(3);
/// Longer than any of these drives.
const OUTAGE: Duration = Duration::from_secs(18);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_sqlite_loses_nothing_and_heals() -> Result<()> {
    let volume = Volume::mount(64).await?;
    let system = System::new()?.with_data_in(volume.path());
    fill_up(system, &volume, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_postgresql_loses_nothing_and_heals() -> Result<()> {
    let volume = Volume::mount(100).await?;
    let mut postgres = Postgres::start_in(volume.path()).await?;
    let database = Some(postgres.create_database("fleet").await?);
    let system = System::on_stores(Broker::Embedded, Stores { database, telemetry: None })?;
    fill_up(system, &volume, Some(&mut postgres)).await
}

async fn fill_up(mut system: System, volume: &Volume, mut postgres: Option<&mut Postgres>) -> Result<()> {
    let mut fleet = Fleet::new(&system, VEHICLES, DRIVING, RATE)?;
    system.start("up").await?;
    let store = Store::open_with(&system.database(), None).await?;
    fleet.start(&system)?;
    let first = fleet.vehicles()[0].vin;
    wait::until("the first fixes are stored", LIMIT, || async {
        store.positions(first, 0, i64::MAX, 1).await.ok().filter(|stored| !stored.is_empty())
    })
    .await?;
    assert_eq!(healthz(system.metrics()).await?, (200, "ok\n".to_owned()));

    volume.fill()?;
    let told = until_ill(&system, Duration::ZERO).await?;
    match &mut postgres {
        // Without room for its log it falls, and does not answer.
        Some(_) => ensure!(told.contains("(disk full)") || told.contains("(does not answer)"), "{told}"),
        None => ensure!(told.contains("(disk full)"), "{told}"),
    }
    let (status, page) = healthz(system.http()).await?;
    ensure!(status == 503 && page.contains("takes no records"), "the dashboard says {status} {page}");

    // An agent that starts anew meanwhile has its records on a disk of its own.
    fleet.kill(1)?;
    fleet.start(&system)?;
    let before = store.positions(first, 0, i64::MAX, 100_000).await.ok();
    until_ill(&system, OUTAGE).await?;
    let after = store.positions(first, 0, i64::MAX, 100_000).await.ok();
    if postgres.is_none() {
        ensure!(before.is_some() && before == after, "a full disk has taken records");
    }
    fleet.check_under_way().context("the database cannot have all of it")?;
    system.check_running()?;

    volume.free()?;
    if let Some(postgres) = &mut postgres
        && postgres.check_running().is_err()
    {
        postgres.start_again().await.context("with room again")?;
    }
    let messages = fleet.arrives(DELIVERY_LIMIT, async || system.check_running()).await?;
    let finding = audit::inspect(&store, fleet.vehicles()).await?;
    eprintln!("{VEHICLES} vehicles, {messages} messages, {} fixes: {finding}", fleet.fixes());
    finding.is_clean()?;
    assert_eq!(healthz(system.metrics()).await?, (200, "ok\n".to_owned()));
    assert_eq!(store.dead_letters(1).await?, [], "nothing was refused");
    system.check_running()?;
    fleet.check_logs()?;
    system.check_logs_but_for(&KNOWN)?;
    let log = system.process("up")?.logged();
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let (ill, well) = (count("the fleet database takes no records"), count("the fleet database takes records again"));
    ensure!(ill >= 1 && ill == well, "{ill} outages were told, and {well} ends of one");
    Ok(())
}

/// Waits until ingest says that it has been ill for so long; in its words.
async fn until_ill(system: &System, time: Duration) -> Result<String> {
    let is_long = |page: &str| {
        let line = page.lines().find(|line| line.starts_with("ingest: "))?;
        let seconds = line.split(") for ").nth(1)?.split(" s;").next()?.parse().ok()?;
        (Duration::from_secs(seconds) >= time).then_some(())
    };
    wait::until(&format!("ingest has been ill for {time:?}"), LIMIT, || async {
        let (status, page) = healthz(system.metrics()).await.ok()?;
        (status == 503).then_some(())?;
        is_long(&page).map(|()| page)
    })
    .await
}

async fn healthz(port: u16) -> Result<(u16, String)> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/healthz")).await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}
