//! The broker's figures: the one source of its metrics and of `$SYS`. `METRICS.md` lists them.
//!
//! What changes with each message is an atomic number here and copied to the metrics' recorder now and then. There is one
//! set per process, as there is one recorder.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use metrics::{counter, gauge, histogram};
use tokio::time::{MissedTickBehavior, interval};

const EXPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A number under a name.
pub(crate) struct Figure {
    name: &'static str,
    value: AtomicU64,
}

impl Figure {
    const fn new(name: &'static str) -> Self {
        Figure { name, value: AtomicU64::new(0) }
    }

    pub(crate) fn get(&self) -> u64 {
        self.value.load(Relaxed)
    }

    fn add(&self, n: u64) -> u64 {
        self.value.fetch_add(n, Relaxed) + n
    }

    fn take(&self, n: u64) {
        self.value.fetch_sub(n, Relaxed);
    }

    fn set(&self, n: usize) {
        self.value.store(n as u64, Relaxed);
    }
}

pub(crate) static SOCKETS: Figure = Figure::new("bugbrother_broker_sockets_total");
pub(crate) static CONNECT_PACKETS: Figure = Figure::new("bugbrother_broker_connect_packets_total");
static CONNECTS: Figure = Figure::new("bugbrother_broker_connects_total");
pub(crate) static RECEIVED_BYTES: Figure = Figure::new("bugbrother_broker_received_bytes_total");
pub(crate) static SENT_BYTES: Figure = Figure::new("bugbrother_broker_sent_bytes_total");
pub(crate) static RECEIVED_PACKETS: Figure = Figure::new("bugbrother_broker_received_packets_total");
pub(crate) static SENT_PACKETS: Figure = Figure::new("bugbrother_broker_sent_packets_total");
pub(crate) static RECEIVED_MESSAGES: Figure = Figure::new("bugbrother_broker_received_messages_total");
pub(crate) static SENT_MESSAGES: Figure = Figure::new("bugbrother_broker_sent_messages_total");
pub(crate) static RECEIVED_PAYLOADS: Figure = Figure::new("bugbrother_broker_received_payload_bytes_total");
pub(crate) static SENT_PAYLOADS: Figure = Figure::new("bugbrother_broker_sent_payload_bytes_total");
static DENIED_PUBLISHES: Figure = Figure::new("bugbrother_broker_denied_publishes_total");
static DENIED_SUBSCRIBES: Figure = Figure::new("bugbrother_broker_denied_subscribes_total");
static UNKNOWN_ACKS: Figure = Figure::new("bugbrother_broker_unknown_acks_total");
static STORE_COMMITS: Figure = Figure::new("bugbrother_broker_store_commits_total");
static STORE_FAILURES: Figure = Figure::new("bugbrother_broker_store_failures_total");
static THROTTLED: Figure = Figure::new("bugbrother_broker_throttled_total");

pub(crate) static CONNECTIONS: Figure = Figure::new("bugbrother_broker_connections");
pub(crate) static MOST_CONNECTIONS: Figure = Figure::new("bugbrother_broker_connections_maximum");
pub(crate) static SUBSCRIPTIONS: Figure = Figure::new("bugbrother_broker_subscriptions");
pub(crate) static RETAINED_MESSAGES: Figure = Figure::new("bugbrother_broker_retained_messages");
pub(crate) static RETAINED_BYTES: Figure = Figure::new("bugbrother_broker_retained_bytes");
pub(crate) static SESSIONS: Figure = Figure::new("bugbrother_broker_sessions");
pub(crate) static QUEUED_MESSAGES: Figure = Figure::new("bugbrother_broker_queued_messages");
pub(crate) static QUEUED_BYTES: Figure = Figure::new("bugbrother_broker_queued_bytes");

static TOTALS: [&Figure; 17] = [
    &SOCKETS,
    &CONNECT_PACKETS,
    &CONNECTS,
    &RECEIVED_BYTES,
    &SENT_BYTES,
    &RECEIVED_PACKETS,
    &SENT_PACKETS,
    &RECEIVED_MESSAGES,
    &SENT_MESSAGES,
    &RECEIVED_PAYLOADS,
    &SENT_PAYLOADS,
    &DENIED_PUBLISHES,
    &DENIED_SUBSCRIBES,
    &UNKNOWN_ACKS,
    &THROTTLED,
    &STORE_COMMITS,
    &STORE_FAILURES,
];
static GAUGES: [&Figure; 8] = [
    &CONNECTIONS,
    &MOST_CONNECTIONS,
    &SUBSCRIPTIONS,
    &RETAINED_MESSAGES,
    &RETAINED_BYTES,
    &SESSIONS,
    &QUEUED_MESSAGES,
    &QUEUED_BYTES,
];

/// Why a message did not get to a subscriber, or was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// The queue of a subscriber that reads too slowly was full.
    SlowSubscriber,
    /// Older than its publisher allowed.
    Expired,
    /// The subscriber's filter covers it, and a narrower rule takes it away.
    Denied,
    /// Larger than the subscriber takes.
    TooLarge,
    /// The payload is larger than [`crate::Limits::message_bytes`].
    OverLimit,
    /// There is no place to keep it.
    RetainedFull,
    /// The queue of a session that lasts, or of all members of a shared subscription, was full.
    QueueFull,
}

static DROPPED: [(Figure, &str); 7] = {
    const fn of(reason: &'static str) -> (Figure, &'static str) {
        (Figure::new("bugbrother_broker_dropped_messages_total"), reason)
    }
    [
        of("slow_subscriber"),
        of("expired"),
        of("denied"),
        of("too_large"),
        of("over_limit"),
        of("retained_full"),
        of("queue_full"),
    ]
};

/// Messages that were dropped for any reason.
pub(crate) fn all_dropped() -> u64 {
    DROPPED.iter().map(|(figure, _)| figure.get()).sum()
}

/// Copies all figures to the metrics' recorder, again and again.
pub(crate) async fn run() -> Infallible {
    let mut ticks = interval(EXPORT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        export();
    }
}

pub(crate) fn export() {
    for total in TOTALS {
        counter!(total.name).absolute(total.get());
    }
    for figure in GAUGES {
        gauge!(figure.name).set(figure.get() as f64);
    }
    for (figure, reason) in &DROPPED {
        counter!(figure.name, "reason" => *reason).absolute(figure.get());
    }
}

pub(crate) fn accepted() {
    SOCKETS.add(1);
}

pub(crate) fn connect_packet() {
    CONNECT_PACKETS.add(1);
    packet_received();
}

pub(crate) fn refused(reason: &'static str) {
    counter!("bugbrother_broker_connects_refused_total", "reason" => reason).increment(1);
}

/// A gauge's share of one connection: given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Connected(());

impl Connected {
    pub(crate) fn new() -> Self {
        CONNECTS.add(1);
        MOST_CONNECTIONS.value.fetch_max(CONNECTIONS.add(1), Relaxed);
        Connected(())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        CONNECTIONS.take(1);
    }
}

pub(crate) fn ended(reason: &'static str) {
    counter!("bugbrother_broker_disconnects_total", "reason" => reason).increment(1);
}

pub(crate) fn received(bytes: usize) {
    RECEIVED_BYTES.add(bytes as u64);
}

pub(crate) fn sent(bytes: usize) {
    SENT_BYTES.add(bytes as u64);
}

pub(crate) fn packet_received() {
    RECEIVED_PACKETS.add(1);
}

/// One that is no PUBLISH.
pub(crate) fn packet_sent() {
    SENT_PACKETS.add(1);
}

pub(crate) fn published(payload_bytes: usize) {
    RECEIVED_MESSAGES.add(1);
    RECEIVED_PAYLOADS.add(payload_bytes as u64);
}

pub(crate) fn delivered(payload_bytes: usize) {
    SENT_PACKETS.add(1);
    SENT_MESSAGES.add(1);
    SENT_PAYLOADS.add(payload_bytes as u64);
}

pub(crate) fn publish_denied() {
    DENIED_PUBLISHES.add(1);
}

pub(crate) fn subscribe_denied() {
    DENIED_SUBSCRIBES.add(1);
}

pub(crate) fn dropped(reason: Dropped, messages: u64) {
    DROPPED[reason as usize].0.add(messages);
}

pub(crate) fn unknown_ack() {
    UNKNOWN_ACKS.add(1);
}

pub(crate) fn throttled() {
    THROTTLED.add(1);
}

pub(crate) fn subscribed() {
    SUBSCRIPTIONS.add(1);
}

pub(crate) fn unsubscribed(filters: usize) {
    SUBSCRIPTIONS.take(filters as u64);
}

pub(crate) fn retained(messages: usize, bytes: usize) {
    RETAINED_MESSAGES.set(messages);
    RETAINED_BYTES.set(bytes);
}

pub(crate) fn sessions(all: usize) {
    SESSIONS.set(all);
}

pub(crate) fn queued(messages: usize, bytes: usize) {
    QUEUED_MESSAGES.set(messages);
    QUEUED_BYTES.set(bytes);
}

/// One group of changes is on disk.
pub(crate) fn stored() {
    STORE_COMMITS.add(1);
}

pub(crate) fn store_failed() {
    STORE_FAILURES.add(1);
}

/// How long a message of the canary's took through the router.
pub(crate) fn round_trip(took: Duration) {
    histogram!("bugbrother_broker_router_round_trip_seconds").record(took);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_number() {
        let all = [
            (Dropped::SlowSubscriber, "slow_subscriber"),
            (Dropped::Expired, "expired"),
            (Dropped::Denied, "denied"),
            (Dropped::TooLarge, "too_large"),
            (Dropped::OverLimit, "over_limit"),
            (Dropped::RetainedFull, "retained_full"),
            (Dropped::QueueFull, "queue_full"),
        ];
        assert_eq!(all.map(|(reason, _)| DROPPED[reason as usize].1), all.map(|(_, label)| label));
    }

    #[test]
    fn the_list_of_metrics_names_all_there_are() {
        let list = include_str!("../METRICS.md");
        let listed: Vec<&str> =
            list.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next()).collect();
        let mut known: Vec<&str> = TOTALS.iter().chain(&GAUGES).map(|figure| figure.name).collect();
        known.push(DROPPED[0].0.name);
        // Every other name is written where it is counted.
        let source = include_str!("count.rs");
        let quoted = source.split('"').filter(|text| text.starts_with("bugbrother_broker_") && !text.ends_with('_'));
        for name in known.into_iter().chain(quoted) {
            assert!(listed.contains(&name), "{name} is not in METRICS.md");
        }
        for name in listed {
            assert!(source.contains(&format!("\"{name}\"")), "{name} is in METRICS.md only");
        }
    }
}
