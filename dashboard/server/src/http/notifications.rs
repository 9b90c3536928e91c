//! `/api/frontend/notifications`: how and when the caller wants to be told of alerts.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_wire::{
    ChannelId, DeliveryId,
    api::{Attention, ChannelEntry, ChannelForm, DeliveryEntry, OwnNotifications, TestDelivery},
};
use serde_json::json;

use super::{
    App,
    body::Body,
    caller::{Access, Caller},
    channels,
    failure::Failure,
    form::{Form, PathId},
    preferences::is_zone,
    routes::Routes,
};
use crate::clock;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let own = Access::InPerson;
    routes.get("/frontend/notifications", own, show).says("How one is told of alerts").gives::<OwnNotifications>();
    routes
        .put("/frontend/notifications", own, change)
        .says("Say when one wants to hear of alerts")
        .takes::<Attention>()
        .gives::<Attention>();
    routes
        .post("/frontend/notifications/channels", own, add)
        .says("Add a way to be told of alerts")
        .takes::<ChannelForm>()
        .gives::<ChannelEntry>();
    routes
        .put("/frontend/notifications/channels/{id}", own, change_channel)
        .says("Change a way to be told of alerts; without a secret the present one stays")
        .takes::<ChannelForm>()
        .gives::<ChannelEntry>();
    routes.delete("/frontend/notifications/channels/{id}", own, remove).says("Delete a way to be told of alerts");
    routes.post("/frontend/notifications/channels/{id}/test", own, test).says("Send a test").gives::<TestDelivery>();
    routes
        .get("/frontend/notifications/deliveries/{id}", own, delivery)
        .says("How far a message has come; waits some seconds for its end")
        .gives::<DeliveryEntry>();
}

async fn show(State(app): State<App>, caller: Caller) -> Result<Json<OwnNotifications>, Failure> {
    let store = &app.config.store;
    let mut entries = Vec::new();
    for channel in store.channels(Some(&caller.name)).await? {
        entries.push(channels::entry(&app, channel).await?);
    }
    let attention = store.attention(&caller.name).await?;
    Ok(Json(OwnNotifications { channels: entries, attention, push_key: app.config.push_key.clone() }))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Body(attention): Body<Attention>,
) -> Result<Json<Attention>, Failure> {
    let mut check = Form::default();
    if let Some(quiet) = attention.quiet {
        check.check("from", channels::is_minute(quiet.from), "a minute of the day, 0 to 1439");
        check.check("to", channels::is_minute(quiet.to), "a minute of the day, 0 to 1439");
    }
    check.check("digest_hour", attention.digest_hour < 24, "an hour from 0 to 23");
    let is_known =
        attention.time_zone.as_deref().is_none_or(|zone| is_zone(zone) && jiff::tz::TimeZone::get(zone).is_ok());
    check.check("time_zone", is_known, "a time zone is named as in Europe/Zurich");
    check.done()?;
    app.note(&caller, "attention_changed", None, json!({})).await?;
    app.config.store.save_attention(&caller.name, &attention, clock::now()).await?;
    Ok(Json(attention))
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(form): Body<ChannelForm>,
) -> Result<(StatusCode, Json<ChannelEntry>), Failure> {
    Ok((StatusCode::CREATED, Json(channels::add(&app, &caller, true, form).await?)))
}

async fn change_channel(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChannelId>,
    Body(form): Body<ChannelForm>,
) -> Result<Json<ChannelEntry>, Failure> {
    channels::change(&app, &caller, true, id, form).await.map(Json)
}

async fn remove(State(app): State<App>, caller: Caller, PathId(id): PathId<ChannelId>) -> Result<StatusCode, Failure> {
    channels::remove(&app, &caller, true, id).await
}

async fn test(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChannelId>,
) -> Result<(StatusCode, Json<TestDelivery>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(channels::test(&app, &caller, true, id).await?)))
}

async fn delivery(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryEntry>, Failure> {
    channels::delivery(&app, &caller, true, id).await.map(Json)
}
