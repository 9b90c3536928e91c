//! Texts, which must be UTF-8.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::packet::{Connect, Publish, Will, packet, string};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    a_topic_name_is_utf_8: "1.5.3-1 3.3.2-1 4.8.0-1", "1.5.4-1 3.3.2-1 4.13.1-1";
    a_filter_is_utf_8: "1.5.3-1 3.8.3-1 3.10.3-1", "1.5.4-1 3.8.3-1 3.10.3-1";
    a_client_identifier_is_utf_8: "1.5.3-1 3.1.3-4", "1.5.4-1 3.1.3-4";
    a_will_topic_is_utf_8: "1.5.3-1 3.1.3-10", "1.5.4-1 3.1.3-11";
    a_user_name_is_utf_8: "1.5.3-1 3.1.3-11", "1.5.4-1 3.1.3-12";
    a_text_has_no_zero: "1.5.3-2 4.7.3-2", "1.5.4-2 4.7.3-2";
    a_byte_order_mark_stays_where_it_is: "1.5.3-3", "1.5.4-3";
}

/// What is not UTF-8: a lone byte, one too many, a surrogate, a slash in two bytes, U+110000, an end that is missing.
const BAD: [&[u8]; 6] = [b"\xFF", b"a\x80", b"\xED\xA0\x80", b"\xC0\xAF", b"\xF4\x90\x80\x80", b"a\xE2\x82"];

fn publish(lab: &Lab, topic: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, topic);
    if lab.version == 5 {
        body.push(0);
    }
    packet(0x30, &body)
}

/// SUBSCRIBE and UNSUBSCRIBE.
fn filters(lab: &Lab, filter: &[u8]) -> [Vec<u8>; 2] {
    let mut body = vec![0, 1];
    if lab.version == 5 {
        body.push(0);
    }
    string(&mut body, filter);
    [packet(0x82, &[&body[..], &[0]].concat()), packet(0xA2, &body)]
}

async fn a_topic_name_is_utf_8(lab: Lab) -> Result<()> {
    for text in BAD {
        let refused = lab.refuses_of_a_client(&publish(&lab, text), &[0x81, 0x82, 0x90]).await;
        refused.with_context(|| format!("{text:?}"))?;
    }
    Ok(())
}

async fn a_filter_is_utf_8(lab: Lab) -> Result<()> {
    for text in BAD {
        for bytes in filters(&lab, text) {
            let refused = lab.refuses_of_a_client(&bytes, &[0x81, 0x82, 0x8F]).await;
            refused.with_context(|| format!("{bytes:?}"))?;
        }
    }
    Ok(())
}

async fn a_client_identifier_is_utf_8(lab: Lab) -> Result<()> {
    for text in BAD {
        let connect = Connect { client_id: [b"c", text].concat(), ..lab.connect("a") };
        lab.turned_away(&connect.bytes(), &[2], &[0x81, 0x82, 0x85]).await.with_context(|| format!("{text:?}"))?;
    }
    Ok(())
}

async fn a_will_topic_is_utf_8(lab: Lab) -> Result<()> {
    for text in BAD {
        let will = Will { topic: text.to_vec(), payload: vec![], qos: 0, retain: false, properties: none() };
        let connect = Connect { will: Some(will), ..lab.connect("a") };
        lab.turned_away(&connect.bytes(), &[], &[0x81, 0x82, 0x90]).await.with_context(|| format!("{text:?}"))?;
    }
    Ok(())
}

async fn a_user_name_is_utf_8(lab: Lab) -> Result<()> {
    for text in BAD {
        let connect = Connect { user: Some(text.to_vec()), ..lab.connect("a") };
        lab.turned_away(&connect.bytes(), &[4, 5], &[0x81, 0x82, 0x86]).await.with_context(|| format!("{text:?}"))?;
    }
    Ok(())
}

async fn a_text_has_no_zero(lab: Lab) -> Result<()> {
    let text = b"a\0b";
    lab.refuses_of_a_client(&publish(&lab, text), &[0x81, 0x82, 0x90]).await.context("a topic name")?;
    for bytes in filters(&lab, text) {
        let refused = lab.refuses_of_a_client(&bytes, &[0x81, 0x82, 0x8F]).await;
        refused.with_context(|| format!("filter of {:#x}", bytes[0]))?;
    }
    let connect = Connect { client_id: text.to_vec(), ..lab.connect("a") };
    lab.turned_away(&connect.bytes(), &[2], &[0x81, 0x82, 0x85]).await?;
    let connect = Connect { user: Some(text.to_vec()), ..lab.connect("a") };
    lab.turned_away(&connect.bytes(), &[4, 5], &[0x81, 0x82, 0x86]).await
}

async fn a_byte_order_mark_stays_where_it_is(lab: Lab) -> Result<()> {
    let (with, without) = ("\u{FEFF}text", "text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&lab.topic("+"), 1).await?;
    for text in [with, without] {
        lab.say(Publish::new(&lab.topic(text), "text", 1)).await?;
        let message = peer.message().await?;
        ensure!(message.topic == lab.topic(text), "{message:?}");
    }
    let mut other = lab.peer("b").await?;
    other.subscribe(&lab.topic(without), 1).await?;
    lab.say(Publish::new(&lab.topic(with), "other", 1)).await?;
    lab.say(Publish::new(&lab.topic(without), "end", 1)).await?;
    let mut heard = other.texts_until("end").await?;
    heard.extend(other.so_far().await?.iter().map(Publish::text));
    ensure!(heard.is_empty(), "{heard:?}");
    Ok(())
}
