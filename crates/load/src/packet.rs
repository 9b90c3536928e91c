//! As little of MQTT 5.0 as a fleet needs that is to cost next to nothing.

use anyhow::{Context, Result, ensure};

/// Who connects.
pub struct Connect<'a> {
    /// MQTT client identifier.
    pub client_id: &'a str,
    /// MQTT user name.
    pub user: &'a str,
    /// MQTT password.
    pub password: &'a str,
}

/// CONNECT without a keep alive.
pub fn connect(out: &mut Vec<u8>, connect: &Connect<'_>) {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 5, 0xC2, 0, 0, 0];
    for text in [connect.client_id, connect.user, connect.password] {
        string(&mut body, text);
    }
    frame(out, 0x10, &[&body]);
}

/// SUBSCRIBE to one filter at QoS 1.
pub fn subscribe(out: &mut Vec<u8>, filter: &str) {
    let mut body = vec![0, 1, 0];
    string(&mut body, filter);
    body.push(1);
    frame(out, 0x82, &[&body]);
}

/// PUBLISH at QoS 1.
pub fn publish(out: &mut Vec<u8>, topic: &str, id: u16, payload: &[u8]) {
    let [high, low] = id.to_be_bytes();
    frame(out, 0x32, &[&(topic.len() as u16).to_be_bytes(), topic.as_bytes(), &[high, low, 0], payload]);
}

/// PUBACK.
pub fn puback(out: &mut Vec<u8>, id: u16) {
    let [high, low] = id.to_be_bytes();
    out.extend([0x40, 2, high, low]);
}

/// The first whole packet: its first byte, its body, and how long it is.
pub fn take(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (mut length, mut at) = (0, 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte < 0x80 {
            break;
        }
    }
    Some((bytes[0], bytes.get(at..at + length)?, at + length))
}

/// The payload of a PUBLISH, and the identifier that is to be acknowledged.
pub fn delivery(first: u8, body: &[u8]) -> Result<(&[u8], Option<u16>)> {
    let (length, rest) = body.split_first_chunk::<2>().context("a PUBLISH with a topic")?;
    let mut rest = rest.get(usize::from(u16::from_be_bytes(*length))..).context("a whole topic")?;
    let mut id = None;
    if first & 0b110 != 0 {
        let (bytes, after) = rest.split_first_chunk::<2>().context("a packet identifier")?;
        (id, rest) = (Some(u16::from_be_bytes(*bytes)), after);
    }
    let (properties, rest) = rest.split_first().context("properties")?;
    ensure!(*properties < 0x80, "more properties than are looked for here");
    Ok((rest.get(usize::from(*properties)..).context("whole properties")?, id))
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

fn frame(out: &mut Vec<u8>, first: u8, parts: &[&[u8]]) {
    out.push(first);
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    loop {
        let more = if length > 0x7F { 0x80 } else { 0 };
        out.push((length & 0x7F) as u8 | more);
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
}
