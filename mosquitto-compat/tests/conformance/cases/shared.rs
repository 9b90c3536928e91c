//! Shared subscriptions.

use anyhow::{Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Packet, Publish, packet},
    peer::{PUBREC, PUBREL, Peer, subscribe},
};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    a_message_comes_to_one_member_of_each_share: "", "S4.8.2";
    a_share_has_a_name_and_a_filter: "", "4.8.2-1 4.8.2-2";
    a_member_hears_at_the_qos_that_it_was_granted: "", "4.8.2-3";
    a_member_that_comes_back_gets_the_rest_of_its_delivery: "", "4.8.2-4";
    what_a_member_took_is_not_given_to_another: "", "4.8.2-5";
    what_a_member_refused_is_not_given_to_another: "", "4.8.2-6";
    a_share_finds_no_retained_messages: "", "S4.8.2";
}

impl Lab {
    fn share(&self, topic: &str) -> String {
        format!("$share/group{}/{}", self.id("g"), self.topic(topic))
    }
}

async fn member(lab: &Lab, name: &str, options: u8) -> Result<Peer> {
    let mut peer = lab.peer(name).await?;
    let code = peer.subscribe(&lab.share("text"), options).await?;
    ensure!(code == options, "{code:#x} granted for {options}");
    Ok(peer)
}

async fn a_message_comes_to_one_member_of_each_share(lab: Lab) -> Result<()> {
    let (mut one, mut two) = (member(&lab, "a", 1).await?, member(&lab, "b", 1).await?);
    let mut alone = lab.peer("c").await?;
    alone.subscribe(&lab.topic("text"), 1).await?;
    let said: Vec<_> = (0..40).map(|number| format!("{number:02}")).collect();
    for text in &said {
        lab.say(Publish::new(&lab.topic("text"), text, 1)).await?;
        ensure!(alone.message().await?.text() == *text, "not who is in no share");
    }
    let mut heard = Vec::new();
    let mut parts = Vec::new();
    // Not all of it may have come when the first PINGRESP has.
    while heard.len() < said.len() {
        let part = [one.so_far().await?, two.so_far().await?];
        parts.push(part.each_ref().map(Vec::len));
        heard.extend(part.into_iter().flatten().map(|message| message.text()));
        ensure!(parts.len() < 10_000, "{} of {}", heard.len(), said.len());
    }
    heard.sort();
    ensure!(heard == said, "{heard:?}");
    let both = (0..2).all(|member| parts.iter().any(|part| part[member] > 0));
    ensure!(both, "one of them has heard everything: {parts:?}");
    Ok(())
}

async fn a_share_has_a_name_and_a_filter(lab: Lab) -> Result<()> {
    for filter in
        ["$share/", "$share/group", "$share/group/", "$share//text", "$share/gr+oup/text", "$share/gr#oup/text"]
    {
        let mut peer = lab.peer("a").await?;
        peer.send(&subscribe(5, 1, &[(filter, 1)], &none())).await?;
        match peer.next().await? {
            None | Some(Packet::Disconnect { code: 0x81 | 0x82 | 0x8F, .. }) => {}
            Some(Packet::Answer { codes, .. }) => ensure!(codes == [0x8F], "`{filter}`: {codes:?}"),
            other => anyhow::bail!("{other:?} for `{filter}`"),
        }
    }
    Ok(())
}

async fn a_member_hears_at_the_qos_that_it_was_granted(lab: Lab) -> Result<()> {
    for granted in 0..=2 {
        let mut peer = member(&lab, "a", granted).await?;
        for qos in 0..=2 {
            lab.say(Publish::new(&lab.topic("text"), "text", qos)).await?;
            let message = peer.message().await?;
            ensure!(message.qos == qos.min(granted), "{message:?} of {qos} for {granted}");
        }
        peer.leave().await?;
    }
    Ok(())
}

/// Two members whose sessions stay; the one that has been given a QoS 2 message, and the other.
async fn given(lab: &Lab) -> Result<(&'static str, Peer, Publish, Peer)> {
    let mut members = Vec::new();
    for name in ["a", "b"] {
        let (mut peer, _) = lab.join(&lab.connect(name).persistent(60)).await?;
        peer.subscribe(&lab.share("text"), 2).await?;
        peer.acknowledges = false;
        members.push(peer);
    }
    lab.say(Publish::new(&lab.topic("text"), "text", 2)).await?;
    let (mut two, mut one) = (members.remove(1), members.remove(0));
    for _ in 0..10_000 {
        if let Some(message) = one.so_far().await?.pop() {
            return Ok(("a", one, message, two));
        }
        if let Some(message) = two.so_far().await?.pop() {
            return Ok(("b", two, message, one));
        }
    }
    anyhow::bail!("neither has heard it")
}

async fn a_member_that_comes_back_gets_the_rest_of_its_delivery(lab: Lab) -> Result<()> {
    let (name, peer, message, mut other) = given(&lab).await?;
    peer.vanish().await;
    let (mut peer, welcome) = lab.join(&lab.connect(name).persistent(60)).await?;
    ensure!(welcome.present, "the session is gone");
    peer.acknowledges = false;
    let again = peer.message().await?;
    ensure!(again.dup && again.id == message.id && again.text() == "text", "{again:?}");
    peer.say(PUBREC, again.id).await?;
    ensure!(peer.ack(PUBREL, again.id).await? == 0, "PUBREL refuses");
    let more = other.so_far().await?;
    ensure!(more.is_empty(), "{more:?} to the other");
    Ok(())
}

async fn what_a_member_took_is_not_given_to_another(lab: Lab) -> Result<()> {
    let (name, peer, _, mut other) = given(&lab).await?;
    peer.vanish().await;
    // A clean start ends the session.
    lab.peer(name).await?.leave().await?;
    lab.say(Publish::new(&lab.topic("text"), "end", 1)).await?;
    let heard = other.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn what_a_member_refused_is_not_given_to_another(lab: Lab) -> Result<()> {
    let (_, mut peer, message, mut other) = given(&lab).await?;
    let [high, low] = message.id.to_be_bytes();
    peer.send(&packet(0x50, &[high, low, 0x80])).await?;
    peer.ping().await?;
    let more = [peer.so_far().await?, other.so_far().await?].concat();
    ensure!(more.is_empty(), "{more:?}");
    Ok(())
}

async fn a_share_finds_no_retained_messages(lab: Lab) -> Result<()> {
    lab.say(Publish::new(&lab.topic("text"), "kept", 1).retained()).await?;
    let mut peer = member(&lab, "a", 1).await?;
    lab.say(Publish::new(&lab.topic("text"), "end", 1)).await?;
    let heard = peer.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}
