use std::{
    collections::VecDeque,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use rumqttc::v5::{
    AsyncClient,
    mqttbytes::v5::{ConnAckProperties, PubAckReason, PublishProperties},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot, watch};
use tracing::{debug, warn};

use crate::{Delivery, Options, Qos, Traffic};

/// Why a message is not with the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection at the moment.
    #[error("not connected to the broker")]
    NotConnected,
    /// The connection ended before the broker acknowledged: it may or may not have the message.
    #[error("connection to the broker lost before it acknowledged")]
    ConnectionLost,
    /// The broker does not want it.
    #[error("the broker refused the message: {0}")]
    Refused(&'static str),
    /// The broker said that it takes nothing so large, or our own limit says so.
    #[error("a packet of {bytes} bytes, more than {max}")]
    TooLarge {
        /// Of the packet.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Nothing can be published to such a topic.
    #[error("not a topic to publish to")]
    InvalidTopic,
    /// The broker said that it knows no retained messages, or no QoS 1.
    #[error("the broker does not support such a message")]
    Unsupported,
}

/// Publishes on whatever connection the session has at the time.
#[derive(Clone, Default)]
pub struct Publisher {
    link: watch::Sender<Option<Arc<Link>>>,
    /// Sessions with other brokers, which are given a copy of what is published.
    others: Arc<[Publisher]>,
}

impl Publisher {
    /// Queues a message; waits while the window is full. What it returns tells when the broker has it, and may be dropped.
    pub async fn publish(
        &self,
        topic: impl Into<String>,
        payload: impl Into<Bytes>,
        qos: Qos,
        retain: bool,
    ) -> Result<Receipt, PublishError> {
        let message = Message { topic: topic.into(), payload: payload.into(), qos, retain, properties: None };
        self.others.iter().for_each(|other| other.copy(&message));
        let link = self.link()?;
        link.limits.check(&message, message.topic.len() + message.payload.len() + HEADERS)?;
        let place = link.window.clone().acquire_owned().await.map_err(|_| PublishError::NotConnected)?;
        link.queue(message, place)
    }

    /// One that gives copies to others.
    pub(crate) fn beside(others: impl IntoIterator<Item = Publisher>) -> Self {
        Publisher { others: others.into_iter().collect(), ..Publisher::default() }
    }

    /// Queues a copy if there is a connection with room for it. One that stalls must not hold up who publishes.
    fn copy(&self, message: &Message) {
        let Ok(link) = self.link() else { return };
        let bytes = message.topic.len() + message.payload.len() + HEADERS;
        let queued = link.limits.check(message, bytes).and_then(|()| match link.window.clone().try_acquire_owned() {
            Ok(place) => link.queue(message.clone(), place).map(drop),
            Err(_) => Err(PublishError::NotConnected),
        });
        if let Err(error) = queued {
            debug!(topic = message.topic, %error, "another broker is not told");
        }
    }

    /// Queues what arrived elsewhere, as it is but for the topic. `None` when the window is full.
    pub fn try_forward(&self, topic: String, delivery: &Delivery) -> Result<Option<Receipt>, PublishError> {
        let link = self.link()?;
        let bytes = delivery.packet_bytes - delivery.topic.len() + topic.len();
        let message = Message {
            topic,
            payload: delivery.payload.clone(),
            qos: delivery.qos,
            retain: delivery.retained,
            properties: delivery.properties_to_forward(),
        };
        link.limits.check(&message, bytes)?;
        match link.window.clone().try_acquire_owned() {
            Ok(place) => link.queue(message, place).map(Some),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(PublishError::NotConnected),
        }
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.link.borrow().is_some()
    }

    /// Waits for a connection.
    pub async fn connected(&self) {
        let mut link = self.link.subscribe();
        link.wait_for(Option::is_some).await.expect("this publisher holds the sender");
    }

    fn link(&self) -> Result<Arc<Link>, PublishError> {
        self.link.borrow().clone().ok_or(PublishError::NotConnected)
    }

    pub(crate) fn set(&self, link: Option<Arc<Link>>) {
        if let Some(old) = self.link.send_replace(link) {
            old.close();
        }
    }
}

/// Fixed header, lengths, packet id and no properties.
const HEADERS: usize = 10;

#[derive(Clone)]
struct Message {
    topic: String,
    payload: Bytes,
    qos: Qos,
    retain: bool,
    properties: Option<PublishProperties>,
}

/// Resolves when the broker has acknowledged (QoS 1) or the message is written (QoS 0).
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<(), PublishError>>);

impl Future for Receipt {
    type Output = Result<(), PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).unwrap_or(Err(PublishError::ConnectionLost)))
    }
}

/// What a broker takes, as its CONNACK says. rumqttc would drop the connection over what is more.
struct Limits {
    window: usize,
    packet_bytes: usize,
    retain: bool,
    at_least_once: bool,
}

impl Limits {
    fn new(options: &Options, connack: Option<&ConnAckProperties>) -> Self {
        let told = |limit: Option<u32>| limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let receive_maximum = told(connack.and_then(|told| told.receive_max).map(u32::from));
        Limits {
            // One less than the broker allows: at the limit rumqttc sends nothing at all, not even acknowledgements.
            window: options.window.min(receive_maximum.saturating_sub(1)).clamp(1, 500),
            packet_bytes: options.max_packet_bytes.min(told(connack.and_then(|told| told.max_packet_size))),
            retain: connack.and_then(|told| told.retain_available) != Some(0),
            at_least_once: connack.and_then(|told| told.max_qos) != Some(0),
        }
    }

    fn check(&self, message: &Message, bytes: usize) -> Result<(), PublishError> {
        let topic = &message.topic;
        if topic.is_empty() || topic.len() > usize::from(u16::MAX) || topic.contains(['+', '#', '\0']) {
            return Err(PublishError::InvalidTopic);
        }
        if bytes > self.packet_bytes {
            return Err(PublishError::TooLarge { bytes, max: self.packet_bytes });
        }
        if (message.retain && !self.retain) || (message.qos == Qos::AtLeastOnce && !self.at_least_once) {
            return Err(PublishError::Unsupported);
        }
        Ok(())
    }
}

/// The publishes of one connection, from the queue to their PUBACK.
pub(crate) struct Link {
    client: AsyncClient,
    window: Arc<Semaphore>,
    limits: Limits,
    traffic: Traffic,
    secure: bool,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    /// Whether the log has heard that the broker refuses messages: once for a connection.
    told: bool,
    /// In rumqttc's queue, in order.
    queued: VecDeque<Waiting>,
    /// On the wire, in order.
    sent: VecDeque<Sent>,
    /// Of those.
    sent_bytes: usize,
}

impl UnderWay {
    fn settle(&mut self, index: usize, outcome: Result<(), PublishError>) {
        if let Err(error) = outcome
            && !mem::replace(&mut self.told, true)
        {
            warn!(%error, "not everything that is published gets through");
        }
        let done = self.sent[index].done.take();
        while let Some(sent) = self.sent.pop_front_if(|sent| sent.done.is_none()) {
            self.sent_bytes -= sent.bytes;
        }
        // Last, so that who waits for it finds the place free. Nobody need be waiting.
        if let Some(done) = done {
            done.send(outcome).ok();
        }
    }
}

struct Waiting {
    done: oneshot::Sender<Result<(), PublishError>>,
    place: OwnedSemaphorePermit,
    bytes: usize,
}

/// A place in the window is free again when this and all before it are acknowledged, so that packet ids never come round
/// to one that is in use: when they do and the broker refuses the older message, rumqttc forgets the newer one.
struct Sent {
    packet_id: u16,
    at: Instant,
    bytes: usize,
    done: Option<oneshot::Sender<Result<(), PublishError>>>,
    _place: OwnedSemaphorePermit,
}

impl Link {
    pub fn new(client: AsyncClient, options: &Options, connack: Option<&ConnAckProperties>) -> Self {
        let limits = Limits::new(options, connack);
        Link {
            client,
            window: Arc::new(Semaphore::new(limits.window)),
            limits,
            traffic: options.traffic.clone(),
            secure: options.tls.is_some(),
            under_way: Mutex::default(),
        }
    }

    fn queue(&self, message: Message, place: OwnedSemaphorePermit) -> Result<Receipt, PublishError> {
        let Message { topic, payload, qos, retain, properties } = message;
        let bytes = topic.len() + payload.len() + HEADERS;
        let qos = qos.to_rumqttc();
        let (done, receipt) = oneshot::channel();
        // Both queues are filled under one lock, so that their orders agree.
        let mut under_way = lock(&self.under_way);
        match properties {
            Some(properties) => self.client.try_publish_with_properties(topic, qos, retain, payload, properties),
            None => self.client.try_publish(topic, qos, retain, payload),
        }
        .map_err(|_| PublishError::NotConnected)?;
        under_way.queued.push_back(Waiting { done, place, bytes });
        Ok(Receipt(receipt))
    }

    /// rumqttc wrote a publish; 0 is the packet id of QoS 0.
    pub fn on_sent(&self, packet_id: u16) {
        let mut under_way = lock(&self.under_way);
        let Some(Waiting { done, place, bytes }) = under_way.queued.pop_front() else { return };
        self.traffic.packet_sent(bytes, self.secure);
        if packet_id == 0 {
            drop(place);
            // Nobody need be waiting for it.
            done.send(Ok(())).ok();
        } else {
            under_way.sent_bytes += bytes;
            under_way.sent.push_back(Sent { packet_id, at: Instant::now(), bytes, done: Some(done), _place: place });
        }
    }

    /// The broker acknowledged a publish.
    pub fn on_acknowledged(&self, packet_id: u16, reason: PubAckReason) {
        let mut under_way = lock(&self.under_way);
        if let Some(index) = under_way.sent.iter().position(|sent| sent.packet_id == packet_id) {
            under_way.settle(index, outcome(reason));
        }
    }

    /// The broker refused the oldest publish on the wire, for a reason that MQTT does not know.
    pub fn refuse_the_oldest(&self) {
        let mut under_way = lock(&self.under_way);
        if !under_way.sent.is_empty() {
            under_way.settle(0, Err(PublishError::Refused("unknown reason code")));
        }
    }

    /// Since when the oldest publish waits for its PUBACK, and the bytes of all that do; `None` if none does.
    pub fn unanswered(&self) -> Option<(Instant, usize)> {
        let under_way = lock(&self.under_way);
        let oldest = under_way.sent.front()?.at;
        Some((oldest, under_way.sent_bytes))
    }

    /// Waits until nothing is under way any more.
    pub async fn drained(&self) {
        let all = u32::try_from(self.limits.window).unwrap_or(u32::MAX);
        // An error says that the link is closed: then nothing is under way either.
        drop(self.window.acquire_many(all).await);
    }

    fn close(&self) {
        self.window.close();
        *lock(&self.under_way) = UnderWay::default();
    }
}

fn outcome(reason: PubAckReason) -> Result<(), PublishError> {
    Err(PublishError::Refused(match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => return Ok(()),
        PubAckReason::UnspecifiedError => "unspecified error",
        PubAckReason::ImplementationSpecificError => "implementation specific error",
        PubAckReason::NotAuthorized => "not authorized",
        PubAckReason::TopicNameInvalid => "topic name invalid",
        PubAckReason::PacketIdentifierInUse => "packet identifier in use",
        PubAckReason::QuotaExceeded => "quota exceeded",
        PubAckReason::PayloadFormatInvalid => "payload format invalid",
    }))
}

/// The state behind this lock is whole between any two statements: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
