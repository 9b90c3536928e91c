//! Properties of MQTT 5.0 (2.2.2), read with all that is said about them: which packet may have which, and how often.

use bugbrother_mosquitto_compat::topic;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::Reason;

pub(super) const PAYLOAD_FORMAT: u8 = 0x01;
pub(super) const MESSAGE_EXPIRY: u8 = 0x02;
pub(super) const CONTENT_TYPE: u8 = 0x03;
pub(super) const RESPONSE_TOPIC: u8 = 0x08;
pub(super) const CORRELATION_DATA: u8 = 0x09;
pub(super) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
pub(super) const SESSION_EXPIRY: u8 = 0x11;
pub(super) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
pub(super) const SERVER_KEEP_ALIVE: u8 = 0x13;
pub(super) const AUTHENTICATION_METHOD: u8 = 0x15;
pub(super) const AUTHENTICATION_DATA: u8 = 0x16;
pub(super) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
pub(super) const WILL_DELAY: u8 = 0x18;
pub(super) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
pub(super) const REASON_STRING: u8 = 0x1F;
pub(super) const RECEIVE_MAXIMUM: u8 = 0x21;
pub(super) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
pub(super) const TOPIC_ALIAS: u8 = 0x23;
pub(super) const USER_PROPERTY: u8 = 0x26;
pub(super) const MAXIMUM_PACKET_SIZE: u8 = 0x27;

pub(super) const OF_CONNECT: &[u8] = &[
    SESSION_EXPIRY,
    AUTHENTICATION_METHOD,
    AUTHENTICATION_DATA,
    REQUEST_PROBLEM_INFORMATION,
    REQUEST_RESPONSE_INFORMATION,
    RECEIVE_MAXIMUM,
    TOPIC_ALIAS_MAXIMUM,
    USER_PROPERTY,
    MAXIMUM_PACKET_SIZE,
];
pub(super) const OF_WILL: &[u8] =
    &[PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA, WILL_DELAY, USER_PROPERTY];
/// With the subscription identifier, which a client must not send: that is an error of its own.
pub(super) const OF_PUBLISH: &[u8] = &[
    PAYLOAD_FORMAT,
    MESSAGE_EXPIRY,
    CONTENT_TYPE,
    RESPONSE_TOPIC,
    CORRELATION_DATA,
    SUBSCRIPTION_IDENTIFIER,
    TOPIC_ALIAS,
    USER_PROPERTY,
];
pub(super) const OF_ACK: &[u8] = &[REASON_STRING, USER_PROPERTY];
pub(super) const OF_SUBSCRIBE: &[u8] = &[SUBSCRIPTION_IDENTIFIER, USER_PROPERTY];
pub(super) const OF_UNSUBSCRIBE: &[u8] = &[USER_PROPERTY];
pub(super) const OF_DISCONNECT: &[u8] = &[SESSION_EXPIRY, REASON_STRING, USER_PROPERTY];

/// What a server passes on unchanged and in order (3.3.2.3).
const PASSED_ON: &[u8] = &[PAYLOAD_FORMAT, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA, USER_PROPERTY];

/// The properties of one packet.
#[derive(Debug, Default)]
pub(super) struct Properties {
    /// What is passed on, as it came.
    pub(super) passed_on: Bytes,
    pub(super) message_expiry_s: Option<u32>,
    pub(super) subscription_identifier: Option<u32>,
    pub(super) session_expiry_s: Option<u32>,
    pub(super) has_authentication_method: bool,
    pub(super) has_authentication_data: bool,
    pub(super) wants_no_problem_information: bool,
    pub(super) will_delay_s: u32,
    pub(super) receive_maximum: Option<u16>,
    pub(super) topic_alias_maximum: u16,
    pub(super) topic_alias: Option<u16>,
    pub(super) max_packet_bytes: Option<u32>,
}

/// Bytes that are read from the front.
#[derive(Debug, Clone)]
pub(super) struct Reader(pub(super) Bytes);

impl Reader {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, Reason> {
        self.0.try_get_u8().map_err(|_| Reason::MalformedPacket)
    }

    pub(super) fn two(&mut self) -> Result<u16, Reason> {
        self.0.try_get_u16().map_err(|_| Reason::MalformedPacket)
    }

    fn four(&mut self) -> Result<u32, Reason> {
        self.0.try_get_u32().map_err(|_| Reason::MalformedPacket)
    }

    /// A variable byte integer (1.5.5).
    fn integer(&mut self) -> Result<u32, Reason> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Reason::MalformedPacket)
    }

    pub(super) fn part(&mut self, length: usize) -> Result<Bytes, Reason> {
        if length > self.0.len() { Err(Reason::MalformedPacket) } else { Ok(self.0.split_to(length)) }
    }

    /// Binary data (1.5.6).
    pub(super) fn binary(&mut self) -> Result<Bytes, Reason> {
        let length = self.two()?;
        self.part(length.into())
    }

    /// A UTF-8 string (1.5.4).
    pub(super) fn text(&mut self) -> Result<Bytes, Reason> {
        let bytes = self.unchecked_text()?;
        if bytes.contains(&0) { Err(Reason::MalformedPacket) } else { Ok(bytes) }
    }

    /// One that is looked at by the rules of topics as well, which know of NUL.
    pub(super) fn unchecked_text(&mut self) -> Result<Bytes, Reason> {
        let bytes = self.binary()?;
        if std::str::from_utf8(&bytes).is_ok() { Ok(bytes) } else { Err(Reason::MalformedPacket) }
    }

    pub(super) fn string(&mut self) -> Result<String, Reason> {
        let bytes = self.text()?;
        String::from_utf8(bytes.into()).map_err(|_| Reason::MalformedPacket)
    }

    /// The properties that stand here.
    pub(super) fn properties(&mut self, allowed: &[u8]) -> Result<Properties, Reason> {
        let length = self.integer()?;
        let whole = self.part(length as usize)?;
        let mut all = Properties::default();
        if whole.is_empty() {
            return Ok(all);
        }
        let mut seen = 0_u64;
        let mut copied: Option<BytesMut> = None;
        let mut reader = Reader(whole.clone());
        while !reader.is_empty() {
            let start = whole.len() - reader.0.len();
            let kind = reader.byte()?;
            if !allowed.contains(&kind) {
                return Err(Reason::MalformedPacket);
            }
            if kind != USER_PROPERTY && seen & 1 << kind != 0 {
                return Err(Reason::ProtocolError);
            }
            seen |= 1 << kind;
            all.read(kind, &mut reader)?;
            let end = whole.len() - reader.0.len();
            match (PASSED_ON.contains(&kind), &mut copied) {
                (true, Some(copied)) => copied.put_slice(&whole[start..end]),
                // All so far is passed on as it stands.
                (true, None) => all.passed_on = whole.slice(..end),
                (false, Some(_)) => {}
                (false, None) => copied = Some(BytesMut::from(&whole[..start])),
            }
        }
        if let Some(copied) = copied {
            all.passed_on = copied.freeze();
        }
        Ok(all)
    }
}

impl Properties {
    fn read(&mut self, kind: u8, reader: &mut Reader) -> Result<(), Reason> {
        match kind {
            PAYLOAD_FORMAT => {
                flag(reader)?;
            }
            MESSAGE_EXPIRY => self.message_expiry_s = Some(reader.four()?),
            CONTENT_TYPE | REASON_STRING => {
                reader.text()?;
            }
            RESPONSE_TOPIC => {
                let response = reader.text()?;
                if !std::str::from_utf8(&response).is_ok_and(topic::is_valid_name) {
                    return Err(Reason::ProtocolError);
                }
            }
            CORRELATION_DATA => {
                reader.binary()?;
            }
            SUBSCRIPTION_IDENTIFIER => self.subscription_identifier = Some(not_zero(reader.integer()?)?),
            SESSION_EXPIRY => self.session_expiry_s = Some(reader.four()?),
            AUTHENTICATION_METHOD => {
                reader.text()?;
                self.has_authentication_method = true;
            }
            AUTHENTICATION_DATA => {
                reader.binary()?;
                self.has_authentication_data = true;
            }
            REQUEST_PROBLEM_INFORMATION => self.wants_no_problem_information = !flag(reader)?,
            // There is none to be had, which the answer's silence says (3.1.2.11.6).
            REQUEST_RESPONSE_INFORMATION => {
                flag(reader)?;
            }
            WILL_DELAY => self.will_delay_s = reader.four()?,
            RECEIVE_MAXIMUM => self.receive_maximum = Some(not_zero(reader.two()?)?),
            TOPIC_ALIAS_MAXIMUM => self.topic_alias_maximum = reader.two()?,
            TOPIC_ALIAS => self.topic_alias = Some(reader.two()?),
            MAXIMUM_PACKET_SIZE => self.max_packet_bytes = Some(not_zero(reader.four()?)?),
            USER_PROPERTY => {
                reader.text()?;
                reader.text()?;
            }
            _ => return Err(Reason::MalformedPacket),
        }
        Ok(())
    }
}

fn flag(reader: &mut Reader) -> Result<bool, Reason> {
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Reason::ProtocolError),
    }
}

fn not_zero<T: Default + PartialEq>(value: T) -> Result<T, Reason> {
    if value == T::default() { Err(Reason::ProtocolError) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8], allowed: &[u8]) -> Result<Properties, Reason> {
        Reader(Bytes::from_static(bytes)).properties(allowed)
    }

    #[test]
    fn what_is_passed_on_keeps_its_order_and_what_is_not_is_left_out() {
        let all = read(b"\x13\x26\0\x01b\0\x01b\x02\0\0\0\x07\x26\0\x01a\0\x01a", OF_PUBLISH).unwrap();
        assert_eq!(all.message_expiry_s, Some(7));
        assert_eq!(&all.passed_on[..], b"\x26\0\x01b\0\x01b\x26\0\x01a\0\x01a");
        let all = read(b"\x05\x02\0\0\0\x07", OF_PUBLISH).unwrap();
        assert!(all.passed_on.is_empty());
        let all = read(b"\x09\x01\x01\x26\0\x01a\0\x01a", OF_PUBLISH).unwrap();
        assert_eq!(&all.passed_on[..], b"\x01\x01\x26\0\x01a\0\x01a");
    }

    #[test]
    fn a_property_twice_or_where_it_does_not_belong_is_refused() {
        for (bytes, allowed, reason) in [
            (&b"\x0a\x11\0\0\0\x01\x11\0\0\0\x01"[..], OF_CONNECT, Reason::ProtocolError),
            (b"\x03\x21\0\0", OF_CONNECT, Reason::ProtocolError),
            (b"\x05\x27\0\0\0\0", OF_CONNECT, Reason::ProtocolError),
            (b"\x02\x17\x02", OF_CONNECT, Reason::ProtocolError),
            (b"\x02\x0b\0", OF_SUBSCRIBE, Reason::ProtocolError),
            (b"\x02\x01\x02", OF_PUBLISH, Reason::ProtocolError),
            (b"\x04\x08\0\x01#", OF_PUBLISH, Reason::ProtocolError),
            (b"\x03\x23\0\x01", OF_CONNECT, Reason::MalformedPacket),
            (b"\x02\x7f\0", OF_CONNECT, Reason::MalformedPacket),
            (b"\x04\x03\0\x01\0", OF_PUBLISH, Reason::MalformedPacket),
            (b"\x04\x03\0\x01\xff", OF_PUBLISH, Reason::MalformedPacket),
            (b"\x04\x02\0\0\0", OF_PUBLISH, Reason::MalformedPacket),
            (b"\x09\x02\0\0\0", OF_PUBLISH, Reason::MalformedPacket),
        ] {
            assert_eq!(read(bytes, allowed).err(), Some(reason), "{bytes:x?}");
        }
    }
}
