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
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};

use super::{Carrier, Parcel, Refusal};
use crate::post::gate::{Gate, TIMEOUT};

/// Most authorities that a file may hold.
const MAX_AUTHORITIES: usize = 100;

/// Authorities that vouch for a mail server beside those that this system trusts: such as a company's own.
#[derive(Clone, Default)]
pub struct MailAuthorities(Vec<Certificate>);

/// That is no file of certificates.
#[derive(Debug, thiserror::Error)]
pub enum MailAuthoritiesError {
    /// There is none in it.
    #[error("there is no certificate in it (PEM)")]
    Empty,
    /// There are too many.
    #[error("it holds more than {MAX_AUTHORITIES} certificates")]
    Many,
    /// One cannot be read.
    #[error("a certificate in it cannot be read")]
    Certificate(#[source] lettre::transport::smtp::Error),
}

impl MailAuthorities {
    /// Those of a file in PEM.
    pub fn read(pem: &str) -> Result<Self, MailAuthoritiesError> {
        const END: &str = "-----END CERTIFICATE-----";
        let pieces: Vec<&str> = pem.split_inclusive(END).filter(|piece| piece.trim_end().ends_with(END)).collect();
        match pieces.len() {
            0 => return Err(MailAuthoritiesError::Empty),
            count if count > MAX_AUTHORITIES => return Err(MailAuthoritiesError::Many),
            _ => {}
        }
        let read = |piece: &&str| Certificate::from_pem(piece.as_bytes()).map_err(MailAuthoritiesError::Certificate);
        let authorities: Vec<Certificate> = pieces.iter().map(read).collect::<Result<_, _>>()?;
        // Whether they are certificates is found out when they are used.
        let mut trial = TlsParameters::builder("localhost".to_owned()).certificate_store(CertificateStore::None);
        for authority in &authorities {
            trial = trial.add_root_certificate(authority.clone());
        }
        trial.build().map_err(MailAuthoritiesError::Certificate)?;
        Ok(MailAuthorities(authorities))
    }
}

impl std::fmt::Debug for MailAuthorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MailAuthorities").field(&self.0.len()).finish()
    }
}

/// A mail server.
pub struct Mail<'a> {
    pub gate: &'a Gate,
    pub server: &'a MailServer,
    pub authorities: &'a MailAuthorities,
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
            MailSecurity::Starttls => Tls::Required(self.trust()?),
            MailSecurity::Tls => Tls::Wrapper(self.trust()?),
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

impl Mail<'_> {
    fn trust(&self) -> Result<TlsParameters, Refusal> {
        let mut parameters = TlsParameters::builder(self.server.host.clone());
        for authority in &self.authorities.0 {
            parameters = parameters.add_root_certificate(authority.clone());
        }
        parameters.build().map_err(|error| Refusal::Later(format!("no TLS: {error}"), None))
    }
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
