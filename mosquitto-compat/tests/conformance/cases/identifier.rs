//! The client identifier, and who comes twice with the same.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::{
    packet::{Connect, packet},
    peer::End,
    property::{self, Value},
};

use crate::{cases, lab::Lab};

cases! {
    letters_and_digits_are_taken: "3.1.3-5 3.1.3-2", "3.1.3-5 3.1.3-2";
    a_client_identifier_must_be_there: "3.1.3-3 3.1.4-1", "3.1.3-3 3.1.4-1";
    two_clients_without_an_identifier_are_two: "3.1.3-6", "3.1.3-6 3.2.2-16";
    a_client_without_an_identifier_is_told_which_one_it_has: "", "3.1.3-7 3.2.2-16 3.1.3-6";
    a_client_without_an_identifier_has_no_session_to_keep: "3.1.3-8 3.1.3-9 3.2.2-4 3.2.2-5", "";
    an_identifier_that_is_not_taken_ends_the_connection: "", "3.1.3-8";
    the_older_of_two_clients_with_the_same_identifier_ends: "3.1.4-2", "3.1.4-3";
}

async fn letters_and_digits_are_taken(lab: Lab) -> Result<()> {
    let all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    // One that only this case has, at each length of which there can be such a one.
    let version = if lab.version == 5 { "V" } else { "I" };
    for id in
        [&all[..20], &all[20..40], &all[40..]].map(|id| format!("{version}{id}")).iter().chain([&version.to_owned()])
    {
        lab.join(&Connect::new(lab.version, id)).await.with_context(|| id.clone())?;
    }
    Ok(())
}

async fn a_client_identifier_must_be_there(lab: Lab) -> Result<()> {
    let whole = lab.connect("").bytes();
    let without = &whole[2..whole.len() - 2 - lab.id("").len()];
    lab.turned_away(&packet(0x10, without), &[], &[0x81, 0x82, 0x85]).await
}

async fn two_clients_without_an_identifier_are_two(lab: Lab) -> Result<()> {
    let nameless = Connect::new(lab.version, "");
    let (mut one, first) = lab.join(&nameless).await?;
    let (mut two, second) = lab.join(&nameless).await?;
    one.ping().await?;
    two.ping().await?;
    if lab.version == 5 {
        let ids = [first, second].map(|welcome| welcome.properties.get(property::ASSIGNED_ID).cloned());
        ensure!(ids[0].is_some() && ids[0] != ids[1], "{ids:?}");
    }
    Ok(())
}

async fn a_client_without_an_identifier_is_told_which_one_it_has(lab: Lab) -> Result<()> {
    let (peer, welcome) = lab.join(&Connect::new(lab.version, "").persistent(60)).await?;
    let Some(Value::Text(id)) = welcome.properties.get(property::ASSIGNED_ID) else {
        anyhow::bail!("no assigned client identifier");
    };
    peer.leave().await?;
    let (_, again) = lab.join(&Connect::new(lab.version, id).persistent(0)).await?;
    ensure!(again.present, "the session is not that of the assigned identifier");
    let (_, named) = lab.join(&lab.connect("named")).await?;
    ensure!(!named.properties.has(property::ASSIGNED_ID), "one is assigned to who has one");
    Ok(())
}

async fn a_client_without_an_identifier_has_no_session_to_keep(lab: Lab) -> Result<()> {
    let mut peer = lab.socket().await?;
    let connect = Connect { clean: false, ..Connect::new(lab.version, "") };
    let welcome = peer.offer(&connect).await?.context("no CONNACK")?;
    ensure!(welcome.code == 2 && !welcome.present, "{welcome:?}");
    ensure!(peer.ended().await? == End::Silent, "more than CONNACK");
    Ok(())
}

/// Whether it takes such identifiers is its own choice.
async fn an_identifier_that_is_not_taken_ends_the_connection(lab: Lab) -> Result<()> {
    for id in [format!("{} / + # é", lab.id("a")), format!("{}{}", lab.id("b"), "x".repeat(65_000))] {
        let connect = Connect::new(lab.version, &id);
        if lab.join(&connect).await.is_err() {
            lab.turned_away(&connect.bytes(), &[], &[0x85]).await?;
        }
    }
    Ok(())
}

async fn the_older_of_two_clients_with_the_same_identifier_ends(lab: Lab) -> Result<()> {
    let mut older = lab.peer("same").await?;
    let mut newer = lab.peer("same").await?;
    let end = older.ended().await?;
    let wanted = if lab.version == 5 { End::Said(0x8E) } else { End::Silent };
    ensure!(end == wanted, "{end:?}");
    newer.ping().await
}
