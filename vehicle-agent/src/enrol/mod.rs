//! The vehicle's certificate: the first one for a code, and the next ones without anybody's doing.
//!
//! # Layout
//! - [`Folder`]: where the identity is kept
//! - `post`: requests to the fleet's server; `certificate`: whether what it gave is what was asked for
//! - [`enrol`], [`renew`]: the first certificate, the next one
//! - [`keep_renewed`]: the next one in time, for ever
//!
//! # Invariants
//! - The private key is made here and never leaves this computer.
//! - Certificate and key are one file that is replaced in one step: whenever the power fails, there is a whole identity.
//! - A key that was sent for is kept until its certificate is there: asked again, the server gives the same one.

mod certificate;
mod folder;
mod post;
mod renewal;

use std::path::PathBuf;

use bugbrother_wire::{
    UnixMs, Vin,
    embedded::{Enroll, Enrolled, Renew},
};
use rcgen::{CertificateParams, KeyPair, SigningKey};

pub use folder::{Folder, Identity};
pub(crate) use folder::{certificate_of, key_of};
pub use post::Server;
pub(crate) use post::{Answer, Ask, base64};
pub use renewal::{due, keep_renewed};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The folder cannot be used.
    #[error("`{path}` cannot be {doing}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What was wanted.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("`{path}` holds no {what}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// There is an identity already.
    #[error("`{0}` holds the identity of {1} already: say --again to replace it")]
    Already(PathBuf, Vin),
    /// There is none yet.
    #[error("`{0}` holds no identity yet: enrol first")]
    NotEnrolled(PathBuf),
    /// Not an address that a code may be sent to.
    #[error("`{0}` must start with https://, or with http:// on this machine")]
    Address(String),
    /// The server cannot be spoken to.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        server: String,
        /// Why, and what may help.
        reason: String,
    },
    /// The server does not give a certificate.
    #[error("the fleet's server refuses: {message}")]
    Refused {
        /// A word for programs.
        word: String,
        /// Why.
        message: String,
    },
    /// The server's answer is not what it should be.
    #[error("the answer of {0} is not one of a fleet's server: is the address right?")]
    Answer(String),
    /// The certificate is another key's.
    #[error("the server gave a certificate that is not for this vehicle's key")]
    OtherKey,
    /// The certificate is another vehicle's.
    #[error("the server gave a certificate that is not of the vehicle {0}, which it names")]
    OtherVehicle(Vin),
    /// A broker of the fleet would not take the certificate.
    #[error("the server gave a certificate that its own authority would not take")]
    Unsigned(#[source] rustls::Error),
    /// No key can be made or used.
    #[error("no key")]
    Key(#[from] rcgen::Error),
}

/// Gets this vehicle's first certificate for the code that a person was given. The network is waited for, some seconds
/// each time.
pub fn enrol(server: &Server, code: &str, folder: &Folder, again: bool) -> Result<Identity, EnrolError> {
    folder.make()?;
    if !again && let Some(known) = folder.identity()? {
        return Err(EnrolError::Already(folder.path().to_owned(), known.vin));
    }
    let key = folder.pending_key()?;
    let csr = request(&key)?;
    let enrolled = server.post("enroll", &Enroll { code: code.to_owned(), csr: csr.pem()? })?;
    take(folder, server, &key, enrolled)
}

/// Gets the next certificate, with the key of the one that is there.
pub fn renew(server: &Server, folder: &Folder) -> Result<Identity, EnrolError> {
    let Some(present) = folder.identity()? else {
        return Err(EnrolError::NotEnrolled(folder.path().to_owned()));
    };
    let old = folder.key()?;
    let mut key = folder.pending_key()?;
    if key.serialize_der() == old.serialize_der() {
        // Its certificate had come when the power failed.
        folder.forget_pending_key()?;
        key = folder.pending_key()?;
    }
    let csr = request(&key)?;
    let signed = old.sign(&[b"bugbrother renew v1\n", csr.der().as_ref()].concat())?;
    let renew = Renew { certificate: present.certificate, csr: csr.pem()?, signature: post::base64(&signed) };
    let enrolled = server.post("renew", &renew)?;
    take(folder, server, &key, enrolled)
}

fn request(key: &KeyPair) -> Result<rcgen::CertificateSigningRequest, rcgen::Error> {
    // Which vehicle it is, the code or the old certificate says: of a request the key counts.
    CertificateParams::default().serialize_request(key)
}

fn take(folder: &Folder, server: &Server, key: &KeyPair, enrolled: Enrolled) -> Result<Identity, EnrolError> {
    let Enrolled { vin, certificate, ca, not_before, not_after, broker } = enrolled;
    let not_before = not_before.unwrap_or(not_after - NINETY_DAYS);
    certificate::check(&certificate, &ca, key, vin, not_before)?;
    let identity = Identity { vin, certificate, ca, not_before, not_after, broker };
    folder.write(&identity, key, server)?;
    Ok(identity)
}

/// How long certificates are good for, as servers that do not say from when on have them.
const NINETY_DAYS: UnixMs = 90 * 24 * 60 * 60 * 1000;
