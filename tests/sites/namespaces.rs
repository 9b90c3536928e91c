//! Network namespaces as hosts: two sites as `docs/two-sites.md` sets them up, and vehicles that prefer the first.

use std::{
    collections::BTreeSet,
    fs,
    net::Ipv4Addr,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    network::{self, Network},
    postgres::{Postgres, Setup},
    standby::Source,
    wait,
};
use bugbrother_store::{AlertEventKind, Store, history::MAX_POSITIONS};
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{UnixMs, Vin, message::Presence, unix_ms};

use crate::{document, drivers::Driver, site::Site};

const VEHICLES: usize = 20;
const LIMIT: Duration = Duration::from_secs(60);
/// From the promotion until every vehicle is seen on the site that is left: three times what is promised, for slow machines.
const VISIBLE_LIMIT: Duration = Duration::from_secs(30);
/// Records of each vehicle that are stored while the link is cut.
const CUT_FOR: i64 = 5;
const CALM_KMH: u32 = 100;
/// Every fleet begins with a rule about more than 130.
const FAST_KMH: u32 = 150;

/// The network that the document's `pg_hba.conf` lets in.
const HERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const A: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
const ROAD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 30);
const DATABASE: &str = "db.fleet.example.org";
const REPLICATOR: &str = "replicator";
const SLOT: &str = "standby";

/// What services may log while the database or a broker is away.
const KNOWN: [&str; 4] = [
    "the fleet database takes no records",
    "the fleet database takes no alerts",
    "the tails of vehicles cannot be folded",
    "the live feed cannot read the fleet database",
];

#[test]
fn two_sites_outlive_their_link_and_one_another_and_nothing_is_lost_or_told_twice() -> Result<()> {
    network::run_inside("namespaces::of_two_sites_one_is_cut_off_and_one_is_killed")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in a network of its own as the child of the test above"]
async fn of_two_sites_one_is_cut_off_and_one_is_killed() -> Result<()> {
    let mut world = World::make().await?;
    world.begin().await?;
    world.cut_the_link().await?;
    world.lose_a().await?;
    world.have_a_back().await?;
    world.cut_the_power_of_a().await?;
    world.end().await
}

struct World {
    network: Network,
    a: Site,
    b: Site,
    primary: Postgres,
    standby: Postgres,
    drivers: Vec<Driver>,
    vins: Vec<Vin>,
    password: String,
    _road: network::Host,
    _folder: tempfile::TempDir,
}

impl World {
    async fn make() -> Result<Self> {
        let network = Network::make(HERE, 24).await?;
        let (host_a, host_b) = (network.host("site-a", A).await?, network.host("site-b", B).await?);
        let road = network.host("road", ROAD).await?;
        move_database(&network, A)?;

        let conf = document::block_after("`postgresql.conf`:")?;
        // Who administrates does so from here.
        let hba = format!(
            "{}hostssl all postgres {HERE}/32 scram-sha-256\n",
            document::block_after("`pg_hba.conf`, with the network")?
        );
        let setup = |host| Setup { host: Some(host), conf: &conf, hba: &hba, ..Setup::default() };
        let primary = Postgres::start_as(setup(&host_a)).await?;
        primary.create_database("fleet").await?;
        primary.let_follow(REPLICATOR, SLOT).await?;
        // What pg_rewind needs, as the document grants it.
        let grants = document::block_after("`pg_rewind` may then")?;
        primary.execute("postgres", &grants).await?;
        let standby = Postgres::standby_of(&primary, source("a.example.org", "b"), setup(&host_b)).await?;

        let url = primary.url_by(DATABASE, "fleet");
        let mut a = Site::new(host_a, &url, str::to_owned)?;
        let mut b = Site::new(host_b, &url, document::swap_names)?;
        a.start().await?;
        let password = a.password().await?;
        a.copy_to(&b).await?;
        b.start().await?;

        let folder = tempfile::tempdir()?;
        let settings = folder.path().join("agent.toml");
        let brokers = document::block_after("In its settings")?;
        // Ten minutes are too long for a test.
        fs::write(&settings, format!("{brokers}return_after_s = 2\n"))?;
        let vins = (0..VEHICLES).map(|n| Ok(format!("WVWZZZ1JZ3W{n:06}").parse()?)).collect::<Result<Vec<Vin>>>()?;
        let mut drivers = Vec::with_capacity(VEHICLES);
        for (number, vin) in vins.iter().enumerate() {
            let identity = folder.path().join(vin.as_str());
            a.enrol(vin.as_str(), &identity).await?;
            drivers.push(Driver::start(&road, HERE, *vin, number, &identity, &settings, CALM_KMH).await?);
        }
        Ok(World { network, a, b, primary, standby, drivers, vins, password, _road: road, _folder: folder })
    }

    /// Everybody is seen on both sites, and half of them speed.
    async fn begin(&mut self) -> Result<()> {
        self.until_connected_to_a().await?;
        let now = now();
        self.until_seen(&self.a, now).await.context("on A")?;
        self.until_seen(&self.b, now).await.context("on B, which hears A's broker as well")?;
        self.drivers[..VEHICLES / 2].iter().for_each(|driver| driver.drive(FAST_KMH));
        until_active(&self.primary, VEHICLES / 2).await
    }

    /// The sites do not hear of each other for some seconds.
    async fn cut_the_link(&mut self) -> Result<()> {
        self.network.part(&[&self.a.host, &self.b.host], true).await?;
        let cut = Instant::now();
        let before = records(&self.primary).await?;
        until_stored(&self.primary, before + CUT_FOR * VEHICLES as i64).await.context("A goes on")?;
        ensure!(self.a.connected().await? == VEHICLES, "nobody has left A");
        self.network.part(&[&self.a.host, &self.b.host], false).await?;
        let (healed, cut) = (Instant::now(), cut.elapsed());
        self.until_seen(&self.b, now()).await.context("B hears A's broker again")?;
        let seen = healed.elapsed();
        until_stored(&self.standby, records(&self.primary).await?).await.context("the copy follows again")?;
        eprintln!(
            "the link was cut for {:.1} s; everybody was seen on B {:.1} s after it was healed, and the copy had caught up after {:.1} s",
            cut.as_secs_f64(),
            seen.as_secs_f64(),
            healed.elapsed().as_secs_f64()
        );
        Ok(())
    }

    /// Everything of A is killed, and B's copy is promoted.
    async fn lose_a(&mut self) -> Result<()> {
        let viewer = self.b.sign_in(&self.password).await?;
        self.a.kill()?;
        self.primary.kill().await?;
        let had = records(&self.standby).await?;
        self.standby.promote().await?;
        move_database(&self.network, B)?;
        let (promoted, at) = (Instant::now(), now());
        until_seen(&viewer, &self.vins, at).await.context("on B")?;
        let seen = promoted.elapsed();
        until_stored(&self.standby, had + VEHICLES as i64).await.context("B stores")?;
        let stored = promoted.elapsed();
        self.drivers[VEHICLES / 2..].iter().for_each(|driver| driver.drive(FAST_KMH));
        let speeding = Instant::now();
        until_active(&self.standby, VEHICLES).await?;
        eprintln!(
            "A was killed: all {VEHICLES} vehicles were seen on B {:.1} s after the promotion, and B stored after {:.1} s; {} \
             vehicles had sent again what the copy had not got; the other half's alerts were there {:.1} s after they had \
             begun to speed",
            seen.as_secs_f64(),
            stored.as_secs_f64(),
            self.drivers.iter().filter(|driver| driver.logged("the database has gone back")).count(),
            speeding.elapsed().as_secs_f64()
        );
        ensure!(seen < VISIBLE_LIMIT, "{seen:?}");
        ensure!(self.b.connected().await? == VEHICLES, "everybody is at B");
        Ok(())
    }

    /// A is back, with its database as B's copy; who prefers it goes back.
    async fn have_a_back(&mut self) -> Result<()> {
        self.standby.ready_for_others(SLOT).await?;
        self.primary.come_back(source("b.example.org", "a")).await?;
        self.a.start().await?;
        let back = Instant::now();
        self.until_connected_to_a().await?;
        let moved = back.elapsed();
        let now = now();
        self.until_seen(&self.a, now).await.context("on A")?;
        self.until_seen(&self.b, now).await.context("on B")?;
        eprintln!("A came back: everybody was there again {:.1} s later", moved.as_secs_f64());
        Ok(())
    }

    /// A is gone without a word, as when its power is cut, and comes back.
    async fn cut_the_power_of_a(&mut self) -> Result<()> {
        let viewer = self.b.sign_in(&self.password).await?;
        self.network.unplug(&self.a.host, true).await?;
        let (cut, at) = (Instant::now(), now());
        let seen = || async { until_seen(&viewer, &self.vins, at).await.ok() };
        wait::until("everybody is seen on B, though A has not said goodbye", LIMIT, seen).await?;
        let seen = cut.elapsed();
        ensure!(self.b.connected().await? == VEHICLES, "everybody is at B");
        self.network.unplug(&self.a.host, false).await?;
        self.until_connected_to_a().await?;
        self.until_seen(&self.a, now()).await.context("on A")?;
        eprintln!("A's cable was pulled out: all {VEHICLES} vehicles were seen on B {:.1} s later", seen.as_secs_f64());
        Ok(())
    }

    /// Everything that was told is stored once, on both sites, and each vehicle has had one alert.
    async fn end(mut self) -> Result<()> {
        let store = Store::open(&self.standby.url("fleet")).await?;
        let mut moments = 0;
        for driver in &mut self.drivers {
            let told = driver.arrive().await;
            moments += told.len();
            let what = format!("all of {} is stored", driver.vin);
            let stored = wait::until(&what, LIMIT, || async {
                let stored = stored(&store, driver.vin).await.ok()?;
                (stored.len() >= told.len()).then_some(stored)
            });
            let stored = stored.await?;
            let once: BTreeSet<UnixMs> = stored.iter().copied().collect();
            let (lost, foreign) = (told.difference(&once).count(), once.difference(&told).count());
            ensure!(
                (lost, stored.len() - once.len(), foreign) == (0, 0, 0),
                "{}: {lost} lost, {} stored twice, {foreign} that its receiver never told",
                driver.vin,
                stored.len() - once.len()
            );
            driver.check()?;
        }
        let copied = until_stored(&self.primary, records(&self.standby).await?).await;
        copied.with_context(|| format!("A's copy has it, too; its log:\n{}", self.primary.logged()))?;
        let alerts = store.alerts(None, 1_000).await?;
        let of: BTreeSet<Vin> = alerts.iter().map(|alert| alert.vin).collect();
        ensure!((alerts.len(), of.len()) == (VEHICLES, VEHICLES), "one alert for each vehicle: {alerts:?}");
        for alert in alerts {
            let events = store.alert_events(alert.id, 0, 100).await?;
            let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
            ensure!(kinds == [AlertEventKind::Opened], "{}: {kinds:?}", alert.vin);
        }
        eprintln!("{moments} moments of {VEHICLES} vehicles: 0 lost, 0 stored twice; each alert was raised once");
        self.a.check(&KNOWN)?;
        self.b.check(&KNOWN)
    }

    async fn until_connected_to_a(&self) -> Result<()> {
        wait::until("everybody is at A", LIMIT, || async {
            let (at_a, at_b) = (self.a.connected().await.ok()?, self.b.connected().await.ok()?);
            ((at_a, at_b) == (VEHICLES, 0)).then_some(())
        })
        .await
    }

    async fn until_seen(&self, site: &Site, since: UnixMs) -> Result<()> {
        // It may be without a database for some moments yet.
        let viewer =
            wait::until("one can sign in", LIMIT, || async { site.sign_in(&self.password).await.ok() }).await?;
        until_seen(&viewer, &self.vins, since).await
    }
}

/// Waits until the dashboard shows every vehicle as online and as it is at that moment or later.
async fn until_seen(viewer: &Viewer, vins: &[Vin], since: UnixMs) -> Result<()> {
    let mut live = wait::until("the live feed opens", LIMIT, || async { viewer.live().await.ok() }).await?;
    live.until("every vehicle is seen", |live| {
        let seen = |vin: &Vin| {
            let vehicle = live.vehicle(*vin);
            vehicle.is_some_and(|vehicle| vehicle.source_ts >= since && vehicle.presence == Presence::Online)
        };
        vins.iter().all(seen).then_some(())
    })
    .await
}

fn move_database(network: &Network, to: Ipv4Addr) -> Result<()> {
    network.name(&[("a.example.org", A), ("b.example.org", B), (DATABASE, to)])
}

fn source<'a>(host: &'a str, name: &'a str) -> Source<'a> {
    Source { host, port: 5432, user: REPLICATOR, slot: SLOT, name }
}

async fn records(server: &Postgres) -> Result<i64> {
    Ok(server.execute("fleet", "SELECT coalesce(sum(seq), 0) FROM progress").await?.parse()?)
}

async fn until_stored(server: &Postgres, wanted: i64) -> Result<()> {
    wait::until(&format!("{wanted} records are stored"), LIMIT, || async {
        records(server).await.ok().filter(|count| *count >= wanted).map(drop)
    })
    .await
}

async fn until_active(server: &Postgres, wanted: usize) -> Result<()> {
    let sql = "SELECT count(*) FROM alert WHERE resolved IS NULL";
    wait::until(&format!("{wanted} alerts are active"), LIMIT, || async {
        let count = server.execute("fleet", sql).await.ok()?;
        (count == wanted.to_string()).then_some(())
    })
    .await
}

async fn stored(store: &Store, vin: Vin) -> Result<Vec<UnixMs>> {
    let positions = store.positions(vin, 0, i64::MAX, MAX_POSITIONS).await?;
    Ok(positions.into_iter().map(|position| position.ts).collect())
}

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}
