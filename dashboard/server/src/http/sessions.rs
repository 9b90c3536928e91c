//! `/api/frontend/sessions`: where one is signed in.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use bugbrother_store::{MAX_SESSIONS, SessionRecord};
use bugbrother_wire::{
    SessionId,
    api::{OpenSession, SessionList},
};
use serde_json::json;

use super::{
    App,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
};
use crate::{clock, pass::PassKind, user_agent};

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/sessions", Access::InPerson, list)
        .says("Where the account is signed in")
        .gives::<SessionList>();
    routes.delete("/frontend/sessions", Access::InPerson, end_others).says("Sign out everywhere else");
    routes.delete("/frontend/sessions/{id}", Access::InPerson, end).says("Sign out there");
}

async fn list(State(app): State<App>, caller: Caller) -> Result<Json<SessionList>, Failure> {
    // Of persons and of programs.
    let records = app.config.store.sessions(&caller.name, clock::now(), 2 * MAX_SESSIONS).await?;
    Ok(Json(SessionList { sessions: records.into_iter().map(|record| open(record, &caller)).collect() }))
}

fn open(record: SessionRecord, caller: &Caller) -> OpenSession {
    let (browser, system) = record.user_agent.as_deref().map(user_agent::describe).unwrap_or_default();
    OpenSession {
        id: record.id,
        current: caller.pass.by == PassKind::Session(record.id),
        program: record.is_program,
        browser,
        system,
        address: record.address.map(|address| address.to_string()),
        created: record.created,
        used: record.used,
        expires: record.expires,
    }
}

async fn end(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let unknown = || Failure::not_found("you have no such session");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    let now = clock::now();
    if !app.config.store.end_session(&caller.name, id, now).await? {
        return Err(unknown());
    }
    app.passes.end_sessions([id], now);
    app.note(&caller, "session_ended", Some(("session", &id.to_string())), json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end_others(State(app): State<App>, caller: Caller) -> Result<StatusCode, Failure> {
    let now = clock::now();
    let ended = app.config.store.end_other_sessions(&caller.name, session_of(&caller), now).await?;
    let count = ended.len();
    app.passes.end_sessions(ended, now);
    app.note(&caller, "sessions_ended", Some(("user", &caller.name)), json!({ "count": count })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The session in which the caller asks.
pub(super) fn session_of(caller: &Caller) -> Option<SessionId> {
    match caller.pass.by {
        PassKind::Session(id) => Some(id),
        PassKind::ApiToken(_) => None,
    }
}
