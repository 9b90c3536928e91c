use bugbrother_broker::Limits;

use crate::kit::{Broker, Connect};

#[tokio::test]
async fn a_topic_with_too_many_levels_is_none() {
    let mut broker = Broker::start().await;
    let deep = |levels: usize| vec!["a"; levels].join("/");
    for version in [4, 5] {
        let mut client = broker.client(version, "x", "free").await;
        let refused = if version == 5 { 0x8F } else { 0x80 };
        assert_eq!(client.subscribe(&deep(32), 1).await, 1);
        assert_eq!(client.subscribe(&deep(33), 1).await, refused);
        assert_eq!(client.subscribe(&format!("{}/#", deep(32)), 1).await, refused);
        client.publish(&deep(32), b"x", 1).await;
        assert_eq!(client.message().await.topic, deep(32));
        client.send(&crate::kit::publish(version, deep(33).as_bytes(), b"x", 0b10, 9, &[])).await;
        assert_eq!(client.ends().await, (version == 5).then(|| (0xE0, vec![0x90, 0])));
        let will = Connect::new(version, "y", "free").will(&deep(33), b"x", 0);
        let (_, connack) = broker.socket().await.offer(will).await.unwrap();
        assert_eq!(connack[1], if version == 5 { 0x90 } else { 5 });
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_payload_over_the_limit_goes_nowhere_and_the_client_stays() {
    let mut broker = Broker::with(Limits { message_bytes: 100, ..Limits::default() }).await;
    for version in [4, 5] {
        let mut client = broker.client(version, "x", "free").await;
        client.subscribe("a", 1).await;
        assert_eq!(client.publish("a", &[7; 101], 1).await, if version == 5 { 0x95 } else { 0 });
        assert_eq!(client.retain("a", &[7; 101]).await, if version == 5 { 0x95 } else { 0 });
        client.publish("a", &[7; 101], 0).await;
        assert_eq!(client.publish("a", &[7; 100], 1).await, 0);
        assert_eq!(client.message().await.payload, [7; 100]);
        let will = Connect::new(version, "y", "free").will("a", &[7; 101], 0);
        let (_, connack) = broker.socket().await.offer(will).await.unwrap();
        assert_eq!(connack[1], if version == 5 { 0x95 } else { 5 });
    }
    broker.sings().await;
}
