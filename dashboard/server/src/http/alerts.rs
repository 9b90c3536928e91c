//! `/api/frontend/alerts`: alerts as the database has them, the resolved ones too.

use axum::{Json, extract::State};
use bugbrother_wire::{
    UnixMs,
    api::{AlertList, Right},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    body::Params,
    caller::{Access, Caller, Scope},
    failure::Failure,
    routes::Routes,
};

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    /// Only such as were opened before.
    before: Option<UnixMs>,
    /// How many at most.
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/alerts", Access::May(Right::Watch), list)
        .says("Alerts, newest first")
        .asks::<Page>()
        .gives::<AlertList>();
}

async fn list(State(app): State<App>, caller: Caller, Params(page): Params<Page>) -> Result<Json<AlertList>, Failure> {
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let alerts = match caller.scope {
        Scope::Fleet => app.config.store.alerts(page.before, limit).await?,
        // The alerts of a client's vehicles are asked for by vehicle.
        Scope::Client(_) | Scope::Nothing => Vec::new(),
    };
    Ok(Json(AlertList { alerts }))
}
