//! What 5.0 adds to a message on its way.

use crate::kit::{Broker, Connect, PATIENCE, publish};

/// Format, content type, response topic, correlation data, user properties that are not sorted and one of them twice.
const ALL: &[u8] = b"\x01\x01\x26\0\x01z\0\x011\x03\0\x01t\x08\0\x01r\x09\0\x01c\x26\0\x01a\0\x012\x26\0\x01z\0\x011";

#[tokio::test]
async fn all_properties_of_a_message_arrive_unchanged_and_in_order() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    let mut reader = broker.client(5, "reader", "free").await;
    let mut old = broker.client(4, "old", "free").await;
    for qos in 0..3 {
        reader.subscribe("a", qos).await;
        old.subscribe("a", qos).await;
        publisher.publish_with("a", b"x", qos << 1, ALL).await;
        assert_eq!(reader.message().await.properties, ALL);
        assert_eq!(old.message().await.payload, b"x");
    }
}

#[tokio::test]
async fn a_will_has_properties_too() {
    let broker = Broker::start().await;
    let mut reader = broker.client(5, "reader", "free").await;
    reader.subscribe("w", 2).await;
    let mut connect = Connect::new(5, "x", "free").will("w", b"gone", 16);
    connect.will_properties = [ALL, b"\x02\0\0\x01\0"].concat();
    broker.client_with(connect).await.vanish().await;
    let message = reader.message().await;
    assert_eq!((message.qos, &message.payload[..]), (2, &b"gone"[..]));
    assert_eq!(message.properties, [ALL, b"\x02\0\0\x01\0"].concat());
}

#[tokio::test]
async fn the_expiry_interval_counts_down_while_a_message_is_kept() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    publisher.publish_with("kept", b"x", 0b11, b"\x02\0\0\0\x64").await;
    publisher.publish_with("short", b"x", 0b11, b"\x02\0\0\0\x01").await;
    let looking = async {
        loop {
            let mut late = broker.client(5, "late", "free").await;
            late.subscribe("#", 1).await;
            let message = late.message().await;
            if message.topic == "short" {
                continue;
            }
            let left = u32::from_be_bytes(message.properties[1..5].try_into().unwrap());
            assert!(left <= 100, "{left}");
            if left < 99 {
                late.hears_nothing("own").await;
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it counts down, and what is too old is gone");
}

#[tokio::test]
async fn subscription_identifiers_come_with_what_they_are_for() {
    let broker = Broker::start().await;
    let mut reader = broker.client(5, "reader", "free").await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    publisher.retain("a/kept", b"kept").await;
    reader.subscribe_with("a/+", 1, b"\x0b\x07").await;
    assert_eq!(reader.message().await.properties, b"\x0b\x07");
    reader.subscribe_with("a/#", 2 | 0x20, b"\x0b\x80\x01").await;
    reader.subscribe("#", 0x20).await;
    publisher.publish("a/b", b"x", 2).await;
    let message = reader.message().await;
    assert_eq!((message.qos, &message.properties[..]), (2, &b"\x0b\x07\x0b\x80\x01"[..]));
    // Without one it replaces the one before.
    reader.subscribe("a/+", 1 | 0x20).await;
    publisher.publish("a/b", b"y", 0).await;
    let message = reader.message().await;
    assert_eq!((&message.payload[..], &message.properties[..]), (&b"y"[..], &b"\x0b\x80\x01"[..]));
    reader.hears_nothing("own").await;
}

#[tokio::test]
async fn an_alias_of_the_client_stands_for_its_topic() {
    let broker = Broker::start().await;
    let mut reader = broker.client(4, "reader", "free").await;
    reader.subscribe("#", 1).await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    for (topic, alias) in [(&b"a"[..], 1), (b"b", 2), (b"", 1), (b"", 2), (b"c", 1), (b"", 1)] {
        publisher.send(&publish(5, topic, b"x", 0, 0, &[0x23, 0, alias])).await;
    }
    for topic in ["a", "b", "a", "b", "c", "c"] {
        assert_eq!(reader.message().await.topic, topic);
    }
}

#[tokio::test]
async fn a_client_that_takes_aliases_is_sent_a_topic_once() {
    let broker = Broker::start().await;
    let mut connect = Connect::new(5, "reader", "free");
    connect.properties = vec![0x22, 0, 2];
    let mut reader = broker.client_with(connect).await;
    reader.subscribe("#", 1).await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for topic in ["a", "b", "c", "a", "b", "c"] {
        publisher.publish(topic, b"x", 1).await;
    }
    let mut heard = Vec::new();
    for _ in 0..6 {
        let message = reader.message().await;
        heard.push((message.topic, message.properties));
    }
    let with = |topic: &str, alias: u8| (topic.to_owned(), vec![0x23, 0, alias]);
    let without = |topic: &str| (topic.to_owned(), Vec::new());
    assert_eq!(heard, [with("a", 1), with("b", 2), without("c"), with("", 1), with("", 2), without("c")]);
}

#[tokio::test]
async fn the_retain_flag_stays_where_a_subscription_asks_for_it() {
    let broker = Broker::start().await;
    let mut reader = broker.client(5, "reader", "free").await;
    reader.subscribe("a", 1 | 0x08).await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    publisher.retain("a", b"x").await;
    assert!(reader.message().await.retain);
    publisher.publish("a", b"x", 1).await;
    assert!(!reader.message().await.retain);
}

#[tokio::test]
async fn reasons_are_not_explained_to_who_does_not_want_to_read_them() {
    let broker = Broker::start().await;
    for (wants, length) in [(0, 3), (1, 4)] {
        let mut connect = Connect::new(5, "x", "ingest");
        connect.properties = vec![0x17, wants];
        let mut client = broker.client_with(connect).await;
        client.send(&publish(5, b"a", b"x", 0b10, 7, &[])).await;
        let (_, body) = client.answer().await;
        assert_eq!(body[2], 0x87);
        assert!(if wants == 0 { body.len() == length } else { body.len() > length }, "{body:?}");
    }
}

#[tokio::test]
async fn what_connack_says_in_5_0_holds() {
    let broker = Broker::start().await;
    let (_, body) = broker.socket().await.offer(Connect::new(5, "x", "free")).await.unwrap();
    let has = |property: &[u8]| body[3..].windows(property.len()).any(|bytes| bytes == property);
    assert!(has(&[0x21, 0x03, 0xE8]) && has(&[0x22, 0, 32]) && has(&[0x27]), "{body:?}");
    for unsaid in [0x24, 0x25, 0x28, 0x29, 0x2A] {
        // What is there in full is not announced: at the place of a property none of these stands.
        assert!(!has(&[unsaid, 0]), "{unsaid:x}: {body:?}");
    }
    let mut method = Connect::new(5, "x", "free");
    method.properties = b"\x15\0\x01m".to_vec();
    assert_eq!(broker.socket().await.code(method).await, Some(0x8C));
    let mut data = Connect::new(5, "x", "free");
    data.properties = b"\x16\0\x01d".to_vec();
    assert_eq!(broker.socket().await.code(data).await, None);
}
