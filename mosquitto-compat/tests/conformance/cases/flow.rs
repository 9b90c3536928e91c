//! How many messages may be under way.

use anyhow::{Result, ensure};
use bugbrother_kit::mqtt::{
    packet::Publish,
    peer::{PUBACK, PUBCOMP, PUBREC, PUBREL},
    property,
};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    no_more_comes_than_the_client_takes_at_once: "", "3.3.4-9 4.9.0-1 4.9.0-2";
    a_qos_2_message_is_under_way_until_pubcomp: "", "3.3.4-9 4.9.0-2";
    qos_0_and_all_else_goes_on_meanwhile: "", "3.3.4-10 4.9.0-3";
    who_sends_more_than_is_taken_at_once_is_ended: "", "S3.3.4";
}

async fn no_more_comes_than_the_client_takes_at_once(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let (mut peer, _) = lab.join(&lab.connect("a").with(none().two(property::RECEIVE_MAXIMUM, 2))).await?;
    peer.subscribe(&topic, 1).await?;
    peer.acknowledges = false;
    for number in 0..6 {
        lab.say(Publish::new(&topic, &number.to_string(), 1)).await?;
    }
    let (mut next, mut open) = (0, Vec::new());
    while next < 6 {
        let message = peer.message().await?;
        ensure!(message.text() == next.to_string(), "{message:?} instead of {next}");
        next += 1;
        open.push(message.id);
        if open.len() == 2 {
            let more = peer.so_far().await?;
            ensure!(more.is_empty(), "{more:?} while 2 are under way");
            peer.say(PUBACK, open.remove(0)).await?;
        }
    }
    Ok(())
}

async fn a_qos_2_message_is_under_way_until_pubcomp(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let (mut peer, _) = lab.join(&lab.connect("a").with(none().two(property::RECEIVE_MAXIMUM, 1))).await?;
    peer.subscribe(&topic, 2).await?;
    peer.acknowledges = false;
    for text in ["one", "two"] {
        lab.say(Publish::new(&topic, text, 2)).await?;
    }
    let one = peer.message().await?;
    peer.say(PUBREC, one.id).await?;
    peer.ack(PUBREL, one.id).await?;
    let more = peer.so_far().await?;
    ensure!(more.is_empty(), "{more:?} before PUBCOMP");
    peer.say(PUBCOMP, one.id).await?;
    let two = peer.message().await?;
    ensure!(two.text() == "two", "{two:?}");
    Ok(())
}

async fn qos_0_and_all_else_goes_on_meanwhile(lab: Lab) -> Result<()> {
    let (held, free) = (lab.topic("held"), lab.topic("free"));
    let (mut peer, _) = lab.join(&lab.connect("a").with(none().two(property::RECEIVE_MAXIMUM, 1))).await?;
    peer.subscribe(&held, 1).await?;
    peer.acknowledges = false;
    for _ in 0..2 {
        lab.say(Publish::new(&held, "held", 1)).await?;
    }
    let first = peer.message().await?;
    // Nothing of this waits for the acknowledgement.
    peer.ping().await?;
    peer.subscribe(&free, 0).await?;
    peer.publish(Publish::new(&lab.topic("own"), "own", 2)).await?;
    peer.unsubscribe(&[&free]).await?;
    peer.say(PUBACK, first.id).await?;
    ensure!(peer.message().await?.text() == "held", "something else");
    Ok(())
}

/// QoS 2 messages that are not released, one more than CONNACK says; 65,535 have no more identifiers.
async fn who_sends_more_than_is_taken_at_once_is_ended(lab: Lab) -> Result<()> {
    let (mut peer, welcome) = lab.join(&lab.connect("a")).await?;
    let maximum = welcome.properties.number(property::RECEIVE_MAXIMUM).unwrap_or(65_535) as u16;
    if maximum == 65_535 {
        return Ok(());
    }
    let topic = lab.topic("text");
    for id in 1..=maximum {
        peer.send(&Publish::new(&topic, "text", 2).id(id).bytes(5)).await?;
    }
    for id in 1..=maximum {
        peer.ack(PUBREC, id).await?;
    }
    lab.refuses(&mut peer, &Publish::new(&topic, "text", 2).id(maximum + 1).bytes(5), &[0x93]).await
}
