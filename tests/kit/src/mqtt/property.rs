//! Properties of MQTT 5.0 (2.2.2).

use anyhow::{Context, Result, bail, ensure};

/// Payload format indicator.
pub const FORMAT: u8 = 0x01;
/// Message expiry interval.
pub const MESSAGE_EXPIRY: u8 = 0x02;
/// Content type.
pub const CONTENT_TYPE: u8 = 0x03;
/// Response topic.
pub const RESPONSE_TOPIC: u8 = 0x08;
/// Correlation data.
pub const CORRELATION: u8 = 0x09;
/// Subscription identifier.
pub const SUBSCRIPTION: u8 = 0x0B;
/// Session expiry interval.
pub const SESSION_EXPIRY: u8 = 0x11;
/// Assigned client identifier.
pub const ASSIGNED_ID: u8 = 0x12;
/// Server keep alive.
pub const SERVER_KEEP_ALIVE: u8 = 0x13;
/// Authentication method.
pub const METHOD: u8 = 0x15;
/// Authentication data.
pub const METHOD_DATA: u8 = 0x16;
/// Request problem information.
pub const REQUEST_PROBLEM: u8 = 0x17;
/// Will delay interval.
pub const WILL_DELAY: u8 = 0x18;
/// Request response information.
pub const REQUEST_RESPONSE: u8 = 0x19;
/// Response information.
pub const RESPONSE_INFORMATION: u8 = 0x1A;
/// Server reference.
pub const SERVER_REFERENCE: u8 = 0x1C;
/// Reason string.
pub const REASON: u8 = 0x1F;
/// Receive maximum.
pub const RECEIVE_MAXIMUM: u8 = 0x21;
/// Topic alias maximum.
pub const ALIAS_MAXIMUM: u8 = 0x22;
/// Topic alias.
pub const ALIAS: u8 = 0x23;
/// Maximum QoS.
pub const MAXIMUM_QOS: u8 = 0x24;
/// Retain available.
pub const RETAIN_AVAILABLE: u8 = 0x25;
/// User property.
pub const USER: u8 = 0x26;
/// Maximum packet size.
pub const MAXIMUM_PACKET: u8 = 0x27;
/// Wildcard subscription available.
pub const WILDCARD_AVAILABLE: u8 = 0x28;
/// Subscription identifiers available.
pub const IDENTIFIERS_AVAILABLE: u8 = 0x29;
/// Shared subscription available.
pub const SHARED_AVAILABLE: u8 = 0x2A;

/// A value; its form follows from the property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A byte.
    Byte(u8),
    /// Two bytes.
    Two(u16),
    /// Four bytes.
    Four(u32),
    /// A variable byte integer.
    Var(u32),
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// A name and a value.
    Pair(String, String),
}

/// The properties of a packet in their order; so a test can write what no client should.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(Vec<(u8, Value)>);

impl Properties {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more of a byte.
    pub fn byte(self, id: u8, value: u8) -> Self {
        self.with(id, Value::Byte(value))
    }

    /// With one more of two bytes.
    pub fn two(self, id: u8, value: u16) -> Self {
        self.with(id, Value::Two(value))
    }

    /// With one more of four bytes.
    pub fn four(self, id: u8, value: u32) -> Self {
        self.with(id, Value::Four(value))
    }

    /// With one more of a variable length.
    pub fn var(self, id: u8, value: u32) -> Self {
        self.with(id, Value::Var(value))
    }

    /// With one more text.
    pub fn text(self, id: u8, value: &str) -> Self {
        self.with(id, Value::Text(value.to_owned()))
    }

    /// With one more of bytes.
    pub fn binary(self, id: u8, value: &[u8]) -> Self {
        self.with(id, Value::Binary(value.to_vec()))
    }

    /// With one more user property.
    pub fn user(self, name: &str, value: &str) -> Self {
        self.with(USER, Value::Pair(name.to_owned(), value.to_owned()))
    }

    fn with(mut self, id: u8, value: Value) -> Self {
        self.0.push((id, value));
        self
    }

    /// The first one of that kind.
    pub fn get(&self, id: u8) -> Option<&Value> {
        self.all(id).next()
    }

    /// Every one of that kind, in order.
    pub fn all(&self, id: u8) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |(known, _)| *known == id).map(|(_, value)| value)
    }

    /// Whether there is one of that kind.
    pub fn has(&self, id: u8) -> bool {
        self.get(id).is_some()
    }

    /// The first one of that kind as a number.
    pub fn number(&self, id: u8) -> Option<u32> {
        match self.get(id)? {
            Value::Byte(value) => Some((*value).into()),
            Value::Two(value) => Some((*value).into()),
            Value::Four(value) | Value::Var(value) => Some(*value),
            Value::Text(_) | Value::Binary(_) | Value::Pair(..) => None,
        }
    }

    /// Writes them behind their length.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        for (id, value) in &self.0 {
            body.push(*id);
            match value {
                Value::Byte(value) => body.push(*value),
                Value::Two(value) => body.extend(value.to_be_bytes()),
                Value::Four(value) => body.extend(value.to_be_bytes()),
                Value::Var(value) => super::packet::length(&mut body, *value as usize),
                Value::Text(value) => super::packet::string(&mut body, value.as_bytes()),
                Value::Binary(value) => super::packet::string(&mut body, value),
                Value::Pair(name, value) => {
                    super::packet::string(&mut body, name.as_bytes());
                    super::packet::string(&mut body, value.as_bytes());
                }
            }
        }
        super::packet::length(out, body.len());
        out.extend(body);
    }

    /// Takes them off the front of `body`. An error unless a server may send each of them in a packet of this `kind`
    /// (the upper half of the first byte), and what must be there once is there once.
    pub(super) fn take(body: &mut &[u8], kind: u8) -> Result<Self> {
        let length = take_length(body)?;
        let mut rest = body.get(..length).context("properties are longer than their packet")?;
        *body = &body[length..];
        let mut all = Properties::default();
        while !rest.is_empty() {
            let id = u8::try_from(take_length(&mut rest)?).context("an unknown property")?;
            ensure!(senders(id).contains(&kind), "property {id:#x} in a packet of kind {kind}");
            let repeats = id == USER || (id == SUBSCRIPTION && kind == 3);
            ensure!(repeats || !all.has(id), "property {id:#x} twice");
            let value = match id {
                FORMAT
                | MAXIMUM_QOS
                | RETAIN_AVAILABLE
                | WILDCARD_AVAILABLE
                | IDENTIFIERS_AVAILABLE
                | SHARED_AVAILABLE => {
                    let [value] = take(&mut rest)?;
                    ensure!(value < 2, "property {id:#x} is {value}");
                    Value::Byte(value)
                }
                SERVER_KEEP_ALIVE | RECEIVE_MAXIMUM | ALIAS_MAXIMUM | ALIAS => {
                    Value::Two(u16::from_be_bytes(take(&mut rest)?))
                }
                MESSAGE_EXPIRY | SESSION_EXPIRY | MAXIMUM_PACKET => Value::Four(u32::from_be_bytes(take(&mut rest)?)),
                SUBSCRIPTION => Value::Var(take_length(&mut rest)? as u32),
                CORRELATION | METHOD_DATA => Value::Binary(take_string(&mut rest)?.to_vec()),
                USER => Value::Pair(take_text(&mut rest)?, take_text(&mut rest)?),
                _ => Value::Text(take_text(&mut rest)?),
            };
            let zero = matches!(id, RECEIVE_MAXIMUM | ALIAS | SUBSCRIPTION | MAXIMUM_PACKET);
            all.0.push((id, value));
            ensure!(!zero || all.number(id) != Some(0), "property {id:#x} is 0");
        }
        Ok(all)
    }
}

/// Kinds of packets in which a server may send it.
fn senders(id: u8) -> &'static [u8] {
    match id {
        FORMAT | MESSAGE_EXPIRY | CONTENT_TYPE | RESPONSE_TOPIC | CORRELATION | SUBSCRIPTION | ALIAS => &[3],
        SESSION_EXPIRY
        | ASSIGNED_ID
        | SERVER_KEEP_ALIVE
        | RESPONSE_INFORMATION
        | RECEIVE_MAXIMUM
        | ALIAS_MAXIMUM
        | MAXIMUM_QOS
        | RETAIN_AVAILABLE
        | MAXIMUM_PACKET
        | WILDCARD_AVAILABLE
        | IDENTIFIERS_AVAILABLE
        | SHARED_AVAILABLE => &[2],
        METHOD | METHOD_DATA => &[2, 15],
        SERVER_REFERENCE => &[2, 14],
        REASON => &[2, 4, 5, 6, 7, 9, 11, 14, 15],
        USER => &[2, 3, 4, 5, 6, 7, 9, 11, 14, 15],
        _ => &[],
    }
}

/// A variable byte integer in its shortest form (1.5.5).
pub(super) fn take_length(body: &mut &[u8]) -> Result<usize> {
    let mut value = 0;
    for at in 0..4 {
        let [byte] = take(body)?;
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte < 0x80 {
            ensure!(at == 0 || byte > 0, "a length is not in its shortest form");
            return Ok(value);
        }
    }
    bail!("a length does not end")
}

pub(super) fn take<const N: usize>(body: &mut &[u8]) -> Result<[u8; N]> {
    let value = body.first_chunk().copied().context("a packet is too short")?;
    *body = &body[N..];
    Ok(value)
}

pub(super) fn take_string<'a>(body: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = usize::from(u16::from_be_bytes(take(body)?));
    let text = body.get(..length).context("a string is longer than its packet")?;
    *body = &body[length..];
    Ok(text)
}

pub(super) fn take_text(body: &mut &[u8]) -> Result<String> {
    let text = std::str::from_utf8(take_string(body)?).context("a text is not UTF-8")?;
    ensure!(!text.contains('\0'), "a text has U+0000 in it");
    Ok(text.to_owned())
}
