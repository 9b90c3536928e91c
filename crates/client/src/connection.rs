use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use rumqttc::{
    Outgoing,
    v5::{
        self, AsyncClient, ConnectionError, EventLoop, MqttOptions, StateError,
        mqttbytes::{
            self,
            v5::{Packet, Publish, SubAck, SubscribeReasonCode},
        },
    },
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::{Delivery, Event, Options, Publisher, ear::Ear, link::Link, options::CONNECT_TIMEOUT, reason};

/// More than there are packet ids, so that queueing never fails for want of room.
const REQUESTS: usize = 1 << 17;
/// A PUBACK without a reason (MQTT 5.0, 3.4), a PINGREQ and its answer; and what the rest has in the mean.
const ACK_BYTES: usize = 4;
const PING_BYTES: usize = 2;
const OTHER_BYTES: usize = 40;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// How a connection ended.
pub(crate) enum End {
    /// Orderly, after the shutdown, or nobody listens any more.
    Stopped,
    /// Any other way.
    Lost(String),
}

/// One connection, from CONNECT to its end.
pub(crate) struct Connection<'a> {
    options: &'a Options,
    publisher: &'a Publisher,
    ear: &'a Ear,
    client: AsyncClient,
    event_loop: EventLoop,
    /// From CONNACK on.
    link: Option<Arc<Link>>,
    up_since: Option<Instant>,
}

impl<'a> Connection<'a> {
    pub fn new(options: &'a Options, to: MqttOptions, publisher: &'a Publisher, ear: &'a Ear) -> Self {
        let (client, event_loop) = AsyncClient::new(to, REQUESTS);
        Connection { options, publisher, ear, client, event_loop, link: None, up_since: None }
    }

    /// How long it was up; `None` if it never was.
    pub fn stood(&self) -> Option<Duration> {
        self.up_since.map(|since| since.elapsed())
    }

    pub async fn run(&mut self, shutdown: &CancellationToken) -> End {
        loop {
            // rumqttc yields a ping or its answer at least. Writing to a broker that does not read it would wait for ever.
            let patience = self.event_loop.options.keep_alive() * 2 + CONNECT_TIMEOUT;
            let event = tokio::select! {
                event = timeout(patience, self.event_loop.poll()) => event,
                () = shutdown.cancelled() => return self.leave().await,
            };
            let event = match event {
                Ok(Ok(event)) => event,
                Ok(Err(error)) => {
                    self.track_the_rest();
                    self.blame(&error);
                    return End::Lost(reason::of_connection(&error));
                }
                Err(_) => return End::Lost("the broker does not read any more".to_owned()),
            };
            let handed_over = match event {
                v5::Event::Incoming(Packet::ConnAck(ack)) => {
                    self.options.traffic.packet_sent(self.options.connect_bytes(), self.options.tls.is_some());
                    self.options.traffic.packet_received(OTHER_BYTES, self.options.tls.is_some());
                    let link = Link::new(self.client.clone(), self.options, ack.properties.as_ref());
                    self.link = Some(Arc::new(link));
                    if self.options.subscriptions.is_empty() {
                        self.announce().await
                    } else if self.client.try_subscribe_many(self.options.filters()).is_err() {
                        return End::Lost("a subscription is no topic filter".to_owned());
                    } else {
                        true
                    }
                }
                v5::Event::Incoming(Packet::SubAck(ack)) => match self.refused(&ack) {
                    Some(reason) => return End::Lost(reason),
                    None => self.announce().await,
                },
                v5::Event::Incoming(Packet::Publish(publish)) => {
                    self.options.traffic.packet_received(publish.size(), self.options.tls.is_some());
                    self.deliver(publish, shutdown).await
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

    fn refused(&self, ack: &SubAck) -> Option<String> {
        let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
        let (index, code) = ack.return_codes.iter().enumerate().find(|(_, code)| !granted(code))?;
        let filter = self.options.subscriptions.get(index).map_or("", |(filter, _)| filter);
        Some(reason::of_subscription(filter, *code))
    }

    async fn announce(&mut self) -> bool {
        let (host, port) = self.event_loop.options.broker_address();
        info!(broker = host, port, user = self.options.username, "connected to the broker");
        self.up_since = Some(Instant::now());
        self.publisher.set(self.link.clone());
        self.options.standing.set(true);
        self.ear.tell(Event::Up).await
    }

    /// False when the session is to end: nobody listens, or the shutdown came while the listener was busy.
    async fn deliver(&mut self, publish: Publish, shutdown: &CancellationToken) -> bool {
        let Some(delivery) = Delivery::new(publish, self.client.clone()) else {
            debug!("message with a topic that no broker may send");
            return true;
        };
        tokio::select! {
            told = self.ear.tell(Event::Message(delivery)) => told,
            () = shutdown.cancelled() => false,
        }
    }

    /// What goes over the network. Publishes are counted where their size is known.
    fn count(&self, event: &v5::Event) {
        let secure = self.options.tls.is_some();
        let traffic = &self.options.traffic;
        match event {
            v5::Event::Incoming(Packet::Publish(publish)) => traffic.packet_received(publish.size(), secure),
            v5::Event::Incoming(Packet::PubAck(_)) => traffic.packet_received(ACK_BYTES, secure),
            v5::Event::Incoming(Packet::PingResp(_)) => traffic.packet_received(PING_BYTES, secure),
            v5::Event::Incoming(_) => traffic.packet_received(OTHER_BYTES, secure),
            v5::Event::Outgoing(Outgoing::Publish(_)) => {}
            v5::Event::Outgoing(Outgoing::PubAck(_)) => traffic.packet_sent(ACK_BYTES, secure),
            v5::Event::Outgoing(Outgoing::PingReq) => traffic.packet_sent(PING_BYTES, secure),
            v5::Event::Outgoing(_) => traffic.packet_sent(OTHER_BYTES, secure),
        }
    }

    fn track(&self, event: &v5::Event) {
        self.count(event);
        let Some(link) = &self.link else { return };
        match event {
            v5::Event::Outgoing(Outgoing::Publish(packet_id)) => link.on_sent(*packet_id),
            v5::Event::Incoming(Packet::PubAck(ack)) => link.on_acknowledged(ack.pkid, ack.reason),
            _ => {}
        }
    }

    /// rumqttc tells of an error at once, before what it had read until then.
    fn track_the_rest(&mut self) {
        for event in mem::take(&mut self.event_loop.state.events) {
            self.track(&event);
        }
    }

    /// Mosquitto says in a PUBACK that a message is too large, which is no reason of a PUBACK (MQTT 5.0, 3.4.2.1): to
    /// rumqttc that is the end. Acknowledgements come in order, so it is about the oldest message. Without its refusal
    /// being known it would be sent again and again.
    fn blame(&self, error: &ConnectionError) {
        if let (
            Some(link),
            ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::InvalidConnectReturnCode(0x95))),
        ) = (&self.link, error)
        {
            link.refuse_the_oldest();
        }
    }

    /// Sees publishes that are under way to their end, then says DISCONNECT, so that the will is not published.
    async fn leave(&mut self) -> End {
        let Some(link) = self.link.clone() else { return End::Stopped };
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
                        Ok(v5::Event::Outgoing(Outgoing::Disconnect)) | Err(_) => return,
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
