//! `/api/frontend/fleet-notifications`: the fleet's own channels, its mail server, and what became of every message.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{DeliveryFilter, EscalateTo, MailServer};
use bugbrother_wire::{
    ChannelId, DeliveryId,
    api::{
        ChannelEntry, ChannelForm, DeliveryEntry, DeliveryList, DeliveryState, FleetNotifications,
        FleetNotificationsForm, MailServerForm, Right, TestDelivery,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    body::{Body, Params},
    caller::{Access, Caller},
    channels,
    failure::Failure,
    form::{Form, PathId, place, place_text},
    routes::Routes,
    users::is_email,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;
const MAX_LINE: usize = 254;
/// Who hears of it when nobody saw to an alert in time.
const MAX_PEOPLE: usize = 50;

#[derive(Deserialize, JsonSchema)]
struct Wanted {
    /// By that channel.
    channel: Option<ChannelId>,
    /// In that state.
    state: Option<DeliveryState>,
    /// `next` of the page before.
    before: Option<String>,
    /// How many at most.
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let run = Access::May(Right::Settings);
    routes
        .get("/frontend/fleet-notifications", run, show)
        .says("The fleet's own channels and its mail server")
        .gives::<FleetNotifications>();
    routes
        .put("/frontend/fleet-notifications", run, change)
        .says("Change the mail server, and who hears of what nobody saw to; without a password the present one stays")
        .takes::<FleetNotificationsForm>()
        .gives::<FleetNotifications>();
    routes
        .post("/frontend/fleet-notifications/channels", run, add)
        .says("Add a channel of the fleet")
        .takes::<ChannelForm>()
        .gives::<ChannelEntry>();
    routes
        .put("/frontend/fleet-notifications/channels/{id}", run, change_channel)
        .says("Change a channel of the fleet; without a secret the present one stays")
        .takes::<ChannelForm>()
        .gives::<ChannelEntry>();
    routes.delete("/frontend/fleet-notifications/channels/{id}", run, remove).says("Delete a channel of the fleet");
    routes
        .post("/frontend/fleet-notifications/channels/{id}/test", run, test)
        .says("Send a test by a channel of the fleet")
        .gives::<TestDelivery>();
    routes
        .get("/frontend/fleet-notifications/deliveries", run, deliveries)
        .says("What became of messages, newest first")
        .asks::<Wanted>()
        .gives::<DeliveryList>();
    routes
        .get("/frontend/fleet-notifications/deliveries/{id}", run, delivery)
        .says("How far a message has come; waits some seconds for its end")
        .gives::<DeliveryEntry>();
}

async fn show(State(app): State<App>) -> Result<Json<FleetNotifications>, Failure> {
    let store = &app.config.store;
    let mut entries = Vec::new();
    for channel in store.channels(None).await? {
        entries.push(channels::entry(&app, channel).await?);
    }
    let mail: MailServer = store.setting().await?;
    let EscalateTo { people } = store.setting().await?;
    Ok(Json(FleetNotifications {
        channels: entries,
        has_password: !mail.password.is_empty(),
        mail: MailServerForm {
            host: mail.host,
            port: mail.port,
            security: mail.security,
            user: mail.user,
            password: None,
            from: mail.from,
        },
        escalate_to: people,
    }))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Body(form): Body<FleetNotificationsForm>,
) -> Result<Json<FleetNotifications>, Failure> {
    let (store, now) = (&app.config.store, clock::now());
    let known: MailServer = store.setting().await?;
    let mail = mail(form.mail, &known)?;
    let mut people = form.escalate_to;
    people.sort_unstable();
    people.dedup();
    if people.len() > MAX_PEOPLE {
        return Err(Failure::field("escalate_to", "up to 50 people"));
    }
    for name in &people {
        let account = if name.len() <= MAX_LINE { store.account(name).await? } else { None };
        if !account.is_some_and(|account| account.role.rights().contains(&Right::HandleAlerts)) {
            return Err(Failure::field("escalate_to", "there is somebody who sees to no alerts"));
        }
    }
    let detail = json!({ "host": mail.host, "from": mail.from, "escalate_to": people });
    app.note(&caller, "notifications_changed", None, detail).await?;
    store.save_setting(&mail, Some(&caller.name), now).await?;
    store.save_setting(&EscalateTo { people }, Some(&caller.name), now).await?;
    show(State(app)).await
}

/// The mail server as it is to be. Its password stays only for the same account on the same server, spoken to as safely: or
/// whoever may change the server could have the password sent to one of their own.
fn mail(form: MailServerForm, known: &MailServer) -> Result<MailServer, Failure> {
    let mut check = Form::default();
    let mut line = |field: &str, text: &str| check.some_line(field, Some(text), MAX_LINE).unwrap_or_default();
    let (host, user, from) = (line("host", &form.host), line("user", &form.user), line("from", &form.from));
    let password = check.some_line("password", form.password.as_deref(), MAX_LINE);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    check.check("host", host.bytes().all(is_host), "the name of a server, without https:// and the like");
    check.check("port", form.port != Some(0), "a port from 1 to 65535");
    if !host.is_empty() {
        let address = from.rsplit_once('<').map_or(from.as_str(), |(_, rest)| rest.trim_end_matches('>'));
        check.check("from", is_email(address), "an address, or a name and an address: Fleet <fleet@example.org>");
    }
    check.done()?;
    let is_same =
        host == known.host && form.port == known.port && user == known.user && form.security == known.security;
    let password = password.unwrap_or_else(|| if is_same { known.password.clone() } else { String::new() });
    if !user.is_empty() && password.is_empty() {
        return Err(Failure::field("password", "give the password of this account on this server"));
    }
    Ok(MailServer { host, port: form.port, security: form.security, user, password, from })
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(form): Body<ChannelForm>,
) -> Result<(StatusCode, Json<ChannelEntry>), Failure> {
    Ok((StatusCode::CREATED, Json(channels::add(&app, &caller, false, form).await?)))
}

async fn change_channel(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChannelId>,
    Body(form): Body<ChannelForm>,
) -> Result<Json<ChannelEntry>, Failure> {
    channels::change(&app, &caller, false, id, form).await.map(Json)
}

async fn remove(State(app): State<App>, caller: Caller, PathId(id): PathId<ChannelId>) -> Result<StatusCode, Failure> {
    channels::remove(&app, &caller, false, id).await
}

async fn test(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ChannelId>,
) -> Result<(StatusCode, Json<TestDelivery>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(channels::test(&app, &caller, false, id).await?)))
}

async fn delivery(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<DeliveryEntry>, Failure> {
    channels::delivery(&app, &caller, false, id).await.map(Json)
}

async fn deliveries(State(app): State<App>, Params(wanted): Params<Wanted>) -> Result<Json<DeliveryList>, Failure> {
    let before = wanted.before.as_deref().map(|text| place("before", text)).transpose()?;
    let limit = wanted.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let filter = DeliveryFilter { channel: wanted.channel, state: wanted.state };
    let mut records = app.config.store.deliveries(filter, before, limit + 1).await?;
    let has_more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next = records.last().filter(|_| has_more).map(channels::place_of).map(|(at, id)| place_text(at, id));
    Ok(Json(DeliveryList { deliveries: records.into_iter().map(channels::delivery_entry).collect(), next }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bugbrother_wire::api::MailSecurity;

    #[test]
    fn a_password_does_not_follow_the_server_elsewhere() {
        let known = MailServer {
            host: "mail.example.org".into(),
            user: "fleet".into(),
            password: "swordfish".into(),
            from: "fleet@example.org".into(),
            ..MailServer::default()
        };
        let same = MailServerForm {
            host: known.host.clone(),
            user: known.user.clone(),
            from: "Fleet <fleet@example.org>".into(),
            ..MailServerForm::default()
        };
        assert_eq!(mail(same.clone(), &known).unwrap().password, "swordfish");
        for other in [
            MailServerForm { host: "thief.example.org".into(), ..same.clone() },
            MailServerForm { user: "other".into(), ..same.clone() },
            MailServerForm { security: MailSecurity::Plain, ..same.clone() },
            MailServerForm { port: Some(2525), ..same.clone() },
        ] {
            assert!(mail(other.clone(), &known).is_err(), "{other:?}");
            assert!(mail(MailServerForm { password: Some("new".into()), ..other }, &known).is_ok());
        }
        assert!(mail(MailServerForm { from: "nobody".into(), ..same.clone() }, &known).is_err());
        assert!(mail(MailServerForm { host: "https://mail".into(), ..same }, &known).is_err());
        assert!(mail(MailServerForm::default(), &known).is_ok(), "without a server there are no letters");
    }
}
