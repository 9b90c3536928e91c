//! `/healthz`: whether the dashboard does its work, for a supervisor or a load balancer.

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

/// How this process and its parts are.
pub(super) async fn of(app: &App) -> Health {
    let store = match timeout(PATIENCE, app.config.store.ping()).await {
        Ok(Ok(())) => "ok",
        Ok(Err(_)) => "the database does not answer",
        Err(_) => "the database takes longer than 2 s",
    };
    let mqtt = if app.feed.mqtt_is_up() { "ok" } else { "not connected to the broker" };
    let live = if app.feed.is_ticking() { "ok" } else { "the live feed stands still" };
    let own = [("store", store), ("mqtt", mqtt), ("live", live)].map(|(part, state)| (part, state.to_owned()));
    let others = app.config.parts.iter().map(|(part, trouble)| (*part, trouble().unwrap_or_else(|| "ok".to_owned())));
    let parts: BTreeMap<_, _> = own.into_iter().chain(others).map(|(part, state)| (part.to_owned(), state)).collect();
    let ok = parts.values().all(|state| state == "ok");
    Health { ok, parts }
}
