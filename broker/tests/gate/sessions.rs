//! Sessions that last longer than a connection.

use std::time::Duration;

use bugbrother_broker::Limits;
use tokio::time::{Instant, timeout};

use crate::kit::{Broker, CAR, Connect, PATIENCE, Raw, of, packet, publish};

const LONG: u32 = 1_000;

fn reader(version: u8) -> Connect {
    Connect::new(version, "reader", "free").lasting(LONG)
}

/// A session that has subscribed to `a/#` and whose client has left.
async fn left(broker: &Broker, connect: Connect, qos: u8) {
    let (mut raw, present) = broker.resumed(connect).await;
    assert!(!present);
    raw.subscribe("a/#", qos).await;
    raw.leave().await;
}

#[tokio::test]
async fn a_session_goes_on_with_its_subscriptions_and_what_was_missed() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let id = format!("reader-{version}");
        let connect = || Connect::new(version, &id, "free").lasting(LONG);
        left(&broker, connect(), 2).await;
        let mut publisher = broker.client(4, "publisher", "free").await;
        for qos in 0..3 {
            publisher.publish("a/b", &[qos], qos).await;
        }
        let (mut back, present) = broker.resumed(connect()).await;
        assert!(present);
        for qos in 1..3 {
            let message = back.message().await;
            assert_eq!((message.payload, message.qos, message.duplicate), (vec![qos], qos, false));
        }
        publisher.publish("a/b", b"live", 0).await;
        assert_eq!(back.message().await.payload, b"live");
        back.leave().await;
        // Once, and no more.
        let (mut back, present) = broker.resumed(connect()).await;
        assert!(present);
        back.hears_nothing("a").await;
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_clean_start_ends_the_session_before() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for version in [4, 5] {
        left(&broker, reader(version), 1).await;
        publisher.publish("a/b", b"lost with it", 1).await;
        let (clean, present) = broker.resumed(Connect::new(version, "reader", "free")).await;
        assert!(!present);
        clean.leave().await;
        let (mut again, present) = broker.resumed(reader(version)).await;
        assert!(!present);
        publisher.publish("a/b", b"not subscribed to", 1).await;
        again.subscribe("own", 1).await;
        again.hears_nothing("own").await;
        again.leave().await;
        broker.resumed(Connect::new(version, "reader", "free")).await.0.leave().await;
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_first_in_order_with_its_identifiers() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for version in [4, 5] {
        for qos in [1, 2] {
            let id = format!("reader-{version}-{qos}");
            let connect = || Connect::new(version, &id, "free").lasting(LONG);
            let (mut first, _) = broker.resumed(connect()).await;
            first.acknowledges = false;
            first.subscribe("a/#", qos).await;
            let mut ids = Vec::new();
            for n in 0..5 {
                publisher.publish("a/b", &[n], qos).await;
                ids.push(first.message().await.id);
            }
            first.vanish().await;
            publisher.publish("a/b", &[5], qos).await;
            let (mut again, present) = broker.resumed(connect()).await;
            assert!(present);
            for (n, id) in ids.into_iter().enumerate() {
                let message = again.message().await;
                assert_eq!((message.payload, message.id, message.duplicate), (vec![n as u8], id, true));
            }
            let message = again.message().await;
            assert_eq!((message.payload, message.duplicate), (vec![5], false));
            again.hears_nothing("a").await;
        }
    }
}

#[tokio::test]
async fn after_pubrec_only_the_release_comes_again() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    let (mut first, _) = broker.resumed(reader(5)).await;
    first.acknowledges = false;
    first.subscribe("a/#", 2).await;
    publisher.publish("a/b", b"once", 2).await;
    let id = first.message().await.id.to_be_bytes();
    first.send(&packet(0x50, &id)).await;
    assert_eq!(first.answer().await, (0x62, id.to_vec()));
    first.vanish().await;
    let (mut again, _) = broker.resumed(reader(5)).await;
    assert_eq!(again.packet().await, Some((0x62, id.to_vec())));
    again.send(&packet(0x70, &id)).await;
    again.hears_nothing("a").await;
}

#[tokio::test]
async fn a_publisher_that_comes_back_releases_what_it_had_sent() {
    let broker = Broker::start().await;
    let mut watcher = broker.client(5, "watcher", "free").await;
    watcher.subscribe("a", 2).await;
    let connect = || Connect::new(5, "publisher", "free").lasting(LONG);
    let (mut publisher, _) = broker.resumed(connect()).await;
    publisher.send(&publish(5, b"a", b"once", 0b100, 7, &[])).await;
    assert_eq!(publisher.answer().await, (0x50, vec![0, 7]));
    publisher.vanish().await;
    let (mut publisher, _) = broker.resumed(connect()).await;
    publisher.send(&publish(5, b"a", b"once", 0b1100, 7, &[])).await;
    assert_eq!(publisher.answer().await, (0x50, vec![0, 7]));
    publisher.send(&packet(0x62, &[0, 7])).await;
    assert_eq!(publisher.answer().await, (0x70, vec![0, 7]));
    assert_eq!(watcher.message().await.payload, b"once");
    watcher.hears_nothing("a").await;
}

#[tokio::test]
async fn a_smaller_window_gets_what_was_left_open_step_by_step() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    let (mut first, _) = broker.resumed(reader(5)).await;
    first.acknowledges = false;
    first.subscribe("a/#", 1).await;
    for n in 0..5 {
        publisher.publish("a", &[n], 1).await;
        first.message().await;
    }
    first.vanish().await;
    let mut connect = reader(5);
    connect.properties.extend([0x21, 0, 2]);
    let (mut again, _) = broker.resumed(connect).await;
    again.acknowledges = false;
    let ids = [again.message().await.id, again.message().await.id];
    again.ping().await;
    again.acknowledges = true;
    for id in ids {
        again.acknowledge(id).await;
    }
    for n in 2..5 {
        assert_eq!(again.message().await.payload, [n]);
    }
}

#[tokio::test]
async fn a_session_of_5_0_ends_when_its_time_is_over() {
    let broker = Broker::start().await;
    left(&broker, Connect::new(5, "reader", "free").lasting(1), 1).await;
    let gone = async {
        let mut tries = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            let (client, present) = broker.resumed(Connect::new(5, "reader", "free").lasting(1)).await;
            if !present {
                return tries;
            }
            client.leave().await;
            tries += 1;
        }
    };
    timeout(PATIENCE, gone).await.expect("it ends");
}

#[tokio::test]
async fn the_time_of_a_session_may_change_at_the_end_of_a_connection() {
    let broker = Broker::start().await;
    let (mut client, _) = broker.resumed(reader(5)).await;
    client.send(&packet(0xE0, &[0, 5, 0x11, 0, 0, 0, 0])).await;
    client.ends().await;
    let (mut client, present) = broker.resumed(reader(5)).await;
    assert!(!present, "it was to end with its connection");
    client.send(&packet(0xE0, &[0, 5, 0x11, 0xFF, 0xFF, 0xFF, 0xFF])).await;
    client.ends().await;
    let (client, present) = broker.resumed(reader(5)).await;
    assert!(present);
    client.leave().await;
    // What was to end with the connection cannot be given a longer life.
    let mut short = broker.client(5, "short", "free").await;
    short.send(&packet(0xE0, &[0, 5, 0x11, 0, 0, 0, 9])).await;
    assert_eq!(short.ends().await, Some((0xE0, vec![0x82, 0])));
}

#[tokio::test]
async fn messages_expire_while_they_wait() {
    let broker = Broker::start().await;
    left(&broker, reader(5), 1).await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    publisher.publish_with("a", b"short", 0b10, b"\x02\0\0\0\x01").await;
    publisher.publish_with("a", b"long", 0b10, b"\x02\0\0\0\x64").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let (mut back, _) = broker.resumed(reader(5)).await;
    let message = back.message().await;
    assert_eq!(message.payload, b"long");
    let left = u32::from_be_bytes(message.properties[1..5].try_into().unwrap());
    assert!(left < 100, "{left}");
}

#[tokio::test]
async fn a_full_queue_refuses_the_newest_and_says_so() {
    let limits = Limits { queue_messages: 3, ..Limits::default() };
    let broker = Broker::that_says(limits, Some(Duration::from_millis(100))).await;
    left(&broker, reader(5), 1).await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    for n in 0..5 {
        assert_eq!(publisher.publish("a", &[n], 1).await, 0);
    }
    let mut operator = broker.client(5, "operator", "operator").await;
    operator.subscribe("$SYS/broker/sessions/#", 1).await;
    let message = operator.message().await;
    assert_eq!((&message.topic[..], &message.payload[..]), ("$SYS/broker/sessions/free/reader/dropped", &b"2"[..]));
    let (mut back, _) = broker.resumed(reader(5)).await;
    for n in 0..3 {
        assert_eq!(back.message().await.payload, [n]);
    }
    back.hears_nothing("a").await;
}

#[tokio::test]
async fn one_session_too_many_of_a_user_ends_its_oldest_and_one_too_many_of_all_is_refused() {
    let limits = Limits { sessions: 3, sessions_per_user: 2, ..Limits::default() };
    let mut broker = Broker::with(limits).await;
    let lasting = |version, id: &str, user: &str| Connect::new(version, id, user).lasting(LONG);
    for id in ["1", "2", "3"] {
        broker.resumed(lasting(4, id, "free")).await.0.leave().await;
    }
    let (_two, present) = broker.resumed(lasting(4, "2", "free")).await;
    assert!(present);
    let (_other, _) = broker.resumed(lasting(5, "x", CAR)).await;
    assert_eq!(broker.socket().await.code(lasting(5, "x", "ingest")).await, Some(0x97));
    assert_eq!(broker.socket().await.code(lasting(4, "x", "ingest")).await, Some(3));
    assert_eq!(broker.socket().await.code(Connect::new(4, "x", "ingest")).await, Some(0));
    let (_one, present) = broker.resumed(lasting(4, "1", "free")).await;
    assert!(!present, "two newer ones came");
    broker.sings().await;
}

#[tokio::test]
async fn a_session_belongs_to_its_user() {
    let broker = Broker::start().await;
    left(&broker, reader(5), 1).await;
    let (_, present) = broker.resumed(Connect::new(5, "reader", CAR).lasting(LONG)).await;
    assert!(!present);
}

async fn watcher(broker: &Broker) -> Raw {
    let mut watcher = broker.client(4, "watcher", "ingest").await;
    watcher.subscribe("fleet/v1/+/up/#", 1).await;
    watcher
}

fn with_will(delay_s: u32, expiry_s: u32) -> Connect {
    let connect = Connect::new(5, CAR, CAR).will(&of(CAR, "up/status"), b"gone", 8);
    connect.will_delay(delay_s).lasting(expiry_s)
}

#[tokio::test]
async fn a_will_waits_for_its_delay_or_for_the_end_of_the_session() {
    let broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    for (delay_s, expiry_s) in [(1, LONG), (LONG, 1), (LONG, 0)] {
        let started = Instant::now();
        let (client, _) = broker.resumed(with_will(delay_s, expiry_s)).await;
        client.vanish().await;
        assert_eq!(watcher.message().await.payload, b"gone");
        assert!(expiry_s == 0 || started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
        broker.resumed(Connect::new(5, CAR, CAR)).await.0.leave().await;
    }
}

#[tokio::test]
async fn a_client_that_is_back_in_time_has_no_will_to_be_sent() {
    let broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    let (client, _) = broker.resumed(with_will(1, LONG)).await;
    client.vanish().await;
    let (mut back, present) = broker.resumed(Connect::new(5, CAR, CAR).lasting(LONG)).await;
    assert!(present);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    back.publish(&of(CAR, "up/event"), b"back", 1).await;
    assert_eq!(watcher.message().await.payload, b"back");
}

#[tokio::test]
async fn a_clean_start_ends_the_session_and_so_sends_its_will() {
    let broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    let (client, _) = broker.resumed(with_will(LONG, LONG)).await;
    client.vanish().await;
    let (mut new, _) = broker.resumed(Connect::new(5, CAR, CAR)).await;
    new.publish(&of(CAR, "up/event"), b"new", 1).await;
    assert_eq!(watcher.message().await.payload, b"gone");
    assert_eq!(watcher.message().await.payload, b"new");
}

#[tokio::test]
async fn a_session_that_is_taken_over_goes_on_in_the_new_connection() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for version in [4, 5] {
        let id = format!("reader-{version}");
        let connect = || Connect::new(version, &id, "free").lasting(LONG);
        let (mut old, _) = broker.resumed(connect()).await;
        old.acknowledges = false;
        old.subscribe("a/#", 1).await;
        publisher.publish("a", b"x", 1).await;
        old.message().await;
        let (mut new, present) = broker.resumed(connect()).await;
        assert!(present);
        assert_eq!(old.ends().await, (version == 5).then(|| (0xE0, vec![0x8E, 0])));
        let message = new.message().await;
        assert_eq!((&message.payload[..], message.duplicate), (&b"x"[..], true));
    }
}

#[tokio::test]
async fn no_local_holds_over_connections() {
    let broker = Broker::start().await;
    let (mut client, _) = broker.resumed(reader(5)).await;
    client.subscribe("a", 0x04 | 1).await;
    client.publish("a", b"own", 1).await;
    client.leave().await;
    let (mut client, _) = broker.resumed(reader(5)).await;
    client.publish("a", b"own", 1).await;
    let mut other = broker.client(4, "other", "free").await;
    other.publish("a", b"other's", 1).await;
    assert_eq!(client.message().await.payload, b"other's");
}
