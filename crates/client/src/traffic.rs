use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Of a TCP segment over IPv4 with time stamps: 20 + 20 + 12 bytes. Each packet is counted with a segment of its own and
/// with the empty one that acknowledges it.
const SEGMENT: u64 = 52;
/// Of a TLS 1.3 record: header 5, type 1, tag 16 (RFC 8446, 5.2).
const RECORD: u64 = 22;
/// TCP's own three segments, and four at the end.
const TCP: u64 = 7 * SEGMENT;
/// A TLS 1.3 handshake with certificates of both sides, as measured with such of 0.5 to 1.5 kB; a resumed one has a third.
const HANDSHAKE: u64 = 4_000;

/// Bytes over the network, as those who charge for them count: MQTT, TLS, TCP and IP, both ways. Headers are an
/// estimate that is rather too high: packets that share a segment are counted as if they did not.
///
/// Cloning gives another handle to the same counters.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    /// Bytes sent since the start.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Bytes received since the start.
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Both.
    pub fn total(&self) -> u64 {
        self.sent() + self.received()
    }

    pub(crate) fn connection(&self, secure: bool) {
        let half = (TCP + if secure { HANDSHAKE } else { 0 }) / 2;
        self.add(half, half);
    }

    /// MQTT packets of so many bytes in all.
    pub(crate) fn packet_sent(&self, bytes: usize, secure: bool) {
        self.add(framed(bytes, secure), SEGMENT);
    }

    pub(crate) fn packet_received(&self, bytes: usize, secure: bool) {
        self.add(SEGMENT, framed(bytes, secure));
    }

    fn add(&self, sent: u64, received: u64) {
        self.0.sent.fetch_add(sent, Ordering::Relaxed);
        self.0.received.fetch_add(received, Ordering::Relaxed);
    }
}

fn framed(bytes: usize, secure: bool) -> u64 {
    bytes as u64 + SEGMENT + if secure { RECORD } else { 0 }
}
