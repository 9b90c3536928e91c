//! Somebody who takes messages, or does not.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bugbrother_kit::wait;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::rig::LIMIT;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Heard {
    pub path: String,
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("the body is JSON")
    }
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Vec<Heard>>,
}

/// A web server on this machine that remembers what it heard. What it answers is in the path: `/ok`, `/busy/2` (twice, then it
/// takes it), `/telegram` (the Bot API: chat `blocked` is refused, chat `busy` is put off by a second), `/limit` (once too many, then it takes it), `/hang`, `/endless`, `/away` (to `/ok`), or a status such as `/404`.
pub struct Sink {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Sink {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(take).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Sink { address, shared })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What came to a path so far.
    pub fn heard(&self, path: &str) -> Vec<Heard> {
        let heard = self.shared.heard.lock().expect("nobody panics with it");
        heard.iter().filter(|one| one.path == path).cloned().collect()
    }

    /// What came to a path, once there are so many.
    pub async fn wait(&self, path: &str, count: usize) -> Result<Vec<Heard>> {
        wait::until(&format!("{count} messages at {path}"), LIMIT, || {
            let heard = self.heard(path);
            std::future::ready((heard.len() >= count).then_some(heard))
        })
        .await
    }

    /// How often each message came.
    pub fn counts(&self, path: &str) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for one in self.heard(path) {
            *counts.entry(one.header("idempotency-key").to_owned()).or_default() += 1;
        }
        counts
    }
}

async fn take(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default().to_vec();
    let before = {
        let mut heard = shared.heard.lock().expect("nobody panics with it");
        let before = heard.iter().filter(|one| one.path == path).count();
        heard.push(Heard { path: path.clone(), at: Instant::now(), headers, body: body.clone() });
        before
    };
    match path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), "")) {
        ("busy", times) if before < times.parse().unwrap_or(0) => {
            (StatusCode::SERVICE_UNAVAILABLE, "too <b>much</b> to do").into_response()
        }
        ("limit", _) if before == 0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        ("telegram", _) => bot_api(&body, before),
        ("hang", _) => std::future::pending().await,
        ("endless", _) => {
            let piece = Bytes::from_static(&[b'x'; 65_536]);
            let body = stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
            (StatusCode::BAD_REQUEST, Body::from_stream(body)).into_response()
        }
        ("away", _) => (StatusCode::FOUND, [("location", "/ok")]).into_response(),
        (status, _) => {
            let status = status.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok());
            status.unwrap_or(StatusCode::NO_CONTENT).into_response()
        }
    }
}

/// As the Bot API answers `sendMessage`.
fn bot_api(body: &[u8], before: usize) -> Response {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let (status, answer) = match message["chat_id"].as_str() {
        Some("blocked") => {
            (403, json!({ "ok": false, "error_code": 403, "description": "Forbidden: bot was blocked by the user" }))
        }
        Some("busy") if before == 0 => {
            let wait = json!({ "retry_after": 1 });
            let told = "Too Many Requests: retry after 1";
            (429, json!({ "ok": false, "error_code": 429, "description": told, "parameters": wait }))
        }
        _ => (200, json!({ "ok": true, "result": { "message_id": 1, "text": message["text"] } })),
    };
    (StatusCode::from_u16(status).unwrap_or_default(), axum::Json(answer)).into_response()
}

/// Somebody who answers what is no HTTP.
pub async fn nonsense() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                socket.write_all(b"\x00\x01 220 what do you want?\r\n\r\n").await.ok();
                tokio::time::sleep(Duration::from_millis(10)).await;
            });
        }
    });
    Ok(address)
}
