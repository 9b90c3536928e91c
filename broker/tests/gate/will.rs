use std::time::Duration;

use bugbrother_mosquitto_compat::PasswordFile;
use tokio::time::timeout;

use crate::kit::{Broker, CAR, Connect, OTHER_CAR, PATIENCE, Raw, of, packet};

fn with_will(version: u8, payload: &str) -> Connect {
    // QoS 1, retained.
    Connect::new(version, CAR, CAR).will(&of(CAR, "up/status"), payload.as_bytes(), 8 | 0x20)
}

async fn watcher(broker: &Broker) -> Raw {
    let mut watcher = broker.client(4, "watcher", "ingest").await;
    watcher.subscribe("fleet/v1/+/up/#", 1).await;
    watcher
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_its_will() {
    let mut broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    broker.client_with(with_will(4, "gone")).await.vanish().await;
    let message = watcher.message().await;
    assert_eq!((message.topic, &message.payload[..], message.qos), (of(CAR, "up/status"), &b"gone"[..], 1));
    let mut late = broker.client(4, "late", "ingest").await;
    late.subscribe("fleet/v1/+/up/#", 1).await;
    let message = late.message().await;
    assert_eq!((&message.payload[..], message.retain), (&b"gone"[..], true));
    broker.sings().await;
}

#[tokio::test]
async fn a_client_that_says_goodbye_takes_its_will_with_it() {
    let mut broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    for version in [4, 5] {
        let mut client = broker.client_with(with_will(version, "gone")).await;
        client.send(&packet(0xE0, &[])).await;
        assert_eq!(client.ends().await, None);
    }
    let mut other = broker.client(4, OTHER_CAR, OTHER_CAR).await;
    other.publish(&of(OTHER_CAR, "up/event"), b"next", 1).await;
    assert_eq!(watcher.message().await.payload, b"next");
    broker.sings().await;
}

#[tokio::test]
async fn a_5_0_client_may_ask_for_its_will_when_it_leaves() {
    let broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    let mut client = broker.client_with(with_will(5, "asked for")).await;
    client.send(&packet(0xE0, &[0x04])).await;
    assert_eq!(watcher.message().await.payload, b"asked for");
}

#[tokio::test]
async fn a_broken_protocol_and_a_missed_keep_alive_leave_the_will() {
    let broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    let mut client = broker.client_with(with_will(4, "broken")).await;
    client.send(&[0xF0, 0]).await;
    assert_eq!(watcher.message().await.payload, b"broken");
    let _client = broker.client_with(with_will(4, "asleep").keep_alive(1)).await;
    assert_eq!(watcher.message().await.payload, b"asleep");
}

#[tokio::test]
async fn whose_account_is_taken_back_has_no_will_any_more() {
    let mut broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    for version in [4, 5] {
        let mut removed = broker.client_with(with_will(version, "forged")).await;
        let mut file = PasswordFile::load(&broker.passwords).unwrap();
        file.remove(CAR);
        file.save(&broker.passwords).unwrap();
        assert_eq!(removed.ends().await, (version == 5).then(|| (0xE0, vec![0x98, 0])));
        file.set_with(CAR, "secret", 1).unwrap();
        file.save(&broker.passwords).unwrap();
        let mut other = broker.client(version, OTHER_CAR, OTHER_CAR).await;
        other.publish(&of(OTHER_CAR, "up/event"), b"next", 1).await;
        assert_eq!(watcher.message().await.payload, b"next");
        until_welcome(&broker).await;
    }
    broker.sings().await;
}

/// Waits until the broker knows CAR.
async fn until_welcome(broker: &Broker) {
    let trying = async {
        while broker.socket().await.code(Connect::new(4, "probe", CAR)).await != Some(0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, trying).await.expect("the password file is read");
}

#[tokio::test]
async fn a_take_over_publishes_the_old_will_and_keeps_the_new_one() {
    let mut broker = Broker::start().await;
    let mut watcher = watcher(&broker).await;
    for version in [4, 5] {
        let mut old = broker.client_with(with_will(version, "old")).await;
        let mut new = broker.client_with(with_will(version, "new")).await;
        let last = old.ends().await;
        assert_eq!(last, (version == 5).then(|| (0xE0, vec![0x8E, 0])));
        // The old session was over before the new one was let in: what it says now comes after the will.
        new.publish(&of(CAR, "up/status"), b"online", 1).await;
        assert_eq!(watcher.message().await.payload, b"old");
        assert_eq!(watcher.message().await.payload, b"online");
        new.vanish().await;
        assert_eq!(watcher.message().await.payload, b"new");
    }
    broker.sings().await;
}

#[tokio::test]
async fn many_take_overs_in_a_row_harm_nobody() {
    let mut broker = Broker::start().await;
    let mut steady = broker.client(4, "steady", "free").await;
    steady.subscribe("churn/#", 1).await;
    let mut last = broker.client(4, "churn", "free").await;
    for round in 0..200 {
        last.subscribe("churn/#", 1).await;
        let mut next = broker.client(4, "churn", "free").await;
        next.publish("churn/x", format!("{round}").as_bytes(), 1).await;
        assert_eq!(steady.message().await.payload, format!("{round}").as_bytes());
        last = next;
    }
    broker.sings().await;
}
