//! `/api/frontend/servers`: the fleet's other dashboards, and how a session goes on at one of them.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use bugbrother_wire::api::{Passage, Servers, Session};

use super::{
    App,
    address::Client,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    session,
};
use crate::{clock, pass::PassKind};

/// Sessions of an account that are looked through.
const MANY: u32 = 200;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/servers", Access::SignedIn, list)
        .says("The fleet's dashboards, and a passage to another one")
        .gives::<Servers>();
    routes
        .post("/frontend/session/passage", Access::Anybody, arrive)
        .says("Go on here with a session of another dashboard of the fleet")
        .takes::<Passage>()
        .gives::<Session>();
}

async fn list(State(app): State<App>, caller: Caller) -> Json<Servers> {
    let servers = app.config.servers.clone();
    // Whoever comes by a token of a program has no session that could go on.
    let passage = match caller.pass.by {
        PassKind::Session(id) if servers.len() > 1 => Some(app.passages.issue(&caller.name, id, clock::now())),
        _ => None,
    };
    Json(Servers { servers, passage })
}

async fn arrive(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(Passage { passage }): Body<Passage>,
) -> Result<Response, Failure> {
    app.attempts.count_refresh(client.address).map_err(session::too_many)?;
    let refused =
        || Failure::new(StatusCode::UNAUTHORIZED, "passage", "the passage is wrong, was used, or has expired");
    let now = clock::now();
    let claims = app.passages.take(&passage, now).ok_or_else(refused)?;
    // It goes on only if it runs; the database may be a copy that lags behind, and is believed.
    let sessions = app.config.store.sessions(&claims.sub, now, MANY).await?;
    let before = sessions.iter().find(|session| session.id == claims.sid).ok_or_else(refused)?;
    session::begin(&app, &client, &headers, claims.sub, before.is_program, "passed_over").await
}
