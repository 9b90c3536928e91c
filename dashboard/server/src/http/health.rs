//! `/healthz`: whether the dashboard does its work, for a supervisor or a load balancer.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_wire::api::Health;
use tokio::time::timeout;

use super::App;

/// Longest that the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn show(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let store = match timeout(PATIENCE, app.config.store.ping()).await {
        Ok(Ok(())) => "ok",
        Ok(Err(_)) => "the database does not answer",
        Err(_) => "the database takes longer than 2 s",
    };
    let mqtt = if app.feed.mqtt_is_up() { "ok" } else { "not connected to the broker" };
    let live = if app.feed.is_ticking() { "ok" } else { "the live feed stands still" };
    let parts = [("store", store), ("mqtt", mqtt), ("live", live)];
    let ok = parts.iter().all(|(_, state)| *state == "ok");
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let parts = parts.map(|(part, state)| (part.to_owned(), state.to_owned()));
    let health = Health { ok, parts: parts.into() };
    (status, Json(health))
}
