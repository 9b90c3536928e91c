//! What the client's maximum packet size allows.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::Publish,
    peer::{PUBREC, PUBREL, Peer, subscribe},
    property,
};

use crate::{
    cases,
    lab::{Lab, PASSWORD, USER, none},
};

cases! {
    a_message_that_is_too_large_is_left_out: "", "3.1.2-24 3.1.2-25";
    answers_are_no_larger_than_the_client_takes: "", "3.1.2-24 3.4.2-2 3.4.2-3 3.5.2-2 3.5.2-3 3.6.2-2 3.6.2-3 3.7.2-2 3.7.2-3 3.9.2-1 3.9.2-2 3.11.2-1 3.11.2-2";
    a_farewell_is_no_larger_than_the_client_takes: "", "3.1.2-24 3.14.2-3 3.14.2-4";
}

/// Room for a topic of the lab's and some payload.
const MAXIMUM: u32 = 200;
/// Room for answers that say little but their codes, and for CONNACK.
const SMALL: u32 = 64;

async fn a_message_that_is_too_large_is_left_out(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let properties = none().four(property::MAXIMUM_PACKET, MAXIMUM);
    let (mut peer, _) = lab.join(&lab.connect("a").with(properties)).await?;
    peer.subscribe(&topic, 2).await?;
    for qos in 0..=2 {
        lab.say(Publish::new(&topic, &"x".repeat(300), qos)).await?;
        // Its properties count too.
        lab.say(Publish::new(&topic, "short", qos).with(none().user("name", &"x".repeat(300)))).await?;
    }
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    // Nothing is under way for ever.
    for _ in 0..50 {
        lab.say(Publish::new(&topic, "after", 1)).await?;
        ensure!(peer.message().await?.text() == "after", "something else");
    }
    Ok(())
}

async fn small(lab: &Lab, guarded: bool) -> Result<Peer> {
    let connect = lab.connect("a").account(USER, PASSWORD);
    let mut peer = lab.socket_to(if guarded { lab.broker.guarded } else { lab.broker.open }).await?;
    let welcome = peer.offer(&connect.with(none().four(property::MAXIMUM_PACKET, SMALL))).await?;
    ensure!(welcome.context("no CONNACK")?.code == 0, "refused");
    ensure!(peer.largest <= SMALL as usize, "CONNACK of {} bytes", peer.largest);
    Ok(peer)
}

async fn answers_are_no_larger_than_the_client_takes(lab: Lab) -> Result<()> {
    let mut peer = small(&lab, true).await?;
    peer.acknowledges = false;
    let forbidden = lab.topic("forbidden");
    for qos in 1..=2 {
        peer.send(&Publish::new(&forbidden, "text", qos).id(qos.into()).bytes(5)).await?;
        peer.answer().await?;
    }
    peer.send(&subscribe(5, 3, &[(&forbidden, 0)], &none())).await?;
    peer.answer().await?;
    peer.unsubscribe(&[&forbidden]).await?;
    peer.say(PUBREL, 77).await?;
    peer.answer().await?;
    ensure!(peer.largest <= SMALL as usize, "{} bytes", peer.largest);
    // For a release of nothing there is no need to answer.
    peer.say(PUBREC, 78).await?;
    drop(peer.next().await);
    ensure!(peer.largest <= SMALL as usize, "{} bytes", peer.largest);
    Ok(())
}

async fn a_farewell_is_no_larger_than_the_client_takes(lab: Lab) -> Result<()> {
    let mut peer = small(&lab, false).await?;
    lab.refuses(&mut peer, &lab.connect("a").bytes(), &[0x82]).await?;
    ensure!(peer.largest <= SMALL as usize, "{} bytes", peer.largest);
    let mut older = small(&lab, false).await?;
    let _newer = small(&lab, false).await?;
    older.ended().await?;
    ensure!(older.largest <= SMALL as usize, "{} bytes", older.largest);
    Ok(())
}
