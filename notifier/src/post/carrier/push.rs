//! Web push: encrypted for one browser (RFC 8291) and sent in the fleet's name (VAPID, RFC 8292).

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bugbrother_wire::{UnixMs, message::Severity};
use reqwest::{Client, Url};
use ring::{
    aead, agreement, hkdf,
    rand::{SecureRandom, SystemRandom},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde::Deserialize;
use serde_json::json;

use super::{Carrier, Parcel, Refusal, send};
use crate::post::{gate::Gate, letter::shortened};

/// How long a push service is to keep what it cannot deliver.
const KEEP_S: u32 = 24 * 60 * 60;
/// How long a push service may take our word for who we are; 24 h at most.
const VOUCHED_S: i64 = 12 * 60 * 60;
/// A push service takes 4,096 bytes, of which 103 are for what encryption adds.
const MAX_TITLE: usize = 200;
const MAX_TEXT: usize = 1_500;
const RECORD: u32 = 4_096;

/// The key by which browsers know who may push to them. Whoever has it and a subscription can show notifications.
pub struct PushKey {
    pair: EcdsaKeyPair,
    /// Whom a push service may ask: an address of mail or of the web.
    contact: String,
}

/// There is no key.
#[derive(Debug, thiserror::Error)]
pub enum PushKeyError {
    /// The text is no key.
    #[error("the push key cannot be read; delete it to have a new one, and subscribe browsers anew")]
    Text,
    /// There is no chance to make one of.
    #[error("no push key can be made")]
    Made,
}

impl PushKey {
    /// A new one, as text.
    pub fn generate() -> Result<String, PushKeyError> {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Ok(URL_SAFE_NO_PAD.encode(key.map_err(|_| PushKeyError::Made)?))
    }

    /// The one that a text holds.
    pub fn read(text: &str, contact: &str) -> Result<Self, PushKeyError> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| PushKeyError::Text)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &bytes, &SystemRandom::new());
        Ok(PushKey { pair: pair.map_err(|_| PushKeyError::Text)?, contact: contact.to_owned() })
    }

    /// What browsers are told of it (base64url of the uncompressed point).
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key())
    }

    /// The header by which a push service knows that we are who may push.
    fn vouch(&self, url: &Url, now: UnixMs) -> Option<String> {
        let head = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"ES256"}"#);
        let claims = json!({
            "aud": url.origin().ascii_serialization(),
            "exp": now / 1000 + VOUCHED_S,
            "sub": self.contact,
        });
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("vapid t={signed}.{}, k={}", URL_SAFE_NO_PAD.encode(signature), self.public()))
    }
}

impl std::fmt::Debug for PushKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PushKey(..)")
    }
}

/// What a browser gave: where to push, and for whom it is encrypted.
#[derive(Deserialize)]
struct Subscription {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

/// A push service.
pub struct Push<'a> {
    pub gate: &'a Gate,
    pub http: &'a Client,
    pub key: Option<&'a PushKey>,
    pub dashboard: Option<&'a str>,
}

#[async_trait]
impl Carrier for Push<'_> {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), Refusal> {
        let never = |text: &str| Refusal::Never(text.to_owned());
        let key = self.key.ok_or_else(|| never("this notifier has no push key"))?;
        let subscription: Subscription = parcel
            .secret
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| never("its subscription is none"))?;
        let url = self.gate.url(&subscription.endpoint)?;
        let letter = parcel.letter;
        // The worker opens addresses of its own server alone.
        let path = letter.link().zip(self.dashboard).and_then(|(link, base)| link.strip_prefix(base));
        let note = json!({
            "title": shortened(&letter.title, MAX_TITLE),
            "body": shortened(&letter.text(false), MAX_TEXT),
            "path": path.unwrap_or("/alerts"),
            "tag": letter.tag.as_deref().unwrap_or(parcel.message),
            "critical": letter.severity == Some(Severity::Critical) && !letter.is_over,
        });
        let (point, auth) = [&subscription.keys.p256dh, &subscription.keys.auth]
            .map(|text| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok())
            .into();
        let (point, auth) = point.zip(auth).ok_or_else(|| never("its subscription is none"))?;
        let body = encrypt(note.to_string().as_bytes(), &point, &auth).ok_or_else(|| never("its keys are none"))?;
        let vouched = key.vouch(&url, parcel.now).ok_or_else(|| never("the push key does not sign"))?;
        let urgency = if letter.severity == Some(Severity::Info) { "normal" } else { "high" };
        let request = self
            .http
            .post(url)
            .header("TTL", KEEP_S)
            .header("Urgency", urgency)
            .header("Content-Encoding", "aes128gcm")
            .header("Content-Type", "application/octet-stream")
            .header("Authorization", vouched)
            .body(body);
        match send(request).await {
            // A subscription that is not known is one that has ended.
            Err(Refusal::Never(told)) if told.starts_with("404") => Err(Refusal::Gone(told)),
            done => done,
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(50)
    }
}

/// Length of key material.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Encrypts for the browser with this public point and secret (RFC 8291, one record of RFC 8188).
pub fn encrypt(text: &[u8], point: &[u8], auth: &[u8]) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    let mut salt = [0; 16];
    random.fill(&mut salt).ok()?;
    let ours = agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &random).ok()?;
    let our_point = ours.compute_public_key().ok()?;
    let theirs = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, point);
    let derive = |secret: &[u8]| -> Option<[u8; 32]> {
        let info: [&[u8]; 3] = [b"WebPush: info\0", point, our_point.as_ref()];
        let mut key = [0; 32];
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, auth).extract(secret);
        prk.expand(&info, Length(32)).ok()?.fill(&mut key).ok()?;
        Some(key)
    };
    let input = agreement::agree_ephemeral(ours, &theirs, derive).ok()??;
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(&input);
    let (mut key, mut nonce) = ([0; 16], [0; aead::NONCE_LEN]);
    prk.expand(&[b"Content-Encoding: aes128gcm\0"], Length(16)).ok()?.fill(&mut key).ok()?;
    prk.expand(&[b"Content-Encoding: nonce\0"], Length(aead::NONCE_LEN)).ok()?.fill(&mut nonce).ok()?;
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).ok()?);
    // The last record ends with a 2.
    let mut record = [text, &[2]].concat();
    key.seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::empty(), &mut record).ok()?;
    let point = our_point.as_ref();
    let length = u8::try_from(point.len()).ok()?;
    Some([&salt[..], &RECORD.to_be_bytes(), &[length], point, &record].concat())
}
