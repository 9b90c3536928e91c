//! QoS 2.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Packet, Publish},
    peer::{PUBACK, PUBCOMP, PUBREC, PUBREL, Peer},
};

use crate::{cases, lab::Lab};

cases! {
    a_message_that_is_sent_twice_is_delivered_once: "4.3.3-2", "4.3.3-10";
    it_is_delivered_once_over_a_broken_connection: "4.3.3-2 4.1.0-1", "4.3.3-10 4.1.0-1";
    a_completed_identifier_is_free_for_a_new_message: "4.3.3-2", "4.3.3-12";
    a_release_that_is_sent_again_is_answered_again: "4.3.3-2", "4.3.3-11";
    a_delivery_goes_in_two_steps: "4.3.3-1", "4.3.3-1 4.3.3-2 4.3.3-4 3.6.2-1";
    a_delivery_without_pubrec_comes_again: "3.3.1-1 4.3.3-1 4.4.0-1", "3.3.1-1 4.3.3-3 4.4.0-1";
    after_pubrec_only_the_release_comes_again: "4.3.3-1 4.4.0-1", "4.3.3-5 4.3.3-6 4.4.0-1";
    releases_come_in_order: "4.6.0-4", "4.6.0-4";
    mixed_deliveries_come_again_in_order: "4.6.0-1", "4.6.0-1";
}

async fn a_message_that_is_sent_twice_is_delivered_once(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let (mut reader, mut peer) = (lab.peer("reader").await?, lab.peer("a").await?);
    reader.subscribe(&topic, 2).await?;
    for dup in [false, true, true] {
        let publish = Publish { dup, ..Publish::new(&topic, "text", 2).id(9) };
        peer.send(&publish.bytes(lab.version)).await?;
        let code = peer.ack(PUBREC, 9).await?;
        ensure!(matches!(code, 0 | 0x10 | 0x91), "{code:#x}");
    }
    peer.say(PUBREL, 9).await?;
    ensure!(peer.ack(PUBCOMP, 9).await? == 0, "PUBCOMP refuses");
    lab.say(Publish::new(&topic, "end", 2)).await?;
    let heard = reader.texts_until("end").await?;
    ensure!(heard == ["text"], "{heard:?}");
    Ok(())
}

async fn it_is_delivered_once_over_a_broken_connection(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut reader = lab.peer("reader").await?;
    reader.subscribe(&topic, 2).await?;
    let connect = lab.connect("a").persistent(60);
    let (mut peer, _) = lab.join(&connect).await?;
    peer.send(&Publish::new(&topic, "text", 2).id(9).bytes(lab.version)).await?;
    peer.ack(PUBREC, 9).await?;
    peer.vanish().await;
    let (mut peer, welcome) = lab.join(&connect).await?;
    ensure!(welcome.present, "the session is gone");
    let again = Publish { dup: true, ..Publish::new(&topic, "text", 2).id(9) };
    peer.send(&again.bytes(lab.version)).await?;
    peer.ack(PUBREC, 9).await?;
    peer.say(PUBREL, 9).await?;
    peer.vanish().await;
    let (mut peer, _) = lab.join(&connect).await?;
    peer.say(PUBREL, 9).await?;
    peer.ack(PUBCOMP, 9).await?;
    lab.say(Publish::new(&topic, "end", 2)).await?;
    let heard = reader.texts_until("end").await?;
    ensure!(heard == ["text"], "{heard:?}");
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn a_completed_identifier_is_free_for_a_new_message(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    for text in ["one", "two"] {
        peer.send(&Publish::new(&topic, text, 2).id(9).bytes(lab.version)).await?;
        peer.ack(PUBREC, 9).await?;
        peer.say(PUBREL, 9).await?;
        peer.ack(PUBCOMP, 9).await?;
        let heard = peer.message().await?.text();
        ensure!(heard == text, "{heard}");
    }
    Ok(())
}

async fn a_release_that_is_sent_again_is_answered_again(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    peer.send(&Publish::new(&lab.topic("text"), "text", 2).id(9).bytes(lab.version)).await?;
    peer.ack(PUBREC, 9).await?;
    peer.say(PUBREL, 9).await?;
    ensure!(peer.ack(PUBCOMP, 9).await? == 0, "PUBCOMP refuses");
    peer.say(PUBREL, 9).await?;
    let code = peer.ack(PUBCOMP, 9).await?;
    ensure!(matches!(code, 0 | 0x92), "{code:#x}");
    Ok(())
}

async fn a_delivery_goes_in_two_steps(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 2).await?;
    peer.acknowledges = false;
    lab.say(Publish::new(&topic, "text", 2)).await?;
    let message = peer.message().await?;
    ensure!(message.qos == 2 && !message.dup, "{message:?}");
    peer.say(PUBREC, message.id).await?;
    ensure!(peer.ack(PUBREL, message.id).await? == 0, "PUBREL refuses");
    peer.say(PUBCOMP, message.id).await?;
    peer.ping().await
}

/// A client whose session stays, subscribed to `topic`, which acknowledges nothing by itself.
async fn keeper(lab: &Lab, topic: &str) -> Result<Peer> {
    let (mut peer, _) = lab.join(&lab.connect("a").persistent(60)).await?;
    peer.subscribe(topic, 2).await?;
    peer.acknowledges = false;
    Ok(peer)
}

/// The same again.
async fn back(lab: &Lab) -> Result<Peer> {
    let (mut peer, welcome) = lab.join(&lab.connect("a").persistent(60)).await?;
    ensure!(welcome.present, "the session is gone");
    peer.acknowledges = false;
    Ok(peer)
}

async fn a_delivery_without_pubrec_comes_again(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = keeper(&lab, &topic).await?;
    lab.say(Publish::new(&topic, "text", 2)).await?;
    let first = peer.message().await?;
    peer.vanish().await;
    let mut peer = back(&lab).await?;
    let again = peer.message().await?;
    ensure!(again.dup && (again.id, again.qos, again.text()) == (first.id, 2, first.text()), "{again:?}");
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn after_pubrec_only_the_release_comes_again(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = keeper(&lab, &topic).await?;
    lab.say(Publish::new(&topic, "text", 2)).await?;
    let first = peer.message().await?;
    peer.say(PUBREC, first.id).await?;
    peer.ack(PUBREL, first.id).await?;
    for _ in 0..2 {
        peer.vanish().await;
        peer = back(&lab).await?;
        match peer.next().await?.context("the connection has ended")? {
            Packet::Ack { kind: PUBREL, id, .. } if id == first.id => {}
            other => anyhow::bail!("{other:?} came instead of PUBREL"),
        }
    }
    peer.say(PUBCOMP, first.id).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn releases_come_in_order(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 2).await?;
    peer.acknowledges = false;
    let mut ids = Vec::new();
    for _ in 0..4 {
        lab.say(Publish::new(&topic, "text", 2)).await?;
        ids.push(peer.message().await?.id);
    }
    for id in &ids {
        peer.say(PUBREC, *id).await?;
    }
    for id in &ids {
        peer.ack(PUBREL, *id).await?;
    }
    Ok(())
}

async fn mixed_deliveries_come_again_in_order(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = keeper(&lab, &topic).await?;
    let mut first = Vec::new();
    for (text, qos) in [("one", 1), ("two", 2), ("three", 1), ("four", 2)] {
        lab.say(Publish::new(&topic, text, qos)).await?;
        first.push(peer.message().await?);
    }
    peer.vanish().await;
    let mut peer = back(&lab).await?;
    for message in &first {
        let again = peer.message().await?;
        ensure!((again.id, again.text()) == (message.id, message.text()), "{again:?} for {message:?}");
        peer.say(if again.qos == 1 { PUBACK } else { PUBREC }, again.id).await?;
    }
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}
