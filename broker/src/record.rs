//! What stands on disk, and under which key.
//!
//! | key | value |
//! |---|---|
//! | `s`, session | a session that lasts: whose, for how long, its subscriptions |
//! | `q`, session, sequence number | a message that waits for it |
//! | `f`, session, packet identifier | a delivery that is on its way, which one, and whether it is at PUBREL |
//! | `i`, session, packet identifier | a QoS 2 message that came and is not released yet |
//! | `w`, session | its will, and when that is due |
//! | `r`, topic | a retained message |
//!
//! Numbers are big-endian, so that keys sort as they count. The first byte of a value is the version of its form.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::{
    access::{Identity, Owner},
    message::{Clock, Message},
    store::Op,
    subscriber::Delivery,
    subscriptions::Subscription,
};

const FORM: u8 = 1;

/// A session as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) identity: Identity,
    pub(crate) expiry_s: u32,
    /// Since when its client is away, in milliseconds since 1970; 0 if it is connected.
    pub(crate) left_unix_ms: u64,
    /// Without groups.
    pub(crate) subscriptions: Vec<Subscription>,
}

/// Any record.
#[derive(Debug)]
pub(crate) enum Record {
    Session(u64, Kept),
    Queued(u64, Delivery),
    Flight { session: u64, id: u16, seq: u64, released: bool },
    Received(u64, u16),
    Will { session: u64, due_unix_ms: u64, message: Message },
    Retained { owner: Owner, message: Message },
}

fn key(kind: u8, session: u64, rest: &[u8]) -> Bytes {
    let mut key = BytesMut::with_capacity(9 + rest.len());
    key.put_u8(kind);
    key.put_u64(session);
    key.put_slice(rest);
    key.freeze()
}

fn put(key: Bytes, value: BytesMut) -> Op {
    Op::Put(key, value.freeze())
}

fn value(bytes: usize) -> BytesMut {
    let mut value = BytesMut::with_capacity(1 + bytes);
    value.put_u8(FORM);
    value
}

/// A delivery that waits; `None` for one that is not kept.
pub(crate) fn queued(session: u64, delivery: &Delivery, clock: Clock) -> Option<Op> {
    let seq = delivery.seq?;
    let mut value = value(16 + delivery.message.bytes() + 64);
    value.put_u8(delivery.qos | u8::from(delivery.retain) << 2);
    value.put_u32(delivery.identifiers.len() as u32);
    delivery.identifiers.iter().for_each(|identifier| value.put_u32(*identifier));
    put_message(&mut value, &delivery.message, clock);
    Some(put(key(b'q', session, &seq.to_be_bytes()), value))
}

pub(crate) fn not_queued(session: u64, seq: u64) -> Op {
    Op::Delete(key(b'q', session, &seq.to_be_bytes()))
}

/// A delivery is on its way; `seq` is 0 for one that is not in the queue any more.
pub(crate) fn flight(session: u64, id: u16, seq: u64, released: bool) -> Op {
    let mut value = value(9);
    value.put_u64(seq);
    value.put_u8(released.into());
    put(key(b'f', session, &id.to_be_bytes()), value)
}

pub(crate) fn no_flight(session: u64, id: u16) -> Op {
    Op::Delete(key(b'f', session, &id.to_be_bytes()))
}

pub(crate) fn received(session: u64, id: u16) -> Op {
    put(key(b'i', session, &id.to_be_bytes()), value(0))
}

pub(crate) fn released(session: u64, id: u16) -> Op {
    Op::Delete(key(b'i', session, &id.to_be_bytes()))
}

pub(crate) fn will(session: u64, due: Duration, message: &Message, clock: Clock) -> Op {
    let mut value = value(8 + message.bytes() + 64);
    value.put_u64(clock.to_unix_ms(due));
    // Its expiry interval is counted from its publication: as it stands.
    value.put_slice(&message.encode());
    put(key(b'w', session, &[]), value)
}

pub(crate) fn no_will(session: u64) -> Op {
    Op::Delete(key(b'w', session, &[]))
}

pub(crate) fn retained(owner: &Owner, message: &Message, clock: Clock) -> Op {
    let mut value = value(64 + message.bytes());
    put_owner(&mut value, owner);
    put_message(&mut value, message, clock);
    put(retained_key(message.topic()), value)
}

pub(crate) fn not_retained(topic: &str) -> Op {
    Op::Delete(retained_key(topic))
}

fn retained_key(topic: &str) -> Bytes {
    Bytes::from([b"r", topic.as_bytes()].concat())
}

pub(crate) fn session(number: u64, kept: &Kept) -> Op {
    let mut value = value(256);
    let identity = &kept.identity;
    put_owner(&mut value, &identity.owner);
    put_text(&mut value, identity.user.as_deref().unwrap_or_default());
    put_text(&mut value, &identity.client_id);
    value.put_u8(u8::from(identity.user.is_some()) | u8::from(identity.username_as_client_id) << 1);
    value.put_u32(kept.expiry_s);
    value.put_u64(kept.left_unix_ms);
    value.put_u32(kept.subscriptions.len() as u32);
    for own in &kept.subscriptions {
        put_text(&mut value, &own.filter);
        value.put_u8(own.qos | u8::from(own.no_local) << 2 | u8::from(own.retain_as_published) << 3);
        value.put_u32(own.identifier.unwrap_or(0));
    }
    put(key(b's', number, &[]), value)
}

/// Everything of a session goes.
pub(crate) fn no_session(number: u64) -> impl Iterator<Item = Op> {
    [b's', b'q', b'f', b'i', b'w'].into_iter().map(move |kind| Op::DeleteAll(key(kind, number, &[])))
}

/// Reads a record; `None` for what nobody of ours wrote.
pub(crate) fn read(key: &[u8], value: Bytes, clock: Clock) -> Option<Record> {
    let mut value = value;
    if value.try_get_u8().ok()? != FORM {
        return None;
    }
    let (kind, mut rest) = key.split_first()?;
    if *kind == b'r' {
        let owner = get_owner(&mut value)?;
        return Some(Record::Retained { owner, message: get_message(value, clock)? });
    }
    let session = rest.try_get_u64().ok()?;
    Some(match kind {
        b's' => Record::Session(session, get_session(&mut value)?),
        b'q' => {
            let flags = value.try_get_u8().ok()?;
            let count = value.try_get_u32().ok()?;
            let identifiers = (0..count).map(|_| value.try_get_u32().ok()).collect::<Option<Vec<_>>>()?;
            let delivery = Delivery {
                qos: (flags & 3).min(2),
                retain: flags & 4 != 0,
                identifiers,
                seq: Some(rest.try_get_u64().ok()?),
                group: None,
                message: Arc::new(get_message(value, clock)?),
            };
            Record::Queued(session, delivery)
        }
        b'f' => Record::Flight {
            session,
            id: rest.try_get_u16().ok()?,
            seq: value.try_get_u64().ok()?,
            released: value.try_get_u8().ok()? != 0,
        },
        b'i' => Record::Received(session, rest.try_get_u16().ok()?),
        b'w' => Record::Will { session, due_unix_ms: value.try_get_u64().ok()?, message: Message::decode(value)? },
        _ => return None,
    })
}

fn get_session(value: &mut Bytes) -> Option<Kept> {
    let owner = get_owner(value)?;
    let (user, client_id) = (get_text(value)?, get_text(value)?);
    let flags = value.try_get_u8().ok()?;
    let (expiry_s, left_unix_ms) = (value.try_get_u32().ok()?, value.try_get_u64().ok()?);
    let count = value.try_get_u32().ok()?;
    let mut subscriptions = Vec::new();
    for _ in 0..count {
        let filter = get_text(value)?;
        let options = value.try_get_u8().ok()?;
        subscriptions.push(Subscription {
            filter,
            qos: (options & 3).min(2),
            no_local: options & 4 != 0,
            retain_as_published: options & 8 != 0,
            identifier: Some(value.try_get_u32().ok()?).filter(|identifier| *identifier != 0),
            since: 0,
            group: None,
        });
    }
    let identity = Identity {
        user: (flags & 1 != 0).then(|| user.into()),
        owner,
        client_id,
        username_as_client_id: flags & 2 != 0,
    };
    Some(Kept { identity, expiry_s, left_unix_ms, subscriptions })
}

/// The rest of the value is the message, with its end in the world's time.
fn put_message(out: &mut BytesMut, message: &Message, clock: Clock) {
    let expires = message.expires.map(|expires| Duration::from_millis(clock.to_unix_ms(expires)));
    out.put_slice(&Message { expires, ..message.clone() }.encode());
}

fn get_message(value: Bytes, clock: Clock) -> Option<Message> {
    let message = Message::decode(value)?;
    let to_ours = |unix: Duration| clock.of_unix_ms(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX));
    Some(Message { expires: message.expires.map(to_ours), ..message })
}

fn put_owner(out: &mut BytesMut, owner: &Owner) {
    match owner {
        Owner::User(name) => {
            out.put_u8(0);
            put_text(out, name);
        }
        Owner::Address(address) => {
            out.put_u8(1);
            put_text(out, &address.to_string());
        }
        Owner::Broker => {
            out.put_u8(2);
            put_text(out, "");
        }
    }
}

fn get_owner(value: &mut Bytes) -> Option<Owner> {
    let kind = value.try_get_u8().ok()?;
    let text = get_text(value)?;
    Some(match kind {
        0 => Owner::User(text.into()),
        1 => Owner::Address(text.parse::<IpAddr>().ok()?),
        2 => Owner::Broker,
        _ => return None,
    })
}

fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}

fn get_text(value: &mut Bytes) -> Option<String> {
    let length = value.try_get_u32().ok()? as usize;
    let bytes = (length <= value.len()).then(|| value.split_to(length))?;
    String::from_utf8(bytes.into()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn back(op: Op, clock: Clock) -> Record {
        let Op::Put(key, value) = op else { panic!("not written") };
        read(&key, value, clock).expect("it is one of ours")
    }

    #[test]
    fn a_session_comes_back_as_it_was() {
        let clock = Clock::start();
        let own = Subscription {
            filter: "$share/g/a".into(),
            qos: 2,
            no_local: true,
            retain_as_published: true,
            identifier: Some(9),
            since: 0,
            group: None,
        };
        let identity = Identity {
            user: Some("u".into()),
            owner: Owner::Address(IpAddr::from([127, 0, 0, 1])),
            client_id: "x".into(),
            username_as_client_id: true,
        };
        let kept = Kept { identity: identity.clone(), expiry_s: 7, left_unix_ms: 8, subscriptions: vec![own] };
        let Record::Session(5, back) = back(session(5, &kept), clock) else { panic!("no session") };
        assert_eq!((back.identity, back.expiry_s, back.left_unix_ms), (identity, 7, 8));
        let own = &back.subscriptions[0];
        assert_eq!((own.filter.as_str(), own.qos, own.identifier), ("$share/g/a", 2, Some(9)));
        assert!(own.no_local && own.retain_as_published);
    }

    #[test]
    fn a_message_expires_at_the_same_time_of_the_world_after_a_restart() {
        let clock = Clock::start();
        let expires = clock.now() + Duration::from_secs(100);
        let message =
            Arc::new(Message { expires: Some(expires), qos: 2, ..Message::new("a", Bytes::from_static(b"x")) });
        let delivery = Delivery { message, qos: 1, retain: true, identifiers: vec![3, 4], seq: Some(6), group: None };
        let Record::Queued(5, back) = back(queued(5, &delivery, clock).unwrap(), clock) else { panic!("no delivery") };
        assert_eq!((back.qos, back.retain, back.seq, &back.identifiers[..]), (1, true, Some(6), &[3, 4][..]));
        let off = back.message.expires.unwrap().abs_diff(expires);
        assert!(off < Duration::from_millis(5) && back.message.payload == "x", "{off:?}");
    }

    #[test]
    fn the_small_ones_come_back_too() {
        let clock = Clock::start();
        assert!(matches!(
            back(flight(5, 7, 9, true), clock),
            Record::Flight { session: 5, id: 7, seq: 9, released: true }
        ));
        assert!(matches!(back(received(5, 7), clock), Record::Received(5, 7)));
        let message = Message::new("w", Bytes::new());
        let Record::Will { session: 5, message: back_message, .. } = back(will(5, clock.now(), &message, clock), clock)
        else {
            panic!("no will")
        };
        assert_eq!(back_message, message);
        let owner = Owner::User("u".into());
        let Record::Retained { owner: of, .. } = back(retained(&owner, &message, clock), clock) else {
            panic!("not retained")
        };
        assert_eq!(of, owner);
    }

    proptest! {
        #[test]
        fn other_bytes_are_no_record_and_no_panic(kind in "[sqfiwr]", key: Vec<u8>, value: Vec<u8>) {
            let value = [&[FORM][..], &value].concat();
            read(&[kind.as_bytes(), &key].concat(), value.into(), Clock::start());
        }
    }
}
