//! One client, from CONNACK to the end.

mod acknowledgement;
mod ending;
mod inbound;
mod outbound;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    io,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bugbrother_mosquitto_compat::password::Entry;
use bytes::{Bytes, BytesMut};
use tokio::{
    sync::watch,
    task::yield_now,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    access::{Access, Identity},
    arrival::Certificate,
    bucket::Bucket,
    count,
    gate::Gate,
    handshake::Client,
    message::Message,
    packet::{Reason, Version, encode},
    registry::Registration,
    retained::Share,
    router::RouterDied,
    share::topic_filter,
    store::{Op, Ticket},
    stream::Stream,
    subscriber::Subscriber,
    will::Will,
    window::Window,
};

pub(crate) use inbound::TOPIC_ALIASES;

/// With so much waiting to be written no more packets of the client are worked on.
const MAX_OUTBOUND: usize = 256 * 1024;
/// With so much waiting to be written no more messages are fetched for it.
const MAX_DELIVERIES: usize = 64 * 1024;
/// With so many answers waiting for the disk no more packets of the client are worked on.
const MAX_HELD: usize = 4_096;
/// DISCONNECT is a courtesy.
const GOODBYE_DEADLINE: Duration = Duration::from_secs(1);

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client said goodbye.
    Disconnect {
        with_will: bool,
    },
    Closed,
    KeepAlive,
    TakenOver,
    /// The socket took nothing for too long.
    Stalled,
    /// The user is gone from the password file or has another password, or its certificate is not trusted any more.
    Expelled,
    /// It has a subscription or a will that it may not have any more.
    Denied,
    Shutdown,
    /// The client broke the protocol.
    Refused(Reason),
    Router,
}

impl From<RouterDied> for End {
    fn from(_: RouterDied) -> Self {
        End::Router
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData { End::Refused(Reason::ProtocolError) } else { End::Closed }
    }
}

impl End {
    fn label(self) -> &'static str {
        match self {
            End::Disconnect { .. } => "disconnect",
            End::Closed => "closed",
            End::KeepAlive => "keep_alive",
            End::TakenOver => "taken_over",
            End::Stalled => "stalled",
            End::Expelled => "expelled",
            End::Denied => "denied",
            End::Shutdown => "shutdown",
            End::Refused(_) => "protocol",
            End::Router => "router",
        }
    }

    /// What DISCONNECT says, when there is anybody to hear it.
    fn reason(self) -> Option<Reason> {
        match self {
            End::Disconnect { .. } | End::Closed | End::Stalled => None,
            End::KeepAlive => Some(Reason::KeepAliveTimeout),
            End::TakenOver => Some(Reason::SessionTakenOver),
            End::Expelled => Some(Reason::AdministrativeAction),
            End::Denied => Some(Reason::NotAuthorized),
            End::Shutdown => Some(Reason::ServerShuttingDown),
            End::Refused(reason) => Some(reason),
            End::Router => Some(Reason::ServerBusy),
        }
    }

    fn publishes_will(self) -> bool {
        // Whose account or certificate was taken back has nothing to say any more.
        !matches!(self, End::Disconnect { with_will: false } | End::Expelled | End::Shutdown | End::Router)
    }
}

struct Session<'a> {
    gate: &'a Gate,
    version: Version,
    identity: Identity,
    access: watch::Receiver<Arc<Access>>,
    entry: Option<Entry>,
    inbound: BytesMut,
    outbound: BytesMut,
    bucket: Arc<Bucket>,
    /// Nothing more is read before this.
    throttled_until: Option<Instant>,
    /// What others know of this session.
    subscriber: Arc<Subscriber>,
    /// How long the session lasts after the connection.
    expiry_s: u32,
    /// Whether this connection found the session that an earlier one left.
    goes_on: bool,
    replays: VecDeque<outbound::Replay>,
    /// What an earlier connection left open, to be sent again first.
    resends: VecDeque<u16>,
    window: Window,
    /// QoS 2 messages of the client that it has not released.
    received: HashSet<u16>,
    /// Packets that go when something is on disk, in this order.
    held: VecDeque<(Ticket, Bytes)>,
    progress: Option<watch::Receiver<u64>>,
    /// What topics the client's aliases stand for.
    aliases: Vec<Bytes>,
    /// Which aliases we have given to the client.
    given: HashMap<Bytes, u16>,
    most_given: u16,
    max_packet_bytes: usize,
    /// Whether the client wants to read reasons.
    explains: bool,
    told: Told,
}

/// What may end a session from outside.
struct Outside<'a> {
    gate: &'a Gate,
    registration: &'a Registration,
    access: watch::Receiver<Arc<Access>>,
    certificate: Option<Certificate>,
}

impl<'a> Outside<'a> {
    /// Waits for the end, or until the rules have changed.
    async fn news(mut self) -> Result<Outside<'a>, End> {
        tokio::select! {
            () = self.registration.taken_over() => Err(End::TakenOver),
            () = self.gate.shutdown.cancelled() => Err(End::Shutdown),
            // The sender ends with the gate.
            changed = self.access.changed() => changed.map(|()| self).map_err(|_| End::Shutdown),
            trusted = is_still_trusted(&mut self.certificate) => if trusted { Ok(self) } else { Err(End::Expelled) },
        }
    }
}

async fn is_still_trusted(certificate: &mut Option<Certificate>) -> bool {
    match certificate {
        Some(certificate) => certificate.is_still_trusted().await,
        None => std::future::pending().await,
    }
}

/// What has been logged once already.
#[derive(Default)]
struct Told {
    denied_publish: bool,
    denied_subscribe: bool,
    lost: bool,
}

/// Serves the client until one of both has had enough.
pub(crate) async fn run(gate: &Gate, client: Client) {
    let Client { mut stream, registration, will, keep_alive_s, rights, rest, subscriber, .. } = client;
    let (version, identity) = (client.version, client.identity.clone());
    let (user, client_id) = (identity.user.as_deref(), &identity.client_id);
    tracing::debug!(user, client_id, "client connected");
    let inflight = match rights.access.borrow().share(&client.identity.owner) {
        Share::OfMany => gate.limits.inflight_of_services,
        Share::OfOne => gate.limits.inflight,
    };
    let goes_on = rest.is_some();
    let rest = rest.unwrap_or_default();
    let mut session = Session {
        gate,
        version,
        identity: client.identity,
        access: rights.access.clone(),
        entry: rights.entry,
        inbound: client.inbound,
        outbound: client.outbound,
        bucket: Arc::clone(&registration.bucket),
        throttled_until: registration.bucket.in_debt_until(Instant::now()),
        subscriber,
        expiry_s: client.session_expiry_s,
        goes_on,
        replays: VecDeque::new(),
        resends: rest.left.iter().map(|(id, _)| *id).collect(),
        window: Window::new(client.receive_maximum.min(inflight), rest.left),
        received: rest.received,
        held: VecDeque::new(),
        progress: gate.store.progress(),
        aliases: Vec::new(),
        given: HashMap::new(),
        most_given: client.topic_alias_maximum.min(outbound::MAX_ALIASES),
        max_packet_bytes: client.max_packet_bytes,
        explains: client.explains,
        told: Told::default(),
    };
    let outside = Outside { gate, registration: &registration, access: rights.access, certificate: rights.certificate };
    let served = async {
        session.resume();
        session.serve(&mut stream, outside, keep_alive_s, will.as_ref()).await
    };
    let end = match served.await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    count::ended(end.label());
    match end {
        End::Refused(reason) => gate.faults.report(|unlogged| {
            tracing::info!(user, client_id, ?reason, unlogged, "client disconnected: protocol broken");
        }),
        End::Expelled | End::Denied => {
            tracing::info!(user, client_id, reason = end.label(), "client disconnected: it lost a right");
        }
        end => tracing::debug!(user, client_id, reason = end.label(), "client disconnected"),
    }
    let (mut outbound, reason) = (std::mem::take(&mut session.outbound), end.reason());
    session.end(end, will).await;
    if let Some(reason) = reason {
        encode::disconnect(&mut outbound, version, reason);
        if version == Version::V5 {
            count::packet_sent();
        }
        timeout(GOODBYE_DEADLINE, stream.finish(&mut outbound)).await.ok();
    }
}

impl Session<'_> {
    async fn serve(
        &mut self,
        stream: &mut Stream,
        outside: Outside<'_>,
        keep_alive_s: u16,
        will: Option<&Will>,
    ) -> Result<Infallible, End> {
        // 0 asks for no limit; 27 hours are as good and let a dead connection end.
        let patience = Duration::from_millis(1500) * u32::from(if keep_alive_s == 0 { u16::MAX } else { keep_alive_s });
        let mut silent_until = Instant::now() + patience;
        let mut stalled_at = Instant::now() + self.gate.limits.write_deadline;
        // Both live as long as the session, because to begin to wait costs more than to go on waiting.
        let mut news = pin!(outside.news());
        let mut timer = pin!(sleep_until(silent_until));
        loop {
            let worked = self.work().await?;
            if worked > 0 {
                silent_until = Instant::now() + patience;
            }
            // There may be more packets that are whole: no need to receive any.
            let more = worked == inbound::PORTION;
            self.release();
            let unfinished = self.deliver_all() || more;
            let reading = self.reads();
            let delivering = self.may_deliver();
            let writing = !self.held.is_empty() || self.gate.store.is_behind();
            let idle = self.outbound.is_empty() && stream.is_flushed();
            let receiving = reading && !more;
            let deadlines = [reading.then_some(silent_until), (!idle).then_some(stalled_at), self.throttled_until];
            let next_deadline = deadlines.into_iter().flatten().min();
            // A deadline that moves away is found out when the timer is due.
            if let Some(next) = next_deadline.filter(|next| *next < timer.deadline()) {
                timer.as_mut().reset(next);
            }
            tokio::select! {
                moved = stream.exchange(&mut self.inbound, &mut self.outbound, receiving), if receiving || !idle => {
                    let moved = moved?;
                    if moved.ended {
                        return Err(End::Closed);
                    }
                    if moved.received > 0 {
                        count::received(moved.received);
                    }
                    if moved.sent > 0 {
                        count::sent(moved.sent);
                        stalled_at = Instant::now() + self.gate.limits.write_deadline;
                    }
                    self.pay(moved.frames);
                }
                () = self.subscriber.rung(), if delivering => {}
                Ok(()) = written(&mut self.progress), if writing => {}
                changed = &mut news => {
                    news.set(changed?.news());
                    self.check_rights(will)?;
                }
                () = yield_now(), if unfinished => {}
                () = &mut timer => {
                    let now = Instant::now();
                    if self.throttled_until.is_some_and(|until| until <= now) {
                        self.throttled_until = None;
                        silent_until = now + patience;
                    } else if reading && silent_until <= now {
                        return Err(End::KeepAlive);
                    } else if !idle && stalled_at <= now {
                        return Err(End::Stalled);
                    }
                    timer.as_mut().reset(next_deadline.filter(|next| *next > now).unwrap_or(now + patience));
                }
            }
            if self.outbound.is_empty() && self.outbound.capacity() > MAX_DELIVERIES {
                // A burst is no reason to keep its memory.
                self.outbound = BytesMut::new();
            }
            if idle {
                stalled_at = Instant::now() + self.gate.limits.write_deadline;
            }
        }
    }

    /// A client whose account was taken away or given another password must sign in again, and one that may not have a
    /// subscription or a will any more must do without.
    fn check_rights(&self, will: Option<&Will>) -> Result<(), End> {
        let access = self.access.borrow();
        let entry = || access.passwords.as_ref()?.entry(self.identity.user.as_deref()?);
        if self.entry.is_some() && self.entry.as_ref() != entry() {
            return Err(End::Expelled);
        }
        let may_will = will.is_none_or(|will| access.may_write(&self.identity, will.message.topic()));
        let may_read = self.subscriber.read(|subscriptions| {
            subscriptions.iter().all(|own| access.may_subscribe(&self.identity, topic_filter(&own.filter)))
        });
        if may_will && may_read { Ok(()) } else { Err(End::Denied) }
    }

    /// Whether one more delivery may be sent.
    fn may_deliver(&self) -> bool {
        self.outbound.len() < MAX_DELIVERIES && self.held.len() < MAX_HELD && self.window.has_room()
    }

    async fn pass_on(&self, message: Message, ops: Vec<Op>) -> Result<Ticket, RouterDied> {
        let share = if message.retain { self.access.borrow().share(&self.identity.owner) } else { Share::OfOne };
        self.gate.publish(&self.identity.owner, share, message, ops).await
    }
}

/// Waits until more is on disk.
async fn written(progress: &mut Option<watch::Receiver<u64>>) -> Result<(), watch::error::RecvError> {
    match progress {
        Some(progress) => progress.changed().await,
        None => std::future::pending().await,
    }
}
