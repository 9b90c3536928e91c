use std::{collections::BTreeMap, time::Duration};

use bugbrother_broker::Limits;

use crate::kit::{Broker, CAR};

/// What Debian's Mosquitto 2.0.11 publishes, but for `heap`.
const NAMES: &str = "
bytes/received bytes/sent clients/active clients/connected clients/disconnected clients/expired clients/inactive
clients/maximum clients/total load/bytes/received/15min load/bytes/received/1min load/bytes/received/5min
load/bytes/sent/15min load/bytes/sent/1min load/bytes/sent/5min load/connections/15min load/connections/1min
load/connections/5min load/messages/received/15min load/messages/received/1min load/messages/received/5min
load/messages/sent/15min load/messages/sent/1min load/messages/sent/5min load/publish/dropped/15min
load/publish/dropped/1min load/publish/dropped/5min load/publish/received/15min load/publish/received/1min
load/publish/received/5min load/publish/sent/15min load/publish/sent/1min load/publish/sent/5min load/sockets/15min
load/sockets/1min load/sockets/5min messages/received messages/sent messages/stored publish/bytes/received
publish/bytes/sent publish/messages/dropped publish/messages/received publish/messages/sent retained_messages/count
shared_subscriptions/count store/messages/bytes store/messages/count subscriptions/count uptime version";

async fn broker() -> Broker {
    Broker::that_says(Limits::default(), Some(Duration::from_millis(100))).await
}

#[tokio::test]
async fn an_operator_reads_all_that_mosquitto_says_under_the_same_names() {
    let mut broker = broker().await;
    let mut names: Vec<String> = NAMES
        .split_whitespace()
        .map(|name| format!("$SYS/broker/{}", name.replace("retained_m", "retained m")))
        .collect();
    names.sort();
    for version in [4, 5] {
        let mut operator = broker.client(version, "operator", "operator").await;
        assert_eq!(operator.subscribe("$SYS/#", 1).await, 1);
        let mut texts = BTreeMap::new();
        while texts.len() < names.len() {
            let message = operator.message().await;
            texts.insert(message.topic, String::from_utf8(message.payload).unwrap());
        }
        assert_eq!(texts.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
        let uptime = texts["$SYS/broker/uptime"].strip_suffix(" seconds").unwrap();
        assert!(uptime.parse::<u64>().unwrap() < 60);
        assert!(texts["$SYS/broker/version"].starts_with("bugbrother version "));
        // The canary, and the operator itself.
        while texts["$SYS/broker/clients/connected"] != "2" {
            let message = operator.message().await;
            texts.insert(message.topic, String::from_utf8(message.payload).unwrap());
        }
    }
    broker.sings().await;
}

#[tokio::test]
async fn what_changes_is_said_and_kept_and_the_rest_is_not_repeated() {
    let broker = broker().await;
    let mut operator = broker.client(5, "operator", "operator").await;
    operator.subscribe("$SYS/broker/version", 1).await;
    operator.subscribe("$SYS/broker/publish/messages/received", 1).await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for _ in 0..3 {
        publisher.publish("a", b"x", 1).await;
    }
    let (mut versions, mut received) = (0, String::new());
    while received != "3" {
        let message = operator.message().await;
        match message.topic.as_str() {
            "$SYS/broker/version" => versions += 1,
            _ => received = String::from_utf8(message.payload).unwrap(),
        }
    }
    assert!(versions <= 1);
    let mut late = broker.client(4, "late", "glance").await;
    assert_eq!(late.subscribe("$SYS/broker/uptime", 0).await, 0);
    let message = late.message().await;
    assert!(message.retain && message.topic == "$SYS/broker/uptime");
}

#[tokio::test]
async fn who_was_not_granted_sys_does_not_get_it_and_nobody_writes_it() {
    let mut broker = broker().await;
    for version in [4, 5] {
        let mut all = broker.client(version, "all", "free").await;
        all.subscribe("#", 1).await;
        all.subscribe("+/broker/uptime", 1).await;
        let refused = if version == 5 { 0x87 } else { 0x80 };
        for filter in ["$SYS/#", "$SYS", "$SYS/broker/uptime", "$SYS/+/uptime"] {
            assert_eq!(all.subscribe(filter, 1).await, refused, "{filter}");
        }
        let mut glance = broker.client(version, "glance", "glance").await;
        assert_eq!(glance.subscribe("$SYS/broker/#", 0).await, refused);
        assert_eq!(glance.subscribe("$SYS/broker/uptime", 0).await, 0);
        let mut operator = broker.client(version, "operator", "operator").await;
        for topic in ["$SYS/broker/uptime", "$SYS/x", "$other"] {
            let code = operator.retain(topic, b"forged").await;
            assert_eq!(code, if version == 5 { 0x87 } else { 0 });
        }
        for _ in 0..3 {
            assert!(glance.message().await.payload.ends_with(b" seconds"));
        }
        let mut car = broker.client(version, CAR, CAR).await;
        assert_eq!(car.subscribe("$SYS/#", 0).await, refused);
        all.publish("a/b", b"the end", 1).await;
        assert_eq!(all.message().await.payload, b"the end", "nothing came before");
    }
    broker.sings().await;
}
