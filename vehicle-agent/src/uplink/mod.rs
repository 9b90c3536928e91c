//! Outbox → MQTT, and what the fleet says back.
//!
//! # Layout
//! - [`delivery`]: what is sent next, a pure state machine
//! - [`pace`]: how fast goes what is late
//! - `session`: the uplink while there is, or was, a connection
//! - `downlink`: acknowledgements, settings and commands
//! - `print`: the same for a screen instead of a broker
//!
//! # Invariants
//! - Only what the outbox has on disk is sent, and only `down/ack` removes it from there.
//! - Nothing that arrives ends the session: it is counted and acknowledged.
//! - A disk that takes nothing ends it neither: what is on it is sent, and the fleet says again what could not be noted.

pub mod delivery;
mod downlink;
pub mod pace;
mod print;
mod session;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_client::{Options, Qos, Tls, Traffic, Will, connect};
use bugbrother_wire::{
    SCHEMA_VERSION, Topic, UnixMs, encode,
    message::{CameraDeclaration, CarDeclaration, Command, Presence, SignalDeclaration, Status},
    topic::Kind,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use self::print::print;
pub(crate) use self::session::declaration;
use self::{
    delivery::WINDOW,
    pace::Pace,
    session::{Left, Uplink},
};
use crate::{
    alive::Ping,
    clock::Time,
    link::Address,
    outbox::{Outbox, OutboxError, Wanted},
    rest::Rest,
    wishes::Wishes,
};

/// Publishes beside the outbox's: birth and status.
const WINDOW_REST: usize = 16;
const MAX_PACKET_BYTES: usize = 512 * 1024;
/// On another broker than the first, those before it are tried again after a random time between so many seconds and twice
/// as many.
pub(crate) const RETURN_AFTER_S: u32 = 600;

/// When a connection was begun, by our clock and by what is said of it.
type Began = (Instant, UnixMs);

/// To whom the agent speaks.
#[derive(Debug)]
pub struct Account {
    /// The brokers, the preferred one first; at least one.
    pub brokers: Vec<Address>,
    /// On another than the first, those before it are tried again after so long at least, and twice as long at most.
    pub return_after: Duration,
    /// How it is spoken to by TLS, if at all.
    pub tls: Option<Tls>,
    /// MQTT user name.
    pub username: String,
    /// MQTT password.
    pub password: SecretString,
    /// How fast goes what was recorded out of reach.
    pub pace: Pace,
    /// What goes over the network is added to it.
    pub traffic: Traffic,
}

/// What the uplink and the other parts tell each other.
pub struct Ties {
    /// What the vehicle will send.
    pub signals: watch::Receiver<Vec<SignalDeclaration>>,
    /// The cameras that it has.
    pub cameras: Vec<CameraDeclaration>,
    /// What the car says of itself, once it has.
    pub car: watch::Receiver<Option<CarDeclaration>>,
    /// Where the fleet's settings go.
    pub wishes: Wishes,
    /// Where its commands go, once they are noted.
    pub commands: mpsc::Sender<Command>,
    /// Everything is to be said again.
    pub resync: mpsc::Receiver<()>,
    /// Whether the vehicle rests.
    pub rest: watch::Receiver<Rest>,
    /// Questions whether the uplink goes round.
    pub pings: mpsc::Receiver<Ping>,
    /// Whether there is a connection.
    pub online: watch::Sender<bool>,
    /// The agent's time.
    pub time: Time,
}

impl Ties {
    /// Of an uplink that has nothing to do but to send an outbox: nothing is wanted, no command is carried out.
    pub fn of_an_outbox_alone(time: Time) -> Self {
        Ties {
            signals: watch::channel(Vec::new()).1,
            cameras: Vec::new(),
            car: watch::channel(None).1,
            wishes: Wishes::new(Wanted::default()),
            commands: mpsc::channel(1).0,
            resync: mpsc::channel(1).1,
            rest: watch::channel(None).1,
            pings: mpsc::channel(1).1,
            online: watch::Sender::new(false),
            time,
        }
    }
}

/// Why the uplink ends before it is to.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// The outbox cannot be read.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// Nobody to speak to.
    #[error("the list of brokers is empty")]
    NoBroker,
    /// The MQTT session is gone, which only a panic inside it can bring about.
    #[error("the MQTT session ended by itself")]
    Session,
}

/// Sends the outbox until `stop`, then says goodbye with its reason. While the vehicle rests there is no connection, but for
/// what is urgent and a sign of life every hour.
pub async fn run(account: Account, outbox: Outbox, ties: Ties, stop: CancellationToken) -> Result<(), UplinkError> {
    let started = ties.time.estimate();
    let vin = outbox.identity().vin;
    let mut brokers = account.brokers.into_iter();
    let broker = brokers.next().ok_or(UplinkError::NoBroker)?;
    let mut options =
        Options::new(broker.host, broker.port, vin.as_str(), account.username, account.password.expose_secret());
    let status = |status, reason: Option<&str>| Status {
        v: SCHEMA_VERSION,
        vin,
        epoch: outbox.identity().epoch,
        status,
        since: started,
        reason: reason.map(str::to_owned),
    };
    let lost = status(Presence::Offline, Some("connection lost"));
    // Made anew for each connection: what a broker says of one that was left for another is known by it to be about the past.
    let (begin, began) = watch::channel::<Began>((Instant::now(), started));
    options.will_payload = Some(Arc::new({
        let (lost, time) = (lost.clone(), ties.time.clone());
        move || {
            let since = time.estimate();
            begin.send_replace((Instant::now(), since));
            encode(&Status { since, ..lost.clone() })
        }
    }));
    options.will = Some(Will {
        topic: Topic::new(vin, Kind::Status).to_string(),
        payload: encode(&lost),
        qos: Qos::AtLeastOnce,
        retain: true,
    });
    options.tls = account.tls;
    options.traffic = account.traffic;
    options.alternatives = brokers.map(|broker| (broker.host, broker.port)).collect();
    options.return_after = Some((account.return_after, account.return_after * 2));
    options.subscriptions = vec![(Topic::down_filter(vin), Qos::AtLeastOnce)];
    options.max_packet_bytes = MAX_PACKET_BYTES;
    options.window = WINDOW + WINDOW_REST;
    let mut ties = Some(ties);
    let mut uplink: Option<Uplink> = None;
    loop {
        let session = CancellationToken::new();
        let _ends_with_this = session.clone().drop_guard();
        let (publisher, mut events) = connect(options.clone(), session.clone());
        let uplink = match (&mut uplink, ties.take()) {
            (Some(uplink), _) => {
                uplink.publisher = publisher;
                uplink
            }
            (none, ties) => {
                let ties = ties.expect("they are taken once, for the first connection");
                let online = status(Presence::Online, None);
                none.insert(Uplink::new(outbox.clone(), ties, account.pace, publisher, online, began.clone()))
            }
        };
        let served = uplink.serve(&mut events, &stop).await;
        let (presence, reason) = match &served {
            Ok(Left::Rest(reason)) => (Presence::Asleep, &**reason),
            _ => (Presence::Offline, "agent stopped"),
        };
        let farewell = Status { since: uplink.online.since, ..status(presence, Some(reason)) };
        uplink.leave(farewell).await;
        session.cancel();
        while events.recv().await.is_some() {}
        match served? {
            Left::Stop => return Ok(()),
            Left::Rest(_) => uplink.wait_for_reason(&stop).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_client::Event;
    use bugbrother_kit::mosquitto::Mosquitto;
    use bugbrother_wire::{
        Message, Seq, judge_present,
        message::{Ack, Birth, Config, VinSource},
        topic::ALL_UP,
    };

    use std::collections::BTreeMap;

    use tokio::time::timeout;

    use super::*;
    use crate::{
        clock::ClockSettings,
        now_ms,
        outbox::{Draft, Wanted},
    };

    const LIMIT: Duration = Duration::from_secs(20);
    const PACE: Pace = Pace { records_s: 100, bytes_s: 100_000 };

    async fn outbox(dir: &tempfile::TempDir) -> Outbox {
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        Outbox::open(&dir.path().join("outbox.db"), 1 << 20, vin, VinSource::Configured, now_ms()).await.unwrap()
    }

    fn account(broker: &Mosquitto) -> Account {
        Account {
            brokers: vec![Address { host: "127.0.0.1".to_owned(), port: broker.port() }],
            return_after: Duration::from_secs(600),
            tls: None,
            username: "agent".to_owned(),
            password: SecretString::default(),
            pace: PACE,
            traffic: Traffic::default(),
        }
    }

    fn ties() -> (Ties, Wishes) {
        let ties = Ties::of_an_outbox_alone(Time::new(ClockSettings::of_this_system()));
        let wishes = ties.wishes.clone();
        (ties, wishes)
    }

    async fn next_status(events: &mut bugbrother_client::Events) -> Status {
        let next = async {
            loop {
                let Some(Event::Message(message)) = events.recv().await else { continue };
                message.ack();
                let judged = judge_present(&message.topic, &message.payload, now_ms());
                if let Ok((_, Message::Status(status))) = judged {
                    return status;
                }
            }
        };
        timeout(LIMIT, next).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broker_that_is_left_for_another_can_say_nothing_of_the_present() {
        let (dir, first, second) =
            (tempfile::tempdir().unwrap(), Mosquitto::open_to_all().unwrap(), Mosquitto::open_to_all().unwrap());
        let (stop, listening) = (CancellationToken::new(), CancellationToken::new());
        let _ends_with_this = listening.clone().drop_guard();
        let [mut at_first, mut at_second] = [&first, &second].map(|broker| {
            let mut options = Options::new("127.0.0.1", broker.port(), "listener", "listener", "");
            options.subscriptions = vec![(ALL_UP.to_owned(), Qos::AtLeastOnce)];
            connect(options, listening.clone()).1
        });
        let mut account = account(&first);
        account.brokers.push(Address { host: "127.0.0.1".to_owned(), port: second.port() });
        let running = tokio::spawn(run(account, outbox(&dir).await, ties().0, stop.clone()));
        let before = next_status(&mut at_first).await;
        drop(first);
        let now = next_status(&mut at_second).await;
        assert_eq!((before.status, now.status), (Presence::Online, Presence::Online));
        assert!(before.since < now.since, "so that its will is known to be older: {before:?}, {now:?}");
        stop.cancel();
        let farewell = next_status(&mut at_second).await;
        assert_eq!((farewell.status, farewell.since), (Presence::Offline, now.since));
        running.await.unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_disk_that_refuses_does_not_end_the_uplink_and_is_asked_again() {
        let (dir, broker) = (tempfile::tempdir().unwrap(), Mosquitto::open_to_all().unwrap());
        let outbox = outbox(&dir).await;
        let record =
            Draft::Diagnostics { at: now_ms(), mil: None, dtcs: Vec::new(), monitors: Vec::new(), freeze_frame: None };
        outbox.append(&[record], now_ms()).await.unwrap();
        let (ties, wishes) = ties();
        let mut private = wishes.private();
        let account = account(&broker);
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(account, outbox.clone(), ties, stop.clone()));

        let mut options = Options::new("127.0.0.1", broker.port(), "database", "database", "");
        options.subscriptions = vec![(ALL_UP.to_owned(), Qos::AtLeastOnce)];
        let (database, mut events) = connect(options, stop.clone());
        let vin = outbox.identity().vin;
        let say = async |kind, payload: Vec<u8>| {
            let topic = Topic::new(vin, kind).to_string();
            database.publish(topic, payload, Qos::AtLeastOnce, false).await.unwrap().await.unwrap();
        };
        let diagnostics = Topic::new(vin, Kind::Diagnostics).to_string();
        while !matches!(events.recv().await.unwrap(), Event::Message(message) if message.topic == diagnostics) {}
        let epoch = outbox.identity().epoch;
        let ack = encode(&Ack { v: 1, vin, epoch, seq: Seq(1), ranges: Vec::new(), store: "a".to_owned() });
        let config = Config {
            v: 1,
            vin,
            revision: 7,
            periods_ms: BTreeMap::from([("rpm".to_owned(), 500)]),
            thresholds: BTreeMap::new(),
            geofences: Vec::new(),
            privacy: true,
            driver_privacy: false,
            daily_bytes: Some(30_000_000),
        };

        outbox.refuse_writes(true).await;
        say(Kind::Ack, ack.clone()).await;
        say(Kind::Config, encode(&config)).await;
        timeout(LIMIT, private.wait_for(|private| *private)).await.unwrap().unwrap();
        assert_eq!(outbox.tally().borrow().unstored, 1);
        outbox.refuse_writes(false).await;
        say(Kind::Ack, ack).await;
        timeout(LIMIT, outbox.tally().wait_for(|tally| tally.unstored == 0)).await.unwrap().unwrap();
        stop.cancel();
        running.await.unwrap().unwrap();
        let wanted = Wanted { config: Some(config), driver_private: false };
        assert_eq!(outbox.wanted().await.unwrap(), wanted);
    }

    #[tokio::test]
    async fn a_session_that_ends_by_itself_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = outbox(&dir).await;
        let session = CancellationToken::new();
        let (publisher, mut events) = connect(Options::new("127.0.0.1", 1, "agent", "agent", ""), session.clone());
        let identity = outbox.identity();
        let online = Status {
            v: SCHEMA_VERSION,
            vin: identity.vin,
            epoch: identity.epoch,
            status: Presence::Online,
            since: now_ms(),
            reason: None,
        };
        let began = watch::Sender::new((Instant::now(), online.since)).subscribe();
        let mut uplink = Uplink::new(outbox, ties().0, PACE, publisher, online, began);
        session.cancel();
        let served = timeout(LIMIT, uplink.serve(&mut events, &CancellationToken::new())).await.unwrap();
        assert!(matches!(served, Err(UplinkError::Session)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_said_of_the_start_is_corrected_when_the_time_is_known() {
        let (dir, broker) = (tempfile::tempdir().unwrap(), Mosquitto::open_to_all().unwrap());
        let outbox = outbox(&dir).await;
        // A Raspberry Pi with a clock that nobody has set.
        let board = dir.path().join("proc/device-tree");
        std::fs::create_dir_all(&board).unwrap();
        std::fs::write(board.join("model"), "Raspberry Pi 4").unwrap();
        let time = Time::new(ClockSettings::in_folder(dir.path()));
        let account = account(&broker);
        let stop = CancellationToken::new();
        let vin = outbox.identity().vin;
        let mut options = Options::new("127.0.0.1", broker.port(), "viewer", "viewer", "");
        options.subscriptions = vec![(Topic::new(vin, Kind::Birth).to_string(), Qos::AtLeastOnce)];
        let (_viewer, mut events) = connect(options, stop.clone());
        let ties = Ties::of_an_outbox_alone(time.clone());
        let running = tokio::spawn(run(account, outbox, ties, stop.clone()));
        let mut started = async || loop {
            if let Event::Message(message) = timeout(LIMIT, events.recv()).await.unwrap().unwrap() {
                let birth: Birth = bugbrother_wire::codec::decode_value(&message.payload).unwrap();
                return birth.started;
            }
        };
        assert!((started().await - now_ms()).abs() < 60_000);
        let real = now_ms() + 86_400_000;
        time.hear_receiver(real, Instant::now());
        assert!((started().await - real).abs() < 60_000);
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}
