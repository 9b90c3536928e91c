//! Shared subscriptions (5.0, 4.8.2; 3.1.1 clients may have them too).

use crate::kit::{Broker, Connect, Raw, packet, string};

async fn member(broker: &Broker, version: u8, id: &str) -> Raw {
    let mut member = broker.client(version, id, "free").await;
    assert_eq!(member.subscribe("$share/g/a/#", 1).await, 1);
    member
}

/// How many numbers from 0 on these clients have between them, each once.
async fn all_heard(members: &mut [Raw], count: u8) -> Vec<usize> {
    let mut heard = vec![0; members.len()];
    let mut numbers = Vec::new();
    for (n, member) in members.iter_mut().enumerate() {
        // What it was given has been sent before the answer.
        member.publish(&format!("end/{n}"), b"end", 1).await;
        loop {
            let message = member.message().await;
            if message.topic.starts_with("end") {
                break;
            }
            heard[n] += 1;
            numbers.push(message.payload[0]);
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    heard
}

#[tokio::test]
async fn each_message_goes_to_one_member_and_to_all_others_who_want_it() {
    let broker = Broker::start().await;
    let mut members = [member(&broker, 5, "1").await, member(&broker, 4, "2").await, member(&broker, 5, "3").await];
    for (n, member) in members.iter_mut().enumerate() {
        member.subscribe(&format!("end/{n}"), 1).await;
    }
    let mut other = broker.client(4, "other", "free").await;
    other.subscribe("a/b", 1).await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    for n in 0..30 {
        publisher.publish("a/b", &[n], 1).await;
    }
    for n in 0..30 {
        assert_eq!(other.message().await.payload, [n]);
    }
    assert_eq!(all_heard(&mut members, 30).await, [10, 10, 10]);
}

#[tokio::test]
async fn a_member_that_has_its_own_subscription_as_well_gets_both() {
    let broker = Broker::start().await;
    let mut client = member(&broker, 5, "x").await;
    client.subscribe("a/b", 0).await;
    let mut publisher = broker.client(5, "publisher", "free").await;
    publisher.publish("a/b", b"x", 1).await;
    let mut qos = [client.message().await.qos, client.message().await.qos];
    qos.sort_unstable();
    assert_eq!(qos, [0, 1]);
}

#[tokio::test]
async fn what_a_member_leaves_unacknowledged_goes_to_another() {
    let broker = Broker::start().await;
    let mut lazy = member(&broker, 5, "lazy").await;
    lazy.acknowledges = false;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for n in 0..5 {
        publisher.publish("a", &[n], 1).await;
    }
    assert_eq!(lazy.message().await.payload, [0]);
    let mut other = member(&broker, 4, "other").await;
    lazy.vanish().await;
    for n in 0..5 {
        assert_eq!(other.message().await.payload, [n]);
    }
}

#[tokio::test]
async fn a_member_that_is_away_gets_nothing_as_long_as_another_is_there() {
    let broker = Broker::start().await;
    let away = Connect::new(5, "away", "free").lasting(1_000);
    let (mut gone, _) = broker.resumed(away).await;
    gone.subscribe("$share/g/a/#", 1).await;
    let mut there = member(&broker, 4, "there").await;
    gone.leave().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    for n in 0..4 {
        publisher.publish("a", &[n], 1).await;
        assert_eq!(there.message().await.payload, [n]);
    }
    there.leave().await;
    // Now it is for who is away, since its session lasts.
    publisher.publish("a", b"kept", 1).await;
    publisher.publish("a", b"not kept", 0).await;
    let (mut back, present) = broker.resumed(Connect::new(5, "away", "free").lasting(1_000)).await;
    assert!(present);
    assert_eq!(back.message().await.payload, b"kept");
    back.hears_nothing("a").await;
}

#[tokio::test]
async fn a_shared_subscription_gets_no_retained_messages_and_ends_when_it_is_taken_back() {
    let mut broker = Broker::start().await;
    let mut publisher = broker.client(4, "publisher", "free").await;
    publisher.retain("a/kept", b"kept").await;
    let mut only = member(&broker, 5, "only").await;
    assert_eq!(only.unsubscribe("$share/other/a/#").await, 0x11);
    assert_eq!(only.unsubscribe("$share/g/a/#").await, 0);
    publisher.publish("a/b", b"unheard", 1).await;
    only.subscribe("own", 0).await;
    only.hears_nothing("own").await;
    // Nobody can say whose a message of a group is.
    let mut body = vec![0, 1, 0];
    string(&mut body, b"$share/g/a");
    body.push(0x04);
    only.send(&packet(0x82, &body)).await;
    assert_eq!(only.ends().await, Some((0xE0, vec![0x82, 0])));
    broker.sings().await;
}
