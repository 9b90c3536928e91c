//! Against Debian's Mosquitto.

use std::{collections::HashSet, time::Duration};

use anyhow::Result;
use bugbrother_client::{Event, Events, Options, PublishError, Publisher, Qos, Will, connect};
use bugbrother_kit::{mosquitto::Mosquitto, port};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(20);
const ANYBODY: &str = "allow_anonymous true\n";

fn options(port: u16, name: &str, filters: &[&str]) -> Options {
    let mut options = Options::new("127.0.0.1", port, name, name, "");
    options.subscriptions = filters.iter().map(|filter| ((*filter).to_owned(), Qos::AtLeastOnce)).collect();
    options
}

async fn next(events: &mut Events) -> Result<Event> {
    Ok(timeout(LIMIT, events.recv()).await?.expect("the session has not been shut down"))
}

async fn until_up(events: &mut Events) -> Result<()> {
    while !matches!(next(events).await?, Event::Up) {}
    Ok(())
}

async fn next_message(events: &mut Events) -> Result<bugbrother_client::Delivery> {
    loop {
        if let Event::Message(delivery) = next(events).await? {
            return Ok(delivery);
        }
    }
}

async fn send(publisher: &Publisher, topic: &str, payload: &'static str) -> Result<()> {
    publisher.publish(topic, payload, Qos::AtLeastOnce, false).await?.await?;
    Ok(())
}

#[tokio::test]
async fn what_is_published_arrives_once_acknowledged_in_both_directions() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let shutdown = CancellationToken::new();
    let (_, mut inbox) = connect(options(broker.port(), "reader", &["fleet/#"]), shutdown.clone());
    until_up(&mut inbox).await?;
    let (publisher, mut events) = connect(options(broker.port(), "writer", &[]), shutdown.clone());
    until_up(&mut events).await?;
    // Ten times the window: publishing waits for the broker's acknowledgements.
    let mut receipts = Vec::new();
    for n in 0..640 {
        receipts.push(publisher.publish("fleet/x", n.to_string(), Qos::AtLeastOnce, false).await?);
    }
    for receipt in receipts {
        receipt.await?;
    }
    let mut seen = HashSet::new();
    while seen.len() < 640 {
        let delivery = next_message(&mut inbox).await?;
        assert!(seen.insert(delivery.payload.clone()), "a message came twice");
        delivery.ack();
    }
    shutdown.cancel();
    while inbox.recv().await.is_some() {}
    while events.recv().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn who_watches_from_outside_sees_a_session_come_and_go() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let shutdown = CancellationToken::new();
    let options = options(broker.port(), "watched", &["fleet/#"]);
    let standing = options.standing.clone();
    let (_publisher, mut events) = connect(options, shutdown.clone());
    assert!(!standing.is_up());
    until_up(&mut events).await?;
    assert!(standing.is_up());
    drop(broker);
    while !matches!(next(&mut events).await?, Event::Down { .. }) {}
    assert!(!standing.is_up());
    shutdown.cancel();
    Ok(())
}

#[tokio::test]
async fn a_broker_that_comes_back_is_subscribed_again() -> Result<()> {
    let port = port::free()?;
    let shutdown = CancellationToken::new();
    let (publisher, mut events) = connect(options(port, "early", &["fleet/#"]), shutdown.clone());
    assert!(matches!(next(&mut events).await?, Event::Down { .. }), "nobody listens yet");
    assert_eq!(
        publisher.publish("fleet/x", "lost", Qos::AtLeastOnce, false).await.unwrap_err(),
        PublishError::NotConnected
    );
    let broker = Mosquitto::start_on(port, ANYBODY)?;
    until_up(&mut events).await?;
    send(&publisher, "fleet/x", "one").await?;
    let first = next_message(&mut events).await?;
    assert_eq!(first.payload, "one");
    drop(broker);
    while !matches!(next(&mut events).await?, Event::Down { .. }) {}
    let _broker = Mosquitto::start_on(port, ANYBODY)?;
    until_up(&mut events).await?;
    // Of the connection before: must hit no message of this one.
    first.ack();
    send(&publisher, "fleet/x", "two").await?;
    let second = next_message(&mut events).await?;
    assert_eq!(second.payload, "two");
    second.ack();
    shutdown.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn a_publish_whose_broker_dies_says_so() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let shutdown = CancellationToken::new();
    let (publisher, mut events) = connect(options(broker.port(), "writer", &[]), shutdown.clone());
    until_up(&mut events).await?;
    // Stopped, the broker reads nothing and acknowledges nothing; then it dies.
    let receipt = {
        broker.pause()?;
        publisher.publish("fleet/x", "in vain", Qos::AtLeastOnce, false).await?
    };
    drop(broker);
    assert_eq!(timeout(LIMIT, receipt).await?, Err(PublishError::ConnectionLost));
    shutdown.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn a_will_is_published_when_the_task_dies_and_not_after_a_shutdown() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let shutdown = CancellationToken::new();
    let (_, mut inbox) = connect(options(broker.port(), "reader", &["#"]), shutdown.clone());
    until_up(&mut inbox).await?;
    let with_will = |name: &str| {
        let mut options = options(broker.port(), name, &[]);
        let topic = format!("gone/{name}");
        options.will = Some(Will { topic, payload: b"offline".to_vec(), qos: Qos::AtLeastOnce, retain: false });
        options
    };
    let orderly = CancellationToken::new();
    let (_, mut leaver) = connect(with_will("leaver"), orderly.clone());
    until_up(&mut leaver).await?;
    orderly.cancel();
    while leaver.recv().await.is_some() {}
    // A runtime that goes away takes its connection with it, as a killed process does.
    let victim = with_will("victim");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
        runtime.block_on(async {
            let (_, mut events) = connect(victim, CancellationToken::new());
            until_up(&mut events).await.expect("the victim connects");
        });
    })
    .join()
    .expect("the victim's thread ends");
    assert_eq!(next_message(&mut inbox).await?.topic, "gone/victim");
    shutdown.cancel();
    while inbox.recv().await.is_some() {}
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_told_and_tried_again() -> Result<()> {
    let broker = Mosquitto::start("allow_anonymous false\n")?;
    let shutdown = CancellationToken::new();
    let (_, mut events) = connect(options(broker.port(), "stranger", &[]), shutdown.clone());
    for _ in 0..2 {
        match next(&mut events).await? {
            Event::Down { reason } => assert!(reason.contains("refused"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    shutdown.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}
