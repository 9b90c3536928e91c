use bugbrother_broker::Limits;

use crate::kit::{Broker, CAR, Connect, OTHER_CAR, of};

#[tokio::test]
async fn publishing_under_another_vin_is_refused_and_goes_nowhere() {
    let mut broker = Broker::start().await;
    let mut ingest = broker.client(4, "ingest", "ingest").await;
    assert_eq!(ingest.subscribe("fleet/v1/+/up/#", 1).await, 1);
    let mut old = broker.client(4, "old", CAR).await;
    let mut new = broker.client(5, "new", CAR).await;
    for topic in [of(OTHER_CAR, "up/telemetry"), of(CAR, "down/command"), "elsewhere".into(), "$SYS/x".into()] {
        assert_eq!(old.publish(&topic, b"forged", 1).await, 0, "3.1.1 cannot be told");
        assert_eq!(new.publish(&topic, b"forged", 1).await, 0x87);
        new.publish(&topic, b"forged", 0).await;
    }
    new.publish(&of(CAR, "up/telemetry"), b"true", 1).await;
    assert_eq!(ingest.message().await.payload, b"true");
    broker.sings().await;
}

#[tokio::test]
async fn a_filter_that_reaches_beyond_the_rules_is_refused_alone() {
    let mut broker = Broker::start().await;
    let mut old = broker.client(4, "old", CAR).await;
    let mut new = broker.client(5, "new", CAR).await;
    for filter in ["#", "fleet/v1/+/down/#", &of(OTHER_CAR, "down/#"), &of(CAR, "up/#")] {
        assert_eq!(old.subscribe(filter, 1).await, 0x80, "{filter}");
        assert_eq!(new.subscribe(filter, 1).await, 0x87, "{filter}");
    }
    assert_eq!(old.subscribe(&of(CAR, "down/#"), 1).await, 1);
    assert_eq!(new.subscribe(&of(CAR, "down/ack"), 0).await, 0);
    broker.sings().await;
}

#[tokio::test]
async fn a_will_on_a_foreign_topic_keeps_the_client_out() {
    let mut broker = Broker::start().await;
    for (version, expected) in [(4, 5), (5, 0x87)] {
        let connect = Connect::new(version, "x", CAR).will(&of(OTHER_CAR, "up/status"), b"offline", 8);
        let (_, body) = broker.socket().await.offer(connect).await.unwrap();
        assert_eq!(body[1], expected);
    }
    for (version, expected) in [(4, None), (5, Some(0x90))] {
        let connect = Connect::new(version, "x", CAR).will(&of(CAR, "up/#"), b"offline", 8);
        assert_eq!(broker.socket().await.code(connect).await, expected);
    }
    broker.sings().await;
}

#[tokio::test]
async fn filters_that_are_none_get_their_codes() {
    let mut broker = Broker::start().await;
    let mut old = broker.client(4, "old", "free").await;
    let mut new = broker.client(5, "new", "free").await;
    let long = "a".repeat(600);
    for (filter, code) in [
        ("a/#/b", 0x8F),
        ("a#", 0x8F),
        ("", 0x8F),
        ("$SYS/#", 0x87),
        ("$other/x", 0x8F),
        (&long, 0x8F),
        ("$share/g", 0x8F),
        ("$share//a", 0x8F),
        ("$share/g+/a", 0x8F),
        ("$share/g/a#", 0x8F),
        ("$share/g/$SYS/#", 0x87),
    ] {
        assert_eq!(old.subscribe(filter, 1).await, 0x80, "{filter}");
        assert_eq!(new.subscribe(filter, 1).await, code, "{filter}");
    }
    assert_eq!(old.subscribe("a/b", 2).await, 2);
    broker.sings().await;
}

#[tokio::test]
async fn a_client_has_only_so_many_filters() {
    let mut broker = Broker::with(Limits { subscriptions: 3, ..Limits::default() }).await;
    let mut new = broker.client(5, "new", "free").await;
    for filter in ["a", "b", "c"] {
        assert_eq!(new.subscribe(filter, 1).await, 1);
    }
    assert_eq!(new.subscribe("d", 1).await, 0x97);
    assert_eq!(new.subscribe("c", 0).await, 0, "one that is there already may change");
    assert_eq!(new.unsubscribe("a").await, 0);
    assert_eq!(new.unsubscribe("a").await, 0x11);
    assert_eq!(new.subscribe("d", 1).await, 1);
    broker.sings().await;
}
