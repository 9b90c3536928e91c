//! One client, from CONNACK to the end.

mod inbound;
mod outbound;

use std::{collections::VecDeque, convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use bugbrother_mosquitto_compat::password::Entry;
use bytes::BytesMut;
use futures_util::FutureExt as _;
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
    link::{Arrival, Link},
    message::Message,
    packet::{Reason, Version, encode},
    registry::Registration,
    retained::Share,
    router::RouterDied,
    stream::Stream,
    subscriptions::Subscriptions,
    window::Window,
};

/// With so much waiting to be written no more packets of the client are worked on.
const MAX_OUTBOUND: usize = 256 * 1024;
/// With so much waiting to be written no more messages are fetched for it.
const MAX_DELIVERIES: usize = 64 * 1024;
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
    number: u64,
    access: watch::Receiver<Arc<Access>>,
    entry: Option<Entry>,
    inbound: BytesMut,
    outbound: BytesMut,
    bucket: Arc<Bucket>,
    /// Nothing more is read before this.
    throttled_until: Option<Instant>,
    /// `None` until the first SUBSCRIBE: who only publishes needs none.
    link: Option<Link>,
    subscriptions: Subscriptions,
    replays: VecDeque<outbound::Replay>,
    window: Window,
    max_packet_bytes: usize,
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
    let Client { mut stream, registration, will, keep_alive_s, rights, .. } = client;
    let (version, identity) = (client.version, client.identity.clone());
    let (user, client_id) = (identity.user.as_deref(), &identity.client_id);
    tracing::debug!(user, client_id, "client connected");
    let mut session = Session {
        gate,
        version,
        identity: client.identity,
        number: registration.session,
        access: rights.access.clone(),
        entry: rights.entry,
        inbound: client.inbound,
        outbound: client.outbound,
        bucket: Arc::clone(&registration.bucket),
        throttled_until: registration.bucket.in_debt_until(Instant::now()),
        link: None,
        subscriptions: Subscriptions::default(),
        replays: VecDeque::new(),
        window: Window::new(client.receive_maximum.min(gate.limits.inflight)),
        max_packet_bytes: client.max_packet_bytes,
        told: Told::default(),
    };
    let outside = Outside { gate, registration: &registration, access: rights.access, certificate: rights.certificate };
    let end = match session.serve(&mut stream, outside, keep_alive_s, will.as_ref()).await {
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
    if let Some(will) = will.filter(|_| end.publishes_will()) {
        session.publish_will(will).await;
    }
    if let Some(reason) = end.reason() {
        encode::disconnect(&mut session.outbound, version, reason);
        if version == Version::V5 {
            count::packet_sent();
        }
        timeout(GOODBYE_DEADLINE, stream.finish(&mut session.outbound)).await.ok();
    }
}

impl Session<'_> {
    async fn serve(
        &mut self,
        stream: &mut Stream,
        outside: Outside<'_>,
        keep_alive_s: u16,
        will: Option<&Message>,
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
            let unfinished = self.replay() || more;
            let reading = self.reads();
            let delivering = self.may_deliver() && self.replays.is_empty();
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
                arrival = next(&mut self.link), if delivering => self.deliver_all(arrival?).await?,
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
    fn check_rights(&self, will: Option<&Message>) -> Result<(), End> {
        let access = self.access.borrow();
        let entry = || access.passwords.as_ref()?.entry(self.identity.user.as_deref()?);
        if self.entry.is_some() && self.entry.as_ref() != entry() {
            return Err(End::Expelled);
        }
        let may_will = will.is_none_or(|will| access.may_write(&self.identity, will.topic()));
        let may_read = self.subscriptions.filters().all(|filter| access.may_subscribe(&self.identity, filter));
        if may_will && may_read { Ok(()) } else { Err(End::Denied) }
    }

    /// Delivers what has arrived and what else is there already.
    async fn deliver_all(&mut self, first: Arrival) -> Result<(), End> {
        let mut arrival = first;
        loop {
            match arrival {
                Arrival::Message { route, lost, message } => self.deliver(route, lost, &message),
                Arrival::Paused => self.link.as_mut().ok_or(End::Router)?.resume().await?,
            }
            if !self.may_deliver() {
                return Ok(());
            }
            match next(&mut self.link).now_or_never() {
                Some(next) => arrival = next?,
                None => return Ok(()),
            }
        }
    }

    fn may_deliver(&self) -> bool {
        self.link.is_some() && self.outbound.len() < MAX_DELIVERIES && self.window.has_room()
    }

    async fn pass_on(&self, message: Message) -> Result<(), RouterDied> {
        let share = if message.retain { self.access.borrow().share(&self.identity) } else { Share::OfOne };
        self.gate.publish(&self.identity.owner, share, message).await
    }

    async fn publish_will(&self, mut will: Message) {
        // The right may have been taken away since CONNECT.
        if self.access.borrow().may_write(&self.identity, will.topic()) {
            will.expires = will.expires.map(|interval| self.gate.clock.now() + interval);
            // When the router is dead everybody will know soon.
            self.pass_on(will).await.ok();
        } else {
            count::publish_denied();
        }
    }
}

async fn next(link: &mut Option<Link>) -> Result<Arrival, RouterDied> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}
