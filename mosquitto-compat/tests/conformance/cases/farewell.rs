//! DISCONNECT of a client.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Publish, packet},
    peer::End,
    property,
};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    a_disconnect_ends_the_connection: "4.1.0-2", "3.14.4-2";
    what_was_said_before_a_disconnect_counts: "4.5.0-1", "4.5.0-1";
    what_comes_behind_a_disconnect_does_not: "4.8.0-1", "4.13.1-1";
    properties_of_disconnect_must_make_sense: "", "4.13.1-1";
}

async fn a_disconnect_ends_the_connection(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    let end = peer.refused(&packet(0xE0, &[])).await?;
    ensure!(end == End::Silent, "{end:?}");
    if lab.version == 5 {
        let mut body = vec![0];
        none().text(property::REASON, "done").user("name", "value").write(&mut body);
        let mut peer = lab.peer("a").await?;
        let end = peer.refused(&packet(0xE0, &body)).await?;
        ensure!(end == End::Silent, "{end:?}");
    }
    Ok(())
}

async fn what_was_said_before_a_disconnect_counts(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut other = lab.peer("b").await?;
    other.subscribe(&topic, 1).await?;
    let mut bytes = lab.connect("a").bytes();
    bytes.extend(Publish::new(&topic, "text", 0).bytes(lab.version));
    bytes.extend(packet(0xE0, &[]));
    lab.socket().await?.send(&bytes).await?;
    ensure!(other.message().await?.text() == "text", "something else");
    Ok(())
}

async fn what_comes_behind_a_disconnect_does_not(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut other = lab.peer("b").await?;
    other.subscribe(&topic, 1).await?;
    let mut peer = lab.peer("a").await?;
    let bytes = [packet(0xE0, &[]), Publish::new(&topic, "late", 0).bytes(lab.version)].concat();
    peer.refused(&bytes).await?;
    lab.say(Publish::new(&topic, "end", 1)).await?;
    let heard = other.texts_until("end").await?;
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}

async fn properties_of_disconnect_must_make_sense(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = lab.peer("b").await?;
    other.subscribe(&topic, 1).await?;
    for properties in [none().two(property::ALIAS, 1), none().text(property::REASON, "a").text(property::REASON, "b")] {
        let mut body = vec![0];
        properties.write(&mut body);
        // That it is no good-bye is seen by the will.
        let (mut peer, _) = lab.join(&lab.connect("a").will(&topic, "gone", 1, false)).await?;
        lab.refuses(&mut peer, &packet(0xE0, &body), &[0x81, 0x82]).await?;
        other.message().await.with_context(|| format!("{properties:?}"))?;
    }
    Ok(())
}
