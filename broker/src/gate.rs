//! Accepts connections, watches over what must live, and stops it all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Config, Error, Limits,
    access::{Access, Identity, Owner},
    arrival::Entrance,
    attempts::Attempts,
    audience::Audience,
    canary, count,
    doorstep::Doorstep,
    files::Files,
    handshake::{self, Cause, Refusal},
    hub::Hubs,
    message::{Clock, Message},
    places::Places,
    record,
    refusals::Refusals,
    registry::Registry,
    retained::{Full, Retained, Share},
    router::{Router, RouterDied},
    session,
    sessions::{self, Ended, Restored, Sessions, Waiting},
    share::{Member, topic_filter},
    store::{Contents, Op, Store, Ticket},
    subscriber::Budget,
    sys,
    verifier::Verifier,
};

/// After the system refused a connection (no file descriptors left, mostly) the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// More links of the router would make its thread work more than they save.
const MOST_HUBS: usize = 4;
/// Each hub is woken for each message, also where it has nobody to hear it.
const CORES_PER_HUB: usize = 2;

/// What all connections share.
pub(crate) struct Gate {
    pub(crate) limits: Limits,
    pub(crate) verifier: Verifier,
    pub(crate) attempts: Attempts,
    pub(crate) registry: Arc<Registry>,
    pub(crate) retained: Retained,
    pub(crate) router: Router,
    pub(crate) hubs: Hubs,
    pub(crate) audience: Audience,
    pub(crate) sessions: Sessions,
    pub(crate) budget: Arc<Budget>,
    pub(crate) store: Store,
    /// Who may do what, at each listener.
    accesses: Vec<watch::Receiver<Arc<Access>>>,
    pub(crate) clock: Clock,
    pub(crate) shutdown: CancellationToken,
    pub(crate) connections: Arc<Places>,
    doorstep: Arc<Doorstep>,
    keeping: Mutex<()>,
    /// Messages that were published.
    published: AtomicU64,
    refusals: Refusals,
    /// What clients do wrong: they can come again and again to do it.
    pub(crate) faults: Refusals,
    told_full: AtomicBool,
}

impl Gate {
    /// One that goes on from what a store had in it.
    pub(crate) async fn new(
        limits: Limits,
        router: Router,
        (store, contents): (Store, Contents),
        accesses: Vec<watch::Receiver<Arc<Access>>>,
        shutdown: CancellationToken,
    ) -> Result<Self, RouterDied> {
        let (clock, budget, sessions) = (Clock::start(), Budget::new(&limits), Sessions::new(&limits));
        let restored = sessions.restore(contents, clock, &budget);
        let retained = Retained::new(&limits, clock, &store);
        let audience = Audience::default();
        let last_session = restored.last_number;
        go_on(restored, &audience, &retained, &store, clock);
        let hubs = (available_parallelism().map_or(1, usize::from) / CORES_PER_HUB).clamp(1, MOST_HUBS);
        Ok(Gate {
            hubs: Hubs::start(&router, hubs).await?,
            audience,
            sessions,
            budget,
            store,
            accesses,
            doorstep: Doorstep::new(limits.handshakes, limits.handshakes_per_address),
            connections: Places::new(limits.connections, limits.connections_per_address),
            keeping: Mutex::default(),
            published: AtomicU64::new(0),
            refusals: Refusals::new(Instant::now()),
            faults: Refusals::new(Instant::now()),
            told_full: AtomicBool::new(false),
            verifier: Verifier::new(&limits),
            attempts: Attempts::new(&limits),
            registry: Arc::new(Registry::new(&limits, last_session)),
            retained,
            router,
            clock,
            shutdown,
            limits,
        })
    }

    /// Keeps a message if it is to be retained, and sends it to all who want it. `ops` are written with it. Whoever has to
    /// acknowledge it waits for the ticket.
    pub(crate) async fn publish(
        &self,
        owner: &Owner,
        share: Share,
        message: Message,
        ops: Vec<Op>,
    ) -> Result<Ticket, RouterDied> {
        count::published(message.payload.len());
        self.pass_on(owner, share, message, ops).await
    }

    /// The same for what the broker itself has to say.
    pub(crate) async fn pass_on(
        &self,
        owner: &Owner,
        share: Share,
        mut message: Message,
        mut ops: Vec<Op>,
    ) -> Result<Ticket, RouterDied> {
        message.seq = self.published.fetch_add(1, Ordering::Relaxed) + 1;
        // One after the other, so that what is kept is what was delivered last.
        let _keeping = if message.retain { Some(self.keeping.lock().await) } else { None };
        if message.retain {
            match self.retained.keep(owner, share, &message) {
                Ok(op) => ops.extend(op),
                Err(Full) => self.tell_full(owner, &message),
            }
        }
        self.audience.reach(&message, self.clock, &mut ops);
        let ticket = self.store.write(ops);
        self.router.publish(message).await?;
        Ok(ticket)
    }

    /// The number of the first message that is published from now on.
    pub(crate) fn next_seq(&self) -> u64 {
        self.published.load(Ordering::Relaxed) + 1
    }

    fn tell_full(&self, owner: &Owner, message: &Message) {
        count::dropped(count::Dropped::RetainedFull, 1);
        if !self.told_full.swap(true, Ordering::Relaxed) {
            let (topic, bytes) = (message.topic(), message.bytes());
            tracing::error!(
                ?owner,
                topic,
                bytes,
                "no place for more retained messages: they are delivered and not kept"
            );
        }
    }

    /// Publishes a will whose time has come, if its client still may.
    pub(crate) async fn publish_waiting(&self, identity: &Identity, will: Waiting) -> Result<(), RouterDied> {
        let Waiting { mut message, rights, .. } = will;
        let topic = message.topic();
        let (may, share) = match &rights {
            Some((access, entry)) => {
                let access = access.borrow();
                // A will that has waited is nobody's any more when the account was taken back meanwhile.
                let known = || access.passwords.as_ref()?.entry(identity.user.as_deref()?);
                let is_known = entry.is_none() || entry.as_ref() == known();
                (is_known && access.may_write(identity, topic), access.share(&identity.owner))
            }
            None => (self.accesses.iter().any(|access| access.borrow().may_write(identity, topic)), Share::OfOne),
        };
        if !may {
            count::publish_denied();
            return Ok(());
        }
        message.expires = message.expires.map(|interval| self.clock.now() + interval);
        self.publish(&identity.owner, share, message, Vec::new()).await.map(|_| ())
    }

    /// Takes a session apart that is over: what it had subscribed to, what it had to get, and its will, which is due then.
    pub(crate) async fn take_apart(&self, ended: Ended) -> Result<(), RouterDied> {
        let Ended { subscriber, identity, rest } = ended;
        let (subscriptions, mut left) = subscriber.end();
        for own in subscriptions {
            match &own.group {
                Some(group) => self.audience.leave(group, subscriber.number),
                None => {
                    self.hubs.leave(&own.filter, subscriber.number);
                    self.audience.remove(&own.filter, subscriber.number);
                }
            }
        }
        // What another member of a shared subscription can still do.
        let open = rest.left.into_iter().filter_map(|(_, flight)| flight.delivery.filter(|delivery| delivery.qos == 1));
        left.splice(..0, open);
        let mut ops = Vec::new();
        self.audience.hand_out_again(left, self.clock, &mut ops);
        ops.extend(record::no_session(subscriber.number));
        self.store.write(ops);
        match rest.will {
            Some(will) => self.publish_waiting(&identity, will).await,
            None => Ok(()),
        }
    }
}

/// Puts back what was on disk.
fn go_on(restored: Restored, audience: &Audience, retained: &Retained, store: &Store, clock: Clock) {
    if restored.unreadable > 0 {
        tracing::error!(records = restored.unreadable, "the broker's file has records that nobody of ours wrote");
    }
    for (_, subscriber) in &restored.sessions {
        let subscriptions: Vec<_> = subscriber.read(|own| own.iter().cloned().collect());
        for mut own in subscriptions {
            if topic_filter(&own.filter) == own.filter {
                audience.add(&own.filter, subscriber);
            } else {
                let member = Member {
                    subscriber: Arc::clone(subscriber),
                    qos: own.qos,
                    retain_as_published: own.retain_as_published,
                    identifier: own.identifier,
                };
                own.group = Some(audience.join(&own.filter, member));
                subscriber.change(|subscriptions| subscriptions.insert(own));
            }
        }
    }
    store.write(restored.ops);
    retained.restore(restored.retained, clock.now());
}

pub(crate) async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let mut files = Files::default();
    let mut doors = Vec::new();
    for door in config.doors {
        let entrance = Arc::new(Entrance::new(&door.settings, &mut files)?);
        doors.extend(door.sockets.into_iter().map(|socket| (socket, Arc::clone(&entrance))));
    }
    let store = match config.persistence {
        Some(folder) => {
            let health = config.health;
            let opening = tokio::task::spawn_blocking(move || Store::open(&folder, health)).await;
            opening.map_err(|panic| Error::Start(std::io::Error::other(panic)))?.map_err(Error::Store)?
        }
        None => (Store::none(), Vec::new()),
    };
    let router = Router::start(&config.limits).map_err(Error::Start)?;
    // Of our own, so that the clients are told to go also when it is the router that ends the broker.
    let stop = CancellationToken::new();
    let accesses = doors.iter().map(|(_, entrance)| entrance.access.clone()).collect();
    let gate = Gate::new(config.limits, router.clone(), store, accesses, stop.clone()).await;
    let gate = Arc::new(gate.map_err(|RouterDied| Error::RouterDied)?);
    let clients = TaskTracker::new();
    let accepting = join_all(doors.iter().map(|(socket, entrance)| accept(&gate, entrance, socket, &clients)));
    let result = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        RouterDied = canary::run(&router, gate.limits.canary_deadline) => Err(Error::RouterDied),
        () = files.watch(&config.reload) => Ok(()),
        RouterDied = sys::run(&gate, config.sys_interval) => Err(Error::RouterDied),
        RouterDied = sessions::run(&gate) => Err(Error::RouterDied),
        () = gate.store.died() => Err(Error::StoreDied),
        never = count::run() => match never {},
        _ = accepting => Ok(()),
    };
    drop(doors);
    stop.cancel();
    clients.close();
    if timeout(gate.limits.drain_deadline, clients.wait()).await.is_err() {
        tracing::warn!(clients = clients.len(), "clients did not end in time");
    }
    count::export();
    let store = gate.store.clone();
    // What was acknowledged is written already; this is the rest.
    if tokio::task::spawn_blocking(move || store.close()).await.is_err() {
        tracing::error!("the broker's file was not closed");
    }
    gate.hubs.stop();
    router.closing().close();
    if result.is_ok() && timeout(gate.limits.drain_deadline, router.closing().wait()).await.is_err() {
        tracing::warn!(links = router.closing().len(), "links of the router did not end in time");
    }
    result
}

async fn accept(gate: &Arc<Gate>, entrance: &Arc<Entrance>, listener: &TcpListener, clients: &TaskTracker) {
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                count::refused("accept");
                tracing::error!(%error, "connection cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        count::accepted();
        let mut waiting = match gate.doorstep.enter((!entrance.behind_proxy).then_some(peer.ip())) {
            Ok(waiting) => waiting,
            Err(crowded) => {
                count::refused(Cause::Doorstep(crowded).label());
                continue;
            }
        };
        let (gate, entrance) = (Arc::clone(gate), Arc::clone(entrance));
        clients.spawn(async move {
            let put_out = waiting.put_out();
            let welcomed = tokio::select! {
                // In memory of its own, which goes when it is over: the session stays for long.
                welcomed = Box::pin(handshake::run(&gate, &entrance, stream, peer, &mut waiting)) => welcomed,
                () = put_out => return count::refused("handshakes_put_out"),
                () = gate.shutdown.cancelled() => return,
            };
            drop(waiting);
            match welcomed {
                Ok(client) => session::run(&gate, client).await,
                Err(refusal) => {
                    count::refused(refusal.cause.label());
                    log(&gate.refusals, &refusal);
                }
            }
        });
    }
}

/// A flood of strangers must not be a flood in the log.
fn log(refusals: &Refusals, refusal: &Refusal) {
    let (peer, reason) = (refusal.peer, refusal.cause.label());
    let Some(user) = &refusal.user else {
        return tracing::debug!(%peer, reason, "connection refused");
    };
    match refusals.line(Instant::now()) {
        Some(unlogged) => tracing::info!(%peer, user, reason, unlogged, "connection refused"),
        None => tracing::debug!(%peer, user, reason, "connection refused"),
    }
}
