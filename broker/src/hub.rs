//! From rumqttd's router to the sessions. A link of the router keeps some 40 kB whether anything comes or not, so many
//! sessions share one: a hub, which hands on to each of them what its subscriptions want.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::{
    count::{self, Dropped},
    link::{Arrival, Link},
    message::Message,
    router::{CLIENTS, Router, RouterDied},
    subscriber::Subscriber,
    tree::Tree,
};

/// Messages handed on before other tasks have their turn.
const PORTION: usize = 1_024;

/// The feeder looks again without having been woken, because the router may have died.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

type Listeners = RwLock<Tree<Arc<Subscriber>>>;

/// All hubs; a session always has the same one.
pub(crate) struct Hubs {
    hubs: Vec<Arc<Listeners>>,
    stop: CancellationToken,
}

impl Hubs {
    /// Starts so many: all that is published after this has returned will be heard. They end with the router, or when
    /// they are stopped.
    pub(crate) async fn start(router: &Router, count: usize) -> Result<Self, RouterDied> {
        let stop = CancellationToken::new();
        let mut hubs = Vec::new();
        let flow = router.flow();
        for _ in 0..count.max(1) {
            let mut link = router.open().await?;
            link.subscribe(CLIENTS).await?;
            let listeners = Arc::new(Listeners::default());
            hubs.push(Arc::clone(&listeners));
            let (own, stop, reader) = (router.clone(), stop.clone(), flow.join());
            router.closing().spawn(async move {
                if let Some(Err(RouterDied)) = stop.run_until_cancelled(run(link, &listeners, &reader)).await {
                    own.give_up();
                }
            });
        }
        Ok(Hubs { hubs, stop })
    }

    fn of(&self, number: u64) -> &Listeners {
        &self.hubs[(number % self.hubs.len() as u64) as usize]
    }

    /// Has a session hear of what matches a topic filter, from now on.
    pub(crate) fn join(&self, filter: &str, subscriber: &Arc<Subscriber>) {
        let mut tree = self.of(subscriber.number).write().unwrap_or_else(PoisonError::into_inner);
        tree.remove(filter, &|other| other.number == subscriber.number);
        tree.insert(filter, Arc::clone(subscriber));
    }

    /// The session hears nothing more of a topic filter.
    pub(crate) fn leave(&self, filter: &str, number: u64) {
        let mut tree = self.of(number).write().unwrap_or_else(PoisonError::into_inner);
        tree.remove(filter, &|other| other.number == number);
    }

    /// Gives the links back.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

async fn run(mut link: Link, listeners: &Listeners, reader: &Reader) -> Result<(), RouterDied> {
    loop {
        let mut arrival = Some(link.next().await?);
        let mut handled = 0;
        while let Some(this) = arrival {
            match this {
                Arrival::Message { lost, end, message } => {
                    if lost > 0 {
                        // The flow is there so that it does not come to this.
                        count::dropped(Dropped::SlowSubscriber, lost);
                        tracing::error!(lost, "a hub was slower than the router's log is long");
                    }
                    hand_on(listeners, &Arc::new(message));
                    reader.heard(end);
                }
                Arrival::Paused => link.resume().await?,
            }
            handled += 1;
            arrival = if handled < PORTION { link.next().now_or_never().transpose()? } else { None };
        }
        if handled == PORTION {
            tokio::task::yield_now().await;
        }
    }
}

fn hand_on(listeners: &Listeners, message: &Arc<Message>) {
    // Mostly there is none or one: no need to allocate for that.
    let (mut first, mut more) = (0, Vec::new());
    let tree = listeners.read().unwrap_or_else(PoisonError::into_inner);
    tree.for_each_match(message.topic(), &mut |subscriber: &Arc<Subscriber>| {
        // Several of its filters may match; it asks all of them itself.
        let number = subscriber.number;
        if first == number || more.contains(&number) {
            return;
        }
        if first == 0 {
            first = number;
        } else {
            more.push(number);
        }
        subscriber.hear(message);
    });
}

/// How far the hubs have come, for who feeds the router: it waits for the slowest, so that its log loses nothing.
pub(crate) struct Flow {
    /// What may be on the way.
    window: u64,
    readers: Mutex<Vec<Arc<AtomicU64>>>,
    waiting: AtomicBool,
    bell: Condvar,
    died: CancellationToken,
}

/// What one hub has heard.
struct Reader {
    flow: Arc<Flow>,
    heard: Arc<AtomicU64>,
}

impl Flow {
    pub(crate) fn new(window: usize, died: &CancellationToken) -> Arc<Self> {
        Arc::new(Flow {
            window: window as u64,
            readers: Mutex::default(),
            waiting: AtomicBool::new(false),
            bell: Condvar::new(),
            died: died.clone(),
        })
    }

    fn join(self: &Arc<Self>) -> Reader {
        let heard = Arc::new(AtomicU64::new(0));
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&heard));
        Reader { flow: Arc::clone(self), heard }
    }

    /// Whether a hub is further behind than so many bytes.
    pub(crate) fn is_behind(&self, appended: u64, bytes: u64) -> bool {
        has_late(&self.readers.lock().unwrap_or_else(PoisonError::into_inner), appended, bytes)
    }

    /// Waits until no hub is further behind than it may be. It blocks.
    pub(crate) fn wait(&self, appended: u64) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        while has_late(&readers, appended, self.window) && !self.died.is_cancelled() {
            // A hub that has stopped has let its number go.
            readers.retain(|heard| Arc::strong_count(heard) > 1);
            self.waiting.store(true, Ordering::SeqCst);
            if has_late(&readers, appended, self.window) {
                let waited = self.bell.wait_timeout(readers, LOOK_AGAIN);
                readers = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            self.waiting.store(false, Ordering::SeqCst);
        }
    }
}

fn has_late(readers: &[Arc<AtomicU64>], appended: u64, bytes: u64) -> bool {
    readers.iter().any(|heard| heard.load(Ordering::SeqCst).saturating_add(bytes) < appended)
}

impl Reader {
    fn heard(&self, end: u64) {
        self.heard.store(end, Ordering::SeqCst);
        if self.flow.waiting.load(Ordering::SeqCst) {
            let _readers = self.flow.readers.lock().unwrap_or_else(PoisonError::into_inner);
            self.flow.bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Limits, subscriber::Budget, subscriptions::Subscription};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_flood_that_is_longer_than_the_log_loses_nothing_on_its_way_through_the_router() {
        const MESSAGES: u64 = 20_000;
        let limits = Limits { log_bytes: 256 * 1024, ..Limits::default() };
        let router = Router::start(&limits).unwrap();
        let hubs = Hubs::start(&router, 2).await.unwrap();
        let budget = Budget::new(&Limits::default());
        let readers = [1, 2].map(|number| Subscriber::new(number, false, &budget));
        for reader in &readers {
            reader.change(|own| {
                own.insert(Subscription {
                    filter: "a/#".into(),
                    qos: 0,
                    no_local: false,
                    retain_as_published: false,
                    identifier: None,
                    since: 0,
                    group: None,
                });
            });
            hubs.join("a/#", reader);
        }
        let publishing = tokio::spawn({
            let router = router.clone();
            async move {
                for n in 0..MESSAGES {
                    let payload = [&n.to_be_bytes()[..], &[0; 200]].concat();
                    router.publish(Message::new("a/b", Bytes::from(payload))).await.unwrap();
                }
            }
        });
        for reader in &readers {
            let mut next = 0;
            while next < MESSAGES {
                reader.rung().await;
                for delivery in reader.take(usize::MAX, usize::MAX) {
                    assert_eq!(
                        delivery.message.payload[..8],
                        next.to_be_bytes(),
                        "{} lost, {} of reader {}",
                        count::all_dropped(),
                        reader.dropped(),
                        reader.number
                    );
                    next += 1;
                }
            }
        }
        publishing.await.unwrap();
        hubs.leave("a/#", 1);
        assert!(hubs.of(1).read().unwrap().is_empty() && !hubs.of(2).read().unwrap().is_empty());
        hubs.stop();
        router.closing().close();
        router.closing().wait().await;
    }
}
