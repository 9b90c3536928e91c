//! Passages from one of the fleet's dashboards to another: signed by the key that they share, good once and for minutes.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bugbrother_wire::{SessionId, UnixMs};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::key::SigningKey;

const ISSUER: &str = "bugbrother";
/// Another one than that of access tokens: neither can be taken for the other.
const AUDIENCE: &str = "bugbrother-passage";
/// How long a passage is good.
pub(crate) const TTL_MS: i64 = 10 * 60_000;
/// Used ones that are remembered; each for as long as it would be good.
const MAX_USED: usize = 100_000;
const MAX_BYTES: usize = 1024;

/// What a passage says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    /// User name.
    pub sub: String,
    /// The session that goes on elsewhere.
    pub sid: SessionId,
    jti: Uuid,
    exp: i64,
}

/// Makes passages, and takes those of other servers.
pub(crate) struct Passages {
    header: Header,
    sign: EncodingKey,
    verify: Vec<DecodingKey>,
    validation: Validation,
    /// Used ones, with when they would expire in seconds since 1970.
    used: Mutex<HashMap<Uuid, i64>>,
}

impl Passages {
    pub fn new(key: &SigningKey) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // Compared in `take`, with the caller's clock.
        validation.validate_exp = false;
        let mut pairs = key.pairs();
        let verify = pairs.iter().map(|pair| pair.verify.clone()).collect();
        let first = pairs.swap_remove(0);
        let header = Header { kid: Some(first.id), ..Header::new(Algorithm::EdDSA) };
        Passages { header, sign: first.sign, verify, validation, used: Mutex::default() }
    }

    /// A passage for a session.
    pub fn issue(&self, name: &str, session: SessionId, now: UnixMs) -> String {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: name.to_owned(),
            sid: session,
            jti: Uuid::new_v4(),
            exp: (now + TTL_MS).div_euclid(1000),
        };
        encode(&self.header, &claims, &self.sign).expect("claims are plain JSON and the key is for this algorithm")
    }

    /// What a passage says, if it is the fleet's, runs, and was not taken here before.
    pub fn take(&self, passage: &str, now: UnixMs) -> Option<Claims> {
        if passage.len() > MAX_BYTES {
            return None;
        }
        let read = |key: &DecodingKey| decode::<Claims>(passage, key, &self.validation).ok();
        let claims = self.verify.iter().find_map(read)?.claims;
        let seconds = now.div_euclid(1000);
        if claims.exp <= seconds || claims.exp > seconds + TTL_MS / 1000 + 60 {
            return None;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, exp| *exp > seconds);
        let fresh = used.len() < MAX_USED && used.insert(claims.jti, claims.exp).is_none();
        fresh.then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    #[test]
    fn a_passage_is_good_once_at_a_server_with_the_same_key_and_for_minutes() {
        let [from, to, stranger] = [[7; 32], [7; 32], [8; 32]].map(|key| Passages::new(&SigningKey::from_bytes(key)));
        let session = SessionId(Uuid::from_u128(5));
        let passage = from.issue("ada", session, NOW);
        assert_eq!(stranger.take(&passage, NOW), None);
        assert_eq!(to.take(&passage, NOW + TTL_MS), None);
        assert_eq!(to.take(&passage, NOW - 120_000), None, "no clock of ours is so far ahead");
        let taken = to.take(&passage, NOW + 1000).unwrap();
        assert_eq!((taken.sub.as_str(), taken.sid), ("ada", session));
        assert_eq!(to.take(&passage, NOW + 2000), None);
        for rubbish in ["", "a.b.c", &"x".repeat(5000)] {
            assert_eq!(to.take(rubbish, NOW), None);
        }
    }

    #[test]
    fn an_access_token_is_no_passage() {
        let key = SigningKey::from_bytes([7; 32]);
        let tokens = crate::token::Tokens::new(&key, std::time::Duration::from_secs(900));
        let bearer = crate::token::Bearer {
            name: "ada".to_owned(),
            role: bugbrother_wire::api::Role::Administrator,
            client: None,
            session: SessionId(Uuid::from_u128(5)),
            ends: NOW + 10_000_000,
        };
        let (token, _) = tokens.issue(&bearer, NOW);
        let passages = Passages::new(&key);
        assert_eq!(passages.take(&token, NOW), None);
        assert!(tokens.check(&passages.issue("ada", bearer.session, NOW), NOW).is_err());
    }
}
