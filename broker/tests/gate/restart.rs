//! What outlives the broker. That it does so also when the broker is killed is in `tests/crash`.

use std::{fs, time::Duration};

use bugbrother_broker::Limits;
use bugbrother_kit::{volume::Volume, wait};

use crate::kit::{Broker, CAR, Connect, of, packet, publish};

const LONG: u32 = 1_000;

fn reader(version: u8) -> Connect {
    Connect::new(version, &format!("reader-{version}"), "free").lasting(LONG)
}

#[tokio::test]
async fn sessions_go_on_after_a_restart_with_all_that_waits_in_them() {
    let broker = Broker::that_keeps(Limits::default()).await;
    let mut ids = Vec::new();
    for version in [4, 5] {
        let (mut client, _) = broker.resumed(reader(version)).await;
        client.acknowledges = false;
        client.subscribe("a/#", 2).await;
        client.subscribe("$share/g/s/#", 1).await;
        client.publish("a/1", b"open", 1).await;
        client.publish("a/2", b"open", 2).await;
        ids.push([client.message().await.id, client.message().await.id]);
        client.vanish().await;
        let mut publisher = broker.client(4, "publisher", "free").await;
        publisher.publish("a/3", b"missed", 1).await;
        publisher.publish("s/4", b"shared", 1).await;
        publisher.leave().await;
    }
    let broker = broker.restarted(Limits::default()).await;
    for (version, ids) in [4, 5].into_iter().zip(ids) {
        let (mut client, present) = broker.resumed(reader(version)).await;
        assert!(present);
        for (n, id) in ids.into_iter().enumerate() {
            let message = client.message().await;
            assert_eq!((message.topic, message.id, message.duplicate), (format!("a/{}", n + 1), id, true));
        }
        let mut topics = Vec::new();
        // The first reader was away when the second one published.
        let missed = if version == 4 { 5 } else { 1 };
        while topics.len() < missed {
            topics.push(client.message().await.topic);
        }
        assert!(topics.contains(&"a/3".to_owned()), "{topics:?}");
        client.publish("a/5", b"live", 1).await;
        loop {
            let message = client.message().await;
            if message.topic == "a/5" {
                break;
            }
            assert_eq!(message.topic, "s/4");
        }
        client.leave().await;
    }
    broker.stop().await;
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_promised_and_with_room_again_everything_is_kept() {
    let volume = Volume::mount(32).await.unwrap();
    let mut broker = Broker::that_keeps_in(volume.path(), Limits::default()).await;
    let mut client = broker.client(4, "x", "free").await;
    assert_eq!(client.retain("before", b"x").await, 0);
    // Two outages: the file is opened anew after each.
    for topic in ["first", "second"] {
        volume.fill().unwrap();
        client.send(&publish(4, topic.as_bytes(), &[b'x'; 200_000], 0b11, 9, &[])).await;
        // What is not to be kept goes on meanwhile, and no PUBACK is between.
        client.ping().await;
        broker.sings().await;
        client.ping().await;
        let told = wait::until("it says so", Duration::from_secs(30), || std::future::ready(broker.health.trouble()));
        let trouble = told.await.unwrap();
        assert!(trouble.contains("No space left"), "{trouble}");
        volume.free().unwrap();
        assert_eq!(client.answer().await, (0x40, vec![0, 9]), "{topic}");
        assert_eq!(broker.health.trouble(), None);
    }
    let broker = broker.restarted(Limits::default()).await;
    let mut late = broker.client(4, "late", "free").await;
    late.subscribe("#", 1).await;
    for topic in ["before", "first", "second"] {
        assert_eq!(late.message().await.topic, topic);
    }
    // Nor does it wait for room when it is to end.
    volume.fill().unwrap();
    late.send(&publish(4, b"third", &[b'x'; 200_000], 0b11, 9, &[])).await;
    late.ping().await;
    broker.stop().await;
}

#[tokio::test]
async fn retained_messages_are_there_after_a_restart_and_cleared_ones_are_not() {
    let broker = Broker::that_keeps(Limits::default()).await;
    let mut client = broker.client(5, "x", "free").await;
    for topic in ["a", "b", "c"] {
        client.retain(topic, b"x").await;
    }
    client.publish_with("a", b"with properties", 0b101, b"\x26\0\x01k\0\x01v").await;
    client.retain("b", b"").await;
    client.publish_with("short", b"x", 0b11, b"\x02\0\0\0\x01").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let broker = broker.restarted(Limits::default()).await;
    let mut late = broker.client(5, "late", "free").await;
    late.subscribe("#", 2).await;
    let message = late.message().await;
    assert_eq!((&message.topic[..], &message.payload[..], message.qos), ("a", &b"with properties"[..], 2));
    assert_eq!((message.retain, &message.properties[..]), (true, &b"\x26\0\x01k\0\x01v"[..]));
    assert_eq!(late.message().await.topic, "c");
    late.hears_nothing("d").await;
    broker.stop().await;
}

#[tokio::test]
async fn a_step_of_qos_2_that_was_done_is_not_done_again() {
    let broker = Broker::that_keeps(Limits::default()).await;
    let (mut client, _) = broker.resumed(reader(5)).await;
    client.acknowledges = false;
    client.subscribe("a", 2).await;
    client.send(&publish(5, b"a", b"once", 0b100, 7, &[])).await;
    assert_eq!(client.answer().await, (0x50, vec![0, 7]));
    let id = client.message().await.id.to_be_bytes();
    client.send(&packet(0x50, &id)).await;
    assert_eq!(client.answer().await, (0x62, id.to_vec()));
    client.vanish().await;
    let broker = broker.restarted(Limits::default()).await;
    let (mut client, present) = broker.resumed(reader(5)).await;
    assert!(present);
    client.acknowledges = false;
    assert_eq!(client.packet().await, Some((0x62, id.to_vec())));
    client.send(&packet(0x70, &id)).await;
    client.send(&publish(5, b"a", b"once", 0b1100, 7, &[])).await;
    assert_eq!(client.answer().await, (0x50, vec![0, 7]));
    client.send(&packet(0x62, &[0, 7])).await;
    assert_eq!(client.answer().await, (0x70, vec![0, 7]));
    client.hears_nothing("a").await;
    broker.stop().await;
}

#[tokio::test]
async fn a_will_that_waits_is_sent_after_a_restart() {
    let broker = Broker::that_keeps(Limits::default()).await;
    let will = Connect::new(5, CAR, CAR).will(&of(CAR, "up/status"), b"gone", 8 | 0x20);
    let (mut client, _) = broker.resumed(will.will_delay(2).lasting(LONG)).await;
    // It asks for its will with the last thing it says.
    client.send(&packet(0xE0, &[0x04])).await;
    client.ends().await;
    let broker = broker.restarted(Limits::default()).await;
    let mut watcher = broker.client(4, "watcher", "ingest").await;
    watcher.subscribe("fleet/v1/+/up/#", 1).await;
    assert_eq!(watcher.message().await.payload, b"gone");
    broker.stop().await;
}

#[tokio::test]
async fn a_session_that_has_ended_leaves_nothing_behind() {
    let broker = Broker::that_keeps(Limits::default()).await;
    let (mut client, _) = broker.resumed(reader(5)).await;
    client.subscribe("a", 1).await;
    client.leave().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    publisher.publish("a", b"x", 1).await;
    let (clean, _) = broker.resumed(Connect::new(5, "reader-5", "free")).await;
    clean.leave().await;
    let broker = broker.restarted(Limits::default()).await;
    let (mut client, present) = broker.resumed(reader(5)).await;
    assert!(!present);
    client.subscribe("a", 1).await;
    client.hears_nothing("a").await;
    broker.stop().await;
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_the_broker_starts() {
    let broker = Broker::that_keeps(Limits::default()).await;
    let folder = broker.acl.parent().unwrap().join("kept");
    broker.client(4, "x", "free").await.retain("a", b"x").await;
    broker.shutdown.cancel();
    let ended = tokio::time::timeout(crate::kit::PATIENCE, async {
        while !broker.task.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    ended.await.expect("the broker stops");
    fs::write(folder.join("mqtt.redb"), b"nonsense").unwrap();
    let mut broker = broker.restarted(Limits::default()).await;
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    let mut late = broker.client(4, "late", "free").await;
    late.subscribe("#", 1).await;
    late.hears_nothing("b").await;
    broker.sings().await;
}
