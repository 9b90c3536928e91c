//! What the gate sends.

use bytes::{BufMut as _, BytesMut};

use super::{
    Reason, Version,
    properties::{
        ASSIGNED_CLIENT_IDENTIFIER, MAXIMUM_PACKET_SIZE, MESSAGE_EXPIRY, REASON_STRING, RECEIVE_MAXIMUM,
        SERVER_KEEP_ALIVE, SESSION_EXPIRY, SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS, TOPIC_ALIAS_MAXIMUM,
    },
};
use crate::message::Message;

/// What CONNACK tells a client that we accept.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) session_present: bool,
    pub(crate) max_packet_bytes: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) topic_alias_maximum: u16,
    /// When it is not what the client asked for.
    pub(crate) session_expiry_s: Option<u32>,
    /// When it is not what the client asked for.
    pub(crate) keep_alive_s: Option<u16>,
    /// When the client did not bring one.
    pub(crate) assigned_client_id: Option<&'a str>,
}

pub(crate) fn accepted(out: &mut BytesMut, version: Version, terms: &Terms<'_>) {
    let present = u8::from(terms.session_present);
    if version == Version::V4 {
        return out.put_slice(&[0x20, 2, present, 0]);
    }
    let mut properties = BytesMut::new();
    properties.put_u8(MAXIMUM_PACKET_SIZE);
    properties.put_u32(terms.max_packet_bytes);
    properties.put_u8(RECEIVE_MAXIMUM);
    properties.put_u16(terms.receive_maximum);
    properties.put_u8(TOPIC_ALIAS_MAXIMUM);
    properties.put_u16(terms.topic_alias_maximum);
    if let Some(seconds) = terms.session_expiry_s {
        properties.put_u8(SESSION_EXPIRY);
        properties.put_u32(seconds);
    }
    if let Some(seconds) = terms.keep_alive_s {
        properties.put_u8(SERVER_KEEP_ALIVE);
        properties.put_u16(seconds);
    }
    if let Some(id) = terms.assigned_client_id {
        properties.put_u8(ASSIGNED_CLIENT_IDENTIFIER);
        string(&mut properties, id.as_bytes());
    }
    let mut body = BytesMut::from(&[present, 0][..]);
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
        Version::V5 => {
            let mut body = BytesMut::from(&[0, reason as u8][..]);
            reason_string(&mut body, reason);
            packet(out, 0x20, &body);
        }
    }
}

/// How one delivery goes over the wire.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Form<'a> {
    /// 0 at QoS 0.
    pub(crate) id: u16,
    pub(crate) qos: u8,
    pub(crate) duplicate: bool,
    pub(crate) retain: bool,
    /// What is left of it; for 5.0 clients only, as all that follows.
    pub(crate) expiry_s: Option<u32>,
    /// Of the subscriptions that it is for.
    pub(crate) identifiers: &'a [u32],
    pub(crate) alias: Option<Alias>,
}

/// A number for a topic (3.3.2.3.4).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alias {
    pub(crate) number: u16,
    /// Whether the client knows it already, so that the topic may be left out.
    pub(crate) known: bool,
}

/// PUBLISH.
pub(crate) fn publish(out: &mut BytesMut, version: Version, message: &Message, form: &Form<'_>) {
    let topic = if form.alias.is_some_and(|alias| alias.known) { "" } else { message.topic() };
    let mut length = 2 + topic.len() + message.payload.len();
    if form.qos > 0 {
        length += 2;
    }
    let properties = properties_bytes(message, form);
    if version == Version::V5 {
        length += integer_bytes(properties) + properties;
    }
    out.reserve(5 + length);
    out.put_u8(0x30 | u8::from(form.duplicate) << 3 | form.qos << 1 | u8::from(form.retain));
    integer(out, length);
    string(out, topic.as_bytes());
    if form.qos > 0 {
        out.put_u16(form.id);
    }
    if version == Version::V5 {
        integer(out, properties);
        out.put_slice(&message.properties);
        if let Some(expiry_s) = form.expiry_s {
            out.put_u8(MESSAGE_EXPIRY);
            out.put_u32(expiry_s);
        }
        for identifier in form.identifiers {
            out.put_u8(SUBSCRIPTION_IDENTIFIER);
            integer(out, *identifier as usize);
        }
        if let Some(alias) = form.alias {
            out.put_u8(TOPIC_ALIAS);
            out.put_u16(alias.number);
        }
    }
    out.put_slice(&message.payload);
}

fn properties_bytes(message: &Message, form: &Form<'_>) -> usize {
    let identifiers: usize = form.identifiers.iter().map(|identifier| 1 + integer_bytes(*identifier as usize)).sum();
    let expiry = if form.expiry_s.is_some() { 5 } else { 0 };
    let alias = if form.alias.is_some() { 3 } else { 0 };
    message.properties.len() + expiry + identifiers + alias
}

/// Length of the packet as the client counts it, with the topic in it.
pub(crate) fn publish_bytes(version: Version, message: &Message, form: &Form<'_>) -> usize {
    let properties = match version {
        Version::V4 => 0,
        Version::V5 => {
            let properties = properties_bytes(message, form);
            properties + integer_bytes(properties)
        }
    };
    let id = if form.qos > 0 { 2 } else { 0 };
    let length = 2 + message.topic().len() + id + properties + message.payload.len();
    1 + integer_bytes(length) + length
}

/// The four packets that acknowledge a PUBLISH step by step, by their first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Ack {
    Puback = 0x40,
    Pubrec = 0x50,
    Pubrel = 0x62,
    Pubcomp = 0x70,
}

/// An acknowledgement; `explains` if the client wants to read why.
pub(crate) fn ack(out: &mut BytesMut, version: Version, ack: Ack, id: u16, reason: Reason, explains: bool) {
    let [high, low] = id.to_be_bytes();
    match (version, reason, explains) {
        (Version::V4, ..) | (Version::V5, Reason::Success, _) => out.put_slice(&[ack as u8, 2, high, low]),
        (Version::V5, reason, false) => out.put_slice(&[ack as u8, 3, high, low, reason as u8]),
        (Version::V5, reason, true) => {
            let mut body = BytesMut::from(&[high, low, reason as u8][..]);
            reason_string(&mut body, reason);
            packet(out, ack as u8, &body);
        }
    }
}

/// SUBACK: for each filter the granted QoS, or why not.
pub(crate) fn suback(out: &mut BytesMut, version: Version, id: u16, answers: &[Result<u8, Reason>], explains: bool) {
    let mut body = BytesMut::new();
    body.put_u16(id);
    if version == Version::V5 {
        match answers.iter().find_map(|answer| answer.err()).filter(|_| explains) {
            Some(reason) => reason_string(&mut body, reason),
            None => body.put_u8(0),
        }
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

/// Properties with nothing but the reason in words.
fn reason_string(out: &mut BytesMut, reason: Reason) {
    let text = reason.text();
    integer(out, 3 + text.len());
    out.put_u8(REASON_STRING);
    string(out, text.as_bytes());
}

fn string(out: &mut BytesMut, bytes: &[u8]) {
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
            assert_eq!(bytes(|out| refused(out, Version::V5, reason))[2..4], [0, reason as u8]);
        }
    }

    #[test]
    fn an_acceptance_tells_a_5_0_client_the_terms() {
        let terms = Terms {
            session_present: true,
            max_packet_bytes: 1000,
            receive_maximum: 9,
            topic_alias_maximum: 3,
            session_expiry_s: Some(7),
            keep_alive_s: Some(60),
            assigned_client_id: Some("x"),
        };
        assert_eq!(bytes(|out| accepted(out, Version::V4, &terms))[..], [0x20, 2, 1, 0]);
        assert_eq!(
            bytes(|out| accepted(out, Version::V5, &terms))[..],
            *b"\x20\x1a\x01\x00\x17\x27\0\0\x03\xe8\x21\0\x09\x22\0\x03\x11\0\0\0\x07\x13\0\x3c\x12\0\x01x"
        );
    }

    #[test]
    fn subscriptions_are_answered_filter_by_filter() {
        let answers = [Ok(1), Err(Reason::NotAuthorized), Ok(0)];
        assert_eq!(bytes(|out| suback(out, Version::V4, 7, &answers, true))[..], [0x90, 5, 0, 7, 1, 0x80, 0]);
        let mut out = bytes(|out| suback(out, Version::V5, 7, &answers, false));
        let Ok(protocol::Packet::SubAck(ack, None)) = V5.read_mut(&mut out, 100) else { panic!("no SUBACK") };
        assert_eq!(ack.return_codes[1], SubscribeReasonCode::NotAuthorized);
        let mut out = bytes(|out| suback(out, Version::V5, 7, &answers, true));
        let Ok(protocol::Packet::SubAck(_, Some(properties))) = V5.read_mut(&mut out, 100) else { panic!("no SUBACK") };
        assert_eq!(properties.reason_string.as_deref(), Some(Reason::NotAuthorized.text()));
        assert_eq!(bytes(|out| unsuback(out, Version::V4, 7, &[Reason::Success]))[..], [0xB0, 2, 0, 7]);
        assert_eq!(
            bytes(|out| unsuback(out, Version::V5, 7, &[Reason::NoSubscriptionExisted]))[..],
            [0xB0, 4, 0, 7, 0, 0x11]
        );
    }

    #[test]
    fn an_acknowledgement_explains_a_refusal_to_who_wants_to_read_it() {
        let refused = |explains| bytes(|out| ack(out, Version::V5, Ack::Pubrec, 7, Reason::NotAuthorized, explains));
        assert_eq!(refused(false)[..], [0x50, 3, 0, 7, 0x87]);
        assert_eq!(refused(true)[2..5], [0, 7, 0x87]);
        assert!(refused(true).ends_with(Reason::NotAuthorized.text().as_bytes()));
        let old = bytes(|out| ack(out, Version::V4, Ack::Puback, 7, Reason::NotAuthorized, true));
        assert_eq!(old[..], [0x40, 2, 0, 7]);
    }

    proptest! {
        #[test]
        fn a_publish_is_read_back_by_another_codec(
            topic in "[a-z/é]{1,300}", payload in prop::collection::vec(any::<u8>(), 0..300), id in 1..=u16::MAX,
            qos in 0..3u8, expiry_s in prop::option::of(any::<u32>()), retain: bool,
            identifiers in prop::collection::vec(1..268_435_456_u32, 0..3)
        ) {
            let message = Message { properties: Bytes::from_static(b"\x26\x00\x01k\x00\x01v"), ..Message::new(&topic, payload.clone().into()) };
            let form = Form { id, qos, duplicate: false, retain, expiry_s, identifiers: &identifiers, alias: None };
            let mut out = bytes(|out| publish(out, Version::V5, &message, &form));
            prop_assert_eq!(out.len(), publish_bytes(Version::V5, &message, &form));
            let Ok(protocol::Packet::Publish(read, Some(properties))) = V5.read_mut(&mut out, 1 << 20) else { panic!("no PUBLISH") };
            prop_assert!(out.is_empty());
            prop_assert_eq!((&read.topic[..], &read.payload[..], read.retain), (topic.as_bytes(), &payload[..], retain));
            prop_assert_eq!(properties.message_expiry_interval, expiry_s);
            prop_assert_eq!(properties.user_properties.len(), 1);
            let read_identifiers: Vec<u32> = properties.subscription_identifiers.iter().map(|id| *id as u32).collect();
            prop_assert_eq!(read_identifiers, identifiers.clone());

            let mut out = bytes(|out| publish(out, Version::V4, &message, &form));
            prop_assert_eq!(out.len(), publish_bytes(Version::V4, &message, &form));
            let Ok(protocol::Packet::Publish(read, None)) = V4.read_mut(&mut out, 1 << 20) else { panic!("no PUBLISH") };
            prop_assert!(out.is_empty());
            prop_assert_eq!((&read.topic[..], &read.payload[..], read.retain), (topic.as_bytes(), &payload[..], retain));
        }
    }
}
