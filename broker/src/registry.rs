//! Who is connected under which client identifier.

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

#[derive(Default)]
struct State {
    clients: HashMap<String, Held>,
    of_user: HashMap<String, usize>,
}

#[derive(Clone)]
struct Held {
    user: String,
    taken_over: CancellationToken,
    gone: CancellationToken,
}

/// A client identifier that is held; given back when it is dropped.
pub(crate) struct Registration {
    registry: Arc<Registry>,
    client_id: String,
    held: Held,
    /// Number of the session, never used twice and never 0.
    pub(crate) session: u64,
}

/// Why a client identifier is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRegistered {
    /// Another user holds it.
    Foreign,
    /// The user has as many clients as one may have.
    TooMany,
    /// The session that holds it does not end.
    Busy,
}

impl Registry {
    /// Takes the client identifier for the user. A session of the same user that holds it is ended first.
    pub(crate) async fn register(
        self: &Arc<Self>,
        identity: &Identity,
        max_per_user: usize,
    ) -> Result<Registration, NotRegistered> {
        let registered = async {
            loop {
                let Some(before) = self.try_register(identity, max_per_user)? else { break };
                before.taken_over.cancel();
                before.gone.cancelled().await;
            }
            Ok(())
        };
        timeout(TAKE_OVER_DEADLINE, registered).await.unwrap_or(Err(NotRegistered::Busy))?;
        let held = self.state().clients.get(&identity.client_id).cloned().expect("registered by this task");
        Ok(Registration {
            registry: Arc::clone(self),
            client_id: identity.client_id.clone(),
            held,
            session: self.last_session.fetch_add(1, Ordering::Relaxed) + 1,
        })
    }

    /// Who holds the identifier already, if it is the same user; nobody when it was registered.
    fn try_register(&self, identity: &Identity, max_per_user: usize) -> Result<Option<Held>, NotRegistered> {
        let mut state = self.state();
        match state.clients.get(&identity.client_id) {
            Some(held) if held.user != identity.user => return Err(NotRegistered::Foreign),
            Some(held) => return Ok(Some(held.clone())),
            None => {}
        }
        let own = state.of_user.entry(identity.user.clone()).or_default();
        if *own >= max_per_user {
            return Err(NotRegistered::TooMany);
        }
        *own += 1;
        let held =
            Held { user: identity.user.clone(), taken_over: CancellationToken::new(), gone: CancellationToken::new() };
        state.clients.insert(identity.client_id.clone(), held);
        Ok(None)
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
        state.clients.remove(&self.client_id);
        if let Some(own) = state.of_user.get_mut(&self.held.user) {
            *own -= 1;
            if *own == 0 {
                state.of_user.remove(&self.held.user);
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
    async fn an_identifier_of_another_user_is_not_to_be_had_while_it_is_held() {
        let registry = Arc::new(Registry::default());
        let first = registry.register(&identity("a", "x"), 9).await.unwrap();
        let second = registry.register(&identity("b", "x"), 9).await;
        assert_eq!(second.err(), Some(NotRegistered::Foreign));
        drop(first);
        assert!(registry.register(&identity("b", "x"), 9).await.is_ok());
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
        let _second = registry.register(&identity("a", "2"), 2).await.unwrap();
        assert_eq!(registry.register(&identity("a", "3"), 2).await.err(), Some(NotRegistered::TooMany));
        drop(first);
        assert!(registry.register(&identity("a", "3"), 2).await.is_ok());
        assert_eq!(registry.state().of_user.len(), 1);
    }
}
