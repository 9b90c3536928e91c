//! Properties of PUBLISH.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Packet, Publish, packet, string},
    peer::{PUBCOMP, PUBREC, PUBREL},
    property::{self, Properties},
};
use tokio::time::sleep;

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    properties_are_handed_on_as_they_came: "", "3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-18 3.3.2-20";
    properties_are_kept_with_a_retained_message: "", "3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-20";
    properties_are_left_out_for_3_1_1: "", "2.2.2-1";
    many_properties_are_handed_on: "", "3.3.2-17 3.3.2-18 1.5.5-1";
    a_message_says_how_long_it_has_left: "", "3.3.2-6";
    a_message_that_has_expired_is_not_delivered: "", "3.3.2-5";
    a_retained_message_expires: "", "3.3.2-5 3.3.2-6";
    a_delivery_that_has_begun_does_not_expire: "", "4.3.3-7";
    the_steps_of_a_message_that_has_expired_go_on: "", "4.3.3-13";
    a_publish_has_no_subscription_identifier: "", "3.3.4-6 4.13.1-1";
    a_response_topic_has_no_wildcard: "", "3.3.2-14 4.13.1-1";
    texts_in_properties_must_be_utf_8: "", "1.5.7-1 3.3.2-13 3.3.2-19 4.13.1-1";
    properties_of_publish_must_make_sense: "", "4.13.1-1";
    no_reason_is_told_to_who_wants_none: "", "3.1.2-29";
}

fn everything() -> Properties {
    none()
        .byte(property::FORMAT, 1)
        .text(property::CONTENT_TYPE, "text/plain")
        .text(property::RESPONSE_TOPIC, "lab/answer")
        .binary(property::CORRELATION, &[0, 1, 255])
        .user("b", "1")
        .user("a", "2")
        .user("b", "1")
        .user("", "")
}

/// What is wrong with the properties of a message that was sent with `everything`.
fn check(message: &Publish) -> Result<()> {
    let sent = everything();
    for id in
        [property::FORMAT, property::CONTENT_TYPE, property::RESPONSE_TOPIC, property::CORRELATION, property::USER]
    {
        ensure!(message.properties.all(id).eq(sent.all(id)), "property {id:#x} in {message:?}");
    }
    Ok(())
}

async fn properties_are_handed_on_as_they_came(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 2).await?;
    for qos in 0..=2 {
        lab.say(Publish::new(&topic, "text", qos).with(everything())).await?;
        check(&peer.message().await?)?;
    }
    Ok(())
}

async fn properties_are_kept_with_a_retained_message(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    lab.say(Publish::new(&topic, "kept", 1).with(everything()).retained()).await?;
    let found = lab.retained(&topic).await?;
    ensure!(found.len() == 1, "{found:?}");
    check(&found[0])
}

async fn properties_are_left_out_for_3_1_1(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let older = lab.of_3_1_1();
    let mut peer = older.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    lab.say(Publish::new(&topic, "text", 1).with(everything())).await?;
    let message = peer.message().await?;
    ensure!(message.text() == "text", "{message:?}");
    let mut newer = lab.peer("b").await?;
    newer.subscribe(&topic, 1).await?;
    older.say(Publish::new(&topic, "text", 1)).await?;
    let message = newer.message().await?;
    ensure!(message.text() == "text" && message.properties == none(), "{message:?}");
    Ok(())
}

async fn many_properties_are_handed_on(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    // Around the length at which their length takes a byte more.
    for count in [1, 20, 21, 22, 300] {
        let properties = (0..count).fold(none(), |all, number| all.user("k", &number.to_string()));
        lab.say(Publish::new(&topic, "text", 1).with(properties.clone())).await?;
        let message = peer.message().await?;
        ensure!(message.properties == properties, "{count}: {message:?}");
    }
    Ok(())
}

fn expiring(seconds: u32) -> Properties {
    none().four(property::MESSAGE_EXPIRY, seconds)
}

async fn a_message_says_how_long_it_has_left(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let connect = lab.connect("a").persistent(60);
    let (mut peer, _) = lab.join(&connect).await?;
    peer.subscribe(&topic, 1).await?;
    lab.say(Publish::new(&topic, "at once", 1).with(expiring(100))).await?;
    let left = peer.message().await?.properties.number(property::MESSAGE_EXPIRY);
    ensure!(left.is_some_and(|left| (80..=100).contains(&left)), "{left:?} at once");
    peer.leave().await?;
    lab.say(Publish::new(&topic, "later", 1).with(expiring(100))).await?;
    sleep(Duration::from_millis(2_500)).await;
    let (mut peer, _) = lab.join(&connect).await?;
    let left = peer.message().await?.properties.number(property::MESSAGE_EXPIRY);
    ensure!(left.is_some_and(|left| (80..=98).contains(&left)), "{left:?} later");
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn a_message_that_has_expired_is_not_delivered(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let connect = lab.connect("a").persistent(60);
    let (mut peer, _) = lab.join(&connect).await?;
    peer.subscribe(&topic, 2).await?;
    peer.leave().await?;
    for qos in 1..=2 {
        lab.say(Publish::new(&topic, "expired", qos).with(expiring(1))).await?;
    }
    sleep(Duration::from_millis(2_500)).await;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let (mut peer, _) = lab.join(&connect).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn a_retained_message_expires(lab: Lab) -> Result<()> {
    let (short, long) = (lab.topic("short"), lab.topic("long"));
    lab.say(Publish::new(&short, "kept", 1).with(expiring(1)).retained()).await?;
    lab.say(Publish::new(&long, "kept", 1).with(expiring(100)).retained()).await?;
    sleep(Duration::from_millis(2_500)).await;
    let found = lab.retained(&short).await?;
    ensure!(found.is_empty(), "{found:?}");
    let found = lab.retained(&long).await?;
    let left = found.first().and_then(|message| message.properties.number(property::MESSAGE_EXPIRY));
    ensure!(left.is_some_and(|left| (80..=98).contains(&left)), "{left:?}");
    Ok(())
}

async fn a_delivery_that_has_begun_does_not_expire(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let connect = lab.connect("a").persistent(60);
    let (mut peer, _) = lab.join(&connect).await?;
    peer.subscribe(&topic, 2).await?;
    peer.acknowledges = false;
    lab.say(Publish::new(&topic, "text", 2).with(expiring(3))).await?;
    let message = peer.message().await?;
    sleep(Duration::from_millis(4_500)).await;
    peer.vanish().await;
    let (mut peer, _) = lab.join(&connect).await?;
    peer.acknowledges = false;
    let again = peer.message().await.context("it is not delivered again")?;
    ensure!(again.dup && again.id == message.id, "{again:?}");
    peer.say(PUBREC, message.id).await?;
    ensure!(peer.ack(PUBREL, message.id).await? == 0, "PUBREL refuses");
    peer.say(PUBCOMP, message.id).await?;
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn the_steps_of_a_message_that_has_expired_go_on(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    let publish = Publish::new(&lab.topic("text"), "text", 2).with(expiring(1)).id(9);
    peer.send(&publish.bytes(5)).await?;
    peer.ack(PUBREC, 9).await?;
    sleep(Duration::from_millis(2_500)).await;
    peer.say(PUBREL, 9).await?;
    ensure!(peer.ack(PUBCOMP, 9).await? == 0, "PUBCOMP refuses");
    Ok(())
}

async fn refuses(lab: &Lab, properties: Properties, codes: &[u8]) -> Result<()> {
    let publish = Publish::new(&lab.topic("text"), "text", 0).with(properties.clone());
    let refused = lab.refuses_of_a_client(&publish.bytes(5), codes).await;
    refused.with_context(|| format!("{properties:?}"))
}

async fn a_publish_has_no_subscription_identifier(lab: Lab) -> Result<()> {
    refuses(&lab, none().var(property::SUBSCRIPTION, 1), &[0x81, 0x82]).await
}

async fn a_response_topic_has_no_wildcard(lab: Lab) -> Result<()> {
    for topic in ["lab/#", "lab/+"] {
        refuses(&lab, none().text(property::RESPONSE_TOPIC, topic), &[0x81, 0x82, 0x90]).await?;
    }
    Ok(())
}

async fn texts_in_properties_must_be_utf_8(lab: Lab) -> Result<()> {
    let bad: [&[u8]; 3] = [b"\xFF", b"a\xC0\x80", b"\xED\xA0\x80"];
    for text in bad {
        // Binary data looks like a text but for what it may hold.
        let text_of = |id| none().binary(id, text);
        for properties in [text_of(property::CONTENT_TYPE), text_of(property::RESPONSE_TOPIC)] {
            refuses(&lab, properties, &[0x81, 0x82, 0x90, 0x99]).await?;
        }
        let mut pair = vec![property::USER];
        string(&mut pair, b"name");
        string(&mut pair, text);
        let mut body = Vec::new();
        string(&mut body, lab.topic("text").as_bytes());
        body.push(pair.len() as u8);
        body.extend(pair);
        lab.refuses_of_a_client(&packet(0x30, &body), &[0x81, 0x82]).await?;
    }
    Ok(())
}

async fn properties_of_publish_must_make_sense(lab: Lab) -> Result<()> {
    let twice = [
        none().byte(property::FORMAT, 1).byte(property::FORMAT, 1),
        expiring(9).four(property::MESSAGE_EXPIRY, 9),
        none().text(property::CONTENT_TYPE, "a").text(property::CONTENT_TYPE, "a"),
        none().two(property::ALIAS, 1).two(property::ALIAS, 1),
    ];
    let strange =
        [none().four(property::SESSION_EXPIRY, 1), none().byte(0x7F, 1), none().text(property::REASON, "why")];
    for properties in twice.into_iter().chain(strange) {
        refuses(&lab, properties, &[0x81, 0x82, 0x94]).await?;
    }
    // Properties that are longer than they say, or than their packet.
    for length in [3, 200] {
        let mut body = Vec::new();
        string(&mut body, lab.topic("text").as_bytes());
        body.extend([length, property::MESSAGE_EXPIRY, 0, 0, 0, 9]);
        lab.refuses_of_a_client(&packet(0x30, &body), &[0x81, 0x82]).await?;
    }
    Ok(())
}

async fn no_reason_is_told_to_who_wants_none(lab: Lab) -> Result<()> {
    let silent = none().byte(property::REQUEST_PROBLEM, 0);
    let mut peer = lab.socket_to(lab.broker.guarded).await?;
    peer.offer(&lab.connect("a").account(crate::lab::USER, crate::lab::PASSWORD).with(silent)).await?;
    for qos in 1..=2 {
        peer.send(&Publish::new(&lab.topic("forbidden"), "text", qos).id(1).bytes(5)).await?;
        let answer = peer.answer().await?;
        let (Packet::Ack { properties, .. } | Packet::Disconnect { properties, .. }) = &answer else {
            anyhow::bail!("{answer:?}");
        };
        let told = properties.has(property::REASON) || properties.has(property::USER);
        ensure!(!told || matches!(answer, Packet::Disconnect { .. }), "{answer:?}");
    }
    peer.send(&bugbrother_kit::mqtt::peer::subscribe(
        5,
        2,
        &[("#/forbidden", 0), (&lab.topic("forbidden"), 0)],
        &none(),
    ))
    .await?;
    if let Some(Packet::Answer { properties, .. }) = peer.next().await? {
        ensure!(properties == none(), "{properties:?}");
    }
    Ok(())
}
