//! The dashboard's HTTP API. An access token that has run out is renewed, and the request made again.

use std::collections::BTreeMap;

use bugbrother_wire::api::{Problem, Session, SignIn};
use gloo_net::http::{Method, Request, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};

const SESSION: &str = "/api/frontend/session";
const REFRESH: &str = "/api/frontend/session/refresh";

/// Why the server did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Not signed in, or a wrong password. The word says which, such as `wrong_credentials`.
    Unauthorised(String),
    /// The account may not do that.
    Forbidden(String),
    /// There is no such thing.
    NotFound(String),
    /// A form: field → what is wrong with it.
    Fields(BTreeMap<String, String>),
    /// Too often; try again after so many seconds.
    TooMany(Option<u32>),
    /// No answer.
    Unreachable,
    /// Something else, in the server's words.
    Other(String),
}

impl Refusal {
    /// What is wrong with a field of a form, if that was the reason.
    pub fn field(&self, name: &str) -> Option<String> {
        match self {
            Refusal::Fields(fields) => fields.get(name).cloned(),
            _ => None,
        }
    }
}

impl From<gloo_net::Error> for Refusal {
    fn from(_: gloo_net::Error) -> Self {
        Refusal::Unreachable
    }
}

/// What is at an address below `/api/frontend`, such as `/clients`.
pub async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Refusal> {
    get_at(&format!("/api/frontend{path}")).await
}

/// What is at an address of the server.
pub async fn get_at<T: DeserializeOwned>(url: &str) -> Result<T, Refusal> {
    Ok(send_to::<()>(Method::GET, url, None).await?.json().await?)
}

/// Adds something, and what the server says of it.
pub async fn post<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Result<T, Refusal> {
    Ok(send(Method::POST, path, Some(body)).await?.json().await?)
}

/// Changes something, and what the server says of it.
pub async fn put<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Result<T, Refusal> {
    Ok(send(Method::PUT, path, Some(body)).await?.json().await?)
}

/// Has something done of which there is nothing to say.
pub async fn act(method: Method, path: &str, body: &impl Serialize) -> Result<(), Refusal> {
    send(method, path, Some(body)).await.map(drop)
}

/// Sends a file as it is, and what the server says of it.
pub async fn upload<T: DeserializeOwned>(path: &str, file: &web_sys::Blob) -> Result<T, Refusal> {
    let url = format!("/api/frontend{path}");
    let once = async || -> Result<Response, Refusal> {
        let request = RequestBuilder::new(&url).method(Method::POST).header("content-type", "application/octet-stream");
        check(request.body(file.clone())?.send().await?).await
    };
    let response = match once().await {
        Err(Refusal::Unauthorised(_)) if renew().await => once().await,
        answer => answer,
    };
    Ok(response?.json().await?)
}

/// The bytes at an address.
pub async fn bytes(path: &str) -> Result<Vec<u8>, Refusal> {
    Ok(send::<()>(Method::GET, path, None).await?.binary().await?)
}

/// Removes something.
pub async fn delete(path: &str) -> Result<(), Refusal> {
    send::<()>(Method::DELETE, path, None).await.map(drop)
}

/// Whose session this is.
pub async fn session() -> Result<Session, Refusal> {
    get("/session").await
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

async fn send<B: Serialize>(method: Method, path: &str, body: Option<&B>) -> Result<Response, Refusal> {
    send_to(method, &format!("/api/frontend{path}"), body).await
}

async fn send_to<B: Serialize>(method: Method, url: &str, body: Option<&B>) -> Result<Response, Refusal> {
    let once = async || -> Result<Response, Refusal> {
        let request = RequestBuilder::new(url).method(method.clone());
        let response = match body {
            Some(body) => request.json(body)?.send().await?,
            None => request.send().await?,
        };
        check(response).await
    };
    match once().await {
        Err(Refusal::Unauthorised(_)) if renew().await => once().await,
        answer => answer,
    }
}

/// Whether there is a fresh access token now.
async fn renew() -> bool {
    Request::post(REFRESH).send().await.is_ok_and(|response| response.ok())
}

async fn check(response: Response) -> Result<Response, Refusal> {
    let status = response.status();
    match status {
        200..=299 => return Ok(response),
        429 => {
            let wait = response.headers().get("retry-after").and_then(|text| text.parse().ok());
            return Err(Refusal::TooMany(wait));
        }
        502..=504 => return Err(Refusal::Unreachable),
        _ => {}
    }
    let problem = response.json::<Problem>().await;
    let (word, detail, fields) = match problem {
        Ok(problem) => (problem.error, problem.detail, problem.fields),
        Err(_) => (String::new(), format!("HTTP {status}"), BTreeMap::new()),
    };
    Err(match status {
        401 => Refusal::Unauthorised(word),
        403 => Refusal::Forbidden(detail),
        404 => Refusal::NotFound(detail),
        _ if !fields.is_empty() => Refusal::Fields(fields),
        _ => Refusal::Other(detail),
    })
}
