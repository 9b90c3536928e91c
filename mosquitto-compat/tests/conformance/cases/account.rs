//! User name and password, and who is refused.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Connect, Publish},
    peer::End,
};

use crate::{
    cases,
    lab::{Lab, PASSWORD, USER},
};

cases! {
    a_name_or_password_without_its_flag_is_not_taken: "3.1.2-18 3.1.2-20 3.1.4-1", "3.1.2-16 3.1.2-18 3.1.4-1";
    a_name_or_password_must_be_there_when_its_flag_is: "3.1.2-19 3.1.2-21 3.1.4-1", "3.1.2-17 3.1.2-19 3.1.4-1";
    a_password_without_a_name_is_not_taken: "3.1.2-22 3.1.4-1", "";
    a_wrong_password_is_told_and_ends_the_connection: "3.2.2-4 3.2.2-5", "3.1.4-2 3.2.2-6 3.2.2-7 3.2.2-8 4.13.2-1 3.14.0-1";
    what_comes_behind_a_refused_connect_is_not_done: "3.1.4-5", "3.1.4-6";
    a_client_may_come_with_all_that_connect_can_hold: "3.1.3-1", "3.1.3-1";
}

/// Where the flags are in a CONNECT that is not long.
const FLAGS: usize = 9;

async fn a_name_or_password_without_its_flag_is_not_taken(lab: Lab) -> Result<()> {
    for missing in [0x80, 0x40, 0xC0] {
        // Without the flag of the name the password is taken for nothing, and something is left over.
        let mut bytes = lab.connect("a").account(USER, PASSWORD).bytes();
        bytes[FLAGS] &= !missing;
        lab.turned_away(&bytes, &[], &[0x81, 0x82]).await.with_context(|| format!("without {missing:#x}"))?;
    }
    Ok(())
}

async fn a_name_or_password_must_be_there_when_its_flag_is(lab: Lab) -> Result<()> {
    let name_only = Connect { user: Some(USER.into()), ..lab.connect("a") };
    for connect in [Connect { more_flags: 0x80, ..lab.connect("a") }, Connect { more_flags: 0x40, ..name_only }] {
        lab.turned_away(&connect.bytes(), &[], &[0x81, 0x82]).await?;
    }
    Ok(())
}

async fn a_password_without_a_name_is_not_taken(lab: Lab) -> Result<()> {
    let connect = Connect { password: Some(PASSWORD.into()), ..lab.connect("a") };
    lab.turned_away(&connect.bytes(), &[], &[]).await
}

async fn a_wrong_password_is_told_and_ends_the_connection(lab: Lab) -> Result<()> {
    let guarded = lab.broker.guarded;
    for connect in
        [lab.connect("a").account(USER, "wrong"), lab.connect("a").account("nobody", "wrong"), lab.connect("a")]
    {
        let mut peer = lab.socket_to(guarded).await?;
        let welcome = peer.offer(&connect).await?.context("no CONNACK")?;
        let codes: &[u8] = if lab.version == 5 { &[0x86, 0x87] } else { &[4, 5] };
        ensure!(codes.contains(&welcome.code) && !welcome.present, "{welcome:?}");
        ensure!(peer.ended().await? == End::Silent, "more than CONNACK");
    }
    let mut peer = lab.socket_to(guarded).await?;
    let welcome = peer.offer(&lab.connect("a").account(USER, PASSWORD)).await?.context("no CONNACK")?;
    ensure!(welcome.code == 0, "{welcome:?}");
    Ok(())
}

async fn what_comes_behind_a_refused_connect_is_not_done(lab: Lab) -> Result<()> {
    let topic = format!("allowed/{}", lab.topic("refused"));
    let publish = Publish::new(&topic, "refused", 0).retained().bytes(lab.version);
    let mut bytes = lab.connect("a").account(USER, "wrong").bytes();
    bytes.extend(publish);
    let mut peer = lab.socket_to(lab.broker.guarded).await?;
    lab.turned_away_over(&mut peer, &bytes, &[4, 5], &[0x86, 0x87]).await?;
    let found = lab.retained(&topic).await?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

async fn a_client_may_come_with_all_that_connect_can_hold(lab: Lab) -> Result<()> {
    let topic = lab.topic("will");
    let mut other = lab.peer("b").await?;
    other.subscribe(&topic, 1).await?;
    let connect = Connect { keep_alive: 60, ..lab.connect("a") };
    let (peer, _) = lab.join(&connect.will(&topic, "gone", 1, false).account("anybody", "anything")).await?;
    peer.vanish().await;
    let will = other.message().await?;
    ensure!(will.topic == topic && will.text() == "gone" && will.qos == 1, "{will:?}");
    Ok(())
}
