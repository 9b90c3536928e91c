//! Telegram, by a server that answers as the Bot API does.

use std::time::Duration;

use anyhow::{Context, Result};
use bugbrother_store::DeliveryRecord;
use bugbrother_wire::api::{ChannelKind, DeliveryState};

use crate::{
    rig::{Rig, settings},
    sink::Sink,
};

#[tokio::test]
async fn a_bot_is_let_in_blocked_for_good_or_told_to_wait() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let mut at_the_sink = settings();
    at_the_sink.telegram = Some(sink.url("/telegram/"));
    let path = |token: &str| format!("/telegram/bot{token}/sendMessage");
    let good = rig.channel(None, ChannelKind::Telegram, "-100123", Some("1:good")).await?;
    let blocked = rig.channel(None, ChannelKind::Telegram, "blocked", Some("2:blocked")).await?;
    let busy = rig.channel(None, ChannelKind::Telegram, "busy", Some("3:busy")).await?;
    rig.store.save_alert(&rig.alert()).await?;
    let post = rig.post(at_the_sink)?;

    // That the other does not deliver is told here as well, later.
    let ended = |state: DeliveryState| move |found: &[DeliveryRecord]| found.iter().any(|one| one.state == state);
    let told = rig.deliveries(good, ended(DeliveryState::Sent)).await?;
    assert_eq!(told.last().map(|first| (first.state, first.tries)), Some((DeliveryState::Sent, 1)));
    let heard = sink.heard(&path("1:good")).remove(0).json()?;
    assert_eq!(heard["chat_id"], "-100123");
    assert!(heard["text"].as_str().is_some_and(|text| text.starts_with("Warning: Coolant above 115 °C – Van 7\n")));

    let told = rig.deliveries(blocked, ended(DeliveryState::Dead)).await?;
    let first = told.last().context("it is the first that was given up")?;
    assert_eq!((first.state, first.tries), (DeliveryState::Dead, 1), "it is not tried again");
    assert_eq!(first.error.as_deref(), Some("403 Forbidden: Forbidden: bot was blocked by the user"));
    assert!(rig.store.active_alerts(10).await?.iter().any(|alert| alert.rule == "delivery"), "which is said");

    // The one that was made later may come first.
    let again = |found: &[DeliveryRecord]| found.iter().any(|one| one.state == DeliveryState::Sent && one.tries == 2);
    rig.deliveries(busy, again).await?;
    let heard = sink.heard(&path("3:busy"));
    let waited = heard[1].at - heard[0].at;
    assert!(waited >= Duration::from_millis(950), "{waited:?}: after 50 ms if nothing had been said");
    post.stop().await
}
