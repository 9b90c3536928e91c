//! One attempt to sign in, for those who look for what is wrong.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Event, Options, connect};

/// What is at fault, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The broker does not know the account, or does not let it in any more.
    Account,
    /// A certificate's time is over or has not begun; perhaps a clock is wrong.
    Time,
    /// A certificate is not for this name, or not of somebody who is trusted.
    Trust,
    /// The name has no address.
    Name,
    /// Nobody answers there, or something that is no broker.
    Reach,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// In the words of the broker, of TLS or of the system.
    pub reason: String,
    /// Whose matter it is.
    pub fault: Fault,
}

impl Refusal {
    fn new(reason: String) -> Self {
        Refusal { fault: Fault::of(&reason), reason }
    }
}

impl Fault {
    /// Reasons come from rumqttc, rustls and the resolver, and none of them has a type for all of it.
    fn of(reason: &str) -> Self {
        let plain: String = reason.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_ascii_lowercase();
        let any = |words: &[&str]| words.iter().any(|word| plain.contains(word));
        if any(&["notauthorized", "badusername", "banned", "revoked", "accessdenied"]) {
            Fault::Account
        } else if any(&["expired", "notvalidyet"]) {
            Fault::Time
        } else if any(&["certificate", "unknownissuer", "unknownca", "tls"]) {
            Fault::Trust
        } else if any(&["lookup", "resolve", "nameorservice"]) {
            Fault::Name
        } else {
            Fault::Reach
        }
    }
}

/// Signs in, subscribes to what `options` want, and leaves. An identifier of its own keeps from disturbing another session.
pub async fn try_sign_in(options: Options, patience: Duration) -> Result<(), Refusal> {
    let stop = CancellationToken::new();
    let _ends_with_this = stop.clone().drop_guard();
    let (_publisher, mut events) = connect(options, stop.clone());
    let outcome = timeout(patience, async {
        while let Some(event) = events.recv().await {
            match event {
                Event::Up => return Ok(()),
                Event::Down { reason } => return Err(reason),
                Event::Message(_) => {}
            }
        }
        Err("the session ended".to_owned())
    });
    match outcome.await {
        Ok(outcome) => outcome.map_err(Refusal::new),
        Err(_) => Err(Refusal { reason: format!("no answer within {} s", patience.as_secs()), fault: Fault::Reach }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_tells_whose_matter_it_is() {
        for (reason, fault) in [
            ("the broker refused the connection: BadUserNamePassword", Fault::Account),
            ("the broker refused the connection: NotAuthorized", Fault::Account),
            ("the broker refused the subscription to `x`: NotAuthorized", Fault::Account),
            ("received fatal alert: CertificateRevoked", Fault::Account),
            ("received fatal alert: CertificateExpired", Fault::Time),
            ("invalid peer certificate: certificate not valid yet: verification time 1 (UNIX)", Fault::Time),
            ("invalid peer certificate: UnknownIssuer", Fault::Trust),
            ("invalid peer certificate: certificate not valid for name \"a\"", Fault::Trust),
            ("failed to lookup address information: Name or service not known", Fault::Name),
            ("Connection refused (os error 111)", Fault::Reach),
            ("no CONNACK of MQTT 5.0 within 10 s", Fault::Reach),
        ] {
            assert_eq!(Refusal::new(reason.to_owned()).fault, fault, "{reason}");
        }
    }
}
