use std::{io, pin::pin, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    Delivery, Options, Publisher,
    backoff::Backoff,
    connection::{Connection, End},
    ear::{Ear, Told},
    options::{CONNECT_TIMEOUT, bare},
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
pub struct Events(mpsc::Receiver<Told>);

impl Events {
    /// The next event; `None` once the session has ended after its shutdown.
    pub async fn recv(&mut self) -> Option<Event> {
        self.0.recv().await.map(|(event, _)| event)
    }

    /// An event that is here already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.0.try_recv().ok().map(|(event, _)| event)
    }
}

/// Begins a session. It goes on until `shutdown`, then waits up to two seconds for acknowledgements, says DISCONNECT
/// and ends, which [`Events::recv`] tells by `None`. So do those with [other brokers](Options::others).
pub fn connect(options: Options, shutdown: CancellationToken) -> (Publisher, Events) {
    let (events, receiver) = mpsc::channel(options.backlog.max(1));
    let ear = Ear::new(events);
    let others: Vec<_> = options.others.iter().map(|peer| (options.with_peer(peer), Publisher::default())).collect();
    let publisher = Publisher::beside(others.iter().map(|(_, publisher)| publisher.clone()));
    for (options, own) in others {
        tokio::spawn(keep_connected(options, own, ear.beside(&publisher), shutdown.clone()));
    }
    tokio::spawn(keep_connected(options, publisher.clone(), ear, shutdown));
    (publisher, Events(receiver))
}

async fn keep_connected(options: Options, publisher: Publisher, ear: Ear, shutdown: CancellationToken) {
    let mut connector = options.tls.clone().map(Connector::new);
    let mut backoff = Backoff::default();
    let mut rng = SmallRng::from_os_rng();
    let mut last_reason = String::new();
    let addresses = options.addresses();
    let mut at = 0;
    while !shutdown.is_cancelled() {
        let (host, port) = addresses[at];
        let before = &addresses[..at];
        let session = Session { options: &options, publisher: &publisher, ear: &ear, shutdown: &shutdown };
        let (end, stood) = session.attempt((host, port), before, connector.as_mut(), &mut rng).await;
        publisher.set(None);
        options.standing.set(false);
        let (reason, wait) = match end {
            Outcome::Over(End::Stopped) => return,
            Outcome::Over(End::Lost { reason, silent }) => {
                // An outage of hours is one line in the log, not one for every attempt.
                if stood.is_some() || reason != last_reason {
                    warn!(broker = host, port, user = options.username, reason, "no connection to the broker");
                }
                // To try one again that has only fallen silent would be to wait again.
                if stood.is_none() || silent {
                    at = (at + 1) % addresses.len();
                }
                last_reason.clone_from(&reason);
                (reason, backoff.next(stood, &mut rng))
            }
            Outcome::Return(to) => {
                at = to;
                let (broker, port) = addresses[to];
                info!(broker, port, user = options.username, "a broker that is preferred answers again");
                ("going back to a broker that is preferred".to_owned(), Duration::ZERO)
            }
        };
        tokio::select! {
            told = ear.tell(Event::Down { reason }) => if !told { return },
            () = shutdown.cancelled() => return,
        }
        tokio::select! {
            () = sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// How an attempt ended.
enum Outcome {
    Over(End),
    /// In good order, since the broker of that index answers.
    Return(usize),
}

struct Session<'a> {
    options: &'a Options,
    publisher: &'a Publisher,
    ear: &'a Ear,
    shutdown: &'a CancellationToken,
}

impl Session<'_> {
    /// One connection, and how long it stood. It is left for one of the brokers `before` it that answers.
    async fn attempt(
        &self,
        (host, port): (&str, u16),
        before: &[(&str, u16)],
        connector: Option<&mut Connector>,
        rng: &mut SmallRng,
    ) -> (Outcome, Option<Duration>) {
        let options = self.options;
        let tls = match connector {
            Some(connector) => match connector.config().await {
                Ok(config) => Some(config),
                Err(error) => return (Outcome::Over(End::lost(reason::of_chain(&error))), None),
            },
            None => None,
        };
        options.traffic.connection(tls.is_some());
        let to = options.to_rumqttc(host, port, tls.clone());
        let mut connection = Connection::new(options, to, self.publisher, self.ear);
        let leave = self.shutdown.child_token();
        let mut returns = None;
        let end = {
            let mut running = pin!(connection.run(&leave));
            tokio::select! {
                end = &mut running => end,
                index = until_one_answers(options, before, tls, rng) => {
                    returns = Some(index);
                    leave.cancel();
                    running.await
                }
            }
        };
        let stood = connection.stood();
        match (end, returns) {
            (End::Stopped, Some(index)) if !self.shutdown.is_cancelled() && !self.ear.is_closed() => {
                (Outcome::Return(index), stood)
            }
            (end, _) => (Outcome::Over(end), stood),
        }
    }
}

/// Knocks at these brokers now and then.
async fn until_one_answers(
    options: &Options,
    brokers: &[(&str, u16)],
    tls: Option<Arc<ClientConfig>>,
    rng: &mut SmallRng,
) -> usize {
    let Some((least, most)) = options.return_after.filter(|_| !brokers.is_empty()) else {
        return std::future::pending().await;
    };
    loop {
        sleep(rng.random_range(least..=most.max(least))).await;
        for (index, (host, port)) in brokers.iter().enumerate() {
            match timeout(CONNECT_TIMEOUT, knock(bare(host), *port, tls.clone())).await {
                Ok(Ok(())) => return index,
                Ok(Err(error)) => debug!(broker = host, port, %error, "a broker that is preferred is still away"),
                Err(_) => debug!(broker = host, port, "a broker that is preferred does not answer"),
            }
        }
    }
}

async fn knock(host: &str, port: u16, tls: Option<Arc<ClientConfig>>) -> io::Result<()> {
    let socket = TcpStream::connect((host, port)).await?;
    if let Some(config) = tls {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(config).connect(name, socket).await?;
    }
    Ok(())
}
