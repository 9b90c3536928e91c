use std::{
    mem,
    pin::pin,
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
/// Bytes a second of a link that is slow and not gone: 16 kbit/s.
const SLOWEST: u32 = 2_000;
/// A filter that nobody subscribes to. To unsubscribe from it changes nothing, and is answered at once.
const PROBE: &str = "bugbrother/probe";

/// How a connection ended.
pub(crate) enum End {
    /// Orderly, after the shutdown, or nobody listens any more.
    Stopped,
    /// Any other way.
    Lost {
        /// Why.
        reason: String,
        /// Whether the broker said nothing more while it was waited for.
        silent: bool,
    },
}

impl End {
    pub fn lost(reason: impl Into<String>) -> Self {
        End::Lost { reason: reason.into(), silent: false }
    }

    fn silent(reason: &str) -> Self {
        End::Lost { reason: reason.to_owned(), silent: true }
    }
}

/// What is waited for.
struct Answer {
    /// How long it may take.
    allowed: Duration,
    /// What is left of that.
    due: Duration,
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
    /// When something came last, or was taken.
    heard: Instant,
    /// Since when the broker has been asked whether it is there.
    asked: Option<Instant>,
}

impl<'a> Connection<'a> {
    pub fn new(options: &'a Options, to: MqttOptions, publisher: &'a Publisher, ear: &'a Ear) -> Self {
        let (client, event_loop) = AsyncClient::new(to, REQUESTS);
        Connection {
            options,
            publisher,
            ear,
            client,
            event_loop,
            link: None,
            up_since: None,
            heard: Instant::now(),
            asked: None,
        }
    }

    /// How long it was up; `None` if it never was.
    pub fn stood(&self) -> Option<Duration> {
        self.up_since.map(|since| since.elapsed())
    }

    pub async fn run(&mut self, shutdown: &CancellationToken) -> End {
        loop {
            let event = tokio::select! {
                event = self.next_event() => event,
                () = shutdown.cancelled() => return self.leave().await,
            };
            let event = match event {
                Ok(event) => event,
                Err(lost) => return lost,
            };
            if matches!(event, v5::Event::Incoming(_)) {
                (self.heard, self.asked) = (Instant::now(), None);
            }
            let handed_over = match event {
                v5::Event::Incoming(Packet::ConnAck(ack)) => {
                    self.options.traffic.packet_sent(self.options.connect_bytes(), self.options.tls.is_some());
                    self.options.traffic.packet_received(OTHER_BYTES, self.options.tls.is_some());
                    let link = Link::new(self.client.clone(), self.options, ack.properties.as_ref());
                    self.link = Some(Arc::new(link));
                    if self.options.subscriptions.is_empty() {
                        self.announce().await
                    } else if self.client.try_subscribe_many(self.options.filters()).is_err() {
                        return End::lost("a subscription is no topic filter");
                    } else {
                        true
                    }
                }
                v5::Event::Incoming(Packet::SubAck(ack)) => match self.refused(&ack) {
                    Some(reason) => return End::lost(reason),
                    None => self.announce().await,
                },
                v5::Event::Incoming(Packet::Publish(publish)) => {
                    self.options.traffic.packet_received(publish.size(), self.options.tls.is_some());
                    let handed_over = self.deliver(publish, shutdown).await;
                    // Meanwhile nothing was read.
                    self.heard = Instant::now();
                    handed_over
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

    /// What happens next, or why nothing does any more.
    async fn next_event(&mut self) -> Result<v5::Event, End> {
        // rumqttc yields a ping or its answer at least. Writing to a broker that does not read it would wait for ever.
        let patience = self.event_loop.options.keep_alive() * 2 + CONNECT_TIMEOUT;
        // What a slow link takes for a lot is no reason to wait for longer than that.
        let answer = self.answer_due().filter(|answer| answer.due < patience);
        let event = {
            // Not begun anew after the question: half of a packet may be written.
            let mut poll = pin!(self.event_loop.poll());
            let mut event = timeout(answer.as_ref().map_or(patience, |answer| answer.due), &mut poll).await;
            if let (Err(_), Some(answer), None) = (&event, &answer, self.asked) {
                self.asked = Some(Instant::now());
                // A queue without room is one that nobody reads.
                self.client.try_unsubscribe(PROBE).ok();
                event = timeout(answer.allowed.min(patience), &mut poll).await;
            }
            event
        };
        match event {
            Ok(Ok(event)) => Ok(event),
            Ok(Err(error)) => {
                self.track_the_rest();
                self.blame(&error);
                Err(End::lost(reason::of_connection(&error)))
            }
            Err(_) if answer.is_some() => Err(End::silent("the broker does not answer any more")),
            Err(_) => Err(End::silent("the broker does not read any more")),
        }
    }

    /// Whether something must be heard. Whoever says anything at all is there.
    fn answer_due(&self) -> Option<Answer> {
        let (oldest, bytes) = self.link.as_ref()?.unanswered()?;
        let since = self.asked.unwrap_or(oldest).max(self.heard);
        let allowed = self.options.answer_within + Duration::from_secs(bytes as u64) / SLOWEST;
        Some(Answer { allowed, due: allowed.saturating_sub(since.elapsed()) })
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
            let mut drained = pin!(link.drained());
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
