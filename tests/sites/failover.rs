use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    broker::Broker,
    postgres::{Postgres, Setup},
    standby::Source,
    switch::Switch,
    system::{Stores, System},
    wait,
};
use bugbrother_store::Store;

use crate::{
    audit,
    fleet::{Fleet, Vehicle},
};

const VEHICLES: usize = 8;
/// Messages that a vehicle sends in a second.
const RATE: f64 = 10.0;
/// Longer than until the copy is promoted, so that everybody still drives then.
const DRIVING: Duration = Duration::from_secs(15);
const LIMIT: Duration = Duration::from_secs(60);
/// For vehicles to deliver what they still have.
const DELIVERY_LIMIT: Duration = Duration::from_secs(180);
/// Records that the copy has not got when the primary is lost.
const LAG: i64 = 100;
const SLOT: &str = "standby";

/// What processes may log while their database is away.
const KNOWN: [&str; 4] = [
    "the fleet database takes no records",
    "the fleet database takes no alerts",
    "the tails of vehicles cannot be folded",
    "the live feed cannot read the fleet database",
];

/// How the copy follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replication {
    /// A commit does not wait for it.
    Asynchronous,
    /// A commit waits until the copy has it.
    Synchronous,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lagged_behind_is_promoted_and_vehicles_send_again_what_it_had_not_got() -> Result<()> {
    fail_over(Replication::Asynchronous).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_every_commit_waits_for_has_everything_that_was_acknowledged() -> Result<()> {
    fail_over(Replication::Synchronous).await
}

async fn fail_over(replication: Replication) -> Result<()> {
    let mut primary = Postgres::start().await?;
    primary.create_database("fleet").await?;
    // The way from the primary to its copy, and the name by which services find the database.
    let stream = Switch::start(primary.address()).await?;
    let name = Switch::start(primary.address()).await?;
    primary.let_follow("replicator", SLOT).await?;
    let source = Source { host: "127.0.0.1", port: stream.port(), user: "replicator", slot: SLOT, name: "b" };
    let standby = Postgres::standby_of(&primary, source, Setup::default()).await?;

    let database = Some(primary.url_by(&format!("127.0.0.1:{}", name.port()), "fleet"));
    let mut system = System::on_stores(Broker::Embedded, Stores { database, telemetry: None })?;
    let mut fleet = Fleet::new(&system, VEHICLES, DRIVING, RATE)?;
    for service in ["broker", "ingest", "notifier", "dashboard"] {
        system.start(service).await?;
    }
    if replication == Replication::Synchronous {
        primary.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'b'").await?;
        primary.execute("postgres", "SELECT pg_reload_conf()").await?;
        let sync = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        counted(&primary, "postgres", sync, |count| count == 1).await.context("commits wait for the copy")?;
    }
    fleet.start(&system)?;
    counted(&standby, "fleet", RECORDS, |count| count > LAG).await.context("the copy follows")?;

    stream.lead(None);
    let gone = "SELECT count(*) FROM pg_stat_replication";
    counted(&primary, "postgres", gone, |count| count == 0).await.context("the copy is cut off")?;
    let reached = counted(&standby, "fleet", RECORDS, |_| true).await?;
    let lag = match replication {
        Replication::Asynchronous => {
            counted(&primary, "fleet", RECORDS, |count| count > reached + LAG).await? - reached
        }
        Replication::Synchronous => {
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            counted(&primary, "postgres", waits, |count| count > 0).await.context("a commit waits for the copy")?;
            0
        }
    };
    fleet.check_under_way()?;
    primary.kill().await?;
    let promoting = Instant::now();
    standby.promote().await?;
    let had = counted(&standby, "fleet", RECORDS, |_| true).await?;
    name.lead(Some(standby.address()));
    let moved = Instant::now();
    counted(&standby, "fleet", RECORDS, |count| count > had).await.context("something is stored again")?;
    let again = moved.elapsed();
    fleet.check_under_way()?;

    let messages = fleet.arrives(DELIVERY_LIMIT, async || Ok(())).await?;
    let store = Store::open(&standby.url("fleet")).await?;
    let finding = audit::inspect(&store, fleet.vehicles()).await?;
    let has_sent_again = |vehicle: &&Vehicle| {
        let log = fs::read_to_string(system.dir().join(format!("agent-{}.log", vehicle.vin))).unwrap_or_default();
        log.contains("the database has gone back")
    };
    let sent_again = fleet.vehicles().iter().filter(has_sent_again).count();
    eprintln!(
        "{replication:?}: {VEHICLES} vehicles, {messages} messages, {} fixes; the copy was {lag} records behind; promoted within \
         {:.1} s, stored again {:.1} s after the name had moved; {sent_again} vehicles went back: {finding}",
        fleet.fixes(),
        (moved - promoting).as_secs_f64(),
        again.as_secs_f64(),
    );
    finding.is_clean()?;
    match replication {
        Replication::Asynchronous => ensure!(sent_again > 0, "what the copy had not got was acknowledged to somebody"),
        Replication::Synchronous => ensure!(sent_again == 0, "nothing was acknowledged that the copy had not got"),
    }
    assert_eq!(store.dead_letters(1).await?, [], "nothing was refused");
    fleet.check_logs()?;
    system.check_running()?;
    system.check_logs_but_for(&KNOWN)
}

/// Records that are stored, whatever has become of them since.
const RECORDS: &str = "SELECT coalesce(sum(seq), 0) FROM progress";

/// Waits until what is counted is as wanted; the count.
async fn counted(server: &Postgres, database: &str, sql: &str, wanted: impl Fn(i64) -> bool) -> Result<i64> {
    wait::until(sql, LIMIT, || async {
        let count = server.execute(database, sql).await.ok()?.parse().ok()?;
        wanted(count).then_some(count)
    })
    .await
}
