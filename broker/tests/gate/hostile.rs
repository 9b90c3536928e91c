//! What stops rumqttd when it faces a network by itself, and what else a stranger may try.

use bugbrother_broker::Limits;
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, TestRunner},
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::kit::{Broker, CAR, Connect, Raw, packet, publish, string};

#[tokio::test]
async fn a_topic_that_does_not_start_with_ascii_is_a_topic_like_others() {
    let mut broker = Broker::start().await;
    let mut client = broker.client(4, "x", "free").await;
    client.subscribe("#", 1).await;
    client.publish("évil", b"1", 1).await;
    assert_eq!(client.message().await.topic, "évil");
    let with_will = Connect::new(4, "y", "free").will("évil/will", b"2", 0);
    broker.client_with(with_will).await.vanish().await;
    assert_eq!(client.message().await.topic, "évil/will");
    broker.sings().await;
}

#[tokio::test]
async fn a_topic_that_is_none_ends_the_session() {
    let mut broker = Broker::start().await;
    let long = "a".repeat(600);
    for (topic, reason) in [
        (&b"a/#"[..], 0x90),
        (b"a/+/b", 0x90),
        (b"", 0x82),
        (b"a\0b", 0x90),
        (b"a\xff", 0x81),
        (b"\xed\xa0\x80", 0x81),
        (long.as_bytes(), 0x90),
    ] {
        for version in [4, 5] {
            let mut client = broker.client(version, "x", "free").await;
            client.send(&publish(version, topic, b"x", 0b10, 1, &[])).await;
            assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![reason])), "{topic:?}");
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn packets_that_a_client_may_not_send_end_the_session() {
    let mut broker = Broker::start().await;
    let malformed: [(&[u8], u8); 16] = [
        (&[0x20, 2, 0, 0], 0x82),
        (&[0x90, 3, 0, 1, 0], 0x82),
        (&[0xB0, 3, 0, 1, 0], 0x82),
        (&[0xF0, 0], 0x82),
        (&[0x00, 0], 0x82),
        (&[0xD0, 0], 0x82),
        (&[0x50, 2, 0, 1], 0x82),
        (&[0x62, 2, 0, 1], 0x82),
        (&[0x70, 2, 0, 1], 0x82),
        (&[0x36, 5, 0, 1, b'a', 0, 1], 0x81),
        (&[0x32, 5, 0, 1, b'a', 0, 0], 0x81),
        (&[0x80, 6, 0, 1, 0, 1, b'a', 0], 0x81),
        (&[0x82, 3, 0, 1, 0], 0x81),
        (&[0x82, 6, 0, 0, 0, 1, b'a', 0], 0x81),
        (&[0x30, 0x80, 0x80, 0x80, 0x80, 1], 0x81),
        (&[0x30, 0], 0x81),
    ];
    for (bytes, reason) in malformed {
        for version in [4, 5] {
            let mut client = broker.client(version, "x", "free").await;
            client.send(bytes).await;
            assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![reason])), "{bytes:x?}");
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_packet_that_is_too_large_is_not_waited_for() {
    let mut broker = Broker::with(Limits { packet_bytes: 1_000, ..Limits::default() }).await;
    for version in [4, 5] {
        let mut client = broker.client(version, "x", "free").await;
        client.subscribe("a", 1).await;
        client.publish("a", &[7; 900], 1).await;
        assert_eq!(client.message().await.payload, [7; 900]);
        client.send(&[0x30, 0xE9, 0x07]).await;
        assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![0x95])));
    }
    let mut stranger = broker.socket().await;
    stranger.send(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F]).await;
    assert_eq!(stranger.ends().await, None);
    broker.sings().await;
}

#[tokio::test]
async fn an_acknowledgement_of_nothing_is_dropped() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut client = broker.client(version, "x", "free").await;
        for id in [1, 2, 77, u16::MAX] {
            client.acknowledge(id).await;
        }
        client.subscribe("a", 1).await;
        client.publish("a", b"x", 1).await;
        let message = client.message().await;
        client.acknowledge(message.id).await;
        client.ping().await;
    }
    broker.sings().await;
}

#[tokio::test]
async fn qos_2_is_refused_in_so_many_words() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut client = broker.client(version, "x", "free").await;
        client.send(&publish(version, b"a", b"x", 0b100, 1, &[])).await;
        assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![0x9B])));
    }
    broker.sings().await;
}

#[tokio::test]
async fn topic_aliases_and_subscription_identifiers_are_refused_with_their_codes() {
    let mut broker = Broker::start().await;
    for (bytes, reason) in [
        (publish(5, b"a", b"x", 0, 0, &[0x23, 0, 1]), 0x94),
        (publish(5, b"", b"x", 0, 0, &[0x23, 0, 1]), 0x94),
        (publish(5, b"a", b"x", 0, 0, &[0x0B, 1]), 0x82),
        (packet(0x82, &[0, 1, 2, 0x0B, 1, 0, 1, b'a', 0]), 0xA1),
    ] {
        let mut client = broker.client(5, "x", "free").await;
        client.send(&bytes).await;
        assert_eq!(client.ends().await, Some((0xE0, vec![reason])));
    }
    broker.sings().await;
}

#[tokio::test]
async fn members_of_a_shared_group_that_leave_with_unacknowledged_messages_harm_nobody() {
    let mut broker = Broker::start().await;
    for _ in 0..10 {
        let mut member = broker.client(4, "member", "free").await;
        member.acknowledges = false;
        assert_eq!(member.subscribe("$share/g/a", 1).await, 0x80);
        assert_eq!(member.subscribe("a", 1).await, 1);
        member.publish("a", b"x", 1).await;
        member.message().await;
        member.vanish().await;
    }
    broker.sings().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_come_and_go_never_throw_others_out() {
    let mut broker = Broker::start().await;
    let mut steady = Vec::new();
    for n in 0..20 {
        let mut client = broker.client(4, &format!("steady-{n}"), ["free", CAR][n % 2]).await;
        client.subscribe(["churn/#", "fleet/v1/WVWZZZ1JZ3W386752/down/#"][n % 2], 1).await;
        steady.push(client);
    }
    let mut publisher = broker.client(4, "publisher", "free").await;
    for round in 0..150 {
        let mut passing = broker.client(4, &format!("passing-{}", round % 7), "ingest").await;
        passing.subscribe("fleet/v1/+/up/#", 1).await;
        publisher.publish("fleet/v1/WVWZZZ1JZ3W386752/up/x", b"x", 0).await;
        if round % 3 == 0 {
            passing.send(&packet(0xE0, &[])).await;
        }
        drop(passing);
    }
    publisher.publish("churn/end", b"end", 1).await;
    for (n, client) in steady.iter_mut().enumerate() {
        if n % 2 == 0 {
            assert_eq!(client.message().await.payload, b"end");
        }
        client.ping().await;
    }
    broker.sings().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_are_paused_and_leave_at_any_moment_harm_nobody() {
    let limits = Limits { tokens_per_second: 1_000_000, wide_log_bytes: 1024 * 1024, ..Limits::default() };
    let mut broker = Broker::with(limits).await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    let done = CancellationToken::new();
    let flood = tokio::spawn({
        let done = done.clone();
        async move {
            while !done.is_cancelled() {
                for _ in 0..100 {
                    publisher.publish("flood/x", &[0; 500], 0).await;
                }
                publisher.ping().await;
            }
        }
    });
    let address = broker.address;
    let mut churns = JoinSet::new();
    for n in 0..6_usize {
        churns.spawn(async move {
            for round in 0..60 {
                let mut reader = Raw::connect(address, Connect::new(4, &format!("reader-{n}"), "free")).await;
                reader.acknowledges = n % 2 == 0;
                reader.subscribe("flood/#", (n % 2) as u8).await;
                for _ in 0..(round * n) % 90 {
                    reader.message().await;
                }
                if round % 2 == 0 {
                    reader.unsubscribe("flood/#").await;
                }
            }
        });
    }
    while let Some(churned) = churns.join_next().await {
        churned.unwrap();
        broker.sings().await;
    }
    done.cancel();
    flood.await.unwrap();
    broker.sings().await;
    broker.stop().await;
}

/// Sessions of valid packets with some bytes changed, cut or doubled.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_mutated_sessions_leave_the_broker_alive() {
    const SESSIONS: usize = 2_000;
    let mut broker = Broker::start().await;
    let mut runner = TestRunner::new(Config::default());
    let mutation = (0..4_u8, proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>());
    let plan = (4..6_u8, proptest::bool::weighted(0.8), proptest::collection::vec(mutation, 0..4));
    for n in 0..SESSIONS {
        let (version, accepted, mutations) = plan.new_tree(&mut runner).unwrap().current();
        let connect = Connect::new(version, &format!("fuzz-{}", n % 20), "free").will("é", b"w", 0x20).bytes();
        let mut rest = Vec::new();
        let none: &[u8] = if version == 5 { &[0] } else { &[] };
        let mut subscribe = [&[0, 1], none].concat();
        string(&mut subscribe, b"a/+/#");
        subscribe.push(1);
        rest.extend(packet(0x82, &subscribe));
        rest.extend(publish(version, b"a/b", b"payload", 0b11, 2, &[0x26, 0, 1, b'k', 0, 1, b'v']));
        rest.extend(packet(0x40, &[0, 1]));
        let mut unsubscribe = [&[0, 3], none].concat();
        string(&mut unsubscribe, b"a/+/#");
        rest.extend(packet(0xA2, &unsubscribe));
        rest.extend([0xC0, 0, 0xE0, 0]);
        // Mostly the CONNECT stays whole, so that the rest is looked at.
        let mut bytes = if accepted { rest.clone() } else { [connect.clone(), rest.clone()].concat() };
        for (kind, at, byte) in mutations {
            let at = at.index(bytes.len().max(1));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..),
            }
        }
        let mut client = broker.socket().await;
        if accepted {
            client.try_send(&connect).await;
        }
        client.try_send(&bytes).await;
        client.vanish().await;
        if n % 250 == 0 {
            broker.sings().await;
        }
    }
    broker.sings().await;
    broker.stop().await;
}
