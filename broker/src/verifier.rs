//! Password checks: few at a time, and not again for a client that only reconnects.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::{
    Limits,
    access::Access,
    turns::{Turn, Turns},
};

/// A proof of success is good for so long after its last use, so that a fleet that comes back after a broken network, or
/// after a night in the garage, costs little, and nobody who guesses can keep it out.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_REMEMBERED: usize = 20_000;

pub(crate) struct Verifier {
    /// PBKDF2 costs a core some milliseconds: strangers get half of the cores at most.
    cores: Arc<Semaphore>,
    waiting: Semaphore,
    turns: Arc<Turns>,
    deadline: Duration,
    /// Of this process only, so that what is remembered is worth nothing outside.
    key: [u8; 32],
    known: Arc<Known>,
}

#[derive(Default)]
struct Known(Mutex<HashMap<[u8; 32], Use>>);

/// How a proof is used.
struct Use {
    /// Those who came in by it and are still there.
    holders: usize,
    last: Instant,
}

impl Use {
    fn is_over(&self, now: Instant) -> bool {
        self.holders == 0 && self.last + REMEMBERED <= now
    }
}

/// That a password was right; it is remembered as long as this lives, and a while longer.
pub(crate) struct Proven {
    known: Arc<Known>,
    proof: [u8; 32],
}

/// Leave to wait for a core.
pub(crate) struct Admission {
    turn: Turn,
    until: Instant,
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
            turns: Arc::default(),
            deadline: limits.password_check_deadline,
            key: rand::random(),
            known: Arc::default(),
        }
    }

    /// What the user has proven with this password before.
    pub(crate) fn recall(&self, access: &Access, user: &str, password: &str) -> Option<Proven> {
        self.known.recall(self.proof_of(access, user, password)?, Instant::now())
    }

    /// Waits until no other check for this address is on its way.
    pub(crate) async fn admit(&self, peer: IpAddr) -> Result<Admission, Busy> {
        let until = Instant::now() + self.deadline;
        let turn = timeout_at(until, self.turns.wait(peer)).await.map_err(|_| Busy)?;
        Ok(Admission { turn, until })
    }

    /// Whether `password` is the user's, by a check that costs.
    pub(crate) async fn verify(
        &self,
        Admission { turn, until }: Admission,
        access: &Arc<Access>,
        user: &str,
        password: &str,
    ) -> Result<Option<Proven>, Busy> {
        let proof = self.proof_of(access, user, password);
        let core = self.core(until).await?;
        let (access, user, password) = (Arc::clone(access), user.to_owned(), password.to_owned());
        let check = tokio::task::spawn_blocking(move || {
            // Here, because the check goes on when nobody waits for it any more.
            let _until_done = (core, turn);
            access.passwords.as_ref().is_some_and(|passwords| passwords.verify(&user, &password))
        });
        let right = check.await.unwrap_or(false);
        Ok(proof.filter(|_| right).map(|proof| self.known.remember(proof, Instant::now())))
    }

    async fn core(&self, until: Instant) -> Result<OwnedSemaphorePermit, Busy> {
        if let Ok(free) = Arc::clone(&self.cores).try_acquire_owned() {
            return Ok(free);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        let core = timeout_at(until, Arc::clone(&self.cores).acquire_owned()).await.map_err(|_| Busy)?;
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
}

impl Known {
    fn recall(self: &Arc<Self>, proof: [u8; 32], now: Instant) -> Option<Proven> {
        let mut uses = self.uses();
        let known = uses.get_mut(&proof).filter(|known| !known.is_over(now))?;
        known.holders += 1;
        Some(Proven { known: Arc::clone(self), proof })
    }

    fn remember(self: &Arc<Self>, proof: [u8; 32], now: Instant) -> Proven {
        let mut uses = self.uses();
        if uses.len() >= MAX_REMEMBERED {
            uses.retain(|_, known| !known.is_over(now));
        }
        if uses.len() >= MAX_REMEMBERED {
            let idle = uses.iter().filter(|(_, known)| known.holders == 0);
            if let Some(oldest) = idle.min_by_key(|(_, known)| known.last).map(|(proof, _)| *proof) {
                uses.remove(&oldest);
            }
        }
        // There are never more holders than connections.
        uses.entry(proof).or_insert(Use { holders: 0, last: now }).holders += 1;
        Proven { known: Arc::clone(self), proof }
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<[u8; 32], Use>> {
        // Nothing in here panics between two steps that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proven {
    fn drop(&mut self) {
        if let Some(known) = self.known.uses().get_mut(&self.proof) {
            known.holders -= 1;
            known.last = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bugbrother_mosquitto_compat::PasswordFile;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn access(password: &str) -> Arc<Access> {
        let mut passwords = PasswordFile::default();
        passwords.set_with("car", password, 1).unwrap();
        Arc::new(Access { passwords: Some(passwords), acl: None, allow_anonymous: false })
    }

    async fn check(verifier: &Verifier, access: &Arc<Access>, user: &str, password: &str) -> Result<bool, Busy> {
        let admission = verifier.admit(PEER).await?;
        Ok(verifier.verify(admission, access, user, password).await?.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_is_remembered_until_long_after_its_last_use_and_a_failure_never() {
        let verifier = Verifier::new(&Limits::default());
        let access = access("right");
        assert_eq!(check(&verifier, &access, "car", "wrong").await, Ok(false));
        assert_eq!(check(&verifier, &access, "nobody", "right").await, Ok(false));
        assert!(verifier.known.uses().is_empty());
        assert_eq!(check(&verifier, &access, "car", "right").await, Ok(true));
        let recall = || verifier.recall(&access, "car", "right");
        let nearly = REMEMBERED - Duration::from_secs(1);
        for _ in 0..3 {
            tokio::time::advance(nearly).await;
            assert!(recall().is_some());
        }
        let session = recall();
        tokio::time::advance(REMEMBERED * 3).await;
        assert!(recall().is_some(), "somebody is still there");
        drop(session);
        tokio::time::advance(nearly).await;
        assert!(recall().is_some() && verifier.recall(&access, "car", "wrong").is_none());
        tokio::time::advance(REMEMBERED).await;
        assert!(recall().is_none());
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded_and_the_least_used_goes_first() {
        let known = Arc::new(Known::default());
        let now = Instant::now();
        let proof = |n: usize| {
            let mut proof = [0; 32];
            proof[..8].copy_from_slice(&n.to_be_bytes());
            proof
        };
        let session = known.remember(proof(0), now);
        for n in 1..MAX_REMEMBERED + 10 {
            drop(known.remember(proof(n), now));
        }
        assert_eq!(known.uses().len(), MAX_REMEMBERED);
        assert!(known.recall(proof(0), now).is_some() && known.recall(proof(1), now).is_none());
        assert!(known.recall(proof(MAX_REMEMBERED), now).is_some());
        drop(session);
    }

    #[tokio::test]
    async fn after_a_change_the_old_password_is_wrong() {
        let verifier = Verifier::new(&Limits::default());
        assert_eq!(check(&verifier, &access("old"), "car", "old").await, Ok(true));
        assert_eq!(check(&verifier, &access("new"), "car", "old").await, Ok(false));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_cores_are_taken_a_few_wait_a_while_and_the_known_do_not() {
        let verifier = Verifier::new(&Limits { password_checks_waiting: 1, ..Limits::default() });
        let access = access("right");
        assert_eq!(check(&verifier, &access, "car", "right").await, Ok(true));
        let places = u32::try_from(verifier.cores.available_permits()).unwrap();
        assert!(places as usize <= available_parallelism().unwrap().get().div_ceil(2));
        let taken = Arc::clone(&verifier.cores).acquire_many_owned(places).await.unwrap();
        let started = Instant::now();
        let wrong = || check(&verifier, &access, "car", "wrong");
        let elsewhere = async {
            let admission = verifier.admit(Ipv4Addr::new(192, 0, 2, 1).into()).await?;
            let refused = verifier.verify(admission, &access, "car", "wrong").await.err();
            assert_eq!(started.elapsed(), Duration::ZERO, "there is one place to wait, and it is taken");
            refused.map_or(Ok(()), Err)
        };
        assert_eq!(tokio::join!(wrong(), wrong(), elsewhere), (Err(Busy), Err(Busy), Err(Busy)));
        assert_eq!(started.elapsed(), Limits::default().password_check_deadline);
        assert!(verifier.recall(&access, "car", "right").is_some());
        let (waiting, ()) = tokio::join!(wrong(), async { drop(taken) });
        assert_eq!(waiting, Ok(false));
    }
}
