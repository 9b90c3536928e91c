//! `/api/frontend/audit`: who did what, to what.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{AuditEntry, AuditFilter, AuditId, AuditObject};
use bugbrother_wire::{
    UnixMs,
    api::{AuditList, Deed, Right},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{App, body::Params, caller::Access, failure::Failure, routes::Routes};

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

#[derive(Deserialize, JsonSchema)]
struct Wish {
    /// By whom.
    who: Option<String>,
    /// Kind of what it was done to, such as `vehicle`; together with `id`.
    kind: Option<String>,
    /// Identity of that.
    id: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/audit", Access::May(Right::Audit), list)
        .says("Who did what, newest first")
        .asks::<Wish>()
        .gives::<AuditList>();
}

async fn list(State(app): State<App>, Params(wish): Params<Wish>) -> Result<Json<AuditList>, Failure> {
    let invalid = |message: &str| Failure::new(StatusCode::BAD_REQUEST, "invalid_query", message);
    let object = match (wish.kind, wish.id) {
        (Some(kind), Some(id)) => Some(AuditObject { kind, id }),
        (None, None) => None,
        _ => return Err(invalid("`kind` and `id` belong together")),
    };
    let before = match wish.before.as_deref() {
        Some(text) => Some(cursor(text).ok_or_else(|| invalid("`before` is no `next` of a page"))?),
        None => None,
    };
    let limit = wish.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let filter = AuditFilter { who: wish.who.as_deref(), object: object.as_ref() };
    // One more than asked for tells whether there is a next page.
    let mut entries = app.config.store.audit(filter, before, limit + 1).await?;
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| has_more).map(|last| format!("{}.{}", last.at, last.id));
    Ok(Json(AuditList { entries: entries.into_iter().map(deed).collect(), next }))
}

fn cursor(text: &str) -> Option<(UnixMs, AuditId)> {
    let (at, id) = text.split_once('.')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

fn deed(entry: AuditEntry) -> Deed {
    let (kind, id) = entry.object.map(|object| (object.kind, object.id)).unzip();
    Deed {
        at: entry.at,
        who: entry.who,
        what: entry.what,
        kind,
        id,
        detail: entry.detail,
        address: entry.address.map(|address| address.to_string()),
    }
}
