//! Accepts connections, watches over what must live, and stops it all.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Config, Error, Limits,
    access::{Access, Files},
    canary, count,
    doorstep::Doorstep,
    handshake::{self, Refusal},
    message::{Clock, Message},
    refusals::Refusals,
    registry::Registry,
    retained::{Full, Retained},
    router::{Router, RouterDied},
    session, sys,
    verifier::Verifier,
};

/// After the system refused a connection (no file descriptors left, mostly) the next try waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
pub(crate) struct Gate {
    pub(crate) limits: Limits,
    pub(crate) access: watch::Receiver<Arc<Access>>,
    pub(crate) verifier: Verifier,
    pub(crate) registry: Arc<Registry>,
    pub(crate) retained: Retained,
    pub(crate) router: Router,
    pub(crate) clock: Clock,
    pub(crate) shutdown: CancellationToken,
    pub(crate) connections: Arc<Semaphore>,
    doorstep: Arc<Doorstep>,
    keeping: Mutex<()>,
    refusals: Refusals,
    told_full: AtomicBool,
}

impl Gate {
    /// Keeps a message if it is to be retained, and sends it to all who want it.
    pub(crate) async fn publish(&self, user: &str, message: Message) -> Result<(), RouterDied> {
        count::published(message.payload.len());
        self.pass_on(user, message).await
    }

    /// The same for what the broker itself has to say.
    pub(crate) async fn pass_on(&self, user: &str, message: Message) -> Result<(), RouterDied> {
        // One after the other, so that what is kept is what was delivered last.
        let _keeping = if message.retain { Some(self.keeping.lock().await) } else { None };
        if message.retain && self.retained.keep(user, &message) == Err(Full) {
            count::dropped(count::Dropped::RetainedFull, 1);
            if !self.told_full.swap(true, Ordering::Relaxed) {
                let (topic, bytes) = (message.topic(), message.bytes());
                tracing::error!(
                    user,
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
    let access = config.doors.first().map(|door| door.settings.access.clone()).unwrap_or_default();
    let mut files = Files::new(access);
    let (access_sender, access) = watch::channel(Arc::new(files.load()?));
    let router = Router::start(&config.limits).map_err(Error::Start)?;
    // Of our own, so that the clients are told to go also when it is the router that ends the broker.
    let stop = CancellationToken::new();
    let gate = Arc::new(Gate {
        doorstep: Arc::new(Doorstep::new(&config.limits)),
        connections: Arc::new(Semaphore::new(config.limits.connections)),
        keeping: Mutex::default(),
        refusals: Refusals::new(Instant::now()),
        told_full: AtomicBool::new(false),
        access,
        verifier: Verifier::new(&config.limits),
        registry: Arc::new(Registry::new(&config.limits)),
        retained: Retained::new(&config.limits),
        router: router.clone(),
        clock: Clock::start(),
        shutdown: stop.clone(),
        limits: config.limits,
    });
    let clients = TaskTracker::new();
    let sockets: Vec<TcpListener> = config.doors.into_iter().flat_map(|door| door.sockets).collect();
    let accepting = join_all(sockets.iter().map(|socket| accept(&gate, socket, &clients)));
    let result = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        RouterDied = canary::run(&router, gate.limits.canary_deadline) => Err(Error::RouterDied),
        () = files.watch(access_sender, &config.reload) => Ok(()),
        RouterDied = sys::run(&gate, config.sys_interval) => Err(Error::RouterDied),
        never = count::run() => match never {},
        _ = accepting => Ok(()),
    };
    drop(sockets);
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

async fn accept(gate: &Arc<Gate>, listener: &TcpListener, clients: &TaskTracker) {
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
        let waiting = match gate.doorstep.enter(peer.ip()) {
            Ok(place) => place,
            Err(crowded) => {
                count::refused(crowded.label());
                continue;
            }
        };
        let gate = Arc::clone(gate);
        clients.spawn(async move {
            let welcomed = tokio::select! {
                welcomed = handshake::run(&gate, stream) => welcomed,
                () = gate.shutdown.cancelled() => return,
            };
            drop(waiting);
            match welcomed {
                Ok(client) => session::run(&gate, client).await,
                Err(refusal) => {
                    count::refused(refusal.label());
                    log(&gate.refusals, peer, &refusal);
                }
            }
        });
    }
}

/// A flood of strangers must not be a flood in the log.
fn log(refusals: &Refusals, peer: SocketAddr, refusal: &Refusal) {
    let reason = refusal.label();
    let Some(user) = &refusal.user else {
        return tracing::debug!(%peer, reason, "connection refused");
    };
    match refusals.line(Instant::now()) {
        Some(unlogged) => tracing::info!(%peer, user, reason, unlogged, "connection refused"),
        None => tracing::debug!(%peer, user, reason, "connection refused"),
    }
}
