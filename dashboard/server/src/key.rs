//! The secret from which the keys of sessions are made.

use std::{ffi::OsString, fs, io, io::Write, os::unix::fs::PermissionsExt, path::Path, path::PathBuf};

use ed25519_dalek::{SigningKey as Ed25519, pkcs8::EncodePrivateKey};
use hmac::{Hmac, Mac};
use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::Sha256;

use crate::digest;

const KEY_BYTES: usize = 32;
/// Beside the key's file: the one of before, whose tokens are good until they expire.
const PREVIOUS: &str = ".previous";

/// The secret of a server, or of several that share it. Whoever has it can sign in as anybody.
///
/// The keys are derived from it, each for a purpose of its own, so that a file of an earlier version, which signed by HMAC,
/// goes on being good: what was signed so is not taken any more.
#[derive(Clone)]
pub struct SigningKey {
    secret: [u8; KEY_BYTES],
    previous: Option<[u8; KEY_BYTES]>,
}

/// A pair of keys (Ed25519).
pub(crate) struct KeyPair {
    /// By which tokens tell who signed them.
    pub id: String,
    pub sign: EncodingKey,
    pub verify: DecodingKey,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("signing key `{path}` cannot be read or made")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read or change the file.
    #[error("others can get at signing key `{0}`: chmod 600 it, or delete it to have a new one")]
    Exposed(PathBuf),
    /// The file holds something else.
    #[error("signing key `{path}` has {size} bytes, not 32: delete it to have a new one")]
    Size {
        /// Which.
        path: PathBuf,
        /// What it has.
        size: usize,
    },
}

impl SigningKey {
    /// The secret with these bytes, from a cryptographic source of randomness.
    pub fn from_bytes(secret: [u8; KEY_BYTES]) -> Self {
        SigningKey { secret, previous: None }
    }

    /// The same, and tokens of this earlier one are good until they expire.
    pub fn after(mut self, previous: [u8; KEY_BYTES]) -> Self {
        self.previous = Some(previous);
        self
    }

    /// Reads the secret in `path`. When there is none, a random one is made, which its owner alone may read. Whoever wants
    /// another one moves the file to the same name with `.previous` behind it: nobody has to sign in again.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(KeyError::File { path: path.to_owned(), source }),
        }
        let mut name = OsString::from(path);
        name.push(PREVIOUS);
        let previous = PathBuf::from(name);
        let previous = if previous.exists() { Some(read(&previous)?) } else { None };
        Ok(SigningKey { secret: read(path)?, previous })
    }

    /// What signs, and then what only verifies.
    pub(crate) fn pairs(&self) -> Vec<KeyPair> {
        std::iter::once(&self.secret).chain(&self.previous).map(|secret| pair(&derive(secret, "ed25519"))).collect()
    }

    /// What follows a refresh token: the same for whoever asks, so that two tabs at once get the same one.
    pub(crate) fn refresh(&self) -> [u8; KEY_BYTES] {
        derive(&self.secret, "refresh")
    }
}

/// A key of its own for each purpose.
fn derive(secret: &[u8; KEY_BYTES], purpose: &str) -> [u8; KEY_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("bugbrother session {purpose} v1").as_bytes());
    mac.finalize().into_bytes().into()
}

fn pair(seed: &[u8; KEY_BYTES]) -> KeyPair {
    let key = Ed25519::from_bytes(seed);
    let public = key.verifying_key();
    let der = key.to_pkcs8_der().expect("a key of 32 bytes has a form in DER");
    KeyPair {
        id: digest::sha256(public.as_bytes())[..16].to_owned(),
        sign: EncodingKey::from_ed_der(der.as_bytes()),
        verify: DecodingKey::from_ed_der(public.as_bytes()),
    }
}

fn read(path: &Path) -> Result<[u8; KEY_BYTES], KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    let bytes = fs::read(path).map_err(failed)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| KeyError::Size { path: path.to_owned(), size: bytes.len() })
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Makes the file in one step, so that nobody ever reads half a key.
fn create(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(folder)?;
    file.write_all(&rand::random::<[u8; KEY_BYTES]>())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.key");
        let made = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(made.pairs()[0].id, read.pairs()[0].id);
        assert_ne!(made.refresh(), made.secret);
        assert_eq!(format!("{made:?}"), "SigningKey(..)");
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_short_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.key");
        fs::write(&path, [0; 32]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::load_or_create(&path), Err(KeyError::Exposed(_))));
        fs::write(&path, [0; 31]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(SigningKey::load_or_create(&path), Err(KeyError::Size { size: 31, .. })));
    }

    #[test]
    fn the_key_of_before_verifies_and_the_new_one_signs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session.key");
        let old = SigningKey::load_or_create(&path).unwrap();
        fs::rename(&path, dir.path().join("session.key.previous")).unwrap();
        let new = SigningKey::load_or_create(&path).unwrap();
        let ids: Vec<_> = new.pairs().into_iter().map(|pair| pair.id).collect();
        assert_eq!(ids.len(), 2);
        assert_ne!(ids[0], ids[1]);
        assert_eq!(ids[1], old.pairs()[0].id);
    }
}
