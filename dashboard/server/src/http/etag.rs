//! Entity tags (RFC 9110, 8.8.3): who has an answer already is not sent it again.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body::Body as _;
use sha2::{Digest, Sha256};

/// Answers up to this size are tagged; none of the JSON ones is larger.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// Gives each JSON answer to a `GET` a tag made of its content.
pub(super) async fn tag(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    let size = response.body().size_hint().exact();
    if !is_get
        || response.status() != StatusCode::OK
        || !is_json(response.headers())
        || size.is_none_or(|size| size > MOST_BYTES)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let digest = Sha256::digest(&bytes);
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..12]));
    let value = HeaderValue::from_str(&tag).expect("base64 is a header value");
    parts.headers.insert(header::ETAG, value);
    if known.is_some_and(|known| knows(&known, &tag)) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

fn knows(known: &HeaderValue, tag: &str) -> bool {
    known
        .to_str()
        .is_ok_and(|tags| tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag))
}
