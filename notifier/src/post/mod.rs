//! Alerts to people.
//!
//! What happens to an alert is a row of its history, written with the alert in one transaction, and so are these steps the queue
//! of the post: it decides who hears, notes the deliveries in the transaction that marks the step as posted, and sends them.
//! Whoever is killed at any point leaves a queue that goes on.
//!
//! # Layout
//! - [`audience`], [`hours`], [`storm`], [`retry`]: who hears what, when, with what else, and when again (pure)
//! - `desk`: steps to deliveries; `sender`: deliveries to messages; [`carrier`]: messages to people
//! - `matter`: what a message is about; [`letter`], [`words`]: what it says (pure)
//! - [`gate`]: which addresses may be reached
//!
//! # Invariants
//! - A step of an alert goes into a channel once: `(alert, step, channel)` is unique. A message has the same identity at each
//!   try, so that whoever takes it can tell.
//! - One message at a time for each channel, and a channel that hangs delays no other.
//! - Nothing that opens a channel gets into a log, an error or a letter.

pub mod audience;
pub mod carrier;
mod desk;
pub mod gate;
pub mod hours;
pub mod letter;
pub mod matter;
pub mod retry;
mod sender;
pub mod storm;
pub mod words;

use std::{sync::Arc, time::Duration};

use bugbrother_store::{Store, StoreError};
use bugbrother_wire::message::Alert;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use carrier::{MailAuthorities, PushKey};
use gate::Gate;
use sender::Sender;

/// The rule of alerts that say that a channel does not work. No rule of the rulebook has this identity.
pub const RULE: &str = "delivery";
/// The queue is looked at this often even if nobody says that there is something new.
const EVERY: Duration = Duration::from_secs(1);

/// Has an alert said on the broker.
pub type Tell = Arc<dyn Fn(Alert) + Send + Sync>;

/// How people are told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which addresses may be reached.
    pub gate: Gate,
    /// By what browsers know who may push to them; without it nobody does.
    pub push: Option<Arc<PushKey>>,
    /// Who vouches for the mail server beside those that this system trusts.
    pub mail_authorities: MailAuthorities,
    /// Where Telegram's Bot API is, if not at Telegram.
    pub telegram: Option<String>,
    /// Where people find the dashboard, without a `/` at the end; without it messages have no links.
    pub dashboard: Option<String>,
    /// The wait after a first try that failed.
    pub first_wait: Duration,
    /// How long a message that is being sent is nobody else's.
    pub lease: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            gate: Gate::default(),
            push: None,
            mail_authorities: MailAuthorities::default(),
            telegram: None,
            dashboard: None,
            first_wait: Duration::from_secs(5),
            lease: Duration::from_secs(30),
        }
    }
}

/// Tells people.
pub struct Post {
    store: Store,
    sender: Arc<Sender>,
}

impl Post {
    /// A post for this queue. Alerts of its own, which are stored already, are said by `tell`.
    pub fn new(store: Store, settings: Settings, tell: Tell) -> Result<Self, reqwest::Error> {
        let sender = Arc::new(Sender::new(store.clone(), settings, tell)?);
        Ok(Post { store, sender })
    }

    /// Tells people until `stop`. `news`: an alert has been stored.
    pub async fn run(self, news: Arc<Notify>, stop: CancellationToken) {
        let mut is_well = true;
        while !stop.is_cancelled() {
            let done = self.look().await;
            match &done {
                Ok(()) if !is_well => info!("people can be told of alerts again"),
                Err(error) if is_well => {
                    let error: &dyn std::error::Error = error;
                    warn!(error, "nobody can be told of alerts; trying again");
                }
                _ => {}
            }
            is_well = done.is_ok();
            tokio::select! {
                // Either is a reason to look; the other stays for the next time.
                woken = timeout(EVERY, news.notified()) => drop(woken),
                () = self.sender.idle() => {}
                () = stop.cancelled() => break,
            }
        }
        self.sender.finish().await;
    }

    async fn look(&self) -> Result<(), StoreError> {
        loop {
            let may_be_more = desk::post(&self.store).await?;
            self.sender.look().await?;
            if !may_be_more {
                return Ok(());
            }
        }
    }
}
