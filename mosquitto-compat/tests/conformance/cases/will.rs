//! Wills.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Connect, Publish, packet},
    peer::Peer,
    property::{self, Value},
};
use tokio::time::sleep;

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    a_will_is_published_when_the_connection_breaks: "3.1.2-8 3.1.2-9", "3.1.2-7 3.1.2-8 3.1.2-9";
    a_will_has_each_qos_but_3: "3.1.2-9 3.1.2-14", "3.1.2-9 3.1.2-12 3.2.2-12";
    a_will_that_is_not_retained_is_not_found_later: "3.1.2-16", "3.1.2-14";
    a_retained_will_is_found_later: "3.1.2-17", "3.1.2-15";
    a_disconnect_takes_the_will_back: "3.1.2-8 3.1.2-10 3.14.4-3", "3.1.2-8 3.1.2-10 3.14.4-3";
    a_will_is_published_once: "3.1.2-10", "3.1.2-10";
    without_a_will_nothing_is_published: "3.1.2-12", "";
    flags_of_a_will_without_one_are_not_taken: "3.1.2-11 3.1.2-13 3.1.2-15", "3.1.2-11 3.1.2-13";
    a_violation_of_the_protocol_leaves_the_will_in_force: "3.1.2-8", "3.1.2-8";
    a_will_is_published_when_another_takes_over: "3.1.2-8", "3.1.2-8";
    a_client_may_go_and_leave_its_will: "", "S3.14";
    a_will_waits_for_its_delay: "", "3.1.2-8";
    a_will_waits_no_longer_than_its_session: "", "3.1.2-8";
    a_will_is_not_published_when_its_client_is_back_in_time: "", "3.1.3-9";
    a_will_carries_its_properties: "", "3.1.3-10 3.3.2-17";
}

/// Who hears the wills of `topic`.
async fn listener(lab: &Lab, topic: &str) -> Result<Peer> {
    let mut peer = lab.peer("listener").await?;
    peer.subscribe(topic, 2).await?;
    Ok(peer)
}

/// What was heard before a message that is said now.
async fn heard(lab: &Lab, listener: &mut Peer, topic: &str) -> Result<Vec<String>> {
    lab.say(Publish::new(topic, "end", 1)).await?;
    listener.texts_until("end").await
}

async fn a_will_is_published_when_the_connection_breaks(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let (peer, _) = lab.join(&lab.connect("a").will(&topic, "gone", 0, false)).await?;
    peer.vanish().await;
    let will = other.message().await?;
    ensure!((will.text().as_str(), will.qos, will.retain) == ("gone", 0, false), "{will:?}");
    Ok(())
}

async fn a_will_has_each_qos_but_3(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    for qos in 0..=2 {
        let (peer, _) = lab.join(&lab.connect("a").will(&topic, "gone", qos, false)).await?;
        peer.vanish().await;
        let will = other.message().await?;
        ensure!(will.qos == qos, "{will:?} at {qos}");
    }
    lab.turned_away(&lab.connect("a").will(&topic, "gone", 3, false).bytes(), &[], &[0x81, 0x82]).await
}

async fn a_will_that_is_not_retained_is_not_found_later(lab: Lab) -> Result<()> {
    found_later(&lab, false).await
}

async fn a_retained_will_is_found_later(lab: Lab) -> Result<()> {
    found_later(&lab, true).await
}

async fn found_later(lab: &Lab, retain: bool) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(lab, &topic).await?;
    let (peer, _) = lab.join(&lab.connect("a").will(&topic, "gone", 1, retain)).await?;
    peer.vanish().await;
    other.message().await?;
    let found: Vec<_> = lab.retained(&topic).await?.iter().map(Publish::text).collect();
    ensure!(found == if retain { vec!["gone"] } else { vec![] }, "{found:?}");
    Ok(())
}

async fn a_disconnect_takes_the_will_back(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let (peer, _) = lab.join(&lab.connect("a").will(&topic, "gone", 1, false)).await?;
    peer.leave().await?;
    let heard = heard(&lab, &mut other, &topic).await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn a_will_is_published_once(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let (peer, _) = lab.join(&lab.connect("a").will(&topic, "gone", 1, false)).await?;
    peer.vanish().await;
    other.message().await?;
    lab.peer("a").await?.vanish().await;
    lab.peer("a").await?.leave().await?;
    let heard = heard(&lab, &mut other, &topic).await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn without_a_will_nothing_is_published(lab: Lab) -> Result<()> {
    let topic = lab.topic("#");
    let mut other = listener(&lab, &topic).await?;
    lab.peer("a").await?.vanish().await;
    let heard = heard(&lab, &mut other, &lab.topic("end")).await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn flags_of_a_will_without_one_are_not_taken(lab: Lab) -> Result<()> {
    for more_flags in [0x20, 0x08, 0x10, 0x18] {
        let connect = Connect { more_flags, ..lab.connect("a") };
        lab.turned_away(&connect.bytes(), &[], &[0x81, 0x82]).await.with_context(|| format!("{more_flags:#x}"))?;
    }
    Ok(())
}

async fn a_violation_of_the_protocol_leaves_the_will_in_force(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let connect = lab.connect("a").will(&topic, "gone", 1, false);
    let (mut peer, _) = lab.join(&connect).await?;
    lab.refuses(&mut peer, &connect.bytes(), &[0x82]).await?;
    let will = other.message().await?;
    ensure!(will.text() == "gone", "{will:?}");
    Ok(())
}

async fn a_will_is_published_when_another_takes_over(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let (_older, _) = lab.join(&lab.connect("a").will(&topic, "gone", 1, false)).await?;
    let _newer = lab.peer("a").await?;
    let will = other.message().await?;
    ensure!(will.text() == "gone", "{will:?}");
    Ok(())
}

async fn a_client_may_go_and_leave_its_will(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let (mut peer, _) = lab.join(&lab.connect("a").will(&topic, "gone", 1, false)).await?;
    peer.send(&packet(0xE0, &[4, 0])).await?;
    let will = other.message().await?;
    ensure!(will.text() == "gone", "{will:?}");
    Ok(())
}

async fn a_will_waits_for_its_delay(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let delay = none().four(property::WILL_DELAY, 4);
    let connect = lab.connect("a").will_with(&topic, "gone", 1, false, delay).expiring(60);
    lab.join(&connect).await?.0.vanish().await;
    let early = heard(&lab, &mut other, &topic).await?;
    ensure!(early.is_empty(), "{early:?} before its time");
    let will = other.message().await?;
    ensure!(will.text() == "gone", "{will:?}");
    Ok(())
}

async fn a_will_waits_no_longer_than_its_session(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let delay = none().four(property::WILL_DELAY, 3_600);
    for expiry in [0, 1] {
        let connect = lab.connect("a").will_with(&topic, "gone", 1, false, delay.clone()).expiring(expiry);
        lab.join(&connect).await?.0.vanish().await;
        let will = other.message().await.with_context(|| format!("session of {expiry} s"))?;
        ensure!(will.text() == "gone", "{will:?}");
    }
    Ok(())
}

async fn a_will_is_not_published_when_its_client_is_back_in_time(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let delay = none().four(property::WILL_DELAY, 4);
    let connect = lab.connect("a").persistent(60);
    lab.join(&connect.clone().will_with(&topic, "gone", 1, false, delay)).await?.0.vanish().await;
    let (back, welcome) = lab.join(&connect).await?;
    ensure!(welcome.present, "the session is gone");
    // There is nothing to wait for but that nothing comes.
    sleep(Duration::from_secs(6)).await;
    let heard = heard(&lab, &mut other, &topic).await?;
    ensure!(heard.is_empty(), "{heard:?}");
    back.leave().await
}

async fn a_will_carries_its_properties(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = listener(&lab, &topic).await?;
    let properties = none().text(property::CONTENT_TYPE, "text").user("b", "1").user("a", "2").user("b", "3");
    let (peer, _) = lab.join(&lab.connect("a").will_with(&topic, "gone", 1, false, properties)).await?;
    peer.vanish().await;
    let will = other.message().await?;
    let users: Vec<_> = will.properties.all(property::USER).cloned().collect();
    let wanted = [("b", "1"), ("a", "2"), ("b", "3")].map(|(name, value)| Value::Pair(name.into(), value.into()));
    ensure!(users == wanted, "{users:?}");
    ensure!(will.properties.get(property::CONTENT_TYPE) == Some(&Value::Text("text".into())), "{will:?}");
    Ok(())
}
