//! Topic aliases, both ways.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::Publish,
    property::{self, Properties},
};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    an_alias_stands_for_its_topic: "", "3.3.2-12";
    every_alias_up_to_the_maximum_is_taken: "", "3.3.2-12";
    an_alias_is_forgotten_with_its_connection: "", "3.3.2-7";
    alias_0_or_above_the_maximum_or_unknown_is_not_taken: "", "3.3.2-8 4.13.1-1";
    no_alias_comes_to_who_takes_none: "", "3.1.2-27";
    no_alias_comes_above_the_client_s_maximum: "", "3.1.2-26 3.3.2-11 3.3.2-8";
}

fn alias(number: u16) -> Properties {
    none().two(property::ALIAS, number)
}

async fn an_alias_stands_for_its_topic(lab: Lab) -> Result<()> {
    let (one, two) = (lab.topic("one"), lab.topic("two"));
    let (mut reader, mut peer) = (lab.peer("reader").await?, lab.peer("a").await?);
    reader.subscribe(&lab.topic("+"), 1).await?;
    // Set, used, set to another, used.
    for (topic, meant) in [(&one, &one), (&String::new(), &one), (&two, &two), (&String::new(), &two)] {
        for qos in 0..=1 {
            peer.publish(Publish::new(topic, "text", qos).with(alias(1))).await?;
            let message = reader.message().await?;
            ensure!(message.topic == *meant, "{message:?} instead of {meant}");
            ensure!(!message.properties.has(property::ALIAS), "{message:?}");
        }
    }
    Ok(())
}

async fn every_alias_up_to_the_maximum_is_taken(lab: Lab) -> Result<()> {
    let (mut peer, welcome) = lab.join(&lab.connect("a")).await?;
    let maximum = welcome.properties.number(property::ALIAS_MAXIMUM).unwrap_or(0) as u16;
    peer.subscribe(&lab.topic("+"), 1).await?;
    for number in [1, 2, maximum / 2, maximum].into_iter().filter(|number| (1..=maximum).contains(number)) {
        let topic = lab.topic(&number.to_string());
        for said in [topic.as_str(), ""] {
            peer.publish(Publish::new(said, "text", 1).with(alias(number))).await?;
            let message = peer.message().await?;
            ensure!(message.topic == topic, "{message:?} for alias {number}");
        }
    }
    Ok(())
}

async fn an_alias_is_forgotten_with_its_connection(lab: Lab) -> Result<()> {
    let connect = lab.connect("a").persistent(60);
    let (mut peer, _) = lab.join(&connect).await?;
    peer.publish(Publish::new(&lab.topic("text"), "text", 1).with(alias(1))).await?;
    peer.leave().await?;
    let (mut peer, _) = lab.join(&connect).await?;
    let early = Publish::new("", "text", 0).with(alias(1));
    lab.refuses(&mut peer, &early.bytes(5), &[0x82, 0x94]).await?;
    lab.peer("a").await?.leave().await
}

async fn alias_0_or_above_the_maximum_or_unknown_is_not_taken(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let (_, welcome) = lab.join(&lab.connect("a")).await?;
    let maximum = welcome.properties.number(property::ALIAS_MAXIMUM).unwrap_or(0) as u16;
    let above = maximum.checked_add(1).map(|above| Publish::new(&topic, "text", 0).with(alias(above)));
    let zero = Publish::new(&topic, "text", 0).with(alias(0));
    let unknown = Publish::new("", "text", 0).with(alias(1));
    for publish in [zero, unknown].into_iter().chain(above) {
        let refused = lab.refuses_of_a_client(&publish.bytes(5), &[0x81, 0x82, 0x94]).await;
        refused.with_context(|| format!("{publish:?}"))?;
    }
    Ok(())
}

async fn no_alias_comes_to_who_takes_none(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    for _ in 0..4 {
        lab.say(Publish::new(&topic, "text", 1)).await?;
        let message = peer.message().await?;
        ensure!(message.topic == topic && !message.properties.has(property::ALIAS), "{message:?}");
    }
    Ok(())
}

async fn no_alias_comes_above_the_client_s_maximum(lab: Lab) -> Result<()> {
    let maximum = none().two(property::ALIAS_MAXIMUM, 2);
    let (mut peer, _) = lab.join(&lab.connect("a").with(maximum)).await?;
    peer.subscribe(&lab.topic("+"), 1).await?;
    let mut known = BTreeMap::new();
    for round in 0..3 {
        for number in 0..4 {
            let topic = lab.topic(&number.to_string());
            lab.say(Publish::new(&topic, "text", 1)).await?;
            let message = peer.message().await?;
            let alias = message.properties.number(property::ALIAS);
            ensure!(alias.is_none_or(|alias| (1..=2).contains(&alias)), "{message:?} in round {round}");
            let meant = if message.topic.is_empty() {
                known
                    .get(&alias.context("neither topic nor alias")?)
                    .cloned()
                    .context("an alias that stands for nothing")?
            } else {
                alias.map(|alias| known.insert(alias, message.topic.clone()));
                message.topic
            };
            ensure!(meant == topic, "{meant} instead of {topic}");
        }
    }
    Ok(())
}
