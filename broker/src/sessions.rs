//! Sessions that last longer than a connection: who has one, what it waits with, and when it ends.
//!
//! While a client is connected its session is its own (`session`); this keeps what the next connection will find.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bugbrother_mosquitto_compat::password::Entry;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    Limits,
    access::{Access, Identity, Owner},
    count,
    gate::Gate,
    message::{Clock, Message},
    record::{self, Kept, Record},
    router::RouterDied,
    store::{Contents, Op},
    subscriber::{Budget, Delivery, Subscriber},
    window::Flight,
};

/// How exact the end of a session and a delayed will are.
const TICK: Duration = Duration::from_millis(200);
/// The session never ends by itself (5.0, 3.1.2.11.2).
const FOR_EVER: u32 = u32::MAX;

type Key = (Owner, String);

pub(crate) struct Sessions {
    most: usize,
    most_per_user: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    all: HashMap<Key, Session>,
    of_owner: HashMap<Owner, usize>,
}

struct Session {
    subscriber: Arc<Subscriber>,
    identity: Identity,
    /// What is at rest while the client is away; `None` while it is connected.
    rest: Option<Rest>,
}

/// A session whose client is away.
#[derive(Default)]
pub(crate) struct Rest {
    /// Deliveries that were not acknowledged, in order.
    pub(crate) left: Vec<(u16, Flight)>,
    /// QoS 2 messages of the client that it has not released.
    pub(crate) received: HashSet<u16>,
    pub(crate) expiry_s: u32,
    pub(crate) will: Option<Waiting>,
    /// When it ends; `None` for never.
    pub(crate) ends: Option<Instant>,
    pub(crate) left_at: Option<Instant>,
}

/// A will that waits for its delay or for the end of the session.
pub(crate) struct Waiting {
    pub(crate) message: Message,
    pub(crate) due: Instant,
    /// What let the client in; unknown after a restart.
    pub(crate) rights: Option<(watch::Receiver<Arc<Access>>, Option<Entry>)>,
}

/// What a client finds when it connects.
pub(crate) struct Opened {
    pub(crate) subscriber: Arc<Subscriber>,
    /// What an earlier connection has left, if there was one and it is to go on.
    pub(crate) rest: Option<Rest>,
    /// Sessions that have ended for this one.
    pub(crate) ended: Vec<Ended>,
}

/// A session that is over and has to be taken apart.
pub(crate) struct Ended {
    pub(crate) subscriber: Arc<Subscriber>,
    pub(crate) identity: Identity,
    pub(crate) rest: Rest,
}

/// There is no place for one more session that lasts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// How many clients are away, and who lost something.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) away: usize,
    pub(crate) with_losses: Vec<(Identity, u64)>,
}

impl Sessions {
    pub(crate) fn new(limits: &Limits) -> Self {
        Sessions { most: limits.sessions, most_per_user: limits.sessions_per_user, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two steps that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds or makes the session of a client that holds its identifier: nobody else can open it meanwhile.
    pub(crate) fn open(
        &self,
        identity: &Identity,
        clean: bool,
        lasts: bool,
        number: u64,
        budget: &Arc<Budget>,
    ) -> Result<Opened, Full> {
        let key = (identity.owner.clone(), identity.client_id.clone());
        let mut state = self.state();
        let mut ended = Vec::new();
        if let Some(session) = state.all.get_mut(&key) {
            let rest = session.rest.take().unwrap_or_default();
            if !clean {
                session.identity = identity.clone();
                session.subscriber.arrive(lasts);
                return Ok(Opened { subscriber: Arc::clone(&session.subscriber), rest: Some(rest), ended });
            }
            let session = state.remove(&key);
            ended.extend(session.map(|session| Ended {
                subscriber: session.subscriber,
                identity: session.identity,
                rest,
            }));
        }
        let subscriber = Subscriber::new(number, lasts, budget);
        if lasts {
            if state.of_owner.get(&identity.owner).is_some_and(|count| *count >= self.most_per_user) {
                ended.extend(Some(state.oldest_of(&identity.owner).ok_or(Full)?));
            }
            if state.all.len() >= self.most {
                return Err(Full);
            }
            let session = Session { subscriber: Arc::clone(&subscriber), identity: identity.clone(), rest: None };
            *state.of_owner.entry(identity.owner.clone()).or_default() += 1;
            state.all.insert(key, session);
        }
        count::sessions(state.all.len());
        Ok(Opened { subscriber, rest: None, ended })
    }

    /// The client is away, and its session goes on.
    pub(crate) fn rest(&self, identity: &Identity, mut rest: Rest, now: Instant) {
        rest.ends = ends(rest.expiry_s, now);
        rest.left_at = Some(now);
        let mut state = self.state();
        if let Some(session) = state.all.get_mut(&(identity.owner.clone(), identity.client_id.clone())) {
            session.rest = Some(rest);
        }
    }

    /// The session of a client that is connected is over.
    pub(crate) fn forget(&self, identity: &Identity) {
        let mut state = self.state();
        state.remove(&(identity.owner.clone(), identity.client_id.clone()));
        count::sessions(state.all.len());
    }

    /// Wills that are due, and sessions whose time is over.
    fn due(&self, now: Instant) -> (Vec<(u64, Identity, Waiting)>, Vec<Ended>) {
        let mut state = self.state();
        let (mut wills, mut over) = (Vec::new(), Vec::new());
        for (key, session) in &mut state.all {
            let Some(rest) = &mut session.rest else { continue };
            if rest.ends.is_some_and(|ends| ends <= now) {
                over.push(key.clone());
            } else if rest.will.as_ref().is_some_and(|will| will.due <= now) {
                let will = rest.will.take().map(|will| (session.subscriber.number, session.identity.clone(), will));
                wills.extend(will);
            }
        }
        let ended = over.iter().filter_map(|key| state.remove(key)).map(Ended::from).collect();
        count::sessions(state.all.len());
        (wills, ended)
    }

    pub(crate) fn survey(&self) -> Survey {
        let state = self.state();
        let with_losses = state
            .all
            .values()
            .map(|session| (session.identity.clone(), session.subscriber.dropped()))
            .filter(|(_, dropped)| *dropped > 0)
            .collect();
        let away = state.all.values().filter(|session| session.rest.is_some()).count();
        Survey { away, with_losses }
    }

    /// Puts back what was on disk; which numbers of sessions were given, and what else there was.
    pub(crate) fn restore(&self, contents: Contents, clock: Clock, budget: &Arc<Budget>) -> Restored {
        let now = Instant::now();
        let mut restored = Restored::default();
        let mut numbered: HashMap<u64, (Session, Vec<Delivery>)> = HashMap::new();
        let mut others = Vec::new();
        for (key, value) in contents {
            match record::read(&key, value, clock) {
                Some(Record::Session(number, kept)) => {
                    restored.last_number = restored.last_number.max(number);
                    if let Some(session) = revive(number, kept, clock, now, budget) {
                        numbered.insert(number, (session, Vec::new()));
                    } else {
                        restored.ops.extend(record::no_session(number));
                    }
                }
                Some(Record::Retained { owner, message }) => restored.retained.push((owner, message)),
                Some(other) => others.push(other),
                None => {
                    restored.unreadable += 1;
                    restored.ops.push(Op::Delete(key));
                }
            }
        }
        // Keys come sorted: the session's own comes after those of its queue and flights.
        let mut flights = Vec::new();
        for other in others {
            match other {
                Record::Queued(number, delivery) => {
                    if let Some((_, queue)) = numbered.get_mut(&number) {
                        queue.push(delivery);
                    }
                }
                Record::Flight { session, id, seq, released } => flights.push((session, id, seq, released)),
                Record::Received(number, id) => {
                    if let Some((Session { rest: Some(rest), .. }, _)) = numbered.get_mut(&number) {
                        rest.received.insert(id);
                    }
                }
                Record::Will { session, due_unix_ms, message } => {
                    if let Some((Session { rest: Some(rest), .. }, _)) = numbered.get_mut(&session) {
                        let due = clock.moment(clock.of_unix_ms(due_unix_ms)).unwrap_or(now);
                        rest.will = Some(Waiting { message, due, rights: None });
                    }
                }
                Record::Session(..) | Record::Retained { .. } => {}
            }
        }
        flights.sort_unstable_by_key(|(session, _, seq, _)| (*session, *seq));
        for (number, id, seq, released) in flights {
            let Some((session, queue)) = numbered.get_mut(&number) else { continue };
            session.subscriber.count_from(seq);
            let at = queue.iter().position(|delivery| delivery.seq == Some(seq));
            let delivery = at.map(|at| queue.remove(at));
            let Some(rest) = &mut session.rest else { continue };
            match delivery {
                Some(delivery) if !released => {
                    rest.left.push((id, Flight::new(delivery.qos, false, Some(delivery))));
                }
                _ if released => rest.left.push((id, Flight::new(2, true, None))),
                _ => restored.ops.push(record::no_flight(number, id)),
            }
        }
        let mut state = self.state();
        for (_, (session, queue)) in numbered {
            queue.into_iter().for_each(|delivery| session.subscriber.restore(delivery));
            *state.of_owner.entry(session.identity.owner.clone()).or_default() += 1;
            restored.sessions.push((session.identity.clone(), Arc::clone(&session.subscriber)));
            state.all.insert((session.identity.owner.clone(), session.identity.client_id.clone()), session);
        }
        count::sessions(state.all.len());
        restored
    }
}

/// What was on disk besides the sessions themselves.
#[derive(Default)]
pub(crate) struct Restored {
    pub(crate) last_number: u64,
    pub(crate) sessions: Vec<(Identity, Arc<Subscriber>)>,
    pub(crate) retained: Vec<(Owner, Message)>,
    /// What has to go.
    pub(crate) ops: Vec<Op>,
    pub(crate) unreadable: usize,
}

fn revive(number: u64, kept: Kept, clock: Clock, now: Instant, budget: &Arc<Budget>) -> Option<Session> {
    let age = match kept.left_unix_ms {
        0 => Duration::ZERO,
        left => Duration::from_millis(clock.to_unix_ms(clock.now()).saturating_sub(left)),
    };
    let left = Duration::from_secs(kept.expiry_s.into()).checked_sub(age).filter(|left| !left.is_zero());
    let ends = if kept.expiry_s == FOR_EVER { None } else { Some(now + left?) };
    let subscriber = Subscriber::new(number, true, budget);
    subscriber.leave();
    subscriber.change(|subscriptions| kept.subscriptions.into_iter().for_each(|own| subscriptions.insert(own)));
    let rest = Rest { expiry_s: kept.expiry_s, ends, left_at: Some(now), ..Rest::default() };
    Some(Session { subscriber, identity: kept.identity, rest: Some(rest) })
}

fn ends(expiry_s: u32, now: Instant) -> Option<Instant> {
    if expiry_s == FOR_EVER { None } else { now.checked_add(Duration::from_secs(expiry_s.into())) }
}

impl State {
    fn remove(&mut self, key: &Key) -> Option<Session> {
        let session = self.all.remove(key)?;
        if let Some(count) = self.of_owner.get_mut(&key.0) {
            *count -= 1;
            if *count == 0 {
                self.of_owner.remove(&key.0);
            }
        }
        Some(session)
    }

    /// Ends the session of an owner whose client is away longest.
    fn oldest_of(&mut self, owner: &Owner) -> Option<Ended> {
        let resting = self.all.iter().filter(|(key, session)| key.0 == *owner && session.rest.is_some());
        let oldest = resting.min_by_key(|(_, session)| session.rest.as_ref().and_then(|rest| rest.left_at))?;
        let key = oldest.0.clone();
        self.remove(&key).map(Ended::from)
    }
}

impl From<Session> for Ended {
    fn from(session: Session) -> Self {
        Ended { subscriber: session.subscriber, identity: session.identity, rest: session.rest.unwrap_or_default() }
    }
}

/// Sends wills when they are due, and ends sessions whose time is over.
pub(crate) async fn run(gate: &Gate) -> RouterDied {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (messages, bytes) = gate.budget.waiting();
        count::queued(messages, bytes);
        let (wills, ended) = gate.sessions.due(Instant::now());
        for (number, identity, will) in wills {
            gate.store.write(vec![record::no_will(number)]);
            if gate.publish_waiting(&identity, will).await.is_err() {
                return RouterDied;
            }
        }
        for ended in ended {
            if gate.take_apart(ended).await.is_err() {
                return RouterDied;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user: &str, client_id: &str) -> Identity {
        Identity {
            user: Some(user.into()),
            owner: Owner::User(user.into()),
            client_id: client_id.into(),
            username_as_client_id: false,
        }
    }

    fn resting(expiry_s: u32) -> Rest {
        Rest { expiry_s, ..Rest::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_its_time_is_over_and_one_for_ever_does_not() {
        let limits = Limits::default();
        let (sessions, budget) = (Sessions::new(&limits), Budget::new(&limits));
        for (id, expiry_s) in [("a", 10), ("b", FOR_EVER)] {
            sessions.open(&identity("u", id), false, true, 1, &budget).unwrap();
            sessions.rest(&identity("u", id), resting(expiry_s), Instant::now());
        }
        assert!(sessions.due(Instant::now() + Duration::from_secs(9)).1.is_empty());
        let over = sessions.due(Instant::now() + Duration::from_secs(1_000_000_000)).1;
        assert_eq!(over.iter().map(|ended| ended.identity.client_id.as_str()).collect::<Vec<_>>(), ["a"]);
        assert!(sessions.open(&identity("u", "b"), false, true, 2, &budget).unwrap().rest.is_some());
        assert!(sessions.open(&identity("u", "a"), false, true, 2, &budget).unwrap().rest.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_session_too_many_of_a_user_ends_the_one_that_was_left_longest_ago() {
        let limits = Limits { sessions_per_user: 2, sessions: 3, ..Limits::default() };
        let (sessions, budget) = (Sessions::new(&limits), Budget::new(&limits));
        let open = |user: &str, id: &str| sessions.open(&identity(user, id), false, true, 1, &budget);
        open("u", "here").unwrap();
        open("u", "away").unwrap();
        sessions.rest(&identity("u", "away"), resting(9), Instant::now());
        let ended = open("u", "new").unwrap().ended;
        assert_eq!(ended[0].identity.client_id, "away");
        assert_eq!(open("u", "more").err(), Some(Full), "all of them are here");
        open("v", "x").unwrap();
        assert_eq!(open("w", "x").err(), Some(Full));
        sessions.forget(&identity("v", "x"));
        open("w", "x").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_a_clean_session_gets_one_and_the_old_one_ends() {
        let limits = Limits::default();
        let (sessions, budget) = (Sessions::new(&limits), Budget::new(&limits));
        let first = sessions.open(&identity("u", "x"), false, true, 1, &budget).unwrap();
        sessions.rest(&identity("u", "x"), resting(9), Instant::now());
        let again = sessions.open(&identity("u", "x"), false, true, 2, &budget).unwrap();
        assert!(again.rest.is_some() && again.subscriber.number == first.subscriber.number);
        sessions.rest(&identity("u", "x"), resting(9), Instant::now());
        let clean = sessions.open(&identity("u", "x"), true, false, 3, &budget).unwrap();
        assert_eq!((clean.rest.is_none(), clean.ended.len(), clean.subscriber.number), (true, 1, 3));
        assert!(sessions.state().all.is_empty());
    }
}
