use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    Delivery, Options, Publisher,
    backoff::Backoff,
    connection::{Connection, End},
    reason,
    tls::Connector,
};

/// What happens to a session.
#[derive(Debug)]
pub enum Event {
    /// Connected, and every filter is subscribed.
    Up,
    /// No longer connected, or an attempt failed. The session tries again by itself.
    Down {
        /// Why.
        reason: String,
    },
    /// A message arrived. Of a session that the broker kept it may come before [`Event::Up`].
    Message(Delivery),
}

/// What happens to a session, in order.
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event; `None` once the session has ended after its shutdown.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await
    }

    /// An event that is here already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }
}

/// Begins a session. It goes on until `shutdown`, then waits up to two seconds for acknowledgements, says DISCONNECT
/// and ends, which [`Events::recv`] tells by `None`.
pub fn connect(options: Options, shutdown: CancellationToken) -> (Publisher, Events) {
    let (events, receiver) = mpsc::channel(options.backlog.max(1));
    let publisher = Publisher::default();
    tokio::spawn(keep_connected(options, publisher.clone(), events, shutdown));
    (publisher, Events(receiver))
}

async fn keep_connected(
    options: Options,
    publisher: Publisher,
    events: mpsc::Sender<Event>,
    shutdown: CancellationToken,
) {
    let mut connector = options.tls.clone().map(Connector::new);
    let mut backoff = Backoff::default();
    let mut rng = SmallRng::from_os_rng();
    let mut last_reason = String::new();
    let mut addresses = options.addresses().cycle().peekable();
    while !shutdown.is_cancelled() {
        let Some(&(host, port)) = addresses.peek() else { return };
        let (end, stood) = attempt(&options, host, port, connector.as_mut(), &publisher, &events, &shutdown).await;
        publisher.set(None);
        let reason = match end {
            End::Stopped => return,
            End::Lost(reason) => reason,
        };
        let wait = backoff.next(stood, &mut rng);
        // An outage of hours is one line in the log, not one for every attempt.
        if stood.is_some() || reason != last_reason {
            warn!(broker = host, port, user = options.username, reason, "no connection to the broker");
        }
        if stood.is_none() {
            addresses.next();
        }
        last_reason.clone_from(&reason);
        tokio::select! {
            sent = events.send(Event::Down { reason }) => if sent.is_err() { return },
            () = shutdown.cancelled() => return,
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// One connection, and how long it stood.
async fn attempt(
    options: &Options,
    host: &str,
    port: u16,
    connector: Option<&mut Connector>,
    publisher: &Publisher,
    events: &mpsc::Sender<Event>,
    shutdown: &CancellationToken,
) -> (End, Option<Duration>) {
    let tls = match connector {
        Some(connector) => match connector.config().await {
            Ok(config) => Some(config),
            Err(error) => return (End::Lost(reason::of_chain(&error)), None),
        },
        None => None,
    };
    let mut connection = Connection::new(options, options.to_rumqttc(host, port, tls), publisher, events);
    let end = connection.run(shutdown).await;
    (end, connection.stood())
}
