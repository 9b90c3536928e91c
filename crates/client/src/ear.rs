use tokio::sync::mpsc;

use crate::{Event, Publisher};

/// Who listens to a session, and to those with other brokers that belong to it.
#[derive(Clone)]
pub(crate) struct Ear {
    events: mpsc::Sender<Event>,
    /// The session that this one belongs to.
    first: Option<Publisher>,
}

impl Ear {
    pub fn new(events: mpsc::Sender<Event>) -> Self {
        Ear { events, first: None }
    }

    /// Of a session beside that one.
    pub fn beside(&self, first: &Publisher) -> Self {
        Ear { events: self.events.clone(), first: Some(first.clone()) }
    }

    /// Tells what happened, if it is for the listener to know. False when nobody listens any more.
    pub async fn tell(&self, event: Event) -> bool {
        let concerns = match (&self.first, &event) {
            (None, _) | (_, Event::Message(_)) => true,
            // Should the first one come up in this moment, it says so itself.
            (Some(first), Event::Up) => first.is_connected(),
            (Some(_), Event::Down { .. }) => false,
        };
        if concerns { self.events.send(event).await.is_ok() } else { !self.is_closed() }
    }

    pub fn is_closed(&self) -> bool {
        self.events.is_closed()
    }
}
