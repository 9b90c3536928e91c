use std::time::Duration;

use bugbrother_broker::Limits;
use tokio::time::timeout;

use crate::kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, of, packet, publish};

#[tokio::test]
async fn a_message_goes_at_the_lower_qos_of_publisher_and_subscriber() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    let mut once = broker.client(4, "once", "free").await;
    let mut best_effort = broker.client(5, "best-effort", "free").await;
    once.subscribe("a/#", 1).await;
    best_effort.subscribe("a/#", 0).await;
    for (qos, payload) in [(0, b"0"), (1, b"1")] {
        publisher.publish("a/b", payload, qos).await;
        assert_eq!(once.message().await.qos, qos);
        assert_eq!(best_effort.message().await.qos, 0);
    }
}

#[tokio::test]
async fn properties_of_5_0_reach_5_0_and_never_3_1_1() {
    let mut broker = Broker::start().await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    let mut old = broker.client(4, "old", "free").await;
    let mut new = broker.client(5, "new", "free").await;
    old.subscribe("a", 1).await;
    new.subscribe("a", 1).await;
    let user = b"\x26\x00\x01k\x00\x01v";
    publisher.publish_with("a", b"live", 0b10, user).await;
    publisher.publish_with("a", b"kept", 0b11, user).await;
    for payload in [&b"live"[..], b"kept"] {
        assert_eq!(old.message().await.payload, payload);
        let message = new.message().await;
        assert_eq!((&message.payload[..], &message.properties[..]), (payload, &user[..]));
    }
    let mut late = broker.client(4, "late", "free").await;
    late.subscribe("a", 1).await;
    assert_eq!(late.message().await.payload, b"kept");
    broker.sings().await;
}

#[tokio::test]
async fn a_full_window_holds_back_messages_and_nothing_else() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut publisher = broker.client(version, "publisher", "free").await;
        let mut lazy = broker.client(version, "lazy", "free").await;
        lazy.acknowledges = false;
        lazy.subscribe("a", 1).await;
        for n in 0..250_u16 {
            publisher.publish("a", &n.to_be_bytes(), 1).await;
        }
        let mut ids = Vec::new();
        for n in 0..100_u16 {
            let message = lazy.message().await;
            assert_eq!(message.payload, n.to_be_bytes());
            ids.push(message.id);
        }
        lazy.ping().await;
        assert_eq!(lazy.subscribe("b", 1).await, 1);
        assert_eq!(lazy.publish("b", b"own", 1).await, 0);
        // Out of order, and twice.
        for id in ids.iter().rev().chain(&ids) {
            lazy.acknowledge(*id).await;
        }
        lazy.acknowledges = true;
        for n in 100..250_u16 {
            assert_eq!(lazy.message().await.payload, n.to_be_bytes());
        }
        assert_eq!(lazy.message().await.payload, b"own");
    }
    broker.sings().await;
}

#[tokio::test]
async fn the_receive_maximum_of_a_5_0_client_is_respected() {
    let broker = Broker::start().await;
    let mut connect = Connect::new(5, "x", "free");
    connect.properties = vec![0x21, 0, 2];
    let mut client = broker.client_with(connect).await;
    client.acknowledges = false;
    client.subscribe("a", 1).await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for payload in [b"1", b"2", b"3"] {
        publisher.publish("a", payload, 1).await;
    }
    let first = client.message().await;
    client.message().await;
    client.ping().await;
    client.acknowledge(first.id).await;
    assert_eq!(client.message().await.payload, b"3");
}

#[tokio::test]
async fn what_is_too_large_for_a_client_is_not_sent_to_it() {
    let broker = Broker::start().await;
    let mut connect = Connect::new(5, "x", "free");
    connect.properties = vec![0x27, 0, 0, 0, 64];
    let mut client = broker.client_with(connect).await;
    client.subscribe("a", 1).await;
    client.publish("a", &[0; 200], 1).await;
    client.publish("a", b"small", 1).await;
    assert_eq!(client.message().await.payload, b"small");
}

#[tokio::test]
async fn after_unsubscribing_nothing_comes_and_after_subscribing_again_it_comes_once() {
    let mut broker = Broker::start().await;
    let mut client = broker.client(4, "x", "free").await;
    for round in 0..20 {
        client.subscribe("a/b/c/d/e", 1).await;
        client.subscribe("a/b/c/d/+", 1).await;
        client.publish("a/b/c/d/e", &[round], 1).await;
        assert_eq!(client.message().await.payload, [round]);
        client.unsubscribe("a/b/c/d/+").await;
        client.unsubscribe("a/b/c/d/e").await;
        client.publish("a/b/c/d/e", b"unheard", 1).await;
    }
    client.ping().await;
    broker.sings().await;
}

#[tokio::test]
async fn a_subscriber_that_stops_reading_stalls_nobody_and_is_closed() {
    let limits = Limits {
        write_deadline: Duration::from_secs(1),
        log_bytes: 4 * 1024 * 1024,
        tokens_per_second: 1_000_000,
        tokens_per_second_of_services: 1_000_000,
        ..Limits::default()
    };
    let mut broker = Broker::with(limits).await;
    let mut stuck = broker.client_with(Connect::new(4, "stuck", "free").will("gone", b"", 0)).await;
    stuck.subscribe("flood", 0).await;
    let mut reader = broker.client(4, "reader", "free").await;
    reader.subscribe("flood", 1).await;
    reader.subscribe("gone", 0).await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    let mut payload = vec![0; 20_000];
    // However fast the machine is and however much sockets hold: until the broker has given it up.
    let flood = async {
        for n in 0_u32.. {
            payload[..4].copy_from_slice(&n.to_be_bytes());
            publisher.publish("flood", &payload, 1).await;
            let mut message = timeout(PATIENCE, reader.message()).await.unwrap();
            let gone = message.topic == "gone";
            if gone {
                message = timeout(PATIENCE, reader.message()).await.unwrap();
            }
            assert_eq!(message.payload[..4], n.to_be_bytes());
            if gone {
                break;
            }
        }
    };
    timeout(3 * PATIENCE, flood).await.expect("who does not read is closed");
    broker.sings().await;
    // All that is left for the one who did not read is what had been written to its socket.
    stuck.ends().await;
    broker.sings().await;
}

#[tokio::test]
async fn a_client_that_publishes_too_fast_is_read_more_slowly_and_loses_nothing() {
    let mut broker =
        Broker::with(Limits { tokens_per_second: 100, tokens_per_second_of_services: 100, ..Limits::default() }).await;
    let mut reader = broker.client(4, "reader", "free").await;
    reader.subscribe("a", 1).await;
    let mut fast = broker.client_with(Connect::new(4, "fast", "free").keep_alive(1)).await;
    let started = tokio::time::Instant::now();
    for n in 0..300_u16 {
        fast.publish("a", &n.to_be_bytes(), 0).await;
    }
    for n in 0..300_u16 {
        assert_eq!(reader.message().await.payload, n.to_be_bytes());
    }
    assert!(started.elapsed() > Duration::from_millis(1_500), "{:?}", started.elapsed());
    fast.ping().await;
    broker.sings().await;
}

#[tokio::test]
async fn all_connections_of_a_user_together_are_as_fast_as_one_and_slow_nobody_else() {
    let broker =
        Broker::with(Limits { tokens_per_second: 100, tokens_per_second_of_services: 100, ..Limits::default() }).await;
    let mut both = (broker.client(4, "1", CAR).await, broker.client(4, "2", CAR).await);
    let mut other = broker.client(4, "1", OTHER_CAR).await;
    let started = tokio::time::Instant::now();
    let topic = of(CAR, "up/event");
    for _ in 0..140 {
        both.0.publish(&topic, b"x", 0).await;
        both.1.publish(&topic, b"x", 0).await;
    }
    tokio::select! {
        () = both.0.ping() => panic!("the other user waits too"),
        () = other.ping() => {}
    }
    tokio::join!(both.0.ping(), both.1.ping());
    assert!(started.elapsed() > Duration::from_millis(1_500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn pings_filters_bytes_and_strange_acknowledgements_have_their_price_too() {
    let subscribe = packet(0x82, &[0, 1, 0, 1, b'a', 0]);
    let large = publish(4, b"a", &[0; 80 * 1024], 0, 0, &[]);
    for (bytes, times) in [(packet(0xC0, &[]), 280), (packet(0x40, &[0, 9]), 280), (subscribe, 14), (large, 14)] {
        let broker =
            Broker::with(Limits { tokens_per_second: 100, tokens_per_second_of_services: 100, ..Limits::default() })
                .await;
        let mut client = broker.client(4, "x", "free").await;
        let started = tokio::time::Instant::now();
        client.send(&bytes.repeat(times)).await;
        client.send(&publish(4, b"b", b"last", 0b10, 7, &[])).await;
        while client.answer().await.0 != 0x40 {}
        assert!(started.elapsed() > Duration::from_millis(1_500), "{:x} in {:?}", bytes[0], started.elapsed());
    }
}

#[tokio::test]
async fn no_local_keeps_a_client_s_own_messages_from_it() {
    let broker = Broker::start().await;
    let mut client = broker.client(5, "x", "free").await;
    let mut other = broker.client(5, "y", "free").await;
    client.subscribe("a", 0x04 | 1).await;
    client.publish("a", b"own", 1).await;
    other.publish("a", b"other's", 1).await;
    assert_eq!(client.message().await.payload, b"other's");
}
