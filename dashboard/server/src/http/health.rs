//! `/healthz`: whether the dashboard does its work, for whoever watches over it; `/readyz`: whether it can be given work, for a
//! load balancer. Who is not ready was just started, or waits for the database or the broker.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bugbrother_wire::api::Health;
use tokio::time::timeout;

use super::App;

/// Longest that the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
const OK: &str = "ok";

/// Pages of the fleet's other dashboards may read it.
pub(crate) async fn show(State(app): State<App>, headers: HeaderMap) -> Response {
    let health = of(&app).await;
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, Json(health)).into_response();
    let asks = headers.get(header::ORIGIN).filter(|origin| app.config.servers.iter().any(|one| one == *origin));
    if let Some(origin) = asks {
        let head = response.headers_mut();
        head.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        head.insert(header::VARY, HeaderValue::from_static("origin"));
        // The page's policy of what others may embed is for everybody else.
        head.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    }
    response
}

/// Whether requests are well answered here: the database is open, of this version and answers, and the broker is there.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let own = [("store", store(&app).await), ("mqtt", mqtt(&app))].map(|(part, state)| (part, state.to_owned()));
    let others = app.config.ready.iter().map(|(part, trouble)| (*part, trouble().unwrap_or_else(|| OK.to_owned())));
    let health = sum(own.into_iter().chain(others));
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

/// How this process and its parts are.
pub(super) async fn of(app: &App) -> Health {
    let live = if app.feed.is_ticking() { OK } else { "the live feed stands still" };
    let own = [("store", store(app).await), ("mqtt", mqtt(app)), ("live", live)];
    let own = own.map(|(part, state)| (part, state.to_owned()));
    let others = app.config.parts.iter().map(|(part, trouble)| (*part, trouble().unwrap_or_else(|| OK.to_owned())));
    sum(own.into_iter().chain(others))
}

async fn store(app: &App) -> &'static str {
    match timeout(PATIENCE, app.config.store.ping()).await {
        Ok(Ok(())) => OK,
        Ok(Err(_)) => "the database does not answer",
        Err(_) => "the database takes longer than 2 s",
    }
}

fn mqtt(app: &App) -> &'static str {
    if app.feed.mqtt_is_up() { OK } else { "not connected to the broker" }
}

fn sum(parts: impl Iterator<Item = (&'static str, String)>) -> Health {
    let parts: BTreeMap<_, _> = parts.map(|(part, state)| (part.to_owned(), state)).collect();
    Health { ok: parts.values().all(|state| state == OK), parts }
}
