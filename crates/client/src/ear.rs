use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{Event, Publisher};

/// Bytes of packets that wait for the listener, with one packet more. The messages of a backlog may all be of the largest size.
const MAX_BYTES: usize = 32 << 20;

/// An event on its way, and the room that it takes while it waits.
pub(crate) type Told = (Event, Option<OwnedSemaphorePermit>);

/// Who listens to a session, and to those with other brokers that belong to it.
#[derive(Clone)]
pub(crate) struct Ear {
    events: mpsc::Sender<Told>,
    room: Arc<Semaphore>,
    /// The session that this one belongs to.
    first: Option<Publisher>,
}

impl Ear {
    pub fn new(events: mpsc::Sender<Told>) -> Self {
        Ear { events, room: Arc::new(Semaphore::new(MAX_BYTES)), first: None }
    }

    /// Of a session beside that one.
    pub fn beside(&self, first: &Publisher) -> Self {
        Ear { first: Some(first.clone()), ..self.clone() }
    }

    /// Tells what happened, if it is for the listener to know. False when nobody listens any more.
    pub async fn tell(&self, event: Event) -> bool {
        let concerns = match (&self.first, &event) {
            (None, _) | (_, Event::Message(_)) => true,
            // Should the first one come up in this moment, it says so itself.
            (Some(first), Event::Up) => first.is_connected(),
            (Some(_), Event::Down { .. }) => false,
        };
        if !concerns {
            return !self.is_closed();
        }
        let room = match &event {
            Event::Message(delivery) => {
                let bytes = u32::try_from(delivery.packet_bytes.min(MAX_BYTES)).unwrap_or(u32::MAX);
                // It is never closed. Of a listener that is gone nothing waits any more, so there is room.
                Arc::clone(&self.room).acquire_many_owned(bytes).await.ok()
            }
            Event::Up | Event::Down { .. } => None,
        };
        self.events.send((event, room)).await.is_ok()
    }

    pub fn is_closed(&self) -> bool {
        self.events.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};
    use rumqttc::v5::{AsyncClient, MqttOptions, mqttbytes::v5::Publish};

    use super::*;
    use crate::Delivery;

    fn message(bytes: usize) -> Event {
        let (client, _) = AsyncClient::new(MqttOptions::new("ear", "localhost", 1883), 1);
        let publish = Publish { topic: "t".into(), payload: vec![0; bytes].into(), ..Publish::default() };
        Event::Message(Delivery::new(publish, client).unwrap())
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_goes_on_when_some_of_it_is_heard() {
        let (events, mut receiver) = mpsc::channel(100);
        let ear = Ear::new(events);
        for _ in 0..3 {
            assert_eq!(ear.tell(message(MAX_BYTES / 4)).now_or_never(), Some(true));
        }
        let mut fourth = Box::pin(ear.tell(message(MAX_BYTES / 2)));
        assert!(poll!(&mut fourth).is_pending(), "a hundred would have had a place");
        assert!(receiver.recv().await.is_some());
        assert!(poll!(&mut fourth).is_pending(), "that was not enough");
        assert!(receiver.recv().await.is_some());
        assert!(fourth.await);
    }

    #[tokio::test]
    async fn a_message_that_is_larger_than_all_the_room_comes_alone_and_nobody_is_waited_for_who_is_gone() {
        let (events, mut receiver) = mpsc::channel(100);
        let ear = Ear::new(events);
        assert!(ear.tell(message(2 * MAX_BYTES)).await);
        let mut second = Box::pin(ear.tell(message(1)));
        assert!(poll!(&mut second).is_pending());
        receiver.recv().await.unwrap();
        assert!(second.await);
        assert!(ear.tell(message(MAX_BYTES - 100)).now_or_never().is_some());
        let waiting = tokio::spawn({
            let ear = ear.clone();
            async move { ear.tell(message(MAX_BYTES)).await }
        });
        tokio::task::yield_now().await;
        drop(receiver);
        assert!(!waiting.await.unwrap());
    }
}
