use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use rumqttc::AsyncClient;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::Qos;

/// There is no connection at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not connected to the broker")]
pub struct NotConnected;

/// The connection ended before the broker acknowledged: it may or may not have the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection to the broker lost before it acknowledged")]
pub struct ConnectionLost;

/// Publishes on whatever connection the session has at the time.
#[derive(Clone, Default)]
pub struct Publisher {
    link: Arc<Mutex<Option<Arc<Link>>>>,
}

impl Publisher {
    /// Queues a message; waits while the window is full. What it returns tells when the broker has it, and may be dropped.
    pub async fn publish(
        &self,
        topic: impl Into<String>,
        payload: impl Into<Bytes>,
        qos: Qos,
        retain: bool,
    ) -> Result<Receipt, NotConnected> {
        let link = lock(&self.link).clone().ok_or(NotConnected)?;
        link.publish(topic.into(), payload.into(), qos, retain).await
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        lock(&self.link).is_some()
    }

    pub(crate) fn set(&self, link: Option<Arc<Link>>) {
        if let Some(old) = std::mem::replace(&mut *lock(&self.link), link) {
            old.close();
        }
    }
}

/// Resolves when the broker has acknowledged (QoS 1) or the message is written (QoS 0).
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<()>);

impl Future for Receipt {
    type Output = Result<(), ConnectionLost>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).map_err(|_| ConnectionLost))
    }
}

struct Waiting {
    done: oneshot::Sender<()>,
    _place: OwnedSemaphorePermit,
}

/// The publishes of one connection, from the queue to their PUBACK.
pub(crate) struct Link {
    client: AsyncClient,
    window: Arc<Semaphore>,
    places: usize,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    /// In rumqttc's queue, in order.
    queued: VecDeque<Waiting>,
    /// On the wire, by packet id.
    sent: HashMap<u16, Waiting>,
    /// Held back by rumqttc because their packet id is still in use.
    held: HashMap<u16, Waiting>,
}

impl Link {
    pub fn new(client: AsyncClient, window: usize) -> Self {
        Link { client, window: Arc::new(Semaphore::new(window)), places: window, under_way: Mutex::default() }
    }

    async fn publish(&self, topic: String, payload: Bytes, qos: Qos, retain: bool) -> Result<Receipt, NotConnected> {
        let place = self.window.clone().acquire_owned().await.map_err(|_| NotConnected)?;
        let (done, receipt) = oneshot::channel();
        // Both queues are filled under one lock, so that their orders agree.
        let mut under_way = lock(&self.under_way);
        self.client.try_publish(topic, qos.to_rumqttc(), retain, payload).map_err(|_| NotConnected)?;
        under_way.queued.push_back(Waiting { done, _place: place });
        Ok(Receipt(receipt))
    }

    /// rumqttc wrote a publish; 0 is the packet id of QoS 0.
    pub fn on_sent(&self, packet_id: u16) {
        let mut under_way = lock(&self.under_way);
        let waiting = under_way.held.remove(&packet_id).or_else(|| under_way.queued.pop_front());
        match waiting {
            Some(waiting) if packet_id == 0 => {
                waiting.done.send(()).ok();
            }
            Some(waiting) => drop(under_way.sent.insert(packet_id, waiting)),
            None => {}
        }
    }

    /// rumqttc holds a publish back until an earlier one with its packet id is acknowledged.
    pub fn on_held(&self, packet_id: u16) {
        let mut under_way = lock(&self.under_way);
        if let Some(waiting) = under_way.queued.pop_front() {
            under_way.held.insert(packet_id, waiting);
        }
    }

    /// The broker acknowledged a publish.
    pub fn on_acknowledged(&self, packet_id: u16) {
        if let Some(waiting) = lock(&self.under_way).sent.remove(&packet_id) {
            // Nobody need be waiting for it.
            waiting.done.send(()).ok();
        }
    }

    /// Waits until nothing is under way any more.
    pub async fn drained(&self) {
        let all = u32::try_from(self.places).unwrap_or(u32::MAX);
        // An error says that the link is closed: then nothing is under way either.
        drop(self.window.acquire_many(all).await);
    }

    fn close(&self) {
        self.window.close();
        *lock(&self.under_way) = UnderWay::default();
    }
}

/// The state behind these locks is whole between any two statements: a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
