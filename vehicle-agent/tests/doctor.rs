//! What the program says of a car to who installs it, and what it would send.
#![cfg(feature = "obd")]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bugbrother_kit::{mosquitto::Mosquitto, process::Process};
use bugbrother_simulator::{Drive, Simulator, demo_fleet};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(180);
const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");

fn write_settings(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("agent.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// What it prints, and whether all is well.
async fn doctor(dir: &Path, settings: &Path) -> (String, bool) {
    let arguments = ["doctor", "--config", settings.to_str().unwrap()];
    let mut process = Process::start(dir, "doctor", Path::new(AGENT), &arguments, &[]).unwrap();
    let status = process.ended(LIMIT).await.unwrap();
    (process.printed(), status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_that_is_well_is_described_in_words() {
    let (dir, broker) = (tempfile::tempdir().unwrap(), Mosquitto::open_to_all().unwrap());
    let (gps, elm) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let [gps_port, elm_port] = [&gps, &elm].map(|listener| listener.local_addr().unwrap().port());
    let profile = demo_fleet().into_iter().find(|profile| !profile.trouble.stored.is_empty()).unwrap();
    let car = CancellationToken::new();
    Simulator::start(profile, gps, elm, 1.0, car.clone());
    let _car_ends = car.drop_guard();
    let camera = bugbrother_kit::camera::Camera::start(&[]).await.unwrap();
    let settings = write_settings(
        dir.path(),
        &format!(
            "vin = '{}'\nbroker = '127.0.0.1:{}'\npassword = 's3cret'\ngps = 'tcp:127.0.0.1:{gps_port}'\n\
             obd = 'tcp:127.0.0.1:{elm_port}'\noutbox = '{}'\n[[camera]]\nid = 'dash-1'\nurl = '{}'\n",
            profile.vin,
            broker.port(),
            dir.path().join("outbox.db").display(),
            camera.url("/h264"),
        ),
    );
    let (said, is_well) = doctor(dir.path(), &settings).await;
    assert!(is_well, "{said}");
    for part in [
        "good  receiver  tcp:127.0.0.1",
        "position 4",
        "good  adapter   tcp:127.0.0.1",
        "ELM327 v1.5, ISO 15765-4 (CAN 11/500), battery 1",
        "control units: 7E8 ECM-EngineControl",
        &format!("it says that it is {}", profile.vin),
        "P0301 (stored, ECU 7E8)",
        "good  camera    dash-1: H.264 (avc1.42",
        "320 by 240; no photos without `photo_url`",
        &format!("signed in as {}, without TLS", profile.vin),
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert!(!said.contains("s3cret") && !dir.path().join("outbox.db").exists(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_missing_it_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let settings = write_settings(
        dir.path(),
        "vin = 'WVWZZZ1JZ3W386752'\nbroker = '127.0.0.1:1'\npassword = 's3cret'\ngps = 'serial:/dev/no-such-port'\n\
         obd = 'none'\noutbox = '/no/such/folder/outbox.db'\n[[camera]]\nid = 'dash-1'\nurl = 'rtsp://127.0.0.1:1/'\n",
    );
    let (said, is_well) = doctor(dir.path(), &settings).await;
    assert!(!is_well, "{said}");
    for part in [
        "BAD   receiver",
        "→ is it plugged in",
        "BAD   outbox",
        "BAD   broker",
        "→ is there a network",
        "BAD   camera    dash-1: camera failed at DESCRIBE",
        "→ has it power",
        "note  adapter",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_every_fix_and_keeps_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let drive =
        Drive { seed: 5, duration: Duration::from_secs(300), start: 1_790_000_000_000, rate_hz: 1, damaged: false };
    let log = drive.log();
    let nmea = dir.path().join("drive.nmea");
    fs::write(&nmea, &log.bytes).unwrap();
    let gps = format!("file:{}@max", nmea.display());
    let arguments = ["--dry-run", "--vin", "WVWZZZ1JZ3W386752", "--gps", &gps, "--obd", "none"];
    let kept = format!("{}/kept", dir.path().display());
    fs::create_dir(&kept).unwrap();
    let mut agent = Process::start(dir.path(), "agent", Path::new(AGENT), &arguments, &[("TMPDIR", &kept)]).unwrap();
    let printed_all = || {
        let printed = agent.printed();
        let lines = printed.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let telemetry = lines.filter(|line| line["topic"] == "up/telemetry");
        telemetry.map(|line| line["message"]["rows"].as_array().unwrap().len()).sum::<usize>()
    };
    bugbrother_kit::wait::until("every fix is printed", LIMIT, || {
        std::future::ready((printed_all() == log.valid_fixes).then_some(()))
    })
    .await
    .unwrap();
    assert!(agent.printed().lines().next().unwrap().contains("up/birth"));
    assert!(agent.terminate(LIMIT).await.unwrap().success(), "{}", agent.logged());
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 0, "nothing is left");
}
