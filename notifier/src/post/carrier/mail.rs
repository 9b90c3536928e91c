//! Letters by the fleet's mail server.

use std::time::Duration;

use async_trait::async_trait;
use bugbrother_store::MailServer;
use bugbrother_wire::api::MailSecurity;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};

use super::{Carrier, Parcel, Refusal};
use crate::post::gate::{Gate, TIMEOUT};

/// A mail server.
pub struct Mail<'a> {
    pub gate: &'a Gate,
    pub server: &'a MailServer,
}

#[async_trait]
impl Carrier for Mail<'_> {
    async fn carry(&self, parcel: &Parcel<'_>) -> Result<(), Refusal> {
        let server = self.server;
        if server.host.is_empty() {
            return Err(Refusal::Later("the fleet has no mail server yet".to_owned(), None));
        }
        let letter = write(parcel, &server.from)?;
        let transport = self.transport().await?;
        let sent = tokio::time::timeout(2 * TIMEOUT, transport.send(letter)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(Refusal::Later("the mail server did not answer in time".to_owned(), None)),
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(100)
    }
}

impl Mail<'_> {
    /// A way to the server, which is not gone yet.
    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Refusal> {
        let server = self.server;
        let standard = match server.security {
            MailSecurity::Starttls => 587,
            MailSecurity::Tls => 465,
            MailSecurity::Plain => 25,
        };
        let port = server.port.unwrap_or(standard);
        let addresses = self.gate.resolve(&server.host, port).await?;
        let address =
            addresses.first().ok_or_else(|| Refusal::Later("the mail server has no address".to_owned(), None))?;
        let tls = match server.security {
            MailSecurity::Plain if !address.ip().is_loopback() => {
                let text = "a mail server on another machine is spoken to by STARTTLS or TLS alone";
                return Err(Refusal::Never(text.to_owned()));
            }
            MailSecurity::Plain => Tls::None,
            MailSecurity::Starttls => Tls::Required(trust(&server.host)?),
            MailSecurity::Tls => Tls::Wrapper(trust(&server.host)?),
        };
        // To the very address that was looked at, while the certificate is the name's.
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(port)
            .tls(tls)
            .hello_name(ClientId::Domain(hello(&server.from)))
            .timeout(Some(TIMEOUT));
        if !server.user.is_empty() {
            transport = transport.credentials(Credentials::new(server.user.clone(), server.password.clone()));
        }
        Ok(transport.build())
    }

    /// Whether the server answers, by TLS where that is set, and lets us in. No letter is sent.
    pub async fn knock(&self) -> Result<(), String> {
        let transport = self.transport().await.map_err(|refusal| match refusal {
            Refusal::Later(told, _) | Refusal::Never(told) | Refusal::Gone(told) => told,
        })?;
        match tokio::time::timeout(2 * TIMEOUT, transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("the mail server hangs up".to_owned()),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_) => Err("the mail server did not answer in time".to_owned()),
        }
    }
}

fn trust(host: &str) -> Result<TlsParameters, Refusal> {
    TlsParameters::new(host.to_owned()).map_err(|error| Refusal::Later(format!("no TLS: {error}"), None))
}

/// A letter with a text and a page of the same.
fn write(parcel: &Parcel<'_>, from: &str) -> Result<Message, Refusal> {
    let from: Mailbox = from.parse().map_err(|_| Refusal::Later("letters have no sender yet".to_owned(), None))?;
    let to: Mailbox = parcel.target.parse().map_err(|_| Refusal::Never("its address is none".to_owned()))?;
    let letter = parcel.letter;
    let text = format!("{}\n\n{}\n\n-- \n{}\n", letter.title, letter.text(true), letter.footer);
    let domain = from.email.domain().to_owned();
    Message::builder()
        .from(from)
        .to(to)
        .subject(&letter.title)
        .message_id(Some(format!("<{}@{domain}>", parcel.message)))
        .multipart(MultiPart::alternative_plain_html(text, letter.html()))
        .map_err(|error| Refusal::Never(format!("the letter cannot be written: {error}")))
}

/// By which name we greet: the sender's domain, which is ours.
fn hello(from: &str) -> String {
    from.parse::<Mailbox>().map_or_else(|_| "localhost".to_owned(), |from| from.email.domain().to_owned())
}

/// What the server refuses for ever is about the letter; that it does not let us in may change.
fn refusal(error: &lettre::transport::smtp::Error) -> Refusal {
    let told = chain(error);
    let is_about_us = error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538 | 554));
    if error.is_permanent() && !is_about_us { Refusal::Never(told) } else { Refusal::Later(told, None) }
}

fn chain(error: &lettre::transport::smtp::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let told = std::iter::once(error.to_string()).chain(causes.map(|cause| cause.to_string()));
    told.collect::<Vec<_>>().join(": ")
}
