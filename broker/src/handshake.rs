//! From a socket to a client that we know, or to a CONNACK that says why not.

use std::sync::Arc;

use bugbrother_mosquitto_compat::topic;
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};

use crate::{
    access::{Access, Identity},
    count::{self, Connected},
    gate::Gate,
    message::Message,
    packet::{
        Reason, Version,
        decode::{self, Connect, Publish},
        encode::{self, Terms},
        frame::{self, Frame},
    },
    registry::{NotRegistered, Registration},
    verifier::Busy,
};

/// CONNECT with its will. Enough for a birth message, too little to fill the memory from outside.
const MAX_CONNECT_BYTES: usize = 16 * 1024;
const MAX_CLIENT_ID_BYTES: usize = 128;
/// It is logged, and looked up, before anybody knows whose it is.
const MAX_USER_BYTES: usize = 256;

/// A client that has been let in. CONNACK is in `outbound`.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) version: Version,
    pub(crate) identity: Identity,
    pub(crate) registration: Registration,
    pub(crate) keep_alive_s: u16,
    pub(crate) will: Option<Message>,
    pub(crate) receive_maximum: u16,
    pub(crate) max_packet_bytes: usize,
    /// What came after CONNECT already.
    pub(crate) inbound: BytesMut,
    pub(crate) outbound: BytesMut,
    /// The access files as they were when the password was checked.
    pub(crate) access: Arc<Access>,
    _connected: Connected,
    _place: OwnedSemaphorePermit,
}

/// Why a connection is not wanted.
#[derive(Debug)]
pub(crate) struct Refusal {
    cause: Cause,
    /// Whom it claimed to be, once it had said so.
    pub(crate) user: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Cause {
    /// Nothing, or not enough, in time.
    Silent,
    Closed,
    /// The first packet is no CONNECT that can be read.
    NotConnect,
    Protocol,
    /// No name that a user could have.
    User,
    Authentication,
    Anonymous,
    Password,
    PasswordChecks,
    ClientId,
    ClientIdBusy,
    UserConnections,
    Connections,
    WillDenied,
    WillTopic,
    WillQos,
}

impl Refusal {
    /// For the metric and the log.
    pub(crate) fn label(&self) -> &'static str {
        match self.cause {
            Cause::Silent => "silent",
            Cause::Closed => "closed",
            Cause::NotConnect => "malformed",
            Cause::Protocol => "protocol_version",
            Cause::User => "user_name",
            Cause::Authentication => "authentication_method",
            Cause::Anonymous => "anonymous",
            Cause::Password => "password",
            Cause::PasswordChecks => "password_checks",
            Cause::ClientId => "client_id",
            Cause::ClientIdBusy => "client_id_busy",
            Cause::UserConnections => "user_connections",
            Cause::Connections => "connections",
            Cause::WillDenied => "will_denied",
            Cause::WillTopic => "will_topic",
            Cause::WillQos => "will_qos",
        }
    }
}

impl Cause {
    /// What to say in CONNACK, where anything is to be said.
    fn reason(self) -> Option<Reason> {
        Some(match self {
            Cause::Silent | Cause::Closed | Cause::NotConnect | Cause::User => return None,
            Cause::Protocol => Reason::UnsupportedProtocolVersion,
            Cause::Authentication => Reason::BadAuthenticationMethod,
            Cause::Anonymous | Cause::WillDenied => Reason::NotAuthorized,
            Cause::Password => Reason::BadUserNameOrPassword,
            Cause::ClientId => Reason::ClientIdentifierNotValid,
            Cause::PasswordChecks | Cause::ClientIdBusy | Cause::Connections => Reason::ServerBusy,
            Cause::UserConnections => Reason::QuotaExceeded,
            Cause::WillTopic => Reason::TopicNameInvalid,
            Cause::WillQos => Reason::QosNotSupported,
        })
    }
}

/// Reads CONNECT and answers it.
pub(crate) async fn run(gate: &Gate, mut stream: TcpStream) -> Result<Client, Refusal> {
    let nameless = |cause| Refusal { cause, user: None };
    stream.set_nodelay(true).map_err(|_| nameless(Cause::Closed))?;
    let mut inbound = BytesMut::new();
    let read = timeout(gate.limits.connect_deadline, read_connect(&mut stream, &mut inbound));
    let connect = match read.await.unwrap_or(Err(Cause::Silent)).and_then(parse) {
        Ok(connect) => connect,
        Err(cause) => {
            // Whoever speaks another version reads 3.1.1's answer (5.0, 3.1.2.2).
            say_no(gate, stream, Version::V4, cause).await;
            return Err(nameless(cause));
        }
    };
    let version = connect.version;
    let user = Some(connect.user.clone()).filter(|user| !user.is_empty());
    match admit(gate, &connect).await {
        Ok(admitted) => Ok(welcome(gate, stream, inbound, connect, admitted)),
        Err(cause) => {
            say_no(gate, stream, version, cause).await;
            Err(Refusal { cause, user })
        }
    }
}

async fn read_connect(stream: &mut TcpStream, inbound: &mut BytesMut) -> Result<Frame, Cause> {
    loop {
        if inbound.first().is_some_and(|first| *first != 0x10) {
            return Err(Cause::NotConnect);
        }
        if let Some(frame) = frame::take(inbound, MAX_CONNECT_BYTES).map_err(|_| Cause::NotConnect)? {
            count::received(frame.bytes.len());
            count::connect_packet();
            return Ok(frame);
        }
        if stream.read_buf(inbound).await.map_err(|_| Cause::Closed)? == 0 {
            return Err(Cause::Closed);
        }
    }
}

fn parse(frame: Frame) -> Result<Connect, Cause> {
    let connect = decode::connect(frame).map_err(|reason| match reason {
        Reason::UnsupportedProtocolVersion => Cause::Protocol,
        _ => Cause::NotConnect,
    })?;
    if connect.user.len() > MAX_USER_BYTES { Err(Cause::User) } else { Ok(connect) }
}

struct Admitted {
    identity: Identity,
    assigned: bool,
    will: Option<Message>,
    registration: Registration,
    access: Arc<Access>,
    place: OwnedSemaphorePermit,
}

/// Everything that has to be right before a client is let in; nothing of it is told apart before the password is.
async fn admit(gate: &Gate, connect: &Connect) -> Result<Admitted, Cause> {
    if connect.wants_authentication_method {
        return Err(Cause::Authentication);
    }
    if connect.user.is_empty() {
        return Err(Cause::Anonymous);
    }
    let access = Arc::clone(&gate.access.borrow());
    let verified = gate.verifier.verify(&access, &connect.user, &connect.password).await;
    if !verified.map_err(|Busy| Cause::PasswordChecks)? {
        return Err(Cause::Password);
    }
    let place = Arc::clone(&gate.connections).try_acquire_owned().map_err(|_| Cause::Connections)?;
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
    let identity = Identity { user: connect.user.clone(), client_id };
    let registering = |not_registered| match not_registered {
        NotRegistered::TooMany => Cause::UserConnections,
        NotRegistered::Busy => Cause::ClientIdBusy,
    };
    let mut will = None;
    if let Some(wish) = &connect.will {
        will = Some(check_will(gate, &access, &identity, connect.version, wish)?);
    }
    let registration = gate.registry.register(&identity).await.map_err(registering)?;
    if let Some(will) = &mut will {
        will.publisher = registration.session;
    }
    Ok(Admitted { identity, assigned, will, registration, access, place })
}

/// Client identifiers end up in logs and, as `%c`, in topics.
fn is_safe(client_id: &str) -> bool {
    client_id.len() <= MAX_CLIENT_ID_BYTES
        && client_id.bytes().all(|byte| byte.is_ascii_graphic() && !b"+#/$".contains(&byte))
}

fn check_will(
    gate: &Gate,
    access: &Access,
    identity: &Identity,
    version: Version,
    will: &Publish,
) -> Result<Message, Cause> {
    if !topic::is_valid_name(&will.topic) || will.topic.len() > gate.limits.topic_bytes {
        return Err(Cause::WillTopic);
    }
    if will.qos > 1 && version == Version::V5 {
        return Err(Cause::WillQos);
    }
    if !access.may_write(identity, &will.topic) {
        count::publish_denied();
        return Err(Cause::WillDenied);
    }
    let message = Message {
        qos: will.qos.min(1),
        retain: will.retain,
        properties: will.properties.clone(),
        // Counted from its publication, which may never be: set then.
        expires: will.expiry_s.map(|seconds| std::time::Duration::from_secs(seconds.into())),
        ..Message::new(&will.topic, will.payload.clone())
    };
    // It waits as long as the session lives.
    Ok(message.detached())
}

fn welcome(gate: &Gate, stream: TcpStream, inbound: BytesMut, connect: Connect, admitted: Admitted) -> Client {
    let Admitted { identity, assigned, will, registration, access, place } = admitted;
    let mut outbound = BytesMut::new();
    let terms = Terms {
        max_packet_bytes: u32::try_from(gate.limits.packet_bytes).unwrap_or(u32::MAX),
        assigned_client_id: assigned.then_some(identity.client_id.as_str()),
    };
    encode::accepted(&mut outbound, connect.version, &terms);
    count::packet_sent();
    Client {
        stream,
        version: connect.version,
        identity,
        registration,
        keep_alive_s: connect.keep_alive_s,
        will,
        receive_maximum: connect.receive_maximum.unwrap_or(u16::MAX),
        max_packet_bytes: connect.max_packet_bytes.map_or(usize::MAX, |bytes| bytes as usize),
        inbound,
        outbound,
        access,
        _connected: Connected::new(),
        _place: place,
    }
}

async fn say_no(gate: &Gate, mut stream: TcpStream, version: Version, cause: Cause) {
    let Some(reason) = cause.reason() else { return };
    let mut outbound = BytesMut::new();
    encode::refused(&mut outbound, version, reason);
    count::packet_sent();
    // A client that does not wait for its answer has no use for it.
    timeout(gate.limits.connect_deadline, async {
        stream.write_all(&outbound).await.ok();
        stream.shutdown().await.ok();
    })
    .await
    .ok();
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
