//! CONNECT and CONNACK.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Connect, Publish, packet},
    peer::{End, subscribe},
    property::{self, Properties},
};

use crate::{
    cases,
    lab::{Lab, none},
};

cases! {
    a_good_connect_is_answered_with_connack: "3.1.4-4 3.2.0-1 7.1.1-1", "3.1.4-5 3.2.0-1 3.2.2-1 3.2.2-8 2.2.2-1 1.5.5-1 4.2.0-1 4.12.0-6";
    nothing_is_taken_before_connect: "3.1.0-1 4.8.0-1", "3.1.0-1 3.14.0-1 4.13.1-1";
    a_second_connect_ends_the_connection: "3.1.0-2 4.8.0-1", "3.1.0-2 3.2.0-2 4.13.1-1";
    a_wrong_protocol_name_is_not_taken: "3.1.2-1", "3.1.2-1";
    an_unknown_version_is_refused: "3.1.2-2 3.2.2-4 3.2.2-5", "3.1.2-2 3.14.0-1";
    the_reserved_flag_of_connect_must_be_0: "3.1.2-3 3.1.4-1", "3.1.2-3 3.1.4-1";
    a_connect_of_wrong_length_or_flags_is_not_taken: "3.1.4-1 2.2.2-2", "3.1.4-1 2.1.3-1";
    a_connection_that_is_silent_ends: "3.1.2-24", "3.1.2-22 3.2.2-22";
    properties_of_connect_must_make_sense: "", "3.1.4-1 4.13.1-1";
    an_authentication_method_that_is_not_there_ends_the_connection: "", "4.12.0-1 4.13.2-1 3.2.2-7";
    response_information_is_not_told_to_who_does_not_want_it: "", "3.1.2-28";
    the_highest_qos_is_told_where_it_is_not_2: "", "3.2.2-9 3.2.2-10";
    connack_is_no_larger_than_the_client_takes: "", "3.2.2-19 3.2.2-20 3.1.2-24";
}

async fn a_good_connect_is_answered_with_connack(lab: Lab) -> Result<()> {
    let (mut peer, welcome) = lab.join(&lab.connect("a")).await?;
    ensure!(!welcome.present, "a session where there was none");
    ensure!(!welcome.properties.has(property::METHOD), "an authentication method");
    peer.ping().await
}

async fn nothing_is_taken_before_connect(lab: Lab) -> Result<()> {
    let topic = lab.topic("early");
    let packets = [
        packet(0xC0, &[]),
        packet(0xE0, &[]),
        Publish::new(&topic, "early", 0).bytes(lab.version),
        subscribe(lab.version, 1, &[(&topic, 0)], &none()),
        packet(0x20, &[0, 0]),
    ];
    for bytes in packets {
        let end = lab.socket().await?.refused(&bytes).await?;
        ensure!(end == End::Silent, "{end:?} before CONNACK");
    }
    Ok(())
}

async fn a_second_connect_ends_the_connection(lab: Lab) -> Result<()> {
    lab.refuses_of_a_client(&lab.connect("refused").bytes(), &[0x82]).await
}

async fn a_wrong_protocol_name_is_not_taken(lab: Lab) -> Result<()> {
    for name in ["MQTX", "mqtt", "", "MQTTT", "HTTP/1.1"] {
        let connect = Connect { name: name.into(), ..lab.connect("a") };
        lab.turned_away(&connect.bytes(), &[1], &[0x81, 0x82, 0x84]).await?;
    }
    Ok(())
}

async fn an_unknown_version_is_refused(lab: Lab) -> Result<()> {
    if lab.version == 4 {
        let mut peer = lab.socket().await?;
        let welcome = peer.offer(&Connect { version: 2, ..lab.connect("a") }).await?;
        ensure!(welcome.is_some_and(|welcome| welcome.code == 1 && !welcome.present), "no CONNACK 1");
        ensure!(peer.ended().await? == End::Silent, "more than CONNACK");
        return Ok(());
    }
    for version in [6, 0xFF] {
        let bytes = Connect { version, ..lab.connect("a") }.bytes();
        // In which version it says so is its own choice.
        let as_4 = lab.of_3_1_1().turned_away(&bytes, &[1, 0x84], &[]).await;
        if as_4.is_err() {
            lab.turned_away(&bytes, &[], &[0x84]).await?;
        }
    }
    Ok(())
}

async fn the_reserved_flag_of_connect_must_be_0(lab: Lab) -> Result<()> {
    let connect = Connect { more_flags: 1, ..lab.connect("a") };
    lab.turned_away(&connect.bytes(), &[], &[0x81, 0x82]).await
}

async fn a_connect_of_wrong_length_or_flags_is_not_taken(lab: Lab) -> Result<()> {
    let good = lab.connect("a").bytes();
    let with_more = packet(0x10, &[&good[2..], b"more"].concat());
    let without_end = packet(0x10, &good[2..good.len() - 1]);
    let short = packet(0x10, &good[2..9]);
    let mut flags = good.clone();
    flags[0] = 0x11;
    for bytes in [with_more, without_end, short, packet(0x10, &[]), flags] {
        lab.turned_away(&bytes, &[], &[0x81, 0x82]).await?;
    }
    Ok(())
}

async fn a_connection_that_is_silent_ends(lab: Lab) -> Result<()> {
    let (mut peer, welcome) = lab.join(&Connect { keep_alive: 1, ..lab.connect("a") }).await?;
    ensure!(!welcome.properties.has(property::SERVER_KEEP_ALIVE), "another keep alive than was asked for");
    let began = Instant::now();
    let end = peer.timed_out().await?;
    ensure!(began.elapsed() >= Duration::from_secs(1), "after {:?}", began.elapsed());
    ensure!(matches!(end, End::Silent | End::Said(0x8D)), "{end:?}");
    Ok(())
}

async fn properties_of_connect_must_make_sense(lab: Lab) -> Result<()> {
    let bad = [
        none().four(property::SESSION_EXPIRY, 1).four(property::SESSION_EXPIRY, 1),
        none().two(property::RECEIVE_MAXIMUM, 0),
        none().four(property::MAXIMUM_PACKET, 0),
        none().byte(property::REQUEST_PROBLEM, 2),
        none().byte(property::REQUEST_RESPONSE, 2),
        none().binary(property::METHOD_DATA, b"data of no method"),
        none().two(property::ALIAS, 1),
        none().four(property::WILL_DELAY, 1),
        none().byte(0x7F, 0),
    ];
    for properties in bad {
        let connect = lab.connect("a").with(properties.clone());
        let refused = lab.turned_away(&connect.bytes(), &[], &[0x81, 0x82]).await;
        refused.map_err(|error| error.context(format!("{properties:?}")))?;
    }
    Ok(())
}

async fn an_authentication_method_that_is_not_there_ends_the_connection(lab: Lab) -> Result<()> {
    let method = none().text(property::METHOD, "no such method").binary(property::METHOD_DATA, b"data");
    lab.turned_away(&lab.connect("a").with(method).bytes(), &[], &[0x8C, 0x87]).await
}

async fn response_information_is_not_told_to_who_does_not_want_it(lab: Lab) -> Result<()> {
    for properties in [none(), none().byte(property::REQUEST_RESPONSE, 0)] {
        let (_peer, welcome) = lab.join(&lab.connect("a").with(properties)).await?;
        ensure!(!welcome.properties.has(property::RESPONSE_INFORMATION), "{:?}", welcome.properties);
    }
    Ok(())
}

/// What CONNACK says is what holds: QoS 2 where nothing is said.
async fn the_highest_qos_is_told_where_it_is_not_2(lab: Lab) -> Result<()> {
    let (mut peer, welcome) = lab.join(&lab.connect("a")).await?;
    let topic = lab.topic("highest");
    for qos in 0..=2 {
        let granted = peer.subscribe(&topic, qos).await?;
        ensure!(granted <= qos, "{granted:#x} granted for {qos}");
    }
    let highest = welcome.properties.number(property::MAXIMUM_QOS).unwrap_or(2) as u8;
    for qos in 0..=highest {
        peer.publish(Publish::new(&topic, "text", qos)).await?;
        peer.message().await?;
    }
    Ok(())
}

async fn connack_is_no_larger_than_the_client_takes(lab: Lab) -> Result<()> {
    for size in [20_u32, 64] {
        let maximum = Properties::new().four(property::MAXIMUM_PACKET, size);
        let mut peer = lab.socket().await?;
        peer.offer(&lab.connect("a").with(maximum)).await?;
        ensure!(peer.largest <= size as usize, "CONNACK of {} bytes for {size}", peer.largest);
    }
    Ok(())
}
