//! The agent with a certificate of its own, over TLS, at a Mosquitto that asks for one.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{fs, path::Path, time::Duration};

use bugbrother_kit::{mosquitto::Mosquitto, port, process::Process};
use bugbrother_simulator::Drive;
use parts::{certificates, database::Database};

const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(120);
const ACL: &str = "user database\ntopic read fleet/v1/+/up/#\ntopic write fleet/v1/+/down/#\n\
                   pattern write fleet/v1/%u/up/#\npattern read fleet/v1/%u/down/#\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_arrives_whole_over_tls_with_a_certificate_in_place_of_a_password() {
    let dir = tempfile::tempdir().unwrap();
    certificates::write(dir.path(), &["server", VIN]);
    let path = |name: &str| dir.path().join(name).display().to_string();
    fs::write(path("acl"), ACL).unwrap();
    let services = port::free().unwrap();
    let broker = Mosquitto::start(&format!(
        "certfile {}\nkeyfile {}\ncafile {}\nrequire_certificate true\nuse_identity_as_username true\n\
         acl_file {}\nallow_anonymous true\nlistener {services} 127.0.0.1\n",
        path("server.crt"),
        path("server.key"),
        path("ca.crt"),
        path("acl")
    ))
    .unwrap();
    let database = Database::start(services);
    let drive =
        Drive { seed: 5, duration: Duration::from_secs(600), start: 1_790_000_000_000, rate_hz: 1, damaged: false };
    let log = drive.log();
    fs::write(path("drive.nmea"), &log.bytes).unwrap();
    let (address, gps) = (format!("mqtts://127.0.0.1:{}", broker.port()), format!("file:{}@max", path("drive.nmea")));
    let (ca, certificate, key) = (path("ca.crt"), path(&format!("{VIN}.crt")), path(&format!("{VIN}.key")));
    let outbox = path("outbox.db");
    let arguments = [
        "--vin",
        VIN,
        "--broker",
        &address,
        "--ca",
        &ca,
        "--certificate",
        &certificate,
        "--key",
        &key,
        "--gps",
        &gps,
        "--outbox",
        &outbox,
        "--exit-when-done",
    ];
    let mut agent = Process::start(dir.path(), "agent", Path::new(AGENT), &arguments, &[]).unwrap();
    let status = agent.ended(LIMIT).await.unwrap();
    assert!(status.success(), "{}", agent.logged());
    assert_eq!(database.state().positions().len(), log.valid_fixes);
}
