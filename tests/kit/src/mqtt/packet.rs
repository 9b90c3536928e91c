//! Packets as bytes, and those of a server read as strictly as the specification allows.

use anyhow::{Result, bail, ensure};

use super::property::{Properties, take, take_length, take_text};

/// A variable byte integer.
pub fn length(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let more = if value > 0x7F { 0x80 } else { 0 };
        out.push((value & 0x7F) as u8 | more);
        value >>= 7;
        if value == 0 {
            break;
        }
    }
}

/// Bytes behind their length in two bytes.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text);
}

/// A packet of its first byte and what follows the length.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    length(&mut out, body.len());
    out.extend(body);
    out
}

/// A will.
#[derive(Debug, Clone)]
pub struct Will {
    /// Topic name, as bytes: it need not be a text.
    pub topic: Vec<u8>,
    /// Payload.
    pub payload: Vec<u8>,
    /// QoS.
    pub qos: u8,
    /// Whether it is retained.
    pub retain: bool,
    /// Properties.
    pub properties: Properties,
}

/// What goes into a CONNECT.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Protocol name.
    pub name: Vec<u8>,
    /// 4 for 3.1.1 and 5 for 5.0.
    pub version: u8,
    /// Client identifier, as bytes: it need not be a text.
    pub client_id: Vec<u8>,
    /// Clean session, or clean start.
    pub clean: bool,
    /// Keep alive in seconds.
    pub keep_alive: u16,
    /// Will.
    pub will: Option<Will>,
    /// User name.
    pub user: Option<Vec<u8>>,
    /// Password.
    pub password: Option<Vec<u8>>,
    /// Properties.
    pub properties: Properties,
    /// Flags that are set besides those that follow from the rest.
    pub more_flags: u8,
}

impl Connect {
    /// A clean one without a name.
    pub fn new(version: u8, client_id: &str) -> Self {
        Connect {
            name: b"MQTT".to_vec(),
            version,
            client_id: client_id.into(),
            clean: true,
            keep_alive: 0,
            will: None,
            user: None,
            password: None,
            properties: Properties::new(),
            more_flags: 0,
        }
    }

    /// That resumes its session, which at 5.0 lives for so many seconds; at 3.1.1 it lives on.
    pub fn persistent(self, expiry: u32) -> Self {
        Connect { clean: false, ..self }.expiring(expiry)
    }

    /// Whose session lives for so many seconds, where the version lets it say so.
    pub fn expiring(mut self, expiry: u32) -> Self {
        if self.version == 5 {
            self.properties = self.properties.four(super::property::SESSION_EXPIRY, expiry);
        }
        self
    }

    /// With a will without properties.
    pub fn will(self, topic: &str, payload: &str, qos: u8, retain: bool) -> Self {
        self.will_with(topic, payload, qos, retain, Properties::new())
    }

    /// With a will.
    pub fn will_with(self, topic: &str, payload: &str, qos: u8, retain: bool, properties: Properties) -> Self {
        Connect { will: Some(Will { topic: topic.into(), payload: payload.into(), qos, retain, properties }), ..self }
    }

    /// With a name and a password.
    pub fn account(self, user: &str, password: &str) -> Self {
        Connect { user: Some(user.into()), password: Some(password.into()), ..self }
    }

    /// With these properties.
    pub fn with(self, properties: Properties) -> Self {
        Connect { properties, ..self }
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let mut end = Vec::new();
        string(&mut end, &self.client_id);
        let mut flags = u8::from(self.clean) << 1 | self.more_flags;
        if let Some(will) = &self.will {
            flags |= 4 | will.qos << 3 | u8::from(will.retain) << 5;
            if self.version == 5 {
                will.properties.write(&mut end);
            }
            string(&mut end, &will.topic);
            string(&mut end, &will.payload);
        }
        for (flag, text) in [(0x80, &self.user), (0x40, &self.password)] {
            if let Some(text) = text {
                flags |= flag;
                string(&mut end, text);
            }
        }
        let mut body = Vec::new();
        string(&mut body, &self.name);
        body.extend([self.version, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.version == 5 {
            self.properties.write(&mut body);
        }
        body.extend(end);
        packet(0x10, &body)
    }
}

/// PUBLISH, of either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Topic name.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// QoS.
    pub qos: u8,
    /// Whether it is sent again.
    pub dup: bool,
    /// Whether it is retained.
    pub retain: bool,
    /// 0 at QoS 0.
    pub id: u16,
    /// Properties.
    pub properties: Properties,
}

impl Publish {
    /// One that is not retained, without an identifier yet.
    pub fn new(topic: &str, payload: &str, qos: u8) -> Self {
        let (topic, payload, properties) = (topic.to_owned(), payload.into(), Properties::new());
        Publish { topic, payload, qos, dup: false, retain: false, id: 0, properties }
    }

    /// With that identifier.
    pub fn id(self, id: u16) -> Self {
        Publish { id, ..self }
    }

    /// Retained.
    pub fn retained(self) -> Self {
        Publish { retain: true, ..self }
    }

    /// With these properties.
    pub fn with(self, properties: Properties) -> Self {
        Publish { properties, ..self }
    }

    /// The payload as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// The packet.
    pub fn bytes(&self, version: u8) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.topic.len() + self.payload.len() + 8);
        string(&mut body, self.topic.as_bytes());
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        if version == 5 {
            self.properties.write(&mut body);
        }
        body.extend(&self.payload);
        packet(0x30 | u8::from(self.dup) << 3 | self.qos << 1 | u8::from(self.retain), &body)
    }
}

/// A packet of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// CONNACK.
    ConnAck {
        /// Whether there was a session.
        present: bool,
        /// Return code, or reason code.
        code: u8,
        /// Properties.
        properties: Properties,
    },
    /// PUBLISH.
    Publish(Publish),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP: kind 4 to 7.
    Ack {
        /// The upper half of the first byte.
        kind: u8,
        /// Packet identifier.
        id: u16,
        /// Reason code.
        code: u8,
        /// Properties.
        properties: Properties,
    },
    /// SUBACK or UNSUBACK: kind 9 and 11.
    Answer {
        /// The upper half of the first byte.
        kind: u8,
        /// Packet identifier.
        id: u16,
        /// A code for each filter; none for UNSUBACK of 3.1.1.
        codes: Vec<u8>,
        /// Properties.
        properties: Properties,
    },
    /// PINGRESP.
    PingResp,
    /// DISCONNECT of 5.0.
    Disconnect {
        /// Reason code.
        code: u8,
        /// Properties.
        properties: Properties,
    },
    /// AUTH.
    Auth {
        /// Reason code.
        code: u8,
        /// Properties.
        properties: Properties,
    },
}

impl Packet {
    /// Reads what follows the length; an error when a server must not send such a packet.
    pub fn read(version: u8, first: u8, mut body: &[u8]) -> Result<Self> {
        let (kind, flags, body) = (first >> 4, first & 0x0F, &mut body);
        let wanted = if kind == 6 { 2 } else { 0 };
        ensure!(kind == 3 || flags == wanted, "reserved flags of {first:#x} are set");
        let packet = match kind {
            2 => {
                let [present, code] = take(body)?;
                ensure!(present < 2, "reserved flags of CONNACK are set: {present:#x}");
                let properties = properties(version, body, kind)?;
                Packet::ConnAck { present: present == 1, code, properties }
            }
            3 => {
                let qos = flags >> 1 & 3;
                ensure!(qos < 3, "PUBLISH of QoS 3");
                let topic = take_text(body)?;
                let id = if qos > 0 { u16::from_be_bytes(take(body)?) } else { 0 };
                ensure!(qos == 0 || id > 0, "PUBLISH with packet identifier 0");
                let properties = properties(version, body, kind)?;
                let payload = std::mem::take(body).to_vec();
                Packet::Publish(Publish {
                    topic,
                    payload,
                    qos,
                    dup: flags & 8 > 0,
                    retain: flags & 1 > 0,
                    id,
                    properties,
                })
            }
            4..=7 => {
                let id = u16::from_be_bytes(take(body)?);
                let (code, properties) = ending(version, body, kind)?;
                Packet::Ack { kind, id, code, properties }
            }
            9 | 11 => {
                let id = u16::from_be_bytes(take(body)?);
                let properties = properties(version, body, kind)?;
                Packet::Answer { kind, id, codes: std::mem::take(body).to_vec(), properties }
            }
            13 => Packet::PingResp,
            14 if version == 5 => {
                let (code, properties) = ending(version, body, kind)?;
                Packet::Disconnect { code, properties }
            }
            15 if version == 5 => {
                let (code, properties) = ending(version, body, kind)?;
                Packet::Auth { code, properties }
            }
            _ => bail!("a server must not send {first:#x}"),
        };
        ensure!(body.is_empty(), "{} bytes too many in {packet:?}", body.len());
        let codes = match &packet {
            Packet::ConnAck { code, .. }
            | Packet::Ack { code, .. }
            | Packet::Disconnect { code, .. }
            | Packet::Auth { code, .. } => std::slice::from_ref(code),
            Packet::Answer { codes, .. } => codes,
            Packet::Publish(_) | Packet::PingResp => &[],
        };
        let known = known_codes(version, kind);
        ensure!(codes.iter().all(|code| known.contains(code)), "no reason code of such a packet: {packet:?}");
        Ok(packet)
    }
}

/// The codes that a server may use in a packet of that kind.
fn known_codes(version: u8, kind: u8) -> &'static [u8] {
    match (version, kind) {
        (4, 2) => &[0, 1, 2, 3, 4, 5],
        (4, 9) => &[0, 1, 2, 0x80],
        (4, _) => &[0],
        (_, 2) => &[
            0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A,
            0x9B, 0x9C, 0x9D, 0x9F,
        ],
        (_, 4 | 5) => &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        (_, 6 | 7) => &[0, 0x92],
        (_, 9) => &[0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
        (_, 11) => &[0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91],
        (_, 14) => &[
            0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
            0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ],
        _ => &[0, 0x18],
    }
}

fn properties(version: u8, body: &mut &[u8], kind: u8) -> Result<Properties> {
    if version == 5 { Properties::take(body, kind) } else { Ok(Properties::new()) }
}

/// Reason code and properties, both of which may be left out (3.4.2.1).
fn ending(version: u8, body: &mut &[u8], kind: u8) -> Result<(u8, Properties)> {
    if version < 5 || body.is_empty() {
        return Ok((0, Properties::new()));
    }
    let [code] = take(body)?;
    Ok((code, if body.is_empty() { Properties::new() } else { Properties::take(body, kind)? }))
}

/// The body of the frame at the front of `bytes`, with its first byte and where it ends; `None` when it is not all there.
pub fn frame(bytes: &[u8]) -> Result<Option<(u8, std::ops::Range<usize>)>> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    if rest.iter().take(4).all(|byte| *byte >= 0x80) && rest.len() < 4 {
        return Ok(None);
    }
    let mut after = rest;
    let size = take_length(&mut after)?;
    let start = bytes.len() - after.len();
    Ok((after.len() >= size).then_some((first, start..start + size)))
}
