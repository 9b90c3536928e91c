//! Who is signed in.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{App, failure::Failure};
use crate::{clock, token::Claims};

/// Name of the session's cookie.
pub(crate) const COOKIE: &str = "bugbrother_session";

/// Somebody who is signed in.
pub(crate) struct Signed(pub Claims);

impl FromRequestParts<App> for Signed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let token = token(&parts.headers).ok_or_else(Failure::not_signed_in)?;
        Ok(Signed(app.tokens.check(token, clock::now())?))
    }
}

/// The token of a program or else of a browser.
fn token(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    bearer.or_else(|| {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find_map(|(name, value)| (name == COOKIE && !value.is_empty()).then_some(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_found_among_other_cookies_and_a_bearer_comes_first() {
        let cookie = (header::COOKIE, "a=b; bugbrother_session=from.a.cookie; c");
        assert_eq!(token(&headers(std::slice::from_ref(&cookie))), Some("from.a.cookie"));
        let bearer = (header::AUTHORIZATION, "bearer from.a.program");
        assert_eq!(token(&headers(&[cookie, bearer])), Some("from.a.program"));
    }

    #[test]
    fn other_headers_hold_no_token() {
        assert_eq!(token(&HeaderMap::new()), None);
        let basic = (header::AUTHORIZATION, "Basic YTpi");
        let near = (header::COOKIE, "xbugbrother_session=1; bugbrother_session=");
        assert_eq!(token(&headers(&[basic, near])), None);
    }
}
