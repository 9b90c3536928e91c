//! The uplink while there is, or was, a connection: what it sends, and whom it listens to meanwhile.

use std::{
    future::{self, Future},
    pin::Pin,
    time::Instant,
};

use bugbrother_client::{Event, Events, PublishError, Publisher, Qos};
use bugbrother_wire::{
    SCHEMA_VERSION, Topic, UnixMs, encode,
    message::{Birth, CameraDeclaration, CarDeclaration, SignalDeclaration, Status},
    signal::Signal,
    topic::Kind,
};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    Began, Ties, UplinkError,
    delivery::{Delivery, LIVE_REACH, Lane},
    downlink::Downlink,
    pace::{Bucket, Pace},
};
use crate::{
    alive::Ping,
    clock::{Good, Time},
    outbox::{Outbox, OutboxError, Tally},
    rest::Rest,
};

/// What was recorded longer ago than that is not live any more.
const LIVE_FOR_MS: UnixMs = 10_000;
/// An acknowledgement is written with the next records; without any, after so long.
const WRITTEN_WITHIN: Duration = Duration::from_secs(3);
/// So exactly it is said since when the agent runs.
const STARTED_WITHIN_MS: i64 = 10_000;
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// A vehicle that rests stays connected so long for what the database does not have yet.
const REST_PATIENCE: Duration = Duration::from_secs(60);
/// A vehicle that rests says so often how it is.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3600);

fn answer(ping: Ping) {
    if ping.send(()).is_err() {
        debug!("who asked has lost patience");
    }
}

/// Why a connection was let go of.
pub(super) enum Left {
    /// The agent ends.
    Stop,
    /// The vehicle rests, for this reason.
    Rest(String),
}

/// What an agent says of itself.
pub(super) fn birth(
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

/// What is sent, and what is listened to.
pub(super) struct Uplink {
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
    pub(super) online: Status,
    tally: watch::Receiver<Tally>,
    /// Of the records that were held back, how many are known to be free.
    released: u64,
    connection: watch::Sender<bool>,
    time: Time,
    good: watch::Receiver<Option<Good>>,
    started: Instant,
    /// The same, as it was said.
    started_ms: UnixMs,
    /// When the connection that stands, or is being made, was begun.
    began: watch::Receiver<Began>,
    /// What is late waits for it.
    bucket: Bucket,
    /// Since when the disk has not been told of an acknowledgement.
    acknowledged: Option<Instant>,
    pub(super) publisher: Publisher,
    outbox: Outbox,
}

impl Uplink {
    pub(super) fn new(
        outbox: Outbox,
        ties: Ties,
        pace: Pace,
        publisher: Publisher,
        online: Status,
        began: watch::Receiver<Began>,
    ) -> Self {
        let tally = outbox.tally();
        let Tally { top, released, .. } = *tally.borrow();
        let started_ms = online.since;
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
            started_ms,
            began,
            bucket: Bucket::new(pace, Instant::now()),
            acknowledged: None,
            time: ties.time,
            publisher,
            outbox,
        }
    }

    pub(super) async fn serve(&mut self, events: &mut Events, stop: &CancellationToken) -> Result<Left, UplinkError> {
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
        let started = self.time.stamp(self.started).ts;
        let off = (started - self.started_ms).abs() > STARTED_WITHIN_MS;
        if off {
            self.started_ms = started;
            let (began, _) = *self.began.borrow();
            self.online.since = self.time.stamp(began).ts;
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
        (_, self.online.since) = *self.began.borrow();
        self.present().await;
        let fresh = self.time.now() - LIVE_FOR_MS;
        let live_from = self.outbox.first_since(fresh, LIVE_REACH).await?;
        self.delivery.connect(live_from);
        self.connection.send_replace(true);
        info!(unstored = self.tally.borrow().unstored, "online");
        Ok(())
    }

    async fn publish_birth(&mut self) {
        let birth = birth(&self.outbox, self.started_ms, &mut self.signals, &self.cameras, &mut self.car);
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
    pub(super) async fn leave(&mut self, farewell: Status) {
        self.say_goodbye(farewell).await;
        self.connection.send_replace(false);
        self.delivery.disconnect();
        self.under_way.clear();
    }

    /// Waits until the vehicle is in use, something urgent is to be said, or a sign of life is due.
    pub(super) async fn wait_for_reason(&mut self, stop: &CancellationToken) {
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
