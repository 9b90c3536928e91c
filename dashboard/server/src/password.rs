//! Passwords: argon2id, away from the threads that serve.

use std::sync::Arc;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use tokio::task::spawn_blocking;

use crate::turns::{Busy, Turns};

/// Hashes at a time: each takes 19 MiB and a core for some 20 ms.
const AT_A_TIME: usize = 2;

/// Checks passwords, a few at a time.
pub(crate) struct Passwords {
    /// What a name that nobody has is checked against: it must not answer any faster.
    nobody: Arc<str>,
    turns: Turns,
}

impl Passwords {
    pub async fn new() -> Self {
        Passwords { nobody: hash(&random()).await.into(), turns: Turns::new(AT_A_TIME) }
    }

    /// Whether the password is the one of `hash`. Without a hash it never is, after as long a time.
    pub async fn verify(&self, password: String, hash: Option<&str>) -> Result<bool, Busy> {
        // Whom nobody has invited yet, or who has not set one.
        let hash = hash.filter(|hash| !hash.is_empty());
        let known = hash.is_some();
        let hash: Arc<str> = hash.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let check = move || {
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        };
        let fits = self.turns.run(check).await?;
        Ok(fits && known)
    }

    /// Hash of a password that a person has chosen.
    pub async fn hash(&self, password: String) -> Result<String, Busy> {
        self.turns.run(move || hash_now(&password)).await
    }
}

/// Fewest characters of a password that a person chooses.
const MIN_CHARS: usize = 10;
/// Fewest different ones among them.
const MIN_DIFFERENT: usize = 5;
/// Longest password: hashing a book would take a while.
pub(crate) const MAX_BYTES: usize = 1024;

/// What is wrong with a password that somebody chooses, if anything is. Length is what counts (NIST SP 800-63B); no kinds of
/// characters are asked for.
pub(crate) fn fault(password: &str, name: &str) -> Option<&'static str> {
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    if password.chars().count() < MIN_CHARS {
        Some("a password has at least 10 characters")
    } else if password.len() > MAX_BYTES {
        Some("a password has up to 1024 bytes")
    } else if different.len() < MIN_DIFFERENT {
        Some("a password has at least 5 different characters")
    } else if !name.is_empty() && password.to_lowercase().contains(&name.to_lowercase()) {
        Some("a password does not contain the user name")
    } else {
        None
    }
}

/// Hash of a password in the PHC form, `$argon2id$…`.
pub(crate) async fn hash(password: &str) -> String {
    let password = password.to_owned();
    spawn_blocking(move || hash_now(&password)).await.expect("hashing a password does not panic")
}

fn hash_now(password: &str) -> String {
    let salt =
        SaltString::encode_b64(&rand::random::<[u8; 16]>()).expect("16 bytes are a salt of the recommended length");
    Argon2::default().hash_password(password.as_bytes(), &salt).expect("the default parameters are valid").to_string()
}

/// A random password that is easy to read out and to type: 4 groups of 5, nearly 97 bits.
pub(crate) fn random() -> String {
    groups(4)
}

/// So many groups of 5 random letters and digits, 24 bits each.
pub(crate) fn groups(count: usize) -> String {
    use rand::seq::IndexedRandom;
    /// Without 0, 1, i, l, o and others that are mistaken for one another.
    const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstwxyz";
    let mut rng = rand::rng();
    let group = |_| -> String {
        (0..5).map(|_| char::from(*LETTERS.choose(&mut rng).expect("the alphabet is not empty"))).collect()
    };
    (0..count).map(group).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new().await;
        let hash = hash("correct horse").await;
        assert!(hash.starts_with("$argon2id$"));
        let verify = |password: &str, hash| passwords.verify(password.to_owned(), hash);
        assert!(verify("correct horse", Some(hash.as_str())).await.unwrap());
        assert!(!verify("wrong horse", Some(hash.as_str())).await.unwrap());
        assert!(!verify("correct horse", Some("no hash")).await.unwrap());
        assert!(!verify("correct horse", None).await.unwrap());
        assert!(!verify("", Some("")).await.unwrap());
    }

    #[test]
    fn a_password_that_is_chosen_is_long_and_not_the_name() {
        for good in ["correct horse", "éàüöéàüöab", "1234567890"] {
            assert_eq!(fault(good, "ada"), None, "{good}");
        }
        for bad in ["", "short", "aaaaaaaaaaaaaa", "I am Ada and nobody else", &"ab1!x".repeat(300)] {
            assert!(fault(bad, "ada").is_some(), "{bad}");
        }
    }

    #[test]
    fn random_passwords_are_readable_and_differ() {
        let (one, two) = (random(), random());
        assert_ne!(one, two);
        assert_eq!(one.len(), 23);
        assert!(one.split('-').all(|group| group.len() == 5));
    }
}
