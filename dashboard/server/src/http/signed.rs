//! Who is signed in.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use bugbrother_wire::{
    ClientId, UnixMs,
    api::{Right, Role},
    codec::LATEST,
};

use super::{App, failure::Failure};
use crate::{
    clock, digest,
    pass::{Pass, PassKind},
    token::TokenError,
};

/// Name of the cookie with the access token.
pub(crate) const COOKIE: &str = "bugbrother_session";
/// By which an API token is recognised, also by programs that look for secrets that were published by mistake.
pub(crate) const API_TOKEN: &str = "bb_";
/// An API token has 46 bytes.
const MAX_API_TOKEN_BYTES: usize = 64;

/// Somebody who is signed in, by a session or by an API token.
pub(crate) struct Signed {
    pub pass: Pass,
    pub role: Role,
    pub client: Option<ClientId>,
    pub rights: Vec<Right>,
    /// Until when the token is good that was shown.
    pub expires: UnixMs,
}

impl FromRequestParts<App> for Signed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let now = clock::now();
        let signed = match bearer(&parts.headers) {
            Some(token) if token.starts_with(API_TOKEN) => by_api_token(token, app, now).await?,
            Some(token) => by_session(token, app, now)?,
            None => by_session(cookie(&parts.headers, COOKIE).ok_or_else(Failure::not_signed_in)?, app, now)?,
        };
        if app.passes.is_over(&signed.pass, now) {
            return Err(TokenError::Revoked.counted().into());
        }
        Ok(signed)
    }
}

fn by_session(token: &str, app: &App, now: UnixMs) -> Result<Signed, Failure> {
    let claims = app.tokens.check(token, now).map_err(TokenError::counted)?;
    Ok(Signed {
        role: claims.role,
        client: claims.client,
        rights: claims.role.rights().to_vec(),
        expires: claims.expires(),
        pass: Pass {
            by: PassKind::Session(claims.sid),
            since: claims.issued(),
            until: claims.ends,
            account: claims.sub,
        },
    })
}

async fn by_api_token(token: &str, app: &App, now: UnixMs) -> Result<Signed, Failure> {
    let invalid = || TokenError::Invalid.counted();
    if token.len() > MAX_API_TOKEN_BYTES {
        return Err(invalid().into());
    }
    let shown = app.config.store.show_api_token(&digest::sha256(token), now).await?.ok_or_else(invalid)?;
    // Never more than its owner may by now.
    let owner = shown.role.rights();
    let rights = shown.token.rights.iter().copied().filter(|right| owner.contains(right)).collect();
    let until = shown.token.expires.unwrap_or(LATEST);
    Ok(Signed {
        role: shown.role,
        client: shown.client,
        rights,
        expires: until,
        pass: Pass { by: PassKind::ApiToken(shown.token.id), account: shown.token.account, since: now, until },
    })
}

/// The token of a program.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    })
}

/// A cookie of a browser.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_found_among_other_cookies_and_behind_the_word_bearer() {
        let found = headers(&[(header::COOKIE, "a=b; bugbrother_session=from.a.cookie; c")]);
        assert_eq!(cookie(&found, COOKIE), Some("from.a.cookie"));
        assert_eq!(bearer(&headers(&[(header::AUTHORIZATION, "bearer from.a.program")])), Some("from.a.program"));
    }

    #[test]
    fn other_headers_hold_no_token() {
        let basic = (header::AUTHORIZATION, "Basic YTpi");
        let near = (header::COOKIE, "xbugbrother_session=1; bugbrother_session=");
        for headers in [HeaderMap::new(), headers(&[basic, near])] {
            assert_eq!((bearer(&headers), cookie(&headers, COOKIE)), (None, None));
        }
    }
}
