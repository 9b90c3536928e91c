//! The ways in which versions of Mosquitto hash a password.
//!
//! - before 2.0: `$6$salt$hash`, one SHA-512 of password and salt
//! - 2.0: `$7$iterations$salt$hash`, PBKDF2 with HMAC-SHA-512
//! - 2.1: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, Argon2id as libargon2 writes it (RFC 9106)

use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;

/// More than this in a file is a typing error that would stall every sign-in.
const MAX_ITERATIONS: u32 = 5_000_000;
/// 128 MiB, which each sign-in that is being checked takes.
const MAX_MEMORY_KIB: u32 = 128 * 1024;
const MAX_PASSES: u32 = 20;
const MAX_LANES: u32 = 16;
const HASH_BYTES: usize = 64;
/// Mosquitto 2.0 refuses a salt of any other length.
const SALT_BYTES: usize = 12;
const MAX_SALT: usize = 64;

/// A salted hash.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    scheme: Scheme,
    salt: Vec<u8>,
    hash: Vec<u8>,
    /// As it stands in the file.
    text: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Scheme {
    Sha512,
    Pbkdf2(u32),
    Argon2id(Params),
}

impl Hash {
    /// A hash of `password` with a new random salt, in the way of Mosquitto 2.0.
    pub fn new(password: &str, iterations: u32) -> Self {
        let iterations = iterations.clamp(1, MAX_ITERATIONS);
        let scheme = Scheme::Pbkdf2(iterations);
        let salt = rand::random::<[u8; SALT_BYTES]>().to_vec();
        let hash = scheme.derive(password, &salt, HASH_BYTES).expect("PBKDF2 takes any password and salt");
        let text = format!("$7${iterations}${}${}", BASE64_STANDARD.encode(&salt), BASE64_STANDARD.encode(&hash));
        Hash { scheme, salt, hash, text }
    }

    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, salt, hash) = if let Some(rest) = text.strip_prefix("$7$") {
            let (iterations, rest) = rest.split_once('$').ok_or("`$7$iterations$salt$hash` expected")?;
            let iterations = iterations.parse().map_err(|_| "iterations are no number")?;
            if !(1..=MAX_ITERATIONS).contains(&iterations) {
                return Err("iterations must be 1 to 5000000");
            }
            let (salt, hash) = salt_and_hash(rest)?;
            (Scheme::Pbkdf2(iterations), salt, hash)
        } else if let Some(rest) = text.strip_prefix("$6$") {
            let (salt, hash) = salt_and_hash(rest)?;
            (Scheme::Sha512, salt, hash)
        } else if text.starts_with("$argon2id$") {
            argon2id(text)?
        } else {
            return Err("hash does not start with `$7$`, `$6$` or `$argon2id$`: run mosquitto_passwd -U on the file");
        };
        Ok(Hash { scheme, salt, hash, text: text.to_owned() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn bytes(&self) -> &[u8] {
        &self.hash
    }

    pub fn verify(&self, password: &str) -> bool {
        let derived = self.scheme.derive(password, &self.salt, self.hash.len());
        derived.is_some_and(|derived| derived.ct_eq(&self.hash).into())
    }
}

impl Scheme {
    /// `None` where the password is too long for it.
    fn derive(&self, password: &str, salt: &[u8], bytes: usize) -> Option<Vec<u8>> {
        let mut hash = vec![0; bytes];
        match self {
            Scheme::Sha512 => hash = Sha512::new().chain_update(password).chain_update(salt).finalize().to_vec(),
            Scheme::Pbkdf2(iterations) => {
                pbkdf2::pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, *iterations, &mut hash);
            }
            Scheme::Argon2id(params) => {
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                argon2.hash_password_into(password.as_bytes(), salt, &mut hash).ok()?;
            }
        }
        Some(hash)
    }
}

/// `salt$hash` in base64.
fn salt_and_hash(text: &str) -> Result<(Vec<u8>, Vec<u8>), &'static str> {
    let (salt, hash) = text.split_once('$').ok_or("`salt$hash` expected at the end")?;
    let salt = BASE64_STANDARD.decode(salt).map_err(|_| "salt is no base64")?;
    let hash = BASE64_STANDARD.decode(hash).map_err(|_| "hash is no base64")?;
    if salt.len() > MAX_SALT {
        return Err("salt is longer than 64 bytes");
    }
    if hash.len() != HASH_BYTES {
        return Err("hash must have 64 bytes");
    }
    Ok((salt, hash))
}

fn argon2id(text: &str) -> Result<(Scheme, Vec<u8>, Vec<u8>), &'static str> {
    let parsed = PasswordHash::new(text).map_err(|_| "`$argon2id$v=19$m=…,t=…,p=…$salt$hash` expected")?;
    if parsed.version != Some(19) {
        return Err("version of Argon2 must be 19");
    }
    if !parsed.params.iter().map(|(name, _)| name.as_str()).eq(["m", "t", "p"]) {
        return Err("parameters of Argon2 must be m, t and p");
    }
    let params = Params::try_from(&parsed).map_err(|_| "parameters of Argon2 are not valid")?;
    let modest = params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES;
    if !modest {
        return Err("Argon2 may take 131072 KiB, 20 passes and 16 lanes at most");
    }
    let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else { return Err("salt or hash is missing") };
    let mut bytes = [0; MAX_SALT];
    let salt = salt.decode_b64(&mut bytes).map_err(|_| "salt is no base64")?.to_vec();
    if salt.len() < argon2::MIN_SALT_LEN || hash.len() < 16 {
        return Err("salt must have 8 bytes and hash 16 at least");
    }
    Ok((Scheme::Argon2id(params), salt, hash.as_bytes().to_vec()))
}
