use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use bugbrother_wire::{UnixMs, Vin};
use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};

use super::{EnrolError, Server};

/// Certificate and key, in this order: both are replaced in one step.
const IDENTITY: &str = "identity.pem";
const CA: &str = "ca.crt";
/// Who signed the certificate of the server that enrols, where that is an authority of its own.
const SERVER_CA: &str = "server-ca.crt";
/// What goes with them.
const ABOUT: &str = "identity.toml";
/// The key of a certificate that was asked for and is not there yet.
const PENDING: &str = "pending.key";

/// The folder with this vehicle's identity. Nobody but its owner can look into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

/// Who this vehicle is, and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The vehicle.
    pub vin: Vin,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The certificate of the fleet's authority, PEM.
    pub ca: String,
    /// From when on the certificate is good.
    pub not_before: UnixMs,
    /// When it ends.
    pub not_after: UnixMs,
    /// The broker, such as `mqtts://fleet.example.org:8883`, where the server said.
    pub broker: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct About {
    vin: Vin,
    server: String,
    not_before: UnixMs,
    not_after: UnixMs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broker: Option<String>,
}

impl Folder {
    /// The folder at `path`, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Folder(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file with certificate and key.
    pub fn identity_file(&self) -> PathBuf {
        self.0.join(IDENTITY)
    }

    /// The file with the authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.0.join(CA)
    }

    /// The address of the server that gave the identity.
    pub fn server(&self) -> Result<Option<String>, EnrolError> {
        Ok(self.about()?.map(|about| about.server))
    }

    /// The file with the authority of the server's own certificate, where one was named.
    pub fn server_ca(&self) -> Option<PathBuf> {
        Some(self.0.join(SERVER_CA)).filter(|path| path.exists())
    }

    /// The identity that is there.
    pub fn identity(&self) -> Result<Option<Identity>, EnrolError> {
        let (Some(about), Some(pem)) = (self.about()?, self.read(IDENTITY)?) else { return Ok(None) };
        let ca = self.read(CA)?.ok_or_else(|| self.content(CA, "certificate"))?;
        let certificate = certificate_of(&pem).ok_or_else(|| self.content(IDENTITY, "certificate"))?;
        let About { vin, not_before, not_after, broker, .. } = about;
        Ok(Some(Identity { vin, certificate, ca, not_before, not_after, broker }))
    }

    pub(super) fn make(&self) -> Result<(), EnrolError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|source| EnrolError::File { path: self.0.clone(), doing: "made", source })
    }

    /// The key of the identity that is there.
    pub(super) fn key(&self) -> Result<KeyPair, EnrolError> {
        let pem = self.read(IDENTITY)?.ok_or_else(|| EnrolError::NotEnrolled(self.0.clone()))?;
        key_of(&pem).ok_or_else(|| self.content(IDENTITY, "private key"))
    }

    /// The key that was sent for, or a new one, which is on disk before anybody hears of it.
    pub(super) fn pending_key(&self) -> Result<KeyPair, EnrolError> {
        if let Some(pem) = self.read(PENDING)?
            && let Some(key) = key_of(&pem)
        {
            return Ok(key);
        }
        let key = KeyPair::generate()?;
        self.replace(PENDING, &key.serialize_pem())?;
        Ok(key)
    }

    pub(super) fn forget_pending_key(&self) -> Result<(), EnrolError> {
        self.remove(PENDING)
    }

    fn remove(&self, name: &str) -> Result<(), EnrolError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(EnrolError::File { path, doing: "removed", source })
            }
            _ => Ok(()),
        }
    }

    /// Puts a new identity in the place of the one that is there. Certificate and key come last but for the note of the
    /// key that was sent for: cut off before them, all is as it was, and asking again gives the same certificate.
    pub(super) fn write(&self, identity: &Identity, key: &KeyPair, server: &Server) -> Result<(), EnrolError> {
        let about = About {
            vin: identity.vin,
            server: server.address().to_owned(),
            not_before: identity.not_before,
            not_after: identity.not_after,
            broker: identity.broker.clone(),
        };
        match server.authorities() {
            Some(pem) => self.replace(SERVER_CA, pem)?,
            None => self.remove(SERVER_CA)?,
        }
        self.replace(CA, &identity.ca)?;
        self.replace(IDENTITY, &format!("{}\n{}", identity.certificate.trim_end(), key.serialize_pem()))?;
        self.replace(ABOUT, &toml::to_string(&about).expect("plain values have a form in TOML"))?;
        self.forget_pending_key()
    }

    fn about(&self) -> Result<Option<About>, EnrolError> {
        let Some(text) = self.read(ABOUT)? else { return Ok(None) };
        toml::from_str(&text).map(Some).map_err(|_| self.content(ABOUT, "identity"))
    }

    fn read(&self, name: &str) -> Result<Option<String>, EnrolError> {
        let path = self.0.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(EnrolError::File { path, doing: "read", source }),
        }
    }

    /// Writes a file that is either as before or whole, whenever the power fails. It is the folder's owner's, also where
    /// another user, who may do so, enrols for the one that the agent runs as.
    fn replace(&self, name: &str, content: &str) -> Result<(), EnrolError> {
        let (path, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let written = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            let (owner, own) = (fs::metadata(&self.0)?, file.metadata()?);
            if (owner.uid(), owner.gid()) != (own.uid(), own.gid()) {
                fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
            }
            file.write_all(content.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.0)?.sync_all()
        };
        written().map_err(|source| EnrolError::File { path: path.clone(), doing: "written", source })
    }

    fn content(&self, name: &str, what: &'static str) -> EnrolError {
        EnrolError::Content { path: self.0.join(name), what }
    }
}

pub(crate) fn certificate_of(pem: &str) -> Option<String> {
    // The first block of the file; checked, but kept as it was signed.
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let end = pem.find(END_OF_CERTIFICATE)? + END_OF_CERTIFICATE.len();
    Some(format!("{}\n", pem[..end].trim_start()))
}

const END_OF_CERTIFICATE: &str = "-----END CERTIFICATE-----";

pub(crate) fn key_of(pem: &str) -> Option<KeyPair> {
    let begin = pem.find("-----BEGIN PRIVATE KEY-----")?;
    KeyPair::from_pem(&pem[begin..]).ok()
}
