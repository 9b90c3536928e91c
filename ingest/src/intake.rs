use std::time::Duration;

use bugbrother_client::{Delivery, Event, Events};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::acks::Acks;

/// Half of what our broker has under way: while these are committed, as many come in.
const MAX_MESSAGES: usize = 500;
const MAX_BYTES: usize = 8 << 20;
/// The first message of a batch waits no longer than this for others.
const MAX_WAIT: Duration = Duration::from_millis(50);
/// A broker has only so many messages under way (Mosquitto 20, ours 1,000): when it falls quiet, more come only after
/// these are acknowledged.
const QUIET: Duration = Duration::from_millis(8);

/// The next batch: at least one message. `None` when the shutdown comes before the first one, or the session has ended.
pub async fn gather(events: &mut Events, acks: &Acks, shutdown: &CancellationToken) -> Option<Vec<Delivery>> {
    let first = loop {
        let event = tokio::select! {
            event = events.recv() => event?,
            () = shutdown.cancelled() => return None,
        };
        if let Some(delivery) = message(event, acks) {
            break delivery;
        }
    };
    let end = Instant::now() + MAX_WAIT;
    let mut bytes = first.payload.len();
    let mut batch = vec![first];
    while batch.len() < MAX_MESSAGES && bytes < MAX_BYTES {
        match timeout_at(end.min(Instant::now() + QUIET), events.recv()).await {
            Ok(Some(event)) => {
                if let Some(delivery) = message(event, acks) {
                    bytes += delivery.payload.len();
                    batch.push(delivery);
                }
            }
            // The session's end is met again by the next call.
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

fn message(event: Event, acks: &Acks) -> Option<Delivery> {
    match event {
        Event::Message(delivery) => Some(delivery),
        Event::Up => {
            acks.wake();
            None
        }
        Event::Down { .. } => None,
    }
}
