//! What waits for a client that is away, or slow.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::Publish,
    peer::Peer,
    property::{self, Properties},
};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    a_long_queue_comes_whole_and_in_order: "3.1.2-5 4.6.0-6 4.5.0-1", "3.1.2-23 4.6.0-6 4.5.0-1 3.3.4-9";
    a_queue_is_left_where_it_was_when_the_connection_breaks: "4.4.0-1 4.1.0-1", "4.4.0-1 4.1.0-1";
    a_session_that_lasts_for_ever_is_there: "", "3.1.2-23";
    an_alias_is_no_part_of_what_waits: "", "3.3.2-12";
    what_is_too_large_for_who_comes_back_is_left_out: "", "3.1.2-25 3.1.2-24";
    an_empty_retained_will_removes_what_is_retained: "3.1.2-17 3.3.1-10", "3.1.2-15 3.3.1-6";
    a_shared_subscription_can_be_ended: "", "3.10.4-1 3.10.4-2";
    a_subscription_of_a_session_is_replaced_for_good: "3.8.4-3", "3.8.4-3";
}

/// The client, whose session stays, with these properties besides.
async fn join(lab: &Lab, present: bool, properties: Properties) -> Result<Peer> {
    let properties = if lab.version == 5 { properties.four(property::SESSION_EXPIRY, 60) } else { none() };
    let connect = lab.connect("a").persistent(0).with(properties);
    let (peer, welcome) = lab.join(&connect).await?;
    ensure!(welcome.present == present, "session present: {}", welcome.present);
    Ok(peer)
}

async fn a_long_queue_comes_whole_and_in_order(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = join(&lab, false, none()).await?;
    peer.subscribe(&topic, 2).await?;
    peer.leave().await?;
    let mut sayer = lab.peer("b").await?;
    let said: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    for text in &said {
        sayer.publish(Publish::new(&topic, text, 1)).await?;
    }
    sayer.publish(Publish::new(&topic, "end", 1)).await?;
    let mut peer = join(&lab, true, none().two(property::RECEIVE_MAXIMUM, 3)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard == said, "{heard:?}");
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn a_queue_is_left_where_it_was_when_the_connection_breaks(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = join(&lab, false, none()).await?;
    peer.subscribe(&topic, 2).await?;
    peer.leave().await?;
    let mut sayer = lab.peer("b").await?;
    let said: Vec<_> = (0..60).map(|number| format!("{number:02}")).collect();
    for text in &said {
        sayer.publish(Publish::new(&topic, text, 2)).await?;
    }
    let mut heard: Vec<String> = Vec::new();
    while heard.len() < said.len() {
        let mut peer = join(&lab, true, none()).await?;
        for _ in 0..7.min(said.len() - heard.len()) {
            let message = peer.message().await.with_context(|| format!("after {heard:?}"))?;
            // One whose PUBREC was lost comes again, and says so.
            if !message.dup || !heard.contains(&message.text()) {
                heard.push(message.text());
            }
        }
        peer.vanish().await;
    }
    ensure!(heard == said, "{heard:?}");
    lab.peer("a").await?.leave().await
}

async fn a_session_that_lasts_for_ever_is_there(lab: Lab) -> Result<()> {
    let connect = lab.connect("a").persistent(u32::MAX);
    lab.join(&connect).await?.0.leave().await?;
    let (_, welcome) = lab.join(&connect).await?;
    ensure!(welcome.present, "the session is gone");
    lab.peer("a").await?.leave().await
}

async fn an_alias_is_no_part_of_what_waits(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = join(&lab, false, none()).await?;
    peer.subscribe(&topic, 1).await?;
    peer.leave().await?;
    let mut sayer = lab.peer("b").await?;
    for said in [topic.as_str(), "", ""] {
        sayer.publish(Publish::new(said, "text", 1).with(none().two(property::ALIAS, 1))).await?;
    }
    sayer.leave().await?;
    let mut peer = join(&lab, true, none()).await?;
    for _ in 0..3 {
        let message = peer.message().await?;
        ensure!(message.topic == topic && !message.properties.has(property::ALIAS), "{message:?}");
    }
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn what_is_too_large_for_who_comes_back_is_left_out(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = join(&lab, false, none()).await?;
    peer.subscribe(&topic, 2).await?;
    peer.leave().await?;
    for qos in 1..=2 {
        lab.say(Publish::new(&topic, &"x".repeat(500), qos)).await?;
        lab.say(Publish::new(&topic, "small", qos)).await?;
    }
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let mut peer = join(&lab, true, none().four(property::MAXIMUM_PACKET, 250)).await?;
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(peer.message().await.with_context(|| format!("after {heard:?}"))?.text());
    }
    heard.sort();
    ensure!(heard == ["end", "small", "small"], "{heard:?}");
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}

async fn an_empty_retained_will_removes_what_is_retained(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    lab.say(Publish::new(&topic, "kept", 1).retained()).await?;
    let mut other = lab.peer("b").await?;
    other.subscribe(&topic, 1).await?;
    other.message().await?;
    let (peer, _) = lab.join(&lab.connect("a").will(&topic, "", 1, true)).await?;
    peer.vanish().await;
    let will = other.message().await?;
    ensure!(will.payload.is_empty(), "{will:?}");
    let found = lab.retained(&topic).await?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

async fn a_shared_subscription_can_be_ended(lab: Lab) -> Result<()> {
    let (topic, share) = (lab.topic("text"), format!("$share/group{}/{}", lab.id("g"), lab.topic("text")));
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&share, 1).await?;
    ensure!(peer.unsubscribe(&[&topic, &share]).await? == [0x11, 0], "not as a filter of its own");
    peer.subscribe(&lab.topic("end"), 1).await?;
    lab.say(Publish::new(&topic, "ended", 1)).await?;
    lab.say(Publish::new(&lab.topic("end"), "end", 1)).await?;
    let mut heard = peer.texts_until("end").await?;
    heard.extend(peer.so_far().await?.iter().map(Publish::text));
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn a_subscription_of_a_session_is_replaced_for_good(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = join(&lab, false, none()).await?;
    peer.subscribe(&topic, 2).await?;
    peer.subscribe(&topic, 0).await?;
    peer.vanish().await;
    let mut peer = join(&lab, true, none()).await?;
    lab.say(Publish::new(&topic, "text", 2)).await?;
    let message = peer.message().await?;
    ensure!(message.qos == 0, "{message:?}");
    peer.leave().await?;
    lab.peer("a").await?.leave().await
}
