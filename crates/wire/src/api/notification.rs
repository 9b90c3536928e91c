//! How people are told of alerts: ways to reach them, when, and what became of each message.

use serde::{Deserialize, Serialize};

use super::{Tongue, preferences::choice};
use crate::{AlertId, ChannelId, DeliveryId, UnixMs, Vin, message::Severity};

choice!(
    /// A kind of way to reach somebody.
    ChannelKind {
        /// A letter, by the fleet's mail server. Its target is an address.
        #[default]
        Email,
        /// A POST of JSON to an address, signed with the secret.
        Webhook,
        /// A message of a bot, whose token is the secret, to the chat that is the target.
        Telegram,
        /// An incoming webhook of Slack, whose address is the secret.
        Slack,
        /// The same of Mattermost.
        Mattermost,
        /// The same of Discord.
        Discord,
        /// A topic of ntfy, by its address; a token, where one is needed, is the secret.
        Ntfy,
        /// A browser, which gave its subscription as the secret.
        Push,
    }
);
choice!(
    /// How often somebody wants to be told.
    Digest {
        /// At once.
        #[default]
        AtOnce,
        /// Once an hour, of all that has come.
        Hourly,
        /// Once a day.
        Daily,
    }
);
choice!(
    /// How far a delivery has come.
    DeliveryState {
        /// It is to be sent, or to be tried again.
        #[default]
        Waiting,
        /// It was taken.
        Sent,
        /// It was given up.
        Dead,
    }
);
choice!(
    /// What is told.
    DeliveryStep {
        /// It was raised.
        #[default]
        Opened,
        /// It was given to somebody.
        Assigned,
        /// Nobody saw to it in time.
        Escalated,
        /// Its cause is gone.
        Resolved,
        /// Somebody tries a channel.
        Test,
    }
);
choice!(
    /// How a mail server is spoken to.
    MailSecurity {
        /// In plain words first, and encrypted from there on; port 587.
        #[default]
        Starttls,
        /// Encrypted from the beginning; port 465.
        Tls,
        /// Not at all: only on this machine.
        Plain,
    }
);

/// `POST /api/frontend/notifications/channels` and `PUT …/{id}`; the same below `/api/frontend/fleet-notifications`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChannelForm {
    /// Its kind, which does not change.
    pub kind: ChannelKind,
    /// What people call it.
    pub label: String,
    /// Where to: an address of mail or of the web, or a chat, by its kind.
    #[serde(default)]
    pub target: String,
    /// What opens the way, by its kind. It is never given back; without it the present one stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Of what severities it hears.
    pub severities: Vec<Severity>,
    /// In which language the fleet's own channels are spoken to; a person's are in the person's.
    #[serde(default)]
    pub language: Tongue,
    /// Whether it is used.
    pub enabled: bool,
}

/// A way to reach somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChannelEntry {
    /// Its identity.
    pub id: ChannelId,
    /// What it is; without its secret.
    #[serde(flatten)]
    pub form: ChannelForm,
    /// Whether it has a secret.
    pub has_secret: bool,
    /// When it was made.
    pub created: UnixMs,
    /// Whether what is sent there is given up.
    pub failing: bool,
}

/// `GET /api/frontend/notifications`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OwnNotifications {
    /// One's own ways to be reached.
    pub channels: Vec<ChannelEntry>,
    /// When one wants to hear.
    pub attention: Attention,
    /// The public key that a browser wants to know of who may push (base64url), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_key: Option<String>,
}

/// `PUT /api/frontend/notifications`: when somebody wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Attention {
    /// When nothing is to be heard: what comes then is told in one message at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<QuietHours>,
    /// How often what comes is told.
    pub digest: Digest,
    /// At which hour a daily digest comes, 0 to 23.
    pub digest_hour: u8,
    /// What is critical comes at once all the same.
    pub critical_at_once: bool,
    /// Time zone of these hours by its IANA name; UTC, if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl Default for Attention {
    fn default() -> Self {
        Attention { quiet: None, digest: Digest::AtOnce, digest_hour: 7, critical_at_once: true, time_zone: None }
    }
}

/// A part of each day, over midnight if its end is before its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuietHours {
    /// First minute of the day, 0 to 1439.
    pub from: u16,
    /// The minute at which it ends.
    pub to: u16,
}

/// `GET /api/frontend/fleet-notifications`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FleetNotifications {
    /// The fleet's own channels, which hear of every vehicle.
    pub channels: Vec<ChannelEntry>,
    /// Where letters go out.
    pub mail: MailServerForm,
    /// Whether the mail server's password is known.
    pub has_password: bool,
    /// Who hears of it when nobody saw to an alert in time; all administrators, if nobody is named.
    pub escalate_to: Vec<String>,
}

/// `PUT /api/frontend/fleet-notifications`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FleetNotificationsForm {
    /// Where letters go out.
    pub mail: MailServerForm,
    /// Who hears of it when nobody saw to an alert in time; all administrators, if nobody is named.
    #[serde(default)]
    pub escalate_to: Vec<String>,
}

/// A mail server, and how letters are sent by it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct MailServerForm {
    /// Its name; empty while there is none.
    pub host: String,
    /// Its port; by the kind of encryption, if nothing is said.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub security: MailSecurity,
    /// The account there; nobody signs in, if it is empty.
    pub user: String,
    /// Its password. It is never given back; without it the present one stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// From whom letters are: `BugBrother <alerts@example.org>`.
    pub from: String,
}

/// Answer to `POST …/channels/{id}/test`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestDelivery {
    /// By which it is asked how far it has come.
    pub id: DeliveryId,
}

/// `GET /api/frontend/fleet-notifications/deliveries`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryList {
    /// Newest first.
    pub deliveries: Vec<DeliveryEntry>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A step of an alert on its way into a channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliveryEntry {
    /// Its identity.
    pub id: DeliveryId,
    /// The channel.
    pub channel: ChannelId,
    /// What people call it.
    pub label: String,
    /// Its kind.
    pub kind: ChannelKind,
    /// Whose it is; nobody's for the fleet's own.
    #[serde(default)]
    pub account: Option<String>,
    /// The alert; none for a test.
    #[serde(default)]
    pub alert: Option<AlertId>,
    /// Its vehicle.
    #[serde(default)]
    pub vin: Option<Vin>,
    /// What is told.
    pub step: DeliveryStep,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: u32,
    /// Since when it is to be sent.
    pub made: UnixMs,
    /// When it is tried next, while it waits.
    #[serde(default)]
    pub next_try: Option<UnixMs>,
    /// When it was taken.
    #[serde(default)]
    pub sent: Option<UnixMs>,
    /// Why the last try failed.
    #[serde(default)]
    pub error: Option<String>,
}
