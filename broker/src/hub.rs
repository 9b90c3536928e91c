//! From rumqttd's router to the sessions. A link of the router keeps some 40 kB whether anything comes or not, so many
//! sessions share one: a hub, which hands on to each of them what its subscriptions want.

use std::{collections::HashMap, sync::Arc};

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    count::{self, Dropped},
    link::{Arrival, Link, RouteId},
    router::{Router, RouterDied},
    subscriber::Subscriber,
};

/// Sessions that want something of a hub at a time.
const QUEUE: usize = 64;
/// Messages handed on before commands have their turn.
const PORTION: usize = 256;

/// All hubs; a session always has the same one.
pub(crate) struct Hubs {
    hubs: Vec<mpsc::Sender<Command>>,
    stop: CancellationToken,
}

pub(crate) enum Command {
    Join { name: String, subscriber: Arc<Subscriber>, reply: oneshot::Sender<RouteId> },
    Leave { number: u64, routes: Vec<RouteId> },
}

impl Hubs {
    /// Starts so many. They end with the router, or when they are stopped.
    pub(crate) fn start(router: &Router, count: usize) -> Self {
        let stop = CancellationToken::new();
        let hub = |_| {
            let (commands, queue) = mpsc::channel(QUEUE);
            let (own, stop) = (router.clone(), stop.clone());
            router.closing().spawn(async move {
                let running = run(&own, queue);
                if let Some(Err(RouterDied)) = stop.run_until_cancelled(running).await {
                    own.give_up();
                }
            });
            commands
        };
        Hubs { hubs: (0..count.max(1)).map(hub).collect(), stop }
    }

    fn of(&self, number: u64) -> &mpsc::Sender<Command> {
        &self.hubs[(number % self.hubs.len() as u64) as usize]
    }

    /// Has a session hear of messages of a routing name. What is published after this has returned will arrive.
    pub(crate) async fn join(&self, name: String, subscriber: &Arc<Subscriber>) -> Result<RouteId, RouterDied> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Join { name, subscriber: Arc::clone(subscriber), reply };
        self.of(subscriber.number).send(command).await.map_err(|_| RouterDied)?;
        answer.await.map_err(|_| RouterDied)
    }

    /// The session hears nothing more by these routes.
    pub(crate) async fn leave(&self, number: u64, routes: Vec<RouteId>) -> Result<(), RouterDied> {
        if routes.is_empty() {
            return Ok(());
        }
        self.of(number).send(Command::Leave { number, routes }).await.map_err(|_| RouterDied)
    }

    /// Gives the links back.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

type Listeners = HashMap<RouteId, Vec<Arc<Subscriber>>>;

async fn run(router: &Router, mut commands: mpsc::Receiver<Command>) -> Result<(), RouterDied> {
    let mut link = router.open().await?;
    let mut listeners = Listeners::new();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => obey(&mut link, &mut listeners, command).await?,
                None => return Ok(()),
            },
            arrival = link.next() => {
                let mut arrival = arrival?;
                for _ in 0..PORTION {
                    match arrival {
                        Arrival::Message { route, lost, message } => hand_on(&listeners, route, lost, Arc::new(message)),
                        Arrival::Paused => link.resume().await?,
                    }
                    match link.next().now_or_never() {
                        Some(next) => arrival = next?,
                        None => break,
                    }
                }
            }
        }
    }
}

async fn obey(link: &mut Link, listeners: &mut Listeners, command: Command) -> Result<(), RouterDied> {
    match command {
        Command::Join { name, subscriber, reply } => {
            let route = link.subscribe(&name).await?;
            let own = listeners.entry(route).or_default();
            if own.iter().all(|other| other.number != subscriber.number) {
                own.push(subscriber);
            }
            // Who does not wait any more leaves at its end.
            reply.send(route).ok();
        }
        Command::Leave { number, routes } => {
            for route in routes {
                let Some(own) = listeners.get_mut(&route) else { continue };
                own.retain(|other| other.number != number);
                if own.is_empty() {
                    listeners.remove(&route);
                    link.unsubscribe(route).await?;
                }
            }
        }
    }
    Ok(())
}

fn hand_on(listeners: &Listeners, route: RouteId, lost: u64, message: Arc<crate::message::Message>) {
    let Some(own) = listeners.get(&route) else { return };
    if lost > 0 {
        count::dropped(Dropped::SlowSubscriber, lost);
        tracing::error!(lost, "a hub was slower than the router's log is long");
    }
    for subscriber in own {
        subscriber.hear(route, &message);
    }
}
