//! `/api/frontend/invitations/{token}`: a link, good once, by which somebody sets a password.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use bugbrother_store::Invitation;
use bugbrother_wire::api::{AcceptInvitation, InvitationLink, OpenInvitation};
use serde_json::json;

use super::{
    App,
    address::Client,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    session::too_many,
};
use crate::{clock, digest, password};

/// How long a link is good.
const TTL_MS: i64 = 3 * 24 * 60 * 60 * 1000;
/// A token has 43 letters.
const MAX_TOKEN_BYTES: usize = 64;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/invitations/{token}", Access::Anybody, show)
        .says("Whom a link is for")
        .gives::<OpenInvitation>();
    routes
        .post("/frontend/invitations/{token}", Access::Anybody, accept)
        .says("Set a password, once; the user's sessions end")
        .takes::<AcceptInvitation>();
}

/// Makes a link for a user; those of before are void.
pub(super) async fn invite(app: &App, caller: &Caller, name: &str) -> Result<InvitationLink, Failure> {
    let (token, now) = (digest::random(), clock::now());
    let invitation =
        Invitation { account: name.to_owned(), created: now, expires: now + TTL_MS, by: caller.name.clone() };
    if !app.config.store.invite(&invitation, &digest::sha256(&token)).await? {
        return Err(Failure::not_found("there is no such user who may sign in"));
    }
    app.note(caller, "user_invited", Some(("user", name)), json!({ "expires": invitation.expires })).await?;
    Ok(InvitationLink { path: format!("/invitation/{token}"), expires: invitation.expires })
}

async fn show(
    State(app): State<App>,
    client: Client,
    Path(token): Path<String>,
) -> Result<Json<OpenInvitation>, Failure> {
    let invitation = find(&app, &client, &token).await?;
    let account = app.config.store.account(&invitation.account).await?.ok_or_else(unknown)?;
    Ok(Json(OpenInvitation {
        name: account.name,
        display_name: account.display_name,
        has_password: account.has_password,
        expires: invitation.expires,
    }))
}

async fn accept(
    State(app): State<App>,
    client: Client,
    Path(token): Path<String>,
    Body(AcceptInvitation { password }): Body<AcceptInvitation>,
) -> Result<StatusCode, Failure> {
    let invitation = find(&app, &client, &token).await?;
    if let Some(fault) = password::fault(&password, &invitation.account) {
        return Err(Failure::field("password", fault));
    }
    let hash = app.passwords.hash(password).await?;
    let store = &app.config.store;
    let accepted = store.accept_invitation(&digest::sha256(&token), &hash, clock::now()).await?;
    let name = accepted.ok_or_else(unknown)?;
    app.passes.ask(store).await?;
    app.note_of(&name, client.address, "password_set", Some(("user", &name)), json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, client: &Client, token: &str) -> Result<Invitation, Failure> {
    app.attempts.count_link(client.address).map_err(too_many)?;
    if token.len() > MAX_TOKEN_BYTES {
        return Err(unknown());
    }
    app.config.store.invitation(&digest::sha256(token), clock::now()).await?.ok_or_else(unknown)
}

fn unknown() -> Failure {
    Failure::not_found("the link is wrong, was used, or has expired; ask for a new one")
}
