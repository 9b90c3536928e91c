//! What stops rumqttd when it faces a network by itself, and what else a stranger may try: in both versions, and a
//! canary that was there before goes on through all of it.
//!
//! | what stops or misleads rumqttd 0.20 | here |
//! |---|---|
//! | a topic, or a will's, whose first character is not ASCII | `a_topic_that_does_not_start_with_ascii_…` |
//! | a client identifier with `/`, `+`, `#`, `$`, twice | `connect::an_unsafe_client_identifier_…` |
//! | a refused client that tries again when all places are taken | `connect::a_full_broker_says_so_again_and_again_…` |
//! | the last member of a shared group leaves with messages unacknowledged | `members_of_a_shared_group_…` |
//! | a wake-up after a take-over | `readers_that_are_paused_and_taken_over_…`, `will::many_take_overs_…` |
//! | a silent socket at the door for TLS or WebSocket | `tls::nobody_waits_for_the_handshake_of_somebody_else` |
//! | CONNACK, SUBACK, UNSUBACK, AUTH or type 0 from a client | `packets_that_a_client_may_not_send_…` |
//! | a 5.0 PUBLISH with properties for a 3.1.1 subscriber | `delivery::properties_of_5_0_…` |
//! | DISCONNECT while others come and go | `clients_that_come_and_go_never_throw_others_out` |
//! | a subscriber that stops reading | `delivery::a_subscriber_that_stops_reading_…`, and in `memory` |
//! | QoS 2 that is never released | `qos2::…`, and in `memory` |
//! | client identifiers, topics and filters without end | `memory` |
//! | wildcards, NUL and nothing as a topic; filters that are none | `a_topic_that_is_none_…`, `access::filters_that_are_none_…` |
//! | a full window | `delivery::a_full_window_…` |
//! | acknowledgements out of order | the same |
//! | topic aliases that are mixed up | `properties::…` |
//! | QoS 0 delivered at the subscription's QoS | `delivery::a_message_goes_at_the_lower_qos_…` |
//! | a few retained messages of many | `retained::a_new_subscriber_gets_every_…` |
//! | a plain empty message clears a retained one | `retained::a_plain_empty_message_clears_nothing` |
//! | retained messages are not sent again | `retained::the_retain_handling_of_5_0_is_obeyed` |
//! | UNSUBSCRIBE answered never, or twice | `each_unsubscribe_has_one_answer` |
//! | UNSUBSCRIBE that does not end it | `delivery::after_unsubscribing_nothing_comes_…` |
//! | the will at a take-over | `will::a_take_over_publishes_the_old_will_…` |
//! | keep alive of a busy subscriber | `a_busy_subscriber_that_says_nothing_is_gone_…` |
//! | no CONNACK for a wrong password | `connect::a_wrong_password_…` |
//! | a keep alive of 0 is refused | the kit's canary has one |
//! | WebSocket in 3.1.1 only | `websocket::packets_may_be_split_and_joined_…` |
//! | nothing stops gracefully | `stop` |

use bugbrother_broker::Limits;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, Raw, of, packet, publish, string},
    log::Log,
};

#[tokio::test]
async fn a_topic_that_does_not_start_with_ascii_is_a_topic_like_others() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut client = broker.client(version, "x", "free").await;
        client.subscribe("#", 1).await;
        client.publish("évil", b"1", 1).await;
        assert_eq!(client.message().await.topic, "évil");
        let with_will = Connect::new(version, "y", "free").will("évil/will", b"2", 0);
        broker.client_with(with_will).await.vanish().await;
        assert_eq!(client.message().await.topic, "évil/will");
    }
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
            assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![reason, 0])), "{topic:?}");
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn packets_that_a_client_may_not_send_end_the_session() {
    let mut broker = Broker::start().await;
    let malformed: [(&[u8], u8); 13] = [
        (&[0x20, 2, 0, 0], 0x82),
        (&[0x90, 3, 0, 1, 0], 0x82),
        (&[0xB0, 3, 0, 1, 0], 0x82),
        (&[0xF0, 0], 0x82),
        (&[0x00, 0], 0x82),
        (&[0xD0, 0], 0x82),
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
            assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![reason, 0])), "{bytes:x?}");
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
        assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![0x95, 0])));
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
async fn topic_aliases_and_identifiers_that_are_none_are_refused_with_their_codes() {
    let mut broker = Broker::start().await;
    for (bytes, reason) in [
        (publish(5, b"a", b"x", 0, 0, &[0x23, 0, 0]), 0x94),
        (publish(5, b"a", b"x", 0, 0, &[0x23, 0xFF, 0xFF]), 0x94),
        (publish(5, b"", b"x", 0, 0, &[0x23, 0, 1]), 0x82),
        (publish(5, b"a", b"x", 0, 0, &[0x0B, 1]), 0x82),
        (packet(0x82, &[0, 1, 2, 0x0B, 0, 0, 1, b'a', 0]), 0x82),
    ] {
        let mut client = broker.client(5, "x", "free").await;
        client.send(&bytes).await;
        assert_eq!(client.ends().await, Some((0xE0, vec![reason, 0])));
    }
    broker.sings().await;
}

#[tokio::test]
async fn members_of_a_shared_group_that_leave_with_unacknowledged_messages_harm_nobody() {
    let mut broker = Broker::start().await;
    for n in 0..10 {
        let version = [4, 5][n % 2];
        let mut member = broker.client(version, "member", "free").await;
        member.acknowledges = false;
        assert_eq!(member.subscribe("$share/g/a", 1).await, 1);
        assert_eq!(member.subscribe("a", 1).await, 1);
        member.publish("a", b"x", 1).await;
        member.message().await;
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
        let mut client = broker.client([4, 5][n / 2 % 2], &format!("steady-{n}"), ["free", CAR][n % 2]).await;
        client.subscribe(["churn/#", "fleet/v1/WVWZZZ1JZ3W386752/down/#"][n % 2], 1).await;
        steady.push(client);
    }
    let mut publisher = broker.client(4, "publisher", "free").await;
    for round in 0..150 {
        let mut passing = broker.client([4, 5][round % 2], &format!("passing-{}", round % 7), "ingest").await;
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
    let limits = Limits {
        tokens_per_second: 1_000_000,
        tokens_per_second_of_services: 1_000_000,
        log_bytes: 1024 * 1024,
        ..Limits::default()
    };
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
                let mut reader =
                    Raw::connect(address, Connect::new([4, 5][n / 2 % 2], &format!("reader-{n}"), "free")).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_are_paused_and_taken_over_harm_nobody() {
    let limits = Limits { tokens_per_second: 1_000_000, tokens_per_second_of_services: 1_000_000, ..Limits::default() };
    let mut broker = Broker::with(limits).await;
    for version in [4, 5] {
        let mut publisher = broker.client(version, "publisher", "free").await;
        let mut readers = Vec::new();
        for round in 0..20_u8 {
            // The one before reads nothing of it, and is taken over while the router waits for it.
            let mut reader = broker.client(version, "reader", "free").await;
            reader.acknowledges = false;
            reader.subscribe("flood/#", round % 2).await;
            for _ in 0..500 {
                publisher.publish("flood/x", &[round; 500], 0).await;
            }
            publisher.ping().await;
            assert_eq!(reader.message().await.payload, [round; 500]);
            readers.push(reader);
        }
        broker.sings().await;
    }
    broker.stop().await;
}

#[tokio::test]
async fn each_unsubscribe_has_one_answer() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut client = broker.client(version, "x", "free").await;
        client.subscribe("a", 1).await;
        assert_eq!(client.unsubscribe("unknown").await, if version == 5 { 0x11 } else { 0 });
        let mut body = vec![0, 9];
        if version == 5 {
            body.push(0);
        }
        string(&mut body, b"a");
        string(&mut body, b"b");
        client.send(&packet(0xA2, &body)).await;
        let answer = if version == 5 { vec![0, 9, 0, 0, 0x11] } else { vec![0, 9] };
        assert_eq!(client.answer().await, (0xB0, answer));
        client.ping().await;
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_busy_subscriber_that_says_nothing_is_gone_after_one_and_a_half_keep_alives() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut publisher = broker.client(version, "publisher", "free").await;
        let mut client = broker.client_with(Connect::new(version, "x", "free").keep_alive(1)).await;
        client.subscribe("a", 0).await;
        let flood = async {
            loop {
                publisher.publish("a", b"x", 1).await;
            }
        };
        tokio::select! {
            last = client.ends() => {
                if version == 5 {
                    assert_eq!(last, Some((0xE0, vec![0x8D, 0])));
                }
            }
            () = flood => {}
            () = tokio::time::sleep(PATIENCE) => panic!("it stays for ever"),
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_session_may_end_after_any_byte() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut bytes = Connect::new(version, "x", "free").will("w", b"w", 0).bytes();
        let mut subscribe = if version == 5 { vec![0, 1, 0] } else { vec![0, 1] };
        string(&mut subscribe, b"a/#");
        subscribe.push(1);
        bytes.extend(packet(0x82, &subscribe));
        bytes.extend(publish(version, b"a/b", b"payload", 0b11, 2, &[]));
        for end in 0..bytes.len() {
            let mut client = broker.socket().await;
            client.try_send(&bytes[..end]).await;
            client.vanish().await;
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_client_that_comes_again_and_again_to_do_wrong_is_no_flood_in_the_log() {
    let log = Log::default();
    // Of this thread, on which all of the test runs.
    let logging = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_ansi(false);
    let _logging = tracing::subscriber::set_default(logging.with_writer(log.clone()).finish());
    let mut broker = Broker::start().await;
    let started = tokio::time::Instant::now();
    let wrong = async || {
        let mut car = broker.client(5, "car", CAR).await;
        assert_eq!(car.publish(&of(OTHER_CAR, "up/event"), b"forged", 1).await, 0x87);
        assert_eq!(car.subscribe(&of(OTHER_CAR, "down/#"), 1).await, 0x87);
        // QoS 3.
        car.send(&publish(5, of(CAR, "up/event").as_bytes(), b"x", 0b110, 1, &[])).await;
        car.ends().await;
    };
    for _ in 0..100 {
        wrong().await;
    }
    let lines: Vec<_> = log.lines().into_iter().filter(|line| line.contains(CAR)).collect();
    let allowed = 5 * (started.elapsed().as_secs() as usize + 2);
    assert!((1..=allowed).contains(&lines.len()), "{} in {:?}", lines.len(), started.elapsed());
    let told = |line: &String| line.contains("unlogged=") && !line.contains("unlogged=0");
    let catching_up = async {
        while !log.lines().iter().any(told) {
            wrong().await
        }
    };
    timeout(PATIENCE, catching_up).await.expect("a later line says how many were not written");
    broker.sings().await;
}
