//! Storms, quiet hours, several notifiers, and such as are killed.

use std::time::Duration;

use anyhow::Result;
use bugbrother_kit::postgres::Postgres;
use bugbrother_notifier::post::Settings;
use bugbrother_store::Store;
use bugbrother_wire::{
    api::{Attention, ChannelKind, DeliveryState, QuietHours, Role},
    message::{Alert, Severity},
};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    rig::{Rig, now, settings, vin},
    sink::Sink,
};

fn many(rig: &Rig, count: usize) -> Vec<Alert> {
    (0..count).map(|n| Alert { vin: vin(n), rule: "hot".into(), ..rig.alert() }).collect()
}

#[tokio::test]
async fn a_storm_is_told_by_its_first_five_and_one_message_of_the_rest() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let hook = rig.channel(None, ChannelKind::Webhook, &sink.url("/ok"), None).await?;
    rig.store.save_alerts(&many(&rig, 50)).await?;
    // Of another rule, in the middle of it.
    let other = Alert { rule: "silent".into(), ..rig.alert() };
    rig.store.save_alert(&other).await?;
    let post = rig.post(settings())?;
    let heard = sink.wait("/ok", 6).await?;
    assert!(heard.iter().any(|one| one.json().is_ok_and(|body| body["alerts"][0]["alert"]["rule"] == "silent")));
    let waiting =
        rig.deliveries(hook, |found| found.iter().filter(|one| one.state == DeliveryState::Sent).count() == 6).await?;
    let waiting: Vec<_> = waiting.into_iter().filter(|one| one.state == DeliveryState::Waiting).collect();
    assert_eq!(waiting.len(), 45);
    let due = waiting[0].next;
    assert!(waiting.iter().all(|one| one.next == due), "they have one end");
    assert!((20_000..=30_000).contains(&(due - now())), "{}", due - now());
    post.stop().await?;
    assert_eq!(sink.heard("/ok").len(), 6);

    // Half a minute later.
    let claim = rig.store.claim(hook, "later", due, due + 1).await?.expect("it is due");
    assert_eq!(claim.deliveries.len(), 45);
    rig.store.put_off(&claim, "later", "", now()).await?;
    let post = rig.post(settings())?;
    let heard = sink.wait("/ok", 7).await?.remove(6);
    let body = heard.json()?;
    assert_eq!(body["kind"], "storm");
    assert_eq!(body["title"], "Warning: Coolant above 115 °C – 45 vehicles");
    assert_eq!(body["alerts"].as_array().map(Vec::len), Some(45));
    post.stop().await
}

#[tokio::test]
async fn what_comes_in_quiet_hours_is_told_in_one_message_when_they_end() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    rig.person("ada", Role::Operator).await?;
    let hook = rig.channel(Some("ada"), ChannelKind::Webhook, &sink.url("/ok"), None).await?;
    // All but two hours of the day are quiet, and now is not among them.
    let hour = Timestamp::now().to_zoned(TimeZone::UTC).hour();
    let minute = u16::try_from(hour)? * 60;
    let (from, to) = ((minute + 23 * 60) % 1440, (minute + 21 * 60) % 1440);
    let attention = Attention { quiet: Some(QuietHours { from, to }), ..Attention::default() };
    rig.store.save_attention("ada", &attention, now()).await?;
    let warnings = [rig.alert(), rig.alert()];
    let critical = Alert { severity: Severity::Critical, ..rig.alert() };
    rig.store.save_alerts(&[warnings[0].clone(), critical.clone(), warnings[1].clone()]).await?;
    let post = rig.post(settings())?;
    let heard = sink.wait("/ok", 1).await?.remove(0).json()?;
    assert_eq!(heard["alerts"][0]["alert"]["id"], critical.id.to_string(), "what is critical breaks through");
    let all = rig.deliveries(hook, |found| found.len() == 3).await?;
    let held: Vec<_> = all.iter().filter(|one| one.state == DeliveryState::Waiting).collect();
    assert_eq!(held.len(), 2);
    post.stop().await?;
    let end = held[0].next;
    assert_eq!(end % (60 * 60 * 1000), 0, "it ends at a full hour");
    let claim = rig.store.claim(hook, "morning", end, end + 1).await?.expect("it is due");
    assert_eq!((claim.deliveries.len(), claim.bundle.as_deref()), (2, Some("gathered")));
    rig.store.put_off(&claim, "morning", "", now()).await?;
    let post = rig.post(settings())?;
    let body = sink.wait("/ok", 2).await?.remove(1).json()?;
    assert_eq!((body["kind"].as_str(), body["title"].as_str()), (Some("digest"), Some("Warning: 2 alerts")));
    post.stop().await
}

#[tokio::test]
async fn a_client_whose_vehicle_it_is_no_more_is_not_told_what_waited() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    rig.person("rossi", Role::Client).await?;
    let hook = rig.channel(Some("rossi"), ChannelKind::Webhook, &sink.url("/ok"), None).await?;
    let attention = Attention { digest: bugbrother_wire::api::Digest::Daily, ..Attention::default() };
    rig.store.save_attention("rossi", &attention, now()).await?;
    rig.store.save_alert(&rig.alert()).await?;
    let post = rig.post(settings())?;
    let due = rig.deliveries(hook, |found| found.len() == 1).await?[0].next;
    post.stop().await?;
    let client = rig.store.client(rig.client).await?.expect("it is there");
    rig.store.update_client(&bugbrother_store::Client { archived: Some(now()), ..client }).await?;
    let claim = rig.store.claim(hook, "later", due, due + 1).await?.expect("it is due");
    rig.store.put_off(&claim, "later", "", now()).await?;
    let post = rig.post(settings())?;
    assert_eq!(rig.outcome(hook).await?.state, DeliveryState::Dead);
    post.stop().await?;
    assert!(sink.heard("/ok").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_notifier_that_is_killed_while_it_sends_leaves_the_message_to_the_next_with_its_identity() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let hook = rig.channel(None, ChannelKind::Webhook, &sink.url("/hang"), None).await?;
    rig.store.save_alert(&rig.alert()).await?;
    let short = Settings { lease: Duration::from_secs(1), ..settings() };
    let killed = rig.post(short.clone())?;
    sink.wait("/hang", 1).await?;
    killed.kill();
    let next = rig.post(short)?;
    let heard = sink.wait("/hang", 2).await?;
    assert_eq!(heard[0].header("idempotency-key"), heard[1].header("idempotency-key"));
    let mut moved = rig.store.channel(hook).await?.expect("it is there");
    moved.settings.target = sink.url("/ok");
    rig.store.update_channel(&moved, None).await?;
    assert_eq!(rig.outcome(hook).await?.state, DeliveryState::Sent);
    next.stop().await?;
    assert_eq!(sink.heard("/ok").len(), 1);
    Ok(())
}

/// Three posts at one queue: each message arrives once.
async fn share(rig: Rig) -> Result<()> {
    let sink = Sink::start().await?;
    let hooks = [
        rig.channel(None, ChannelKind::Webhook, &sink.url("/ok"), None).await?,
        rig.channel(None, ChannelKind::Webhook, &sink.url("/busy/3"), None).await?,
    ];
    let posts = [rig.post(settings())?, rig.post(settings())?, rig.post(settings())?];
    // Each of a rule of its own: no storm.
    for (n, alert) in many(&rig, 100).into_iter().enumerate() {
        rig.store.save_alert(&Alert { rule: format!("rule {n}"), ..alert }).await?;
        posts.iter().for_each(|post| post.look());
    }
    for hook in hooks {
        rig.deliveries(hook, |found| found.len() == 100 && found.iter().all(|one| one.state == DeliveryState::Sent))
            .await?;
    }
    for post in posts {
        post.stop().await?;
    }
    let counts = sink.counts("/ok");
    assert!(counts.len() == 100 && counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(sink.heard("/busy/3").len(), 103, "three tries that failed");
    Ok(())
}

#[tokio::test]
async fn several_notifiers_send_each_message_once() -> Result<()> {
    share(Rig::new().await?).await
}

#[tokio::test]
async fn several_notifiers_on_postgresql_send_each_message_once() -> Result<()> {
    let server = Postgres::start().await?;
    let store = Store::open(&server.create_database("fleet").await?).await?;
    share(Rig::on(store, tempfile::tempdir()?).await?).await
}
