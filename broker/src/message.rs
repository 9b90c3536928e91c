//! A published message on its way from one client to others.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::time::Instant;

/// What was published, with all that a delivery needs to know. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) name: TopicName,
    pub(crate) payload: Bytes,
    /// 0, 1 or 2.
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    /// Number of the session that published it; 0 for none.
    pub(crate) publisher: u64,
    /// Its number among all that were published; 0 before.
    pub(crate) seq: u64,
    /// MQTT 5.0 properties as they go over the wire, without the expiry interval.
    pub(crate) properties: Bytes,
    /// When nobody needs it any more, as time since the broker's start.
    pub(crate) expires: Option<Duration>,
}

/// UTF-8, shared with the buffer that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicName(Bytes);

const QOS: u8 = 0b0011;
const RETAIN: u8 = 0b0100;
const EXPIRES: u8 = 0b1000;
/// What an entry of a queue takes beside the bytes of its message.
const ENTRY_BYTES: usize = 256;

impl TopicName {
    /// `None` when it is no text.
    pub(crate) fn of(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then_some(TopicName(bytes))
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.0
    }
}

impl Message {
    pub(crate) fn new(topic: &str, payload: Bytes) -> Self {
        Message {
            name: TopicName(Bytes::copy_from_slice(topic.as_bytes())),
            payload,
            qos: 0,
            retain: false,
            publisher: 0,
            seq: 0,
            properties: Bytes::new(),
            expires: None,
        }
    }

    pub(crate) fn topic(&self) -> &str {
        std::str::from_utf8(&self.name.0).expect("made of a &str, or checked in decode")
    }

    /// What it weighs in a queue.
    pub(crate) fn weight(&self) -> usize {
        ENTRY_BYTES + self.bytes()
    }

    /// Topic, properties and payload.
    pub(crate) fn bytes(&self) -> usize {
        self.name.0.len() + self.properties.len() + self.payload.len()
    }

    /// A copy in memory of its own. To be kept for long: a slice would keep the whole buffer that it came in.
    pub(crate) fn detached(&self) -> Self {
        Message {
            name: TopicName(Bytes::copy_from_slice(&self.name.0)),
            payload: Bytes::copy_from_slice(&self.payload),
            properties: Bytes::copy_from_slice(&self.properties),
            ..self.clone()
        }
    }

    /// What is left of the expiry interval in seconds, rounded up; `Err` when it is over.
    pub(crate) fn expiry(&self, now: Duration) -> Result<Option<u32>, Expired> {
        let Some(expires) = self.expires else { return Ok(None) };
        let left = expires.checked_sub(now).filter(|left| !left.is_zero()).ok_or(Expired)?;
        Ok(Some(u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)))
    }

    /// The opaque bytes that go through the router.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_bytes());
        self.encode_to(&mut out);
        out.freeze()
    }

    /// How many there are of them.
    pub(crate) fn encoded_bytes(&self) -> usize {
        1 + 8 + 8 + if self.expires.is_some() { 8 } else { 0 } + 4 + 4 + self.bytes()
    }

    /// The same, after what is in `out` already.
    pub(crate) fn encode_to(&self, out: &mut BytesMut) {
        let flag = |set, bit| if set { bit } else { 0 };
        out.put_u8(self.qos & QOS | flag(self.retain, RETAIN) | flag(self.expires.is_some(), EXPIRES));
        out.put_u64(self.publisher);
        out.put_u64(self.seq);
        if let Some(expires) = self.expires {
            out.put_u64(u64::try_from(expires.as_millis()).unwrap_or(u64::MAX));
        }
        for part in [&self.name.0, &self.properties] {
            out.put_u32(u32::try_from(part.len()).expect("a packet is far below 4 GiB"));
            out.put_slice(part);
        }
        out.put_slice(&self.payload);
    }

    /// The opposite of [`Message::encode`]; `None` for anything else.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        let flags = bytes.try_get_u8().ok()?;
        let (publisher, seq) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
        let expires = if flags & EXPIRES == 0 { None } else { Some(Duration::from_millis(bytes.try_get_u64().ok()?)) };
        let mut part = || {
            let length = bytes.try_get_u32().ok()? as usize;
            (length <= bytes.len()).then(|| bytes.split_to(length))
        };
        let (topic, properties) = (part()?, part()?);
        std::str::from_utf8(&topic).ok()?;
        Some(Message {
            name: TopicName(topic),
            payload: bytes,
            qos: (flags & QOS).min(2),
            retain: flags & RETAIN != 0,
            publisher,
            seq,
            properties,
            expires,
        })
    }
}

/// The message is older than its publisher allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired;

/// Time since the broker's start, and what the world called that moment: on disk, times are the world's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    unix: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { started: Instant::now(), unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    pub(crate) fn now(self) -> Duration {
        self.started.elapsed()
    }

    /// Milliseconds since 1970 at a time since the start.
    pub(crate) fn to_unix_ms(self, since_start: Duration) -> u64 {
        u64::try_from((self.unix.saturating_add(since_start)).as_millis()).unwrap_or(u64::MAX)
    }

    /// The opposite; a time before the start is the start.
    pub(crate) fn of_unix_ms(self, unix_ms: u64) -> Duration {
        Duration::from_millis(unix_ms).saturating_sub(self.unix)
    }

    /// The same as a moment of the runtime's clock.
    pub(crate) fn moment(self, since_start: Duration) -> Option<Instant> {
        self.started.checked_add(since_start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_message_comes_out_of_the_router_as_it_went_in(
            topic in ".{1,40}", payload: Vec<u8>, properties: Vec<u8>, qos in 0..3u8, retain: bool, publisher: u64, seq: u64,
            expires in prop::option::of(0..u64::MAX / 2)
        ) {
            let message = Message {
                qos, retain, publisher, seq,
                properties: properties.into(),
                expires: expires.map(Duration::from_millis),
                ..Message::new(&topic, payload.into())
            };
            prop_assert_eq!(message.encode().len(), message.encoded_bytes());
            prop_assert_eq!(Message::decode(message.encode()), Some(message));
        }

        #[test]
        fn other_bytes_are_no_message_and_no_panic(bytes: Vec<u8>) {
            Message::decode(bytes.into());
        }
    }

    #[test]
    fn the_expiry_interval_shrinks_with_time_and_ends() {
        let message = Message { expires: Some(Duration::from_secs(10)), ..Message::new("t", Bytes::new()) };
        assert_eq!(message.expiry(Duration::from_secs(3)), Ok(Some(7)));
        assert_eq!(message.expiry(Duration::from_millis(9_999)), Ok(Some(1)));
        assert_eq!(message.expiry(Duration::from_secs(10)), Err(Expired));
        assert_eq!(Message::new("t", Bytes::new()).expiry(Duration::MAX), Ok(None));
    }
}
