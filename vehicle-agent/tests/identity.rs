//! The identity of a vehicle: whole whenever the power fails, and renewed in time.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{
    fs,
    os::unix::{fs::MetadataExt, process::ExitStatusExt},
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bugbrother_agent::{
    clock::{ClockSettings, Time},
    enrol::{Folder, Server, enrol, keep_renewed},
};
use bugbrother_kit::{disk::Disk, wait};
use bugbrother_wire::unix_ms;
use parts::fleet::{Fleet, VIN};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_util::sync::CancellationToken;

const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const LIMIT: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The certificate in the folder, if whole: it can be connected with.
fn usable(folder: &Folder) -> Option<String> {
    let identity = folder.identity().unwrap()?;
    assert_eq!(identity.vin.as_str(), VIN);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.ca_file()).unwrap()).unwrap();
    let certificate = CertificateDer::from_pem_file(folder.identity_file()).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.identity_file()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    config.with_root_certificates(roots).with_client_auth_cert(vec![certificate], key).unwrap();
    Some(identity.certificate)
}

/// What changes the disk, as far as it counts.
const CALLS: [&str; 3] = ["fsync", "rename", "unlink"];

/// Runs the agent, which is killed when it is about to make its `nth` call of that kind; whether it was.
fn cut_off(call: &str, nth: usize, arguments: &[&str]) -> bool {
    // On some processors it is the `at` kind: renameat2, unlinkat.
    let (trace, inject) = (format!("trace=/^{call}"), format!("inject=/^{call}:signal=KILL:when={nth}"));
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, AGENT]);
    let output = command.args(arguments).output().expect("strace is missing: apt-get install strace");
    assert!(output.status.success() || output.status.signal() == Some(9), "{}", said(&output));
    !output.status.success()
}

fn run(arguments: &[&str]) {
    let output = Command::new(AGENT).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_power_may_fail_at_every_step_of_enrolment_and_renewal() {
    let fleet = Fleet::start();
    let mut disk = Disk::mount(8).await.unwrap();
    let path = disk.path().join("identity");
    let (dir, server) = (path.display().to_string(), fleet.address());
    let folder = Folder::new(&path);

    let mut cuts = Vec::new();
    for call in CALLS {
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        let enroll = ["enroll", &server, &format!("CODE-{call}"), "--dir", &dir, "--again"];
        let mut nth = 1;
        while cut_off(call, nth, &enroll) {
            disk.cut_power().await.unwrap();
            // Enrolled or not, what is there is whole; and the one code is enough for all attempts.
            usable(&folder);
            nth += 1;
        }
        cuts.push(nth - 1);
        disk.cut_power().await.unwrap();
        usable(&folder).expect("what was said to be done is done");
    }
    assert!(cuts.iter().sum::<usize>() >= 11, "{cuts:?}");
    let mut present = usable(&folder).unwrap();

    let renew = ["renew", "--dir", &dir];
    let mut cuts = Vec::new();
    for call in CALLS {
        let mut nth = 1;
        while cut_off(call, nth, &renew) {
            disk.cut_power().await.unwrap();
            usable(&folder).expect("a vehicle that has an identity never is without");
            run(&renew);
            disk.cut_power().await.unwrap();
            let next = usable(&folder).unwrap();
            assert_ne!(next, present, "{call} {nth}");
            present = next;
            nth += 1;
        }
        present = usable(&folder).unwrap();
        cuts.push(nth - 1);
    }
    // Key, authority, certificate with key, and what is noted of it: each is written, put in its place, and that is noted.
    // The note of the key that was sent for may come back after a cut, and goes again.
    assert!(cuts[..2] == [8, 4] && cuts[2] >= 2, "{cuts:?}");
}

#[tokio::test]
async fn a_folder_that_is_another_users_stays_so() {
    let fleet = Fleet::start();
    let dir = tempfile::tempdir().unwrap();
    let me = fs::metadata(dir.path()).unwrap();
    // Only root may give a folder away; whoever else tests this is the other user.
    let (owner, group) = if me.uid() == 0 { (65_534, 65_534) } else { (me.uid(), me.gid()) };
    let path = dir.path().join("identity");
    fs::create_dir(&path).unwrap();
    std::os::unix::fs::chown(&path, Some(owner), Some(group)).unwrap();
    run(&["enroll", &fleet.address(), "CODE-1", "--dir", &path.display().to_string()]);
    run(&["renew", "--dir", &path.display().to_string()]);
    let files: Vec<_> = fs::read_dir(&path).unwrap().map(|file| file.unwrap()).collect();
    assert!(files.len() >= 3);
    for file in files {
        let about = file.metadata().unwrap();
        assert_eq!((about.uid(), about.gid(), about.mode() & 0o777), (owner, group, 0o600), "{file:?}");
    }
}

#[tokio::test]
async fn a_vehicle_whose_clock_is_behind_enrols_all_the_same_and_is_told() {
    let fleet = Fleet::start();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("identity").display().to_string();
    let enroll = |code: &str| {
        let mut command = Command::new(AGENT);
        said(&command.args(["enroll", &fleet.address(), code, "--dir", &path, "--again"]).output().unwrap())
    };
    let told = enroll("CODE-1");
    assert!(told.contains(VIN) && !told.contains("clock"), "{told}");
    fleet.be_ahead(Duration::from_secs(3 * 24 * 3600));
    let told = enroll("CODE-2");
    assert!(told.contains(VIN) && told.contains("clock is behind the server's"), "{told}");
    usable(&Folder::new(path)).unwrap();
}

/// Moves the life of the certificate, as far as the agent has noted it.
fn age(folder: &Path, days: i64) {
    let path = folder.join("identity.toml");
    let mut about: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    for moment in ["not_before", "not_after"] {
        let toml::Value::Integer(at) = &mut about[moment] else { panic!("{about}") };
        *at -= days * DAY_MS;
    }
    fs::write(path, about.to_string()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_renewed_as_soon_as_the_time_is_known_and_in_spite_of_refusals() {
    let fleet = Fleet::start();
    let dir = tempfile::tempdir().unwrap();
    let (path, folder) = (dir.path().join("identity"), Folder::new(dir.path().join("identity")));
    let (server, known) = (Server::new(&fleet.address(), None).unwrap(), folder.clone());
    let first = tokio::task::spawn_blocking(move || enrol(&server, "CODE-1", &known, false)).await.unwrap().unwrap();
    let time = Time::new(ClockSettings::in_folder(dir.path()));
    let stop = CancellationToken::new();
    let renewed = async |count: usize| {
        let done = || std::future::ready((fleet.counts() == (0, count)).then_some(()));
        wait::until("the certificate is renewed", LIMIT, done).await.unwrap();
    };

    // Two thirds of 90 days and a twelfth are 67.5 days.
    age(&path, 68);
    fleet.refuse(3);
    let keeper = tokio::spawn(keep_renewed(folder.clone(), time.clone(), stop.clone()));
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(fleet.counts(), (3, 0), "who knows no time knows of no end");
    time.hear_receiver(unix_ms(SystemTime::now()), Instant::now());
    renewed(1).await;
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let second = folder.identity().unwrap().unwrap();
    assert_ne!(second.certificate, first.certificate);
    assert_eq!(fleet.counts(), (0, 1), "a new one is good for long");
    age(&path, 59);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(fleet.counts(), (0, 1), "not yet");
    age(&path, 9);
    renewed(2).await;
    stop.cancel();
    keeper.await.unwrap();
}
