//! JSON to an address, signed.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, header::CONTENT_TYPE};
use ring::hmac;

use super::{Carrier, Parcel, Refusal, send};
use crate::post::gate::Gate;

/// A POST of JSON.
pub struct Webhook<'a> {
    pub gate: &'a Gate,
    pub http: &'a Client,
}

#[async_trait]
impl Carrier for Webhook<'_> {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), Refusal> {
        let url = self.gate.url(parcel.target)?;
        let body = parcel.body.to_string();
        let seconds = parcel.now / 1000;
        let mut request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", parcel.message)
            .header("X-BugBrother-Timestamp", seconds);
        if let Some(secret) = parcel.secret {
            request = request.header("X-BugBrother-Signature", signature(secret, seconds, &body));
        }
        send(request.body(body)).await
    }

    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// HMAC-SHA256 of the time in seconds, a full stop and the body: with the time in it nobody can send an old one again for long.
pub fn signature(secret: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_openssl_makes() {
        // printf '1790000000.{"v":1}' | openssl dgst -sha256 -hmac swordfish
        let expected = "sha256=f8a32143eaf7550f75b0c1338abc9963fd6f0de7e5a5800960ffcb32974539d2";
        assert_eq!(signature("swordfish", 1_790_000_000, "{\"v\":1}"), expected);
    }
}
