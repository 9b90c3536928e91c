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
    /// Topic and payload of what the broker is to say, and to keep, when the connection is lost.
    pub will: Option<(&'a str, &'a [u8])>,
}

/// CONNECT without a keep alive.
pub fn connect(out: &mut Vec<u8>, connect: &Connect<'_>) {
    // User name, password and a clean start; a will at QoS 1 that is retained.
    let flags = if connect.will.is_some() { 0xEE } else { 0xC2 };
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 5, flags, 0, 0, 0];
    string(&mut body, connect.client_id);
    if let Some((topic, payload)) = connect.will {
        body.push(0);
        string(&mut body, topic);
        body.extend((payload.len() as u16).to_be_bytes());
        body.extend(payload);
    }
    for text in [connect.user, connect.password] {
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
    say(out, 0x32, topic, id, payload);
}

/// PUBLISH at QoS 1 of what the broker is to keep.
pub fn retain(out: &mut Vec<u8>, topic: &str, id: u16, payload: &[u8]) {
    say(out, 0x33, topic, id, payload);
}

fn say(out: &mut Vec<u8>, first: u8, topic: &str, id: u16, payload: &[u8]) {
    let [high, low] = id.to_be_bytes();
    frame(out, first, &[&(topic.len() as u16).to_be_bytes(), topic.as_bytes(), &[high, low, 0], payload]);
}

/// DISCONNECT in good order: the will is not said.
pub fn disconnect(out: &mut Vec<u8>) {
    out.extend([0xE0, 0]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_will_stands_between_the_client_identifier_and_the_user_name() {
        let mut out = Vec::new();
        let who = Connect { client_id: "c", user: "u", password: "p", will: Some(("t", b"gone")) };
        connect(&mut out, &who);
        let (first, body, length) = take(&out).unwrap();
        assert_eq!((first, length), (0x10, out.len()));
        // MQTT 5.0, 3.1.2.3: user name, password, will retain, will QoS 1, will flag, clean start.
        assert_eq!(body[7], 0b1110_1110);
        assert_eq!(&body[11..], b"\x00\x01c\x00\x00\x01t\x00\x04gone\x00\x01u\x00\x01p");
        out.clear();
        connect(&mut out, &Connect { will: None, ..who });
        assert_eq!(take(&out).unwrap().1[7..], *b"\xC2\x00\x00\x00\x00\x01c\x00\x01u\x00\x01p");
    }

    #[test]
    fn what_is_retained_differs_in_one_bit() {
        let (mut kept, mut passing) = (Vec::new(), Vec::new());
        retain(&mut kept, "t", 7, b"x");
        publish(&mut passing, "t", 7, b"x");
        assert_eq!((kept[0] ^ passing[0], &kept[1..]), (1, &passing[1..]));
        assert_eq!(delivery(kept[0], take(&kept).unwrap().1).unwrap(), (&b"x"[..], Some(7)));
    }
}
