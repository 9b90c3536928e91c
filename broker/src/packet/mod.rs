//! MQTT packets: frames first, then what is in them.
//!
//! - [`frame`]: where a packet ends, and whether a client may send one of its kind
//! - [`decode`]: from a frame to its meaning, by rumqttd's codec, which stood millions of mutations
//! - [`encode`]: what the gate sends. Written here, because rumqttd's encoder panics on some reason codes, writes a
//!   wrong length for DISCONNECT, and cannot be told the packet identifier of a PUBLISH

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod frame;

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
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    QosNotSupported = 0x9B,
    SharedSubscriptionsNotSupported = 0x9E,
    SubscriptionIdentifiersNotSupported = 0xA1,
}
