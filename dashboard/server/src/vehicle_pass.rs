//! What lets a vehicle in: a challenge that it signs with its certificate's key, and the pass that it gets for it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bugbrother_wire::{UnixMs, Vin};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::key::SigningKey;

const ISSUER: &str = "bugbrother";
/// Others than those of people's tokens: none can be taken for another.
const CHALLENGE: &str = "bugbrother-challenge";
const VEHICLE: &str = "bugbrother-vehicle";
/// How long a challenge is good.
const CHALLENGE_MS: i64 = 60_000;
/// How long a pass is good.
pub(crate) const PASS_MS: i64 = 15 * 60_000;
/// Challenges that were used and are remembered, each for as long as it would be good.
const MAX_USED: usize = 100_000;
const MAX_BYTES: usize = 1024;

#[derive(Serialize, Deserialize)]
struct ChallengeClaims {
    iss: String,
    aud: String,
    jti: Uuid,
    exp: i64,
}

#[derive(Serialize, Deserialize)]
struct PassClaims {
    iss: String,
    aud: String,
    /// The vehicle.
    sub: Vin,
    /// Serial number of its certificate.
    ser: String,
    exp: i64,
}

/// A vehicle that has shown that it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub vin: Vin,
    /// Serial number of its certificate.
    pub serial: String,
}

/// Makes challenges and passes, and takes them: those of all servers with the same key.
pub(crate) struct VehiclePasses {
    header: Header,
    sign: EncodingKey,
    verify: Vec<DecodingKey>,
    used: Mutex<HashMap<Uuid, i64>>,
}

impl VehiclePasses {
    pub fn new(key: &SigningKey) -> Self {
        let mut pairs = key.pairs();
        let verify = pairs.iter().map(|pair| pair.verify.clone()).collect();
        let first = pairs.swap_remove(0);
        let header = Header { kid: Some(first.id), ..Header::new(Algorithm::EdDSA) };
        VehiclePasses { header, sign: first.sign, verify, used: Mutex::default() }
    }

    /// Something to sign.
    pub fn challenge(&self, now: UnixMs) -> String {
        let (iss, aud) = (ISSUER.to_owned(), CHALLENGE.to_owned());
        self.encode(&ChallengeClaims { iss, aud, jti: Uuid::new_v4(), exp: (now + CHALLENGE_MS).div_euclid(1000) })
    }

    /// Whether a challenge is one of ours that runs and was not taken here before; it is taken by that.
    pub fn take_challenge(&self, challenge: &str, now: UnixMs) -> bool {
        let Some(claims) = self.decode::<ChallengeClaims>(challenge, CHALLENGE) else { return false };
        let seconds = now.div_euclid(1000);
        if claims.exp <= seconds {
            return false;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, exp| *exp > seconds);
        used.len() < MAX_USED && used.insert(claims.jti, claims.exp).is_none()
    }

    /// A pass for a vehicle.
    pub fn issue(&self, holder: &Holder, now: UnixMs) -> String {
        let (iss, aud) = (ISSUER.to_owned(), VEHICLE.to_owned());
        let exp = (now + PASS_MS).div_euclid(1000);
        self.encode(&PassClaims { iss, aud, sub: holder.vin, ser: holder.serial.clone(), exp })
    }

    /// Whose pass it is, if it runs.
    pub fn check(&self, pass: &str, now: UnixMs) -> Option<Holder> {
        let claims = self.decode::<PassClaims>(pass, VEHICLE)?;
        let runs = claims.exp > now.div_euclid(1000);
        runs.then_some(Holder { vin: claims.sub, serial: claims.ser })
    }

    fn encode(&self, claims: &impl Serialize) -> String {
        encode(&self.header, claims, &self.sign).expect("claims are plain JSON and the key is for this algorithm")
    }

    fn decode<T: DeserializeOwned>(&self, token: &str, audience: &str) -> Option<T> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[audience]);
        // Compared by the callers, with their clock.
        validation.validate_exp = false;
        self.verify.iter().find_map(|key| decode::<T>(token, key, &validation).ok()).map(|read| read.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    fn passes(key: u8) -> VehiclePasses {
        VehiclePasses::new(&SigningKey::from_bytes([key; 32]))
    }

    fn holder() -> Holder {
        Holder { vin: "WVWZZZ1JZ3W386752".parse().unwrap(), serial: "0a1b".to_owned() }
    }

    #[test]
    fn a_challenge_is_good_once_and_for_a_minute() {
        let [ours, stranger] = [passes(7), passes(8)];
        let challenge = ours.challenge(NOW);
        assert!(!stranger.take_challenge(&challenge, NOW) && !ours.take_challenge(&challenge, NOW + CHALLENGE_MS));
        assert!(ours.take_challenge(&challenge, NOW + 1000) && !ours.take_challenge(&challenge, NOW + 1000));
        assert!(passes(7).take_challenge(&ours.challenge(NOW), NOW), "another server with the same key takes it");
        for rubbish in ["", "a.b.c", &"x".repeat(5000)] {
            assert!(!ours.take_challenge(rubbish, NOW));
        }
    }

    #[test]
    fn a_pass_tells_the_vehicle_while_it_runs_and_is_no_challenge() {
        let passes = passes(7);
        let pass = passes.issue(&holder(), NOW);
        assert_eq!(passes.check(&pass, NOW + PASS_MS - 1000), Some(holder()));
        assert_eq!(passes.check(&pass, NOW + PASS_MS), None);
        assert_eq!(self::passes(8).check(&pass, NOW), None);
        assert!(!passes.take_challenge(&pass, NOW));
        assert_eq!(passes.check(&passes.challenge(NOW), NOW), None);
    }
}
