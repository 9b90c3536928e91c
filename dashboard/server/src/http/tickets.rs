//! `/api/frontend/tickets`: for what a browser opens without being able to say who asks; and who opens the live feed.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequestParts, Query, State},
    http::{StatusCode, request::Parts},
};
use bugbrother_wire::api::{Purpose, Right, Ticket, TicketWish};
use serde::Deserialize;

use super::{
    App,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    signed::bearer,
};
use crate::{clock, token::TokenError};

const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .post("/frontend/tickets", Access::May(Right::Watch), issue)
        .says("A ticket that is good once, for half a minute")
        .takes::<TicketWish>()
        .gives::<Ticket>();
}

async fn issue(
    State(app): State<App>,
    caller: Caller,
    Body(TicketWish { purpose }): Body<TicketWish>,
) -> Result<Json<Ticket>, Failure> {
    let name = caller.name.clone();
    let issued = app.tickets.issue(purpose, &name, caller, clock::now());
    let (ticket, expires) = issued.ok_or_else(|| {
        Failure::too_many("too_many_tickets", "too many tickets are out; wait until they expire", RETRY_AFTER)
    })?;
    Ok(Json(Ticket { ticket, expires }))
}

#[derive(Deserialize)]
struct Shown {
    ticket: Option<String>,
}

/// Somebody who may open the live feed.
pub(super) struct Watcher(pub Caller);

/// Somebody who may open a camera, as far as that is not about the vehicle.
pub(super) struct Onlooker(pub Caller);

impl FromRequestParts<App> for Watcher {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        admit(parts, app, Purpose::Live).await.map(Watcher)
    }
}

impl FromRequestParts<App> for Onlooker {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        admit(parts, app, Purpose::Video).await.map(Onlooker)
    }
}

/// A program with its token, or a browser with a ticket. A cookie does not do, since a browser sends it for any page that opens
/// a WebSocket.
pub(super) async fn admit(parts: &mut Parts, app: &App, purpose: Purpose) -> Result<Caller, Failure> {
    if bearer(&parts.headers).is_some() {
        let caller = Caller::of(parts, app).await?;
        return if caller.may(Right::Watch) {
            Ok(caller)
        } else {
            Err(Failure::forbidden("forbidden", "this account may not do that"))
        };
    }
    let refused = |message| Failure::new(StatusCode::UNAUTHORIZED, "ticket", message);
    let shown = Query::<Shown>::from_request_parts(parts, app).await.ok().and_then(|Query(shown)| shown.ticket);
    let shown = shown.ok_or_else(|| refused("a ticket is needed: ?ticket=… from POST /api/frontend/tickets"))?;
    let now = clock::now();
    let caller = app.tickets.take(&shown, purpose, now);
    let caller = caller.ok_or_else(|| refused("the ticket is wrong, was used, or has expired"))?;
    if app.passes.is_over(&caller.pass, now) {
        return Err(TokenError::Revoked.counted().into());
    }
    Ok(caller)
}
