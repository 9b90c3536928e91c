//! A session as those see it who have something for it: what it has subscribed to, and what waits to be sent.
//!
//! A client that is away keeps its subscriber if its session lasts. Then it gathers what it has to get at QoS 1 and 2.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;

use crate::{
    Limits,
    count::{self, Dropped},
    message::Message,
    share::Group,
    subscriptions::{Subscription, Subscriptions},
};

/// One queue may have a part of what is left for all: so many that are full leave something to others.
const PARTS: usize = 4;
/// So many of a queue may be parts of a batch.
const MOST_SLICES: usize = 64;
/// A larger one is most of its batch.
const SMALL: usize = 4 * 1024;
/// Places that an empty queue keeps.
const KEPT_PLACES: usize = 16;

/// A message on its way to one client.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    /// Of the subscriptions that it is for.
    pub(crate) identifiers: Vec<u32>,
    /// Its number among those of a session that lasts. They stay until they are acknowledged.
    pub(crate) seq: Option<u64>,
    /// The shared subscription that it came by.
    pub(crate) group: Option<Arc<Group>>,
}

/// What all queues together may take.
pub(crate) struct Budget {
    bytes: usize,
    bytes_of_one: usize,
    messages_of_one: usize,
    used: AtomicUsize,
    waiting: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Budget {
            bytes: limits.queues_bytes,
            bytes_of_one: limits.queue_bytes,
            messages_of_one: limits.queue_messages,
            used: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Takes a message's weight for a queue that has so much.
    fn take(&self, messages: usize, bytes: usize, weight: usize) -> bool {
        let left = self.bytes.saturating_sub(self.used.load(Relaxed));
        let fits = messages < self.messages_of_one && bytes + weight <= self.bytes_of_one.min(left / PARTS);
        if fits {
            self.used.fetch_add(weight, Relaxed);
            self.waiting.fetch_add(1, Relaxed);
        }
        fits
    }

    fn give(&self, messages: usize, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
        self.waiting.fetch_sub(messages, Relaxed);
    }

    /// Messages that wait, and their weight.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.waiting.load(Relaxed), self.used.load(Relaxed))
    }
}

/// Whether somebody is there to get something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Here,
    /// Its session lasts.
    Away,
    Gone,
}

/// The subscriptions and the queue of one session.
pub(crate) struct Subscriber {
    /// Of the session, never used twice and never 0.
    pub(crate) number: u64,
    budget: Arc<Budget>,
    state: Mutex<State>,
    /// Length of the queue, to look at without waiting for those who fill it.
    waiting: AtomicUsize,
    dropped: AtomicU64,
    bell: Notify,
}

struct State {
    subscriptions: Subscriptions,
    queue: VecDeque<Delivery>,
    bytes: usize,
    presence: Presence,
    lasts: bool,
    last_seq: u64,
    /// What was published before the client was here is not for it, at QoS 0.
    here_since: u64,
}

impl Subscriber {
    pub(crate) fn new(number: u64, lasts: bool, budget: &Arc<Budget>) -> Arc<Self> {
        Arc::new(Subscriber {
            number,
            budget: Arc::clone(budget),
            state: Mutex::new(State {
                subscriptions: Subscriptions::default(),
                queue: VecDeque::new(),
                bytes: 0,
                presence: Presence::Here,
                lasts,
                last_seq: 0,
                here_since: 0,
            }),
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            bell: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two steps that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the subscriptions.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Subscriptions) -> T) -> T {
        look(&self.state().subscriptions)
    }

    /// Changes the subscriptions.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Subscriptions) -> T) -> T {
        change(&mut self.state().subscriptions)
    }

    /// A message came through the router.
    pub(crate) fn hear(&self, message: &Arc<Message>) {
        let mut state = self.state();
        if state.presence != Presence::Here || message.seq < state.here_since {
            return;
        }
        let Some(wanted) = state.subscriptions.wanted(message, self.number) else { return };
        // What a session that lasts gets at a higher QoS it has got already from whoever published it.
        if wanted.qos > 0 && state.lasts {
            return;
        }
        // One that waits for long must not keep the batch in memory that it came in.
        let waits = state.queue.len() >= MOST_SLICES && message.bytes() < SMALL;
        let delivery = Delivery {
            message: if waits { Arc::new(message.detached()) } else { Arc::clone(message) },
            qos: wanted.qos,
            retain: wanted.retain,
            identifiers: wanted.identifiers,
            seq: None,
            group: None,
        };
        if self.push(&mut state, delivery).is_err() {
            self.lose(Dropped::SlowSubscriber);
        }
    }

    /// A message was published that a session which lasts must not miss. The delivery, if it is one, now waits.
    pub(crate) fn keep(&self, message: &Arc<Message>) -> Option<Delivery> {
        let mut state = self.state();
        if state.presence == Presence::Gone || !state.lasts {
            return None;
        }
        let wanted = state.subscriptions.wanted(message, self.number).filter(|wanted| wanted.qos > 0)?;
        let delivery = Delivery {
            message: Arc::clone(message),
            qos: wanted.qos,
            retain: wanted.retain,
            identifiers: wanted.identifiers,
            seq: Some(0),
            group: None,
        };
        let pushed = self.push(&mut state, delivery);
        if pushed.is_err() {
            self.lose(Dropped::QueueFull);
        }
        pushed.ok()
    }

    /// Takes a message of a shared subscription, or gives it back: because nobody is here and it is not `away` that is
    /// looked for, or the queue is full.
    pub(crate) fn accept(&self, mut delivery: Delivery, away: bool) -> Result<Delivery, Delivery> {
        let mut state = self.state();
        let fits = match state.presence {
            Presence::Here => !away,
            Presence::Away => away && delivery.qos > 0,
            Presence::Gone => false,
        };
        if !fits {
            return Err(delivery);
        }
        delivery.seq = (state.lasts && delivery.qos > 0).then_some(0);
        self.push(&mut state, delivery)
    }

    /// `seq` is given here where one is wanted.
    fn push(&self, state: &mut State, mut delivery: Delivery) -> Result<Delivery, Delivery> {
        let weight = delivery.message.weight();
        if !self.budget.take(state.queue.len(), state.bytes, weight) {
            return Err(delivery);
        }
        if let Some(seq) = &mut delivery.seq {
            state.last_seq += 1;
            *seq = state.last_seq;
        }
        state.bytes += weight;
        state.queue.push_back(delivery.clone());
        self.waiting.store(state.queue.len(), Relaxed);
        if state.presence == Presence::Here {
            self.bell.notify_one();
        }
        Ok(delivery)
    }

    fn lose(&self, reason: Dropped) {
        count::dropped(reason, 1);
        self.dropped.fetch_add(1, Relaxed);
    }

    /// A number for a delivery that was never in the queue.
    pub(crate) fn next_seq(&self) -> u64 {
        let mut state = self.state();
        state.last_seq += 1;
        state.last_seq
    }

    /// Puts back what was on disk, in order.
    pub(crate) fn restore(&self, delivery: Delivery) {
        let mut state = self.state();
        state.last_seq = state.last_seq.max(delivery.seq.unwrap_or(0));
        let weight = delivery.message.weight();
        // It was paid for before: no limit takes away what was acknowledged.
        self.budget.used.fetch_add(weight, Relaxed);
        self.budget.waiting.fetch_add(1, Relaxed);
        state.bytes += weight;
        state.queue.push_back(delivery);
        self.waiting.store(state.queue.len(), Relaxed);
    }

    /// Numbers up to this one were given before.
    pub(crate) fn count_from(&self, seq: u64) {
        let mut state = self.state();
        state.last_seq = state.last_seq.max(seq);
    }

    /// The next deliveries, at most `most`, and no more when they have come to so many bytes.
    pub(crate) fn take(&self, most: usize, bytes: usize) -> Vec<Delivery> {
        let mut state = self.state();
        let mut sum = 0;
        let fitting = state.queue.iter().take(most).take_while(|delivery| {
            let fits = sum < bytes;
            sum += delivery.message.bytes();
            fits
        });
        let count = fitting.count();
        let taken: Vec<_> = state.queue.drain(..count).collect();
        let bytes = taken.iter().map(|delivery| delivery.message.weight()).sum::<usize>();
        state.bytes -= bytes;
        if state.queue.is_empty() && state.queue.capacity() > KEPT_PLACES {
            // A burst is no reason to keep its memory.
            state.queue = VecDeque::new();
        }
        self.waiting.store(state.queue.len(), Relaxed);
        self.budget.give(count, bytes);
        taken
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }

    /// Waits until something was put into the queue.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Messages that were lost because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// The client is connected again, and its session lasts or does not.
    pub(crate) fn arrive(&self, lasts: bool) {
        let mut state = self.state();
        state.presence = Presence::Here;
        state.lasts = lasts;
    }

    /// The client hears of what is published from this number on.
    pub(crate) fn listen_from(&self, seq: u64) {
        self.state().here_since = seq;
    }

    /// The client is not connected any more, and its session lasts. What it would have got at QoS 0 is dropped.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.presence = Presence::Away;
        let queue = std::mem::take(&mut state.queue);
        let (kept, dropped): (VecDeque<_>, VecDeque<_>) =
            queue.into_iter().partition(|delivery| delivery.seq.is_some());
        let bytes = dropped.iter().map(|delivery| delivery.message.weight()).sum::<usize>();
        self.budget.give(dropped.len(), bytes);
        state.bytes -= bytes;
        self.waiting.store(kept.len(), Relaxed);
        state.queue = kept;
    }

    /// The session is over; what it had subscribed to, and what is left in the queue.
    pub(crate) fn end(&self) -> (Vec<Subscription>, Vec<Delivery>) {
        let mut state = self.state();
        state.presence = Presence::Gone;
        let filters: Vec<_> = state.subscriptions.iter().map(|own| own.filter.clone()).collect();
        let subscriptions = filters.iter().filter_map(|filter| state.subscriptions.remove(filter)).collect();
        let left: Vec<_> = std::mem::take(&mut state.queue).into();
        self.budget.give(left.len(), std::mem::take(&mut state.bytes));
        self.waiting.store(0, Relaxed);
        (subscriptions, left)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(qos: u8, payload: &'static [u8]) -> Arc<Message> {
        Arc::new(Message { qos, ..Message::new("a", Bytes::from_static(payload)) })
    }

    fn subscriber(lasts: bool, limits: &Limits) -> (Arc<Subscriber>, Arc<Budget>) {
        let budget = Budget::new(limits);
        let own = Subscriber::new(1, lasts, &budget);
        own.change(|subscriptions| {
            subscriptions.insert(Subscription {
                filter: "a".into(),
                qos: 2,
                no_local: false,
                retain_as_published: false,
                identifier: None,
                since: 0,
                group: None,
            });
        });
        (own, budget)
    }

    #[test]
    fn a_session_that_lasts_gets_each_message_by_one_way_only() {
        let (own, budget) = subscriber(true, &Limits::default());
        for qos in 0..3 {
            own.hear(&message(qos, b"x"));
            own.keep(&message(qos, b"x"));
        }
        let taken: Vec<_> = own.take(9, usize::MAX).iter().map(|delivery| (delivery.qos, delivery.seq)).collect();
        assert_eq!(taken, [(0, None), (1, Some(1)), (2, Some(2))]);
        assert_eq!(budget.waiting(), (0, 0));
    }

    #[test]
    fn who_is_away_gathers_what_must_not_be_lost_and_nothing_else() {
        let (own, budget) = subscriber(true, &Limits::default());
        own.hear(&message(0, b"x"));
        own.keep(&message(1, b"1"));
        own.leave();
        own.hear(&message(0, b"x"));
        own.keep(&message(1, b"2"));
        assert_eq!(
            own.take(9, usize::MAX).iter().map(|delivery| delivery.message.payload[0]).collect::<Vec<_>>(),
            b"12"
        );
        own.end();
        assert!(own.keep(&message(1, b"3")).is_none());
        assert_eq!(budget.waiting(), (0, 0));
    }

    #[test]
    fn a_full_queue_refuses_what_is_new_and_counts_it() {
        let (own, _) = subscriber(true, &Limits { queue_messages: 2, ..Limits::default() });
        for payload in [b"1", b"2", b"3"] {
            own.keep(&message(1, payload));
        }
        assert_eq!(own.dropped(), 1);
        assert_eq!(own.take(1, usize::MAX)[0].message.payload, &b"1"[..]);
        assert!(own.keep(&message(1, b"4")).is_some());
    }

    #[test]
    fn queues_that_are_full_leave_something_to_others() {
        let limits = Limits { queues_bytes: 100_000, queue_bytes: 50_000, ..Limits::default() };
        let budget = Budget::new(&limits);
        let mut most = Vec::new();
        for _ in 0..10 {
            let (mut messages, mut bytes) = (0, 0);
            while budget.take(messages, bytes, 300) {
                messages += 1;
                bytes += 300;
            }
            most.push(messages);
        }
        assert!(most[0] > 50 && most[9] > 0 && most.is_sorted_by(|a, b| a >= b), "{most:?}");
    }
}
