//! What the gate sends.

use bytes::{BufMut as _, BytesMut};

use super::{Reason, Version};
use crate::message::Message;

/// What CONNACK tells a 5.0 client that we accept.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) max_packet_bytes: u32,
    /// When it is not what the client asked for.
    pub(crate) keep_alive_s: Option<u16>,
    /// When the client did not bring one.
    pub(crate) assigned_client_id: Option<&'a str>,
}

pub(crate) fn accepted(out: &mut BytesMut, version: Version, terms: &Terms<'_>) {
    if version == Version::V4 {
        return out.put_slice(&[0x20, 2, 0, 0]);
    }
    let mut properties = BytesMut::new();
    // Session expiry 0, QoS up to 1, no subscription identifiers, no shared subscriptions. No topic alias maximum is 0.
    properties.put_slice(&[0x11, 0, 0, 0, 0, 0x24, 1, 0x29, 0, 0x2A, 0, 0x27]);
    properties.put_u32(terms.max_packet_bytes);
    if let Some(seconds) = terms.keep_alive_s {
        properties.put_u8(0x13);
        properties.put_u16(seconds);
    }
    if let Some(id) = terms.assigned_client_id {
        properties.put_u8(0x12);
        string(&mut properties, id.as_bytes());
    }
    let mut body = BytesMut::from(&[0, 0][..]);
    integer(&mut body, properties.len());
    body.put_slice(&properties);
    packet(out, 0x20, &body);
}

/// CONNACK that says no. 3.1.1 knows fewer reasons (3.2.2.3).
pub(crate) fn refused(out: &mut BytesMut, version: Version, reason: Reason) {
    match version {
        Version::V4 => {
            let code = match reason {
                Reason::UnsupportedProtocolVersion => 1,
                Reason::ClientIdentifierNotValid => 2,
                Reason::ServerBusy | Reason::QuotaExceeded | Reason::ServerShuttingDown => 3,
                Reason::BadUserNameOrPassword => 4,
                _ => 5,
            };
            out.put_slice(&[0x20, 2, 0, code]);
        }
        Version::V5 => out.put_slice(&[0x20, 3, 0, reason as u8, 0]),
    }
}

/// PUBLISH. `id` is `None` at QoS 0; properties are for 5.0 clients only.
pub(crate) fn publish(
    out: &mut BytesMut,
    version: Version,
    message: &Message,
    id: Option<u16>,
    retain: bool,
    expiry_s: Option<u32>,
) {
    let properties = message.properties.len() + if expiry_s.is_some() { 5 } else { 0 };
    let mut length = publish_bytes(version, message, expiry_s);
    if id.is_none() {
        length -= 2;
    }
    out.put_u8(0x30 | if id.is_some() { 0b10 } else { 0 } | u8::from(retain));
    integer(out, length);
    string(out, message.topic().as_bytes());
    if let Some(id) = id {
        out.put_u16(id);
    }
    if version == Version::V5 {
        integer(out, properties);
        out.put_slice(&message.properties);
        if let Some(expiry_s) = expiry_s {
            out.put_u8(0x02);
            out.put_u32(expiry_s);
        }
    }
    out.put_slice(&message.payload);
}

/// Length of the body of a PUBLISH at QoS 1.
pub(crate) fn publish_bytes(version: Version, message: &Message, expiry_s: Option<u32>) -> usize {
    let properties = message.properties.len() + if expiry_s.is_some() { 5 } else { 0 };
    let properties = match version {
        Version::V4 => 0,
        Version::V5 => properties + integer_bytes(properties),
    };
    2 + message.topic().len() + 2 + properties + message.payload.len()
}

pub(crate) fn puback(out: &mut BytesMut, version: Version, id: u16, reason: Reason) {
    let [high, low] = id.to_be_bytes();
    match (version, reason) {
        (Version::V4, _) | (Version::V5, Reason::Success) => out.put_slice(&[0x40, 2, high, low]),
        (Version::V5, reason) => out.put_slice(&[0x40, 3, high, low, reason as u8]),
    }
}

/// SUBACK: for each filter the granted QoS, or why not.
pub(crate) fn suback(out: &mut BytesMut, version: Version, id: u16, answers: &[Result<u8, Reason>]) {
    let mut body = BytesMut::new();
    body.put_u16(id);
    if version == Version::V5 {
        body.put_u8(0);
    }
    body.extend(answers.iter().map(|answer| match (answer, version) {
        (Ok(qos), _) => *qos,
        (Err(_), Version::V4) => 0x80,
        (Err(reason), Version::V5) => *reason as u8,
    }));
    packet(out, 0x90, &body);
}

pub(crate) fn unsuback(out: &mut BytesMut, version: Version, id: u16, answers: &[Reason]) {
    let mut body = BytesMut::new();
    body.put_u16(id);
    if version == Version::V5 {
        body.put_u8(0);
        body.extend(answers.iter().map(|answer| *answer as u8));
    }
    packet(out, 0xB0, &body);
}

pub(crate) fn pingresp(out: &mut BytesMut) {
    out.put_slice(&[0xD0, 0]);
}

/// DISCONNECT, which a server of 3.1.1 cannot send.
pub(crate) fn disconnect(out: &mut BytesMut, version: Version, reason: Reason) {
    if version == Version::V5 {
        // The properties may be left out when there are none, but rumqttc does not understand that.
        out.put_slice(&[0xE0, 2, reason as u8, 0]);
    }
}

pub(super) fn string(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u16(u16::try_from(bytes.len()).expect("it was read from a field with a length of 16 bits"));
    out.put_slice(bytes);
}

fn packet(out: &mut BytesMut, first: u8, body: &[u8]) {
    out.put_u8(first);
    integer(out, body.len());
    out.put_slice(body);
}

fn integer(out: &mut BytesMut, mut value: usize) {
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        out.put_u8(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return;
        }
    }
}

fn integer_bytes(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use rumqttd::protocol::{self, Protocol as _, SubscribeReasonCode, v4::V4, v5::V5};

    use super::*;

    fn bytes(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
        let mut out = BytesMut::new();
        write(&mut out);
        out
    }

    #[test]
    fn a_refusal_has_the_code_of_its_version() {
        for (reason, code) in [
            (Reason::UnsupportedProtocolVersion, 1),
            (Reason::ClientIdentifierNotValid, 2),
            (Reason::ServerBusy, 3),
            (Reason::BadUserNameOrPassword, 4),
            (Reason::NotAuthorized, 5),
        ] {
            assert_eq!(bytes(|out| refused(out, Version::V4, reason))[..], [0x20, 2, 0, code]);
            assert_eq!(bytes(|out| refused(out, Version::V5, reason))[..], [0x20, 3, 0, reason as u8, 0]);
        }
    }

    #[test]
    fn an_acceptance_tells_a_5_0_client_what_there_is_not() {
        let terms = Terms { max_packet_bytes: 1000, keep_alive_s: Some(60), assigned_client_id: Some("x") };
        assert_eq!(bytes(|out| accepted(out, Version::V4, &terms))[..], [0x20, 2, 0, 0]);
        assert_eq!(
            bytes(|out| accepted(out, Version::V5, &terms))[..],
            *b"\x20\x1a\x00\x00\x17\x11\0\0\0\0\x24\x01\x29\0\x2a\0\x27\0\0\x03\xe8\x13\0\x3c\x12\0\x01x"
        );
    }

    #[test]
    fn subscriptions_are_answered_filter_by_filter() {
        let answers = [Ok(1), Err(Reason::NotAuthorized), Ok(0)];
        assert_eq!(bytes(|out| suback(out, Version::V4, 7, &answers))[..], [0x90, 5, 0, 7, 1, 0x80, 0]);
        let mut out = bytes(|out| suback(out, Version::V5, 7, &answers));
        let Ok(protocol::Packet::SubAck(ack, None)) = V5.read_mut(&mut out, 100) else { panic!("no SUBACK") };
        assert_eq!(ack.return_codes[1], SubscribeReasonCode::NotAuthorized);
        assert_eq!(bytes(|out| unsuback(out, Version::V4, 7, &[Reason::Success]))[..], [0xB0, 2, 0, 7]);
        assert_eq!(
            bytes(|out| unsuback(out, Version::V5, 7, &[Reason::NoSubscriptionExisted]))[..],
            [0xB0, 4, 0, 7, 0, 0x11]
        );
    }

    proptest! {
        #[test]
        fn a_publish_is_read_back_by_another_codec(
            topic in "[a-z/é]{1,300}", payload in prop::collection::vec(any::<u8>(), 0..300), id in prop::option::of(1..=u16::MAX),
            expiry in prop::option::of(any::<u32>()), retain: bool
        ) {
            let message = Message { properties: Bytes::from_static(b"\x26\x00\x01k\x00\x01v"), ..Message::new(&topic, payload.clone().into()) };
            let mut out = bytes(|out| publish(out, Version::V5, &message, id, retain, expiry));
            let Ok(protocol::Packet::Publish(read, Some(properties))) = V5.read_mut(&mut out, 1 << 20) else { panic!("no PUBLISH") };
            prop_assert!(out.is_empty());
            prop_assert_eq!((&read.topic[..], &read.payload[..], read.retain), (topic.as_bytes(), &payload[..], retain));
            prop_assert_eq!(properties.message_expiry_interval, expiry);
            prop_assert_eq!(properties.user_properties.len(), 1);

            let mut out = bytes(|out| publish(out, Version::V4, &message, id, retain, None));
            let Ok(protocol::Packet::Publish(read, None)) = V4.read_mut(&mut out, 1 << 20) else { panic!("no PUBLISH") };
            prop_assert!(out.is_empty());
            prop_assert_eq!((&read.topic[..], &read.payload[..], read.retain), (topic.as_bytes(), &payload[..], retain));
        }
    }
}
