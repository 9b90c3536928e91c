//! Feeds rumqttd's router.
//!
//! A thread of its own does what may block (rumqttd's senders do), behind a bounded queue: whoever publishes waits in
//! the queue, and nobody's runtime stands still when the router does.

use std::{collections::HashMap, io, sync::Arc, thread};

use bytes::Bytes;
use rumqttd::{
    Notification, RouterConfig, SegmentConfig,
    local::{LinkBuilder, LinkRx, LinkTx},
    protocol::Packet,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Limits,
    link::Link,
    message::Message,
    routing::{MILESTONE, Routing},
};

/// Commands that wait for the router.
const QUEUE: usize = 256;
/// Messages that the router hands to one link at a time.
const PORTION: u64 = 100;
/// A log is cut off by whole segments. Each has room for 1024 messages from its start.
const WIDE_SEGMENTS: usize = 16;
const NARROW_SEGMENTS: usize = 4;
/// rumqttd panics on smaller ones.
const MIN_SEGMENT_BYTES: usize = 1024;

/// A handle to the router.
#[derive(Clone)]
pub(crate) struct Router {
    commands: mpsc::Sender<Command>,
    routing: Arc<Routing>,
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

enum Command {
    Publish { name: Bytes, message: Message },
    Open(oneshot::Sender<(Slot, LinkRx)>),
    Send(Slot, Box<Packet>),
    Close(Slot),
}

impl Router {
    /// Starts rumqttd's router and the thread that feeds it; the latter ends with the last handle.
    pub(crate) fn start(limits: &Limits) -> io::Result<Self> {
        let routing = Arc::new(Routing::new());
        let segment = |log_bytes: usize, count: usize| SegmentConfig {
            max_segment_size: (log_bytes / count).max(MIN_SEGMENT_BYTES),
            max_segment_count: count,
        };
        let wide = segment(limits.wide_log_bytes, WIDE_SEGMENTS);
        let narrow = segment(limits.narrow_log_bytes, NARROW_SEGMENTS);
        let turn_bytes = narrow.max_segment_size.min(wide.max_segment_size);
        let config = RouterConfig {
            // Twice: a link that is on its way out still counts.
            max_connections: limits.connections * 2 + 16,
            max_outgoing_packet_count: PORTION,
            max_segment_size: wide.max_segment_size,
            max_segment_count: wide.max_segment_count,
            custom_segment: Some(routing.segments(&narrow)),
            ..RouterConfig::default()
        };
        let (commands, queue) = mpsc::channel(QUEUE);
        let died = CancellationToken::new();
        let guard = died.clone().drop_guard();
        thread::Builder::new().name("router-feed".into()).spawn(move || feed(config, turn_bytes, queue, guard))?;
        Ok(Router { commands, routing, closing: TaskTracker::new(), died })
    }

    /// Which names topics and filters have here.
    pub(crate) fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Hands a message to all links that have subscribed to its name.
    pub(crate) async fn publish(&self, message: Message) -> Result<(), RouterDied> {
        self.publish_as(self.routing.topic(message.topic()), message).await
    }

    /// Hands a message to all links that have subscribed to `name`.
    pub(crate) async fn publish_as(&self, name: Bytes, message: Message) -> Result<(), RouterDied> {
        self.command(Command::Publish { name, message }).await
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
fn feed(config: RouterConfig, turn_bytes: usize, mut queue: mpsc::Receiver<Command>, _died: DropGuard) {
    let end = config.max_connections;
    let events = rumqttd::Router::new(0, config).spawn();
    let open = |slot: Slot| {
        let built = LinkBuilder::new(&format!("link-{}", slot.0), events.clone()).build();
        built.ok().map(|(sender, receiver, _connack)| (sender, receiver))
    };
    let Some(mut publisher) = open(Slot(0)).and_then(|link| Publisher::new(link, turn_bytes)) else { return };
    let mut places = Places { links: HashMap::new(), free: Vec::new(), next: 1, end };
    while let Some(command) = queue.blocking_recv() {
        let alive = match command {
            Command::Publish { name, message } => publisher.publish(name, &message),
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
                places.links.get_mut(&slot).is_none_or(|link| send(link, *packet)) && publisher.catch_up()
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
    /// What may be appended to the logs until all links have had their turn: a part of a log.
    turn_bytes: usize,
    appended_bytes: usize,
    turns: u64,
}

impl Publisher {
    fn new((mut sender, receiver): (LinkTx, LinkRx), turn_bytes: usize) -> Option<Self> {
        sender.subscribe(MILESTONE).ok()?;
        sender.publish(MILESTONE, "").ok()?;
        Some(Publisher { sender, receiver, turn_bytes, appended_bytes: 0, turns: 0 })
    }

    fn publish(&mut self, name: Bytes, message: &Message) -> bool {
        let payload = message.encode();
        self.appended_bytes += name.len() + payload.len();
        self.sender.publish(name, payload).is_ok() && (self.appended_bytes < self.turn_bytes || self.end_turn())
    }

    /// Waits until all links have been served. The router appends 500 messages before it looks at any link, if there are
    /// so many: more than a narrow log holds, and then who reads fast would lose some too. Links are served in the order
    /// in which they got something to read, and this one gets it last.
    fn end_turn(&mut self) -> bool {
        self.appended_bytes = 0;
        self.turns += 1;
        let milestone = Bytes::copy_from_slice(&self.turns.to_be_bytes());
        self.sender.publish(MILESTONE, milestone.clone()).is_ok()
            && self.hear(|heard| matches!(heard, Notification::Forward(of) if of.publish.payload == milestone))
    }

    /// Waits until the router has worked on everything so far. An event makes it take *all* packets of a link, so a
    /// publish could overtake a subscription that was asked for before, if some other publish was still in the queue.
    fn catch_up(&mut self) -> bool {
        // It fails when the router's queue is full. A publish waits for a place, or finds out that the router is dead.
        while self.sender.shadow(MILESTONE).is_err() {
            if self.sender.publish(MILESTONE, "").is_err() {
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
    use std::{
        fs,
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    use tokio::{
        task::JoinSet,
        time::{interval, timeout},
    };

    use super::*;
    use crate::link::Arrival;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_burst_that_fits_into_a_link_and_its_log_loses_nothing_however_busy_the_router_is() {
        // What a link takes before it is paused, and half of what a log holds of such messages.
        const BURST: u64 = 199 + 70;
        let router = Router::start(&Limits::default()).unwrap();
        let mut link = router.open().await.unwrap();
        link.subscribe(&router.routing().filter("a/b/c/d")).await.unwrap();
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

    /// Ticks of a core that this process has used, 100 in a second.
    fn ticks() -> u64 {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "a measurement: what names that are shared cost when each of 10,000 vehicles listens to its own topics"]
    async fn what_a_publish_costs() {
        const VEHICLES: u64 = 10_000;
        const PUBLISHES: u64 = 20_000;
        for names in [0, 256, 512, 1024, 2048, 4096, 16_384] {
            let router = Router::start(&Limits::default()).unwrap();
            let routing = Routing::with(names.max(1));
            let filter = |vin: u64| match names {
                0 => format!("m/fleet/v1/{vin}/down"),
                _ => routing.filter(&format!("fleet/v1/{vin}/down/#")),
            };
            let woken = Arc::new(AtomicU64::new(0));
            let heard = Arc::new(AtomicU64::new(0));
            let mut links = JoinSet::new();
            for vin in 0..VEHICLES {
                let mut link = router.open().await.unwrap();
                link.subscribe(&filter(vin)).await.unwrap();
                let (woken, heard, own) = (Arc::clone(&woken), Arc::clone(&heard), format!("fleet/v1/{vin}/down/ack"));
                links.spawn(async move {
                    loop {
                        match link.next().await.unwrap() {
                            Arrival::Message { message, .. } => {
                                woken.fetch_add(1, Ordering::Relaxed);
                                if message.topic() == own {
                                    heard.fetch_add(1, Ordering::Relaxed);
                                }
                            }
                            Arrival::Paused => link.resume().await.unwrap(),
                        }
                    }
                });
            }
            let mut pace = interval(Duration::from_millis(10));
            let mut publish = async |count: u64| {
                let until = heard.load(Ordering::Relaxed) + count;
                for n in 0..count {
                    if n % 20 == 0 {
                        pace.tick().await;
                    }
                    let vin = n * 7919 % VEHICLES;
                    let topic = format!("fleet/v1/{vin}/down/ack");
                    let name = if names == 0 { filter(vin).into() } else { routing.topic(&topic) };
                    let message = Message::new(&topic, Bytes::from_static(&[0; 100]));
                    router.publish_as(name, message).await.unwrap();
                }
                while heard.load(Ordering::Relaxed) < until {
                    pace.tick().await;
                }
            };
            // At the first message of a name the router looks at all filters.
            publish(VEHICLES).await;
            woken.store(0, Ordering::Relaxed);
            let before = ticks();
            publish(PUBLISHES).await;
            let cost_us = (ticks() - before) * 10_000 / PUBLISHES;
            let woken = woken.load(Ordering::Relaxed) as f64 / PUBLISHES as f64;
            println!("{names} names: {woken:.2} links woken, {cost_us} us of a core for each publish");
            links.abort_all();
            while links.join_next().await.is_some() {}
        }
    }
}
