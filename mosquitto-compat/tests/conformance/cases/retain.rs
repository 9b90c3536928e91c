//! Retained messages.

use anyhow::{Result, ensure};
use bugbrother_kit::mqtt::packet::Publish;

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    a_retained_message_is_found_with_its_qos: "3.3.1-5 3.3.1-6 3.3.1-8", "3.3.1-5 3.3.1-9";
    the_last_message_of_every_topic_is_found: "3.3.1-6 3.3.1-7", "3.3.1-5 3.3.1-9";
    an_empty_message_removes_and_is_delivered: "3.3.1-10 3.3.1-11", "3.3.1-6 3.3.1-7";
    a_message_that_is_not_retained_changes_nothing: "3.3.1-12", "3.3.1-8";
    what_comes_later_has_no_retain_flag: "3.3.1-9", "3.3.1-12";
    retained_messages_come_again_when_a_subscription_is_replaced: "3.8.4-3", "3.8.4-4 3.3.1-9";
    retain_handling_1_sends_them_to_a_new_subscription_only: "", "3.3.1-10";
    retain_handling_2_sends_none: "", "3.3.1-11";
    retain_as_published_keeps_the_flag: "", "3.3.1-13";
    hundreds_of_retained_messages_are_all_found: "3.3.1-6", "3.3.1-9";
}

fn texts(found: &[Publish]) -> Vec<String> {
    let mut texts: Vec<_> = found.iter().map(Publish::text).collect();
    texts.sort();
    texts
}

async fn a_retained_message_is_found_with_its_qos(lab: Lab) -> Result<()> {
    for qos in 0..=2 {
        let topic = lab.topic(&format!("kept/{qos}"));
        lab.say(Publish::new(&topic, "kept", qos).retained()).await?;
        let found = lab.retained(&topic).await?;
        ensure!(found.len() == 1 && found[0].qos == qos && found[0].retain && !found[0].dup, "{found:?} at {qos}");
    }
    Ok(())
}

async fn the_last_message_of_every_topic_is_found(lab: Lab) -> Result<()> {
    for (topic, text, qos) in [("a", "old", 1), ("b", "b", 1), ("a/c", "c", 1), ("a", "new", 0)] {
        lab.say(Publish::new(&lab.topic(topic), text, qos).retained()).await?;
    }
    let found = texts(&lab.retained(&lab.topic("#")).await?);
    ensure!(found == ["b", "c", "new"], "{found:?}");
    let found = texts(&lab.retained(&lab.topic("+")).await?);
    ensure!(found == ["b", "new"], "{found:?}");
    Ok(())
}

async fn an_empty_message_removes_and_is_delivered(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    let mut peer = lab.peer("a").await?;
    peer.publish(Publish::new(&topic, "kept", 1).retained()).await?;
    peer.subscribe(&topic, 1).await?;
    peer.message().await?;
    peer.publish(Publish::new(&topic, "", 1).retained()).await?;
    let message = peer.message().await?;
    ensure!(message.payload.is_empty() && !message.retain, "{message:?}");
    let found = lab.retained(&topic).await?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

async fn a_message_that_is_not_retained_changes_nothing(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    lab.say(Publish::new(&topic, "kept", 1).retained()).await?;
    lab.say(Publish::new(&topic, "passing", 1)).await?;
    lab.say(Publish::new(&topic, "", 1)).await?;
    let found = texts(&lab.retained(&topic).await?);
    ensure!(found == ["kept"], "{found:?}");
    lab.say(Publish::new(&lab.topic("other"), "passing", 1)).await?;
    let found = lab.retained(&lab.topic("other")).await?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

async fn what_comes_later_has_no_retain_flag(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    lab.say(Publish::new(&topic, "kept", 1).retained()).await?;
    let message = peer.message().await?;
    ensure!(!message.retain, "{message:?}");
    Ok(())
}

async fn retained_messages_come_again_when_a_subscription_is_replaced(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    let mut peer = lab.peer("a").await?;
    lab.say(Publish::new(&topic, "kept", 1).retained()).await?;
    for _ in 0..2 {
        peer.subscribe(&topic, 1).await?;
        let message = peer.message().await?;
        ensure!(message.retain && message.text() == "kept", "{message:?}");
    }
    lab.say(Publish::new(&topic, "one", 1)).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard == ["one"], "{heard:?}");
    Ok(())
}

async fn retain_handling_1_sends_them_to_a_new_subscription_only(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    let mut peer = lab.peer("a").await?;
    lab.say(Publish::new(&topic, "kept", 1).retained()).await?;
    peer.subscribe(&topic, 0x11).await?;
    let message = peer.message().await?;
    ensure!(message.retain, "{message:?}");
    peer.subscribe(&topic, 0x11).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn retain_handling_2_sends_none(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    let mut peer = lab.peer("a").await?;
    lab.say(Publish::new(&topic, "kept", 1).retained()).await?;
    peer.subscribe(&topic, 0x21).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn retain_as_published_keeps_the_flag(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    let mut peer = lab.peer("a").await?;
    peer.subscribe_to(&[(&topic, 0x09)], none()).await?;
    for retain in [true, false] {
        let publish = Publish { retain, ..Publish::new(&topic, "text", 1) };
        lab.say(publish).await?;
        let message = peer.message().await?;
        ensure!(message.retain == retain, "{message:?}");
    }
    Ok(())
}

/// More than anybody's window of what is not acknowledged.
async fn hundreds_of_retained_messages_are_all_found(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    for number in 0..300 {
        peer.publish(Publish::new(&lab.topic(&format!("kept/{number}")), "kept", 1).retained()).await?;
    }
    let mut reader = lab.peer("b").await?;
    reader.subscribe(&lab.topic("kept/+"), 1).await?;
    for number in 0..300 {
        let message = reader.message().await.map_err(|error| error.context(format!("after {number}")))?;
        ensure!(message.retain, "{message:?}");
    }
    for number in 0..300 {
        let topic = lab.topic(&format!("kept/{number}"));
        peer.send(&Publish::new(&topic, "", 0).retained().bytes(lab.version)).await?;
    }
    peer.ping().await
}
