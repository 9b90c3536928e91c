//! Rooms in which people talk.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;

use super::{Carrier, Parcel, Refusal, Told, plain, send, send_reading};
use crate::post::{
    gate::Gate,
    letter::{Letter, shortened},
};

/// Telegram takes 4,096 characters, Discord 2,000.
const MAX_BYTES: usize = 1_900;
const TELEGRAM: &str = "https://api.telegram.org";
/// Most of a bot's refusal that is told, in characters.
const MAX_TOLD: usize = 200;

/// A bot of Telegram, which takes a message a second for each chat.
pub struct Telegram<'a> {
    pub gate: &'a Gate,
    pub http: &'a Client,
    /// Where the Bot API is, if not at Telegram.
    pub api: Option<&'a str>,
}

/// What the Bot API answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    description: String,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

/// An incoming webhook, whose address is the secret.
pub struct Hook<'a> {
    pub gate: &'a Gate,
    pub http: &'a Client,
    /// In which field the text is wanted.
    pub field: &'static str,
    pub pause: Duration,
}

#[async_trait]
impl Carrier for Telegram<'_> {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), Refusal> {
        let token = parcel.secret.ok_or_else(|| Refusal::Never("it has no token of a bot".to_owned()))?;
        // It becomes a part of the address.
        if !is_token(token) {
            return Err(Refusal::Never("its token is no bot's".to_owned()));
        }
        let body = json!({
            "chat_id": parcel.target,
            "text": text(parcel.letter),
            "link_preview_options": { "is_disabled": true },
        });
        let base = self.api.unwrap_or(TELEGRAM).trim_end_matches('/');
        let url = self.gate.url(&format!("{base}/bot{token}/sendMessage"))?;
        send_reading(self.http.post(url).json(&body), why).await
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[async_trait]
impl Carrier for Hook<'_> {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), Refusal> {
        let address = parcel.secret.ok_or_else(|| Refusal::Never("it has no address".to_owned()))?;
        let url = self.gate.url(address)?;
        let mut body = serde_json::Map::new();
        body.insert(self.field.to_owned(), text(parcel.letter).into());
        if self.field == "content" {
            // Discord: what a vehicle is called must call nobody.
            body.insert("allowed_mentions".to_owned(), json!({ "parse": [] }));
        }
        send(self.http.post(url).header("Idempotency-Key", parcel.message).json(&body)).await
    }

    fn pause(&self) -> Duration {
        self.pause
    }
}

/// Why the Bot API refuses, and how long it wants us to wait: it says so in the body.
fn why(body: &[u8]) -> Told {
    match serde_json::from_slice::<Answer>(body) {
        Ok(Answer { description, parameters }) => {
            let seconds = parameters.and_then(|parameters| parameters.retry_after);
            (description.chars().take(MAX_TOLD).collect(), seconds.map(Duration::from_secs))
        }
        Err(_) => plain(body),
    }
}

/// Digits, a colon and letters, as bots' tokens are.
pub fn is_token(token: &str) -> bool {
    let Some((bot, key)) = token.split_once(':') else { return false };
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !bot.is_empty() && bot.bytes().all(|byte| byte.is_ascii_digit()) && !key.is_empty() && key.bytes().all(is_key)
}

/// Title and text. What is called `<!channel>` or `@everyone` is not to call everybody.
fn text(letter: &Letter) -> String {
    let whole = format!("{}\n{}", letter.title, letter.text(true));
    shortened(&whole.replace('<', "‹").replace('@', "@\u{200b}"), MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_call_a_whole_room() {
        let letter = Letter { title: "<!channel> @everyone".to_owned(), ..Letter::default() };
        assert_eq!(text(&letter).trim(), "‹!channel> @\u{200b}everyone");
        let long = Letter { title: "é".repeat(3_000), ..Letter::default() };
        assert!(text(&long).len() <= MAX_BYTES && text(&long).ends_with('…'));
    }

    #[test]
    fn a_token_cannot_lead_elsewhere() {
        assert!(is_token("123456:AAE-x_y"));
        for bad in ["", "1:", ":a", "1:a/../b", "1:a?b", "x:a", "1:a b", "1:a#"] {
            assert!(!is_token(bad), "{bad}");
        }
    }
}
