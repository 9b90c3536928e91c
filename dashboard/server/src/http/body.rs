//! Extractors that answer a bad request with an [`bugbrother_wire::api::Problem`].

use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
};
use bugbrother_wire::Vin;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// A JSON body.
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Body(body)),
            Err(rejection) => Err(refuse_body(&rejection)),
        }
    }
}

fn refuse_body(rejection: &JsonRejection) -> Failure {
    match rejection.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_type",
            "the body must be JSON, with content type application/json",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than 64 KiB")
        }
        // The rejection's own text would repeat a piece of the body, which may be a password.
        _ => Failure::new(StatusCode::BAD_REQUEST, "invalid_body", "the body is not the JSON that belongs here"),
    }
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
