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
        let known = hash.is_some();
        let hash: Arc<str> = hash.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let check = move || {
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        };
        let fits = self.turns.run(check).await?;
        Ok(fits && known)
    }
}

/// Hash of a password in the PHC form, `$argon2id$…`.
pub(crate) async fn hash(password: &str) -> String {
    let password = password.to_owned();
    spawn_blocking(move || {
        let salt =
            SaltString::encode_b64(&rand::random::<[u8; 16]>()).expect("16 bytes are a salt of the recommended length");
        Argon2::default()
            .hash_password(password.as_bytes(), &salt)
            .expect("the default parameters are valid")
            .to_string()
    })
    .await
    .expect("hashing a password does not panic")
}

/// A random password that is easy to read out and to type: 4 groups of 5, nearly 97 bits.
pub(crate) fn random() -> String {
    use rand::seq::IndexedRandom;
    /// Without 0, 1, i, l, o and others that are mistaken for one another.
    const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstwxyz";
    let mut rng = rand::rng();
    let group = |_| -> String {
        (0..5).map(|_| char::from(*LETTERS.choose(&mut rng).expect("the alphabet is not empty"))).collect()
    };
    (0..4).map(group).collect::<Vec<_>>().join("-")
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
    }

    #[test]
    fn random_passwords_are_readable_and_differ() {
        let (one, two) = (random(), random());
        assert_ne!(one, two);
        assert_eq!(one.len(), 23);
        assert!(one.split('-').all(|group| group.len() == 5));
    }
}
