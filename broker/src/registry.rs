//! The connected clients of each user, or of each address where nobody says who they are.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    Limits,
    access::{Identity, Owner},
    bucket::Bucket,
    count,
    retained::Share,
};

/// How long a session that is taken over may need to publish its will and be gone.
const TAKE_OVER_DEADLINE: Duration = Duration::from_secs(5);
const MIN_SWEEP: usize = 64;
/// So often a second a user may connect. A session is made and ended by all parts of the broker.
const CONNECTS_PER_SECOND: u32 = 100;

pub(crate) struct Registry {
    connections_per_user: usize,
    connections_per_address: usize,
    rates: Rates,
    state: Mutex<State>,
    last_session: AtomicU64,
}

/// Tokens a second, of a user that speaks for itself, and of a service.
#[derive(Clone, Copy)]
struct Rates {
    of_one: u32,
    of_many: u32,
}

impl Rates {
    fn of(self, share: Share) -> u32 {
        match share {
            Share::OfOne => self.of_one,
            Share::OfMany => self.of_many,
        }
    }
}

struct State {
    users: HashMap<Owner, User>,
    /// With so many users those of whom nothing needs to be known any more are forgotten.
    sweep_at: usize,
}

/// A user who has clients, or has had some a moment ago: leaving and coming back fills no bucket.
struct User {
    /// By identifier: nobody can take or block an identifier of somebody else's.
    clients: HashMap<String, Held>,
    bucket: Arc<Bucket>,
}

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
    /// Shared by all clients of the user.
    pub(crate) bucket: Arc<Bucket>,
}

/// Why a client identifier is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRegistered {
    /// The user has as many clients as one may have.
    TooMany,
    /// The session that holds it does not end.
    Busy,
    /// The user's clients come and go too often.
    TooOften,
}

/// What a try to register came to.
enum Try {
    Registered(Registration),
    /// Another session of the user holds the identifier.
    Taken(Held),
}

impl Registry {
    /// One whose sessions have numbers above `last_session`.
    pub(crate) fn new(limits: &Limits, last_session: u64) -> Self {
        Registry {
            connections_per_user: limits.connections_per_user,
            connections_per_address: limits.connections_per_address,
            rates: Rates { of_one: limits.tokens_per_second, of_many: limits.tokens_per_second_of_services },
            state: Mutex::new(State { users: HashMap::new(), sweep_at: MIN_SWEEP }),
            last_session: AtomicU64::new(last_session),
        }
    }

    /// Has the user pay for one more session. Whoever is in debt waits, but not past the deadline.
    pub(crate) async fn charge(&self, owner: &Owner, share: Share, deadline: Instant) -> Result<(), NotRegistered> {
        let (now, rate) = (Instant::now(), self.rates.of(share));
        let bucket = Arc::clone(&self.state().user(owner, rate, now).bucket);
        let cost = rate.div_ceil(CONNECTS_PER_SECOND);
        // Those who would wait too long pay nothing, so that there is an end to the debt.
        let too_late = bucket.in_debt_until(now).is_some_and(|paid| paid >= deadline);
        let paid = if too_late { Some(deadline) } else { bucket.take(cost, now) };
        if let Some(paid) = paid {
            count::throttled();
            sleep_until(paid.min(deadline)).await;
        }
        if too_late { Err(NotRegistered::TooOften) } else { Ok(()) }
    }

    /// Takes the client identifier for the user. A session of the same user that holds it is ended first.
    pub(crate) async fn register(
        self: &Arc<Self>,
        identity: &Identity,
        share: Share,
    ) -> Result<Registration, NotRegistered> {
        let registering = async {
            loop {
                match self.try_register(identity, share, Instant::now())? {
                    Try::Registered(registration) => return Ok(registration),
                    Try::Taken(before) => {
                        before.taken_over.cancel();
                        before.gone.cancelled().await;
                    }
                }
            }
        };
        timeout(TAKE_OVER_DEADLINE, registering).await.unwrap_or(Err(NotRegistered::Busy))
    }

    fn try_register(self: &Arc<Self>, identity: &Identity, share: Share, now: Instant) -> Result<Try, NotRegistered> {
        let mut state = self.state();
        let user = state.user(&identity.owner, self.rates.of(share), now);
        if let Some(held) = user.clients.get(&identity.client_id) {
            return Ok(Try::Taken(held.clone()));
        }
        let most = match identity.owner {
            Owner::Address(_) => self.connections_per_address,
            Owner::User(_) | Owner::Broker => self.connections_per_user,
        };
        if user.clients.len() >= most {
            return Err(NotRegistered::TooMany);
        }
        let held = user.clients.entry(identity.client_id.clone()).or_default().clone();
        Ok(Try::Registered(Registration {
            registry: Arc::clone(self),
            identity: identity.clone(),
            held,
            session: self.last_session.fetch_add(1, Ordering::Relaxed) + 1,
            bucket: Arc::clone(&user.bucket),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two steps that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn user(&mut self, owner: &Owner, tokens_per_second: u32, now: Instant) -> &mut User {
        self.sweep(now);
        let fresh = || Arc::new(Bucket::new(tokens_per_second, now));
        let user = self.users.entry(owner.clone()).or_insert_with(|| User { clients: HashMap::new(), bucket: fresh() });
        // It is a service at another door, or by other rules than before.
        if user.bucket.per_second() < tokens_per_second {
            user.bucket = fresh();
        }
        user
    }

    fn sweep(&mut self, now: Instant) {
        if self.users.len() >= self.sweep_at {
            self.users.retain(|_, user| !user.clients.is_empty() || !user.bucket.is_full(now));
            self.sweep_at = MIN_SWEEP.max(2 * self.users.len());
        }
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
        if let Some(user) = state.users.get_mut(&self.identity.owner) {
            user.clients.remove(&self.identity.client_id);
        }
        self.held.gone.cancel();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn identity(user: &str, client_id: &str) -> Identity {
        Identity {
            user: Some(user.into()),
            owner: Owner::User(user.into()),
            client_id: client_id.into(),
            username_as_client_id: false,
        }
    }

    fn registry(connections_per_user: usize) -> Arc<Registry> {
        Arc::new(Registry::new(&Limits { connections_per_user, tokens_per_second: 10, ..Limits::default() }, 0))
    }

    #[tokio::test]
    async fn an_identifier_of_another_user_is_no_obstacle_and_not_taken_over() {
        let registry = registry(1);
        let first = registry.register(&identity("a", "x"), Share::OfOne).await.unwrap();
        let second = registry.register(&identity("b", "x"), Share::OfOne).await.unwrap();
        drop(second);
        assert!(!first.held.taken_over.is_cancelled());
        assert_eq!(registry.register(&identity("a", "y"), Share::OfOne).await.err(), Some(NotRegistered::TooMany));
    }

    #[tokio::test]
    async fn the_same_user_waits_for_the_old_session_to_end() {
        let registry = registry(1);
        let old = registry.register(&identity("a", "x"), Share::OfOne).await.unwrap();
        let old_session = old.session;
        let ending = tokio::spawn(async move {
            old.taken_over().await;
            drop(old);
        });
        let new = registry.register(&identity("a", "x"), Share::OfOne).await.unwrap();
        assert!(ending.is_finished() || ending.await.is_ok());
        assert_ne!(new.session, old_session);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_does_not_end_keeps_its_identifier() {
        let registry = registry(2);
        let _old = registry.register(&identity("a", "x"), Share::OfOne).await.unwrap();
        assert_eq!(registry.register(&identity("a", "x"), Share::OfOne).await.err(), Some(NotRegistered::Busy));
    }

    #[tokio::test]
    async fn a_user_has_no_more_clients_than_allowed() {
        let registry = registry(2);
        let first = registry.register(&identity("a", "1"), Share::OfOne).await.unwrap();
        let _second = registry.register(&identity("a", "2"), Share::OfOne).await.unwrap();
        assert_eq!(registry.register(&identity("a", "3"), Share::OfOne).await.err(), Some(NotRegistered::TooMany));
        drop(first);
        assert!(registry.register(&identity("a", "3"), Share::OfOne).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn all_clients_of_a_user_share_a_bucket_that_coming_back_does_not_fill() {
        let registry = registry(2);
        let first = registry.register(&identity("a", "1"), Share::OfOne).await.unwrap();
        let second = registry.register(&identity("a", "2"), Share::OfOne).await.unwrap();
        let other = registry.register(&identity("b", "1"), Share::OfOne).await.unwrap();
        let debt = first.bucket.take(20, Instant::now());
        assert!(debt.is_some());
        assert_eq!(second.bucket.in_debt_until(Instant::now()), debt);
        assert_eq!(other.bucket.in_debt_until(Instant::now()), None);
        drop((first, second));
        let again = registry.register(&identity("a", "1"), Share::OfOne).await.unwrap();
        assert_eq!(again.bucket.in_debt_until(Instant::now()), debt);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_may_send_more_than_who_speaks_for_itself_from_when_the_rules_make_it_one() {
        let limits = Limits { tokens_per_second: 10, tokens_per_second_of_services: 100, ..Limits::default() };
        let registry = Arc::new(Registry::new(&limits, 0));
        let one = registry.register(&identity("a", "1"), Share::OfOne).await.unwrap();
        let many = registry.register(&identity("b", "1"), Share::OfMany).await.unwrap();
        let now = Instant::now();
        assert!(one.bucket.take(11, now).is_some());
        assert_eq!(many.bucket.take(100, now), None);
        let promoted = registry.register(&identity("a", "2"), Share::OfMany).await.unwrap();
        assert_eq!(promoted.bucket.take(100, now), None);
        assert!(one.bucket.in_debt_until(now).is_some(), "a connection of before stays what it was");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_and_goes_too_often_waits_and_in_the_end_does_not_come_in() {
        let limits = Limits { tokens_per_second: 1_000, ..Limits::default() };
        let registry = Arc::new(Registry::new(&limits, 0));
        let (churner, other) = (Owner::User("churner".into()), Owner::User("other".into()));
        let started = Instant::now();
        let deadline = || Instant::now() + Duration::from_secs(5);
        for _ in 0..300 {
            registry.charge(&churner, Share::OfOne, deadline()).await.unwrap();
        }
        assert_eq!(started.elapsed(), Duration::from_secs(2), "a second's worth at once");
        let many = join_all((0..2_000).map(|_| registry.charge(&churner, Share::OfOne, deadline()))).await;
        let let_in = many.iter().filter(|answer| answer.is_ok()).count();
        assert!((500..=501).contains(&let_in), "{let_in}");
        assert!(many.contains(&Err(NotRegistered::TooOften)));
        assert_eq!(started.elapsed(), Duration::from_secs(7), "nobody waited longer than the deadline");
        // A fleet has a bucket for each vehicle.
        let fleet = (0..10_000).map(|n| Owner::User(n.to_string().into())).chain([other]);
        for vehicle in fleet {
            registry.charge(&vehicle, Share::OfOne, deadline()).await.unwrap();
        }
        assert_eq!(started.elapsed(), Duration::from_secs(7));
        tokio::time::advance(Duration::from_secs(1)).await;
        registry.charge(&churner, Share::OfOne, deadline()).await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_secs(8), "the debt has an end");
    }

    #[tokio::test(start_paused = true)]
    async fn users_who_have_gone_are_forgotten_in_time() {
        let registry = registry(2);
        let _stays = registry.register(&identity("stays", "1"), Share::OfOne).await.unwrap();
        for n in 0..1_000 {
            let passing = registry.register(&identity(&format!("user-{n}"), "1"), Share::OfOne).await.unwrap();
            passing.bucket.take(1, Instant::now());
            drop(passing);
            tokio::time::advance(Duration::from_millis(100)).await;
            assert!(registry.state().users.len() <= MIN_SWEEP);
        }
        assert!(registry.state().users.contains_key(&Owner::User("stays".into())));
    }
}
