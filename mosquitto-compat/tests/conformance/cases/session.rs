//! Sessions that outlive their connection.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Publish, packet},
    peer::{PUBACK, Peer},
    property,
};
use tokio::time::sleep;

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    a_session_is_resumed_with_its_subscriptions: "3.1.2-4 3.2.2-2 3.2.2-3 3.1.3-2 4.1.0-1 4.1.0-2", "3.1.2-5 3.1.2-6 3.2.2-3 3.1.3-2 3.1.2-23 4.1.0-1";
    what_is_said_meanwhile_is_kept: "3.1.2-5 4.5.0-1 4.1.0-1", "4.5.0-1 3.1.2-23";
    a_clean_session_forgets_the_one_before: "3.1.2-6 3.2.2-1 3.1.4-3", "3.1.2-4 3.2.2-2 3.1.4-4";
    a_clean_session_is_forgotten_itself: "3.1.2-6 3.2.2-3", "3.2.2-3 4.1.0-2";
    a_session_is_resumed_by_who_takes_over: "3.1.2-4 3.1.4-2", "3.1.2-5 3.1.4-3";
    retained_messages_outlive_a_session: "3.1.2-7", "";
    a_session_is_forgotten_when_its_time_is_over: "", "4.1.0-2";
    a_disconnect_may_shorten_the_life_of_a_session: "", "4.1.0-2 3.1.2-23";
    a_disconnect_may_not_give_life_to_a_session: "", "4.13.1-1";
    what_was_not_acknowledged_is_delivered_again: "2.3.1-4 3.3.1-1 4.3.2-1 4.4.0-1 4.6.0-1", "3.3.1-1 4.3.2-3 4.4.0-1 4.6.0-1";
    nothing_is_delivered_again_on_the_same_connection: "", "4.4.0-1";
    what_was_acknowledged_with_a_refusal_is_not_delivered_again: "", "4.4.0-2";
    an_unsubscription_holds_for_the_next_connection: "3.1.2-4 3.10.4-1", "3.1.2-5 3.10.4-1";
}

/// A client whose session stays for a minute, subscribed to `topic`; gone again.
async fn away(lab: &Lab, topic: &str) -> Result<()> {
    let (mut peer, welcome) = lab.join(&lab.connect("a").persistent(60)).await?;
    ensure!(!welcome.present, "a session where there was none");
    peer.subscribe(topic, 2).await?;
    peer.leave().await
}

/// The same client again, whose session must be there.
async fn back(lab: &Lab) -> Result<Peer> {
    let (peer, welcome) = lab.join(&lab.connect("a").persistent(60)).await?;
    ensure!(welcome.present, "the session is gone");
    Ok(peer)
}

/// Nothing is left of it.
async fn forget(lab: &Lab) -> Result<()> {
    lab.peer("a").await?.leave().await
}

async fn a_session_is_resumed_with_its_subscriptions(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    away(&lab, &topic).await?;
    let mut peer = back(&lab).await?;
    lab.say(Publish::new(&topic, "text", 1)).await?;
    ensure!(peer.message().await?.text() == "text", "something else");
    peer.vanish().await;
    back(&lab).await?.leave().await?;
    forget(&lab).await
}

async fn what_is_said_meanwhile_is_kept(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    away(&lab, &topic).await?;
    for (text, qos) in [("one", 1), ("two", 2), ("three", 1)] {
        lab.say(Publish::new(&topic, text, qos)).await?;
    }
    let mut peer = back(&lab).await?;
    let mut heard = Vec::new();
    for _ in 0..3 {
        let message = peer.message().await.with_context(|| format!("after {heard:?}"))?;
        heard.push((message.qos, message.text()));
    }
    // Only what is of the same QoS has an order.
    heard.sort_by_key(|(qos, _)| *qos);
    let wanted = [(1, "one"), (1, "three"), (2, "two")].map(|(qos, text)| (qos, text.to_owned()));
    ensure!(heard == wanted, "{heard:?}");
    peer.leave().await?;
    forget(&lab).await
}

async fn a_clean_session_forgets_the_one_before(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    away(&lab, &topic).await?;
    lab.say(Publish::new(&topic, "kept", 1)).await?;
    let (mut peer, welcome) = lab.join(&lab.connect("a")).await?;
    ensure!(!welcome.present, "session present after a clean start");
    lab.say(Publish::new(&topic, "not subscribed", 1)).await?;
    peer.subscribe(&topic, 1).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn a_clean_session_is_forgotten_itself(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&lab.topic("text"), 1).await?;
    peer.leave().await?;
    let (peer, welcome) = lab.join(&lab.connect("a").persistent(0)).await?;
    ensure!(!welcome.present, "the session of a clean one is there");
    peer.leave().await?;
    forget(&lab).await
}

async fn a_session_is_resumed_by_who_takes_over(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    away(&lab, &topic).await?;
    let mut older = back(&lab).await?;
    let mut newer = back(&lab).await?;
    older.ended().await?;
    lab.say(Publish::new(&topic, "text", 1)).await?;
    ensure!(newer.message().await?.text() == "text", "something else");
    newer.leave().await?;
    forget(&lab).await
}

async fn retained_messages_outlive_a_session(lab: Lab) -> Result<()> {
    let topic = lab.topic("kept");
    let mut peer = lab.peer("a").await?;
    peer.publish(Publish::new(&topic, "kept", 1).retained()).await?;
    peer.leave().await?;
    let found: Vec<_> = lab.retained(&topic).await?.iter().map(Publish::text).collect();
    ensure!(found == ["kept"], "{found:?}");
    Ok(())
}

async fn a_session_is_forgotten_when_its_time_is_over(lab: Lab) -> Result<()> {
    lab.join(&lab.connect("a").persistent(1)).await?.0.leave().await?;
    // To look would keep it alive.
    sleep(Duration::from_secs(4)).await;
    let (_, welcome) = lab.join(&lab.connect("a").persistent(0)).await?;
    ensure!(!welcome.present, "the session is there after its time");
    Ok(())
}

async fn a_disconnect_may_shorten_the_life_of_a_session(lab: Lab) -> Result<()> {
    away(&lab, &lab.topic("text")).await?;
    let mut peer = back(&lab).await?;
    let mut body = vec![0];
    none().four(property::SESSION_EXPIRY, 0).write(&mut body);
    peer.send(&packet(0xE0, &body)).await?;
    peer.timed_out().await?;
    let (_, welcome) = lab.join(&lab.connect("a").persistent(0)).await?;
    ensure!(!welcome.present, "the session is there");
    Ok(())
}

async fn a_disconnect_may_not_give_life_to_a_session(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    let mut body = vec![0];
    none().four(property::SESSION_EXPIRY, 60).write(&mut body);
    lab.refuses(&mut peer, &packet(0xE0, &body), &[0x82]).await?;
    let (peer, welcome) = lab.join(&lab.connect("a").persistent(0)).await?;
    ensure!(!welcome.present, "the session got a life of its own");
    peer.leave().await
}

async fn what_was_not_acknowledged_is_delivered_again(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    away(&lab, &topic).await?;
    let mut peer = back(&lab).await?;
    peer.acknowledges = false;
    let mut first = Vec::new();
    for text in ["one", "two", "three"] {
        lab.say(Publish::new(&topic, text, 1)).await?;
        first.push(peer.message().await?);
    }
    ensure!(first.iter().all(|message| !message.dup && message.qos == 1), "{first:?}");
    ensure!(first[0].id != first[1].id && first[1].id != first[2].id && first[0].id != first[2].id, "{first:?}");
    // Of three the one in the middle is acknowledged.
    peer.say(PUBACK, first[1].id).await?;
    peer.ping().await?;
    peer.vanish().await;
    let mut peer = back(&lab).await?;
    for message in [&first[0], &first[2]] {
        let again = peer.message().await?;
        ensure!(again.dup && (again.id, again.text()) == (message.id, message.text()), "{again:?} for {message:?}");
    }
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?} too");
    peer.leave().await?;
    forget(&lab).await
}

async fn nothing_is_delivered_again_on_the_same_connection(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    peer.acknowledges = false;
    lab.say(Publish::new(&topic, "text", 1)).await?;
    peer.message().await?;
    sleep(Duration::from_secs(3)).await;
    let heard = peer.so_far().await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn what_was_acknowledged_with_a_refusal_is_not_delivered_again(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    away(&lab, &topic).await?;
    let mut peer = back(&lab).await?;
    peer.acknowledges = false;
    for (qos, kind) in [(1, 0x40), (2, 0x50)] {
        lab.say(Publish::new(&topic, "text", qos)).await?;
        let [high, low] = peer.message().await?.id.to_be_bytes();
        peer.send(&packet(kind, &[high, low, 0x80])).await?;
    }
    peer.ping().await?;
    peer.vanish().await;
    let mut peer = back(&lab).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    peer.leave().await?;
    forget(&lab).await
}

async fn an_unsubscription_holds_for_the_next_connection(lab: Lab) -> Result<()> {
    let (gone, kept) = (lab.topic("gone"), lab.topic("kept"));
    away(&lab, &gone).await?;
    let mut peer = back(&lab).await?;
    peer.subscribe(&kept, 1).await?;
    peer.unsubscribe(&[&gone]).await?;
    peer.leave().await?;
    lab.say(Publish::new(&gone, "gone", 1)).await?;
    lab.say(Publish::new(&kept, "end", 1)).await?;
    let mut peer = back(&lab).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    peer.leave().await?;
    forget(&lab).await
}
