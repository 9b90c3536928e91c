//! MQTT packets: frames first, then what is in them.
//!
//! - [`frame`]: where a packet ends, and whether a client may send one of its kind
//! - [`decode`]: from a frame to its meaning; `properties`: those of 5.0
//! - [`encode`]: what the gate sends
//!
//! All of it is written here: rumqttd's codec takes properties twice or where they do not belong, loses the order of
//! those that are to be passed on, panics on some reason codes, and keeps the packet identifier of a PUBLISH to itself.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod frame;
mod properties;

/// Version of the protocol that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 3.1.1
    V4,
    /// 5.0
    V5,
}

/// Why the gate ends a session, or refuses a packet: the reason codes of MQTT 5.0, section 2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    Success = 0x00,
    NoSubscriptionExisted = 0x11,
    MalformedPacket = 0x81,
    ProtocolError = 0x82,
    UnsupportedProtocolVersion = 0x84,
    ClientIdentifierNotValid = 0x85,
    BadUserNameOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerBusy = 0x89,
    ServerShuttingDown = 0x8B,
    BadAuthenticationMethod = 0x8C,
    KeepAliveTimeout = 0x8D,
    SessionTakenOver = 0x8E,
    TopicFilterInvalid = 0x8F,
    TopicNameInvalid = 0x90,
    PacketIdentifierNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
}

impl Reason {
    /// For the person who looks for the fault (5.0, reason string).
    pub(crate) fn text(self) -> &'static str {
        match self {
            Reason::Success => "done",
            Reason::NoSubscriptionExisted => "there was no such subscription",
            Reason::MalformedPacket => "the packet cannot be read",
            Reason::ProtocolError => "the packet is not allowed here",
            Reason::UnsupportedProtocolVersion => "MQTT 3.1.1 and 5.0 are spoken here",
            Reason::ClientIdentifierNotValid => "the client identifier or keep alive is not taken",
            Reason::BadUserNameOrPassword => "user name and password, or the certificate, are not known",
            Reason::NotAuthorized => "the access rules do not allow it",
            Reason::ServerBusy => "the broker has no place left at the moment",
            Reason::ServerShuttingDown => "the broker stops",
            Reason::BadAuthenticationMethod => "there is no such authentication method",
            Reason::KeepAliveTimeout => "nothing was heard for one and a half keep alives",
            Reason::SessionTakenOver => "another connection has this client identifier",
            Reason::TopicFilterInvalid => "the topic filter is none, too long or too deep",
            Reason::TopicNameInvalid => "the topic is none, too long or too deep",
            Reason::PacketIdentifierNotFound => "the packet identifier is not in use",
            Reason::ReceiveMaximumExceeded => "more messages were sent at once than the receive maximum",
            Reason::TopicAliasInvalid => "the topic alias is 0 or above the maximum",
            Reason::PacketTooLarge => "the packet is larger than allowed",
            Reason::QuotaExceeded => "the user has as many of these as it may have",
            Reason::AdministrativeAction => "the account was taken back or changed",
        }
    }
}
