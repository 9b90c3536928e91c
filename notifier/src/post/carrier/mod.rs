//! What takes a message to somebody: a kind of channel each.

mod chat;
mod mail;
mod ntfy;
pub mod push;
mod webhook;

use std::time::Duration;

use async_trait::async_trait;
use bugbrother_store::MailServer;
use bugbrother_wire::{UnixMs, api::ChannelKind};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};

use super::{
    gate::{Closed, Gate},
    letter::Letter,
};

pub use mail::{MailAuthorities, MailAuthoritiesError};
pub use push::PushKey;

/// How much of a refusal's reason is read, in bytes.
const MAX_REASON: usize = 2048;
/// How much of it is kept, in characters.
const MAX_TOLD: usize = 200;
/// Longest that somebody may have us wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// A message on its way.
pub struct Parcel<'a> {
    /// Its identity, the same at each try: whoever has it already can tell.
    pub message: &'a str,
    /// What it says.
    pub letter: &'a Letter,
    /// The same for programs.
    pub body: &'a serde_json::Value,
    /// Where to.
    pub target: &'a str,
    /// What opens the way.
    pub secret: Option<&'a str>,
    /// Our clock.
    pub now: UnixMs,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It may be taken later, at the earliest after so long if that was said.
    Later(String, Option<Duration>),
    /// It will not be taken.
    Never(String),
    /// Nobody is there any more, nor will be.
    Gone(String),
}

/// What takes a message to somebody.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// Takes a message there. Whether it was taken is known at the end.
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), Refusal>;

    /// How long to wait between two messages of a channel.
    fn pause(&self) -> Duration;
}

/// What carriers work with.
pub struct Tools<'a> {
    /// Which addresses may be reached.
    pub gate: &'a Gate,
    /// Goes through the gate.
    pub http: &'a Client,
    /// The fleet's mail server.
    pub mail: &'a MailServer,
    /// Who vouches for it beside those that this system trusts.
    pub mail_authorities: &'a MailAuthorities,
    /// Where Telegram's Bot API is, if not at Telegram.
    pub telegram: Option<&'a str>,
    /// What browsers know us by.
    pub push: Option<&'a PushKey>,
    /// Where the dashboard is.
    pub dashboard: Option<&'a str>,
}

/// Whether the fleet's mail server answers and lets us in, and if not, why. No letter is sent.
pub async fn try_mail_server(gate: &Gate, server: &MailServer, authorities: &MailAuthorities) -> Result<(), String> {
    mail::Mail { gate, server, authorities }.knock().await
}

/// What takes messages of that kind.
pub fn carrier<'a>(kind: ChannelKind, tools: Tools<'a>) -> Box<dyn Carrier + 'a> {
    let Tools { gate, http, mail, mail_authorities, telegram, push, dashboard } = tools;
    match kind {
        ChannelKind::Email => Box::new(mail::Mail { gate, server: mail, authorities: mail_authorities }),
        ChannelKind::Webhook => Box::new(webhook::Webhook { gate, http }),
        ChannelKind::Telegram => Box::new(chat::Telegram { gate, http, api: telegram }),
        ChannelKind::Slack => Box::new(chat::Hook { gate, http, field: "text", pause: Duration::from_secs(1) }),
        ChannelKind::Mattermost => {
            Box::new(chat::Hook { gate, http, field: "text", pause: Duration::from_millis(200) })
        }
        ChannelKind::Discord => {
            Box::new(chat::Hook { gate, http, field: "content", pause: Duration::from_millis(500) })
        }
        ChannelKind::Ntfy => Box::new(ntfy::Ntfy { gate, http }),
        ChannelKind::Push => Box::new(push::Push { gate, http, key: push, dashboard }),
    }
}

impl From<Closed> for Refusal {
    fn from(closed: Closed) -> Self {
        match closed {
            // Names come back.
            Closed::Unknown(_) => Refusal::Later(closed.to_string(), None),
            Closed::Private(_) | Closed::Address => Refusal::Never(closed.to_string()),
        }
    }
}

/// Why something was refused, and how long we are to wait.
type Told = (String, Option<Duration>);

/// Sends a request and judges the answer. No reason that is kept tells the address: it may be a secret.
async fn send(request: RequestBuilder) -> Result<(), Refusal> {
    send_reading(request, plain).await
}

/// The same to somebody whose refusals have a form.
async fn send_reading(request: RequestBuilder, read: fn(&[u8]) -> Told) -> Result<(), Refusal> {
    let answer = request.send().await.map_err(|error| unreached(&error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let wait = retry_after(&answer);
    let (reason, asked) = read(&beginning(answer).await);
    let wait = wait.or(asked.map(|asked| asked.min(LONGEST_WAIT)));
    let told = format!("{status}{}{reason}", if reason.is_empty() { "" } else { ": " });
    Err(match status {
        StatusCode::GONE => Refusal::Gone(told),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Refusal::Later(told, wait)
        }
        status if status.is_server_error() => Refusal::Later(told, wait),
        status if status.is_redirection() => Refusal::Never(format!("{told}: it leads elsewhere, and is not followed")),
        _ => Refusal::Never(told),
    })
}

/// Why nobody was reached, without the address.
fn unreached(error: &reqwest::Error) -> Refusal {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    for cause in causes {
        if let Some(closed @ Closed::Private(_)) = cause.downcast_ref::<Closed>() {
            return Refusal::Never(closed.to_string());
        }
    }
    let last = std::iter::successors(std::error::Error::source(error), |error| error.source()).last();
    let what = match error {
        error if error.is_timeout() => "it did not answer in time",
        error if error.is_connect() => "nobody was reached",
        _ => "it broke off",
    };
    let why = last.map(|cause| cause.to_string()).filter(|cause| !cause.contains("://"));
    Refusal::Later(why.map_or(what.to_owned(), |why| format!("{what}: {why}")), None)
}

/// How long we are to wait, if that was said in seconds.
fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The beginning of what was answered; what comes without end is left.
async fn beginning(mut answer: Response) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < MAX_REASON
        && let Ok(Some(piece)) = answer.chunk().await
    {
        read.extend_from_slice(&piece[..piece.len().min(MAX_REASON - read.len())]);
    }
    read
}

/// A refusal as it stands.
fn plain(body: &[u8]) -> Told {
    let text = String::from_utf8_lossy(body);
    (text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_TOLD).collect(), None)
}
