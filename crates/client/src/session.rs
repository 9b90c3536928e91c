use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{SeedableRng, rngs::SmallRng};
use rumqttc::{AsyncClient, EventLoop, Outgoing, Packet, Publish, SubscribeFilter, SubscribeReasonCode};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{Options, Publisher, backoff::Backoff, link::Link};

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    /// Connected, and every filter is subscribed.
    Up,
    /// No longer connected, or an attempt failed. The session tries again by itself.
    Down {
        /// Why.
        reason: String,
    },
    /// A message arrived.
    Message(Delivery),
}

/// A message that arrived.
pub struct Delivery {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// Whether the broker had kept it from before the subscription.
    pub retained: bool,
    publish: Publish,
    client: AsyncClient,
}

impl Delivery {
    /// Says PUBACK. Of a connection that is gone it does nothing: the broker sends the message again.
    pub fn ack(&self) {
        // The queue is larger than there are packet ids, so it cannot be full; a closed one belongs to a lost connection.
        if let Err(error) = self.client.try_ack(&self.publish) {
            debug!(topic = self.topic, %error, "acknowledgement of a connection that is gone");
        }
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.topic)
            .field("bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// What happens to a session, in order.
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event; `None` once the session has ended after its shutdown.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// An event that is here already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}

/// Begins a session. It goes on until `shutdown`, then waits up to two seconds for acknowledgements, says DISCONNECT
/// and ends, which [`Events::recv`] tells by `None`.
pub fn connect(options: Options, shutdown: CancellationToken) -> (Publisher, Events) {
    let (events, receiver) = mpsc::channel(options.backlog);
    let publisher = Publisher::default();
    tokio::spawn(keep_connected(options, publisher.clone(), events, shutdown));
    (publisher, Events(receiver))
}

/// More than there are packet ids, so that queueing never fails for want of room.
const REQUESTS: usize = 1 << 17;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

async fn keep_connected(
    options: Options,
    publisher: Publisher,
    events: mpsc::Sender<Event>,
    shutdown: CancellationToken,
) {
    let mut backoff = Backoff::default();
    let mut rng = SmallRng::from_os_rng();
    let mut last_reason = String::new();
    while !shutdown.is_cancelled() {
        let mut connection = Connection::new(&options, &publisher, &events);
        let end = connection.run(&shutdown).await;
        let stood = connection.up_since.map(|since| since.elapsed());
        publisher.set(None);
        let reason = match end {
            End::Stopped => return,
            End::Lost(reason) => reason,
        };
        let wait = backoff.next(stood, &mut rng);
        // An outage of hours is one line in the log, not one for every attempt.
        if stood.is_some() || reason != last_reason {
            warn!(
                broker = options.host,
                port = options.port,
                user = options.username,
                reason,
                "no connection to the broker"
            );
        }
        last_reason.clone_from(&reason);
        tokio::select! {
            sent = events.send(Event::Down { reason }) => if sent.is_err() { return },
            () = shutdown.cancelled() => return,
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

enum End {
    /// Orderly, after the shutdown, or nobody listens any more.
    Stopped,
    /// Any other way.
    Lost(String),
}

struct Connection<'a> {
    options: &'a Options,
    publisher: &'a Publisher,
    events: &'a mpsc::Sender<Event>,
    client: AsyncClient,
    event_loop: EventLoop,
    link: Arc<Link>,
    up_since: Option<Instant>,
}

impl<'a> Connection<'a> {
    fn new(options: &'a Options, publisher: &'a Publisher, events: &'a mpsc::Sender<Event>) -> Self {
        let (client, mut event_loop) = AsyncClient::new(options.to_rumqttc(), REQUESTS);
        event_loop.network_options.set_connection_timeout(CONNECT_TIMEOUT.as_secs()).set_tcp_nodelay(true);
        let link = Arc::new(Link::new(client.clone(), options.window));
        Connection { options, publisher, events, client, event_loop, link, up_since: None }
    }

    async fn run(&mut self, shutdown: &CancellationToken) -> End {
        loop {
            let event = tokio::select! {
                event = self.event_loop.poll() => event,
                () = shutdown.cancelled() => return self.leave().await,
            };
            let event = match event {
                Ok(event) => event,
                Err(error) => return End::Lost(error.to_string()),
            };
            let handed_over = match event {
                rumqttc::Event::Incoming(Packet::ConnAck(_)) if self.options.subscriptions.is_empty() => {
                    self.announce().await
                }
                rumqttc::Event::Incoming(Packet::ConnAck(_)) => {
                    let filters = self.options.subscriptions.iter();
                    let filters = filters.map(|(path, qos)| SubscribeFilter::new(path.clone(), qos.to_rumqttc()));
                    if let Err(error) = self.client.try_subscribe_many(filters) {
                        return End::Lost(error.to_string());
                    }
                    true
                }
                rumqttc::Event::Incoming(Packet::SubAck(ack)) => {
                    let refused = ack.return_codes.iter().position(|code| *code == SubscribeReasonCode::Failure);
                    if let Some(index) = refused {
                        let filter = self.options.subscriptions.get(index).map_or("", |(filter, _)| filter);
                        return End::Lost(format!("the broker refused the subscription to `{filter}`"));
                    }
                    self.announce().await
                }
                rumqttc::Event::Incoming(Packet::Publish(publish)) => {
                    let delivery = Delivery {
                        topic: publish.topic.clone(),
                        payload: publish.payload.clone(),
                        retained: publish.retain,
                        publish,
                        client: self.client.clone(),
                    };
                    self.hand_over(Event::Message(delivery), shutdown).await
                }
                event => {
                    self.track(&event);
                    true
                }
            };
            if !handed_over {
                return if shutdown.is_cancelled() { self.leave().await } else { End::Stopped };
            }
        }
    }

    async fn announce(&mut self) -> bool {
        info!(
            broker = self.options.host,
            port = self.options.port,
            user = self.options.username,
            "connected to the broker"
        );
        self.up_since = Some(Instant::now());
        self.publisher.set(Some(self.link.clone()));
        self.events.send(Event::Up).await.is_ok()
    }

    /// False when the session is to end: nobody listens, or the shutdown came while the listener was busy.
    async fn hand_over(&mut self, event: Event, shutdown: &CancellationToken) -> bool {
        tokio::select! {
            sent = self.events.send(event) => sent.is_ok(),
            () = shutdown.cancelled() => false,
        }
    }

    fn track(&self, event: &rumqttc::Event) {
        match event {
            rumqttc::Event::Outgoing(Outgoing::Publish(packet_id)) => self.link.on_sent(*packet_id),
            rumqttc::Event::Outgoing(Outgoing::AwaitAck(packet_id)) => self.link.on_held(*packet_id),
            rumqttc::Event::Incoming(Packet::PubAck(ack)) => self.link.on_acknowledged(ack.pkid),
            _ => {}
        }
    }

    /// Sees publishes that are under way to their end, then says DISCONNECT, so that the will is not published.
    async fn leave(&mut self) -> End {
        if self.up_since.is_none() {
            return End::Stopped;
        }
        let link = self.link.clone();
        let farewell = async {
            let mut drained = std::pin::pin!(link.drained());
            let mut leaving = false;
            loop {
                tokio::select! {
                    () = &mut drained, if !leaving => {
                        leaving = true;
                        if self.client.try_disconnect().is_err() { return }
                    }
                    event = self.event_loop.poll() => match event {
                        Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect)) | Err(_) => return,
                        Ok(event) => self.track(&event),
                    }
                }
            }
        };
        if timeout(DRAIN_TIMEOUT, farewell).await.is_err() {
            debug!(user = self.options.username, "left the broker without an orderly end");
        }
        End::Stopped
    }
}
