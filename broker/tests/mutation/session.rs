//! A session of valid packets, and what can be done to it.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::kit::{Connect, packet, publish, string};

/// The bytes of session `n`: always the same for a seed.
pub fn mutated(seed: u64, n: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(n));
    let mut packets = valid(&mut random);
    // Mostly the CONNECT stays whole, so that the rest is looked at.
    let first = usize::from(random.random_ratio(3, 4));
    for _ in 0..random.random_range(0..3) {
        rearrange(&mut random, &mut packets, first);
    }
    let whole = if first == 1 { packets[0].len() } else { 0 };
    let mut bytes = packets.concat();
    for _ in 0..random.random_range(0..6) {
        damage(&mut random, &mut bytes, whole);
    }
    bytes
}

/// A valid session, always the same for a number.
pub fn unchanged(n: u64) -> Vec<u8> {
    valid(&mut StdRng::seed_from_u64(n)).concat()
}

/// CONNECT and some packets of all kinds.
fn valid(random: &mut StdRng) -> Vec<Vec<u8>> {
    let version = random.random_range(4..=5);
    let mut connect = Connect::new(version, &format!("fuzz-{}", random.random_range(0..20)), "free");
    if random.random() {
        let flags = [0, 8, 0x20, 0x28][random.random_range(0..4)];
        connect = connect.will(["é", "w/x", "w/x/y/z/0"][random.random_range(0..3)], b"will", flags);
    }
    if version == 5 && random.random() {
        // Session expiry, receive maximum, maximum packet size, topic alias maximum, a user property.
        connect.properties = b"\x11\0\0\0\x0a\x21\0\x05\x27\0\0\x10\0\x22\0\x0a\x26\0\x01k\0\x01v".to_vec();
    }
    let mut packets = vec![connect.bytes()];
    for _ in 0..random.random_range(1..8) {
        packets.push(any(random, version));
    }
    if random.random() {
        packets.push(packet(0xE0, if version == 5 && random.random() { &[0x04] } else { &[] }));
    }
    packets
}

fn any(random: &mut StdRng, version: u8) -> Vec<u8> {
    let none: &[u8] = if version == 5 { &[0] } else { &[] };
    let id = random.random_range(1..4_u16).to_be_bytes();
    match random.random_range(0..8) {
        0 | 1 => {
            let mut body = [&id, none].concat();
            for _ in 0..random.random_range(1..4) {
                string(&mut body, filter(random).as_bytes());
                let options = if version == 5 { 0b0010_1101 } else { 1 };
                body.push(random.random::<u8>() & options);
            }
            packet(0x82, &body)
        }
        2 => {
            let mut body = [&id, none].concat();
            string(&mut body, filter(random).as_bytes());
            packet(0xA2, &body)
        }
        3 => packet(0x40, &id),
        4 => packet(0xC0, &[]),
        _ => {
            let topic = ["a", "a/b", "a/b/c", "a/b/c/d/e", "évil", "fleet/v1/x/up/event"][random.random_range(0..6)];
            let flags = [0, 1, 0b10, 0b11, 0b1010][random.random_range(0..5)];
            let payload = vec![b'p'; [0, 1, 20, 3_000][random.random_range(0..4)]];
            // Format, expiry, content type, response topic, correlation data, a user property.
            let properties: &[u8] = match random.random_range(0..3) {
                0 if version == 5 => {
                    b"\x01\x01\x02\0\0\0\x09\x03\0\x01t\x08\0\x03r/t\x09\0\x02\xff\0\x26\0\x01k\0\x01v"
                }
                _ => &[],
            };
            publish(version, topic.as_bytes(), &payload, flags, u16::from_be_bytes(id), properties)
        }
    }
}

fn filter(random: &mut StdRng) -> &'static str {
    const FILTERS: [&str; 12] = [
        "#",
        "a/#",
        "a/+/#",
        "+/b",
        "a/b/c/+",
        "a/b/c/d/e",
        "évil",
        "$SYS/#",
        "$share/g/a",
        "fleet/v1/+/up/#",
        "+/+/+/+",
        "w/x",
    ];
    FILTERS[random.random_range(0..FILTERS.len())]
}

/// Takes a packet out, repeats one, or swaps two; those before `first` stay.
fn rearrange(random: &mut StdRng, packets: &mut Vec<Vec<u8>>, first: usize) {
    if packets.len() <= first + 1 {
        return;
    }
    let at = random.random_range(first..packets.len());
    match random.random_range(0..4) {
        0 => drop(packets.remove(at)),
        1 => {
            let copies = vec![packets[at].clone(); random.random_range(1..20)];
            packets.splice(at..at, copies);
        }
        2 => {
            let other = random.random_range(first..packets.len());
            packets.swap(at, other);
        }
        // A second CONNECT in the middle.
        _ => packets.insert(at, packets[0].clone()),
    }
}

/// Changes some bytes behind the first `whole` ones.
fn damage(random: &mut StdRng, bytes: &mut Vec<u8>, whole: usize) {
    if bytes.len() <= whole {
        return;
    }
    let at = random.random_range(whole..bytes.len());
    match random.random_range(0..8) {
        0 | 1 => bytes[at] ^= 1 << random.random_range(0..8),
        2 => bytes[at] = random.random(),
        3 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random.random_range(0..5)],
        4 if at > 0 => bytes.truncate(at),
        5 => bytes.insert(at, random.random()),
        6 => {
            // A piece of the session at another place.
            let from = random.random_range(0..bytes.len());
            let piece = bytes[from..(from + random.random_range(1..30)).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        // A length that lies.
        _ => {
            let end = (at + random.random_range(1..5)).min(bytes.len());
            bytes[at..end].fill(random.random());
        }
    }
}
