//! Mosquitto 2.0's password file: `user:$7$iterations$salt$hash`, PBKDF2 with HMAC-SHA-512, salt and hash in base64.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::Sha512;
use subtle::ConstantTimeEq as _;

use crate::replace::replace;

/// Iterations of the hashes that we write. Mosquitto's own default is 101; it reads any number.
pub const ITERATIONS: u32 = 10_000;

/// More than this in a file is a typing error that would stall every sign-in.
const MAX_ITERATIONS: u32 = 5_000_000;
const HASH_BYTES: usize = 64;
/// Mosquitto 2.0 refuses a salt of any other length.
const SALT_BYTES: usize = 12;

/// Users and the salted hashes of their passwords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasswordFile {
    entries: BTreeMap<String, Entry>,
}

/// What the file says of one user. Two entries are equal when neither password nor salt was set anew.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    iterations: u32,
    salt: Vec<u8>,
    hash: [u8; HASH_BYTES],
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

/// Why a password file cannot be read, changed or written.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be read.
    #[error("password file `{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("password file `{}` cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is no entry.
    #[error("password file `{}` line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A user name that the format cannot hold.
    #[error("user name must be 1 to 256 bytes without `:` and control characters, and not start with `#`")]
    UserName,
}

impl PasswordFile {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self, PasswordError> {
        let text = fs::read_to_string(path).map_err(|source| PasswordError::Read { path: path.into(), source })?;
        Self::parse(&text, path)
    }

    /// Reads `text`; `path` is for the errors. Empty lines and lines that start with `#` are skipped.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PasswordError> {
        let mut entries = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let error = |reason| PasswordError::Line { path: path.into(), line: index + 1, reason };
            let (user, hash) = line.split_once(':').ok_or_else(|| error("`user:hash` expected"))?;
            check_user(user).map_err(|_| error("user name is empty, too long or has control characters"))?;
            let entry = Entry::parse(hash).map_err(error)?;
            if entries.insert(user.to_owned(), entry).is_some() {
                return Err(error("user is there twice"));
            }
        }
        Ok(PasswordFile { entries })
    }

    /// Whether `password` is that of `user`. An unknown user takes as long as a wrong password.
    pub fn verify(&self, user: &str, password: &str) -> bool {
        match self.entries.get(user) {
            Some(entry) => entry.verify(password),
            None => {
                let iterations = self.entries.values().next().map_or(ITERATIONS, |entry| entry.iterations);
                let decoy = Entry { iterations, salt: vec![0; SALT_BYTES], hash: [0; HASH_BYTES] };
                std::hint::black_box(decoy.verify(password));
                false
            }
        }
    }

    /// What the file says of `user`.
    pub fn entry(&self, user: &str) -> Option<&Entry> {
        self.entries.get(user)
    }

    /// Whether there is nobody in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The names of all users.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Gives `user` this password, with a new random salt; makes the user if it is not there.
    pub fn set(&mut self, user: &str, password: &str) -> Result<(), PasswordError> {
        self.set_with(user, password, ITERATIONS)
    }

    /// [`PasswordFile::set`] with another number of iterations.
    pub fn set_with(&mut self, user: &str, password: &str, iterations: u32) -> Result<(), PasswordError> {
        check_user(user)?;
        let iterations = iterations.clamp(1, MAX_ITERATIONS);
        let salt = rand::random::<[u8; SALT_BYTES]>().to_vec();
        let hash = derive(password, &salt, iterations);
        self.entries.insert(user.to_owned(), Entry { iterations, salt, hash });
        Ok(())
    }

    /// Takes `user` out; `false` when it was not there.
    pub fn remove(&mut self, user: &str) -> bool {
        self.entries.remove(user).is_some()
    }

    /// Writes the file: complete or not at all. A new one is for its owner only; one that is there keeps its owner and
    /// what its mode says of owner and group. Comments of the old file are gone.
    pub fn save(&self, path: &Path) -> Result<(), PasswordError> {
        let lines: String = self.entries.iter().map(|(user, entry)| format!("{user}:{}\n", entry.format())).collect();
        replace(path, lines.as_bytes(), 0o770).map_err(|source| PasswordError::Write { path: path.into(), source })
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = match text.strip_prefix("$7$") {
            Some(rest) => rest,
            None if text.starts_with("$6$") => {
                return Err("hash of Mosquitto before 2.0 (`$6$`): set the password again with mosquitto_passwd");
            }
            None => return Err("hash does not start with `$7$`: run mosquitto_passwd -U on the file"),
        };
        let mut parts = rest.split('$');
        let (Some(iterations), Some(salt), Some(hash), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("`$7$iterations$salt$hash` expected");
        };
        let iterations: u32 = iterations.parse().map_err(|_| "iterations are no number")?;
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err("iterations must be 1 to 5000000");
        }
        let salt = BASE64_STANDARD.decode(salt).map_err(|_| "salt is no base64")?;
        let hash = BASE64_STANDARD.decode(hash).map_err(|_| "hash is no base64")?;
        let hash = hash.try_into().map_err(|_| "hash must have 64 bytes")?;
        Ok(Entry { iterations, salt, hash })
    }

    fn format(&self) -> String {
        let Entry { iterations, salt, hash } = self;
        format!("$7${iterations}${}${}", BASE64_STANDARD.encode(salt), BASE64_STANDARD.encode(hash))
    }

    fn verify(&self, password: &str) -> bool {
        derive(password, &self.salt, self.iterations).ct_eq(&self.hash).into()
    }

    /// The stored hash, to tell one state of an account from another. No password can be read from it.
    pub fn fingerprint(&self) -> &[u8] {
        &self.hash
    }
}

fn derive(password: &str, salt: &[u8], iterations: u32) -> [u8; HASH_BYTES] {
    pbkdf2::pbkdf2_hmac_array::<Sha512, HASH_BYTES>(password.as_bytes(), salt, iterations)
}

fn check_user(user: &str) -> Result<(), PasswordError> {
    if is_valid_user(user) { Ok(()) } else { Err(PasswordError::UserName) }
}

/// Whether a line can hold that name.
pub(crate) fn is_valid_user(user: &str) -> bool {
    let bad = user.is_empty()
        || user.len() > 256
        || user.starts_with('#')
        || user.trim() != user
        || user.chars().any(|c| c == ':' || c.is_control());
    !bad
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;

    fn reason(text: &str) -> String {
        PasswordFile::parse(text, Path::new("passwd")).unwrap_err().to_string()
    }

    #[test]
    fn a_password_that_was_set_is_verified_after_save_and_load() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        let mut file = PasswordFile::default();
        file.set("ingest", "correct horse").unwrap();
        file.set("WVWZZZ1JZ3W386752", "").unwrap();
        file.save(&path).unwrap();

        let read = PasswordFile::load(&path).unwrap();
        assert_eq!(read, file);
        assert!(read.verify("ingest", "correct horse"));
        assert!(read.verify("WVWZZZ1JZ3W386752", ""));
        assert!(!read.verify("ingest", "correct horse "));
        assert!(!read.verify("nobody", "correct horse"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn saving_over_a_file_leaves_the_new_one_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        let mut file = PasswordFile::default();
        file.set_with("a", "1", 1).unwrap();
        file.save(&path).unwrap();
        assert!(file.remove("a") && !file.remove("a"));
        file.set_with("b", "2", 1).unwrap();
        file.save(&path).unwrap();
        assert_eq!(PasswordFile::load(&path).unwrap().users().collect::<Vec<_>>(), ["b"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_bad_line_is_named_with_file_and_line() {
        assert_eq!(reason("# ours\n\nnobody"), "password file `passwd` line 3: `user:hash` expected");
        assert!(reason("a:plain").contains("line 1: hash does not start with `$7$`"));
        assert!(reason("a:$6$c2FsdA==$aGFzaA==").contains("before 2.0"));
        assert!(reason("a:$7$0$c2FsdA==$aGFzaA==").contains("iterations"));
        assert!(reason("a:$7$101$***$aGFzaA==").contains("salt"));
        assert!(reason("a:$7$101$c2FsdA==$aGFzaA==").contains("64 bytes"));
        let hash = BASE64_STANDARD.encode([0; 64]);
        assert!(
            reason(&format!("a:$7$1$c2FsdA==${hash}\na:$7$1$c2FsdA==${hash}")).contains("line 2: user is there twice")
        );
    }

    #[test]
    fn a_user_name_that_would_break_the_file_is_refused() {
        for user in ["", "a:b", "a\nb", "#a", " a", &"x".repeat(257)] {
            assert!(matches!(PasswordFile::default().set_with(user, "p", 1), Err(PasswordError::UserName)), "{user:?}");
        }
    }

    #[test]
    fn the_same_password_set_twice_is_another_entry() {
        let mut file = PasswordFile::default();
        file.set_with("a", "p", 1).unwrap();
        let before = file.entry("a").cloned();
        file.set_with("a", "p", 1).unwrap();
        assert_ne!(file.entry("a").cloned(), before);
    }

    #[test]
    fn debug_output_shows_no_hash() {
        let mut file = PasswordFile::default();
        file.set_with("a", "p", 1).unwrap();
        assert_eq!(format!("{file:?}"), r#"PasswordFile { entries: {"a": Entry { .. }} }"#);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_password_verifies_and_any_other_does_not(password in ".{0,40}", other in ".{0,40}") {
            let mut file = PasswordFile::default();
            file.set_with("u", &password, 1).unwrap();
            prop_assert!(file.verify("u", &password));
            prop_assert_eq!(file.verify("u", &other), other == password);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[$7:a-zA-Z0-9+/=#\n ]{0,120}") {
            PasswordFile::parse(&text, Path::new("passwd")).ok();
        }
    }
}
