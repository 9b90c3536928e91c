//! One client, from CONNACK to the end.

mod inbound;
mod outbound;

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use bytes::BytesMut;
use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::{ReadHalf, WriteHalf},
    sync::watch,
    task::yield_now,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    access::{Access, Identity},
    bucket::Bucket,
    count,
    gate::Gate,
    handshake::Client,
    link::{Arrival, Link},
    message::Message,
    packet::{Reason, Version, encode},
    registry::Registration,
    router::RouterDied,
    subscriptions::Subscriptions,
    window::Window,
};

/// With so much waiting to be written no more packets of the client are worked on.
const MAX_OUTBOUND: usize = 256 * 1024;
/// With so much waiting to be written no more messages are fetched for it.
const MAX_DELIVERIES: usize = 64 * 1024;
const READ_BYTES: usize = 4 * 1024;
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
    /// The user is gone from the password file, or has another password.
    Expelled,
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
    fn from(_: io::Error) -> Self {
        End::Closed
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
            End::Shutdown => Some(Reason::ServerShuttingDown),
            End::Refused(reason) => Some(reason),
            End::Router => Some(Reason::ServerBusy),
        }
    }

    fn publishes_will(self) -> bool {
        !matches!(self, End::Disconnect { with_will: false } | End::Shutdown | End::Router)
    }
}

struct Session<'a> {
    gate: &'a Gate,
    version: Version,
    identity: Identity,
    number: u64,
    access: watch::Receiver<Arc<Access>>,
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

/// What has been logged once already.
#[derive(Default)]
struct Told {
    denied_publish: bool,
    denied_subscribe: bool,
    lost: bool,
}

/// Serves the client until one of both has had enough.
pub(crate) async fn run(gate: &Gate, client: Client) {
    let Client { mut stream, registration, will, keep_alive_s, access, .. } = client;
    let (version, identity) = (client.version, client.identity.clone());
    tracing::debug!(user = identity.user, client_id = identity.client_id, "client connected");
    let mut session = Session {
        gate,
        version,
        identity: client.identity,
        number: registration.session,
        access: gate.access.clone(),
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
    let (mut reader, mut writer) = stream.split();
    let end = match session.serve(&mut reader, &mut writer, &registration, keep_alive_s, &access).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    count::ended(end.label());
    let user = &identity.user;
    match end {
        End::Refused(reason) => {
            tracing::info!(user, client_id = identity.client_id, ?reason, "client disconnected: protocol broken");
        }
        end => tracing::debug!(user, client_id = identity.client_id, reason = end.label(), "client disconnected"),
    }
    if let Some(will) = will.filter(|_| end.publishes_will()) {
        session.publish_will(will).await;
    }
    if let Some(reason) = end.reason() {
        encode::disconnect(&mut session.outbound, version, reason);
        if version == Version::V5 {
            count::packet_sent();
        }
        let goodbye = async {
            writer.write_all_buf(&mut session.outbound).await.ok();
            writer.shutdown().await.ok();
        };
        timeout(GOODBYE_DEADLINE, goodbye).await.ok();
    }
}

impl Session<'_> {
    async fn serve(
        &mut self,
        reader: &mut ReadHalf<'_>,
        writer: &mut WriteHalf<'_>,
        registration: &Registration,
        keep_alive_s: u16,
        admitted: &Access,
    ) -> Result<std::convert::Infallible, End> {
        // 0 asks for no limit; 27 hours are as good and let a dead connection end.
        let patience = Duration::from_millis(1500) * u32::from(if keep_alive_s == 0 { u16::MAX } else { keep_alive_s });
        let mut silent_until = Instant::now() + patience;
        let mut stalled_at = Instant::now() + self.gate.limits.write_deadline;
        self.check_still_welcome(admitted)?;
        loop {
            let worked = self.work().await?;
            if worked > 0 {
                silent_until = Instant::now() + patience;
            }
            let unfinished = self.replay() || (worked == inbound::PORTION);
            let reading = self.reads();
            let delivering = self.may_deliver() && self.replays.is_empty();
            self.inbound.reserve(READ_BYTES);
            let idle = self.outbound.is_empty();
            tokio::select! {
                () = registration.taken_over() => return Err(End::TakenOver),
                () = self.gate.shutdown.cancelled() => return Err(End::Shutdown),
                changed = self.access.changed() => {
                    // The sender ends with the gate.
                    changed.map_err(|_| End::Shutdown)?;
                    self.check_still_welcome(admitted)?;
                }
                read = reader.read_buf(&mut self.inbound), if reading => match read? {
                    0 => return Err(End::Closed),
                    bytes => count::received(bytes),
                },
                written = writer.write_buf(&mut self.outbound), if !idle => {
                    let bytes = written?;
                    count::sent(bytes);
                    if bytes > 0 {
                        stalled_at = Instant::now() + self.gate.limits.write_deadline;
                    }
                }
                arrival = next(&mut self.link), if delivering => self.deliver_all(arrival?).await?,
                () = yield_now(), if unfinished => {}
                () = sleep_until(silent_until), if reading => return Err(End::KeepAlive),
                () = sleep_until(stalled_at), if !idle => return Err(End::Stalled),
                () = sleep_until(self.throttled_until.unwrap_or(silent_until)), if self.throttled_until.is_some() => {
                    self.throttled_until = None;
                    silent_until = Instant::now() + patience;
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

    /// A client whose account was taken away or given another password must sign in again.
    fn check_still_welcome(&mut self, admitted: &Access) -> Result<(), End> {
        let access = self.access.borrow_and_update();
        let user = &self.identity.user;
        if access.passwords.entry(user) == admitted.passwords.entry(user) { Ok(()) } else { Err(End::Expelled) }
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

    async fn publish_will(&self, mut will: Message) {
        // The right may have been taken away since CONNECT.
        if self.access.borrow().may_write(&self.identity, will.topic()) {
            will.expires = will.expires.map(|interval| self.gate.clock.now() + interval);
            // When the router is dead everybody will know soon.
            self.gate.publish(&self.identity.user, will).await.ok();
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
