//! Outbox → MQTT, and what the fleet says back.
//!
//! # Layout
//! - [`delivery`]: what is sent next, a pure state machine
//! - [`pace`]: how fast goes what is late
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

use std::{
    future::{self, Future},
    pin::Pin,
    time::Instant,
};

use bugbrother_client::{Event, Events, Options, PublishError, Publisher, Qos, Tls, Traffic, Will, connect};
use bugbrother_wire::{
    SCHEMA_VERSION, Topic, UnixMs, encode,
    message::{Birth, CameraDeclaration, CarDeclaration, Command, Presence, SignalDeclaration, Status},
    signal::Signal,
    topic::Kind,
};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

pub use self::print::print;
use self::{
    delivery::{Delivery, LIVE_REACH, Lane, WINDOW},
    downlink::Downlink,
    pace::{Bucket, Pace},
};
use crate::{
    alive::Ping,
    clock::{Good, Time},
    link::Address,
    outbox::{Outbox, OutboxError, Tally, Wanted},
    rest::Rest,
    wishes::Wishes,
};

/// What was recorded longer ago than that is not live any more.
const LIVE_FOR_MS: UnixMs = 10_000;
/// An acknowledgement is written with the next records; without any, after so long.
const WRITTEN_WITHIN: Duration = Duration::from_secs(3);
/// So exactly it is said since when the agent runs.
const STARTED_WITHIN_MS: i64 = 10_000;
/// Publishes beside the outbox's: birth and status.
const WINDOW_REST: usize = 16;
const MAX_PACKET_BYTES: usize = 512 * 1024;
/// On another broker than the first, those before it are tried again after a random time between these.
const RETURN_AFTER: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(1200));
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// A vehicle that rests stays connected so long for what the database does not have yet.
const REST_PATIENCE: Duration = Duration::from_secs(60);
/// A vehicle that rests says so often how it is.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3600);

/// To whom the agent speaks.
#[derive(Debug)]
pub struct Account {
    /// The brokers, the preferred one first; at least one.
    pub brokers: Vec<Address>,
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
    options.will = Some(Will {
        topic: Topic::new(vin, Kind::Status).to_string(),
        payload: encode(&lost),
        qos: Qos::AtLeastOnce,
        retain: true,
    });
    options.tls = account.tls;
    options.traffic = account.traffic;
    options.alternatives = brokers.map(|broker| (broker.host, broker.port)).collect();
    options.return_after = Some(RETURN_AFTER);
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
                none.insert(Uplink::new(outbox.clone(), ties, account.pace, publisher, status(Presence::Online, None)))
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

fn answer(ping: Ping) {
    if ping.send(()).is_err() {
        debug!("who asked has lost patience");
    }
}

/// Why a connection was let go of.
enum Left {
    /// The agent ends.
    Stop,
    /// The vehicle rests, for this reason.
    Rest(String),
}

/// What an agent says of itself.
fn birth(
    outbox: &Outbox,
    started: UnixMs,
    signals: &mut watch::Receiver<Vec<SignalDeclaration>>,
    cameras: &[CameraDeclaration],
    car: &mut watch::Receiver<Option<CarDeclaration>>,
) -> Birth {
    let identity = outbox.identity();
    Birth {
        v: SCHEMA_VERSION,
        vin: identity.vin,
        vin_source: identity.vin_source,
        epoch: identity.epoch,
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        signals: signals.borrow_and_update().clone(),
        cameras: cameras.to_vec(),
        car: car.borrow_and_update().clone(),
    }
}

/// What `up/birth` says of a signal.
pub(crate) fn declaration(signal: &Signal, period_ms: u32) -> SignalDeclaration {
    SignalDeclaration {
        key: signal.key.to_owned(),
        vss: signal.vss.map(str::to_owned),
        unit: signal.unit.to_owned(),
        period_ms,
    }
}

type Published = Pin<Box<dyn Future<Output = Lane> + Send>>;

struct Uplink {
    delivery: Delivery,
    downlink: Downlink,
    signals: watch::Receiver<Vec<SignalDeclaration>>,
    /// Whether `signals` can still change.
    signals_known: bool,
    cameras: Vec<CameraDeclaration>,
    car: watch::Receiver<Option<CarDeclaration>>,
    /// Whether `car` can still change.
    car_known: bool,
    resync: mpsc::Receiver<()>,
    rest: watch::Receiver<Rest>,
    pings: mpsc::Receiver<Ping>,
    under_way: FuturesUnordered<Published>,
    online: Status,
    tally: watch::Receiver<Tally>,
    /// Of the records that were held back, how many are known to be free.
    released: u64,
    connection: watch::Sender<bool>,
    time: Time,
    good: watch::Receiver<Option<Good>>,
    started: Instant,
    /// What is late waits for it.
    bucket: Bucket,
    /// Since when the disk has not been told of an acknowledgement.
    acknowledged: Option<Instant>,
    publisher: Publisher,
    outbox: Outbox,
}

impl Uplink {
    fn new(outbox: Outbox, ties: Ties, pace: Pace, publisher: Publisher, online: Status) -> Self {
        let tally = outbox.tally();
        let Tally { top, released, .. } = *tally.borrow();
        Uplink {
            delivery: Delivery::new(top),
            signals: ties.signals,
            signals_known: true,
            cameras: ties.cameras,
            car: ties.car,
            car_known: true,
            resync: ties.resync,
            rest: ties.rest,
            pings: ties.pings,
            under_way: FuturesUnordered::new(),
            online,
            tally,
            released,
            connection: ties.online,
            downlink: Downlink::new(outbox.clone(), ties.wishes, ties.commands, ties.time.clone()),
            good: ties.time.good(),
            started: Instant::now(),
            bucket: Bucket::new(pace, Instant::now()),
            acknowledged: None,
            time: ties.time,
            publisher,
            outbox,
        }
    }

    async fn serve(&mut self, events: &mut Events, stop: &CancellationToken) -> Result<Left, UplinkError> {
        let mut rests_since = None;
        loop {
            let refill = self.send().await?;
            let rest = self.rest.borrow_and_update().clone();
            rests_since = rest.is_some().then(|| rests_since.unwrap_or_else(Instant::now));
            let patience_ends = rests_since.map(|since| since + REST_PATIENCE);
            if let (Some(reason), Some(patience_ends)) = (rest, patience_ends)
                && (Instant::now() >= patience_ends || (self.is_online() && self.tally.borrow().unstored == 0))
            {
                return Ok(Left::Rest(reason));
            }
            let out_of_patience = until(patience_ends);
            let impatience = until(self.delivery.deadline());
            let refilled = until(refill);
            let writing = until(self.acknowledged.map(|since| since + WRITTEN_WITHIN));
            tokio::select! {
                () = stop.cancelled() => return Ok(Left::Stop),
                () = out_of_patience => {}
                Ok(()) = self.rest.changed() => {}
                Some(ping) = self.pings.recv() => answer(ping),
                event = events.recv() => match event {
                    Some(Event::Up) => self.greet().await?,
                    Some(Event::Down { reason }) => {
                        debug!(reason, "offline: records wait in the outbox");
                        self.connection.send_replace(false);
                        self.delivery.disconnect();
                        self.under_way.clear();
                    }
                    Some(Event::Message(message)) => {
                        if let Some((ack, progress)) = self.downlink.hear(&message).await {
                            let now = Instant::now();
                            self.delivery.acknowledge(&ack, progress, now);
                            self.acknowledged.get_or_insert(now);
                        }
                        message.ack();
                    }
                    None => return Err(UplinkError::Session),
                },
                Some(lane) = self.under_way.next() => self.delivery.publish_done(lane),
                Ok(()) = self.tally.changed() => {
                    let Tally { top, released, .. } = *self.tally.borrow_and_update();
                    self.delivery.commit(top);
                    if std::mem::replace(&mut self.released, released) != released {
                        self.delivery.release();
                    }
                }
                changed = self.signals.changed(), if self.signals_known => {
                    self.signals_known = changed.is_ok();
                    self.publish_birth().await;
                }
                changed = self.car.changed(), if self.car_known => {
                    self.car_known = changed.is_ok();
                    self.publish_birth().await;
                }
                Some(()) = self.resync.recv() => {
                    self.publish_birth().await;
                    self.delivery.begin_late();
                }
                Ok(()) = self.good.changed() => self.correct_the_start().await,
                () = refilled => {}
                () = writing => {
                    self.acknowledged = None;
                    if let Err(error) = self.outbox.write_acknowledged().await {
                        debug!(error = &error as &dyn std::error::Error, "acknowledgement is not noted yet");
                    }
                }
                () = impatience => {
                    metrics::counter!("bugbrother_agent_resends_total").increment(1);
                    self.delivery.lose_patience();
                }
            }
        }
    }

    /// What was said of the start before the time was known may be years off.
    async fn correct_the_start(&mut self) {
        if self.good.borrow_and_update().is_none() {
            return;
        }
        let since = self.time.stamp(self.started).ts;
        let off = (since - self.online.since).abs() > STARTED_WITHIN_MS;
        if off {
            self.online.since = since;
            self.present().await;
        }
    }

    async fn present(&mut self) {
        self.publish_birth().await;
        let online = encode(&self.online);
        self.publish_retained(Kind::Status, online).await;
    }

    /// Says who speaks, on every connection anew.
    async fn greet(&mut self) -> Result<(), OutboxError> {
        self.present().await;
        let fresh = self.time.now() - LIVE_FOR_MS;
        let live_from = self.outbox.first_since(fresh, LIVE_REACH).await?;
        self.delivery.connect(live_from);
        self.connection.send_replace(true);
        info!(unstored = self.tally.borrow().unstored, "online");
        Ok(())
    }

    async fn publish_birth(&mut self) {
        let birth = birth(&self.outbox, self.online.since, &mut self.signals, &self.cameras, &mut self.car);
        self.publish_retained(Kind::Birth, encode(&birth)).await;
    }

    /// Should the connection be gone, the next one is greeted anew.
    async fn publish_retained(&mut self, kind: Kind, payload: Vec<u8>) {
        let topic = Topic::new(self.online.vin, kind).to_string();
        let published = self.publisher.publish(topic, payload, Qos::AtLeastOnce, true);
        drop(published.await);
    }

    /// Sends what may be sent now. Tells when what is late may go on, if that has to wait.
    async fn send(&mut self) -> Result<Option<Instant>, OutboxError> {
        while let Some(mut order) = self.delivery.next() {
            if order.lane == Lane::Late {
                order.limit = order.limit.min(self.bucket.allowed(Instant::now()));
                if order.limit == 0 {
                    return Ok(Some(self.bucket.ready_at()));
                }
            }
            let records = self.outbox.read(order.range.clone(), order.limit).await?;
            let mut sent = Vec::with_capacity(records.len());
            for record in records {
                let kind = match (record.kind, order.lane) {
                    (Kind::Telemetry, Lane::Late) => Kind::Backfill,
                    (kind, _) => kind,
                };
                // What comes late must not replace a newer picture that the broker keeps.
                let retain = kind.retained() && order.lane == Lane::Live;
                let topic = Topic::new(self.online.vin, kind).to_string();
                if order.lane == Lane::Late {
                    self.bucket.take(1, topic.len() + record.body.len());
                }
                let published = self.publisher.publish(topic, record.body, Qos::AtLeastOnce, retain).await;
                let lane = order.lane;
                let published = match published {
                    Ok(receipt) => receipt.map(move |_| lane).boxed(),
                    Err(PublishError::NotConnected) => {
                        self.delivery.disconnect();
                        return Ok(None);
                    }
                    // This broker never takes it. It waits for one that does, and nothing waits for it.
                    Err(error) => {
                        metrics::counter!("bugbrother_agent_unpublishable_records_total").increment(1);
                        debug!(%error, "record that the broker does not take");
                        future::ready(lane).boxed()
                    }
                };
                self.under_way.push(published);
                sent.push(record.place);
            }
            self.delivery.sent(&order, &sent, Instant::now());
        }
        Ok(None)
    }

    fn is_online(&self) -> bool {
        *self.connection.borrow()
    }

    /// Says goodbye and takes no notice of what is under way any more.
    async fn leave(&mut self, farewell: Status) {
        self.say_goodbye(farewell).await;
        self.connection.send_replace(false);
        self.delivery.disconnect();
        self.under_way.clear();
    }

    /// Waits until the vehicle is in use, something urgent is to be said, or a sign of life is due.
    async fn wait_for_reason(&mut self, stop: &CancellationToken) {
        let urgent = self.tally.borrow().urgent;
        let sign_of_life = until(Some(Instant::now() + SIGN_OF_LIFE));
        tokio::pin!(sign_of_life);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Ok(_) = self.rest.wait_for(Option::is_none) => break,
                Ok(_) = self.tally.wait_for(|tally| tally.urgent > urgent) => break,
                () = &mut sign_of_life => break,
                Some(ping) = self.pings.recv() => answer(ping),
            }
        }
        let top = self.tally.borrow().top;
        self.delivery.commit(top);
    }

    async fn say_goodbye(&mut self, offline: Status) {
        let topic = Topic::new(offline.vin, Kind::Status).to_string();
        let goodbye = async {
            let published = self.publisher.publish(topic, encode(&offline), Qos::AtLeastOnce, true).await;
            match published {
                Ok(receipt) => receipt.await.is_ok(),
                Err(_) => false,
            }
        };
        if !timeout(FAREWELL_TIMEOUT, goodbye).await.unwrap_or(false) {
            debug!("left without a word: the broker cannot be reached");
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_kit::mosquitto::Mosquitto;
    use bugbrother_wire::{
        Seq,
        message::{Ack, Config, VinSource},
        topic::ALL_UP,
    };

    use std::collections::BTreeMap;

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
        let mut uplink = Uplink::new(outbox, ties().0, PACE, publisher, online);
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
