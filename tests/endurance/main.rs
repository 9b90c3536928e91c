//! A fleet drives while whatever can be killed is killed at random: nothing is lost and nothing is stored twice.
//!
//! # Layout
//! - [`sensors`]: what a vehicle's receiver tells, as a recording and as the list of its fixes
//! - [`fleet`]: vehicles with an agent each
//! - [`havoc`]: who is killed when
//! - [`audit`]: what the sensors produced beside what the store holds
//! - [`disk_full`]: the same fleet while the disk under the database is full
//!
//! How long and with how many vehicles is said by `BUGBROTHER_KILL_SECONDS` and `BUGBROTHER_KILL_VEHICLES`; `make test-kill`
//! takes a minute and 50. `BUGBROTHER_KILL_SEED` repeats a run as far as the machine's own timing lets it.

mod audit;
mod disk_full;
mod fleet;
mod havoc;
mod sensors;

use std::{
    env,
    str::FromStr,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use bugbrother_kit::{
    broker::Broker,
    influx::Influx,
    postgres::Postgres,
    system::{Stores, System},
    wait,
};
use bugbrother_store::Store;

use crate::{
    fleet::Fleet,
    havoc::{Havoc, Server},
};

/// Messages that a vehicle sends in a second.
const RATE: f64 = 20.0;
/// For vehicles to deliver what they still have once nobody is killed any more.
const DELIVERY_LIMIT: Duration = Duration::from_secs(240);
const LIMIT: Duration = Duration::from_secs(60);

/// What processes may log when a database is killed under them, or is away when they start.
const KNOWN: [&str; 8] = [
    "the broker's file cannot be written",
    "the fleet database takes no records",
    "the fleet database takes no alerts",
    "the tails of vehicles cannot be folded",
    "what is folded cannot be removed",
    "the live feed cannot read the fleet database",
    "what is to be said to vehicles cannot be read",
    "cannot open the database",
];

/// How much of everything.
struct Scale {
    vehicles: usize,
    killing: Duration,
    seed: u64,
}

impl Scale {
    fn from_environment() -> Result<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() as u64;
        Ok(Scale {
            vehicles: number("BUGBROTHER_KILL_VEHICLES", 12)?,
            killing: Duration::from_secs(number("BUGBROTHER_KILL_SECONDS", 15)?),
            seed: number("BUGBROTHER_KILL_SEED", now)?,
        })
    }
}

fn number<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(name: &str, otherwise: T) -> Result<T> {
    match env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number")),
        Err(_) => Ok(otherwise),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_sqlite() -> Result<()> {
    endure(Broker::Embedded, Stores::default(), Server::None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_postgresql() -> Result<()> {
    on_postgresql(Broker::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_mosquitto_and_postgresql() -> Result<()> {
    on_postgresql(Broker::Mosquitto).await
}

async fn on_postgresql(broker: Broker) -> Result<()> {
    let postgres = Postgres::start().await?;
    let database = Some(postgres.create_database("fleet").await?);
    endure(broker, Stores { database, telemetry: None }, Server::Postgres(postgres)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_influxdb_is_away() -> Result<()> {
    let influx = Influx::start().await?;
    let telemetry = Some(influx.create_database("fleet").await?);
    endure(Broker::Embedded, Stores { database: None, telemetry }, Server::Influx(influx)).await
}

async fn endure(broker: Broker, stores: Stores, server: Server) -> Result<()> {
    let scale = Scale::from_environment()?;
    eprintln!("seed {} (BUGBROTHER_KILL_SEED repeats it)", scale.seed);
    let mut system = System::on_stores(broker, stores)?;
    let mut fleet = Fleet::new(&system, scale.vehicles, scale.killing, RATE)?;
    for service in ["broker", "ingest", "notifier", "dashboard"] {
        system.start(service).await?;
    }
    let store = Store::open_with(&system.database(), system.telemetry()).await?;
    fleet.start(&system)?;
    let first = &fleet.vehicles()[0];
    wait::until("the first fixes are stored", LIMIT, || async {
        store.positions(first.vin, 0, i64::MAX, 1).await.ok().filter(|stored| !stored.is_empty())
    })
    .await?;

    let began = Instant::now();
    let mut havoc = Havoc::new(scale.seed, server);
    havoc.rage(&mut system, &mut fleet, scale.killing).await?;
    let raged = began.elapsed();
    let messages = fleet.arrives(DELIVERY_LIMIT, async || havoc.look_after(&mut system).await).await?;
    let finding = audit::inspect(&store, fleet.vehicles()).await?;
    eprintln!(
        "{} vehicles, {messages} messages, {} fixes; killed for {:.0} s: {}; everything stored after {:.0} s: {finding}",
        scale.vehicles,
        fleet.fixes(),
        raged.as_secs_f64(),
        havoc.toll(),
        began.elapsed().as_secs_f64(),
    );
    finding.is_clean()?;

    // What is found by an ingest that starts is folded at once, and nothing is changed by that.
    system.kill("ingest")?;
    system.start("ingest").await?;
    wait::until("nothing waits to be folded", LIMIT, || async {
        store.waiting(None, 1).await.ok().filter(Vec::is_empty)
    })
    .await?;
    audit::inspect(&store, fleet.vehicles()).await?.is_clean().context("once everything is folded")?;
    assert_eq!(store.dead_letters(1).await?, [], "nothing was refused");
    assert_eq!(store.quarantine(0, 1).await?, [], "nothing was put apart");
    system.check_running()?;
    fleet.check_logs()?;
    system.check_logs_but_for(if havoc.is_about_a_server() { &KNOWN } else { &[] })
}
