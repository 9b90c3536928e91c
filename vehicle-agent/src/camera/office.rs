//! The fleet's server, for what does not go over MQTT: the vehicle signs in with the key of its certificate.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bugbrother_wire::{
    MediaId,
    api::Problem,
    embedded::{Challenge, MediaOffer, MediaProgress, SIGN_IN_DOMAIN, SignIn, VehicleSession},
};
use rcgen::SigningKey;
use serde::de::DeserializeOwned;

use crate::enrol::{Answer, Ask, EnrolError, Server, base64, certificate_of, key_of};

/// A session is given up so much before its end.
const MARGIN: Duration = Duration::from_secs(30);
const UNAUTHORIZED: u16 = 401;
const CONFLICT: u16 = 409;

/// Why the server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OfficeError {
    /// It cannot be reached, or the vehicle's own identity cannot be used.
    #[error(transparent)]
    Away(#[from] EnrolError),
    /// It does not want to.
    #[error("the fleet's server refuses ({status}): {message}")]
    Refused { status: u16, word: String, message: String },
    /// The server answers what it should not.
    #[error("the fleet's server does not answer as it should ({0})")]
    Strange(u16),
}

/// The server. Cloning gives another handle to the same session.
#[derive(Clone)]
pub(crate) struct Office(Arc<Shared>);

struct Shared {
    server: Server,
    certificate: PathBuf,
    key: PathBuf,
    session: Mutex<Option<(String, Instant)>>,
}

impl Office {
    /// The server at an address, for the vehicle with that certificate and key. `ca` is a file with those who may sign the
    /// server's own certificate.
    pub fn new(address: &str, ca: Option<&Path>, certificate: &Path, key: &Path) -> Result<Self, EnrolError> {
        let server = Server::new(address, ca)?;
        let (certificate, key, session) = (certificate.to_owned(), key.to_owned(), Mutex::new(None));
        Ok(Office(Arc::new(Shared { server, certificate, key, session })))
    }

    /// Its address, without a slash at the end.
    pub fn address(&self) -> &str {
        self.0.server.address()
    }

    /// Those who may sign its own certificate.
    pub fn roots(&self) -> rustls::RootCertStore {
        self.0.server.roots()
    }

    /// The token of a session, which is made if there is none. It blocks the thread.
    pub fn token(&self) -> Result<String, OfficeError> {
        let known = self.session().clone();
        if let Some((token, until)) = known
            && Instant::now() < until
        {
            return Ok(token);
        }
        let Challenge { challenge } = read(&self.0.server.exchange("challenge", None, Ask::Get)?)?;
        let signature = base64(&self.sign(&challenge)?);
        let sign_in = SignIn { certificate: self.certificate()?, challenge, signature };
        let body = serde_json::to_vec(&sign_in).expect("texts have a form in JSON");
        let began = Instant::now();
        let VehicleSession { token, lasts_s } = read(&self.0.server.exchange("session", None, Ask::Post(&body))?)?;
        let lasts = Duration::from_secs(lasts_s.into()).saturating_sub(MARGIN);
        *self.session() = Some((token.clone(), began + lasts));
        Ok(token)
    }

    /// The session that there is, is not good any more.
    pub fn forget_session(&self) {
        *self.session() = None;
    }

    /// Offers a file; how much of it is there already. It blocks the thread.
    pub fn offer(&self, id: MediaId, offer: &MediaOffer) -> Result<MediaProgress, OfficeError> {
        let body = serde_json::to_vec(offer).expect("plain values have a form in JSON");
        read(&self.ask(&format!("media/{id}"), || Ask::Post(&body))?)
    }

    /// Sends a piece of a file; how much of it is there now, which is another offset where the server has more or less than
    /// the vehicle thought. It blocks the thread.
    pub fn send(&self, id: MediaId, offset: u64, piece: &[u8]) -> Result<MediaProgress, OfficeError> {
        let answer = self.ask(&format!("media/{id}?offset={offset}"), || Ask::Patch(piece))?;
        if answer.status == CONFLICT
            && let Ok(Problem { fields, .. }) = serde_json::from_slice(&answer.body)
            && let Some(offset) = fields.get("offset").and_then(|offset| offset.parse().ok())
        {
            return Ok(MediaProgress { offset, stored: false });
        }
        read(&answer)
    }

    /// A session may end before its time, once.
    fn ask<'a>(&self, what: &str, ask: impl Fn() -> Ask<'a>) -> Result<Answer, OfficeError> {
        let answer = self.0.server.exchange(what, Some(&self.token()?), ask())?;
        if answer.status != UNAUTHORIZED {
            return Ok(answer);
        }
        self.forget_session();
        Ok(self.0.server.exchange(what, Some(&self.token()?), ask())?)
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Option<(String, Instant)>> {
        self.0.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read each time: it is renewed while the agent runs.
    fn certificate(&self) -> Result<String, EnrolError> {
        let path = &self.0.certificate;
        certificate_of(&text(path)?).ok_or_else(|| EnrolError::Content { path: path.clone(), what: "certificate" })
    }

    fn sign(&self, challenge: &str) -> Result<Vec<u8>, EnrolError> {
        let path = &self.0.key;
        let key = key_of(&text(path)?);
        let key = key.ok_or_else(|| EnrolError::Content { path: path.clone(), what: "private key" })?;
        Ok(key.sign(&[SIGN_IN_DOMAIN, challenge.as_bytes()].concat())?)
    }
}

fn text(path: &Path) -> Result<String, EnrolError> {
    fs::read_to_string(path).map_err(|source| EnrolError::File { path: path.to_owned(), doing: "read", source })
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, OfficeError> {
    let status = answer.status;
    if (200..300).contains(&status) {
        return serde_json::from_slice(&answer.body).map_err(|_| OfficeError::Strange(status));
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Problem { error, detail, .. }) => Err(OfficeError::Refused { status, word: error, message: detail }),
        Err(_) => Err(OfficeError::Strange(status)),
    }
}
