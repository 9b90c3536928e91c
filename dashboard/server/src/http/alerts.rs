//! `/api/frontend/alerts`: alerts as the database has them, the resolved ones too.

use axum::{Json, extract::State};
use bugbrother_wire::{UnixMs, api::AlertList};
use serde::Deserialize;

use super::{App, body::Params, failure::Failure, signed::Watcher};

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;

#[derive(Deserialize)]
pub(crate) struct Page {
    before: Option<UnixMs>,
    limit: Option<u32>,
}

pub(crate) async fn list(
    State(app): State<App>,
    _: Watcher,
    Params(page): Params<Page>,
) -> Result<Json<AlertList>, Failure> {
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let alerts = app.config.store.alerts(page.before, limit).await?;
    Ok(Json(AlertList { alerts }))
}
