use anyhow::Result;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    rig::{KEY, Rig, counted, expect_refusal, now},
    viewer::{open, refusal},
};

fn claims() -> Value {
    let now = now() / 1000;
    json!({
        "iss": "bugbrother", "aud": "bugbrother-dashboard", "sub": "admin", "role": "administrator",
        "nbf": now, "exp": now + 3600, "jti": "01234567-89ab-4def-8123-456789abcdef",
    })
}

fn signed(claims: &Value, algorithm: Algorithm, key: &[u8]) -> Result<String> {
    let key = EncodingKey::from_secret(key);
    Ok(encode(&Header::new(algorithm), claims, &key)?)
}

fn with(name: &str, value: impl Into<Value>) -> Result<String> {
    let mut claims = claims();
    claims[name] = value.into();
    signed(&claims, Algorithm::HS256, &KEY)
}

/// `{"alg":"none"}` with the claims of a token that would be good, and no signature.
fn unsigned() -> Result<String> {
    let good = signed(&claims(), Algorithm::HS256, &KEY)?;
    let body = good.split('.').nth(1).unwrap_or_default();
    Ok(format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}."))
}

#[tokio::test]
async fn a_token_that_is_not_ours_or_does_not_run_opens_nothing() -> Result<()> {
    const COUNTER: &str = "bugbrother_dashboard_tokens_refused_total{reason=";
    let rig = Rig::start().await?;
    let good = signed(&claims(), Algorithm::HS256, &KEY)?;
    let answer = rig.get("/api/frontend/vehicles", &good).await?;
    answer.error_for_status()?;
    let (expired, invalid) = (counted(&format!("{COUNTER}\"expired\"}}")), counted(&format!("{COUNTER}\"invalid\"}}")));
    let bad = [
        ("token_expired", with("exp", now() / 1000 - 1)?),
        ("token_invalid", unsigned()?),
        ("token_invalid", signed(&claims(), Algorithm::HS256, &[8; 32])?),
        ("token_invalid", signed(&claims(), Algorithm::HS384, &KEY)?),
        ("token_invalid", with("aud", "another-service")?),
        ("token_invalid", with("iss", "somebody")?),
        ("token_invalid", with("nbf", now() / 1000 + 600)?),
        ("token_invalid", "rubbish".to_owned()),
    ];
    for (error, token) in &bad {
        for path in ["/api/frontend/session", "/api/frontend/vehicles", "/live"] {
            let answer = rig.get(path, token).await?;
            expect_refusal(answer, StatusCode::UNAUTHORIZED, error).await?;
        }
        let bearer = format!("Bearer {token}");
        let answer = refusal(open(&rig, &[("authorization", &bearer)]).await)?;
        assert_eq!(answer.status().as_u16(), 401);
    }
    assert!(counted(&format!("{COUNTER}\"expired\"}}")) >= expired + 4);
    assert!(counted(&format!("{COUNTER}\"invalid\"}}")) >= invalid + 28);
    rig.stop().await
}
