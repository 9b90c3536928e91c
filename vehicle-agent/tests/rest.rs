//! A car that stands with its engine off: the real program lets go of the network, and comes back for what matters.
#![cfg(feature = "obd")]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use bugbrother_kit::{mosquitto::Mosquitto, process::Process, wait};
use bugbrother_simulator::{Profile, Simulator, demo_fleet};
use bugbrother_wire::{
    Message,
    message::{EventKind, Presence},
};
use parts::database::Database;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);
const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    wait::until(what, LIMIT, || std::future::ready(condition().then_some(()))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_that_is_parked_says_so_leaves_and_is_recorded_seldom() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    let dir = tempfile::tempdir().unwrap();
    let (gps, elm) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let [gps_port, elm_port] = [&gps, &elm].map(|listener| listener.local_addr().unwrap().port());
    let profile = Profile { parked: true, ..demo_fleet()[0] };
    let car = CancellationToken::new();
    Simulator::start(profile, gps, elm, 1.0, car.clone());

    let settings = dir.path().join("agent.toml");
    let text = format!(
        "vin = '{}'\nbroker = '127.0.0.1:{}'\npassword = 's3cret'\ngps = 'tcp:127.0.0.1:{gps_port}'\n\
         obd = 'tcp:127.0.0.1:{elm_port}'\nobd_sleep_after_s = 30\noutbox = '{}'\n",
        profile.vin,
        broker.port(),
        dir.path().join("outbox.db").display()
    );
    fs::write(&settings, text).unwrap();
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["--config", &settings.display().to_string()];
    let mut agent = Process::start(dir.path(), "agent", Path::new(AGENT), &arguments, &[]).unwrap();

    let asleep = || {
        let state = database.state();
        state.statuses.last().filter(|status| status.status == Presence::Asleep).cloned()
    };
    until("it is asleep", || asleep().is_some()).await;
    let reason = asleep().unwrap().reason.unwrap();
    assert!(reason.starts_with("engine off, battery at 12."), "{reason}");
    let goodbyes = || database.state().statuses.iter().filter(|status| status.status == Presence::Asleep).count();
    let rows = || database.state().telemetry().map(|batch| batch.rows.len()).sum::<usize>();
    let (said, before) = (goodbyes(), rows());
    assert_eq!(said, 1);

    // The receiver goes on once a second; nobody hears of it. What is urgent is told at once.
    car.cancel();
    let has_event = |kind| {
        let state = database.state();
        state.records.values().any(|message| matches!(message, Message::Event(event) if event.kind == kind))
    };
    until("everybody is told that the adapter is gone", || has_event(EventKind::AdapterUnplugged)).await;
    assert!(rows() < before + 8, "{} rows before, {} after", before, rows());
    until("it is online again", || {
        database.state().statuses.last().is_some_and(|status| status.status == Presence::Online)
    })
    .await;
    assert!(agent.terminate(LIMIT).await.unwrap().success());
}
