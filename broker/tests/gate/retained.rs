use std::collections::HashSet;

use bugbrother_broker::Limits;

use crate::kit::{Broker, CAR, Connect, OTHER_CAR, of};

#[tokio::test]
async fn a_new_subscriber_gets_every_retained_message_however_many() {
    const MANY: usize = 1_200;
    let mut broker = Broker::start().await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    for n in 0..MANY {
        publisher.publish_with(&format!("kept/{n}"), b"x", 0b01, &[]).await;
    }
    publisher.ping().await;
    for version in [4, 5] {
        for qos in [0, 1] {
            let mut late = broker.client(version, &format!("late-{version}-{qos}"), "free").await;
            // The SUBACK comes first.
            assert_eq!(late.subscribe("kept/#", qos).await, qos);
            let mut topics = HashSet::new();
            while topics.len() < MANY {
                let message = late.message().await;
                assert!(message.retain);
                assert!(topics.insert(message.topic), "twice");
            }
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn retained_messages_at_qos_1_wait_for_acknowledgements_too() {
    let mut broker = Broker::with(Limits { inflight: 10, ..Limits::default() }).await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for n in 0..30 {
        publisher.retain(&format!("kept/{n:02}"), b"x").await;
    }
    let mut late = broker.client(4, "late", "free").await;
    late.acknowledges = false;
    late.subscribe("kept/+", 1).await;
    let mut ids = Vec::new();
    for n in 0..10 {
        let message = late.message().await;
        assert_eq!(message.topic, format!("kept/{n:02}"));
        ids.push(message.id);
    }
    late.ping().await;
    late.acknowledges = true;
    for id in ids.into_iter().rev() {
        late.acknowledge(id).await;
    }
    for n in 10..30 {
        assert_eq!(late.message().await.topic, format!("kept/{n:02}"));
    }
    broker.sings().await;
}

#[tokio::test]
async fn a_retained_message_reaches_those_who_are_there_without_the_flag_and_an_empty_one_clears_it() {
    let mut broker = Broker::start().await;
    let mut car = broker.client(4, CAR, CAR).await;
    let mut ingest = broker.client(4, "ingest", "ingest").await;
    ingest.subscribe("fleet/v1/+/up/#", 1).await;
    car.retain(&of(CAR, "up/birth"), b"born").await;
    assert!(!ingest.message().await.retain);
    assert_eq!(ingest.subscribe("fleet/v1/+/up/birth", 1).await, 1);
    assert!(ingest.message().await.retain);
    car.retain(&of(CAR, "up/birth"), b"").await;
    assert_eq!(ingest.message().await.payload, b"");
    let mut late = broker.client(4, "late", "ingest").await;
    late.subscribe("fleet/v1/+/up/birth", 1).await;
    car.publish(&of(CAR, "up/birth"), b"not kept", 1).await;
    let message = late.message().await;
    assert_eq!((&message.payload[..], message.retain), (&b"not kept"[..], false));
    broker.sings().await;
}

#[tokio::test]
async fn a_plain_empty_message_clears_nothing() {
    let broker = Broker::start().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    publisher.retain("kept", b"x").await;
    publisher.publish("kept", b"", 1).await;
    assert_eq!(publisher.subscribe("kept", 1).await, 1);
    assert_eq!(publisher.message().await.payload, b"x");
}

#[tokio::test]
async fn a_denied_retained_message_is_not_kept() {
    let broker = Broker::start().await;
    let mut car = broker.client(4, CAR, CAR).await;
    car.retain(&of(OTHER_CAR, "up/status"), b"forged").await;
    car.retain(&of(CAR, "up/status"), b"true").await;
    let mut ingest = broker.client(4, "ingest", "ingest").await;
    ingest.subscribe("fleet/v1/+/up/#", 1).await;
    assert_eq!(ingest.message().await.payload, b"true");
}

#[tokio::test]
async fn the_retain_handling_of_5_0_is_obeyed() {
    let broker = Broker::start().await;
    let mut client = broker.client(5, "x", "free").await;
    client.retain("kept", b"old").await;
    client.subscribe("kept", 0x20 | 1).await;
    client.subscribe("kept", 0x10 | 1).await;
    client.publish("kept", b"live", 1).await;
    assert_eq!(client.message().await.payload, b"live", "neither never nor an old subscription gets the kept one");
    client.subscribe("kept", 1).await;
    assert_eq!(client.message().await.payload, b"old");
}

#[tokio::test]
async fn a_full_store_keeps_what_it_has_and_goes_on_delivering() {
    let mut broker = Broker::with(Limits { retained_messages: 2, ..Limits::default() }).await;
    let mut client = broker.client_with(Connect::new(4, "x", "free")).await;
    client.subscribe("live/+", 1).await;
    for topic in ["live/1", "live/2", "live/3"] {
        client.retain(topic, b"x").await;
        assert_eq!(client.message().await.topic, topic);
    }
    let mut late = broker.client(4, "late", "free").await;
    late.subscribe("live/+", 1).await;
    assert_eq!(late.message().await.topic, "live/1");
    assert_eq!(late.message().await.topic, "live/2");
    broker.sings().await;
}

#[tokio::test]
async fn vehicles_fill_no_more_than_their_part_and_a_service_keeps_its_own() {
    // 512 besides the share of a service. A 256th of what is left is one as soon as there is one.
    let limits = Limits { retained_messages: 612, retained_messages_per_user: 100, ..Limits::default() };
    let mut broker = Broker::with(limits).await;
    let mut car = broker.client(5, "car", CAR).await;
    let mut free = broker.client(5, "free", "free").await;
    for n in 0..50 {
        car.retain(&of(CAR, &format!("up/{n}")), b"x").await;
        free.retain(&format!("alert/{n}"), b"x").await;
    }
    car.retain(&of(CAR, "up/0"), b"a longer one").await;
    let mut late = broker.client(5, "late", "free").await;
    late.subscribe("#", 1).await;
    let mut kept = Vec::new();
    while kept.len() < 51 {
        kept.push(late.message().await);
    }
    late.publish("end", b"x", 1).await;
    assert_eq!(late.message().await.topic, "end");
    let of_car: Vec<_> = kept.iter().filter(|message| !message.topic.starts_with("alert/")).collect();
    assert_eq!(of_car.len(), 1);
    assert_eq!((&of_car[0].topic, &of_car[0].payload[..]), (&of(CAR, "up/0"), &b"a longer one"[..]));
    broker.sings().await;
}
