use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use bugbrother_kit::{
    broker::Broker,
    mqtt::{Client, VERSIONS},
    on_each_broker,
};

use crate::{
    field::{Field, Proof},
    topics::{SERVERS_OWN, foreign, own},
};

on_each_broker!(
    nothing_that_a_vehicle_with_a_password_says_for_others_is_heard_or_kept,
    nothing_that_a_vehicle_with_a_certificate_says_for_others_is_heard_or_kept,
);

async fn nothing_that_a_vehicle_with_a_password_says_for_others_is_heard_or_kept(broker: Broker) -> Result<()> {
    speak(&Field::open(broker, Proof::Password).await?).await
}

async fn nothing_that_a_vehicle_with_a_certificate_says_for_others_is_heard_or_kept(broker: Broker) -> Result<()> {
    speak(&Field::open(broker, Proof::Certificate).await?).await
}

const BEFORE: &str = "was there before";
const END: &str = "the end";
const WAYS: [(u8, bool); 4] = [(0, false), (1, false), (0, true), (1, true)];

async fn speak(field: &Field) -> Result<()> {
    let mut writer = field.writer().await?;
    for topic in foreign() {
        writer.say(&topic, BEFORE, true).await?;
    }
    let mut watcher = field.watcher().await?;
    for version in VERSIONS {
        publish(field, version).await?;
        leave_wills(field, version).await?;
    }

    // What is retained is what was there before, and A's own.
    let mut kept = BTreeMap::new();
    let mut latecomer = field.latecomer().await?;
    while kept.len() < foreign().len() + own().len() {
        let message = latecomer.message().await?;
        if !message.topic.starts_with('$') {
            assert!(message.retain, "{message:?}");
            kept.insert(message.topic.clone(), message.text());
        }
    }
    for topic in foreign() {
        assert_eq!(kept[&topic], BEFORE, "{topic}");
    }

    // Whatever went out to one of these topics went out before this.
    for topic in foreign() {
        writer.say(&topic, END, false).await?;
    }
    let mut ended = BTreeSet::new();
    let heard = watcher
        .messages_until(|message| {
            if message.text() == END {
                ended.insert(message.topic.clone());
            }
            ended.len() == foreign().len()
        })
        .await?;
    let by_a: BTreeSet<_> =
        heard.into_iter().filter(|m| m.text().starts_with("A says")).map(|m| (m.topic.clone(), m.text())).collect();
    let expected: BTreeSet<_> = VERSIONS.into_iter().flat_map(said_of_its_own).collect();
    assert_eq!(by_a, expected, "all that A says of itself is heard, and nothing else of what it says");
    Ok(())
}

fn words(version: u8, qos: u8, retain: bool, what: &str) -> String {
    format!("A says by {what}, version {version}, QoS {qos}, retained {retain}")
}

fn said_of_its_own(version: u8) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for topic in own() {
        for (qos, retain) in WAYS {
            said.extend(["publish", "will"].map(|what| (topic.clone(), words(version, qos, retain, what))));
        }
    }
    said
}

async fn publish(field: &Field, version: u8) -> Result<()> {
    let mut a = field.a(version).await?;
    for (qos, retain) in WAYS {
        let words = words(version, qos, retain, "publish");
        for topic in own() {
            assert!(a.publish(&topic, words.as_bytes(), qos, retain).await? < 0x80, "{topic}");
        }
        // 3.1.1 has no word for "denied".
        let denied = if (version, qos) == (5, 1) { 0x87 } else { 0 };
        for topic in foreign().iter().map(String::as_str).chain(SERVERS_OWN) {
            let code = a.publish(topic, words.as_bytes(), qos, retain).await?;
            assert_eq!(code, denied, "{topic}, version {version}, QoS {qos}, retained {retain}");
        }
    }
    a.leave().await
}

/// A session that is taken over has said its will before the new one is let in.
async fn leave_wills(field: &Field, version: u8) -> Result<()> {
    let mut last: Option<Client> = None;
    let (own, foreign) = (own(), foreign());
    for (qos, retain) in WAYS {
        let words = words(version, qos, retain, "will");
        for topic in own.iter().chain(&foreign).map(String::as_str).chain(SERVERS_OWN) {
            match field.offer_a(|connect| connect.will(topic, &words, qos, retain), version).await? {
                Ok(client) => last = Some(client),
                Err(code) => {
                    assert!(!own.iter().any(|own| own == topic), "{topic}: refused with {code:#x}");
                    assert_eq!(code, if version == 5 { 0x87 } else { 5 }, "{topic}, version {version}");
                }
            }
        }
    }
    let successor = field.a(version).await?;
    if let Some(mut last) = last {
        last.ends().await?;
    }
    successor.leave().await
}
