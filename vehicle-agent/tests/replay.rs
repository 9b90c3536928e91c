//! The real program replays recordings through a real broker, and everything on the way is killed.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bugbrother_agent::outbox::Outbox;
use bugbrother_kit::{mosquitto::Mosquitto, port, process::Process, wait};
use bugbrother_simulator::{Drive, NmeaLog};
use bugbrother_wire::{
    CommandId, Epoch, Message, Seq, Vin, encode,
    message::{Command, Config, Presence, ReplyState, Status, VinSource},
    topic::Kind,
};
use parts::{database::Database, recording};
use tempfile::TempDir;

const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(60);
const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const OPEN: &str = "allow_anonymous true\n";

fn vin() -> Vin {
    VIN.parse().unwrap()
}

/// An agent and its folder.
struct Vehicle {
    dir: TempDir,
    port: u16,
    drive: PathBuf,
    speed: &'static str,
    done: bool,
}

impl Vehicle {
    fn new(port: u16, content: &[u8], speed: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let drive = dir.path().join("drive.nmea");
        fs::write(&drive, content).unwrap();
        let password = dir.path().join("password");
        fs::write(&password, "s3cret\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        Vehicle { dir, port, drive, speed, done: true }
    }

    fn start(&self) -> Process {
        self.start_with(&[])
    }

    fn start_with(&self, more: &[&str]) -> Process {
        self.start_by(Path::new(AGENT), &[], more)
    }

    /// On a disk that takes no file larger than 128 or 256 kB, as shells count differently.
    fn start_on_a_small_disk(&self) -> Process {
        self.start_by(Path::new("/bin/sh"), &["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "sh", AGENT], &[])
    }

    fn start_by(&self, program: &Path, before: &[&str], more: &[&str]) -> Process {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let gps = format!("file:{}@{}", self.drive.display(), self.speed);
        let broker = format!("127.0.0.1:{}", self.port);
        let (password, outbox) = (path("password"), path("outbox.db"));
        let mut arguments = before.to_vec();
        arguments.extend(["--vin", VIN, "--broker", &broker, "--password-file", &password]);
        arguments.extend(["--gps", &gps, "--outbox", &outbox]);
        if self.done {
            arguments.push("--exit-when-done");
        }
        arguments.extend(more);
        Process::start(self.dir.path(), "agent", program, &arguments, &[]).unwrap()
    }
}

fn generated(minutes: u64) -> NmeaLog {
    let duration = Duration::from_secs(60 * minutes);
    Drive { seed: 5, duration, start: 1_790_000_000_000, rate_hz: 1, damaged: true }.log()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    wait::until(what, LIMIT, || std::future::ready(condition().then_some(()))).await.unwrap();
}

/// Every position is there once.
fn assert_whole(database: &Database, fixes: usize) {
    let positions = database.state().positions();
    let mut moments = positions.clone();
    moments.dedup();
    assert_eq!((positions.len(), moments.len()), (fixes, fixes), "rows, different moments");
    let state = database.state();
    let numbers: Vec<u64> = state.records.keys().map(|(_, seq)| seq.0).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no number is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_drive_arrives_whole_and_the_agent_ends() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    let (content, fixes) = match recording::shared("switzerland-drive.nmea.gz") {
        Some(path) => (recording::content(&path), 10_327),
        None => {
            let log = generated(60);
            (log.bytes, log.valid_fixes)
        }
    };
    let vehicle = Vehicle::new(broker.port(), &content, "max");
    let mut agent = vehicle.start();
    let status = agent.ended(LIMIT).await.unwrap();
    assert!(status.success(), "{}", agent.logged());
    assert!(agent.logged().contains("the database has all of it"), "{}", agent.logged());
    assert_whole(&database, fixes);
    let says_offline = |status: &Status| status.status == Presence::Offline;
    until("it said goodbye", || database.state().statuses.last().is_some_and(says_offline)).await;
    let state = database.state();
    assert_eq!(state.statuses[0].status, Presence::Online);
    assert_eq!(state.statuses[1].reason.as_deref(), Some("agent stopped"));
    assert!(state.births[0].signals.iter().any(|signal| signal.key == "lat"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_again_and_again_loses_nothing_and_sends_nothing_twice() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    let log = generated(20);
    let vehicle = Vehicle::new(broker.port(), &log.bytes, "120");
    for share in [0.2, 0.4, 0.6] {
        let mut agent = vehicle.start();
        let wanted = (log.valid_fixes as f64 * share) as usize;
        until("a part of the drive is there", || database.state().positions().len() > wanted).await;
        agent.kill().unwrap();
    }
    let mut agent = vehicle.start();
    assert!(agent.ended(LIMIT).await.unwrap().success());
    assert_whole(&database, log.valid_fixes);
    assert_eq!(database.state().births.iter().map(|b| b.epoch).collect::<std::collections::BTreeSet<_>>().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_while_the_broker_is_away_comes_later_by_the_slow_lane() {
    let port = port::free().unwrap();
    let log =
        Drive { seed: 5, duration: Duration::from_secs(3600), start: 1_790_000_000_000, rate_hz: 10, damaged: false }
            .log();
    let vehicle = Vehicle::new(port, &log.bytes, "max");
    let mut agent = vehicle.start();
    until("all is recorded", || agent.logged().contains("recording replayed")).await;
    let _broker = Mosquitto::start_on(port, OPEN).unwrap();
    let database = Database::start(port);
    assert!(agent.ended(LIMIT).await.unwrap().success());
    assert_whole(&database, log.valid_fixes);
    let late = database.state().arrivals.iter().filter(|(kind, _)| *kind == Kind::Backfill).count();
    assert!(late > 0, "most of it is not live");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_comes_back_loses_nothing() {
    let port = port::free().unwrap();
    let mut broker = Mosquitto::start_on(port, OPEN).unwrap();
    let database = Database::start(port);
    let log = generated(20);
    let vehicle = Vehicle::new(port, &log.bytes, "120");
    let mut agent = vehicle.start();
    for losses in 1..=2 {
        let wanted = log.valid_fixes * losses / 4;
        until("a part of the drive is there", || database.state().positions().len() > wanted).await;
        drop(broker);
        until("the agent notices", || agent.logged().matches("no connection").count() >= losses).await;
        broker = Mosquitto::start_on(port, OPEN).unwrap();
    }
    assert!(agent.ended(LIMIT).await.unwrap().success());
    assert_whole(&database, log.valid_fixes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_database_does_not_stop_the_live_lane_and_gets_everything_again() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    database.state().silent = true;
    let log = generated(20);
    let vehicle = Vehicle::new(broker.port(), &log.bytes, "120");
    let mut agent = vehicle.start();
    until("viewers see the whole drive", || database.state().positions().len() == log.valid_fixes).await;
    agent.check_running().unwrap();
    {
        // It comes back empty: nothing of what it got before was kept.
        let mut state = database.state();
        state.records.clear();
        state.silent = false;
    }
    assert!(agent.ended(LIMIT).await.unwrap().success());
    assert_whole(&database, log.valid_fixes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fell_back_to_an_older_copy_gets_the_rest_again() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    let log = generated(20);
    let vehicle = Vehicle::new(broker.port(), &log.bytes, "60");
    let mut agent = vehicle.start();
    until("half of the drive is there", || database.state().positions().len() > log.valid_fixes / 2).await;
    {
        let mut state = database.state();
        state.records.retain(|(_, seq), _| *seq <= Seq(3));
        state.identity = "copy".to_owned();
    }
    assert!(agent.ended(LIMIT).await.unwrap().success());
    assert_whole(&database, log.valid_fixes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_epoch_is_ignored_an_unknown_command_denied_once_and_rubbish_counted() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    let log = generated(10);
    let mut vehicle = Vehicle::new(broker.port(), &log.bytes, "1");
    vehicle.done = false;
    let mut agent = vehicle.start();
    until("the agent is online", || !database.state().statuses.is_empty()).await;
    let foreign = database.state().ack(vin(), Epoch(99));
    database.say(vin(), Kind::Ack, encode(&foreign)).await;
    database.say(vin(), Kind::Ack, b"rubbish".to_vec()).await;
    database.say(vin(), Kind::Config, encode(&privacy())).await;
    let command = Command {
        v: 1,
        vin: vin(),
        id: CommandId(uuid::Uuid::from_u128(7)),
        name: "self_destruct".to_owned(),
        arguments: Default::default(),
        issued: 1_700_000_000_000,
        expires: 4_000_000_000_000,
        by: "test".to_owned(),
    };
    for _ in 0..2 {
        database.say(vin(), Kind::Command, encode(&command)).await;
    }
    let replies = || {
        let state = database.state();
        let replies = state.records.values().filter_map(|message| match message {
            Message::Reply(reply) => Some(reply.clone()),
            _ => None,
        });
        replies.collect::<Vec<_>>()
    };
    until("the command is answered", || !replies().is_empty()).await;
    let seen = database.state().positions().len();
    until("privacy leaves positions out", || is_private(&database)).await;
    assert!(database.state().positions().len() <= seen + 3);
    let status = agent.terminate(LIMIT).await.unwrap();
    assert!(status.success(), "{}", agent.logged());
    assert_eq!(replies().len(), 1, "a command is answered once");
    assert_eq!(replies()[0].state, ReplyState::Denied);
    assert!(agent.logged().contains("payload refused") && !agent.logged().contains("rubbish"), "{}", agent.logged());
    until("it said goodbye", || database.state().statuses.last().is_some_and(|s| s.status == Presence::Offline)).await;
}

fn privacy() -> Config {
    Config {
        v: 1,
        vin: vin(),
        revision: 1,
        periods_ms: Default::default(),
        thresholds: Default::default(),
        geofences: Vec::new(),
        privacy: true,
        driver_privacy: false,
        daily_bytes: None,
    }
}

/// Whether the newest rows have no position.
fn is_private(database: &Database) -> bool {
    database.state().telemetry().last().is_some_and(|batch| batch.column("lat").is_none())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vehicle_that_keeps_its_position_to_itself_does_so_after_a_restart() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    let mut vehicle = Vehicle::new(broker.port(), &generated(10).bytes, "4");
    vehicle.done = false;
    let mut agent = vehicle.start();
    until("the agent is online", || !database.state().statuses.is_empty()).await;
    database.say(vin(), Kind::Config, encode(&privacy())).await;
    until("privacy leaves positions out", || is_private(&database)).await;
    agent.terminate(LIMIT).await.unwrap();
    let path = vehicle.dir.path().join("outbox.db");
    let outbox = Outbox::open(&path, 1 << 20, vin(), VinSource::Configured, 1_790_000_000_000).await.unwrap();
    let top = outbox.tally().borrow().top;
    outbox.close().await.unwrap();
    // One that has kept no settings for the vehicle.
    let other = Mosquitto::open_to_all().unwrap();
    let database = Database::start(other.port());
    vehicle.port = other.port();
    let _agent = vehicle.start();
    let with_position = || {
        let state = database.state();
        let later = state.records.iter().filter(|((_, seq), _)| *seq > top);
        let batches = later.filter_map(|(_, message)| match message {
            Message::Telemetry(batch) | Message::Backfill(batch) => Some(batch.column("lat").is_some()),
            _ => None,
        });
        batches.collect::<Vec<_>>()
    };
    until("it goes on recording", || with_position().len() > 1).await;
    assert!(!with_position().contains(&true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_disk_is_full_can_be_stopped_and_says_what_is_lost() {
    let log =
        Drive { seed: 5, duration: Duration::from_secs(3600), start: 1_790_000_000_000, rate_hz: 10, damaged: false }
            .log();
    let mut vehicle = Vehicle::new(port::free().unwrap(), &log.bytes, "max");
    vehicle.done = false;
    let mut agent = vehicle.start_on_a_small_disk();
    until("the disk is full", || agent.logged().contains("records are not on disk yet")).await;
    let status = agent.terminate(LIMIT).await.unwrap();
    assert_eq!(status.code(), Some(1), "{}", agent.logged());
    assert!(agent.logged().contains("records are lost"), "{}", agent.logged());
    assert_eq!(agent.logged().matches("records are not on disk yet").count(), 1, "{}", agent.logged());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_leaves_its_will() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    let mut vehicle = Vehicle::new(broker.port(), &generated(10).bytes, "1");
    vehicle.done = false;
    let mut agent = vehicle.start();
    until("the agent is online", || !database.state().statuses.is_empty()).await;
    agent.kill().unwrap();
    until("the will is published", || database.state().statuses.len() == 2).await;
    let state = database.state();
    assert_eq!(state.statuses[1].status, Presence::Offline);
    assert_eq!(state.statuses[1].reason.as_deref(), Some("connection lost"));
    let session = |status: &Status| (status.epoch, status.since);
    assert_eq!(session(&state.statuses[1]), session(&state.statuses[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_end_the_agent_with_their_names() {
    let vehicle = Vehicle::new(1, b"", "max");
    let password = vehicle.dir.path().join("password");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    let mut agent = vehicle.start();
    assert_eq!(agent.ended(LIMIT).await.unwrap().code(), Some(1));
    assert!(agent.logged().contains("chmod 600"), "{}", agent.logged());
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(&vehicle.drive).unwrap();
    let mut agent = vehicle.start();
    assert_eq!(agent.ended(LIMIT).await.unwrap().code(), Some(1));
    assert!(agent.logged().contains("drive.nmea cannot be read"), "{}", agent.logged());
    let settings = vehicle.dir.path().join("agent.toml");
    fs::write(&settings, "speed = 3").unwrap();
    let mut agent = vehicle.start_with(&["--config", settings.to_str().unwrap()]);
    assert_eq!(agent.ended(LIMIT).await.unwrap().code(), Some(1));
    assert!(agent.logged().contains("speed"), "{}", agent.logged());
}
