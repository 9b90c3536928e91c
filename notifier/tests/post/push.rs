//! Web push, to a push service of the tests' own, which reads it by Node's cryptography.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bugbrother_notifier::post::carrier::PushKey;
use bugbrother_wire::{
    api::{ChannelKind, DeliveryState, Role},
    message::{Alert, Severity},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    rig::{Rig, now, settings},
    sink::{Heard, Sink},
};

/// A browser's keys.
#[derive(Deserialize)]
struct Browser {
    /// To be kept.
    private: String,
    p256dh: String,
    auth: String,
}

/// Node, as an independent implementation: `keys` makes a browser's, `read` verifies and decrypts.
fn oracle(input: &Value) -> Result<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/browser/push.mjs");
    let mut node = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    serde_json::to_writer(node.stdin.take().context("it listens")?, input)?;
    let output = node.wait_with_output()?;
    ensure!(output.status.success(), "the oracle refuses it");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn read(browser: &Browser, key: &PushKey, heard: &Heard) -> Result<Value> {
    oracle(&json!({
        "what": "read",
        "private": browser.private,
        "p256dh": browser.p256dh,
        "auth": browser.auth,
        "authorization": heard.header("authorization"),
        "vapid": key.public(),
        "body": URL_SAFE_NO_PAD.encode(&heard.body),
    }))
}

#[tokio::test]
async fn a_browser_can_read_what_is_pushed_and_nobody_on_the_way_can() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    rig.person("ada", Role::Operator).await?;
    let browser: Browser = serde_json::from_value(oracle(&json!({ "what": "keys" }))?)?;
    let subscription = json!({
        "endpoint": sink.url("/201"),
        "keys": { "p256dh": browser.p256dh, "auth": browser.auth },
    });
    let text = PushKey::generate()?;
    let key = Arc::new(PushKey::read(&text, "https://fleet.example.org")?);
    assert_eq!(key.public(), PushKey::read(&text, "")?.public(), "it is the same after a restart");
    let channel = rig.channel(Some("ada"), ChannelKind::Push, "", Some(&subscription.to_string())).await?;
    let alert = Alert { severity: Severity::Critical, ..rig.alert() };
    rig.store.save_alert(&alert).await?;
    let mut with_key = settings();
    with_key.push = Some(key.clone());
    let post = rig.post(with_key)?;
    let heard = sink.wait("/201", 1).await?.remove(0);
    assert_eq!(rig.outcome(channel).await?.state, DeliveryState::Sent);
    assert_eq!((heard.header("content-encoding"), heard.header("urgency")), ("aes128gcm", "high"));
    assert!(heard.header("ttl").parse::<u32>().is_ok_and(|ttl| ttl > 0));
    assert!(heard.body.len() <= 4_096);
    assert!(!heard.body.windows(3).any(|part| part == b"Van"), "it is encrypted");
    let told = read(&browser, &key, &heard)?;
    assert_eq!(told["claims"]["aud"], format!("http://{}", sink.address));
    assert_eq!(told["claims"]["sub"], "https://fleet.example.org");
    let left = told["claims"]["exp"].as_i64().context("it ends")? - now() / 1000;
    assert!((60..=24 * 60 * 60).contains(&left), "{left}");
    let note = &told["note"];
    assert_eq!(note["title"], "Critical: Coolant above 115 °C – Van 7");
    assert!(note["body"].as_str().is_some_and(|body| body.contains("Near: Lausanne, CH")));
    assert_eq!(
        (note["path"].as_str(), note["critical"].as_bool()),
        (Some(format!("/alerts?alert={}", alert.id).as_str()), Some(true))
    );
    // Another browser cannot.
    let other: Browser = serde_json::from_value(oracle(&json!({ "what": "keys" }))?)?;
    assert!(read(&other, &key, &heard).is_err());
    post.stop().await
}

#[tokio::test]
async fn a_browser_that_does_not_listen_any_more_is_forgotten() -> Result<()> {
    let (rig, sink) = (Rig::new().await?, Sink::start().await?);
    rig.person("ada", Role::Operator).await?;
    let browser: Browser = serde_json::from_value(oracle(&json!({ "what": "keys" }))?)?;
    let mut channels = Vec::new();
    for path in ["/410", "/404"] {
        let keys = json!({ "p256dh": browser.p256dh, "auth": browser.auth });
        let subscription = json!({ "endpoint": sink.url(path), "keys": keys }).to_string();
        channels.push(rig.channel(Some("ada"), ChannelKind::Push, "", Some(&subscription)).await?);
    }
    let mut with_key = settings();
    with_key.push = Some(Arc::new(PushKey::read(&PushKey::generate()?, "https://fleet.example.org")?));
    rig.store.save_alert(&rig.alert()).await?;
    let post = rig.post(with_key)?;
    for channel in channels {
        bugbrother_kit::wait::until("the browser is forgotten", crate::rig::LIMIT, || async {
            rig.store.channel(channel).await.ok()?.is_none().then_some(())
        })
        .await?;
    }
    assert!(rig.store.active_alerts(10).await?.iter().all(|alert| alert.rule != "delivery"), "that is no trouble");
    post.stop().await
}
