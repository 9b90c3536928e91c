//! What own channels and the fleet's have in common: how they are filled in, shown and tried.

use std::time::Duration;

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bugbrother_store::{Channel, ChannelSettings, DeliveryRecord};
use bugbrother_wire::{
    ChannelId, DeliveryId, UnixMs,
    api::{ChannelEntry, ChannelForm, ChannelKind, DeliveryEntry, DeliveryState, DeliveryStep, TestDelivery},
    message::AlertState,
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    App,
    caller::Caller,
    failure::Failure,
    form::{Form, nothing_there},
    users::is_email,
};
use crate::clock;

const MAX_LABEL: usize = 60;
const MAX_TARGET: usize = 500;
const MAX_SECRET: usize = 2_000;
/// Tests of a channel within [`TEST_MS`].
const MAX_TESTS: u32 = 3;
const TEST_MS: i64 = 30_000;
/// How long whoever asks for a delivery waits for its end, and how often it is looked at.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(200);
/// Bytes of a point of P-256, uncompressed, and of a subscription's secret.
const POINT: usize = 65;
const AUTH: usize = 16;

/// What a browser gives.
#[derive(Deserialize)]
struct Subscription {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

/// Adds a channel of somebody, or of the fleet.
pub(super) async fn add(app: &App, caller: &Caller, own: bool, form: ChannelForm) -> Result<ChannelEntry, Failure> {
    let (settings, label, secret) = checked(&form, own, None)?;
    let channel = Channel {
        id: ChannelId(Uuid::now_v7()),
        account: own.then(|| caller.name.clone()),
        kind: form.kind,
        label,
        settings,
        has_secret: secret.is_some(),
        enabled: form.enabled,
        created: clock::now(),
        failing: None,
    };
    note(app, caller, "channel_added", &channel).await?;
    if !app.config.store.add_channel(&channel, secret.as_deref()).await? {
        let message = "there are 20 channels: delete one first";
        return Err(Failure::new(StatusCode::CONFLICT, "too_many_channels", message));
    }
    entry(app, channel).await
}

/// Changes a channel of the caller, or of the fleet.
pub(super) async fn change(
    app: &App,
    caller: &Caller,
    own: bool,
    id: ChannelId,
    form: ChannelForm,
) -> Result<ChannelEntry, Failure> {
    let known = find(app, caller, own, id).await?;
    if form.kind != known.kind {
        return Err(Failure::field("kind", "a channel stays of its kind"));
    }
    let (settings, label, secret) = checked(&form, own, Some(&known))?;
    let has_secret = known.has_secret || secret.is_some();
    let channel = Channel { settings, label, enabled: form.enabled, has_secret, ..known };
    note(app, caller, "channel_changed", &channel).await?;
    if !app.config.store.update_channel(&channel, secret.as_deref()).await? {
        return Err(nothing_there());
    }
    entry(app, channel).await
}

/// Deletes a channel of the caller, or of the fleet. An alert that says that it does not work ends with it.
pub(super) async fn remove(app: &App, caller: &Caller, own: bool, id: ChannelId) -> Result<StatusCode, Failure> {
    let channel = find(app, caller, own, id).await?;
    let store = &app.config.store;
    note(app, caller, "channel_deleted", &channel).await?;
    if !store.delete_channel(channel.account.as_deref(), id).await? {
        return Err(nothing_there());
    }
    if let Some(failing) = channel.failing
        && let Some(record) = store.alert(failing).await?
    {
        let now = clock::now();
        let mut over = record.alert;
        (over.state, over.resolved, over.updated) = (AlertState::Resolved, Some(now), now);
        store.save_alert(&over).await?;
        app.downlink.tell_alert(over.id);
        app.feed.change(|fleet| fleet.see_to(over.clone()));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a test of a channel into the queue.
pub(super) async fn test(app: &App, caller: &Caller, own: bool, id: ChannelId) -> Result<TestDelivery, Failure> {
    let channel = find(app, caller, own, id).await?;
    let (store, now) = (&app.config.store, clock::now());
    let recent = store.recent(id, "", DeliveryStep::Test, now - TEST_MS, MAX_TESTS).await?;
    if let Some(first) = recent.last().filter(|_| recent.len() >= MAX_TESTS as usize) {
        let wait = u64::try_from(first.made + TEST_MS - now).unwrap_or_default();
        let message = "three tests in half a minute are enough";
        return Err(Failure::too_many("too_many_tests", message, Duration::from_millis(wait)));
    }
    note(app, caller, "channel_tested", &channel).await?;
    Ok(TestDelivery { id: store.test_channel(id, now).await? })
}

/// A delivery by a channel of the caller, or of the fleet, once it has come to its end or was tried, or as it stands after a
/// while.
pub(super) async fn delivery(app: &App, caller: &Caller, own: bool, id: DeliveryId) -> Result<DeliveryEntry, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let record = app.config.store.delivery(id).await?.ok_or_else(nothing_there)?;
        if own && record.account.as_deref() != Some(caller.name.as_str()) {
            return Err(nothing_there());
        }
        let is_told = record.state != DeliveryState::Waiting || record.error.is_some();
        if is_told || Instant::now() >= deadline || app.stop.is_cancelled() {
            return Ok(delivery_entry(record));
        }
        sleep(LOOK).await;
    }
}

/// A channel as it is shown. A person's letters go where the person is written to.
pub(super) async fn entry(app: &App, channel: Channel) -> Result<ChannelEntry, Failure> {
    let target = match &channel.account {
        Some(name) if channel.kind == ChannelKind::Email => {
            app.config.store.account(name).await?.and_then(|account| account.email).unwrap_or_default()
        }
        _ => channel.settings.target,
    };
    Ok(ChannelEntry {
        id: channel.id,
        form: ChannelForm {
            kind: channel.kind,
            label: channel.label,
            target,
            secret: None,
            severities: channel.settings.severities,
            language: channel.settings.language,
            enabled: channel.enabled,
        },
        has_secret: channel.has_secret,
        created: channel.created,
        failing: channel.failing.is_some(),
    })
}

pub(super) fn delivery_entry(record: DeliveryRecord) -> DeliveryEntry {
    DeliveryEntry {
        id: record.delivery.id,
        channel: record.channel,
        label: record.label,
        kind: record.kind,
        account: record.account,
        alert: record.delivery.alert,
        vin: record.vin,
        step: record.delivery.step,
        state: record.state,
        tries: record.tries,
        made: record.delivery.made,
        next_try: (record.state == DeliveryState::Waiting).then_some(record.next),
        sent: record.sent,
        error: record.error,
    }
}

async fn find(app: &App, caller: &Caller, own: bool, id: ChannelId) -> Result<Channel, Failure> {
    let channel = app.config.store.channel(id).await?.ok_or_else(nothing_there)?;
    let is_theirs = channel.account.as_deref() == own.then_some(caller.name.as_str());
    if is_theirs { Ok(channel) } else { Err(nothing_there()) }
}

async fn note(app: &App, caller: &Caller, what: &str, channel: &Channel) -> Result<(), Failure> {
    let detail = json!({ "kind": channel.kind, "label": channel.label, "fleet": channel.account.is_none() });
    app.note(caller, what, Some(("channel", &channel.id.to_string())), detail).await
}

/// What is filled in, if all of it is right: where to and for what, what it is called, and what opens it.
fn checked(
    form: &ChannelForm,
    own: bool,
    known: Option<&Channel>,
) -> Result<(ChannelSettings, String, Option<String>), Failure> {
    use ChannelKind::{Discord, Email, Mattermost, Ntfy, Push, Slack, Telegram, Webhook};
    let mut check = Form::default();
    let label = check.line("label", &form.label, MAX_LABEL);
    let mut severities = form.severities.clone();
    severities.sort_unstable();
    severities.dedup();
    let secret = check.some_line("secret", form.secret.as_deref(), MAX_SECRET);
    let is_new = known.is_none();
    let mut target = check.some_line("target", Some(&form.target), MAX_TARGET).unwrap_or_default();
    match form.kind {
        // Whoever could write to any address in the fleet's name would be a nuisance to others.
        Email if own => target.clear(),
        Email => check.check("target", is_email(&target), "this is no e-mail address"),
        Webhook | Ntfy => check.check("target", is_address(&target), "an address that begins with https://"),
        Telegram => check.check("target", is_chat(&target), "the number of a chat, or @ and the name of a channel"),
        Slack | Mattermost | Discord | Push => {}
    }
    match (form.kind, &secret) {
        (Telegram, Some(token)) => check.check("secret", is_token(token), "a bot's token: digits, a colon, letters"),
        (Slack | Mattermost | Discord, Some(address)) => {
            check.check("secret", is_address(address), "the address of an incoming webhook");
        }
        (Push, Some(text)) => match subscription(text) {
            Some(shown) => target = shown,
            None => check.check("secret", false, "this is no subscription of a browser"),
        },
        (Telegram | Slack | Mattermost | Discord | Push, None) => check.check("secret", !is_new, "this is needed"),
        // A token for one server is not for another.
        (Ntfy, None) => {
            let moved = known.is_some_and(|known| known.has_secret && known.settings.target != target);
            check.check("secret", !moved, "give the token again: it was for another address");
        }
        _ => {}
    }
    if form.kind == Push {
        check.check("kind", own, "a browser is a person's own");
        if let (None, Some(known)) = (&secret, known) {
            target.clone_from(&known.settings.target);
        }
    }
    check.done()?;
    Ok((ChannelSettings { target, severities, language: form.language }, label, secret))
}

/// What is shown of a browser's subscription, if it is one: the push service, and the end of its address.
fn subscription(text: &str) -> Option<String> {
    let Subscription { endpoint, keys } = serde_json::from_str(text).ok()?;
    let length = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map(|bytes| bytes.len()).ok();
    let fits = length(&keys.p256dh) == Some(POINT) && length(&keys.auth) == Some(AUTH);
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"))?;
    let host = rest.split('/').next().filter(|host| !host.is_empty() && endpoint.is_ascii())?;
    let end = endpoint.get(endpoint.len().saturating_sub(8)..)?;
    fits.then(|| format!("{host} …{end}"))
}

/// Whether it could be an address of the web. Whether it may be reached is the notifier's to know.
fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

fn is_chat(text: &str) -> bool {
    let number = text.strip_prefix('-').unwrap_or(text);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let name = text.strip_prefix('@').unwrap_or_default();
    is_number || (name.len() >= 5 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

fn is_token(text: &str) -> bool {
    let Some((bot, key)) = text.split_once(':') else { return false };
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !bot.is_empty() && bot.bytes().all(|byte| byte.is_ascii_digit()) && !key.is_empty() && key.bytes().all(is_key)
}

/// A time of the day in a form.
pub(super) fn is_minute(minute: u16) -> bool {
    minute < 24 * 60
}

/// For [`DeliveryEntry`] lists.
pub(super) fn place_of(record: &DeliveryRecord) -> (UnixMs, DeliveryId) {
    (record.delivery.made, record.delivery.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bugbrother_wire::{api::Tongue, message::Severity};

    fn form(kind: ChannelKind, target: &str, secret: Option<&str>) -> ChannelForm {
        ChannelForm {
            kind,
            label: "mine".into(),
            target: target.into(),
            secret: secret.map(str::to_owned),
            severities: vec![Severity::Critical, Severity::Info, Severity::Critical],
            language: Tongue::En,
            enabled: true,
        }
    }

    #[test]
    fn each_kind_wants_where_to_and_what_opens_it() {
        use ChannelKind::{Discord, Email, Mattermost, Ntfy, Push, Slack, Telegram, Webhook};
        let point = URL_SAFE_NO_PAD.encode([4; POINT]);
        let auth = URL_SAFE_NO_PAD.encode([7; AUTH]);
        let browser = |endpoint: &str, point: &str| {
            json!({ "endpoint": endpoint, "keys": { "p256dh": point, "auth": auth } }).to_string()
        };
        let good = browser("https://push.example.org/send/abcdefgh12345678", &point);
        for (own, kind, target, secret) in [
            (true, Email, "", None),
            (false, Email, "fleet@example.org", None),
            (true, Webhook, "https://example.org/hook", None),
            (true, Telegram, "-1001234", Some("12:ab_C-d")),
            (true, Telegram, "@channel", Some("12:ab_C-d")),
            (true, Slack, "", Some("https://hooks.slack.com/services/x")),
            (false, Mattermost, "", Some("https://chat.example.org/hooks/x")),
            (false, Discord, "", Some("https://discord.com/api/webhooks/1/x")),
            (true, Ntfy, "https://ntfy.sh/fleet", None),
            (true, Push, "", Some(good.as_str())),
        ] {
            assert!(checked(&form(kind, target, secret), own, None).is_ok(), "{kind:?} {target}");
        }
        let (short, elsewhere) = (browser("https://x.org/1", "AA"), browser("ftp://x.org/1", &point));
        for (own, kind, target, secret) in [
            (false, Email, "nobody", None),
            (true, Webhook, "example.org", None),
            (true, Webhook, "file:///etc/passwd", None),
            (true, Telegram, "me", Some("12:ab")),
            (true, Telegram, "1", Some("12:a/../b")),
            (true, Telegram, "1", None),
            (true, Slack, "", None),
            (true, Ntfy, "", None),
            (true, Push, "", Some(short.as_str())),
            (true, Push, "", Some(elsewhere.as_str())),
            (false, Push, "", Some(good.as_str())),
        ] {
            assert!(checked(&form(kind, target, secret), own, None).is_err(), "{kind:?} {target} {secret:?}");
        }
        let (settings, ..) = checked(&form(Push, "", Some(&good)), true, None).unwrap();
        assert_eq!(settings.target, "push.example.org …12345678");
        assert_eq!(settings.severities, [Severity::Info, Severity::Critical]);
    }
}
