//! Commands over a real broker to the real program, with a simulated car behind its adapter.
#![cfg(feature = "obd")]
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use bugbrother_kit::{mosquitto::Mosquitto, process::Process, wait};
use bugbrother_simulator::{Simulator, demo_fleet};
use bugbrother_wire::{
    CommandId, Message, Seq, Vin, encode,
    message::{Argument, Command, Config, EventKind, Presence, Reply, ReplyState},
    topic::Kind,
};
use parts::database::Database;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(60);
const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const NEVER: i64 = 4_000_000_000_000;

/// A fleet of one: broker, database, a simulated car that has trouble codes, and its agent.
struct Fleet {
    dir: TempDir,
    broker: Mosquitto,
    database: Database,
    vin: Vin,
    gps: u16,
    elm: u16,
    car: CancellationToken,
}

impl Fleet {
    async fn new() -> Self {
        let broker = Mosquitto::open_to_all().unwrap();
        let database = Database::start(broker.port());
        let dir = tempfile::tempdir().unwrap();
        let password = dir.path().join("password");
        fs::write(&password, "s3cret\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let profile = demo_fleet().into_iter().find(|profile| !profile.trouble.stored.is_empty()).unwrap();
        let (gps, elm) = (listener().await, listener().await);
        let ports = [&gps, &elm].map(|listener| listener.local_addr().unwrap().port());
        let car = CancellationToken::new();
        Simulator::start(profile, gps, elm, 1.0, car.clone());
        Fleet { dir, broker, database, vin: profile.vin, gps: ports[0], elm: ports[1], car }
    }

    fn start(&self) -> Process {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let device = |port: u16| format!("tcp:127.0.0.1:{port}");
        let broker = format!("127.0.0.1:{}", self.broker.port());
        let (password, outbox) = (path("password"), path("outbox.db"));
        let (gps, obd) = (device(self.gps), device(self.elm));
        let arguments = ["--vin", self.vin.as_str(), "--broker", &broker, "--password-file", &password];
        let arguments = [&arguments[..], &["--gps", &gps, "--obd", &obd, "--outbox", &outbox]].concat();
        Process::start(self.dir.path(), "agent", Path::new(AGENT), &arguments, &[]).unwrap()
    }

    fn command(&self, id: u128, name: &str, arguments: &[(&str, Argument)]) -> Command {
        Command {
            v: 1,
            vin: self.vin,
            id: CommandId(uuid::Uuid::from_u128(id)),
            name: name.to_owned(),
            arguments: arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            issued: 1_700_000_000_000,
            expires: NEVER,
            by: "ada".to_owned(),
        }
    }

    /// Waits until it has been for the `times`-th time.
    async fn is_online(&self, times: usize) {
        until("it is online", || {
            self.database.state().statuses.iter().filter(|s| s.status == Presence::Online).count() >= times
        })
        .await;
    }

    async fn give(&self, command: &Command) {
        self.database.say(self.vin, Kind::Command, encode(command)).await;
    }

    /// Gives a command and waits for its end.
    async fn order(&self, id: u128, name: &str, arguments: &[(&str, Argument)]) -> Reply {
        self.give(&self.command(id, name, arguments)).await;
        self.last_reply(id).await
    }

    fn replies(&self, id: u128) -> Vec<Reply> {
        let state = self.database.state();
        let replies = state.records.values().filter_map(|message| match message {
            Message::Reply(reply) if reply.command.0.as_u128() == id => Some(reply.clone()),
            _ => None,
        });
        replies.collect()
    }

    async fn last_reply(&self, id: u128) -> Reply {
        let ended = || {
            let is_last = |reply: &Reply| !matches!(reply.state, ReplyState::Accepted | ReplyState::Running);
            self.replies(id).into_iter().find(is_last)
        };
        wait::until("the command ends", LIMIT, || std::future::ready(ended())).await.unwrap()
    }

    fn has_event(&self, kind: EventKind) -> bool {
        let state = self.database.state();
        state.records.values().any(|message| matches!(message, Message::Event(event) if event.kind == kind))
    }

    /// Whether the newest rows of the receiver have a position.
    fn shows_position(&self) -> Option<bool> {
        let state = self.database.state();
        let newest = state.telemetry().filter(|batch| batch.column("gspd").is_some()).last();
        newest.map(|batch| batch.column("lat").is_some())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.car.cancel();
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    wait::until(what, LIMIT, || std::future::ready(condition().then_some(()))).await.unwrap();
}

fn detail(reply: &Reply) -> &str {
    reply.detail.as_deref().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_codes_are_read_on_command_and_cleared_only_in_two_steps_and_with_the_engine_off() {
    let fleet = Fleet::new().await;
    let _agent = fleet.start();
    until("the car answers", || fleet.database.state().telemetry().any(|batch| batch.column("rpm").is_some())).await;
    let read = fleet.order(1, "read_dtcs", &[]).await;
    assert_eq!(read.state, ReplyState::Done, "{read:?}");
    assert!(detail(&read).contains("P0301 (stored"), "{read:?}");
    assert_eq!(fleet.replies(1).len(), 2, "running and done");

    let wrong = fleet.order(2, "clear_dtcs", &[("confirm", Argument::Text("AAAAAA".to_owned()))]).await;
    assert_eq!(wrong.state, ReplyState::Denied, "{wrong:?}");
    let asked = fleet.order(3, "clear_dtcs", &[]).await;
    assert_eq!(asked.state, ReplyState::Done, "{asked:?}");
    let confirm = [("confirm", asked.result["confirm"].clone())];
    let refused = fleet.order(4, "clear_dtcs", &confirm).await;
    assert_eq!(refused.state, ReplyState::Failed, "{refused:?}");
    assert!(detail(&refused).contains("the engine runs"), "{refused:?}");
    let again = fleet.order(5, "clear_dtcs", &confirm).await;
    assert_eq!(again.state, ReplyState::Denied, "a word is good once: {again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_answered_in_words() {
    let fleet = Fleet::new().await;
    let _agent = fleet.start();
    fleet.is_online(1).await;
    for (id, name, arguments, state, words) in [
        (1, "self_destruct", vec![], ReplyState::Denied, "knows no command"),
        (2, "privacy", vec![("on", Argument::Integer(1))], ReplyState::Denied, "neither true nor false"),
        (3, "photo", vec![], ReplyState::Denied, "no camera"),
    ] {
        let reply = fleet.order(id, name, &arguments).await;
        assert_eq!(reply.state, state, "{reply:?}");
        assert!(detail(&reply).contains(words), "{reply:?}");
    }
    let late = Command { expires: 1_700_000_000_001, ..fleet.command(4, "restart", &[]) };
    fleet.give(&late).await;
    assert_eq!(fleet.last_reply(4).await.state, ReplyState::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_a_new_start_of_the_same_vehicle_and_is_done_once() {
    let fleet = Fleet::new().await;
    let mut agent = fleet.start();
    fleet.is_online(1).await;
    let reply = fleet.order(1, "restart", &[]).await;
    assert_eq!((reply.state, detail(&reply)), (ReplyState::Done, "restarted"));
    agent.check_running().unwrap();
    fleet.is_online(2).await;
    let births = fleet.database.state().births.clone();
    assert!(births.iter().all(|birth| birth.epoch == births[0].epoch), "the outbox is the same");
    fleet.give(&fleet.command(1, "restart", &[])).await;
    let log = fleet.order(2, "send_log", &[("lines", Argument::Integer(500))]).await;
    assert_eq!(log.state, ReplyState::Done);
    let text = log.text.unwrap();
    assert!(text.contains("online") && text.contains("outbox opened"), "{text}");
    assert_eq!(fleet.replies(1).len(), 2, "accepted and done");
    assert_eq!(agent.logged().matches("outbox opened").count(), 2, "{}", agent.logged());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_cut_off_gets_its_last_reply_after_the_next_start() {
    let fleet = Fleet::new().await;
    let mut agent = fleet.start();
    until("the car answers", || fleet.database.state().telemetry().any(|batch| batch.column("rpm").is_some())).await;
    let (mut cut_off, mut last) = (false, 0);
    // Many, of which the killing finds some undone; where the machine is slow or fast, not at the first time.
    for round in 1..=10 {
        let ids = last + 1..=last + 12;
        last += 12;
        for id in ids.clone() {
            fleet.give(&fleet.command(id, "read_dtcs", &[])).await;
        }
        until("it is at it", || ids.clone().any(|id| !fleet.replies(id).is_empty())).await;
        agent.kill().unwrap();
        agent = fleet.start();
        fleet.is_online(round + 1).await;
        let resync = fleet.order(1000 + last, "resync", &[]).await;
        let whole = |state: &parts::database::State| {
            (1..=resync.seq.0).all(|seq| state.records.contains_key(&(resync.epoch, Seq(seq))))
        };
        until("what was said before is there", || whole(&fleet.database.state())).await;
        for id in ids {
            // One that had not reached the vehicle is unknown to it.
            let replies = fleet.replies(id);
            let ends: Vec<_> = replies.iter().filter(|reply| reply.state != ReplyState::Running).collect();
            assert_eq!(ends.len(), usize::from(!replies.is_empty()), "{replies:?}");
            for end in ends {
                assert!(matches!(end.state, ReplyState::Done | ReplyState::Failed), "{end:?}");
                cut_off |= end.state == ReplyState::Failed && detail(end).contains("restarted meanwhile");
            }
        }
        if cut_off {
            return;
        }
    }
    panic!("no command was ever cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn privacy_by_command_counts_until_the_fleets_settings_change() {
    let fleet = Fleet::new().await;
    let _agent = fleet.start();
    until("positions are sent", || fleet.shows_position() == Some(true)).await;
    let reply = fleet.order(1, "privacy", &[("on", Argument::Bool(true))]).await;
    assert_eq!((reply.state, detail(&reply)), (ReplyState::Done, "position and pictures stay in the vehicle"));
    until("positions stay", || fleet.shows_position() == Some(false)).await;
    until("everybody is told", || fleet.has_event(EventKind::PrivacyOn)).await;
    let config = Config {
        v: 1,
        vin: fleet.vin,
        revision: 1,
        periods_ms: BTreeMap::new(),
        thresholds: BTreeMap::new(),
        geofences: Vec::new(),
        privacy: false,
        driver_privacy: false,
        daily_bytes: None,
    };
    fleet.database.say(fleet.vin, Kind::Config, encode(&config)).await;
    until("positions are sent again", || fleet.shows_position() == Some(true)).await;
    until("everybody is told that, too", || fleet.has_event(EventKind::PrivacyOff)).await;
}
