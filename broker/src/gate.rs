//! Accepts connections, watches over what must live, and stops it all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    net::TcpListener,
    sync::Mutex,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Config, Error, Limits,
    access::Owner,
    arrival::Entrance,
    attempts::Attempts,
    canary, count,
    doorstep::Doorstep,
    files::Files,
    handshake::{self, Cause, Refusal},
    message::{Clock, Message},
    places::Places,
    refusals::Refusals,
    registry::Registry,
    retained::{Full, Retained, Share},
    router::{Router, RouterDied},
    session, sys,
    verifier::Verifier,
};

/// After the system refused a connection (no file descriptors left, mostly) the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
pub(crate) struct Gate {
    pub(crate) limits: Limits,
    pub(crate) verifier: Verifier,
    pub(crate) attempts: Attempts,
    pub(crate) registry: Arc<Registry>,
    pub(crate) retained: Retained,
    pub(crate) router: Router,
    pub(crate) clock: Clock,
    pub(crate) shutdown: CancellationToken,
    pub(crate) connections: Arc<Places>,
    doorstep: Arc<Doorstep>,
    keeping: Mutex<()>,
    refusals: Refusals,
    /// What clients do wrong: they can come again and again to do it.
    pub(crate) faults: Refusals,
    told_full: AtomicBool,
}

impl Gate {
    pub(crate) fn new(limits: Limits, router: Router, shutdown: CancellationToken) -> Self {
        Gate {
            doorstep: Doorstep::new(limits.handshakes, limits.handshakes_per_address),
            connections: Places::new(limits.connections, limits.connections_per_address),
            keeping: Mutex::default(),
            refusals: Refusals::new(Instant::now()),
            faults: Refusals::new(Instant::now()),
            told_full: AtomicBool::new(false),
            verifier: Verifier::new(&limits),
            attempts: Attempts::new(&limits),
            registry: Arc::new(Registry::new(&limits)),
            retained: Retained::new(&limits),
            router,
            clock: Clock::start(),
            shutdown,
            limits,
        }
    }

    /// Keeps a message if it is to be retained, and sends it to all who want it.
    pub(crate) async fn publish(&self, owner: &Owner, share: Share, message: Message) -> Result<(), RouterDied> {
        count::published(message.payload.len());
        self.pass_on(owner, share, message).await
    }

    /// The same for what the broker itself has to say.
    pub(crate) async fn pass_on(&self, owner: &Owner, share: Share, message: Message) -> Result<(), RouterDied> {
        // One after the other, so that what is kept is what was delivered last.
        let _keeping = if message.retain { Some(self.keeping.lock().await) } else { None };
        if message.retain && self.retained.keep(owner, share, &message) == Err(Full) {
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
        self.router.publish(message).await
    }
}

pub(crate) async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let mut files = Files::default();
    let mut doors = Vec::new();
    for door in config.doors {
        let entrance = Arc::new(Entrance::new(&door.settings, &mut files)?);
        doors.extend(door.sockets.into_iter().map(|socket| (socket, Arc::clone(&entrance))));
    }
    let router = Router::start(&config.limits).map_err(Error::Start)?;
    // Of our own, so that the clients are told to go also when it is the router that ends the broker.
    let stop = CancellationToken::new();
    let gate = Arc::new(Gate::new(config.limits, router.clone(), stop.clone()));
    let clients = TaskTracker::new();
    let accepting = join_all(doors.iter().map(|(socket, entrance)| accept(&gate, entrance, socket, &clients)));
    let result = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        RouterDied = canary::run(&router, gate.limits.canary_deadline) => Err(Error::RouterDied),
        () = files.watch(&config.reload) => Ok(()),
        RouterDied = sys::run(&gate, config.sys_interval) => Err(Error::RouterDied),
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
                welcomed = handshake::run(&gate, &entrance, stream, peer, &mut waiting) => welcomed,
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
