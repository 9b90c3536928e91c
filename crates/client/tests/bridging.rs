//! What a bridge needs of a session, on Mosquitto and on the embedded broker.

mod parts;

use std::time::Duration;

use anyhow::Result;
use bugbrother_client::{Qos, connect};
use bugbrother_kit::{mosquitto::Mosquitto, port};
use parts::{embedded::Embedded, next_message, options, until_up};
use tokio_util::sync::CancellationToken;

async fn a_session_as_a_bridge_hears_others_alone_with_their_retain_flag(port: u16) -> Result<()> {
    let stop = CancellationToken::new();
    let mut bridge = options(port, "bridge", &["#"]);
    bridge.as_bridge = true;
    let (own, mut heard) = connect(bridge, stop.clone());
    until_up(&mut heard).await?;
    let (other, mut events) = connect(options(port, "other", &[]), stop.clone());
    until_up(&mut events).await?;
    own.publish("x", "own", Qos::AtLeastOnce, true).await?.await?;
    other.publish("x", "kept", Qos::AtLeastOnce, true).await?.await?;
    other.publish("x", "not kept", Qos::AtMostOnce, false).await?.await?;
    let first = next_message(&mut heard).await?;
    assert_eq!((&first.payload[..], first.retained, first.qos), (&b"kept"[..], true, Qos::AtLeastOnce));
    let second = next_message(&mut heard).await?;
    assert_eq!((&second.payload[..], second.retained, second.qos), (&b"not kept"[..], false, Qos::AtMostOnce));
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn on_mosquitto_a_bridge_hears_others_alone_with_their_retain_flag() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    a_session_as_a_bridge_hears_others_alone_with_their_retain_flag(broker.port()).await
}

#[tokio::test]
async fn on_the_embedded_broker_a_bridge_hears_others_alone_with_their_retain_flag() -> Result<()> {
    let acl = "user bridge\ntopic readwrite #\nuser other\ntopic readwrite #\n";
    let broker = Embedded::start(&["bridge", "other"], acl).await?;
    a_session_as_a_bridge_hears_others_alone_with_their_retain_flag(broker.port()).await
}

#[tokio::test]
async fn a_session_that_is_kept_gets_what_came_while_it_was_away_and_what_it_did_not_acknowledge() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let first_life = CancellationToken::new();
    let mut kept = options(broker.port(), "kept", &["x"]);
    kept.keep_session = Some(Duration::from_secs(3600));
    let (_, mut events) = connect(kept.clone(), first_life.clone());
    until_up(&mut events).await?;
    let stop = CancellationToken::new();
    let (other, mut theirs) = connect(options(broker.port(), "other", &[]), stop.clone());
    until_up(&mut theirs).await?;
    for payload in ["acknowledged", "unacknowledged"] {
        other.publish("x", payload, Qos::AtLeastOnce, false).await?.await?;
    }
    next_message(&mut events).await?.ack();
    assert_eq!(next_message(&mut events).await?.payload, "unacknowledged");
    first_life.cancel();
    while events.recv().await.is_some() {}
    other.publish("x", "while away", Qos::AtLeastOnce, false).await?.await?;
    let (own, mut events) = connect(kept, stop.clone());
    for payload in ["unacknowledged", "while away"] {
        let delivery = next_message(&mut events).await?;
        assert_eq!(delivery.payload, payload);
        delivery.ack();
    }
    // Packet ids of both directions start anew and nothing is mixed up.
    until_up(&mut events).await?;
    for n in 0..100 {
        own.publish("x", n.to_string(), Qos::AtLeastOnce, false).await?.await?;
        let delivery = next_message(&mut events).await?;
        assert_eq!(delivery.payload, n.to_string());
        delivery.ack();
    }
    stop.cancel();
    Ok(())
}

#[tokio::test]
async fn addresses_are_tried_in_turn() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut options = options(port::free()?, "car", &[]);
    options.alternatives = vec![("127.0.0.1".to_owned(), port::free()?), ("127.0.0.1".to_owned(), broker.port())];
    let stop = CancellationToken::new();
    let (_, mut events) = connect(options, stop.clone());
    until_up(&mut events).await?;
    stop.cancel();
    while events.recv().await.is_some() {}
    Ok(())
}
