//! Exactly once, both ways (MQTT 4.3.3).

use bugbrother_broker::Limits;

use crate::kit::{Broker, Connect, packet, publish};

#[tokio::test]
async fn a_message_at_qos_2_goes_through_all_four_steps_on_both_sides() {
    let mut broker = Broker::start().await;
    for version in [4, 5] {
        let mut publisher = broker.client(version, "publisher", "free").await;
        let mut reader = broker.client(version, "reader", "free").await;
        reader.acknowledges = false;
        assert_eq!(reader.subscribe("a", 2).await, 2);
        assert_eq!(publisher.publish("a", b"x", 2).await, 0);
        let message = reader.message().await;
        assert_eq!((message.qos, &message.payload[..]), (2, &b"x"[..]));
        let id = message.id.to_be_bytes();
        // PUBREC as often as you like: always PUBREL.
        for _ in 0..2 {
            reader.send(&packet(0x50, &id)).await;
            assert_eq!(reader.answer().await, (0x62, id.to_vec()));
        }
        reader.send(&packet(0x70, &id)).await;
        reader.acknowledges = true;
        reader.hears_nothing("a").await;
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_message_that_is_sent_again_before_its_release_is_delivered_once() {
    let broker = Broker::start().await;
    for version in [4, 5] {
        let mut publisher = broker.client(version, "publisher", "free").await;
        let mut reader = broker.client(version, "reader", "free").await;
        reader.subscribe("a", 2).await;
        for (flags, payload) in [(0b100, b"1"), (0b1100, b"1")] {
            publisher.send(&publish(version, b"a", payload, flags, 7, &[])).await;
            assert_eq!(publisher.answer().await, (0x50, vec![0, 7]));
        }
        publisher.send(&packet(0x62, &[0, 7])).await;
        assert_eq!(publisher.answer().await, (0x70, vec![0, 7]));
        // Now the identifier is free for another message.
        publisher.send(&publish(version, b"a", b"2", 0b100, 7, &[])).await;
        assert_eq!(publisher.answer().await, (0x50, vec![0, 7]));
        assert_eq!(reader.message().await.payload, b"1");
        assert_eq!(reader.message().await.payload, b"2");
    }
}

#[tokio::test]
async fn steps_of_nothing_are_answered_and_harm_nobody() {
    let mut broker = Broker::start().await;
    let mut new = broker.client(5, "new", "free").await;
    new.acknowledges = false;
    for (step, answer) in [(0x62, 0x70), (0x50, 0x62)] {
        new.send(&packet(step, &[0, 9])).await;
        let (first, body) = new.answer().await;
        assert_eq!((first, &body[..3]), (answer, &[0, 9, 0x92][..]));
    }
    let mut old = broker.client(4, "old", "free").await;
    old.acknowledges = false;
    old.send(&packet(0x62, &[0, 9])).await;
    assert_eq!(old.answer().await, (0x70, vec![0, 9]));
    for client in [&mut new, &mut old] {
        client.send(&packet(0x70, &[0, 9])).await;
        client.ping().await;
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_release_that_is_sent_again_over_a_new_connection_is_completed_without_complaint() {
    let broker = Broker::start().await;
    for version in [4, 5] {
        let connect = || Connect::new(version, "publisher", "free").lasting(60);
        let (mut publisher, _) = broker.resumed(connect()).await;
        publisher.send(&publish(version, b"a", b"x", 0b100, 7, &[])).await;
        assert_eq!(publisher.answer().await, (0x50, vec![0, 7]));
        // The PUBCOMP is not taken note of.
        publisher.send(&packet(0x62, &[0, 7])).await;
        publisher.answer().await;
        drop(publisher);
        let (mut back, present) = broker.resumed(connect()).await;
        assert!(present);
        back.send(&packet(0x62, &[0, 7])).await;
        assert_eq!(back.answer().await, (0x70, vec![0, 7]));
    }
}

#[tokio::test]
async fn a_message_that_may_not_be_written_is_over_with_its_pubrec_in_5_0() {
    let broker = Broker::start().await;
    let mut reader = broker.client(4, "reader", "free").await;
    reader.subscribe("#", 2).await;
    let mut new = broker.client(5, "new", "ingest").await;
    new.send(&publish(5, b"a", b"forged", 0b100, 7, &[])).await;
    let (first, body) = new.answer().await;
    assert_eq!((first, &body[..3]), (0x50, &[0, 7, 0x87][..]));
    assert!(String::from_utf8_lossy(&body).contains("rules"), "it says why");
    new.send(&packet(0x62, &[0, 7])).await;
    assert_eq!(new.answer().await.1[2], 0x92);
    let mut old = broker.client(4, "old", "ingest").await;
    assert_eq!(old.publish("a", b"forged", 2).await, 0, "3.1.1 cannot be told");
    reader.hears_nothing("a").await;
}

#[tokio::test]
async fn who_refuses_a_message_in_pubrec_has_its_window_free_again() {
    let broker = Broker::start().await;
    let mut connect = Connect::new(5, "reader", "free");
    connect.properties = vec![0x21, 0, 1];
    let mut reader = broker.client_with(connect).await;
    reader.acknowledges = false;
    reader.subscribe("a", 2).await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    publisher.publish("a", b"1", 2).await;
    publisher.publish("a", b"2", 2).await;
    let first = reader.message().await;
    reader.ping().await;
    reader.send(&packet(0x50, &[&first.id.to_be_bytes()[..], &[0x80]].concat())).await;
    assert_eq!(reader.message().await.payload, b"2");
}

#[tokio::test]
async fn more_at_a_time_than_the_receive_maximum_end_a_5_0_session() {
    let mut broker = Broker::with(Limits { inflight: 3, ..Limits::default() }).await;
    let mut client = broker.client(5, "x", "free").await;
    for id in 1..=3 {
        client.send(&publish(5, b"a", b"x", 0b100, id, &[])).await;
        assert_eq!(client.answer().await.0, 0x50);
    }
    client.send(&publish(5, b"a", b"x", 0b100, 4, &[])).await;
    assert_eq!(client.ends().await, Some((0xE0, vec![0x93, 0])));
    broker.sings().await;
}

#[tokio::test]
async fn the_order_of_a_topic_is_kept_at_each_qos() {
    let broker = Broker::start().await;
    for qos in 0..3 {
        let mut publisher = broker.client(5, "publisher", "free").await;
        let mut reader = broker.client(4, "reader", "free").await;
        reader.subscribe("a/#", qos).await;
        for n in 0..200_u8 {
            publisher.publish("a/b", &[n], qos).await;
        }
        for n in 0..200_u8 {
            let message = reader.message().await;
            assert_eq!((message.payload, message.qos), (vec![n], qos));
        }
    }
}
