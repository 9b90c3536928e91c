//! From a frame to its meaning.

use bytes::Bytes;

use super::{
    Reason, Version,
    frame::{Frame, Kind},
    properties::{
        OF_ACK, OF_CONNECT, OF_DISCONNECT, OF_PUBLISH, OF_SUBSCRIBE, OF_UNSUBSCRIBE, OF_WILL, Properties, Reader,
    },
};

/// CONNECT.
#[derive(Debug)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: String,
    pub(crate) clean: bool,
    pub(crate) keep_alive_s: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) will: Option<Publish>,
    pub(crate) will_delay_s: u32,
    /// How long the session is to last after the connection; 3.1.1 knows no time and for ever.
    pub(crate) session_expiry_s: u32,
    pub(crate) receive_maximum: Option<u16>,
    pub(crate) max_packet_bytes: Option<u32>,
    pub(crate) topic_alias_maximum: u16,
    /// Whether reason strings are welcome.
    pub(crate) wants_problem_information: bool,
    pub(crate) wants_authentication_method: bool,
}

/// Any packet after CONNECT.
#[derive(Debug)]
pub(crate) enum Packet {
    Publish(Publish),
    PubAck { id: u16 },
    PubRec { id: u16, refused: bool },
    PubRel { id: u16 },
    PubComp { id: u16 },
    Subscribe { id: u16, filters: Vec<Filter>, identifier: Option<u32> },
    Unsubscribe { id: u16, filters: Vec<String> },
    PingReq,
    Disconnect { with_will: bool, session_expiry_s: Option<u32> },
}

/// PUBLISH, or a will.
#[derive(Debug)]
pub(crate) struct Publish {
    /// UTF-8; empty if an alias stands for it.
    pub(crate) topic: Bytes,
    pub(crate) payload: Bytes,
    pub(crate) qos: u8,
    /// 0 at QoS 0.
    pub(crate) id: u16,
    pub(crate) retain: bool,
    /// 5.0 properties for the subscribers, encoded, without the expiry interval.
    pub(crate) properties: Bytes,
    pub(crate) expiry_s: Option<u32>,
    pub(crate) alias: Option<u16>,
}

impl Publish {
    pub(crate) fn topic(&self) -> &str {
        std::str::from_utf8(&self.topic).unwrap_or_default()
    }
}

/// One topic filter of SUBSCRIBE.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) path: String,
    pub(crate) qos: u8,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retained: Retained,
}

/// When retained messages are sent after SUBSCRIBE (5.0, 3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retained {
    Always,
    IfNew,
    Never,
}

const USER_NAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL_RETAIN: u8 = 0x20;
const WILL: u8 = 0x04;
const CLEAN: u8 = 0x02;

/// Reads CONNECT, in the version that it names itself.
pub(crate) fn connect(frame: Frame) -> Result<Connect, Reason> {
    let version = match frame.body() {
        [0, 4, b'M', b'Q', b'T', b'T', 4, ..] => Version::V4,
        [0, 4, b'M', b'Q', b'T', b'T', 5, ..] => Version::V5,
        [0, 4, b'M', b'Q', b'T', b'T', _, ..] | [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', ..] => {
            return Err(Reason::UnsupportedProtocolVersion);
        }
        _ => return Err(Reason::MalformedPacket),
    };
    let mut reader = body(frame);
    reader.part(7)?;
    let flags = reader.byte()?;
    let will_qos = (flags >> 3) & 0b11;
    let no_will = flags & WILL == 0 && flags & (WILL_RETAIN | 0b1_1000) != 0;
    // 5.0 lets a client have a password and no name (3.1.2.9).
    let no_name = version == Version::V4 && flags & USER_NAME == 0 && flags & PASSWORD != 0;
    if flags & 1 != 0 || will_qos > 2 || no_will || no_name {
        return Err(Reason::MalformedPacket);
    }
    let keep_alive_s = reader.two()?;
    let own = properties(&mut reader, version, OF_CONNECT)?;
    if own.has_authentication_data && !own.has_authentication_method {
        return Err(Reason::ProtocolError);
    }
    let client_id = reader.string()?;
    let (mut will, mut will_delay_s) = (None, 0);
    if flags & WILL != 0 {
        let own = properties(&mut reader, version, OF_WILL)?;
        will_delay_s = own.will_delay_s;
        will = Some(Publish {
            topic: reader.unchecked_text()?,
            payload: reader.binary()?,
            qos: will_qos,
            id: 0,
            retain: flags & WILL_RETAIN != 0,
            properties: own.passed_on,
            expiry_s: own.message_expiry_s,
            alias: None,
        });
    }
    let user = if flags & USER_NAME != 0 { reader.string()? } else { String::new() };
    let password = if flags & PASSWORD != 0 { reader.binary()? } else { Bytes::new() };
    if !reader.is_empty() {
        return Err(Reason::MalformedPacket);
    }
    // No password file has one that is no text.
    let password = String::from_utf8(password.into()).map_err(|_| Reason::BadUserNameOrPassword)?;
    let clean = flags & CLEAN != 0;
    Ok(Connect {
        version,
        client_id,
        clean,
        keep_alive_s,
        user,
        password,
        will,
        will_delay_s,
        session_expiry_s: match version {
            Version::V4 if clean => 0,
            Version::V4 => u32::MAX,
            Version::V5 => own.session_expiry_s.unwrap_or(0),
        },
        receive_maximum: own.receive_maximum,
        max_packet_bytes: own.max_packet_bytes,
        topic_alias_maximum: own.topic_alias_maximum,
        wants_problem_information: !own.wants_no_problem_information,
        wants_authentication_method: own.has_authentication_method,
    })
}

/// Reads a packet of a client that has been accepted.
pub(crate) fn packet(version: Version, frame: Frame) -> Result<Packet, Reason> {
    let (kind, flags) = (frame.kind, frame.flags);
    let mut reader = body(frame);
    let packet = match kind {
        Kind::Connect => return Err(Reason::ProtocolError),
        Kind::PingReq => Packet::PingReq,
        Kind::Disconnect => disconnect(version, &mut reader)?,
        Kind::Publish => return publish(version, flags, reader).map(Packet::Publish),
        Kind::PubAck => Packet::PubAck { id: acknowledged(version, &mut reader)?.0 },
        Kind::PubRec => {
            let (id, reason) = acknowledged(version, &mut reader)?;
            Packet::PubRec { id, refused: reason >= 0x80 }
        }
        Kind::PubRel => Packet::PubRel { id: acknowledged(version, &mut reader)?.0 },
        Kind::PubComp => Packet::PubComp { id: acknowledged(version, &mut reader)?.0 },
        Kind::Subscribe => subscribe(version, &mut reader)?,
        Kind::Unsubscribe => unsubscribe(version, &mut reader)?,
    };
    if reader.is_empty() { Ok(packet) } else { Err(Reason::MalformedPacket) }
}

fn body(frame: Frame) -> Reader {
    let mut bytes = frame.bytes.freeze();
    Reader(bytes.split_off(frame.body_at))
}

fn properties(reader: &mut Reader, version: Version, allowed: &[u8]) -> Result<Properties, Reason> {
    match version {
        Version::V4 => Ok(Properties::default()),
        Version::V5 => reader.properties(allowed),
    }
}

/// A packet identifier, which must not be zero (2.2.1).
fn identifier(reader: &mut Reader) -> Result<u16, Reason> {
    reader.two().ok().filter(|id| *id != 0).ok_or(Reason::MalformedPacket)
}

fn disconnect(version: Version, reader: &mut Reader) -> Result<Packet, Reason> {
    let mut packet = (false, None);
    if version == Version::V5 && !reader.is_empty() {
        // 0x00 is a normal end. All others leave the will in force.
        packet.0 = reader.byte()? != 0;
        if !reader.is_empty() {
            packet.1 = reader.properties(OF_DISCONNECT)?.session_expiry_s;
        }
    }
    Ok(Packet::Disconnect { with_will: packet.0, session_expiry_s: packet.1 })
}

fn publish(version: Version, flags: u8, mut reader: Reader) -> Result<Publish, Reason> {
    let qos = (flags >> 1) & 0b11;
    let topic = reader.unchecked_text()?;
    let id = if qos == 0 { 0 } else { identifier(&mut reader)? };
    let own = properties(&mut reader, version, OF_PUBLISH)?;
    // One of QoS 0 is never a duplicate (3.3.1.1).
    if qos == 0 && flags & 0b1000 != 0 {
        return Err(Reason::MalformedPacket);
    }
    if own.subscription_identifier.is_some() || (topic.is_empty() && own.topic_alias.is_none()) {
        return Err(Reason::ProtocolError);
    }
    Ok(Publish {
        topic,
        payload: reader.0,
        qos,
        id,
        retain: flags & 1 != 0,
        properties: own.passed_on,
        expiry_s: own.message_expiry_s,
        alias: own.topic_alias,
    })
}

/// Identifier and reason code of PUBACK, PUBREC, PUBREL or PUBCOMP.
fn acknowledged(version: Version, reader: &mut Reader) -> Result<(u16, u8), Reason> {
    let id = identifier(reader)?;
    let mut reason = 0;
    if version == Version::V5 && !reader.is_empty() {
        reason = reader.byte()?;
        if !reader.is_empty() {
            reader.properties(OF_ACK)?;
        }
    }
    Ok((id, reason))
}

fn subscribe(version: Version, reader: &mut Reader) -> Result<Packet, Reason> {
    let id = identifier(reader)?;
    let own = properties(reader, version, OF_SUBSCRIBE)?;
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(filter(version, reader)?);
    }
    if filters.is_empty() {
        return Err(Reason::MalformedPacket);
    }
    Ok(Packet::Subscribe { id, filters, identifier: own.subscription_identifier })
}

fn filter(version: Version, reader: &mut Reader) -> Result<Filter, Reason> {
    let path = reader.text()?;
    let options = reader.byte()?;
    let reserved = if version == Version::V4 { 0b1111_1100 } else { 0b1100_0000 };
    if options & reserved != 0 || options & 0b11 == 3 {
        return Err(Reason::MalformedPacket);
    }
    Ok(Filter {
        path: String::from_utf8(path.into()).map_err(|_| Reason::MalformedPacket)?,
        qos: options & 0b11,
        no_local: options & 0b100 != 0,
        retain_as_published: options & 0b1000 != 0,
        retained: match options >> 4 {
            0 => Retained::Always,
            1 => Retained::IfNew,
            2 => Retained::Never,
            _ => return Err(Reason::ProtocolError),
        },
    })
}

fn unsubscribe(version: Version, reader: &mut Reader) -> Result<Packet, Reason> {
    let id = identifier(reader)?;
    properties(reader, version, OF_UNSUBSCRIBE)?;
    let mut filters = Vec::new();
    while !reader.is_empty() {
        let path = reader.text()?;
        filters.push(String::from_utf8(path.into()).map_err(|_| Reason::MalformedPacket)?);
    }
    if filters.is_empty() { Err(Reason::ProtocolError) } else { Ok(Packet::Unsubscribe { id, filters }) }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::{super::frame, *};

    fn whole(bytes: &[u8]) -> Frame {
        frame::take(&mut BytesMut::from(bytes), 1 << 20).unwrap().unwrap()
    }

    #[test]
    fn a_connect_of_either_version_is_read_and_others_are_named() {
        let v4 = connect(whole(b"\x10\x14\x00\x04MQTT\x04\xc2\x00\x1e\x00\x02id\x00\x01u\x00\x01p")).map(|connect| {
            (connect.version, connect.client_id, connect.user, connect.password, connect.keep_alive_s, connect.clean)
        });
        assert_eq!(v4, Ok((Version::V4, "id".into(), "u".into(), "p".into(), 30, true)));
        let v5 = connect(whole(b"\x10\x12\x00\x04MQTT\x05\x02\x00\x1e\x03\x21\x00\x09\x00\x02id")).unwrap();
        assert_eq!((v5.version, v5.receive_maximum), (Version::V5, Some(9)));
        let refused = |bytes: &[u8]| connect(whole(bytes)).unwrap_err();
        assert_eq!(refused(b"\x10\x0c\x00\x04MQTT\x03\x02\x00\x1e\x00\x00"), Reason::UnsupportedProtocolVersion);
        assert_eq!(refused(b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x1e\x00\x00"), Reason::UnsupportedProtocolVersion);
        assert_eq!(refused(b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x1e\x00\x00"), Reason::MalformedPacket);
        assert_eq!(refused(b"\x10\x06\x00\x04MQTT"), Reason::MalformedPacket);
    }

    #[test]
    fn flags_of_connect_that_contradict_each_other_are_refused() {
        let refused = |flags: u8, rest: &[u8]| {
            let body = [&b"\x00\x04MQTT\x04"[..], &[flags], b"\x00\x1e\x00\x02id", rest].concat();
            connect(whole(&[&[0x10, body.len() as u8][..], &body].concat())).err()
        };
        assert_eq!(refused(0x02, b""), None);
        assert_eq!(refused(0x06, b"\0\x01w\0\0"), None);
        for (flags, rest) in
            [(0x22, &b""[..]), (0x0A, b""), (0x1E, b"\0\x01w\0\0"), (0x42, b"\0\x01p"), (0x02, b"more"), (0x82, b"")]
        {
            assert_eq!(refused(flags, rest), Some(Reason::MalformedPacket), "{flags:x}");
        }
        assert_eq!(refused(0xC2, b"\0\x01u\0\x01\xff"), Some(Reason::BadUserNameOrPassword));
    }

    #[test]
    fn what_must_not_reach_a_subscriber_is_refused() {
        let refused = |bytes: &[u8]| packet(Version::V5, whole(bytes)).unwrap_err();
        assert_eq!(refused(b"\x30\x06\x00\x01a\x02\x0b\x01"), Reason::ProtocolError);
        assert_eq!(refused(b"\x30\x08\x00\x01a\x04\x08\x00\x01#"), Reason::ProtocolError);
        assert_eq!(refused(b"\x30\x03\x00\x00\x00"), Reason::ProtocolError);
        assert_eq!(refused(b"\x32\x06\x00\x01a\x00\x00\x00"), Reason::MalformedPacket);
        assert_eq!(refused(b"\x38\x04\x00\x01a\x00"), Reason::MalformedPacket);
        assert_eq!(refused(b"\x82\x07\x00\x00\x00\x00\x01a\x00"), Reason::MalformedPacket);
        assert_eq!(refused(b"\x82\x07\x00\x01\x00\x00\x01a\x03"), Reason::MalformedPacket);
        assert_eq!(refused(b"\x82\x07\x00\x01\x00\x00\x01a\x30"), Reason::ProtocolError);
        assert_eq!(refused(b"\x82\x07\x00\x01\x00\x00\x01a\x40"), Reason::MalformedPacket);
        assert_eq!(refused(b"\x10\x00"), Reason::ProtocolError);
        assert_eq!(refused(b"\x30\x04\x00\x01\xff\x00"), Reason::MalformedPacket);
        assert_eq!(refused(b"\xc0\x01\x00"), Reason::MalformedPacket);
    }

    #[test]
    fn a_publish_keeps_its_properties_but_for_the_expiry_interval() {
        let bytes = b"\x3c\x13\x00\x01a\x00\x07\x0c\x02\x00\x00\x00\x09\x26\x00\x01k\x00\x01vx";
        let Packet::Publish(publish) = packet(Version::V5, whole(bytes)).unwrap() else { panic!("no PUBLISH") };
        assert_eq!((publish.qos, publish.id, publish.expiry_s), (2, 7, Some(9)));
        assert_eq!((&publish.payload[..], &publish.properties[..]), (&b"x"[..], &b"\x26\x00\x01k\x00\x01v"[..]));
        let aliased = packet(Version::V5, whole(b"\x30\x06\x00\x00\x03\x23\x00\x01"));
        assert!(matches!(aliased, Ok(Packet::Publish(Publish { alias: Some(1), .. }))));
    }

    #[test]
    fn a_disconnect_keeps_the_will_unless_it_is_normal() {
        let read = |bytes: &[u8]| match packet(Version::V5, whole(bytes)) {
            Ok(Packet::Disconnect { with_will, session_expiry_s }) => (with_will, session_expiry_s),
            other => panic!("{other:?}"),
        };
        assert_eq!((read(b"\xe0\x00"), read(b"\xe0\x01\x00")), ((false, None), (false, None)));
        assert_eq!((read(b"\xe0\x01\x04"), read(b"\xe0\x02\x81\x00")), ((true, None), (true, None)));
        assert_eq!(read(b"\xe0\x07\x00\x05\x11\0\0\0\x09"), (false, Some(9)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn no_frame_makes_the_decoder_panic(first: u8, body in prop::collection::vec(any::<u8>(), 0..60), five: bool) {
            let mut bytes = BytesMut::from(&[first, body.len() as u8][..]);
            bytes.extend_from_slice(&body);
            if let Ok(Some(frame)) = frame::take(&mut bytes, 1 << 20) {
                packet(if five { Version::V5 } else { Version::V4 }, frame).ok();
            }
        }

        #[test]
        fn no_connect_makes_the_decoder_panic(level in 4..6u8, rest in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut bytes = BytesMut::from(&[0x10, rest.len() as u8 + 7, 0, 4, b'M', b'Q', b'T', b'T', level][..]);
            bytes.extend_from_slice(&rest);
            if let Ok(Some(frame)) = frame::take(&mut bytes, 1 << 20) {
                connect(frame).ok();
            }
        }
    }
}
