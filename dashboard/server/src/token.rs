//! Access tokens: JSON Web Tokens (RFC 7519) signed with Ed25519 (RFC 8037), good for some minutes.

use std::time::Duration;

use bugbrother_wire::{ClientId, SessionId, UnixMs, api::Role};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::key::SigningKey;

const ISSUER: &str = "bugbrother";
const AUDIENCE: &str = "bugbrother-dashboard";
/// Clocks of two servers that share a key may differ by so much.
const LEEWAY_S: i64 = 5;
/// A token of ours has about 500 bytes.
const MAX_TOKEN_BYTES: usize = 2048;

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// User name.
    pub name: String,
    pub role: Role,
    pub client: Option<ClientId>,
    pub session: SessionId,
    /// When the session ends, if it is not refreshed.
    pub ends: UnixMs,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    /// User name.
    pub sub: String,
    /// What the user may do.
    pub role: Role,
    /// Whose vehicles the user sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The session.
    pub sid: SessionId,
    iat: i64,
    nbf: i64,
    /// Until when the token is good, in seconds since 1970.
    exp: i64,
    /// When the session ends, if it is not refreshed, in milliseconds since 1970.
    pub ends: UnixMs,
}

impl Claims {
    /// Until when the token is good.
    pub fn expires(&self) -> UnixMs {
        self.exp.saturating_mul(1000)
    }

    /// When it was made.
    pub fn issued(&self) -> UnixMs {
        self.iat.saturating_mul(1000)
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token has expired; refresh the session, or sign in again")]
    Expired,
    #[error("this is no token of this server; sign in again")]
    Invalid,
    #[error("the session was ended; sign in again")]
    Revoked,
}

impl TokenError {
    /// Counts a refusal.
    pub fn counted(self) -> Self {
        let reason = match self {
            TokenError::Expired => "expired",
            TokenError::Invalid => "invalid",
            TokenError::Revoked => "revoked",
        };
        metrics::counter!("bugbrother_dashboard_tokens_refused_total", "reason" => reason).increment(1);
        self
    }
}

/// Makes and checks tokens.
pub(crate) struct Tokens {
    header: Header,
    sign: EncodingKey,
    /// By the identities of their keys.
    verify: Vec<(String, DecodingKey)>,
    validation: Validation,
    ttl: Duration,
}

impl Tokens {
    pub fn new(key: &SigningKey, ttl: Duration) -> Self {
        // Whoever could choose among algorithms could sign by HMAC with what everybody may know, the public key.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Both are compared in `check`, with the caller's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let mut pairs = key.pairs();
        let verify = pairs.iter().map(|pair| (pair.id.clone(), pair.verify.clone())).collect();
        let first = pairs.swap_remove(0);
        let header = Header { kid: Some(first.id), ..Header::new(Algorithm::EdDSA) };
        Tokens { header, sign: first.sign, verify, validation, ttl }
    }

    /// A token for somebody who has signed in or refreshed the session now.
    pub fn issue(&self, bearer: &Bearer, now: UnixMs) -> (String, Claims) {
        let seconds = now.div_euclid(1000);
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: bearer.name.clone(),
            role: bearer.role,
            client: bearer.client,
            sid: bearer.session,
            iat: seconds,
            nbf: seconds,
            // No longer than the session itself.
            exp: seconds.saturating_add(ttl).min(bearer.ends.div_euclid(1000)),
            ends: bearer.ends,
        };
        let token =
            encode(&self.header, &claims, &self.sign).expect("claims are plain JSON and the key is for this algorithm");
        (token, claims)
    }

    /// What the token says, if it is ours and good.
    pub fn check(&self, token: &str, now: UnixMs) -> Result<Claims, TokenError> {
        let claims = self.read(token)?;
        if claims.exp <= now.div_euclid(1000) {
            Err(TokenError::Expired)
        } else if claims.nbf.saturating_sub(LEEWAY_S) > now.div_euclid(1000) {
            Err(TokenError::Invalid)
        } else {
            Ok(claims)
        }
    }

    fn read(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let known = |(id, _): &&(String, DecodingKey)| header.kid.as_deref() == Some(id);
        let (_, key) = self.verify.iter().find(known).ok_or(TokenError::Invalid)?;
        decode::<Claims>(token, key, &self.validation).map(|data| data.claims).map_err(|_| TokenError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;
    const QUARTER: Duration = Duration::from_secs(900);

    fn tokens(byte: u8) -> Tokens {
        Tokens::new(&SigningKey::from_bytes([byte; 32]), QUARTER)
    }

    fn bearer() -> Bearer {
        Bearer {
            name: "ada".to_owned(),
            role: Role::Operator,
            client: None,
            session: SessionId(Uuid::from_u128(7)),
            ends: NOW + 14 * 86_400_000,
        }
    }

    fn signed(claims: &serde_json::Value, header: &Header, key: &EncodingKey) -> String {
        encode(header, claims, key).unwrap()
    }

    fn claims() -> serde_json::Value {
        serde_json::to_value(tokens(1).issue(&bearer(), NOW).1).unwrap()
    }

    #[test]
    fn a_token_says_who_signed_in_until_it_expires() {
        let tokens = tokens(1);
        let (token, claims) = tokens.issue(&bearer(), NOW);
        assert_eq!(tokens.check(&token, NOW), Ok(claims.clone()));
        assert_eq!(claims.expires(), NOW + 900_000);
        assert_eq!(tokens.check(&token, claims.expires() - 1), Ok(claims.clone()));
        assert_eq!(tokens.check(&token, claims.expires()), Err(TokenError::Expired));
        let last = Bearer { ends: NOW + 60_000, ..bearer() };
        assert_eq!(tokens.issue(&last, NOW).1.expires(), NOW + 60_000, "a token ends with its session");
    }

    #[test]
    fn what_another_key_signed_is_invalid_and_what_the_previous_one_signed_is_not() {
        let (token, claims) = tokens(2).issue(&bearer(), NOW);
        assert_eq!(tokens(1).check(&token, NOW), Err(TokenError::Invalid));
        let after = Tokens::new(&SigningKey::from_bytes([1; 32]).after([2; 32]), QUARTER);
        assert_eq!(after.check(&token, NOW), Ok(claims));
        let (new, _) = after.issue(&bearer(), NOW);
        assert!(tokens(1).check(&new, NOW).is_ok() && tokens(2).check(&new, NOW).is_err());
    }

    #[test]
    fn another_algorithm_is_invalid_even_with_the_public_key_as_secret() {
        let pair = SigningKey::from_bytes([1; 32]).pairs().remove(0);
        let header = |algorithm| Header { kid: Some(pair.id.clone()), ..Header::new(algorithm) };
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = EncodingKey::from_secret(pair.verify.as_bytes());
            let token = signed(&claims(), &header(algorithm), &key);
            assert_eq!(tokens(1).check(&token, NOW), Err(TokenError::Invalid));
        }
        let right = signed(&claims(), &header(Algorithm::EdDSA), &pair.sign);
        assert!(tokens(1).check(&right, NOW).is_ok());
    }

    #[test]
    fn foreign_or_missing_claims_and_keys_are_invalid() {
        let pair = SigningKey::from_bytes([1; 32]).pairs().remove(0);
        let header = Header { kid: Some(pair.id.clone()), ..Header::new(Algorithm::EdDSA) };
        for (name, value) in [
            ("iss", "somebody".into()),
            ("aud", "another-service".into()),
            ("aud", serde_json::Value::Null),
            ("nbf", ((NOW / 1000) + 60).into()),
            ("exp", "never".into()),
            ("role", "emperor".into()),
            ("sid", "none".into()),
            ("sub", serde_json::Value::Null),
        ] {
            let mut claims = claims();
            claims[name] = value;
            let token = signed(&claims, &header, &pair.sign);
            assert_eq!(tokens(1).check(&token, NOW), Err(TokenError::Invalid), "{name}");
        }
        for kid in [None, Some("0123456789abcdef".to_owned()), Some("../../etc/passwd".to_owned())] {
            let header = Header { kid, ..Header::new(Algorithm::EdDSA) };
            let token = signed(&claims(), &header, &pair.sign);
            assert_eq!(tokens(1).check(&token, NOW), Err(TokenError::Invalid));
        }
    }

    #[test]
    fn rubbish_and_truncated_tokens_are_invalid() {
        let tokens = tokens(1);
        let (token, _) = tokens.issue(&bearer(), NOW);
        for bad in ["", ".", "a.b.c", &token[..token.len() - 2], &"x".repeat(5000)] {
            assert_eq!(tokens.check(bad, NOW), Err(TokenError::Invalid), "{bad}");
        }
    }
}
