//! `/api/frontend/password`: changing the own one, and asking for a new one.

use std::net::IpAddr;

use axum::{extract::State, http::StatusCode};
use bugbrother_wire::api::{ChangePassword, ForgottenPassword};
use serde_json::json;
use tracing::{info, warn};

use super::{
    App,
    address::Client,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    session::{MAX_NAME_BYTES, too_many},
    sessions::session_of,
};
use crate::{clock, password};

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .post("/frontend/password", Access::InPerson, change)
        .says("Change the own password; other sessions end")
        .takes::<ChangePassword>();
    routes
        .post("/frontend/password/forgotten", Access::Anybody, forgotten)
        .says("Ask the administrators for a new password; the answer does not tell whether there is such a user")
        .takes::<ForgottenPassword>();
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Body(ChangePassword { old, new }): Body<ChangePassword>,
) -> Result<StatusCode, Failure> {
    confirm(&app, &caller, old, "old").await?;
    if let Some(fault) = password::fault(&new, &caller.name) {
        return Err(Failure::field("new", fault));
    }
    let hash = app.passwords.hash(new).await?;
    let now = clock::now();
    let store = &app.config.store;
    let ended = store.set_password_hash(&caller.name, &hash, session_of(&caller), now).await?;
    app.passes.end_sessions(ended.unwrap_or_default(), now);
    app.note(&caller, "password_changed", Some(("user", &caller.name)), json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn forgotten(
    State(app): State<App>,
    client: Client,
    Body(ForgottenPassword { name }): Body<ForgottenPassword>,
) -> Result<StatusCode, Failure> {
    app.attempts.count_forgotten(client.address).map_err(too_many)?;
    if name.len() <= MAX_NAME_BYTES {
        // Behind the answer, which must take as long whether there is such a user or not.
        let tracked = app.sockets.token();
        tokio::spawn(async move {
            if let Err(failure) = ask(&app, &name, client.address).await {
                warn!(?failure, "that somebody asks for a new password could not be kept");
            }
            drop(tracked);
        });
    }
    Ok(StatusCode::ACCEPTED)
}

async fn ask(app: &App, name: &str, address: IpAddr) -> Result<(), Failure> {
    if app.config.store.ask_for_password(name, clock::now()).await? {
        app.note_of(name, address, "password_asked", Some(("user", name)), json!({})).await?;
        info!(%address, "somebody asks for a new password");
    }
    Ok(())
}

/// That the caller knows the own password, as often as one may try to sign in. `field`: where it was typed in.
pub(super) async fn confirm(app: &App, caller: &Caller, password: String, field: &str) -> Result<(), Failure> {
    app.attempts.count(&caller.name, caller.address).map_err(too_many)?;
    let user = app.config.store.user(&caller.name).await?;
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let fits = password.len() <= password::MAX_BYTES && app.passwords.verify(password, hash).await?;
    if fits { Ok(()) } else { Err(Failure::field(field, "the password is wrong")) }
}
