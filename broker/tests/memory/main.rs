//! How much memory clients can make the broker use, by what they do a thousand or a million times.
//!
//! `BUGBROTHER_MEMORY_ROUNDS=1000000` runs the full number; without it they are fewer, so that it takes seconds. The
//! bounds are the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was measured is of interest")]

#[path = "../gate/kit/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of the gate, which need more of it")]
mod kit;

use std::{env, fs, time::Duration};

use bugbrother_broker::Limits;
use tokio::sync::{Mutex, MutexGuard};

use kit::{Broker, Connect, Raw, packet, publish, string};

/// One at a time where they share a process.
static ALONE: Mutex<()> = Mutex::const_new(());

const MIB: usize = 1024 * 1024;

/// What 300 messages of the largest size in the link of a subscriber, allocator and test need besides.
const SLACK: usize = 48 * MIB;

fn rounds(usually: usize) -> usize {
    env::var("BUGBROTHER_MEMORY_ROUNDS").map_or(usually, |rounds| rounds.parse().expect("a number of rounds"))
}

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

struct Watched {
    broker: Broker,
    before: usize,
    what: &'static str,
    _alone: MutexGuard<'static, ()>,
}

impl Watched {
    async fn start(what: &'static str, limits: Limits) -> Self {
        let _alone = ALONE.lock().await;
        let broker =
            Broker::with(Limits { tokens_per_second: u32::MAX, tokens_per_second_of_services: u32::MAX, ..limits })
                .await;
        Watched { broker, before: resident_bytes(), what, _alone }
    }

    fn grown(&self) -> usize {
        resident_bytes().saturating_sub(self.before)
    }

    /// The broker still sings, and the process has grown by less than `bound`.
    async fn ends_below(mut self, bound: usize) {
        self.broker.sings().await;
        let grown = self.grown();
        println!("{}: grown by {} KiB of at most {} KiB", self.what, grown / 1024, bound / 1024);
        assert!(grown < bound, "{}: grown by {grown} bytes", self.what);
        self.broker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_listen_and_say_nothing() {
    const EACH: usize = 16 * 1024;
    let clients = rounds(2_000).min(8_000);
    let limits = Limits { connections_per_user: clients, connections: 2 * clients, ..Limits::default() };
    let watched = Watched::start("clients that listen", limits).await;
    let mut idle = Vec::new();
    for n in 0..clients {
        let connect = Connect::new([4, 5][n % 2], &format!("idle-{n}"), "free").keep_alive(0);
        let mut client = watched.broker.client_with(connect).await;
        client.subscribe(&format!("fleet/v1/{n}/down/#"), 1).await;
        idle.push(client);
    }
    println!("each takes {} bytes, its own end with it", watched.grown() / clients);
    watched.ends_below(clients * EACH + SLACK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_topics() {
    let limits = Limits::default();
    let bound = limits.log_bytes + SLACK;
    let watched = Watched::start("topics", limits).await;
    let mut reader = watched.broker.client_with(Connect::new(4, "reader", "free").keep_alive(0)).await;
    reader.subscribe("#", 0).await;
    let reading = tokio::spawn(async move { while reader.message().await.topic != "end" {} });
    let mut publisher = watched.broker.client(4, "publisher", "free").await;
    let mut many = Vec::new();
    for n in 0..rounds(50_000) {
        let topic = format!("a{}/b/{n}/{}/e", n % 3, n % 1000);
        many.extend(publish(4, topic.as_bytes(), b"x", 0, 0, &[]));
        if n % 500 == 499 {
            publisher.send(&many).await;
            publisher.ping().await;
            many.clear();
        }
    }
    publisher.publish("end", b"x", 1).await;
    reading.await.unwrap();
    watched.ends_below(bound).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_retained_topics() {
    let limits = Limits::default();
    // Each is kept with some two hundred bytes around it.
    let bound = limits.retained_bytes_per_user + limits.retained_messages_per_user * 512 + SLACK;
    let watched = Watched::start("retained topics", limits).await;
    let mut publisher = watched.broker.client(5, "publisher", "free").await;
    for n in 0..rounds(50_000) / 500 {
        let one = |n: usize| publish(5, format!("a/{n}").as_bytes(), &[7; 100], 1, 0, &[]);
        publisher.send(&(n * 500..(n + 1) * 500).flat_map(one).collect::<Vec<_>>()).await;
        publisher.ping().await;
    }
    watched.ends_below(bound).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_client_identifiers() {
    let watched = Watched::start("client identifiers", Limits::default()).await;
    for n in 0..rounds(3_000) {
        let version = [4, 5][n % 2];
        let mut client =
            watched.broker.client_with(Connect::new(version, &format!("id-{n}"), "free").will("w", b"w", 0)).await;
        if n % 4 == 0 {
            client.subscribe("a", 1).await;
        }
        client.send(&packet(0xE0, &[])).await;
    }
    watched.ends_below(SLACK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_filters() {
    // Each of the narrow logs that come to be takes some pages.
    const LOGS: usize = 64 * MIB;
    let watched = Watched::start("filters", Limits::default()).await;
    let mut client = watched.broker.client(4, "client", "free").await;
    for n in 0..rounds(20_000) / 100 {
        let (mut subscribe, mut unsubscribe) = (vec![0, 1], vec![0, 2]);
        for n in n * 100..(n + 1) * 100 {
            let filter = match n % 4 {
                0 => format!("a/b/{n}/up/#"),
                1 => format!("a/b/{n}/+"),
                2 => format!("a/+/{n}/{n}"),
                _ => format!("{n}/#"),
            };
            string(&mut subscribe, filter.as_bytes());
            subscribe.push(1);
            string(&mut unsubscribe, filter.as_bytes());
        }
        for (first, body, answer) in [(0x82, subscribe, 0x90), (0xA2, unsubscribe, 0xB0)] {
            client.send(&packet(first, &body)).await;
            assert_eq!(client.answer().await.0, answer);
        }
    }
    watched.ends_below(LOGS + SLACK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_does_not_read() {
    const PAYLOAD: usize = 20_000;
    // It stays for as long as the test takes.
    let limits = Limits { write_deadline: Duration::from_secs(3600), ..Limits::default() };
    // A log, and the queues of both.
    let bound = limits.log_bytes + 2 * limits.queue_bytes + SLACK;
    let watched = Watched::start("subscriber that does not read", limits).await;
    let mut stuck = Vec::new();
    for (version, filter) in [(4, "flood"), (5, "#")] {
        let connect = Connect::new(version, &format!("stuck-{version}"), "free").keep_alive(0);
        let mut raw = watched.broker.client_with(connect).await;
        raw.subscribe(filter, 1).await;
        stuck.push(raw);
    }
    let mut publisher = watched.broker.client(4, "publisher", "free").await;
    for n in 0..rounds(30_000) / 10 {
        publisher.publish("flood", &vec![n as u8; PAYLOAD], 1).await;
    }
    watched.ends_below(bound).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_2_that_is_never_released() {
    let watched = Watched::start("QoS 2", Limits::default()).await;
    for n in 0..rounds(2_000) / 500 {
        let version = [4, 5][n % 2];
        let mut client = watched.broker.client(version, "qos2", "free").await;
        for id in 1..=500 {
            client.send(&publish(version, b"a", &[7; 20_000], 0b100, id, &[])).await;
        }
        for id in 1..=500_u16 {
            assert_eq!(client.answer().await, (0x50, id.to_be_bytes().to_vec()));
        }
        client.vanish().await;
    }
    watched.ends_below(SLACK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_with_large_connects() {
    let watched = Watched::start("strangers", Limits::default()).await;
    let mut waiting = Vec::new();
    for n in 0..rounds(2_000) {
        let mut raw: Raw = watched.broker.socket().await;
        let connect = Connect::new(4, "x", "nobody").will("w", &[7; 12_000], 0).bytes();
        // All of it, or all but the last byte.
        raw.try_send(&connect[..connect.len() - n % 2]).await;
        waiting.push(raw);
        if waiting.len() == 400 {
            waiting.clear();
        }
    }
    watched.ends_below(SLACK).await;
}
