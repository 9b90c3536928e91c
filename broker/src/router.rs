//! Feeds rumqttd's router.
//!
//! A thread of its own does what may block (rumqttd's senders do), behind a bounded queue: whoever publishes waits in
//! the queue, and nobody's runtime stands still when the router does. What is in the queue at a time goes through the
//! router as one batch: each costs it as much as a message. While the router has little to do, whoever publishes does it
//! without that thread, which would have to be woken for it.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use rumqttd::{
    Notification, RouterConfig,
    local::{LinkBuilder, LinkRx, LinkTx},
    protocol::Packet,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{Limits, hub::Flow, link::Link, message::Message};

/// Commands that wait for the router.
const QUEUE: usize = 256;
/// Batches that the router hands to one link at a time.
const PORTION: u64 = 100;
/// Of the broker's own, and for tests.
const MOST_LINKS: usize = 256;
/// A log is cut off by whole segments. Each has room for 1024 batches from its start.
const SEGMENTS: usize = 16;
/// rumqttd panics on smaller ones.
const MIN_SEGMENT_BYTES: usize = 1024;
/// What a batch should not be larger than. A message that waits for long is copied out of its batch.
const BATCH_BYTES: usize = 8 * 1024;
/// With no more on its way to the hubs a message goes at once, as a batch of its own.
const NEAR_BYTES: u64 = 4 * 1024;
/// Of the log so much may be on its way to the hubs.
const WINDOW_PARTS: usize = 4;

/// The name of all that clients and the broker publish. The router keeps every topic and every filter that it has ever
/// seen, each filter with a log that is never freed, and dies of a topic whose first character is not ASCII: so it sees
/// neither.
pub(crate) const CLIENTS: &str = "clients";
/// The canary's own name.
pub(crate) const CANARY: &str = "canary";
/// A name with few messages of the feeder's own, the last of which the router shows when it is asked to.
const MILESTONE: &str = "milestone";

/// A handle to the router.
#[derive(Clone)]
pub(crate) struct Router {
    commands: mpsc::Sender<(Command, Counted)>,
    front: Arc<Front>,
    flow: Arc<Flow>,
    /// Links on their way out.
    closing: TaskTracker,
    died: CancellationToken,
}

/// The router does not answer any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RouterDied;

/// A place among the router's connections. Its name there is its number, so that there are never more names than places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slot(usize);

/// The link for all publishes. Who feeds the router has it while there is something in the queue, so that nothing overtakes
/// what was asked for before.
#[derive(Default)]
struct Front {
    /// None until the router runs.
    publisher: Mutex<Option<Publisher>>,
    /// Commands on their way into the queue, in it, or being carried out.
    queued: AtomicUsize,
}

/// That a command is one of those, for as long as this lives.
struct Counted(Arc<Front>);

impl Counted {
    fn new(front: &Arc<Front>) -> Self {
        front.queued.fetch_add(1, SeqCst);
        Counted(Arc::clone(front))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, SeqCst);
    }
}

enum Command {
    Publish {
        name: Bytes,
        message: Message,
    },
    /// Has the router look whether something was published.
    Nudge,
    Open(oneshot::Sender<(Slot, LinkRx)>),
    Send(Slot, Box<Packet>),
    Close(Slot),
}

impl Router {
    /// Starts rumqttd's router and the thread that feeds it; the latter ends with the last handle.
    pub(crate) fn start(limits: &Limits) -> io::Result<Self> {
        let config = RouterConfig {
            max_connections: MOST_LINKS,
            max_outgoing_packet_count: PORTION,
            max_segment_size: (limits.log_bytes / SEGMENTS).max(MIN_SEGMENT_BYTES),
            max_segment_count: SEGMENTS,
            ..RouterConfig::default()
        };
        let (commands, queue) = mpsc::channel(QUEUE);
        let died = CancellationToken::new();
        let guard = died.clone().drop_guard();
        let flow = Flow::new(limits.log_bytes / WINDOW_PARTS, &died);
        let front = Arc::new(Front::default());
        let own = (Arc::clone(&front), Arc::clone(&flow));
        thread::Builder::new().name("router-feed".into()).spawn(move || feed(config, &own.0, &own.1, queue, guard))?;
        Ok(Router { commands, front, flow, closing: TaskTracker::new(), died })
    }

    /// How far the readers of [`CLIENTS`] have come.
    pub(crate) fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// Hands a message to all hubs.
    pub(crate) async fn publish(&self, message: Message) -> Result<(), RouterDied> {
        self.publish_as(Bytes::from_static(CLIENTS.as_bytes()), message).await
    }

    /// Hands a message to all links that have subscribed to `name`.
    pub(crate) async fn publish_as(&self, name: Bytes, message: Message) -> Result<(), RouterDied> {
        if let Some(is_seen) = self.publish_now(&name, &message) {
            return if is_seen { Ok(()) } else { self.nudge() };
        }
        // Mostly there is a place, and then nothing has to be waited for.
        let command = (Command::Publish { name, message }, Counted::new(&self.front));
        match self.commands.try_send(command) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(command)) => self.queue(command).await,
            Err(mpsc::error::TrySendError::Closed(_)) => Err(RouterDied),
        }
    }

    /// Publishes, unless something else comes first, or so much is on its way that batches would spare the router work.
    /// Whether the router was told of it: it may be too busy for that.
    fn publish_now(&self, name: &Bytes, message: &Message) -> Option<bool> {
        let is_busy = || self.front.queued.load(SeqCst) > 0;
        if is_busy() {
            return None;
        }
        let mut publisher = self.front.publisher.try_lock().ok()?;
        let publisher = publisher.as_mut()?;
        // What was in the queue before has been published now; it may be that more has come since.
        if is_busy() || self.flow.is_behind(publisher.appended, NEAR_BYTES) {
            return None;
        }
        publisher.add(name, message);
        Some(publisher.pass())
    }

    fn nudge(&self) -> Result<(), RouterDied> {
        match self.commands.try_send((Command::Nudge, Counted::new(&self.front))) {
            // What is in a full queue tells the router, too.
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(RouterDied),
        }
    }

    /// A new link without subscriptions.
    pub(crate) async fn open(&self) -> Result<Link, RouterDied> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Open(reply)).await?;
        let (slot, receiver) = self.unless_dead(answer).await?.map_err(|_| RouterDied)?;
        Ok(Link::new(self.clone(), slot, receiver))
    }

    pub(crate) async fn send(&self, slot: Slot, packet: Packet) -> Result<(), RouterDied> {
        self.command(Command::Send(slot, Box::new(packet))).await
    }

    /// Gives a place back. To be called when the router has dropped its link.
    pub(crate) async fn close(&self, slot: Slot) -> Result<(), RouterDied> {
        self.command(Command::Close(slot)).await
    }

    async fn command(&self, command: Command) -> Result<(), RouterDied> {
        self.queue((command, Counted::new(&self.front))).await
    }

    async fn queue(&self, command: (Command, Counted)) -> Result<(), RouterDied> {
        self.unless_dead(self.commands.send(command)).await?.map_err(|_| RouterDied)
    }

    async fn unless_dead<T>(&self, future: impl Future<Output = T>) -> Result<T, RouterDied> {
        tokio::select! {
            () = self.died.cancelled() => Err(RouterDied),
            output = future => Ok(output),
        }
    }

    /// Declares the router dead. The thread that feeds it may not find out: rumqttd waits for ever for the answer to a
    /// connection that was in the queue when the router panicked.
    pub(crate) fn give_up(&self) {
        self.died.cancel();
    }

    /// Owns the tasks that take links out of the router.
    pub(crate) fn closing(&self) -> &TaskTracker {
        &self.closing
    }

    /// Waits until the router is found dead.
    pub(crate) async fn died(&self) {
        self.died.cancelled().await;
    }
}

/// Runs until all handles are gone, or the router is: then `_died` tells everybody, also when it unwinds.
fn feed(
    config: RouterConfig,
    front: &Front,
    flow: &Flow,
    mut queue: mpsc::Receiver<(Command, Counted)>,
    _died: DropGuard,
) {
    let end = config.max_connections;
    let events = rumqttd::Router::new(0, config).spawn();
    let open = |slot: Slot| {
        let built = LinkBuilder::new(&format!("link-{}", slot.0), events.clone()).build();
        built.ok().map(|(sender, receiver, _connack)| (sender, receiver))
    };
    let Some(publisher) = open(Slot(0)).and_then(Publisher::new) else { return };
    let publishes = || front.publisher.lock().unwrap_or_else(PoisonError::into_inner);
    *publishes() = Some(publisher);
    let mut places = Places { links: HashMap::new(), free: Vec::new(), next: 1, end };
    let (mut commands, mut done) = (Vec::with_capacity(QUEUE), Vec::with_capacity(QUEUE));
    while queue.blocking_recv_many(&mut commands, QUEUE) > 0 {
        let mut publisher = publishes();
        let publisher = publisher.as_mut().expect("it is there from the start");
        for (command, counted) in commands.drain(..) {
            done.push(counted);
            let alive = match command {
                Command::Publish { name, message } => {
                    let alive = publisher.has_room(&name, &message) || publisher.flush(flow);
                    publisher.add(&name, &message);
                    alive
                }
                Command::Nudge => publisher.nudge(),
                Command::Open(reply) => match places.take() {
                    Some(slot) => open(slot).is_some_and(|(sender, receiver)| {
                        places.links.insert(slot, sender);
                        // When the asker is gone its link stays as it is: without subscriptions it costs a place.
                        reply.send((slot, receiver)).ok();
                        true
                    }),
                    // The asker sees that its reply is dropped.
                    None => true,
                },
                Command::Send(slot, packet) => {
                    publisher.flush(flow)
                        && places.links.get_mut(&slot).is_none_or(|link| send(link, *packet))
                        && publisher.catch_up()
                }
                Command::Close(slot) => {
                    places.links.remove(&slot);
                    places.free.push(slot);
                    true
                }
            };
            if !alive {
                return;
            }
        }
        if !publisher.flush(flow) {
            return;
        }
        done.clear();
    }
}

fn send(link: &mut LinkTx, packet: Packet) -> bool {
    use futures_util::FutureExt as _;
    // An async function without anything to wait for: it blocks instead.
    link.send(packet).now_or_never().is_some_and(|sent| sent.is_ok())
}

/// The link for all publishes. It is nobody's subscriber: a link that publishes and subscribes could make the router
/// track a subscription twice, when it unsubscribes and subscribes again right after a message of its own.
struct Publisher {
    sender: LinkTx,
    receiver: LinkRx,
    batch: BytesMut,
    /// Of the batch.
    name: Bytes,
    /// Messages of each name so far.
    counts: HashMap<Bytes, u64>,
    /// Bytes of the batches for [`CLIENTS`] so far.
    appended: u64,
}

/// Which message of its name is the first of a batch, and how many bytes there were with it.
const BATCH_HEADER: usize = 16;

impl Publisher {
    fn new((mut sender, receiver): (LinkTx, LinkRx)) -> Option<Self> {
        sender.subscribe(MILESTONE).ok()?;
        sender.publish(MILESTONE, "").ok()?;
        let (batch, name) = (BytesMut::new(), Bytes::new());
        Some(Publisher { sender, receiver, batch, name, counts: HashMap::new(), appended: 0 })
    }

    /// Whether a message may go with what is in the batch.
    fn has_room(&self, name: &Bytes, message: &Message) -> bool {
        self.batch.is_empty() || self.name == *name && self.batch.len() + message.encoded_bytes() <= BATCH_BYTES
    }

    fn add(&mut self, name: &Bytes, message: &Message) {
        let bytes = message.encoded_bytes();
        if !self.counts.contains_key(name) {
            self.counts.insert(name.clone(), 0);
        }
        let count = self.counts.get_mut(name).expect("it is there");
        if self.batch.is_empty() {
            self.batch.reserve(BATCH_HEADER + 4 + bytes);
            self.batch.put_u64(*count);
            self.batch.put_u64(0);
            self.name = name.clone();
        }
        *count += 1;
        self.batch.put_u32(u32::try_from(bytes).expect("a packet is far below 4 GiB"));
        message.encode_to(&mut self.batch);
    }

    /// Sends the batch, if there is one, and waits while the hubs are too far behind.
    fn flush(&mut self, flow: &Flow) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        let batch = self.take();
        let sent = self.sender.publish(self.name.clone(), batch).is_ok();
        if self.name == CLIENTS {
            flow.wait(self.appended);
        }
        sent
    }

    /// Sends the batch, which is one, without waiting; whether the router was told. It is in the link's buffer in any case.
    fn pass(&mut self) -> bool {
        let batch = self.take();
        self.sender.try_publish(self.name.clone(), batch).is_ok()
    }

    fn take(&mut self) -> Bytes {
        if self.name == CLIENTS {
            self.appended += self.batch.len() as u64;
        }
        self.batch[8..BATCH_HEADER].copy_from_slice(&self.appended.to_be_bytes());
        self.batch.split().freeze()
    }

    /// Tells the router of what lies in the link's buffer.
    fn nudge(&mut self) -> bool {
        self.sender.publish(MILESTONE, "").is_ok()
    }

    /// Waits until the router has worked on everything so far. An event makes it take *all* packets of a link, so a
    /// publish could overtake a subscription that was asked for before, if some other publish was still in the queue.
    fn catch_up(&mut self) -> bool {
        // It fails when the router's queue is full. A publish waits for a place, or finds out that the router is dead.
        while self.sender.shadow(MILESTONE).is_err() {
            if !self.nudge() {
                return false;
            }
        }
        self.hear(|heard| matches!(heard, Notification::Shadow(_)))
    }

    fn hear(&mut self, wanted: impl Fn(&Notification) -> bool) -> bool {
        loop {
            match self.receiver.recv() {
                Ok(Some(heard)) if wanted(&heard) => return true,
                Ok(Some(Notification::Unschedule)) if self.receiver.ready().is_err() => return false,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

struct Places {
    links: HashMap<Slot, LinkTx>,
    free: Vec<Slot>,
    next: usize,
    end: usize,
}

impl Places {
    /// The router says nothing at all to a connection that is one too many, so it must not be asked.
    fn take(&mut self) -> Option<Slot> {
        self.free.pop().or_else(|| {
            let slot = Slot(self.next);
            (self.next < self.end).then(|| {
                self.next += 1;
                slot
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::link::Arrival;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_burst_that_fits_into_the_log_loses_nothing_however_busy_the_router_is() {
        // More than a link takes before it is paused.
        const BURST: u64 = 199 + 70;
        let router = Router::start(&Limits::default()).unwrap();
        let mut link = router.open().await.unwrap();
        link.subscribe(CLIENTS).await.unwrap();
        let mut heard = 0;
        for burst in 1..=50 {
            for _ in 0..BURST {
                router.publish(Message::new("a/b/c/d", Bytes::new())).await.unwrap();
            }
            while heard < burst * BURST {
                let arrival = timeout(Duration::from_secs(20), link.next()).await.expect("what was published arrives");
                match arrival.unwrap() {
                    Arrival::Message { lost, .. } => {
                        assert_eq!(lost, 0, "in burst {burst}");
                        heard += 1;
                    }
                    Arrival::Paused => link.resume().await.unwrap(),
                }
            }
        }
    }
}
