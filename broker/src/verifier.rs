//! Password checks: few at a time, and not again for a client that only reconnects.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::{sync::Semaphore, time::Instant};

use crate::access::Access;

/// A proof of success is good for so long, so that a fleet that comes back after a broken network costs little.
const REMEMBERED: Duration = Duration::from_secs(600);
const MAX_REMEMBERED: usize = 20_000;

pub(crate) struct Verifier {
    /// PBKDF2 costs a core some milliseconds: no more of them than there are cores.
    places: Semaphore,
    /// Of this process only, so that what is remembered is worth nothing outside.
    key: [u8; 32],
    known: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Verifier {
    pub(crate) fn new() -> Self {
        Verifier {
            places: Semaphore::new(available_parallelism().map_or(1, usize::from)),
            key: rand::random(),
            known: Mutex::default(),
        }
    }

    /// Whether `password` is the user's.
    pub(crate) async fn verify(&self, access: &Arc<Access>, user: &str, password: &str) -> bool {
        let proof = access.passwords.entry(user).map(|entry| self.proof(user, password, entry.fingerprint()));
        if proof.is_some_and(|proof| self.is_known(&proof, Instant::now())) {
            return true;
        }
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let (access, user, password) = (Arc::clone(access), user.to_owned(), password.to_owned());
        let check = tokio::task::spawn_blocking(move || access.passwords.verify(&user, &password));
        let right = check.await.unwrap_or(false);
        if let (true, Some(proof)) = (right, proof) {
            self.remember(proof, Instant::now());
        }
        right
    }

    /// Bound to the entry in the file: after a change of the password the old one proves nothing.
    fn proof(&self, user: &str, password: &str, fingerprint: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(self.key);
        for part in [user.as_bytes(), password.as_bytes(), fingerprint] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn is_known(&self, proof: &[u8; 32], now: Instant) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(proof).is_some_and(|until| *until > now)
    }

    fn remember(&self, proof: [u8; 32], now: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED {
            known.retain(|_, until| *until > now);
        }
        if known.len() < MAX_REMEMBERED {
            known.insert(proof, now + REMEMBERED);
        }
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_mosquitto_compat::{AclFile, PasswordFile};

    use super::*;

    fn access(password: &str) -> Arc<Access> {
        let mut passwords = PasswordFile::default();
        passwords.set_with("car", password, 1).unwrap();
        Arc::new(Access { passwords, acl: AclFile::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_is_remembered_for_a_while_and_a_failure_never() {
        let verifier = Verifier::new();
        let access = access("right");
        assert!(!verifier.verify(&access, "car", "wrong").await);
        assert!(!verifier.verify(&access, "nobody", "right").await);
        assert!(verifier.known.lock().unwrap().is_empty());
        assert!(verifier.verify(&access, "car", "right").await);
        let proof = *verifier.known.lock().unwrap().keys().next().unwrap();
        let now = Instant::now();
        assert!(verifier.is_known(&proof, now) && !verifier.is_known(&proof, now + REMEMBERED));
        assert!(!verifier.verify(&access, "car", "wrong").await);
    }

    #[tokio::test]
    async fn after_a_change_the_old_password_is_wrong() {
        let verifier = Verifier::new();
        assert!(verifier.verify(&access("old"), "car", "old").await);
        assert!(!verifier.verify(&access("new"), "car", "old").await);
    }
}
