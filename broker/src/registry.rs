//! The connected clients of each user.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::access::Identity;

/// How long a session that is taken over may need to publish its will and be gone.
const TAKE_OVER_DEADLINE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    last_session: AtomicU64,
}

/// The clients of each user, by their identifiers: nobody can take or block an identifier of somebody else's.
type State = HashMap<String, HashMap<String, Held>>;

#[derive(Clone, Default)]
struct Held {
    taken_over: CancellationToken,
    gone: CancellationToken,
}

/// A client identifier that is held; given back when it is dropped.
pub(crate) struct Registration {
    registry: Arc<Registry>,
    identity: Identity,
    held: Held,
    /// Number of the session, never used twice and never 0.
    pub(crate) session: u64,
}

/// Why a client identifier is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRegistered {
    /// The user has as many clients as one may have.
    TooMany,
    /// The session that holds it does not end.
    Busy,
}

/// What a try to register came to.
enum Try {
    Registered(Held),
    /// Another session of the user holds the identifier.
    Taken(Held),
}

impl Registry {
    /// Takes the client identifier for the user. A session of the same user that holds it is ended first.
    pub(crate) async fn register(
        self: &Arc<Self>,
        identity: &Identity,
        max_per_user: usize,
    ) -> Result<Registration, NotRegistered> {
        let registering = async {
            loop {
                match self.try_register(identity, max_per_user)? {
                    Try::Registered(held) => return Ok(self.registration(identity, held)),
                    Try::Taken(before) => {
                        before.taken_over.cancel();
                        before.gone.cancelled().await;
                    }
                }
            }
        };
        timeout(TAKE_OVER_DEADLINE, registering).await.unwrap_or(Err(NotRegistered::Busy))
    }

    fn try_register(&self, identity: &Identity, max_per_user: usize) -> Result<Try, NotRegistered> {
        let mut state = self.state();
        let own = state.entry(identity.user.clone()).or_default();
        if let Some(held) = own.get(&identity.client_id) {
            return Ok(Try::Taken(held.clone()));
        }
        if own.len() >= max_per_user {
            return Err(NotRegistered::TooMany);
        }
        let held = own.entry(identity.client_id.clone()).or_default();
        Ok(Try::Registered(held.clone()))
    }

    fn registration(self: &Arc<Self>, identity: &Identity, held: Held) -> Registration {
        Registration {
            registry: Arc::clone(self),
            identity: identity.clone(),
            held,
            session: self.last_session.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two steps that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// Waits until somebody with the same user and client identifier wants to come in.
    pub(crate) async fn taken_over(&self) {
        self.held.taken_over.cancelled().await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut state = self.registry.state();
        if let Some(own) = state.get_mut(&self.identity.user) {
            own.remove(&self.identity.client_id);
            if own.is_empty() {
                state.remove(&self.identity.user);
            }
        }
        self.held.gone.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user: &str, client_id: &str) -> Identity {
        Identity { user: user.into(), client_id: client_id.into() }
    }

    #[tokio::test]
    async fn an_identifier_of_another_user_is_no_obstacle_and_not_taken_over() {
        let registry = Arc::new(Registry::default());
        let first = registry.register(&identity("a", "x"), 1).await.unwrap();
        let second = registry.register(&identity("b", "x"), 1).await.unwrap();
        drop(second);
        assert!(!first.held.taken_over.is_cancelled());
        assert_eq!(registry.register(&identity("a", "y"), 1).await.err(), Some(NotRegistered::TooMany));
    }

    #[tokio::test]
    async fn the_same_user_waits_for_the_old_session_to_end() {
        let registry = Arc::new(Registry::default());
        let old = registry.register(&identity("a", "x"), 1).await.unwrap();
        let old_session = old.session;
        let ending = tokio::spawn(async move {
            old.taken_over().await;
            drop(old);
        });
        let new = registry.register(&identity("a", "x"), 1).await.unwrap();
        assert!(ending.is_finished() || ending.await.is_ok());
        assert_ne!(new.session, old_session);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_does_not_end_keeps_its_identifier() {
        let registry = Arc::new(Registry::default());
        let _old = registry.register(&identity("a", "x"), 2).await.unwrap();
        assert_eq!(registry.register(&identity("a", "x"), 2).await.err(), Some(NotRegistered::Busy));
    }

    #[tokio::test]
    async fn a_user_has_no_more_clients_than_allowed() {
        let registry = Arc::new(Registry::default());
        let first = registry.register(&identity("a", "1"), 2).await.unwrap();
        let second = registry.register(&identity("a", "2"), 2).await.unwrap();
        assert_eq!(registry.register(&identity("a", "3"), 2).await.err(), Some(NotRegistered::TooMany));
        drop(first);
        assert!(registry.register(&identity("a", "3"), 2).await.is_ok());
        drop(second);
        assert!(registry.state().is_empty());
    }
}
