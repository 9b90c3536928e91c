//! `/api/frontend/users`: who may sign in.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use bugbrother_store::{Account, AccountChange, Language, User};
use bugbrother_wire::api::{
    AddedUser, InvitationLink, NewUser, Right, Role, RoleList, RoleRights, Tongue, UserDetails, UserList, UserSummary,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    body::{Body, Params},
    caller::{Access, Caller},
    failure::Failure,
    invitations::invite,
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;
const MAX_TEXT_CHARS: usize = 80;
const MAX_EMAIL_CHARS: usize = 254;

#[derive(Deserialize, JsonSchema)]
struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let may = Access::May(Right::Users);
    routes.get("/frontend/users", may, list).says("Users by name").asks::<Page>().gives::<UserList>();
    routes
        .post("/frontend/users", may, add)
        .says("Add a user, who sets a password by the link in the answer")
        .takes::<NewUser>()
        .gives::<AddedUser>();
    routes.get("/frontend/users/{name}", may, show).says("A user").gives::<UserSummary>();
    routes
        .put("/frontend/users/{name}", may, change)
        .says("Change a user; another role or client ends the user's sessions")
        .takes::<UserDetails>()
        .gives::<UserSummary>();
    routes
        .delete("/frontend/users/{name}", may, delete)
        .says("Delete a user; what the user did stays in the audit log");
    routes
        .post("/frontend/users/{name}/disable", may, disable)
        .says("Let a user sign in no more; sessions end and API tokens are revoked")
        .gives::<UserSummary>();
    routes.post("/frontend/users/{name}/enable", may, enable).says("Let a user sign in again").gives::<UserSummary>();
    routes
        .post("/frontend/users/{name}/invitation", may, invitation)
        .says("A link by which a user sets a new password")
        .gives::<InvitationLink>();
    routes
        .delete("/frontend/users/{name}/second-factor", may, remove_second_factor)
        .says("Take the second factor off a user who has lost the telephone");
    routes.delete("/frontend/users/{name}/sessions", may, end_sessions).says("Sign a user out everywhere");
    routes.get("/frontend/roles", Access::SignedIn, roles).says("What each role permits").gives::<RoleList>();
}

async fn list(State(app): State<App>, Params(page): Params<Page>) -> Result<Json<UserList>, Failure> {
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let mut accounts = app.config.store.accounts(page.after.as_deref(), limit + 1).await?;
    let has_more = accounts.len() > limit as usize;
    accounts.truncate(limit as usize);
    let next = accounts.last().filter(|_| has_more).map(|last| last.name.clone());
    let now = clock::now();
    Ok(Json(UserList { users: accounts.into_iter().map(|account| summary(account, now)).collect(), next }))
}

async fn show(State(app): State<App>, Path(name): Path<String>) -> Result<Json<UserSummary>, Failure> {
    Ok(Json(summary(find(&app, &name).await?, clock::now())))
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(NewUser { name, details }): Body<NewUser>,
) -> Result<(StatusCode, Json<AddedUser>), Failure> {
    let details = check(&app, details).await?;
    if !is_name(&name) {
        let message = "a user name has 2 to 64 of a-z, 0-9, `.`, `_`, `-` and `@`, and begins with a letter or a digit";
        return Err(Failure::field("name", message));
    }
    let store = &app.config.store;
    let user = User { name: name.clone(), password_hash: String::new(), role: details.role };
    if !store.add_user(&user, clock::now()).await? {
        return Err(Failure::field("name", "there is a user of that name"));
    }
    let account = merge(find(&app, &name).await?, &details);
    changed(store.update_account(&account, clock::now()).await?)?;
    app.note(&caller, "user_added", Some(("user", &name)), json!(details)).await?;
    let invitation = invite(&app, &caller, &name).await?;
    let user = summary(find(&app, &name).await?, clock::now());
    Ok((StatusCode::CREATED, Json(AddedUser { user, invitation })))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Body(details): Body<UserDetails>,
) -> Result<Json<UserSummary>, Failure> {
    let account = find(&app, &name).await?;
    let details = check(&app, details).await?;
    let store = &app.config.store;
    changed(store.update_account(&merge(account, &details), clock::now()).await?)?;
    app.passes.ask(store).await?;
    app.note(&caller, "user_changed", Some(("user", &name)), json!(details)).await?;
    show(State(app), Path(name)).await
}

async fn disable(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<UserSummary>, Failure> {
    not_oneself(&caller, &name)?;
    let store = &app.config.store;
    changed(store.disable_account(&name, clock::now()).await?)?;
    app.passes.ask(store).await?;
    app.note(&caller, "user_disabled", Some(("user", &name)), json!({})).await?;
    show(State(app), Path(name)).await
}

async fn enable(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<UserSummary>, Failure> {
    if !app.config.store.enable_account(&name).await? {
        return Err(unknown());
    }
    app.note(&caller, "user_enabled", Some(("user", &name)), json!({})).await?;
    show(State(app), Path(name)).await
}

async fn delete(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    not_oneself(&caller, &name)?;
    let store = &app.config.store;
    changed(store.delete_account(&name, clock::now()).await?)?;
    app.passes.ask(store).await?;
    app.note(&caller, "user_deleted", Some(("user", &name)), json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn invitation(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<InvitationLink>, Failure> {
    Ok(Json(invite(&app, &caller, &name).await?))
}

async fn remove_second_factor(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    find(&app, &name).await?;
    if app.config.store.remove_second_factor(&name).await? {
        app.note(&caller, "second_factor_removed", Some(("user", &name)), json!({})).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn end_sessions(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    let store = &app.config.store;
    if !store.end_sessions(&name, clock::now()).await? {
        return Err(unknown());
    }
    app.passes.ask(store).await?;
    app.note(&caller, "sessions_ended", Some(("user", &name)), json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn roles() -> Json<RoleList> {
    let roles = Role::ALL.into_iter().map(|role| RoleRights { role, rights: role.rights().to_vec() });
    Json(RoleList { roles: roles.collect() })
}

async fn find(app: &App, name: &str) -> Result<Account, Failure> {
    app.config.store.account(name).await?.ok_or_else(unknown)
}

fn unknown() -> Failure {
    Failure::not_found("there is no such user")
}

/// Nobody is locked out by a slip of the own hand.
fn not_oneself(caller: &Caller, name: &str) -> Result<(), Failure> {
    if caller.name == name {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            "own_account",
            "this is your own account; another user may do that",
        ));
    }
    Ok(())
}

fn changed(change: AccountChange) -> Result<(), Failure> {
    match change {
        AccountChange::Done => Ok(()),
        AccountChange::NoSuchUser => Err(unknown()),
        AccountChange::LastAdministrator => {
            let message = "nobody would be left who may do everything; make somebody else an administrator first";
            Err(Failure::new(StatusCode::CONFLICT, "last_administrator", message))
        }
    }
}

/// What was typed in, as it is kept; or what is wrong with it.
async fn check(app: &App, details: UserDetails) -> Result<UserDetails, Failure> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, message: &str| faults.push((field.to_owned(), message.to_owned()));
    let text = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let fits = |text: &str, max| text.chars().count() <= max && !text.chars().any(char::is_control);
    let (display_name, email) = (text(details.display_name), text(details.email));
    if display_name.as_deref().is_some_and(|name| !fits(name, MAX_TEXT_CHARS)) {
        fault("display_name", "a name has up to 80 characters, none of them a control character");
    }
    if email.as_deref().is_some_and(|email| !fits(email, MAX_EMAIL_CHARS) || !is_email(email)) {
        fault("email", "this is no e-mail address");
    }
    let client = details.client.filter(|_| details.role == Role::Client);
    if details.role == Role::Client {
        let known = match client {
            Some(client) => app.config.store.client(client).await?.is_some_and(|client| client.archived.is_none()),
            None => false,
        };
        if !known {
            fault("client", "choose the client whose vehicles the user may see");
        }
    }
    if faults.is_empty() {
        Ok(UserDetails { display_name, email, client, ..details })
    } else {
        Err(Failure::fields(faults))
    }
}

/// Whether it could be an address; only a letter to it can tell.
pub(super) fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.contains('@') && !text.contains(char::is_whitespace)
    })
}

fn is_name(name: &str) -> bool {
    (2..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'@'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn merge(account: Account, details: &UserDetails) -> Account {
    Account {
        role: details.role,
        display_name: details.display_name.clone(),
        email: details.email.clone(),
        client: details.client,
        language: match details.language {
            Tongue::En => Language::En,
            Tongue::Fr => Language::Fr,
        },
        ..account
    }
}

fn summary(account: Account, now: bugbrother_wire::UnixMs) -> UserSummary {
    UserSummary {
        name: account.name,
        display_name: account.display_name,
        email: account.email,
        role: account.role,
        client: account.client,
        language: match account.language {
            Language::En => Tongue::En,
            Language::Fr => Tongue::Fr,
        },
        created: account.created,
        disabled: account.disabled,
        signed_in: account.signed_in,
        asks: account.asks,
        has_password: account.has_password,
        second_factor: account.second_factor,
        invited: account.invited.filter(|until| *until > now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_one_that_nobody_takes_for_another() {
        for good in ["ada", "a.lovelace", "ada@example.org", "4d4", "a-b_c"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a", "Ada", "ada lovelace", ".ada", "adа", "../x", "a/b", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn an_address_has_a_name_and_a_host() {
        assert!(is_email("ada@example.org"));
        for bad in ["ada", "@example.org", "ada@", "ada@localhost", "a b@c.d", "a@b@c.d"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
