//! From a frame to its meaning.

use bugbrother_mosquitto_compat::topic;
use bytes::{BufMut as _, Bytes, BytesMut};
use rumqttd::protocol::{
    self, ConnectProperties, LastWillProperties, Protocol as _, PublishProperties, QoS, RetainForwardRule, v4::V4,
    v5::V5,
};

use super::{
    Reason, Version,
    frame::{Frame, Kind},
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
    pub(crate) receive_maximum: Option<u16>,
    pub(crate) max_packet_bytes: Option<u32>,
    pub(crate) wants_authentication_method: bool,
}

/// Any packet after CONNECT.
#[derive(Debug)]
pub(crate) enum Packet {
    Publish(Publish),
    PubAck { id: u16 },
    Subscribe { id: u16, filters: Vec<Filter>, has_identifier: bool },
    Unsubscribe { id: u16, filters: Vec<String> },
    PingReq,
    Disconnect { with_will: bool },
}

/// PUBLISH, or a will.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: u8,
    /// 0 at QoS 0.
    pub(crate) id: u16,
    pub(crate) retain: bool,
    /// 5.0 properties for the subscribers, encoded, without the expiry interval.
    pub(crate) properties: Bytes,
    pub(crate) expiry_s: Option<u32>,
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
    if frame.body().get(7).is_none_or(|flags| flags & 1 != 0) {
        return Err(Reason::MalformedPacket);
    }
    let protocol::Packet::Connect(connect, properties, will, will_properties, login) = read(version, frame)? else {
        return Err(Reason::ProtocolError);
    };
    let will = match will {
        Some(will) => {
            let (properties, expiry_s) = will_properties.map_or(Ok((Bytes::new(), None)), of_will)?;
            Some(Publish {
                topic: text(&will.topic)?,
                payload: will.message,
                qos: will.qos as u8,
                id: 0,
                retain: will.retain,
                properties,
                expiry_s,
            })
        }
        None => None,
    };
    let (receive_maximum, max_packet_bytes, method) = match properties {
        Some(ConnectProperties { receive_maximum, max_packet_size, authentication_method, .. }) => {
            (receive_maximum, max_packet_size, authentication_method)
        }
        None => (None, None, None),
    };
    if receive_maximum == Some(0) || max_packet_bytes == Some(0) {
        return Err(Reason::ProtocolError);
    }
    let (user, password) = login.map(|login| (login.username, login.password)).unwrap_or_default();
    Ok(Connect {
        version,
        client_id: connect.client_id,
        clean: connect.clean_session,
        keep_alive_s: connect.keep_alive,
        user,
        password,
        will,
        receive_maximum,
        max_packet_bytes,
        wants_authentication_method: method.is_some(),
    })
}

/// Reads a packet of a client that has been accepted.
pub(crate) fn packet(version: Version, frame: Frame) -> Result<Packet, Reason> {
    match frame.kind {
        Kind::Connect => Err(Reason::ProtocolError),
        Kind::PingReq if frame.body().is_empty() => Ok(Packet::PingReq),
        Kind::PingReq => Err(Reason::MalformedPacket),
        // 0x00 is a normal end. All others leave the will in force; the rest of the packet says nothing to us.
        Kind::Disconnect => {
            Ok(Packet::Disconnect { with_will: frame.body().first().is_some_and(|reason| *reason != 0) })
        }
        Kind::Publish => publish(version, frame).map(Packet::Publish),
        Kind::PubAck | Kind::Subscribe | Kind::Unsubscribe => acknowledged(version, frame),
    }
}

fn publish(version: Version, frame: Frame) -> Result<Publish, Reason> {
    let qos = (frame.flags >> 1) & 0b11;
    let id = if qos == 0 { 0 } else { identifier_after_topic(frame.body())? };
    let protocol::Packet::Publish(publish, properties) = read(version, frame)? else {
        return Err(Reason::ProtocolError);
    };
    let (properties, expiry_s) = properties.map_or(Ok((Bytes::new(), None)), of_publish)?;
    if publish.topic.is_empty() {
        return Err(Reason::ProtocolError);
    }
    Ok(Publish {
        topic: text(&publish.topic)?,
        payload: publish.payload,
        qos,
        id,
        retain: publish.retain,
        properties,
        expiry_s,
    })
}

/// rumqttd keeps the packet identifier of a PUBLISH to itself.
fn identifier_after_topic(body: &[u8]) -> Result<u16, Reason> {
    let length = body.first_chunk().map(|bytes| usize::from(u16::from_be_bytes(*bytes)));
    let id = length.and_then(|length| body.get(2 + length..)?.first_chunk());
    id.map(|bytes| u16::from_be_bytes(*bytes)).filter(|id| *id != 0).ok_or(Reason::MalformedPacket)
}

fn acknowledged(version: Version, frame: Frame) -> Result<Packet, Reason> {
    // Before anything else in these packets comes an identifier that must not be zero (2.2.1).
    if frame.body().first_chunk().is_none_or(|id: &[u8; 2]| *id == [0, 0]) {
        return Err(Reason::MalformedPacket);
    }
    match read(version, frame)? {
        protocol::Packet::PubAck(ack, _) => Ok(Packet::PubAck { id: ack.pkid }),
        protocol::Packet::Subscribe(subscribe, properties) => Ok(Packet::Subscribe {
            id: subscribe.pkid,
            has_identifier: properties.is_some_and(|properties| properties.id.is_some()),
            filters: subscribe.filters.into_iter().map(filter).collect(),
        }),
        protocol::Packet::Unsubscribe(unsubscribe, _) if unsubscribe.filters.is_empty() => Err(Reason::ProtocolError),
        protocol::Packet::Unsubscribe(unsubscribe, _) => {
            Ok(Packet::Unsubscribe { id: unsubscribe.pkid, filters: unsubscribe.filters })
        }
        _ => Err(Reason::ProtocolError),
    }
}

fn filter(filter: protocol::Filter) -> Filter {
    Filter {
        path: filter.path,
        qos: if filter.qos == QoS::AtMostOnce { 0 } else { 1 },
        no_local: filter.nolocal,
        retain_as_published: filter.preserve_retain,
        retained: match filter.retain_forward_rule {
            RetainForwardRule::OnEverySubscribe => Retained::Always,
            RetainForwardRule::OnNewSubscribe => Retained::IfNew,
            RetainForwardRule::Never => Retained::Never,
        },
    }
}

/// In a whole frame every error of the codec, "insufficient bytes" too, means that the packet is malformed.
fn read(version: Version, frame: Frame) -> Result<protocol::Packet, Reason> {
    let mut bytes: BytesMut = frame.bytes;
    let max = bytes.len();
    let packet = match version {
        Version::V4 => V4.read_mut(&mut bytes, max),
        Version::V5 => V5.read_mut(&mut bytes, max),
    };
    packet.map_err(|_| Reason::MalformedPacket)
}

fn text(bytes: &[u8]) -> Result<String, Reason> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Reason::MalformedPacket)
}

fn of_publish(properties: PublishProperties) -> Result<(Bytes, Option<u32>), Reason> {
    if properties.topic_alias.is_some() {
        return Err(Reason::TopicAliasInvalid);
    }
    if !properties.subscription_identifiers.is_empty() {
        return Err(Reason::ProtocolError);
    }
    Forwarded {
        format: properties.payload_format_indicator,
        content_type: properties.content_type,
        response_topic: properties.response_topic,
        correlation: properties.correlation_data,
        user: properties.user_properties,
    }
    .encode()
    .map(|bytes| (bytes, properties.message_expiry_interval))
}

fn of_will(properties: LastWillProperties) -> Result<(Bytes, Option<u32>), Reason> {
    Forwarded {
        format: properties.payload_format_indicator,
        content_type: properties.content_type,
        response_topic: properties.response_topic,
        correlation: properties.correlation_data,
        user: properties.user_properties,
    }
    .encode()
    .map(|bytes| (bytes, properties.message_expiry_interval))
}

/// The properties that a server passes on unchanged (5.0, 3.3.2.3).
struct Forwarded {
    format: Option<u8>,
    content_type: Option<String>,
    response_topic: Option<String>,
    correlation: Option<Bytes>,
    user: Vec<(String, String)>,
}

impl Forwarded {
    fn encode(self) -> Result<Bytes, Reason> {
        if self.format.is_some_and(|format| format > 1)
            || self.response_topic.as_deref().is_some_and(|response| !topic::is_valid_name(response))
        {
            return Err(Reason::ProtocolError);
        }
        let mut out = BytesMut::new();
        if let Some(format) = self.format {
            out.put_slice(&[0x01, format]);
        }
        let texts = [(0x03, self.content_type.as_deref()), (0x08, self.response_topic.as_deref())];
        for (identifier, value) in texts {
            if let Some(value) = value {
                out.put_u8(identifier);
                super::encode::string(&mut out, value.as_bytes());
            }
        }
        if let Some(correlation) = self.correlation {
            out.put_u8(0x09);
            super::encode::string(&mut out, &correlation);
        }
        for (key, value) in self.user {
            out.put_u8(0x26);
            super::encode::string(&mut out, key.as_bytes());
            super::encode::string(&mut out, value.as_bytes());
        }
        Ok(out.freeze())
    }
}

#[cfg(test)]
mod tests {
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
    fn what_must_not_reach_a_subscriber_is_refused() {
        let refused = |bytes: &[u8]| packet(Version::V5, whole(bytes)).unwrap_err();
        assert_eq!(refused(b"\x30\x07\x00\x01a\x03\x23\x00\x01"), Reason::TopicAliasInvalid);
        assert_eq!(refused(b"\x30\x06\x00\x01a\x02\x0b\x01"), Reason::ProtocolError);
        assert_eq!(refused(b"\x30\x08\x00\x01a\x04\x08\x00\x01#"), Reason::ProtocolError);
        assert_eq!(refused(b"\x30\x03\x00\x00\x00"), Reason::ProtocolError);
        assert_eq!(refused(b"\x32\x06\x00\x01a\x00\x00\x00"), Reason::MalformedPacket);
        assert_eq!(refused(b"\x82\x07\x00\x00\x00\x00\x01a\x00"), Reason::MalformedPacket);
        assert_eq!(refused(b"\x10\x00"), Reason::ProtocolError);
        assert_eq!(refused(b"\x30\x04\x00\x01\xff\x00"), Reason::MalformedPacket);
    }

    #[test]
    fn a_publish_keeps_its_properties_but_for_the_expiry_interval() {
        let bytes = b"\x32\x13\x00\x01a\x00\x07\x0c\x02\x00\x00\x00\x09\x26\x00\x01k\x00\x01vx";
        let Packet::Publish(publish) = packet(Version::V5, whole(bytes)).unwrap() else { panic!("no PUBLISH") };
        assert_eq!((publish.qos, publish.id, publish.expiry_s), (1, 7, Some(9)));
        assert_eq!((&publish.payload[..], &publish.properties[..]), (&b"x"[..], &b"\x26\x00\x01k\x00\x01v"[..]));
    }

    #[test]
    fn a_disconnect_keeps_the_will_unless_it_is_normal() {
        let with_will = |bytes: &[u8]| match packet(Version::V5, whole(bytes)) {
            Ok(Packet::Disconnect { with_will }) => with_will,
            other => panic!("{other:?}"),
        };
        assert!(!with_will(b"\xe0\x00") && !with_will(b"\xe0\x01\x00"));
        assert!(with_will(b"\xe0\x01\x04") && with_will(b"\xe0\x02\x81\x00"));
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
