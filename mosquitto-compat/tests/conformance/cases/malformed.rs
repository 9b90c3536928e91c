//! Packets that are none.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Packet, Publish, packet},
    peer::{End, subscribe},
};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    wrong_flags_end_the_connection: "2.2.2-2 4.8.0-1", "2.1.3-1 4.13.1-1";
    wrong_flags_of_pubrel_end_the_connection: "3.6.1-1 2.2.2-2", "3.6.1-1 2.1.3-1";
    wrong_flags_of_subscribe_end_the_connection: "3.8.1-1 2.2.2-2", "3.8.1-1 2.1.3-1";
    wrong_flags_of_unsubscribe_end_the_connection: "3.10.1-1 2.2.2-2", "3.10.1-1 2.1.3-1";
    wrong_flags_of_disconnect_end_the_connection: "3.14.1-1 2.2.2-2", "3.14.1-1 2.1.3-1";
    wrong_flags_of_auth_end_the_connection: "", "3.15.1-1 2.1.3-1";
    what_only_servers_send_ends_the_connection: "4.8.0-1", "4.13.1-1";
    packets_that_are_too_short_end_the_connection: "4.8.0-1", "4.13.1-1";
    a_length_that_does_not_end_ends_the_connection: "4.8.0-1", "1.5.5-1 4.13.1-1";
    a_ping_is_answered: "3.12.4-1", "3.12.4-1";
    packets_may_come_byte_by_byte_or_all_at_once: "7.1.1-1", "4.2.0-1";
    errors_are_told_before_the_end: "", "S4.13.1";
    a_disconnect_is_the_last_word: "", "3.14.2-1 3.14.2-2 3.14.4-1 3.14.4-2 4.13.2-1";
}

async fn ends_at(lab: &Lab, firsts: &[u8], body: &[u8]) -> Result<()> {
    for first in firsts {
        let refused = lab.refuses_of_a_client(&packet(*first, body), &[0x81, 0x82]).await;
        refused.with_context(|| format!("{first:#x}"))?;
    }
    Ok(())
}

async fn wrong_flags_end_the_connection(lab: Lab) -> Result<()> {
    ends_at(&lab, &[0xC1, 0xC8], &[]).await?;
    ends_at(&lab, &[0x41, 0x42, 0x48, 0x51, 0x58, 0x72, 0x78], &[0, 1]).await
}

async fn wrong_flags_of_pubrel_end_the_connection(lab: Lab) -> Result<()> {
    ends_at(&lab, &[0x60, 0x61, 0x63, 0x6A], &[0, 1]).await
}

async fn wrong_flags_of_subscribe_end_the_connection(lab: Lab) -> Result<()> {
    let whole = subscribe(lab.version, 1, &[(&lab.topic("text"), 0)], &none());
    ends_at(&lab, &[0x80, 0x81, 0x83, 0x8A], &whole[2..]).await
}

async fn wrong_flags_of_unsubscribe_end_the_connection(lab: Lab) -> Result<()> {
    let whole = subscribe(lab.version, 1, &[(&lab.topic("text"), 0)], &none());
    ends_at(&lab, &[0xA0, 0xA1, 0xA3, 0xAA], &whole[2..whole.len() - 1]).await
}

async fn wrong_flags_of_disconnect_end_the_connection(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = lab.peer("listener").await?;
    other.subscribe(&topic, 1).await?;
    for first in [0xE1, 0xE8] {
        // That it is no good-bye is seen by the will.
        let (mut peer, _) = lab.join(&lab.connect("a").will(&topic, "gone", 1, false)).await?;
        lab.refuses(&mut peer, &packet(first, &[]), &[0x81]).await?;
        ensure!(other.message().await?.text() == "gone", "something else");
    }
    Ok(())
}

async fn wrong_flags_of_auth_end_the_connection(lab: Lab) -> Result<()> {
    ends_at(&lab, &[0xF1, 0xF8], &[0x18, 0]).await?;
    ends_at(&lab, &[0xF0], &[0x18, 0]).await
}

async fn what_only_servers_send_ends_the_connection(lab: Lab) -> Result<()> {
    ends_at(&lab, &[0x00, 0x20, 0x90, 0xB0], &[0, 0]).await?;
    ends_at(&lab, &[0xD0], &[]).await?;
    if lab.version == 4 { ends_at(&lab, &[0xF0], &[]).await } else { Ok(()) }
}

async fn packets_that_are_too_short_end_the_connection(lab: Lab) -> Result<()> {
    ends_at(&lab, &[0x40, 0x50, 0x62, 0x70, 0x82, 0xA2], &[0]).await?;
    ends_at(&lab, &[0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0x30, 0x32], &[]).await?;
    // A topic that is longer than its packet, and a packet identifier that is not there.
    ends_at(&lab, &[0x30], &[0, 9, b'a']).await?;
    ends_at(&lab, &[0x32], &[0, 1, b'a', 0]).await?;
    ends_at(&lab, &[0xC0], &[0]).await
}

async fn a_length_that_does_not_end_ends_the_connection(lab: Lab) -> Result<()> {
    lab.refuses_of_a_client(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], &[0x81, 0x82, 0x95]).await?;
    lab.refuses_of_a_client(&[0xC0, 0x80, 0x80, 0x80, 0x80, 0x00], &[0x81, 0x82]).await
}

async fn a_ping_is_answered(lab: Lab) -> Result<()> {
    let mut peer = lab.peer("a").await?;
    for _ in 0..3 {
        peer.ping().await?;
    }
    Ok(())
}

async fn packets_may_come_byte_by_byte_or_all_at_once(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let all = [
        lab.connect("a").bytes(),
        subscribe(lab.version, 1, &[(&topic, 0)], &none()),
        Publish::new(&topic, "text", 0).bytes(lab.version),
        packet(0xC0, &[]),
    ];
    for pieces in [1, 3, 7, usize::MAX] {
        let mut peer = lab.socket().await?;
        for piece in all.concat().chunks(pieces) {
            peer.send(piece).await?;
        }
        let mut came = Vec::new();
        while came.len() < all.len() {
            came.push(match peer.next().await? {
                Some(Packet::ConnAck { .. }) => 1,
                Some(Packet::Answer { .. }) => 2,
                Some(Packet::Publish(_)) => 3,
                Some(Packet::PingResp) => 4,
                other => anyhow::bail!("{other:?} after {came:?}"),
            });
        }
        // A message may take its time.
        came.sort_unstable();
        ensure!(came == [1, 2, 3, 4], "{came:?}");
        peer.leave().await?;
    }
    Ok(())
}

/// Whatever it says when it ends a connection: one packet, with a code and properties that are a server's, and the end.
async fn a_disconnect_is_the_last_word(lab: Lab) -> Result<()> {
    for bytes in [packet(0x80, &[0, 1]), packet(0xC0, &[])] {
        let mut older = lab.peer("refused").await?;
        older.ping().await?;
        if bytes[0] == 0x80 {
            older.refused(&bytes).await?;
        } else {
            let _newer = lab.peer("refused").await?;
            older.ended().await?;
        }
    }
    Ok(())
}

async fn errors_are_told_before_the_end(lab: Lab) -> Result<()> {
    let topic = lab.topic("text");
    let qos_3 = Publish::new(&topic, "text", 3).id(1).bytes(5);
    let wildcard = Publish::new("lab/#", "text", 0).bytes(5);
    for (bytes, codes) in [
        (packet(0x20, &[0, 0, 0]), &[0x81, 0x82][..]),
        (lab.connect("refused").bytes(), &[0x82]),
        (qos_3, &[0x81]),
        (wildcard, &[0x82, 0x90]),
        (packet(0x80, &[0, 1]), &[0x81]),
        (packet(0xC1, &[]), &[0x81]),
        (subscribe(5, 1, &[(&topic, 0xC0)], &none()), &[0x81, 0x82]),
        (subscribe(5, 1, &[], &none()), &[0x81, 0x82]),
        (vec![0xC0, 0x80, 0x80, 0x80, 0x80], &[0x81]),
    ] {
        let mut peer = lab.peer("refused").await?;
        match peer.refused(&bytes).await? {
            End::Said(code) => ensure!(codes.contains(&code), "{code:#x} for {bytes:?}"),
            End::Silent => anyhow::bail!("nothing for {bytes:?}"),
        }
    }
    Ok(())
}
