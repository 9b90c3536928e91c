//! Access tokens that are not ours, or are good no more.

use anyhow::{Context, Result};
use bugbrother_dashboard::SigningKey;
use ed25519_dalek::{SigningKey as Ed25519, pkcs8::EncodePrivateKey};
use hmac::{Hmac, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    rig::{KEY, Rig, counted, expect_refusal, now},
    viewer::{open, refusal},
};

/// The key pair that a server derives from a secret: as `docs/people.md` says, so that it is a contract.
fn pair(secret: [u8; 32]) -> Result<Ed25519> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret)?;
    mac.update(b"bugbrother session ed25519 v1");
    Ok(Ed25519::from_bytes(&mac.finalize().into_bytes().into()))
}

fn kid(pair: &Ed25519) -> String {
    let digest = Sha256::digest(pair.verifying_key().as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn claims() -> Value {
    let now = now() / 1000;
    json!({
        "iss": "bugbrother", "aud": "bugbrother-dashboard", "sub": "admin", "role": "administrator",
        "iat": now, "nbf": now, "exp": now + 900, "ends": (now + 3600) * 1000,
        "sid": "01234567-89ab-7def-8123-456789abcdef",
    })
}

fn signed(claims: &Value, secret: [u8; 32], kid_of: [u8; 32]) -> Result<String> {
    let key = EncodingKey::from_ed_der(pair(secret)?.to_pkcs8_der()?.as_bytes());
    let header = Header { kid: Some(kid(&pair(kid_of)?)), ..Header::new(Algorithm::EdDSA) };
    Ok(encode(&header, claims, &key)?)
}

fn with(name: &str, value: impl Into<Value>) -> Result<String> {
    let mut claims = claims();
    claims[name] = value.into();
    signed(&claims, KEY, KEY)
}

/// `{"alg":"none"}` with the claims of a token that would be good, and no signature.
fn unsigned() -> Result<String> {
    let good = signed(&claims(), KEY, KEY)?;
    let body = good.split('.').nth(1).unwrap_or_default();
    Ok(format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}."))
}

/// Signed by HMAC with what everybody may know, the public key.
fn confused(algorithm: Algorithm) -> Result<String> {
    let pair = pair(KEY)?;
    let header = Header { kid: Some(kid(&pair)), ..Header::new(algorithm) };
    Ok(encode(&header, &claims(), &EncodingKey::from_secret(pair.verifying_key().as_bytes()))?)
}

/// As an earlier version signed: by HMAC with the secret itself.
fn of_before() -> Result<String> {
    Ok(encode(&Header::new(Algorithm::HS256), &claims(), &EncodingKey::from_secret(&KEY))?)
}

#[tokio::test]
async fn a_token_that_is_not_ours_or_does_not_run_opens_nothing() -> Result<()> {
    const COUNTER: &str = "bugbrother_dashboard_tokens_refused_total{reason=";
    let rig = Rig::start().await?;
    let good = signed(&claims(), KEY, KEY)?;
    let answer = rig.get("/api/frontend/vehicles", &good).await?;
    answer.error_for_status()?;
    let (expired, invalid) = (counted(&format!("{COUNTER}\"expired\"}}")), counted(&format!("{COUNTER}\"invalid\"}}")));
    let bad = [
        ("token_expired", with("exp", now() / 1000 - 1)?),
        ("token_invalid", unsigned()?),
        ("token_invalid", confused(Algorithm::HS256)?),
        ("token_invalid", confused(Algorithm::HS512)?),
        ("token_invalid", of_before()?),
        ("token_invalid", signed(&claims(), [8; 32], [8; 32])?),
        ("token_invalid", signed(&claims(), [8; 32], KEY)?),
        ("token_invalid", with("aud", "another-service")?),
        ("token_invalid", with("iss", "somebody")?),
        ("token_invalid", with("nbf", now() / 1000 + 600)?),
        ("token_invalid", with("role", "emperor")?),
        ("token_invalid", format!("{good}x")),
        ("token_invalid", "rubbish".to_owned()),
        ("token_invalid", "bb_rubbish".to_owned()),
        ("token_invalid", "x".repeat(20_000)),
    ];
    for (error, token) in &bad {
        for path in ["/api/frontend/session", "/api/frontend/vehicles", "/live"] {
            let answer = rig.get(path, token).await?;
            expect_refusal(answer, StatusCode::UNAUTHORIZED, error).await.with_context(|| format!("{path} {token}"))?;
        }
        let bearer = format!("Bearer {token}");
        let answer = refusal(open(&rig, &[("authorization", &bearer)]).await)?;
        assert_eq!(answer.status().as_u16(), 401);
    }
    assert!(counted(&format!("{COUNTER}\"expired\"}}")) >= expired + 4);
    assert!(counted(&format!("{COUNTER}\"invalid\"}}")) >= invalid + 56);
    rig.stop().await
}

#[tokio::test]
async fn tokens_of_the_key_of_before_are_good_until_they_expire() -> Result<()> {
    let rig = Rig::start_with(bugbrother_kit::port::free()?, |config| {
        config.key = SigningKey::from_bytes([9; 32]).after(KEY);
    })
    .await?;
    for secret in [KEY, [9; 32]] {
        let token = signed(&claims(), secret, secret)?;
        rig.get("/api/frontend/vehicles", &token).await?.error_for_status()?;
    }
    rig.stop().await
}
