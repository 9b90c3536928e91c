//! PUBLISH, and what answers it.

use anyhow::{Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Packet, Publish, packet, string},
    peer::{End, PUBACK, PUBCOMP, PUBREC, PUBREL},
};

use crate::{
    cases,
    lab::{Lab, PASSWORD, USER},
};

cases! {
    each_qos_is_answered_as_it_must_be: "3.3.4-1 2.3.1-6", "3.3.4-1 2.2.1-5 3.4.2-1 3.5.2-1 3.7.2-1 4.3.3-8 4.3.3-11";
    qos_3_is_not_taken: "3.3.1-4 4.8.0-1", "3.3.1-4 4.13.1-1";
    a_packet_identifier_must_not_be_0: "2.3.1-1 4.8.0-1", "2.2.1-3 4.13.1-1";
    an_acknowledged_identifier_is_free_for_a_new_message: "4.3.2-2", "4.3.2-4 4.3.2-5";
    acknowledgements_come_in_order: "4.6.0-2 4.6.0-3", "4.6.0-2 4.6.0-3";
    what_may_not_be_published_is_answered_all_the_same: "3.3.5-2", "3.4.2-1 3.5.2-1 4.3.3-9";
    a_topic_name_has_no_wildcard: "3.3.2-2 4.7.1-1", "3.3.2-2 4.7.0-1";
    a_topic_name_is_not_empty: "4.7.3-1", "4.7.3-1";
    acknowledgements_of_nothing_do_no_harm: "", "3.6.2-1 3.7.2-1";
}

async fn each_qos_is_answered_as_it_must_be(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    for qos in 0..=2 {
        let code = peer.publish(Publish::new(&lab.topic("text"), "text", qos)).await?;
        // Nobody has subscribed, which 5.0 may say.
        ensure!(matches!(code, 0 | 0x10), "{code:#x} at {qos}");
    }
    peer.ping().await
}

async fn qos_3_is_not_taken(lab: Lab) -> Result<()> {
    for dup in [false, true] {
        let publish = Publish { dup, ..Publish::new(&lab.topic("text"), "text", 3).id(1) };
        lab.refuses_of_a_client(&publish.bytes(lab.version), &[0x81, 0x82]).await?;
    }
    Ok(())
}

async fn a_packet_identifier_must_not_be_0(lab: Lab) -> Result<()> {
    for qos in 1..=2 {
        let publish = Publish::new(&lab.topic("text"), "text", qos);
        lab.refuses_of_a_client(&publish.bytes(lab.version), &[0x81, 0x82]).await?;
    }
    let mut body = vec![0, 0];
    if lab.version == 5 {
        body.push(0);
    }
    string(&mut body, lab.topic("text").as_bytes());
    lab.refuses_of_a_client(&packet(0xA2, &body), &[0x81, 0x82]).await?;
    body.push(1);
    lab.refuses_of_a_client(&packet(0x82, &body), &[0x81, 0x82]).await
}

async fn an_acknowledged_identifier_is_free_for_a_new_message(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let mut peer = lab.peer("a").await?;
    peer.subscribe(&topic, 1).await?;
    for (text, dup) in [("one", false), ("two", true), ("three", true)] {
        let publish = Publish { dup, ..Publish::new(&topic, text, 1).id(7_000) };
        peer.send(&publish.bytes(lab.version)).await?;
        peer.ack(PUBACK, 7_000).await?;
        let heard = peer.message().await?.text();
        ensure!(heard == text, "{heard}");
    }
    Ok(())
}

async fn acknowledgements_come_in_order(lab: Lab) -> Result<()> {
    for (qos, kind) in [(1, PUBACK), (2, PUBREC)] {
        let mut peer = lab.peer("a").await?;
        let mut bytes = Vec::new();
        let ids = [9_u16, 3, 700, 4, 65_535, 1];
        for id in ids {
            bytes.extend(Publish::new(&lab.topic("text"), "text", qos).id(id).bytes(lab.version));
        }
        peer.send(&bytes).await?;
        for id in ids {
            peer.ack(kind, id).await?;
        }
        if qos == 2 {
            for id in ids {
                peer.say(PUBREL, id).await?;
            }
            for id in ids {
                peer.ack(PUBCOMP, id).await?;
            }
        }
        peer.leave().await?;
    }
    Ok(())
}

async fn what_may_not_be_published_is_answered_all_the_same(lab: Lab) -> Result<()> {
    let allowed = format!("allowed/{}", lab.topic("text"));
    for (qos, kind) in [(1, PUBACK), (2, PUBREC)] {
        let mut peer = lab.socket_to(lab.broker.guarded).await?;
        peer.offer(&lab.connect("a").account(USER, PASSWORD)).await?;
        // A second time under the same identifier: a refusal has made it free.
        for _ in 0..2 {
            peer.send(&Publish::new(&lab.topic("forbidden"), "text", qos).id(5).bytes(lab.version)).await?;
            match peer.next().await? {
                Some(Packet::Ack { kind: came, id: 5, code, .. }) if came == kind => {
                    ensure!(lab.version == 4 || code == 0x87, "{code:#x} at {qos}");
                }
                Some(Packet::Disconnect { code: 0x87, .. }) | None => return Ok(()),
                other => anyhow::bail!("{other:?} at {qos}"),
            }
        }
        if lab.version == 5 {
            let code = peer.publish(Publish::new(&allowed, "text", qos)).await?;
            ensure!(matches!(code, 0 | 0x10), "{code:#x} for what is allowed");
        }
    }
    Ok(())
}

async fn a_topic_name_has_no_wildcard(lab: Lab) -> Result<()> {
    for topic in ["lab/#", "#", "+", "lab/+/text", "lab/a+"] {
        for qos in 0..=1 {
            let publish = Publish::new(topic, "text", qos).id(u16::from(qos));
            lab.refuses_of_a_client(&publish.bytes(lab.version), &[0x81, 0x82, 0x90]).await?;
        }
    }
    for topic in ["lab/#", "lab/+/will"] {
        let connect = lab.connect("a").will(topic, "gone", 0, false);
        lab.turned_away(&connect.bytes(), &[5], &[0x81, 0x82, 0x90]).await?;
    }
    Ok(())
}

async fn a_topic_name_is_not_empty(lab: Lab) -> Result<()> {
    let codes = [0x81, 0x82, 0x90];
    lab.refuses_of_a_client(&Publish::new("", "text", 0).bytes(lab.version), &codes).await?;
    lab.turned_away(&lab.connect("a").will("", "gone", 0, false).bytes(), &[5], &codes).await
}

async fn acknowledgements_of_nothing_do_no_harm(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    peer.acknowledges = false;
    peer.say(PUBREL, 77).await?;
    match peer.answer().await? {
        Packet::Ack { kind: PUBCOMP, id: 77, code, .. } => ensure!(matches!(code, 0 | 0x92), "{code:#x}"),
        other => anyhow::bail!("{other:?} came instead of PUBCOMP"),
    }
    let end = match peer.say(PUBREC, 78).await {
        Ok(()) => peer.next().await?,
        Err(_) => None,
    };
    match end {
        Some(Packet::Ack { kind: PUBREL, id: 78, code, .. }) => ensure!(matches!(code, 0 | 0x92), "{code:#x}"),
        Some(Packet::Disconnect { code, .. }) => ensure!(code == 0x82, "{:?}", End::Said(code)),
        None => {}
        other => anyhow::bail!("{other:?} came instead of PUBREL"),
    }
    Ok(())
}
