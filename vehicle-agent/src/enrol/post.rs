use std::{error::Error, fs, io, net::IpAddr, path::Path, sync::Arc, time::Duration};

use bugbrother_wire::api::Problem;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Agent,
    http::{
        Uri,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    tls::{Certificate, RootCerts, TlsConfig},
};

use super::EnrolError;

const PATIENCE: Duration = Duration::from_secs(30);
/// A certificate and what goes with it is a few kB.
const LARGEST_ANSWER: u64 = 256 * 1024;

/// A piece of a film, over a network that hardly is one.
const PATIENCE_WITH_A_PIECE: Duration = Duration::from_secs(180);

/// What is asked.
pub(crate) enum Ask<'a> {
    /// To be told.
    Get,
    /// To take this JSON.
    Post(&'a [u8]),
    /// To take these bytes.
    Patch(&'a [u8]),
}

/// What the server answered.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// The fleet's server, as vehicles speak to it.
#[derive(Debug, Clone)]
pub struct Server {
    address: String,
    authorities: Option<String>,
    roots: Arc<Vec<CertificateDer<'static>>>,
    agent: Agent,
}

impl Server {
    /// The server at `address`; `ca` is a file with certificates of those who may sign its own, those that this system
    /// trusts when there is none.
    pub fn new(address: &str, ca: Option<&Path>) -> Result<Self, EnrolError> {
        let wrong = || EnrolError::Address(address.to_owned());
        let address = address.trim_end_matches('/');
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']);
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_local => {}
            _ => return Err(wrong()),
        }
        let authorities = match ca {
            Some(path) => Some(fs::read_to_string(path).map_err(|source| EnrolError::File {
                path: path.to_owned(),
                doing: "read",
                source,
            })?),
            None => None,
        };
        let roots = match (ca, &authorities) {
            (Some(path), Some(pem)) => certificates(path, pem)?,
            _ => rustls_native_certs::load_native_certs().certs,
        };
        let certificates: Vec<_> =
            roots.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&certificates))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            // The code goes to the server that a person named, and to nobody whom a variable names.
            .proxy(None)
            .user_agent(concat!("bugbrother-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Server { address: address.to_owned(), authorities, roots: Arc::new(roots), agent: config.new_agent() })
    }

    /// As it was given.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The certificates of those who may sign its own, PEM, where they are not those that this system trusts.
    pub(super) fn authorities(&self) -> Option<&str> {
        self.authorities.as_deref()
    }

    /// Those who may sign its own certificate, for a connection that is not made here.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        // Of a system's many some are of a kind that is not known.
        store.add_parsable_certificates(self.roots.iter().cloned());
        store
    }

    /// Asks for something of the interface for vehicles, with the token of a session where there is one. What the server
    /// answers is for the caller to judge.
    pub(crate) fn exchange(&self, what: &str, token: Option<&str>, ask: Ask<'_>) -> Result<Answer, EnrolError> {
        let unreachable =
            |error: ureq::Error| EnrolError::Unreachable { server: self.address.clone(), reason: in_words(&error) };
        let url = format!("{}/api/embedded/{what}", self.address);
        let bearer = token.map(|token| format!("Bearer {token}"));
        macro_rules! authorized {
            ($request:expr) => {
                match &bearer {
                    Some(bearer) => $request.header(AUTHORIZATION, bearer),
                    None => $request,
                }
            };
        }
        let sent = match ask {
            Ask::Get => authorized!(self.agent.get(url)).call(),
            Ask::Post(body) => authorized!(self.agent.post(url)).header(CONTENT_TYPE, "application/json").send(body),
            Ask::Patch(piece) => {
                let request = authorized!(self.agent.patch(url)).header(CONTENT_TYPE, "application/octet-stream");
                request.config().timeout_global(Some(PATIENCE_WITH_A_PIECE)).build().send(piece)
            }
        };
        let mut answer = sent.map_err(unreachable)?;
        let body = answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec().map_err(unreachable)?;
        Ok(Answer { status: answer.status().as_u16(), body })
    }

    /// Asks for something of the interface for vehicles.
    pub(super) fn post<T: DeserializeOwned>(&self, what: &str, body: &impl Serialize) -> Result<T, EnrolError> {
        let unreachable =
            |error: ureq::Error| EnrolError::Unreachable { server: self.address.clone(), reason: in_words(&error) };
        let body = serde_json::to_vec(body).expect("texts have a form in JSON");
        let url = format!("{}/api/embedded/{what}", self.address);
        let request = self.agent.post(url).header(CONTENT_TYPE, "application/json");
        let mut answer = request.send(&body[..]).map_err(unreachable)?;
        let said = answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec().map_err(unreachable)?;
        let strange = |_| EnrolError::Answer(self.address.clone());
        if answer.status().is_success() {
            return serde_json::from_slice(&said).map_err(strange);
        }
        let Problem { error: word, detail: message, .. } = serde_json::from_slice(&said).map_err(strange)?;
        Err(EnrolError::Refused { word, message })
    }
}

fn certificates(path: &Path, pem: &str) -> Result<Vec<CertificateDer<'static>>, EnrolError> {
    match CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(EnrolError::Content { path: path.to_owned(), what: "certificate" }),
    }
}

/// With what a person can do about it.
fn in_words(error: &ureq::Error) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !chain.contains(&cause_words) {
            chain = format!("{chain}: {cause_words}");
        }
        source = cause.source();
    }
    let known = |part: &str| chain.contains(part);
    if known("NotValidYet") || known("not valid yet") {
        return format!("{chain}. This computer's clock may be behind: wait for the network or the receiver to set it");
    }
    if known("Expired") || known("certificate expired") {
        return format!("{chain}. The server's certificate has ended, or this computer's clock is ahead");
    }
    if known("UnknownIssuer") {
        return format!("{chain}. If the server's certificate is of an authority of your own, name its file with --ca");
    }
    if let ureq::Error::Io(error) = error
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        return format!("{chain}. Does the server run, and is the port right?");
    }
    chain
}

/// RFC 4648, section 4, with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}
