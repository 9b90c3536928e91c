//! `/api/frontend/session`: signing in, staying so, and signing out.

use axum::{
    Json,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use bugbrother_store::{Account, Refresh, Refreshed, SessionRecord};
use bugbrother_wire::{
    SessionId,
    api::{RefreshSession, Session, SignIn},
};
use bytes::Bytes;
use serde_json::json;
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    App,
    address::Client,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    second_factor,
    signed::{COOKIE, Signed, cookie},
};
use crate::{
    clock,
    pass::PassKind,
    password,
    refresh::RefreshToken,
    token::{Bearer, Claims},
    user_agent,
};

/// Header by which a program asks for its tokens in the body.
const CLIENT: HeaderName = HeaderName::from_static("x-bugbrother-client");
/// Name of the cookie with the refresh token, which is sent to these routes alone.
const REFRESH_COOKIE: &str = "bugbrother_refresh";
const REFRESH_PATH: &str = "/api/frontend/session";
pub(super) const MAX_NAME_BYTES: usize = 128;
/// How long after its use a refresh token may be shown again: by another tab, or because the answer was lost.
const GRACE_MS: i64 = 10_000;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes.post("/frontend/session", Access::Anybody, sign_in).says("Sign in").takes::<SignIn>().gives::<Session>();
    routes.get("/frontend/session", Access::SignedIn, show).says("Whose session it is").gives::<Session>();
    routes.delete("/frontend/session", Access::Anybody, sign_out).says("Sign out");
    routes
        .post("/frontend/session/refresh", Access::Anybody, refresh)
        .says("Have another access token, and another refresh token: each of these is good once")
        .takes::<RefreshSession>()
        .gives::<Session>();
}

async fn sign_in(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(SignIn { name, password, code }): Body<SignIn>,
) -> Result<Response, Failure> {
    if name.len() > MAX_NAME_BYTES || password.len() > password::MAX_BYTES {
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            "a name has up to 128 bytes and a password up to 1024",
        ));
    }
    app.attempts.count(&name, client.address).map_err(|wait| {
        refused("limited");
        too_many(wait)
    })?;
    let user = app.config.store.user(&name).await?;
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let fits = app.passwords.verify(password, hash).await?;
    let Some(user) = user.filter(|_| fits) else {
        refused("wrong_credentials");
        info!(address = %client.address, "refused to sign somebody in");
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "name or password is wrong"));
    };
    second_factor::check(&app, &user.name, code.as_deref()).await.inspect_err(|_| refused("second_factor"))?;

    let is_program = headers.get(&CLIENT).is_some_and(|value| value.as_bytes() == b"program");
    begin(&app, &client, &headers, user.name, is_program, "signed_in").await
}

/// Begins a session for somebody who has shown who they are, and notes how.
pub(super) async fn begin(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    account: String,
    is_program: bool,
    what: &str,
) -> Result<Response, Failure> {
    let now = clock::now();
    let token = RefreshToken::new();
    let record = SessionRecord {
        id: SessionId(Uuid::now_v7()),
        account,
        is_program,
        created: now,
        used: now,
        expires: now + millis(app.config.session_idle.min(app.config.session_longest)),
        address: Some(client.address),
        user_agent: user_agent_of(headers),
    };
    app.config.store.add_session(&record, token.hashes().borrow()).await?;
    // Read after the session is there: whoever is disabled at this moment is either seen here, or ends it.
    let account = standing(app, &record).await?.ok_or_else(over)?;
    metrics::counter!("bugbrother_dashboard_sign_ins_total").increment(1);
    let (id, detail) = (record.id.to_string(), json!({ "program": is_program }));
    app.note_of(&account.name, client.address, what, Some(("session", &id)), detail).await?;
    Ok(answer(app, &record, &account, &token, is_program))
}

async fn refresh(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let body = body
        .map_err(|_| Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than 64 KiB"))?;
    app.attempts.count_refresh(client.address).map_err(too_many)?;
    let given = given(&body)?;
    let is_program = given.refresh_token.is_some();
    let shown = given.refresh_token.as_deref().or_else(|| cookie(&headers, REFRESH_COOKIE));
    let Some(shown) = shown.and_then(RefreshToken::parse) else { return Ok(ended(&app)) };
    match renew(&app, &client, &headers, &shown).await? {
        Some((record, account, next)) => Ok(answer(&app, &record, &account, &next, is_program)),
        None => Ok(ended(&app)),
    }
}

/// The session of a refresh token, if it goes on, and the token that follows.
async fn renew(
    app: &App,
    client: &Client,
    headers: &HeaderMap,
    shown: &RefreshToken,
) -> Result<Option<(SessionRecord, Account, RefreshToken)>, Failure> {
    let next = shown.next(&app.config.key.refresh());
    let (now, user_agent) = (clock::now(), user_agent_of(headers));
    let hashes = shown.hashes();
    let refresh = Refresh {
        shown: hashes.borrow(),
        next: &next.hashes().token,
        now,
        idle_ms: millis(app.config.session_idle),
        longest_ms: millis(app.config.session_longest),
        grace_ms: GRACE_MS,
        address: Some(client.address),
        user_agent: user_agent.as_deref(),
    };
    let record = match app.config.store.refresh_session(&refresh).await? {
        Refreshed::Rotated(record) | Refreshed::Again(record) => record,
        Refreshed::Reused(record) => {
            app.passes.end_sessions([record.id], now);
            metrics::counter!("bugbrother_dashboard_refresh_tokens_reused_total").increment(1);
            warn!(session = %record.id, address = %client.address, "a refresh token was used twice: the session is ended");
            let id = record.id.to_string();
            let object = Some(("session", id.as_str()));
            app.note_of(&record.account, client.address, "session_token_reused", object, json!({})).await?;
            return Ok(None);
        }
        Refreshed::Ended => return Ok(None),
    };
    Ok(standing(app, &record).await?.map(|account| (record, account, next)))
}

async fn show(State(app): State<App>, caller: Caller) -> Result<Json<Session>, Failure> {
    let account = app.config.store.account(&caller.name).await?.ok_or_else(over)?;
    Ok(Json(Session {
        rights: caller.rights().to_vec(),
        name: caller.name,
        display_name: account.display_name,
        role: caller.role,
        expires: caller.expires,
        ends: caller.pass.until,
        token: None,
        refresh_token: None,
    }))
}

/// Signs out. Whoever is not signed in already is.
async fn sign_out(
    State(app): State<App>,
    headers: HeaderMap,
    signed: Result<Signed, Failure>,
) -> Result<Response, Failure> {
    let (store, now) = (&app.config.store, clock::now());
    if let Ok(Signed { pass, .. }) = signed
        && let PassKind::Session(id) = pass.by
    {
        store.end_session(&pass.account, id, now).await?;
        app.passes.end_sessions([id], now);
    }
    // The access token may have expired before.
    if let Some(token) = cookie(&headers, REFRESH_COOKIE).and_then(RefreshToken::parse)
        && let Some(record) = store.end_session_of(&token.hashes().family, now).await?
    {
        app.passes.end_sessions([record.id], now);
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders(no_cookies(&app))).into_response())
}

/// The account of a session, if it may go on: who was disabled or deleted meanwhile, or whose sessions of before were ended,
/// has lost it.
async fn standing(app: &App, record: &SessionRecord) -> Result<Option<Account>, Failure> {
    let (store, now) = (&app.config.store, clock::now());
    let account = store.account(&record.account).await?;
    let account = account.filter(|one| one.disabled.is_none() && one.sessions_after <= record.created);
    if account.is_none() {
        store.end_session(&record.account, record.id, now).await?;
        app.passes.end_sessions([record.id], now);
    }
    Ok(account)
}

/// What is said to who has signed in or refreshed: a program is told the tokens, a browser keeps them where no script reads them.
fn answer(app: &App, record: &SessionRecord, account: &Account, next: &RefreshToken, is_program: bool) -> Response {
    let now = clock::now();
    let bearer = Bearer {
        name: account.name.clone(),
        role: account.role,
        client: account.client,
        session: record.id,
        ends: record.expires,
    };
    let (token, claims) = app.tokens.issue(&bearer, now);
    let mut body = session(&claims, account);
    if is_program {
        body.token = Some(token);
        body.refresh_token = Some(next.expose());
        return Json(body).into_response();
    }
    let secure = app.config.secure_cookies;
    let rest = |until: i64| (until - now).max(0) / 1000;
    let cookies = [
        (header::SET_COOKIE, set(COOKIE, "/", &token, rest(claims.expires()), secure)),
        (header::SET_COOKIE, set(REFRESH_COOKIE, REFRESH_PATH, &next.expose(), rest(record.expires), secure)),
    ];
    (AppendHeaders(cookies), Json(body)).into_response()
}

fn session(claims: &Claims, account: &Account) -> Session {
    Session {
        name: account.name.clone(),
        display_name: account.display_name.clone(),
        role: account.role,
        rights: account.role.rights().to_vec(),
        expires: claims.expires(),
        ends: claims.ends,
        token: None,
        refresh_token: None,
    }
}

fn given(body: &Bytes) -> Result<RefreshSession, Failure> {
    if body.is_empty() {
        return Ok(RefreshSession::default());
    }
    let invalid =
        |_| Failure::new(StatusCode::BAD_REQUEST, "invalid_body", "the body is not the JSON that belongs here");
    serde_json::from_slice(body).map_err(invalid)
}

fn over() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "session_over", "the session has ended; sign in again")
}

/// The session has ended, and the browser need not show its tokens again.
fn ended(app: &App) -> Response {
    (AppendHeaders(no_cookies(app)), over()).into_response()
}

fn no_cookies(app: &App) -> [(HeaderName, HeaderValue); 2] {
    let secure = app.config.secure_cookies;
    [
        (header::SET_COOKIE, set(COOKIE, "/", "", 0, secure)),
        (header::SET_COOKIE, set(REFRESH_COOKIE, REFRESH_PATH, "", 0, secure)),
    ]
}

fn set(name: &str, path: &str, value: &str, max_age_s: i64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path={path}; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}");
    HeaderValue::from_str(&text).expect("tokens are letters, digits, hyphens, underscores and full stops")
}

fn user_agent_of(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(user_agent::shorten(text)).filter(|text| !text.is_empty())
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

pub(super) fn too_many(wait: std::time::Duration) -> Failure {
    Failure::too_many("too_many_attempts", "too many attempts; wait a little", wait)
}

fn refused(reason: &'static str) {
    metrics::counter!("bugbrother_dashboard_sign_ins_refused_total", "reason" => reason).increment(1);
}
