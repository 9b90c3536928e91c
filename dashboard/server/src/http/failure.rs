//! Answers that are not a success.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bugbrother_store::StoreError;
use bugbrother_wire::api::Problem;
use tracing::{error, warn};

use crate::{token::TokenError, turns::Busy};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An answer that is not a success; its body is a [`Problem`].
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    error: &'static str,
    message: String,
    fields: BTreeMap<String, String>,
    retry_after: Option<Duration>,
}

impl Failure {
    pub fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Failure { status, error, message: message.into(), fields: BTreeMap::new(), retry_after: None }
    }

    /// A form in which one field is wrong.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::fields([(field.to_owned(), message.into())])
    }

    /// A form in which these fields are wrong, each with what is wrong with it.
    pub fn fields(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        let message = "something in the form is wrong; `fields` says what";
        let fields = fields.into_iter().collect();
        Failure { fields, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", message) }
    }

    /// What is asked for is done elsewhere: at this value of the parameter.
    pub fn elsewhere(parameter: &str, right: impl ToString) -> Self {
        let fields = [(parameter.to_owned(), right.to_string())].into();
        let message = "it does not belong there; `fields` says where";
        Failure { fields, ..Self::new(StatusCode::CONFLICT, "elsewhere", message) }
    }

    pub fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address does not know that method")
    }

    pub fn timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the request took too long")
    }

    pub fn not_signed_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in first")
    }

    pub fn forbidden(error: &'static str, message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, error, message)
    }

    pub fn too_many(error: &'static str, message: &str, wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, error, message).after(wait)
    }

    /// What is our own fault: the log says what, the answer does not.
    pub fn internal(error: &dyn std::error::Error, message: &str) -> Self {
        error!(%error, cause = error.source(), "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Problem {
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.message,
            error: self.error.to_owned(),
            fields: self.fields,
        };
        let body = serde_json::to_vec(&body).expect("texts have a form in JSON");
        let mut response = (self.status, [(header::CONTENT_TYPE, PROBLEM)], body).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            // Whole seconds, never less than the wait.
            let seconds = wait.as_millis().div_ceil(1000).max(1).to_string();
            let value = HeaderValue::from_str(&seconds).expect("digits are a header value");
            headers.insert(header::RETRY_AFTER, value);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<TokenError> for Failure {
    fn from(refused: TokenError) -> Self {
        let error = match refused {
            TokenError::Expired => "token_expired",
            TokenError::Invalid | TokenError::Revoked => "token_invalid",
        };
        Failure::new(StatusCode::UNAUTHORIZED, error, refused.to_string())
    }
}

impl From<Busy> for Failure {
    fn from(busy: Busy) -> Self {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", busy.to_string()).after(Duration::from_secs(5))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        // PostgreSQL takes no NUL in a text, say; who sent it is told so.
        if error.is_about_content() {
            warn!(%error, cause = std::error::Error::source(&error), "the database did not take what a request holds");
            return Failure::new(StatusCode::BAD_REQUEST, "invalid_content", "the database does not take that");
        }
        Failure::internal(&error, "the fleet database did not answer; the server's log says why")
    }
}
