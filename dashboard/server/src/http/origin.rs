//! Requests that another site's page makes a browser send are refused.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{App, failure::Failure};
use crate::Config;

/// Checks the origin of whatever changes something.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_safe && let Err(failure) = check(&app.config, request.headers()) {
        return failure.into_response();
    }
    next.run(request).await
}

/// Refuses an origin that is not ours. Without one it is no browser's request across sites: those always say theirs.
pub(crate) fn check(config: &Config, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or("null");
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if config.origins.iter().any(|own| own == origin)
        || host.is_some_and(|host| is_same(origin, host, config.secure_cookies))
    {
        return Ok(());
    }
    metrics::counter!("bugbrother_dashboard_origins_refused_total").increment(1);
    Err(Failure::forbidden("origin", "the request comes from another site's page"))
}

fn is_same(origin: &str, host: &str, secure: bool) -> bool {
    let own = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://").filter(|_| !secure));
    own.is_some_and(|own| own.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_ours_when_its_host_is_and_its_scheme_is_safe_enough() {
        assert!(is_same("http://localhost:8080", "localhost:8080", false));
        assert!(is_same("https://Fleet.example", "fleet.example", true));
        assert!(!is_same("http://fleet.example", "fleet.example", true));
        for foreign in [
            "http://evil.example",
            "http://localhost:8081",
            "http://localhost:8080.evil.example",
            "file://localhost:8080",
            "null",
            "",
        ] {
            assert!(!is_same(foreign, "localhost:8080", false), "{foreign}");
        }
    }
}
