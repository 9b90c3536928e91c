//! A drive goes through agent, broker, ingest and database to the live feed, and all of it arrives.

use std::{collections::HashSet, fs, io::Read, path::Path, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{broker::Broker, on_each_broker, system::System};
use bugbrother_simulator::Drive;
use bugbrother_store::{Position, Store, history::MAX_POSITIONS};
use bugbrother_tests::{drive, viewer::Viewer};
use bugbrother_wire::Vin;
use flate2::read::GzDecoder;

const VIN: &str = "WVWZZZ1JZ3W386752";
const REPLAY_LIMIT: Duration = Duration::from_secs(120);

on_each_broker!(
    every_fix_of_a_generated_drive_is_stored_once_and_the_last_is_shown_live,
    every_fix_of_the_recorded_drive_is_stored_once_and_the_last_is_shown_live,
);

async fn every_fix_of_a_generated_drive_is_stored_once_and_the_last_is_shown_live(broker: Broker) -> Result<()> {
    let drive =
        Drive { seed: 7, duration: Duration::from_secs(1800), start: 1_790_000_000_000, rate_hz: 4, damaged: true };
    let log = drive.log();
    assert_eq!(drive::valid_fixes(&log.bytes).len(), log.valid_fixes, "two countings of the drive agree");
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("drive.nmea");
    fs::write(&path, &log.bytes)?;
    replay(broker, &path, &log.bytes).await
}

async fn every_fix_of_the_recorded_drive_is_stored_once_and_the_last_is_shown_live(broker: Broker) -> Result<()> {
    let Some(path) = drive::recorded() else {
        eprintln!("no recorded drive in ../shared/data/nmea: the generated one alone is replayed");
        return Ok(());
    };
    let mut log = Vec::new();
    GzDecoder::new(fs::File::open(&path)?).read_to_end(&mut log)?;
    assert_eq!(drive::valid_fixes(&log).len(), 10_327);
    replay(broker, &path, &log).await
}

async fn replay(broker: Broker, path: &Path, log: &[u8]) -> Result<()> {
    let fixes = drive::valid_fixes(log);
    let mut system = System::on(broker)?;
    system.start_all().await?;
    let password = system.add_vehicle(VIN, "Recorded")?;
    let mut agent = system.replay(VIN, &password, path, "max")?;
    let status = agent.ended(REPLAY_LIMIT).await?;
    assert!(status.success(), "{status}: {}", agent.logged());

    let stored = positions(&system).await?;
    assert_eq!(stored.len(), fixes.len(), "stored positions and valid fixes");
    let times: HashSet<_> = stored.iter().map(|position| position.ts).collect();
    assert_eq!(times.len(), fixes.iter().collect::<HashSet<_>>().len(), "no moment twice");

    let last = stored.last().context("something is stored")?;
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let mut live = viewer.live().await?;
    let shown = live
        .until("the last fix", |fleet| fleet.vehicle(vin()).filter(|vehicle| vehicle.source_ts == last.ts).cloned())
        .await?;
    assert_eq!(shown.name, "Recorded");
    assert_eq!((shown.values["lat"], shown.values["lon"]), (last.lat, last.lon));
    system.check_running()?;
    system.check_logs()
}

fn vin() -> Vin {
    VIN.parse().expect("a VIN")
}

async fn positions(system: &System) -> Result<Vec<Position>> {
    let store = Store::open(&system.database()).await?;
    Ok(store.positions(vin(), 0, i64::MAX, MAX_POSITIONS).await?)
}
