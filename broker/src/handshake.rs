//! From a connection to a client that we know, or to a CONNACK that says why not.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bugbrother_mosquitto_compat::password::Entry;
use bytes::BytesMut;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    access::{Access, Identity, Owner},
    arrival::{Arrival, Certificate, Entrance},
    count::{self, Connected},
    doorstep::Waiting,
    gate::Gate,
    packet::{
        Reason, Version,
        decode::{self, Connect},
        encode::{self, Terms},
        frame::{self, Frame},
    },
    places::{Crowded, Place, subscriber},
    record,
    registry::{NotRegistered, Registration},
    session::TOPIC_ALIASES,
    sessions::{Full, Opened, Rest},
    stream::Stream,
    subscriber::Subscriber,
    verifier::{Busy, Proven},
    will::{self, Will},
};

/// CONNECT with its will. Enough for a birth message, too little to fill the memory from outside.
const MAX_CONNECT_BYTES: usize = 16 * 1024;
const MAX_CLIENT_ID_BYTES: usize = 128;
/// It is logged, and looked up, before anybody knows whose it is.
const MAX_USER_BYTES: usize = 256;

/// A client that has been let in. CONNACK is in `outbound`.
pub(crate) struct Client {
    pub(crate) stream: Stream,
    pub(crate) version: Version,
    pub(crate) identity: Identity,
    pub(crate) registration: Registration,
    pub(crate) keep_alive_s: u16,
    pub(crate) will: Option<Will>,
    pub(crate) subscriber: Arc<Subscriber>,
    /// What an earlier connection has left, if the session goes on.
    pub(crate) rest: Option<Rest>,
    pub(crate) session_expiry_s: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) max_packet_bytes: usize,
    pub(crate) topic_alias_maximum: u16,
    /// Whether the client wants to read reasons.
    pub(crate) explains: bool,
    /// What came after CONNECT already.
    pub(crate) inbound: BytesMut,
    pub(crate) outbound: BytesMut,
    pub(crate) rights: Rights,
    _connected: Connected,
    _places: (Place, Option<OwnedSemaphorePermit>),
    /// Whoever is there needs no check to come again.
    _proven: Option<Proven>,
}

/// What a client was let in for.
pub(crate) struct Rights {
    /// What has changed since then is news here.
    pub(crate) access: watch::Receiver<Arc<Access>>,
    /// The entry of the password file, if it was a password that let it in.
    pub(crate) entry: Option<Entry>,
    pub(crate) certificate: Option<Certificate>,
}

/// Why a connection is not wanted.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    /// Where it came from; as a proxy tells it, if there is one.
    pub(crate) peer: SocketAddr,
    /// Whom it claimed to be, once it had said so.
    pub(crate) user: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing, or not enough, in time.
    Silent,
    Closed,
    Doorstep(Crowded),
    ProxyHeader,
    Tls,
    /// None that is trusted, or without a name.
    Certificate,
    WebSocket,
    /// The first packet is no CONNECT that can be read.
    NotConnect,
    Protocol,
    /// No name that a user could have.
    User,
    Authentication,
    Anonymous,
    Password,
    PasswordChecks,
    Attempts,
    KeepAlive,
    ClientId,
    ClientIdBusy,
    UserConnections,
    /// The user's clients come and go too often.
    ConnectRate,
    Connections(Crowded),
    ListenerConnections,
    /// No place for one more session that lasts.
    Sessions,
    WillDenied,
    WillTopic,
    /// In 3.1.1, where nothing can be said about that (4.7.3 and 4.8).
    WillOfNoTopic,
    WillSize,
    /// The broker stops, because its router does not answer any more.
    Router,
}

impl Cause {
    /// For the metric and the log.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Cause::Silent => "silent",
            Cause::Closed => "closed",
            Cause::Doorstep(Crowded::All) => "handshakes",
            Cause::Doorstep(Crowded::Address) => "handshakes_of_address",
            Cause::ProxyHeader => "proxy_header",
            Cause::Tls => "tls",
            Cause::Certificate => "certificate",
            Cause::WebSocket => "websocket",
            Cause::NotConnect => "malformed",
            Cause::Protocol => "protocol_version",
            Cause::User => "user_name",
            Cause::Authentication => "authentication_method",
            Cause::Anonymous => "anonymous",
            Cause::Password => "password",
            Cause::PasswordChecks => "password_checks",
            Cause::Attempts => "sign_in_failures",
            Cause::KeepAlive => "keep_alive",
            Cause::ClientId => "client_id",
            Cause::ClientIdBusy => "client_id_busy",
            Cause::UserConnections => "user_connections",
            Cause::ConnectRate => "connect_rate",
            Cause::Connections(Crowded::All) => "connections",
            Cause::Connections(Crowded::Address) => "connections_of_address",
            Cause::ListenerConnections => "listener_connections",
            Cause::WillDenied => "will_denied",
            Cause::WillTopic | Cause::WillOfNoTopic => "will_topic",
            Cause::WillSize => "will_size",
            Cause::Router => "router",
            Cause::Sessions => "sessions",
        }
    }

    /// What to say in CONNACK, where anything is to be said.
    fn reason(self) -> Option<Reason> {
        Some(match self {
            Cause::Silent
            | Cause::Closed
            | Cause::Doorstep(_)
            | Cause::ProxyHeader
            | Cause::Tls
            | Cause::WebSocket
            | Cause::NotConnect
            | Cause::WillOfNoTopic
            | Cause::User => return None,
            Cause::Protocol => Reason::UnsupportedProtocolVersion,
            Cause::Authentication => Reason::BadAuthenticationMethod,
            Cause::Anonymous | Cause::WillDenied => Reason::NotAuthorized,
            Cause::Password | Cause::Certificate => Reason::BadUserNameOrPassword,
            // What 3.1.1 has no word for, Mosquitto says in the same way.
            Cause::KeepAlive | Cause::ClientId => Reason::ClientIdentifierNotValid,
            Cause::PasswordChecks
            | Cause::Attempts
            | Cause::ClientIdBusy
            | Cause::Connections(_)
            | Cause::ListenerConnections
            | Cause::Router => Reason::ServerBusy,
            Cause::UserConnections | Cause::ConnectRate | Cause::Sessions => Reason::QuotaExceeded,
            Cause::WillTopic => Reason::TopicNameInvalid,
            Cause::WillSize => Reason::PacketTooLarge,
        })
    }
}

/// Goes through all that comes before MQTT and then greets.
pub(crate) async fn run(
    gate: &Gate,
    entrance: &Entrance,
    stream: TcpStream,
    mut peer: SocketAddr,
    doorstep: &mut Waiting,
) -> Result<Client, Refusal> {
    let deadline = Instant::now() + gate.limits.connect_deadline;
    let opened = timeout_at(deadline, entrance.open(stream, &mut peer, doorstep)).await;
    let arrival = opened.unwrap_or(Err(Cause::Silent)).map_err(|cause| Refusal { cause, peer, user: None })?;
    greet(gate, entrance, arrival, peer, deadline).await
}

/// Reads CONNECT and answers it.
pub(crate) async fn greet(
    gate: &Gate,
    entrance: &Entrance,
    arrival: Arrival,
    peer: SocketAddr,
    deadline: Instant,
) -> Result<Client, Refusal> {
    let Arrival { mut stream, certificate } = arrival;
    let mut inbound = BytesMut::new();
    let read = timeout_at(deadline, read_connect(&mut stream, &mut inbound)).await;
    let connect = match read.unwrap_or(Err(Cause::Silent)).and_then(parse) {
        Ok(connect) => connect,
        Err(cause) => {
            // Whoever speaks another version reads 3.1.1's answer (5.0, 3.1.2.2).
            say_no(gate, stream, Version::V4, cause).await;
            return Err(Refusal { cause, peer, user: None });
        }
    };
    let version = connect.version;
    let user = Some(connect.user.clone()).filter(|user| !user.is_empty());
    match admit(gate, entrance, peer.ip(), certificate, &connect, deadline).await {
        Ok(admitted) => Ok(welcome(gate, stream, inbound, connect, admitted)),
        Err(cause) => {
            say_no(gate, stream, version, cause).await;
            Err(Refusal { cause, peer, user })
        }
    }
}

async fn read_connect(stream: &mut Stream, inbound: &mut BytesMut) -> Result<Frame, Cause> {
    let mut nothing = BytesMut::new();
    loop {
        if inbound.first().is_some_and(|first| *first != 0x10) {
            return Err(Cause::NotConnect);
        }
        if let Some(frame) = frame::take(inbound, MAX_CONNECT_BYTES).map_err(|_| Cause::NotConnect)? {
            count::received(frame.bytes.len());
            count::connect_packet();
            return Ok(frame);
        }
        match stream.exchange(inbound, &mut nothing, true).await {
            Ok(moved) if !moved.ended => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(Cause::NotConnect),
            _ => return Err(Cause::Closed),
        }
    }
}

fn parse(frame: Frame) -> Result<Connect, Cause> {
    let connect = decode::connect(frame).map_err(|reason| match reason {
        Reason::UnsupportedProtocolVersion => Cause::Protocol,
        Reason::BadUserNameOrPassword => Cause::Password,
        _ => Cause::NotConnect,
    })?;
    if connect.user.len() > MAX_USER_BYTES { Err(Cause::User) } else { Ok(connect) }
}

struct Admitted {
    identity: Identity,
    assigned: bool,
    keep_alive_s: u16,
    session_expiry_s: u32,
    will: Option<Will>,
    registration: Registration,
    opened: Opened,
    rights: Rights,
    places: (Place, Option<OwnedSemaphorePermit>),
    proven: Option<Proven>,
}

/// Everything that has to be right before a client is let in; nothing of it is told apart before it has shown who it is.
async fn admit(
    gate: &Gate,
    entrance: &Entrance,
    peer: IpAddr,
    certificate: Option<Certificate>,
    connect: &Connect,
    deadline: Instant,
) -> Result<Admitted, Cause> {
    if connect.wants_authentication_method {
        return Err(Cause::Authentication);
    }
    let mut news = entrance.access.clone();
    let access = Arc::clone(&news.borrow_and_update());
    let (user, owner, proof) = if entrance.named_by_certificate {
        // As in Mosquitto it does not matter what else CONNECT says.
        let name = certificate.as_ref().and_then(Certificate::common_name).filter(|name| is_name(name));
        let name: Arc<str> = name.ok_or(Cause::Certificate)?.into();
        (Some(Arc::clone(&name)), Owner::User(name), None)
    } else {
        sign_in(gate, &access, peer, certificate.is_some(), connect).await?
    };
    if entrance.username_as_client_id && user.is_none() {
        return Err(Cause::Anonymous);
    }
    let registering = |not_registered| match not_registered {
        NotRegistered::TooMany => Cause::UserConnections,
        NotRegistered::Busy => Cause::ClientIdBusy,
        NotRegistered::TooOften => Cause::ConnectRate,
    };
    // An address may be a whole fleet, so it does not pay.
    if let Owner::User(_) = owner {
        gate.registry.charge(&owner, access.share(&owner), deadline).await.map_err(registering)?;
    }
    let place = gate.connections.enter(peer).map_err(Cause::Connections)?;
    let of_listener = match &entrance.places {
        Some(places) => Some(Arc::clone(places).try_acquire_owned().map_err(|_| Cause::ListenerConnections)?),
        None => None,
    };
    let keep_alive_s = keep_alive(connect, gate.limits.keep_alive_s)?;
    let assigned = connect.client_id.is_empty();
    let client_id = if assigned {
        // 3.1.1 lets a client without a name have no session that lasts (3.1.3.1).
        if connect.version == Version::V4 && !connect.clean {
            return Err(Cause::ClientId);
        }
        format!("auto-{:032x}", rand::random::<u128>())
    } else {
        connect.client_id.clone()
    };
    if !is_safe(&client_id) {
        return Err(Cause::ClientId);
    }
    let identity = Identity { user, owner, client_id, username_as_client_id: entrance.username_as_client_id };
    let mut will = will::check(gate, &access, &identity, connect)?;
    let registration = gate.registry.register(&identity, access.share(&identity.owner)).await.map_err(registering)?;
    let session_expiry_s = connect.session_expiry_s.min(gate.limits.session_expiry_s);
    let lasts = session_expiry_s > 0;
    let opened = gate.sessions.open(&identity, connect.clean, lasts, registration.session, &gate.budget);
    let mut opened = opened.map_err(|Full| Cause::Sessions)?;
    for ended in std::mem::take(&mut opened.ended) {
        gate.take_apart(ended).await.map_err(|_| Cause::Router)?;
    }
    // The client is back before its will was due (5.0, 3.1.3.2.2).
    if let Some(rest) = &mut opened.rest
        && rest.will.take().is_some()
    {
        gate.store.write(vec![record::no_will(opened.subscriber.number)]);
    }
    if let Some(will) = &mut will {
        will.message.publisher = opened.subscriber.number;
    }
    let (entry, proven) = proof.unzip();
    let rights = Rights { access: news, entry, certificate };
    let places = (place, of_listener);
    Ok(Admitted {
        identity,
        assigned,
        keep_alive_s,
        session_expiry_s,
        will,
        registration,
        opened,
        rights,
        places,
        proven,
    })
}

/// Who a client without a certificate's name is, by what it says and what its password proves.
async fn sign_in(
    gate: &Gate,
    access: &Arc<Access>,
    peer: IpAddr,
    certified: bool,
    connect: &Connect,
) -> Result<(Option<Arc<str>>, Owner, Option<(Entry, Proven)>), Cause> {
    let user = connect.user.as_str();
    let claimed = (!user.is_empty()).then(|| Arc::from(user));
    let (Some(passwords), Some(name)) = (&access.passwords, &claimed) else {
        let unproven = Owner::Address(subscriber(peer));
        return if access.allow_anonymous { Ok((claimed, unproven, None)) } else { Err(Cause::Anonymous) };
    };
    let proven = match gate.verifier.recall(access, user, &connect.password) {
        Some(proven) => proven,
        None => prove(gate, access, peer, certified, connect).await?,
    };
    let entry = passwords.entry(user).cloned().ok_or(Cause::Password)?;
    Ok((claimed.clone(), Owner::User(Arc::clone(name)), Some((entry, proven))))
}

/// Has the password checked, if it may be.
async fn prove(
    gate: &Gate,
    access: &Arc<Access>,
    peer: IpAddr,
    certified: bool,
    connect: &Connect,
) -> Result<Proven, Cause> {
    let (user, password) = (connect.user.as_str(), connect.password.as_str());
    let admission = gate.verifier.admit(peer).await.map_err(|Busy| Cause::PasswordChecks)?;
    // Another client of the same user may have proven it meanwhile.
    if let Some(proven) = gate.verifier.recall(access, user, password) {
        return Ok(proven);
    }
    let attempt = gate.attempts.take(peer, user, Instant::now());
    if attempt.is_none() && !certified {
        return Err(Cause::Attempts);
    }
    let verified = gate.verifier.verify(admission, access, user, password).await;
    if let (Ok(Some(_)) | Err(Busy), Some(attempt)) = (&verified, attempt) {
        gate.attempts.forgive(attempt);
    }
    verified.map_err(|Busy| Cause::PasswordChecks)?.ok_or(Cause::Password)
}

/// A 5.0 client can be told another keep alive than it asked for.
fn keep_alive(connect: &Connect, most_s: u16) -> Result<u16, Cause> {
    match connect.keep_alive_s {
        // 0 is no limit at all.
        1.. if connect.keep_alive_s <= most_s => Ok(connect.keep_alive_s),
        _ if most_s == u16::MAX => Ok(connect.keep_alive_s),
        _ if connect.version == Version::V5 => Ok(most_s),
        _ => Err(Cause::KeepAlive),
    }
}

/// A common name is logged and looked up as a user name is.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_USER_BYTES && !name.chars().any(char::is_control)
}

/// Client identifiers end up in logs and, as `%c`, in topics.
fn is_safe(client_id: &str) -> bool {
    client_id.len() <= MAX_CLIENT_ID_BYTES
        && client_id.bytes().all(|byte| byte.is_ascii_graphic() && !b"+#/$".contains(&byte))
}

fn welcome(gate: &Gate, mut stream: Stream, inbound: BytesMut, connect: Connect, admitted: Admitted) -> Client {
    let Admitted { identity, assigned, keep_alive_s, session_expiry_s, will, registration, opened, .. } = admitted;
    let Opened { subscriber, rest, .. } = opened;
    let mut outbound = BytesMut::new();
    let terms = Terms {
        session_present: rest.is_some(),
        max_packet_bytes: u32::try_from(gate.limits.packet_bytes).unwrap_or(u32::MAX),
        receive_maximum: gate.limits.inflight.max(1),
        topic_alias_maximum: TOPIC_ALIASES,
        session_expiry_s: (session_expiry_s != connect.session_expiry_s).then_some(session_expiry_s),
        keep_alive_s: (keep_alive_s != connect.keep_alive_s).then_some(keep_alive_s),
        assigned_client_id: assigned.then_some(identity.client_id.as_str()),
    };
    encode::accepted(&mut outbound, connect.version, &terms);
    count::packet_sent();
    stream.expect_packets(gate.limits.packet_bytes);
    Client {
        stream,
        version: connect.version,
        identity,
        registration,
        keep_alive_s,
        will,
        subscriber,
        rest,
        session_expiry_s,
        receive_maximum: connect.receive_maximum.unwrap_or(u16::MAX),
        max_packet_bytes: connect.max_packet_bytes.map_or(usize::MAX, |bytes| bytes as usize),
        topic_alias_maximum: connect.topic_alias_maximum,
        explains: connect.wants_problem_information && connect.max_packet_bytes.is_none_or(|most| most >= 256),
        inbound,
        outbound,
        rights: admitted.rights,
        _connected: Connected::new(),
        _places: admitted.places,
        _proven: admitted.proven,
    }
}

async fn say_no(gate: &Gate, mut stream: Stream, version: Version, cause: Cause) {
    let Some(reason) = cause.reason() else { return };
    let mut outbound = BytesMut::new();
    encode::refused(&mut outbound, version, reason);
    count::packet_sent();
    // A client that does not wait for its answer has no use for it.
    timeout(gate.limits.connect_deadline, stream.finish(&mut outbound)).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_identifier_is_plain_printable_text() {
        for good in ["a", "WVWZZZ1JZ3W386752", "mosqsub|1234-host", "agent:1.2_3@x"] {
            assert!(is_safe(good), "{good:?}");
        }
        for bad in ["a/b", "+", "#", "$SYS", "a b", "a\n", "é", "a\0", &"x".repeat(129)] {
            assert!(!is_safe(bad), "{bad:?}");
        }
    }
}
