//! Password checks: few at a time, and not again for a client that only reconnects.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::{Limits, access::Access};

/// A proof of success is good for so long, so that a fleet that comes back after a broken network costs little.
const REMEMBERED: Duration = Duration::from_secs(600);
const MAX_REMEMBERED: usize = 20_000;

pub(crate) struct Verifier {
    /// PBKDF2 costs a core some milliseconds: strangers get half of the cores at most.
    cores: Arc<Semaphore>,
    waiting: Semaphore,
    deadline: Duration,
    /// Of this process only, so that what is remembered is worth nothing outside.
    key: [u8; 32],
    known: Mutex<HashMap<[u8; 32], Instant>>,
}

/// Too many passwords are being checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl Verifier {
    pub(crate) fn new(limits: &Limits) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Verifier {
            cores: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: Semaphore::new(limits.password_checks_waiting),
            deadline: limits.password_check_deadline,
            key: rand::random(),
            known: Mutex::default(),
        }
    }

    /// Whether the user has shown this password a short while ago.
    pub(crate) fn remembers(&self, access: &Access, user: &str, password: &str) -> bool {
        self.proof_of(access, user, password).is_some_and(|proof| self.is_known(&proof, Instant::now()))
    }

    /// Whether `password` is the user's, by a check that costs.
    pub(crate) async fn verify(&self, access: &Arc<Access>, user: &str, password: &str) -> Result<bool, Busy> {
        let proof = self.proof_of(access, user, password);
        let core = self.core().await?;
        let (access, user, password) = (Arc::clone(access), user.to_owned(), password.to_owned());
        let check = tokio::task::spawn_blocking(move || {
            // Here, because the check goes on when nobody waits for it any more.
            let _core = core;
            access.passwords.as_ref().is_some_and(|passwords| passwords.verify(&user, &password))
        });
        let right = check.await.unwrap_or(false);
        if let (true, Some(proof)) = (right, proof) {
            self.remember(proof, Instant::now());
        }
        Ok(right)
    }

    async fn core(&self) -> Result<OwnedSemaphorePermit, Busy> {
        if let Ok(free) = Arc::clone(&self.cores).try_acquire_owned() {
            return Ok(free);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        let core = timeout(self.deadline, Arc::clone(&self.cores).acquire_owned()).await.map_err(|_| Busy)?;
        Ok(core.expect("the semaphore is never closed"))
    }

    fn proof_of(&self, access: &Access, user: &str, password: &str) -> Option<[u8; 32]> {
        let entry = access.passwords.as_ref()?.entry(user)?;
        Some(self.proof(user, password, entry.fingerprint()))
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
    use bugbrother_mosquitto_compat::PasswordFile;

    use super::*;

    fn access(password: &str) -> Arc<Access> {
        let mut passwords = PasswordFile::default();
        passwords.set_with("car", password, 1).unwrap();
        Arc::new(Access { passwords: Some(passwords), acl: None, allow_anonymous: false })
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_is_remembered_for_a_while_and_a_failure_never() {
        let verifier = Verifier::new(&Limits::default());
        let access = access("right");
        assert_eq!(verifier.verify(&access, "car", "wrong").await, Ok(false));
        assert_eq!(verifier.verify(&access, "nobody", "right").await, Ok(false));
        assert!(verifier.known.lock().unwrap().is_empty());
        assert_eq!(verifier.verify(&access, "car", "right").await, Ok(true));
        let proof = *verifier.known.lock().unwrap().keys().next().unwrap();
        let now = Instant::now();
        assert!(verifier.is_known(&proof, now) && !verifier.is_known(&proof, now + REMEMBERED));
        assert_eq!(verifier.verify(&access, "car", "wrong").await, Ok(false));
    }

    #[tokio::test]
    async fn after_a_change_the_old_password_is_wrong() {
        let verifier = Verifier::new(&Limits::default());
        assert_eq!(verifier.verify(&access("old"), "car", "old").await, Ok(true));
        assert_eq!(verifier.verify(&access("new"), "car", "old").await, Ok(false));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_cores_are_taken_a_few_wait_a_while_and_the_known_do_not() {
        let verifier = Verifier::new(&Limits { password_checks_waiting: 1, ..Limits::default() });
        let access = access("right");
        assert_eq!(verifier.verify(&access, "car", "right").await, Ok(true));
        let places = u32::try_from(verifier.cores.available_permits()).unwrap();
        assert!(places as usize <= available_parallelism().unwrap().get().div_ceil(2));
        let taken = Arc::clone(&verifier.cores).acquire_many_owned(places).await.unwrap();
        let started = Instant::now();
        let (first, second) =
            tokio::join!(verifier.verify(&access, "car", "wrong"), verifier.verify(&access, "car", "wrong"));
        assert_eq!((first, second), (Err(Busy), Err(Busy)));
        assert_eq!(started.elapsed(), Limits::default().password_check_deadline);
        assert!(verifier.remembers(&access, "car", "right") && !verifier.remembers(&access, "car", "wrong"));
        let (waiting, ()) = tokio::join!(verifier.verify(&access, "car", "wrong"), async { drop(taken) });
        assert_eq!(waiting, Ok(false));
    }
}
