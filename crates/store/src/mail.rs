//! How the fleet's letters go out, and to whom what nobody saw to in time is told.

use bugbrother_wire::api::MailSecurity;
use serde::{Deserialize, Serialize};

use crate::setting::Setting;

/// The fleet's mail server. Its password is in here: nobody is shown it as it is.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MailServer {
    /// Its name; empty while there is none.
    pub host: String,
    /// Its port; by the kind of encryption, if nothing is said.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub security: MailSecurity,
    /// The account there; nobody signs in, if it is empty.
    pub user: String,
    /// Its password.
    pub password: String,
    /// From whom letters are.
    pub from: String,
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailServer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Setting for MailServer {
    const KEY: &'static str = "mail_server";
}

/// Who hears of it when nobody saw to an alert in time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EscalateTo {
    /// User names; all administrators, if there is none.
    pub people: Vec<String>,
}

impl Setting for EscalateTo {
    const KEY: &'static str = "escalate_to";

    fn check(&self) -> Result<(), &'static str> {
        if self.people.len() > 50 { Err("up to 50 people") } else { Ok(()) }
    }
}
