use std::{pin::pin, sync::Arc, time::Duration};

use bugbrother_client::{Delivery, Event, Events};
use bugbrother_store::Arrival;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::acks::Acks;

/// Half of what our broker has under way: while these are committed, as many come in.
const MAX_MESSAGES: usize = 2_000;
const MAX_BYTES: usize = 8 << 20;
/// The first message of a batch waits no longer than this for others.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// A broker has only so many messages under way (Mosquitto 20, ours 4,000): when it falls quiet, more come only after
/// these are acknowledged.
const QUIET: Duration = Duration::from_millis(8);

/// Messages that are committed together, with what they say.
pub struct Batch {
    pub deliveries: Vec<Delivery>,
    pub arrivals: Vec<Arrival>,
    /// It could have been committed before, had the one before been.
    pub has_waited: bool,
    /// Its turn, until it is dropped.
    pub turn: OwnedSemaphorePermit,
}

/// What has been gathered of a batch.
#[derive(Default)]
struct Gathered {
    deliveries: Vec<Delivery>,
    arrivals: Vec<Arrival>,
    bytes: usize,
}

impl Gathered {
    fn take(&mut self, event: Event, acks: &Acks) {
        match event {
            Event::Message(delivery) => {
                self.bytes += delivery.payload.len();
                self.arrivals.push(crate::arrival(&delivery, crate::now()));
                self.deliveries.push(delivery);
            }
            Event::Up => acks.wake(),
            Event::Down { .. } => {}
        }
    }

    fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    fn is_full(&self) -> bool {
        self.deliveries.len() >= MAX_MESSAGES || self.bytes >= MAX_BYTES
    }
}

/// The next batch: at least one message, and as much as comes until it is its turn. `None` when the shutdown comes before the
/// first message, or the session has ended.
pub async fn gather(
    events: &mut Events,
    acks: &Acks,
    turn: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<Batch> {
    let mut batch = Gathered::default();
    while batch.is_empty() {
        tokio::select! {
            event = events.recv() => batch.take(event?, acks),
            () = shutdown.cancelled() => return None,
        }
    }
    let end = Instant::now() + MAX_WAIT;
    while !batch.is_full() {
        match timeout_at(end.min(Instant::now() + QUIET), events.recv()).await {
            Ok(Some(event)) => batch.take(event, acks),
            // The session's end is met again by the next call.
            Ok(None) | Err(_) => break,
        }
    }
    let mut has_waited = false;
    let mut is_open = true;
    let turn = Arc::clone(turn).acquire_owned();
    let mut turn = pin!(turn);
    let turn = loop {
        tokio::select! {
            biased;
            turn = &mut turn => break turn.expect("it is never closed"),
            event = events.recv(), if is_open && !batch.is_full() => match event {
                Some(event) => batch.take(event, acks),
                None => is_open = false,
            },
        }
        has_waited = true;
    };
    let Gathered { deliveries, arrivals, .. } = batch;
    Some(Batch { deliveries, arrivals, has_waited, turn })
}
