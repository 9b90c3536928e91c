//! How people say how they are told of alerts, and what nobody gets to see of it.

use anyhow::{Context, Result};
use bugbrother_store::MailServer;
use bugbrother_wire::{
    ChannelId,
    api::{
        Attention, ChannelEntry, ChannelKind, DeliveryEntry, DeliveryList, DeliveryState, FleetNotifications,
        OwnNotifications, Problem, Role, TestDelivery,
    },
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, expect_refusal, now};

const OWN: &str = "/api/frontend/notifications";
const FLEET: &str = "/api/frontend/fleet-notifications";
const SECRET: &str = "a-secret-that-nobody-sees";

fn hook(label: &str) -> Value {
    json!({
        "kind": "webhook", "label": label, "target": "https://hooks.example.org/x", "secret": SECRET,
        "severities": ["critical", "warning"], "enabled": true,
    })
}

async fn put(rig: &Rig, path: &str, token: &str, body: &Value) -> Result<reqwest::Response> {
    Ok(rig.request(Method::PUT, path).bearer_auth(token).json(body).send().await?)
}

async fn add(rig: &Rig, base: &str, token: &str, form: &Value) -> Result<ChannelEntry> {
    let answer = rig.post(&format!("{base}/channels"), token, form).await?.error_for_status()?;
    assert_eq!(answer.status(), StatusCode::CREATED);
    Ok(answer.json().await?)
}

/// Takes the next message of a channel as the notifier does, and says what became of it.
async fn notify(rig: &Rig, channel: ChannelId, error: Option<&str>) -> Result<()> {
    let claim = bugbrother_kit::wait::until("a message is due", crate::rig::LIMIT, || async {
        rig.store.claim(channel, "notifier", now(), now() + 10_000).await.ok().flatten()
    })
    .await?;
    match error {
        Some(error) => rig.store.put_off(&claim, "notifier", error, now() + 60_000).await?,
        None => rig.store.delivered(&claim, "notifier", now()).await?,
    };
    Ok(())
}

#[tokio::test]
async fn a_channel_is_added_tried_changed_and_deleted_by_its_owner_and_its_secret_is_never_given_back() -> Result<()> {
    let rig = Rig::start().await?;
    let (ada, bob) = (rig.user("ada", Role::Operator).await?, rig.user("bob", Role::Operator).await?);
    let made = add(&rig, OWN, &ada, &hook("phone")).await?;
    assert!(made.has_secret && made.form.secret.is_none() && !made.failing);
    let path = format!("{OWN}/channels/{}", made.id);

    // A test goes into the notifier's queue, and the page hears what became of it.
    let test: TestDelivery = rig.post(&format!("{path}/test"), &ada, &json!(null)).await?.json().await?;
    let told = format!("{OWN}/deliveries/{}", test.id);
    let (answer, done) = tokio::join!(rig.get(&told, &ada), notify(&rig, made.id, Some("404 Not Found")));
    done?;
    let failed: DeliveryEntry = answer?.error_for_status()?.json().await?;
    assert_eq!((failed.state, failed.error.as_deref()), (DeliveryState::Waiting, Some("404 Not Found")));
    let test: TestDelivery = rig.post(&format!("{path}/test"), &ada, &json!(null)).await?.json().await?;
    notify(&rig, made.id, None).await?;
    let told = format!("{OWN}/deliveries/{}", test.id);
    let arrived: DeliveryEntry = rig.get(&told, &ada).await?.error_for_status()?.json().await?;
    assert_eq!(arrived.state, DeliveryState::Sent);
    rig.post(&format!("{path}/test"), &ada, &json!(null)).await?.error_for_status()?;
    let many = rig.post(&format!("{path}/test"), &ada, &json!(null)).await?;
    expect_refusal(many, StatusCode::TOO_MANY_REQUESTS, "too_many_tests").await?;

    // Of another's nothing is told, nor of the fleet's where only own ones are.
    expect_refusal(rig.get(&told, &bob).await?, StatusCode::NOT_FOUND, "not_found").await?;
    expect_refusal(put(&rig, &path, &bob, &hook("mine")).await?, StatusCode::NOT_FOUND, "not_found").await?;
    expect_refusal(rig.delete(&path, &bob).await?, StatusCode::NOT_FOUND, "not_found").await?;
    let admin = rig.token().await?;
    let fleets = format!("{FLEET}/channels/{}", made.id);
    expect_refusal(put(&rig, &fleets, &admin, &hook("mine")).await?, StatusCode::NOT_FOUND, "not_found").await?;

    let mut form = hook("telephone");
    form["secret"] = Value::Null;
    let changed: ChannelEntry = put(&rig, &path, &ada, &form).await?.error_for_status()?.json().await?;
    assert_eq!((changed.form.label.as_str(), changed.has_secret), ("telephone", true));
    assert_eq!(rig.store.channel_secret(made.id).await?.as_deref(), Some(SECRET));
    form["kind"] = "ntfy".into();
    let refused: Problem = put(&rig, &path, &ada, &form).await?.json().await?;
    assert!(refused.fields.contains_key("kind"));
    let own = rig.get(OWN, &ada).await?.error_for_status()?.text().await?;
    assert!(!own.contains(SECRET) && own.contains("telephone"), "{own}");
    for page in ["/api/frontend/audit", &format!("{FLEET}/deliveries"), FLEET] {
        let text = rig.get(page, &admin).await?.error_for_status()?.text().await?;
        assert!(!text.contains(SECRET), "{page}: {text}");
    }
    assert_eq!(rig.delete(&path, &ada).await?.status(), StatusCode::NO_CONTENT);
    let own: OwnNotifications = rig.get(OWN, &ada).await?.json().await?;
    assert!(own.channels.is_empty());
    rig.stop().await
}

#[tokio::test]
async fn a_persons_letters_go_to_the_persons_address_alone() -> Result<()> {
    let rig = Rig::start().await?;
    let ada = rig.user("ada", Role::Operator).await?;
    let form = json!({
        "kind": "email", "label": "letters", "target": "victim@example.org", "severities": ["critical"], "enabled": true,
    });
    let made = add(&rig, OWN, &ada, &form).await?;
    assert_eq!(made.form.target, "", "nobody has said where to write yet");
    assert_eq!(rig.store.channel(made.id).await?.context("it is kept")?.settings.target, "");
    let account = rig.store.account("ada").await?.context("she is there")?;
    let written = bugbrother_store::Account { email: Some("ada@example.org".into()), ..account };
    rig.store.update_account(&written, now()).await?;
    let own: OwnNotifications = rig.get(OWN, &ada).await?.error_for_status()?.json().await?;
    assert_eq!(own.channels[0].form.target, "ada@example.org");
    rig.stop().await
}

#[tokio::test]
async fn hours_are_kept_and_wrong_ones_are_refused_field_by_field() -> Result<()> {
    let rig = Rig::start().await?;
    let ada = rig.user("ada", Role::Operator).await?;
    let own: OwnNotifications = rig.get(OWN, &ada).await?.error_for_status()?.json().await?;
    assert_eq!((own.attention, own.push_key), (Attention::default(), None));
    let hours = json!({
        "quiet": { "from": 1320, "to": 420 }, "digest": "hourly", "digest_hour": 6, "critical_at_once": true,
        "time_zone": "Europe/Zurich",
    });
    put(&rig, OWN, &ada, &hours).await?.error_for_status()?;
    assert_eq!(serde_json::to_value(rig.store.attention("ada").await?)?, hours);
    let wrong = json!({ "quiet": { "from": 1440, "to": 420 }, "digest_hour": 24, "time_zone": "Moon/Base" });
    let answer = put(&rig, OWN, &ada, &wrong).await?;
    let problem = expect_refusal(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
    assert_eq!(problem.fields.into_keys().collect::<Vec<_>>(), ["digest_hour", "from", "time_zone"]);
    rig.stop().await
}

#[tokio::test]
async fn the_fleets_channels_and_mail_server_are_for_who_runs_it() -> Result<()> {
    let rig = Rig::start().await?;
    let (admin, ada) = (rig.token().await?, rig.user("ada", Role::Operator).await?);
    expect_refusal(rig.get(FLEET, &ada).await?, StatusCode::FORBIDDEN, "forbidden").await?;
    let room = add(&rig, FLEET, &admin, &hook("room")).await?;
    let form = json!({
        "mail": { "host": "mail.example.org", "security": "tls", "user": "fleet", "password": SECRET, "from": "fleet@example.org" },
        "escalate_to": ["ada"],
    });
    let answer = put(&rig, FLEET, &admin, &form).await?.error_for_status()?.text().await?;
    assert!(!answer.contains(SECRET), "{answer}");
    let fleet: FleetNotifications = serde_json::from_str(&answer)?;
    assert!(fleet.has_password && fleet.mail.password.is_none());
    assert_eq!((fleet.channels.len(), fleet.escalate_to), (1, vec!["ada".to_owned()]));
    assert_eq!(rig.store.setting::<MailServer>().await?.password, SECRET);
    // The password does not follow the server elsewhere.
    let thief = json!({ "mail": { "host": "thief.example.org", "user": "fleet", "from": "fleet@example.org" } });
    let refused: Problem = put(&rig, FLEET, &admin, &thief).await?.json().await?;
    assert!(refused.fields.contains_key("password"), "{refused:?}");
    let stranger = json!({ "mail": {}, "escalate_to": ["nobody"] });
    let refused: Problem = put(&rig, FLEET, &admin, &stranger).await?.json().await?;
    assert!(refused.fields.contains_key("escalate_to"), "{refused:?}");

    rig.post(&format!("{FLEET}/channels/{}/test", room.id), &admin, &json!(null)).await?.error_for_status()?;
    notify(&rig, room.id, None).await?;
    let path = format!("{FLEET}/deliveries?channel={}&state=sent", room.id);
    let log: DeliveryList = rig.get(&path, &admin).await?.error_for_status()?.json().await?;
    assert_eq!((log.deliveries.len(), log.deliveries[0].kind), (1, ChannelKind::Webhook));
    let dead: DeliveryList =
        rig.get(&format!("{FLEET}/deliveries?state=dead"), &admin).await?.error_for_status()?.json().await?;
    assert!(dead.deliveries.is_empty() && dead.next.is_none());
    rig.stop().await
}
