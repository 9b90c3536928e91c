//! SUBSCRIBE and SUBACK.

use anyhow::{Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Packet, Publish, packet},
    peer::subscribe,
    property,
};

use crate::{
    cases,
    lab::{Lab, PASSWORD, USER, none},
};

cases! {
    a_subscription_is_answered_under_its_identifier: "2.3.1-7 3.8.4-1 3.8.4-2", "2.2.1-6 3.8.4-1 3.8.4-2 2.2.2-1";
    many_filters_are_as_many_subscriptions: "3.8.4-4 3.8.4-5 3.9.3-1", "3.8.4-5 3.8.4-6 3.8.4-7 3.9.3-1";
    codes_say_what_is_granted_or_refused: "3.8.4-5 3.9.3-1 3.9.3-2", "3.8.4-7 3.9.3-1 3.9.3-2";
    the_same_filter_again_replaces_the_subscription: "3.8.4-3", "3.8.4-3 3.8.4-4";
    a_subscribe_without_a_filter_is_not_taken: "3.8.3-3 4.8.0-1", "3.8.3-2 4.13.1-1";
    reserved_bits_and_qos_3_are_not_taken: "3.8.3-4 4.8.0-1", "3.8.3-5 4.13.1-1";
    no_local_keeps_a_client_from_hearing_itself: "", "3.8.3-3";
    a_replaced_subscription_has_its_new_options: "", "3.8.4-3";
    no_local_does_not_go_with_a_share: "", "3.8.3-4 4.13.1-1";
    retain_handling_3_is_not_taken: "", "4.13.1-1";
    a_message_has_the_identifier_of_its_subscription: "", "3.3.4-3";
    a_message_has_the_identifiers_of_all_its_subscriptions: "", "3.3.4-3 3.3.4-4 3.3.4-5";
    a_replaced_subscription_has_its_new_identifier: "", "3.8.4-3 3.3.4-3";
    identifier_0_is_not_taken: "", "4.13.1-1";
    a_retained_message_has_the_identifier_of_its_subscription: "", "3.3.4-3";
}

async fn a_subscription_is_answered_under_its_identifier(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    for id in [1, 2_000, 65_535, 1] {
        peer.send(&subscribe(lab.version, id, &[(&lab.topic("text"), 1)], &none())).await?;
        match peer.answer().await? {
            Packet::Answer { kind: 9, id: answered, codes, .. } if answered == id => ensure!(codes == [1], "{codes:?}"),
            other => anyhow::bail!("{other:?} came instead of SUBACK of {id}"),
        }
    }
    Ok(())
}

async fn many_filters_are_as_many_subscriptions(lab: Lab) -> Result<()> {
    let topics: Vec<_> = (0..20).map(|number| lab.topic(&number.to_string())).collect();
    let filters: Vec<_> = topics.iter().zip((0..3).cycle()).map(|(topic, qos)| (topic.as_str(), qos)).collect();
    let mut peer = lab.peer("a").await?;
    let codes = peer.subscribe_to(&filters, none()).await?;
    ensure!(codes.iter().zip(&filters).all(|(code, (_, qos))| code == qos), "{codes:?}");
    for topic in &topics {
        lab.say(Publish::new(topic, "text", 0)).await?;
        let message = peer.message().await?;
        ensure!(message.topic == *topic, "{message:?}");
    }
    Ok(())
}

async fn codes_say_what_is_granted_or_refused(lab: Lab) -> Result<()> {
    let mut peer = lab.socket_to(lab.broker.guarded).await?;
    peer.offer(&lab.connect("a").account(USER, PASSWORD)).await?;
    let (allowed, forbidden) = (format!("allowed/{}", lab.topic("text")), lab.topic("forbidden"));
    let codes = peer.subscribe_to(&[(&allowed, 1), (&forbidden, 1), (&allowed, 2)], none()).await?;
    // Whether it refuses what could never be read is its own choice.
    let refused: &[u8] = if lab.version == 5 { &[1, 0x87] } else { &[1, 0x80] };
    ensure!(codes[0] == 1 && refused.contains(&codes[1]) && codes[2] == 2, "{codes:?}");
    peer.publish(Publish::new(&allowed, "text", 2)).await?;
    ensure!(peer.message().await?.qos == 2, "not at the QoS that was granted");
    Ok(())
}

async fn the_same_filter_again_replaces_the_subscription(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    for granted in [2, 0, 1] {
        ensure!(peer.subscribe(&topic, granted).await? == granted, "not granted");
        lab.say(Publish::new(&topic, "text", 2)).await?;
        let message = peer.message().await?;
        ensure!(message.qos == granted, "{message:?} for {granted}");
    }
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?} too");
    Ok(())
}

async fn a_subscribe_without_a_filter_is_not_taken(lab: Lab) -> Result<()> {
    lab.refuses_of_a_client(&subscribe(lab.version, 1, &[], &none()), &[0x81, 0x82]).await?;
    // Half of one.
    let whole = subscribe(lab.version, 1, &[(&lab.topic("text"), 1)], &none());
    let half = packet(0x82, &whole[2..whole.len() - 1]);
    lab.refuses_of_a_client(&half, &[0x81, 0x82]).await
}

async fn reserved_bits_and_qos_3_are_not_taken(lab: Lab) -> Result<()> {
    let options: &[u8] = if lab.version == 5 { &[0x40, 0x80, 0xC1, 3] } else { &[4, 8, 0x10, 0x80, 3] };
    for options in options {
        let bytes = subscribe(lab.version, 1, &[(&lab.topic("text"), *options)], &none());
        let refused = lab.refuses_of_a_client(&bytes, &[0x81, 0x82]).await;
        refused.map_err(|error| error.context(format!("{options:#x}")))?;
    }
    Ok(())
}

async fn no_local_keeps_a_client_from_hearing_itself(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 0x05).await?;
    peer.publish(Publish::new(&topic, "own", 1)).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn a_replaced_subscription_has_its_new_options(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 0x05).await?;
    peer.subscribe(&topic, 0x09).await?;
    peer.publish(Publish::new(&topic, "own", 1).retained()).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let own = peer.message().await?;
    ensure!(own.text() == "own" && own.retain, "{own:?}: no local, or not as published");
    Ok(())
}

async fn no_local_does_not_go_with_a_share(lab: Lab) -> Result<()> {
    let filter = format!("$share/group/{}", lab.topic("text"));
    lab.refuses_of_a_client(&subscribe(lab.version, 1, &[(&filter, 0x05)], &none()), &[0x82]).await
}

async fn retain_handling_3_is_not_taken(lab: Lab) -> Result<()> {
    let bytes = subscribe(lab.version, 1, &[(&lab.topic("text"), 0x31)], &none());
    lab.refuses_of_a_client(&bytes, &[0x81, 0x82]).await
}

fn identified(number: u32) -> property::Properties {
    none().var(property::SUBSCRIPTION, number)
}

fn identifiers(message: &Publish) -> Vec<u32> {
    let mut found: Vec<_> = message
        .properties
        .all(property::SUBSCRIPTION)
        .filter_map(|value| if let property::Value::Var(number) = value { Some(*number) } else { None })
        .collect();
    found.sort_unstable();
    found
}

async fn a_message_has_the_identifier_of_its_subscription(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    for number in [1, 127, 128, 268_435_455] {
        let topic = lab.topic(&number.to_string());
        peer.subscribe_to(&[(&topic, 1)], identified(number)).await?;
        lab.say(Publish::new(&topic, "text", 1)).await?;
        let message = peer.message().await?;
        ensure!(identifiers(&message) == [number], "{message:?}");
    }
    Ok(())
}

async fn a_message_has_the_identifiers_of_all_its_subscriptions(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    peer.subscribe_to(&[(&lab.topic("text/#"), 1)], identified(7)).await?;
    peer.subscribe_to(&[(&lab.topic("text/+"), 1)], identified(8)).await?;
    peer.subscribe_to(&[(&lab.topic("text/one"), 1)], none()).await?;
    let topic = lab.topic("text/one");
    lab.say(Publish::new(&topic, "text", 1)).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let mut copies = Vec::new();
    loop {
        match peer.message().await? {
            message if message.text() == "end" => break,
            message => copies.push(identifiers(&message)),
        }
    }
    copies.sort();
    // One copy with both, or three.
    let wanted = [vec![vec![7, 8]], vec![vec![], vec![7], vec![8]]];
    ensure!(wanted.contains(&copies), "{copies:?}");
    Ok(())
}

async fn a_replaced_subscription_has_its_new_identifier(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    for properties in [identified(7), identified(8), none()] {
        let number = properties.number(property::SUBSCRIPTION);
        peer.subscribe_to(&[(&topic, 1)], properties).await?;
        lab.say(Publish::new(&topic, "text", 1)).await?;
        let message = peer.message().await?;
        ensure!(identifiers(&message) == number.into_iter().collect::<Vec<_>>(), "{message:?} for {number:?}");
    }
    Ok(())
}

async fn identifier_0_is_not_taken(lab: Lab) -> Result<()> {
    let filters = [(lab.topic("text"), 1)];
    let filters: Vec<_> = filters.iter().map(|(topic, options)| (topic.as_str(), *options)).collect();
    for properties in [identified(0), none().var(property::SUBSCRIPTION, 1).var(property::SUBSCRIPTION, 2)] {
        lab.refuses_of_a_client(&subscribe(5, 1, &filters, &properties), &[0x81, 0x82]).await?;
    }
    Ok(())
}

async fn a_retained_message_has_the_identifier_of_its_subscription(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    lab.say(Publish::new(&topic, "kept", 1).retained()).await?;
    let mut peer = lab.peer("a").await?;
    peer.subscribe_to(&[(&topic, 1)], identified(9)).await?;
    let message = peer.message().await?;
    ensure!(identifiers(&message) == [9], "{message:?}");
    Ok(())
}
