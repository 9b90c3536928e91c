//! ntfy: a topic by its address, such as `https://ntfy.sh/my-fleet`.

use std::time::Duration;

use async_trait::async_trait;
use bugbrother_wire::message::Severity;
use reqwest::Client;
use serde_json::json;

use super::{Carrier, Parcel, Refusal, send};
use crate::post::{gate::Gate, letter::shortened};

/// Longest text that ntfy shows as such.
const MAX_BYTES: usize = 3_500;

/// A topic.
pub struct Ntfy<'a> {
    pub gate: &'a Gate,
    pub http: &'a Client,
}

#[async_trait]
impl Carrier for Ntfy<'_> {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), Refusal> {
        let mut url = self.gate.url(parcel.target)?;
        let topic = url.path().trim_matches('/').to_owned();
        if topic.is_empty() || topic.contains('/') {
            return Err(Refusal::Never("its address names no topic: https://ntfy.sh/my-fleet".to_owned()));
        }
        // JSON goes to the root; so titles may have any letters, which headers may not.
        url.set_path("/");
        let priority = match parcel.letter.severity {
            _ if parcel.letter.is_over => 2,
            Some(Severity::Critical) => 5,
            Some(Severity::Warning) => 4,
            _ => 3,
        };
        let mut body = json!({
            "topic": topic,
            "title": parcel.letter.title,
            "message": shortened(&parcel.letter.text(false), MAX_BYTES),
            "priority": priority,
        });
        if let (Some(link), Some(fields)) = (parcel.letter.link(), body.as_object_mut()) {
            fields.insert("click".to_owned(), link.into());
        }
        let mut request = self.http.post(url).json(&body);
        if let Some(token) = parcel.secret {
            request = request.bearer_auth(token);
        }
        send(request).await
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(200)
    }
}
