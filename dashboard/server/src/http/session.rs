//! `/api/frontend/session`: signing in and out.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use bugbrother_wire::api::{Session, SignIn};
use tracing::info;

use super::{
    App,
    address::Client,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    signed::{COOKIE, Signed},
};
use crate::{clock, token::Claims};

/// Header by which a program asks for its token in the body.
const CLIENT: HeaderName = HeaderName::from_static("x-bugbrother-client");
const MAX_NAME_BYTES: usize = 128;
const MAX_PASSWORD_BYTES: usize = 1024;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes.post("/frontend/session", Access::Anybody, sign_in).says("Sign in").takes::<SignIn>().gives::<Session>();
    routes.get("/frontend/session", Access::SignedIn, show).says("Whose session it is").gives::<Session>();
    routes.delete("/frontend/session", Access::Anybody, sign_out).says("Sign out");
}

pub(crate) async fn sign_in(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(SignIn { name, password }): Body<SignIn>,
) -> Result<Response, Failure> {
    if name.len() > MAX_NAME_BYTES || password.len() > MAX_PASSWORD_BYTES {
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            "a name has up to 128 bytes and a password up to 1024",
        ));
    }
    app.attempts.count(&name, client.address).map_err(|wait| {
        refused("limited");
        Failure::too_many("too_many_attempts", "too many attempts; wait a little", wait)
    })?;
    let user = app.config.store.user(&name).await?;
    let hash = user.as_ref().map(|user| user.password_hash.as_str());
    let fits = app.passwords.verify(password, hash).await?;
    let Some(user) = user.filter(|_| fits) else {
        refused("wrong_credentials");
        info!(address = %client.address, "refused to sign somebody in");
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "name or password is wrong"));
    };
    metrics::counter!("bugbrother_dashboard_sign_ins_total").increment(1);
    let (token, claims) = app.tokens.issue(&user.name, user.role, clock::now());
    let cookie = cookie(&token, app.config.session_ttl.as_secs(), app.config.secure_cookies);
    let is_program = headers.get(&CLIENT).is_some_and(|value| value.as_bytes() == b"program");
    let body = session(&claims, is_program.then_some(token));
    Ok(([(header::SET_COOKIE, cookie)], Json(body)).into_response())
}

pub(crate) async fn show(Caller { claims, .. }: Caller) -> Json<Session> {
    Json(session(&claims, None))
}

/// Signs out. Whoever is not signed in already is.
pub(crate) async fn sign_out(State(app): State<App>, signed: Result<Signed, Failure>) -> Response {
    if let Ok(Signed(claims)) = signed {
        app.tokens.revoke(&claims, clock::now());
    }
    let cookie = cookie("", 0, app.config.secure_cookies);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response()
}

fn session(claims: &Claims, token: Option<String>) -> Session {
    Session {
        name: claims.sub.clone(),
        role: claims.role,
        rights: claims.role.rights().to_vec(),
        expires: claims.expires(),
        token,
    }
}

fn cookie(token: &str, max_age_s: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}")
}

fn refused(reason: &'static str) {
    metrics::counter!("bugbrother_dashboard_sign_ins_refused_total", "reason" => reason).increment(1);
}
