//! Webhooks, and whatever is the same for all that goes by HTTP.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bugbrother_notifier::post::{RULE, Settings, retry::MOST_TRIES};
use bugbrother_wire::{
    api::{ChannelKind, DeliveryState},
    message::{Alert, AlertState, Dtc, DtcStatus},
};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::{
    rig::{LIMIT, Rig, now, settings, vin},
    sink::{Heard, Sink, nonsense},
};

/// The signature as docs/notifications.md has it, by another implementation than the notifier's.
fn is_signed(heard: &Heard, secret: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(heard.header("x-bugbrother-timestamp").as_bytes());
    mac.update(b".");
    mac.update(&heard.body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    heard.header("x-bugbrother-signature") == format!("sha256={digits}")
}

#[tokio::test]
async fn a_webhook_is_told_all_that_is_needed_to_act_and_can_tell_that_it_is_us() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let hook = rig.channel(None, ChannelKind::Webhook, &sink.url("/ok"), Some("swordfish")).await?;
    let alert = rig.alert();
    rig.store.save_alert(&alert).await?;
    let post = rig.post(settings())?;
    let heard = sink.wait("/ok", 1).await?.remove(0);
    assert!(is_signed(&heard, "swordfish"), "{heard:?}");
    assert!(!is_signed(&heard, "other"));
    let age = now() / 1000 - heard.header("x-bugbrother-timestamp").parse::<i64>()?;
    assert!((0..=30).contains(&age), "{age}");

    let body = heard.json()?;
    assert_eq!((body["kind"].as_str(), body["v"].as_u64()), (Some("alert"), Some(1)));
    assert_eq!(body["id"].as_str(), Some(heard.header("idempotency-key")));
    assert_eq!(body["title"], "Warning: Coolant above 115 °C – Van 7");
    let told = &body["alerts"][0];
    assert_eq!(told["vehicle"]["name"], "Van 7");
    assert_eq!((told["vehicle"]["plate"].as_str(), told["place"].as_str()), (Some("VD 123 456"), Some("Lausanne, CH")));
    assert_eq!(told["contact"]["phone"], "+41 21 555 01 02");
    assert_eq!(serde_json::from_value::<Alert>(told["alert"].clone())?, alert);
    assert_eq!(body["links"][0], format!("https://fleet.example.org/alerts?alert={}", alert.id));
    assert_eq!(body["links"][1], format!("https://fleet.example.org/?v={}", vin(1)));
    assert_eq!(rig.outcome(hook).await?.state, DeliveryState::Sent);

    // Who was told that it began is told that it is over, once.
    rig.store.save_alert(&Alert { state: AlertState::Resolved, resolved: Some(now()), ..alert }).await?;
    post.look();
    let heard = sink.wait("/ok", 2).await?.remove(1);
    assert_eq!(heard.json()?["title"], "Over: Coolant above 115 °C – Van 7");
    post.stop().await?;
    assert_eq!(sink.heard("/ok").len(), 2);
    Ok(())
}

#[tokio::test]
async fn who_is_busy_is_asked_again_and_knows_the_message_by_its_identity() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let busy = rig.channel(None, ChannelKind::Webhook, &sink.url("/busy/2"), None).await?;
    let limit = rig.channel(None, ChannelKind::Webhook, &sink.url("/limit"), None).await?;
    rig.store.save_alert(&rig.alert()).await?;
    let begun = Instant::now();
    let post = rig.post(settings())?;
    let heard = sink.wait("/busy/2", 3).await?;
    assert!(
        heard.iter().all(|one| one.header("x-bugbrother-signature").is_empty()),
        "without a secret nothing is signed"
    );
    assert_eq!(sink.counts("/busy/2").len(), 1);
    let record = rig.outcome(busy).await?;
    assert_eq!((record.state, record.tries, record.error), (DeliveryState::Sent, 3, None));
    // It asked for a second.
    assert_eq!(rig.outcome(limit).await?.tries, 2);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    post.stop().await
}

#[tokio::test]
async fn what_is_refused_for_ever_is_given_up_at_once_and_raises_an_alert_once() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let bad = rig.channel(None, ChannelKind::Webhook, &sink.url("/404"), None).await?;
    let well = rig.channel(None, ChannelKind::Webhook, &sink.url("/ok"), None).await?;
    let alert = rig.alert();
    rig.store.save_alerts(&[alert, rig.alert()]).await?;
    let post = rig.post(settings())?;
    let dead = |found: &[bugbrother_store::DeliveryRecord]| {
        found.len() >= 3 && found.iter().all(|one| one.state == DeliveryState::Dead)
    };
    // Two, and the one that says so: that raises none.
    let records = rig.deliveries(bad, dead).await?;
    assert_eq!(records.len(), 3, "{records:?}");
    assert!(records.iter().all(|one| one.tries == 1 && one.error.as_deref() == Some("404 Not Found")), "{records:?}");
    let raised: Vec<_> = rig.store.active_alerts(10).await?.into_iter().filter(|one| one.rule == RULE).collect();
    assert_eq!(raised.len(), 1);
    assert_eq!((raised[0].vin, raised[0].title.as_str()), (vin(1), "Notifications by “Night shift” are not delivered"));
    assert_eq!(rig.said.lock().expect("nobody panics with it").len(), 1);
    // The other channel tells of it.
    let told = sink.wait("/ok", 3).await?;
    assert!(told.iter().any(|one| one.json().is_ok_and(|body| body["alerts"][0]["alert"]["rule"] == RULE)));

    // It is mended: the alert ends with the next message that is taken.
    let channel = rig.store.channel(bad).await?.context("it is there")?;
    assert_eq!(channel.failing, Some(raised[0].id));
    let mut mended = channel.clone();
    mended.settings.target = sink.url("/mended");
    rig.store.update_channel(&mended, None).await?;
    rig.store.test_channel(bad, now()).await?;
    sink.wait("/mended", 1).await?;
    bugbrother_kit::wait::until("the alert is over", LIMIT, || async {
        rig.store.active_alerts(10).await.ok()?.iter().all(|one| one.rule != RULE).then_some(())
    })
    .await?;
    assert_eq!(rig.store.channel(bad).await?.context("it is there")?.failing, None);
    assert_ne!(well, bad);
    post.stop().await
}

#[tokio::test]
async fn after_eight_tries_a_message_is_given_up() -> Result<()> {
    let rig = Rig::new().await?;
    let address = nonsense().await?;
    let hook = rig.channel(None, ChannelKind::Webhook, &format!("http://{address}/x?token=hidden"), None).await?;
    rig.store.save_alert(&Alert { rule: RULE.into(), ..rig.alert() }).await?;
    let post = rig.post(Settings { first_wait: Duration::from_millis(1), ..settings() })?;
    let record = rig.outcome(hook).await?;
    assert_eq!((record.state, record.tries), (DeliveryState::Dead, MOST_TRIES));
    let error = record.error.context("it says why")?;
    assert!(!error.contains("hidden") && !error.contains("http://"), "{error}");
    post.stop().await
}

#[tokio::test]
async fn nobody_is_led_elsewhere_and_what_comes_without_end_is_left() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let away = rig.channel(None, ChannelKind::Webhook, &sink.url("/away"), None).await?;
    let endless = rig.channel(None, ChannelKind::Webhook, &sink.url("/endless"), None).await?;
    rig.store.save_alert(&Alert { rule: RULE.into(), ..rig.alert() }).await?;
    let post = rig.post(settings())?;
    let led = rig.outcome(away).await?;
    assert_eq!(led.state, DeliveryState::Dead);
    assert!(led.error.is_some_and(|error| error.contains("leads elsewhere")));
    assert_eq!(sink.heard("/ok").len(), 0);
    let left = rig.outcome(endless).await?;
    assert_eq!(left.state, DeliveryState::Dead);
    let error = left.error.context("it says why")?;
    assert!(error.starts_with("400 Bad Request: xxx") && error.len() < 300, "{error}");
    post.stop().await
}

#[tokio::test]
async fn a_channel_that_hangs_delays_no_other_and_is_tried_again() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let hangs = rig.channel(None, ChannelKind::Webhook, &sink.url("/hang"), None).await?;
    let well = rig.channel(None, ChannelKind::Webhook, &sink.url("/ok"), None).await?;
    let post = rig.post(Settings { lease: Duration::from_secs(4), ..settings() })?;
    rig.store.save_alert(&rig.alert()).await?;
    sink.wait("/hang", 1).await?;
    for _ in 0..3 {
        rig.store.save_alert(&rig.alert()).await?;
        post.look();
    }
    rig.deliveries(well, |found| found.len() == 4 && found.iter().all(|one| one.state == DeliveryState::Sent)).await?;
    let hanging = rig.deliveries(hangs, |_| true).await?;
    assert!(hanging.iter().all(|one| one.error.is_none()), "the others waited for it: {hanging:?}");
    bugbrother_kit::wait::until("one is tried again", LIMIT, || {
        std::future::ready(sink.counts("/hang").values().any(|count| *count >= 2).then_some(()))
    })
    .await?;
    let waiting = rig.deliveries(hangs, |found| found.iter().any(|one| one.error.is_some())).await?;
    assert!(waiting.iter().any(|one| one.error.as_deref() == Some("it did not end in time")), "{waiting:?}");
    post.stop().await
}

#[tokio::test]
async fn the_servers_own_network_is_not_reached_unless_that_is_allowed() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    let port = sink.address.port();
    let mut channels = Vec::new();
    for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "0.0.0.0", "169.254.169.254"] {
        channels.push(rig.channel(None, ChannelKind::Webhook, &format!("http://{host}:{port}/ok"), None).await?);
    }
    rig.store.save_alert(&Alert { rule: RULE.into(), ..rig.alert() }).await?;
    let post = rig.post(Settings { gate: Default::default(), ..settings() })?;
    for channel in channels {
        let record = rig.outcome(channel).await?;
        assert_eq!((record.state, record.tries), (DeliveryState::Dead, 1), "{record:?}");
        assert!(record.error.is_some_and(|error| error.contains("own network")));
    }
    post.stop().await?;
    assert!(sink.heard("/ok").is_empty());
    Ok(())
}

#[tokio::test]
async fn rooms_and_topics_are_told_in_the_form_that_they_want() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    for (kind, path) in
        [(ChannelKind::Slack, "/slack"), (ChannelKind::Mattermost, "/mattermost"), (ChannelKind::Discord, "/discord")]
    {
        rig.channel(None, kind, "", Some(&sink.url(path))).await?;
    }
    rig.channel(None, ChannelKind::Ntfy, &sink.url("/my-fleet"), Some("tk_secret")).await?;
    rig.store.save_alert(&rig.alert()).await?;
    let post = rig.post(settings())?;
    let text = async |path: &str, field: &str| -> Result<String> {
        let body = sink.wait(path, 1).await?.remove(0).json()?;
        Ok(body[field].as_str().context("it has a text")?.to_owned())
    };
    let slack = text("/slack", "text").await?;
    assert!(slack.starts_with("Warning: Coolant above 115 °C – Van 7\nVehicle: Van 7 · VD 123 456 · "), "{slack}");
    assert!(slack.contains("118.5 °C (limit 115 °C)") && slack.contains("Near: Lausanne, CH"), "{slack}");
    assert!(slack.contains("Contact: Rossi & Fils · Ada Rossi · +41 21 555 01 02"), "{slack}");
    assert_eq!(text("/mattermost", "text").await?, slack);
    assert_eq!(text("/discord", "content").await?, slack);
    let ntfy = sink.wait("/", 1).await?.remove(0);
    assert_eq!(ntfy.header("authorization"), "Bearer tk_secret");
    let body: Value = ntfy.json()?;
    assert_eq!((body["topic"].as_str(), body["priority"].as_u64()), (Some("my-fleet"), Some(4)));
    assert!(body["click"].as_str().is_some_and(|link| link.starts_with("https://fleet.example.org/alerts?alert=")));
    post.stop().await
}

#[tokio::test]
async fn trouble_codes_are_told_in_words_and_in_the_persons_language() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    rig.person("ada", bugbrother_wire::api::Role::Operator).await?;
    let preferences = bugbrother_wire::api::Preferences::default();
    rig.store.set_preferences("ada", &preferences, bugbrother_store::Language::Fr).await?;
    rig.channel(Some("ada"), ChannelKind::Slack, "", Some(&sink.url("/slack"))).await?;
    let diagnostics = bugbrother_wire::message::Diagnostics {
        v: bugbrother_wire::SCHEMA_VERSION,
        vin: vin(1),
        epoch: bugbrother_wire::Epoch(1),
        seq: bugbrother_wire::Seq(1),
        at: now(),
        mil: Some(true),
        dtcs: vec![Dtc { code: "P0420".into(), status: DtcStatus::Stored, ecu: None }],
        monitors: Vec::new(),
        freeze_frame: None,
    };
    let arrival = bugbrother_store::Arrival {
        received_ts: now(),
        topic: String::new(),
        payload: Default::default(),
        content: Ok(bugbrother_wire::Message::Diagnostics(diagnostics)),
    };
    rig.store.commit(&[arrival]).await?;
    rig.store.save_alert(&rig.alert()).await?;
    let post = rig.post(settings())?;
    let body = sink.wait("/slack", 1).await?.remove(0).json()?;
    let text = body["text"].as_str().context("it has a text")?;
    assert!(text.starts_with("Avertissement: ") && text.contains("Codes défaut: P0420 "), "{text}");
    post.stop().await
}
