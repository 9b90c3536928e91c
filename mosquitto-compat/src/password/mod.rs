//! Mosquitto's password file: `user:hash`, of which all that Mosquitto 1.4 to 2.1 write is read.
//!
//! What is written anew is `$7$`, which Mosquitto 2.0 and later read; other entries stay as they are.

mod hash;

use std::{
    collections::BTreeMap,
    fs, io,
    ops::Bound,
    path::{Path, PathBuf},
};

use self::hash::Hash;
use crate::replace::replace;

/// Iterations of the hashes that we write. Mosquitto's own default is 101; it reads any number.
pub const ITERATIONS: u32 = 10_000;

/// Users and the salted hashes of their passwords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasswordFile {
    entries: BTreeMap<String, Entry>,
}

/// What the file says of one user. Two entries are equal when neither password nor salt was set anew.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry(Hash);

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
            let entry = Entry(Hash::parse(hash).map_err(error)?);
            if entries.insert(user.to_owned(), entry).is_some() {
                return Err(error("user is there twice"));
            }
        }
        Ok(PasswordFile { entries })
    }

    /// Whether `password` is that of `user`. An unknown user takes as long as its neighbour in the file.
    pub fn verify(&self, user: &str, password: &str) -> bool {
        if let Some(entry) = self.entries.get(user) {
            return entry.0.verify(password);
        }
        let after = self.entries.range::<str, _>((Bound::Excluded(user), Bound::Unbounded)).next();
        match after.or_else(|| self.entries.iter().next_back()) {
            Some((_, neighbour)) => _ = std::hint::black_box(neighbour.0.verify(password)),
            None => _ = std::hint::black_box(Hash::new(password, ITERATIONS)),
        }
        false
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
        self.entries.insert(user.to_owned(), Entry(Hash::new(password, iterations)));
        Ok(())
    }

    /// Takes `user` out; `false` when it was not there.
    pub fn remove(&mut self, user: &str) -> bool {
        self.entries.remove(user).is_some()
    }

    /// Writes the file: complete or not at all. A new one is for its owner only; one that is there keeps its owner and
    /// what its mode says of owner and group. Comments of the old file are gone.
    pub fn save(&self, path: &Path) -> Result<(), PasswordError> {
        let lines: String = self.entries.iter().map(|(user, entry)| format!("{user}:{}\n", entry.0.as_str())).collect();
        replace(path, lines.as_bytes(), 0o770).map_err(|source| PasswordError::Write { path: path.into(), source })
    }
}

impl Entry {
    /// The stored hash, to tell one state of an account from another. No password can be read from it.
    pub fn fingerprint(&self) -> &[u8] {
        self.0.bytes()
    }
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

    use base64::{Engine as _, prelude::BASE64_STANDARD};
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

    /// ```python
    /// import base64, hashlib
    /// from argon2.low_level import hash_secret, Type  # argon2-cffi
    /// salt = b"0123456789ab"
    /// base64.b64encode(salt), base64.b64encode(hashlib.sha512(b"first secret" + salt).digest())
    /// hash_secret(b"first secret", b"saltsaltsalt", time_cost=1, memory_cost=8192, parallelism=1, hash_len=64, type=Type.ID)
    /// hash_secret("žluťoučký".encode(), b"0123456789abcdef", time_cost=3, memory_cost=1024, parallelism=4, hash_len=32, type=Type.ID)
    /// ```
    const KNOWN: &[(&str, &str)] = &[
        (
            "$6$MDEyMzQ1Njc4OWFi$S1YSXpU/ZGmE3uxnPB5rjW0UqMLY9v9YX9sw/q4KmLN0uCJR2GNHd4AMq9ysQ/G9owbWSp15qPi2EJQqweqFPA==",
            "first secret",
        ),
        (
            "$argon2id$v=19$m=8192,t=1,p=1$c2FsdHNhbHRzYWx0$/D5ai1JJ4aA/PxY8shiwgJmhGyr0eB8srZ1rhh1/Stq9TQ2BZ63iEluusSeXVhuihl8+2PdQY1k2uOf+RMmU/Q",
            "first secret",
        ),
        (
            "$argon2id$v=19$m=1024,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$+hl3exAhWxZxhCTYB7ZP8Q7uh6okCEzTLLQUSG2m8fE",
            "žluťoučký",
        ),
    ];

    #[test]
    fn hashes_of_other_versions_and_other_programs_are_verified_and_kept_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        let text: String = KNOWN.iter().enumerate().map(|(index, (hash, _))| format!("u{index}:{hash}\n")).collect();
        fs::write(&path, &text).unwrap();
        let mut file = PasswordFile::load(&path).unwrap();
        file.set_with("z", "new", 1).unwrap();
        file.save(&path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with(&text));
        let file = PasswordFile::load(&path).unwrap();
        for (index, (_, password)) in KNOWN.iter().enumerate() {
            let user = format!("u{index}");
            assert!(file.verify(&user, password) && !file.verify(&user, "another"), "{user}");
            assert!(file.entry(&user).unwrap().fingerprint().len() >= 32);
        }
        assert!(file.verify("z", "new"));
        assert!(!file.verify("nobody", "new") && !file.verify("zz", "new") && !file.verify("", "first secret"));
    }

    #[test]
    fn a_file_that_is_shared_with_a_group_stays_so_and_is_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        PasswordFile::default().save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
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
        assert!(reason("a:$6$c2FsdA==$aGFzaA==").contains("64 bytes"));
        for (costs, why) in [
            ("v=19$m=131073,t=1,p=1", "131072 KiB"),
            ("v=19$m=64,t=21,p=1", "20 passes"),
            ("v=19$m=1024,t=1,p=17", "16 lanes"),
            ("v=16$m=64,t=1,p=1", "version"),
            ("v=19$m=1,t=1,p=1", "parameters"),
            ("v=19$m=64,t=1", "parameters"),
            ("v=19$m=64,t=1,p=1,x=1", "parameters"),
        ] {
            let text = format!("a:$argon2id${costs}$c2FsdHNhbHRzYWx0$/D5ai1JJ4aA/PxY8shiwgJmhGyr0eB8srZ1rhh1/Stq9");
            assert!(reason(&text).contains(why), "{costs}: {}", reason(&text));
        }
        assert!(reason("a:$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ").contains("does not start with"));
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
        fn no_text_makes_the_parser_panic(text in "(a:([$]7[$]|[$]6[$]|[$]argon2id[$]))?[$7:a-zA-Z0-9+/=#,\n ]{0,120}") {
            PasswordFile::parse(&text, Path::new("passwd")).ok();
        }
    }
}
