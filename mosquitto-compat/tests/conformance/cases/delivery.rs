//! How messages come to who has subscribed: QoS, order, flags.

use anyhow::{Result, ensure};
use bugbrother_kit::mqtt::packet::Publish;

use crate::{cases, lab::Lab};

cases! {
    a_message_comes_at_the_lower_qos: "3.8.4-6 4.3.1-1 2.3.1-5 3.3.1-2 4.5.0-1", "3.8.4-8 4.3.1-1 2.2.1-2 3.3.1-2 4.5.0-1";
    dup_is_not_handed_on: "3.3.1-3", "3.3.1-3 4.3.2-2 4.3.3-2";
    messages_come_in_the_order_of_the_publisher: "4.6.0-5 4.6.0-6", "4.6.0-5 4.6.0-6";
    each_delivery_has_an_identifier_of_its_own: "2.3.1-4 4.3.2-1 4.3.3-1", "2.2.1-4 4.3.2-1 4.3.3-1";
    overlapping_subscriptions_deliver_at_the_highest_qos: "3.3.5-1", "3.3.4-2";
    everybody_who_has_subscribed_hears: "4.5.0-1 3.3.2-3", "4.5.0-1 3.3.2-3";
    a_payload_may_be_empty_or_large: "2.2.2-1", "2.1.3-1";
}

async fn a_message_comes_at_the_lower_qos(lab: Lab) -> Result<()> {
    for granted in 0..=2 {
        let topic = lab.topic(&format!("text/{granted}"));
        let mut peer = lab.peer("a").await?;
        let code = peer.subscribe(&topic, granted).await?;
        ensure!(code == granted, "{code:#x} granted for {granted}");
        for qos in 0..=2 {
            lab.say(Publish::new(&topic, "text", qos)).await?;
            let message = peer.message().await?;
            ensure!(message.qos == qos.min(granted) && !message.dup, "{message:?} of {qos} for {granted}");
        }
        peer.leave().await?;
    }
    Ok(())
}

async fn dup_is_not_handed_on(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 2).await?;
    for qos in 1..=2 {
        let publish = Publish { dup: true, ..Publish::new(&topic, "text", qos) };
        lab.say(publish).await?;
        let message = peer.message().await?;
        ensure!(!message.dup && message.qos == qos, "{message:?}");
    }
    Ok(())
}

async fn messages_come_in_the_order_of_the_publisher(lab: Lab) -> Result<()> {
    for qos in 0..=2 {
        let topic = lab.topic(&format!("text/{qos}"));
        let (mut reader, mut sayer) = (lab.peer("a").await?, lab.peer("b").await?);
        reader.subscribe(&topic, 2).await?;
        let said: Vec<_> = (0..60).map(|number| number.to_string()).collect();
        for text in &said {
            sayer.publish(Publish::new(&topic, text, qos)).await?;
        }
        sayer.publish(Publish::new(&topic, "end", qos)).await?;
        let heard = reader.texts_until("end").await?;
        ensure!(heard == said, "{heard:?} at {qos}");
    }
    Ok(())
}

async fn each_delivery_has_an_identifier_of_its_own(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 2).await?;
    peer.acknowledges = false;
    let mut ids = Vec::new();
    for number in 0..10 {
        lab.say(Publish::new(&topic, "text", 1 + number % 2)).await?;
        let message = peer.message().await?;
        ensure!(message.qos == 1 + number % 2 && !ids.contains(&message.id), "{message:?} after {ids:?}");
        ids.push(message.id);
    }
    Ok(())
}

async fn overlapping_subscriptions_deliver_at_the_highest_qos(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    for (filter, qos) in [("text/#", 0), ("text/+", 2), ("text/one", 1)] {
        peer.subscribe(&lab.topic(filter), qos).await?;
    }
    let topic = lab.topic("text/one");
    lab.say(Publish::new(&topic, "text", 2)).await?;
    lab.say(Publish::new(&topic, "end", 2)).await?;
    let mut highest = 0;
    loop {
        let message = peer.message().await?;
        if message.text() == "end" && message.qos == 2 {
            break;
        }
        if message.text() == "text" {
            highest = highest.max(message.qos);
        }
    }
    ensure!(highest == 2, "at most at {highest}");
    Ok(())
}

async fn everybody_who_has_subscribed_hears(lab: Lab) -> Result<()> {
    let topic = lab.topic("text/one");
    let mut readers = Vec::new();
    for (name, filter) in [("a", "text/one"), ("b", "text/+"), ("c", "#"), ("d", "text/one")] {
        let mut peer = lab.peer(name).await?;
        peer.subscribe(&lab.topic(filter), 1).await?;
        readers.push(peer);
    }
    lab.say(Publish::new(&topic, "text", 1)).await?;
    for reader in &mut readers {
        let message = reader.message().await?;
        ensure!(message.topic == topic && message.text() == "text", "{message:?}");
    }
    Ok(())
}

async fn a_payload_may_be_empty_or_large(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    // Around the lengths at which the length of the packet takes a byte more.
    for size in [0, 60, 100, 127, 128, 16_000, 16_383, 20_000, 200_000] {
        let payload: Vec<u8> = (0..size).map(|at| (at * 7 % 251) as u8).collect();
        let publish = Publish { payload: payload.clone(), ..Publish::new(&topic, "", 1) };
        lab.say(publish).await?;
        let message = peer.message().await?;
        ensure!(message.payload == payload, "{} bytes of {size}", message.payload.len());
    }
    Ok(())
}
