//! The dashboard's HTTP API.

use bugbrother_wire::api::{ApiError, Session, SignIn};
use gloo_net::http::{Request, Response};

const SESSION: &str = "/api/frontend/session";

/// Why the server did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Not signed in, or a wrong password.
    Unauthorised,
    /// Too often; try again after so many seconds.
    TooMany(Option<u32>),
    /// No answer.
    Unreachable,
    /// Something else, in the server's words.
    Other(String),
}

impl From<gloo_net::Error> for Refusal {
    fn from(_: gloo_net::Error) -> Self {
        Refusal::Unreachable
    }
}

/// Whose session this is.
pub async fn session() -> Result<Session, Refusal> {
    let response = Request::get(SESSION).send().await?;
    Ok(check(response).await?.json().await?)
}

/// Begins a session; the browser keeps it in a cookie that no script can read.
pub async fn sign_in(who: &SignIn) -> Result<Session, Refusal> {
    let response = Request::post(SESSION).json(who)?.send().await?;
    Ok(check(response).await?.json().await?)
}

/// Ends the session.
pub async fn sign_out() -> Result<(), Refusal> {
    check(Request::delete(SESSION).send().await?).await.map(drop)
}

async fn check(response: Response) -> Result<Response, Refusal> {
    match response.status() {
        200..=299 => Ok(response),
        401 => Err(Refusal::Unauthorised),
        429 => Err(Refusal::TooMany(response.headers().get("retry-after").and_then(|text| text.parse().ok()))),
        502..=504 => Err(Refusal::Unreachable),
        status => Err(Refusal::Other(match response.json::<ApiError>().await {
            Ok(error) => error.message,
            Err(_) => format!("HTTP {status}"),
        })),
    }
}
