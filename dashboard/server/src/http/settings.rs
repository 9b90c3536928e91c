//! `/api/frontend/settings`: how the fleet is run.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bugbrother_store::{Escalation, Prices, Retention, Setting, StoreError};
use bugbrother_wire::api::{Right, Settings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    App,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
};
use crate::clock;

/// Longest that data can be kept for a number of days: a hundred years.
const MOST_DAYS: u32 = 36_500;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let run = Access::May(Right::Settings);
    routes.get("/frontend/settings", run, show).says("How the fleet is run").gives::<Settings>();
    routes
        .put("/frontend/settings", run, change)
        .says("Change how the fleet is run")
        .takes::<Settings>()
        .gives::<Settings>();
}

async fn show(State(app): State<App>) -> Result<Json<Settings>, Failure> {
    let store = &app.config.store;
    let (retention, prices) = (store.setting::<Retention>().await?, store.setting::<Prices>().await?);
    let escalation = Some(as_other(&store.setting::<Escalation>().await?));
    Ok(Json(Settings { retention: as_other(&retention), prices: as_other(&prices), escalation }))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Body(wanted): Body<Settings>,
) -> Result<Json<Settings>, Failure> {
    let retention = retention(wanted.retention)?;
    let prices: Prices = serde_json::to_value(&wanted.prices)
        .and_then(serde_json::from_value)
        .map_err(|_| Failure::field("fuel_per_l", "a fuel is one of those that vehicles can have"))?;
    let escalation: Option<Escalation> = wanted.escalation.as_ref().map(as_other);
    if let Some(Err(problem)) = escalation.as_ref().map(Setting::check) {
        return Err(Failure::field("critical_minutes", problem));
    }
    let (store, now) = (&app.config.store, clock::now());
    store.save_setting(&prices, Some(&caller.name), now).await.map_err(|error| refused("currency", error))?;
    store.save_setting(&retention, Some(&caller.name), now).await.map_err(|error| refused("retention", error))?;
    if let Some(escalation) = &escalation {
        store
            .save_setting(escalation, Some(&caller.name), now)
            .await
            .map_err(|error| refused("critical_minutes", error))?;
    }
    let detail = json!({ "retention": retention, "prices": prices, "escalation": escalation });
    app.note(&caller, "settings_changed", None, detail).await?;
    show(State(app)).await
}

/// A kind that is not named stays as it is by default; one that does not exist is refused.
fn retention(days: BTreeMap<String, Option<u32>>) -> Result<Retention, Failure> {
    let known: BTreeMap<String, Option<u32>> = as_other(&Retention::default());
    let wrong = |(kind, days): (&String, &Option<u32>)| {
        let message = if !known.contains_key(kind) {
            "there is no such kind of data"
        } else if days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
            "a number of days from 1 to 36500, or nothing for ever"
        } else {
            return None;
        };
        Some((kind.clone(), message.to_owned()))
    };
    let wrong: Vec<_> = days.iter().filter_map(wrong).collect();
    if !wrong.is_empty() {
        return Err(Failure::fields(wrong));
    }
    Ok(as_other(&known.into_iter().chain(days).collect::<BTreeMap<_, _>>()))
}

fn refused(field: &str, error: StoreError) -> Failure {
    if error.is_about_content() { Failure::field(field, error.to_string()) } else { error.into() }
}

/// The same thing as the other crate has it: both are written alike.
fn as_other<T: DeserializeOwned>(value: &impl Serialize) -> T {
    serde_json::to_value(value).and_then(serde_json::from_value).expect("both have the same fields")
}
