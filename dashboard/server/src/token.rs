//! Session tokens: JSON Web Tokens (RFC 7519) under HMAC-SHA256, and those that were signed out.

use std::{collections::BTreeSet, time::Duration};

use bugbrother_wire::{UnixMs, api::Role};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::key::SigningKey;

const ISSUER: &str = "bugbrother";
const AUDIENCE: &str = "bugbrother-dashboard";
/// Clocks of two servers that share a key may differ by so much.
const LEEWAY_S: i64 = 5;
/// A token of ours has about 350 bytes.
const MAX_TOKEN_BYTES: usize = 2048;
/// Most sessions that are remembered as signed out.
const MAX_REVOKED: usize = 100_000;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    /// User name.
    pub sub: String,
    /// What the user may do.
    pub role: Role,
    nbf: i64,
    /// End of the session, in seconds since 1970.
    exp: i64,
    jti: Uuid,
}

impl Claims {
    /// End of the session.
    pub fn expires(&self) -> UnixMs {
        self.exp.saturating_mul(1000)
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the session has ended; sign in again")]
    Expired,
    #[error("this is no session of this server; sign in again")]
    Invalid,
    #[error("the session was signed out; sign in again")]
    Revoked,
}

/// Makes and checks tokens.
pub(crate) struct Tokens {
    sign: EncodingKey,
    verify: DecodingKey,
    validation: Validation,
    ttl: Duration,
    /// By their end, so that those that have expired anyway are found first.
    revoked: watch::Sender<BTreeSet<(i64, Uuid)>>,
}

impl Tokens {
    pub fn new(key: &SigningKey, ttl: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Both are compared in `check`, with the caller's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Tokens {
            sign: EncodingKey::from_secret(key.as_bytes()),
            verify: DecodingKey::from_secret(key.as_bytes()),
            validation,
            ttl,
            revoked: watch::Sender::default(),
        }
    }

    /// A token for somebody who has signed in now.
    pub fn issue(&self, name: &str, role: Role, now: UnixMs) -> (String, Claims) {
        let seconds = now.div_euclid(1000);
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: name.to_owned(),
            role,
            nbf: seconds,
            exp: seconds.saturating_add(ttl),
            jti: Uuid::new_v4(),
        };
        let token = encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .expect("claims are plain JSON and the key is for this algorithm");
        (token, claims)
    }

    /// What the token says, if it is ours and runs.
    pub fn check(&self, token: &str, now: UnixMs) -> Result<Claims, TokenError> {
        let checked = self.read(token).and_then(|claims| {
            self.check_times(&claims, now)?;
            Ok(claims)
        });
        if let Err(error) = checked {
            let reason = match error {
                TokenError::Expired => "expired",
                TokenError::Invalid => "invalid",
                TokenError::Revoked => "revoked",
            };
            metrics::counter!("bugbrother_dashboard_tokens_refused_total", "reason" => reason).increment(1);
        }
        checked
    }

    /// Signs a session out, for all who have its token.
    pub fn revoke(&self, claims: &Claims, now: UnixMs) {
        self.revoked.send_modify(|revoked| {
            revoked.insert((claims.exp, claims.jti));
            while revoked.len() > MAX_REVOKED || revoked.first().is_some_and(|(exp, _)| ended(*exp, now)) {
                revoked.pop_first();
            }
        });
    }

    /// Waits until the session is signed out.
    pub async fn revoked(&self, claims: &Claims) {
        self.revoked
            .subscribe()
            .wait_for(|revoked| revoked.contains(&(claims.exp, claims.jti)))
            .await
            .expect("the sender lives as long as `self`");
    }

    fn read(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        decode::<Claims>(token, &self.verify, &self.validation).map(|data| data.claims).map_err(|_| TokenError::Invalid)
    }

    fn check_times(&self, claims: &Claims, now: UnixMs) -> Result<(), TokenError> {
        if ended(claims.exp, now) {
            Err(TokenError::Expired)
        } else if claims.nbf.saturating_sub(LEEWAY_S) > now.div_euclid(1000) {
            Err(TokenError::Invalid)
        } else if self.revoked.borrow().contains(&(claims.exp, claims.jti)) {
            Err(TokenError::Revoked)
        } else {
            Ok(())
        }
    }
}

/// Without leeway: a socket is closed at the very moment from which its token is refused.
fn ended(exp: i64, now: UnixMs) -> bool {
    exp <= now.div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;
    const HOUR: Duration = Duration::from_secs(3600);

    fn tokens(byte: u8) -> Tokens {
        Tokens::new(&SigningKey::from_bytes([byte; 32]), HOUR)
    }

    fn signed(claims: &serde_json::Value, algorithm: Algorithm, key: [u8; 32]) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(&key)).unwrap()
    }

    fn claims() -> serde_json::Value {
        serde_json::to_value(tokens(1).issue("admin", Role::Administrator, NOW).1).unwrap()
    }

    #[test]
    fn a_token_says_who_signed_in_until_it_expires() {
        let tokens = tokens(1);
        let (token, claims) = tokens.issue("admin", Role::Operator, NOW);
        assert_eq!(tokens.check(&token, NOW), Ok(claims.clone()));
        assert_eq!(claims.expires(), NOW + 3_600_000);
        assert_eq!(tokens.check(&token, claims.expires() - 1), Ok(claims.clone()));
        assert_eq!(tokens.check(&token, claims.expires()), Err(TokenError::Expired));
    }

    #[test]
    fn a_session_that_was_signed_out_stays_out() {
        let tokens = tokens(1);
        let (token, claims) = tokens.issue("admin", Role::Administrator, NOW);
        let (other, _) = tokens.issue("admin", Role::Administrator, NOW);
        tokens.revoke(&claims, NOW);
        assert_eq!(tokens.check(&token, NOW), Err(TokenError::Revoked));
        assert!(tokens.check(&other, NOW).is_ok());
        let late = tokens.issue("admin", Role::Administrator, NOW + 4_000_000).1;
        tokens.revoke(&late, NOW + 4_000_000);
        assert_eq!(tokens.revoked.borrow().len(), 1, "what has expired is forgotten");
    }

    #[test]
    fn what_another_key_signed_is_invalid() {
        let (token, _) = tokens(2).issue("admin", Role::Administrator, NOW);
        assert_eq!(tokens(1).check(&token, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn another_algorithm_is_invalid_even_with_the_right_key() {
        let other = signed(&claims(), Algorithm::HS512, [1; 32]);
        assert_eq!(tokens(1).check(&other, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn foreign_or_missing_claims_are_invalid() {
        let right = signed(&claims(), Algorithm::HS256, [1; 32]);
        assert!(tokens(1).check(&right, NOW).is_ok());
        for (name, value) in [
            ("iss", "somebody".into()),
            ("aud", "another-service".into()),
            ("aud", serde_json::Value::Null),
            ("nbf", ((NOW / 1000) + 60).into()),
            ("exp", "never".into()),
            ("role", "emperor".into()),
            ("sub", serde_json::Value::Null),
        ] {
            let mut claims = claims();
            claims[name] = value;
            let token = signed(&claims, Algorithm::HS256, [1; 32]);
            assert_eq!(tokens(1).check(&token, NOW), Err(TokenError::Invalid), "{name}");
        }
    }

    #[test]
    fn rubbish_and_truncated_tokens_are_invalid() {
        let tokens = tokens(1);
        let (token, _) = tokens.issue("admin", Role::Administrator, NOW);
        for bad in ["", ".", "a.b.c", &token[..token.len() - 2], &"x".repeat(5000)] {
            assert_eq!(tokens.check(bad, NOW), Err(TokenError::Invalid), "{bad}");
        }
    }
}
