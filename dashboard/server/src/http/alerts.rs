//! `/api/frontend/alerts`: alerts as the database has them, the resolved ones too, and who sees to them.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_dtc::Explanation;
use bugbrother_store::{AlertEvent, AlertEventKind, AlertFilter, AlertRecord};
use bugbrother_trip::gazetteer;
use bugbrother_wire::{
    AlertId, UnixMs, Vin,
    api::{
        AlertAssignment, AlertComment, AlertDetail, AlertList, AlertRest, AlertStep, AlertStepKind, AlertSummary,
        PeopleList, Right, Tongue, TroubleInWords,
    },
    live::News,
    message::{Alert, AlertState, Severity},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    body::{Body, Params},
    caller::{Access, Caller, Scope},
    diagnostics::Words,
    failure::Failure,
    form::PathId,
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;
const MAX_HISTORY: u32 = 500;
const MAX_PEOPLE: u32 = 500;
const MAX_COMMENT_CHARS: usize = 1_000;
/// Longest time that an alert may rest.
const MAX_REST_MS: i64 = 30 * 24 * 60 * 60 * 1000;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Wanted {
    /// `next` of the page before, or a moment: only such as were opened before.
    before: Option<String>,
    /// How many at most.
    limit: Option<u32>,
    /// `active` (open or acknowledged), `open`, `acknowledged` or `resolved`.
    state: Option<StateFilter>,
    /// Of that severity.
    severity: Option<Severity>,
    /// Of that vehicle.
    vin: Option<Vin>,
    /// Of that rule.
    rule: Option<String>,
    /// Opened then or later.
    from: Option<UnixMs>,
    /// Opened then or before.
    to: Option<UnixMs>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StateFilter {
    Active,
    Open,
    Acknowledged,
    Resolved,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let (watch, handle) = (Access::May(Right::Watch), Access::May(Right::HandleAlerts));
    routes.get("/frontend/alerts", watch, list).says("Alerts, newest first").asks::<Wanted>().gives::<AlertList>();
    routes.get("/frontend/alerts/people", handle, people).says("To whom alerts can be given").gives::<PeopleList>();
    routes
        .get("/frontend/alerts/{id}", watch, show)
        .says("An alert, and what happened to it")
        .asks::<Words>()
        .gives::<AlertDetail>();
    routes
        .post("/frontend/alerts/{id}/acknowledgement", handle, acknowledge)
        .says("Says that one sees to an alert")
        .gives::<AlertDetail>();
    routes
        .delete("/frontend/alerts/{id}/acknowledgement", handle, take_back)
        .says("Takes that back")
        .gives::<AlertDetail>();
    routes
        .post("/frontend/alerts/{id}/comments", handle, comment)
        .says("Adds to what is said of an alert")
        .takes::<AlertComment>()
        .gives::<AlertDetail>();
    routes
        .put("/frontend/alerts/{id}/assignment", handle, assign)
        .says("Gives an alert to somebody, or to nobody")
        .takes::<AlertAssignment>()
        .gives::<AlertDetail>();
    routes
        .put("/frontend/alerts/{id}/rest", handle, rest)
        .says("Lets an alert rest for a while, or no longer")
        .takes::<AlertRest>()
        .gives::<AlertDetail>();
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<AlertList>, Failure> {
    let limit = wanted.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let seen_by = match caller.scope {
        Scope::Fleet => None,
        Scope::Client(client) => Some((client, clock::now())),
        Scope::Nothing => return Ok(Json(AlertList { alerts: Vec::new(), next: None })),
    };
    let filter = AlertFilter {
        vin: wanted.vin,
        rule: wanted.rule.as_deref().filter(|rule| !rule.is_empty()),
        severity: wanted.severity,
        state: match wanted.state {
            Some(StateFilter::Open) => Some(AlertState::Open),
            Some(StateFilter::Acknowledged) => Some(AlertState::Acknowledged),
            Some(StateFilter::Resolved) => Some(AlertState::Resolved),
            Some(StateFilter::Active) | None => None,
        },
        active: wanted.state == Some(StateFilter::Active),
        from: wanted.from,
        to: wanted.to,
        seen_by,
    };
    let before = wanted.before.as_deref().map(cursor).transpose()?;
    let mut records = app.config.store.find_alerts(filter, before, limit + 1).await?;
    let has_more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next = records.last().filter(|_| has_more).map(|last| format!("{}_{}", last.alert.opened, last.alert.id));
    Ok(Json(AlertList { alerts: records.into_iter().map(summary).collect(), next }))
}

async fn people(State(app): State<App>) -> Result<Json<PeopleList>, Failure> {
    let accounts = app.config.store.accounts(None, MAX_PEOPLE).await?;
    let may = accounts
        .into_iter()
        .filter(|account| account.disabled.is_none() && account.role.rights().contains(&Right::HandleAlerts));
    Ok(Json(PeopleList { people: may.map(|account| account.name).collect() }))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
    Params(Words { lang }): Params<Words>,
) -> Result<Json<AlertDetail>, Failure> {
    let record = find(&app, &caller, &id).await?;
    detail(&app, record, lang).await
}

async fn acknowledge(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
) -> Result<Json<AlertDetail>, Failure> {
    let known = find(&app, &caller, &id).await?;
    app.note(&caller, "alert_acknowledged", Some(("alert", &id)), json!({})).await?;
    let turned = app.config.store.acknowledge_alert(known.alert.id, &caller.name, clock::now()).await?;
    turn(&app, known, turned).await
}

async fn take_back(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
) -> Result<Json<AlertDetail>, Failure> {
    let known = find(&app, &caller, &id).await?;
    app.note(&caller, "alert_acknowledgement_taken_back", Some(("alert", &id)), json!({})).await?;
    let turned = app.config.store.unacknowledge_alert(known.alert.id, &caller.name, clock::now()).await?;
    turn(&app, known, turned).await
}

/// Has all see what an alert was turned to. One that stays as it was is fine, unless it is over.
async fn turn(app: &App, known: AlertRecord, turned: Option<Alert>) -> Result<Json<AlertDetail>, Failure> {
    match turned {
        Some(alert) => {
            app.downlink.tell_alert(alert.id);
            app.feed.change(|fleet| fleet.see_to(alert.clone()));
            tell(app, alert.vin);
        }
        None if known.alert.state == AlertState::Resolved => {
            return Err(Failure::new(StatusCode::CONFLICT, "alert_is_over", "the alert's cause is gone meanwhile"));
        }
        None => {}
    }
    again(app, &known.alert).await
}

async fn comment(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
    Body(AlertComment { text }): Body<AlertComment>,
) -> Result<Json<AlertDetail>, Failure> {
    let known = find(&app, &caller, &id).await?;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_COMMENT_CHARS {
        return Err(Failure::field("text", "1 to 1,000 characters"));
    }
    let (alert, by) = (known.alert.id, Some(caller.name.as_str()));
    app.note(&caller, "alert_commented", Some(("alert", &id)), json!({})).await?;
    app.config.store.append_alert_event(alert, clock::now(), AlertEventKind::Commented, by, Some(text)).await?;
    tell(&app, known.alert.vin);
    again(&app, &known.alert).await
}

async fn assign(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
    Body(AlertAssignment { to }): Body<AlertAssignment>,
) -> Result<Json<AlertDetail>, Failure> {
    let known = find(&app, &caller, &id).await?;
    if let Some(name) = &to {
        let account = app.config.store.account(name).await?;
        let may = account
            .is_some_and(|account| account.disabled.is_none() && account.role.rights().contains(&Right::HandleAlerts));
        if !may {
            return Err(Failure::field("to", "nobody of that name sees to alerts"));
        }
    }
    app.note(&caller, "alert_assigned", Some(("alert", &id)), json!({ "to": to })).await?;
    app.config.store.assign_alert(known.alert.id, to.as_deref(), &caller.name, clock::now()).await?;
    tell(&app, known.alert.vin);
    again(&app, &known.alert).await
}

async fn rest(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
    Body(AlertRest { until }): Body<AlertRest>,
) -> Result<Json<AlertDetail>, Failure> {
    let known = find(&app, &caller, &id).await?;
    let now = clock::now();
    if until.is_some_and(|until| !(now..=now + MAX_REST_MS).contains(&until)) {
        return Err(Failure::field("until", "from now on to 30 days ahead"));
    }
    app.note(&caller, "alert_rests", Some(("alert", &id)), json!({ "until": until })).await?;
    app.config.store.snooze_alert(known.alert.id, until, &caller.name, now).await?;
    tell(&app, known.alert.vin);
    again(&app, &known.alert).await
}

/// The alert, if the caller may know of its vehicle. One of a vehicle that the database does not know is the fleet's.
pub(super) async fn find(app: &App, caller: &Caller, id: &str) -> Result<AlertRecord, Failure> {
    let not_found = || Failure::not_found("no such alert is known");
    let id: AlertId = id.parse().map_err(|_| not_found())?;
    let record = app.config.store.alert(id).await?.ok_or_else(not_found)?;
    if caller.scope != Scope::Fleet {
        caller.sees(app, record.alert.vin).await.map_err(|_| not_found())?;
    }
    Ok(record)
}

async fn again(app: &App, alert: &Alert) -> Result<Json<AlertDetail>, Failure> {
    let record = app.config.store.alert(alert.id).await?.ok_or_else(|| Failure::not_found("no such alert is known"))?;
    detail(app, record, Tongue::default()).await
}

async fn detail(app: &App, record: AlertRecord, lang: Tongue) -> Result<Json<AlertDetail>, Failure> {
    let store = &app.config.store;
    let history = store.alert_events(record.alert.id, 0, MAX_HISTORY).await?;
    let name = store.vehicle(record.alert.vin).await?.map(|vehicle| vehicle.name);
    Ok(Json(AlertDetail {
        vehicle: name.unwrap_or_else(|| record.alert.vin.to_string()),
        place: place_name(record.alert.lat.zip(record.alert.lon)),
        history: history.into_iter().map(step).collect(),
        troubles: troubles(&record.alert, lang),
        alert: summary(record),
    }))
}

/// The trouble codes that an alert is about, in words.
fn troubles(alert: &Alert, lang: Tongue) -> Vec<TroubleInWords> {
    let codes = alert.detail.iter().flat_map(|cause| &cause.codes);
    let in_words = |code: &String| {
        let Explanation { title, advice, severity, .. } = bugbrother_dtc::catalogue().explain(code, lang);
        TroubleInWords { code: code.clone(), title, advice, severity }
    };
    codes.map(in_words).collect()
}

/// What people call a place.
pub(super) fn place_name(place: Option<(f64, f64)>) -> Option<String> {
    let (lat, lon) = place?;
    gazetteer::place(lat, lon).map(|town| format!("{}, {}", town.name, town.country))
}

fn tell(app: &App, vin: Vin) {
    app.feed.change(|fleet| fleet.notice(vin, News::Handling));
}

/// Opening and identity of the last one of the page before; a bare moment comes before all that were opened then.
fn cursor(text: &str) -> Result<(UnixMs, AlertId), Failure> {
    let parts = match text.split_once('_') {
        Some((opened, id)) => opened.parse().ok().zip(id.parse().ok()),
        None => text.parse().ok().map(|opened| (opened, AlertId(uuid::Uuid::nil()))),
    };
    parts.ok_or_else(|| {
        Failure::new(StatusCode::BAD_REQUEST, "invalid_query", "`before` is `next` of the page before, or a moment")
    })
}

fn summary(record: AlertRecord) -> AlertSummary {
    let AlertRecord { alert, handling } = record;
    AlertSummary { alert, assigned_to: handling.assigned_to, snoozed_until: handling.snoozed_until }
}

fn step(event: AlertEvent) -> AlertStep {
    AlertStep {
        number: event.number,
        at: event.at,
        kind: match event.kind {
            AlertEventKind::Opened => AlertStepKind::Opened,
            AlertEventKind::Acknowledged => AlertStepKind::Acknowledged,
            AlertEventKind::Assigned => AlertStepKind::Assigned,
            AlertEventKind::Commented => AlertStepKind::Commented,
            AlertEventKind::Snoozed => AlertStepKind::Snoozed,
            AlertEventKind::Escalated => AlertStepKind::Escalated,
            AlertEventKind::Resolved => AlertStepKind::Resolved,
        },
        by: event.by,
        text: event.text,
    }
}
