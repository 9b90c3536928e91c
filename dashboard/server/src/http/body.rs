//! Extractors that answer a bad request with an [`bugbrother_wire::api::Problem`].

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::QueryRejection},
    http::{StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bugbrother_wire::Vin;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// A JSON body.
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
            return Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_type",
                "the body must be JSON, with content type application/json",
            ));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than 64 KiB")
            }
            _ => not_json(),
        })?;
        if holds_nul(&bytes) {
            return Err(Failure::new(StatusCode::BAD_REQUEST, "invalid_body", "no text may hold a NUL"));
        }
        // Serde would take a list for the fields in their order.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(not_json());
        }
        // What serde says would repeat a piece of the body, which may be a password.
        serde_json::from_slice(&bytes).map(Body).map_err(|_| not_json())
    }
}

fn not_json() -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "invalid_body", "the body is not the JSON that belongs here")
}

/// Whether a text in this JSON holds U+0000, which not every database can keep.
fn holds_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at..].starts_with(b"\\u0000") {
            return true;
        }
        // What it escapes may be another of its kind.
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

/// Parameters after the `?`.
pub(crate) struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Query::from_request_parts(parts, state).await.map(|Query(params)| Params(params)).map_err(
            |rejection: QueryRejection| Failure::new(StatusCode::BAD_REQUEST, "invalid_query", rejection.body_text()),
        )
    }
}

/// The vehicle that the path names.
pub(crate) struct PathVin(pub Vin);

impl<S: Send + Sync> FromRequestParts<S> for PathVin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let invalid = |message: String| Failure::new(StatusCode::BAD_REQUEST, "invalid_vin", message);
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| invalid(rejection.body_text()))?;
        text.parse().map(PathVin).map_err(|error: bugbrother_wire::vin::VinError| invalid(error.to_string()))
    }
}

/// Refuses an address with a text in it that is no text or holds U+0000, before anybody reads it.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let is_text = percent_decode_str(path).decode_utf8().is_ok() && !path.contains("%00") && !query.contains("%00");
    if !is_text {
        let message = "the address holds bytes that are no text";
        return Failure::new(StatusCode::BAD_REQUEST, "invalid_address", message).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_however_many_strokes_stand_before_it() {
        for (json, holds) in [
            (r#"{"a":"\u0000"}"#, true),
            (r#"{"a":"x\\\u0000"}"#, true),
            (r#"{"a":"\\u0000"}"#, false),
            (r#"{"a":"\u0001"}"#, false),
            (r#"{"a":"\"#, false),
            ("", false),
        ] {
            assert_eq!(holds_nul(json.as_bytes()), holds, "{json}");
        }
    }
}
