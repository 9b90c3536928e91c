//! The key that signs sessions.

use std::{fs, io, io::Write, os::unix::fs::PermissionsExt, path::Path, path::PathBuf};

const KEY_BYTES: usize = 32;

/// The key that signs sessions (HMAC-SHA256). Whoever has it can sign in as anybody.
#[derive(Clone)]
pub struct SigningKey([u8; KEY_BYTES]);

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
    /// The key with these bytes, from a cryptographic source of randomness.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        SigningKey(bytes)
    }

    /// Reads the key in `path`. When there is none, a random one is made, which its owner alone may read.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        match create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let bytes = fs::read(path).map_err(failed)?;
        bytes
            .try_into()
            .map(SigningKey)
            .map_err(|bytes: Vec<u8>| KeyError::Size { path: path.to_owned(), size: bytes.len() })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
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
        assert_eq!(made.as_bytes(), read.as_bytes());
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
}
