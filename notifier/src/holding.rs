//! The vehicles that this notifier looks after: taken, kept, given up, by what [`Share`] says.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bugbrother_store::{Held, Lease, Store, StoreError};
use metrics::{counter, gauge};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    now,
    outgoing::Outgoing,
    share::{Share, Step},
    takeover::{Taken, Takeover},
};

/// Between two signs of life. See [`crate::share::DEAD_AFTER_MS`].
const EVERY: Duration = Duration::from_millis(1_500);
/// What a vehicle's alerts may take to be stored before it is given up.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// What this notifier holds at the moment.
#[derive(Debug, Default)]
pub struct Hand(Mutex<Arc<Held>>);

impl Hand {
    /// That, as it is now.
    pub fn held(&self) -> Arc<Held> {
        Arc::clone(&self.lock())
    }

    fn change(&self, change: impl FnOnce(&mut Held)) {
        let mut held = self.lock();
        change(Arc::make_mut(&mut held));
        gauge!("bugbrother_notifier_shards_held").set(held.fences.len() as f64);
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Held>> {
        // It is whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the desk is told.
#[derive(Debug)]
pub enum Passage {
    /// These are its own now.
    Took(Taken),
    /// These are somebody else's: they were taken from us while we were away.
    Lost(Vec<u8>),
    /// Others are to have these. The answer is said when the desk has let go of them.
    Give(Vec<u8>, oneshot::Sender<()>),
}

/// Keeps this notifier's part.
pub struct Holding {
    id: String,
    store: Store,
    hand: Arc<Hand>,
    share: Share,
    begun: Instant,
    beaten: Option<Instant>,
    /// What was taken and is not yet known to the desk.
    takeovers: Vec<Takeover>,
    is_silent: bool,
}

impl Holding {
    /// For a notifier of that identity, which nobody else has or had.
    pub fn new(id: String, store: Store) -> Self {
        let hand = Arc::new(Hand::default());
        hand.change(|held| held.holder.clone_from(&id));
        Holding {
            id,
            store,
            hand,
            share: Share::default(),
            begun: Instant::now(),
            beaten: None,
            takeovers: Vec::new(),
            is_silent: false,
        }
    }

    /// What it holds.
    pub fn hand(&self) -> Arc<Hand> {
        Arc::clone(&self.hand)
    }

    /// At the start: says that this notifier lives, takes what it should have, and returns that part by part.
    pub async fn first(&mut self) -> Result<Option<Taken>, StoreError> {
        if self.beaten.is_none_or(|beaten| beaten.elapsed() >= EVERY) {
            let is_first = self.beaten.is_none();
            let (step, _) = self.beat().await?;
            if is_first {
                self.take(&step.take).await?;
            }
        }
        self.load().await
    }

    /// Goes on until `stop`.
    pub fn follow(
        mut self,
        outgoing: Arc<Outgoing>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> mpsc::Receiver<Passage> {
        let (passages, receiver) = mpsc::channel(1);
        tasks.spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                let round = stop.run_until_cancelled(self.round(&outgoing, &passages));
                match round.await {
                    Some(Ok(())) => self.is_silent = false,
                    Some(Err(error)) if self.is_silent => drop(error),
                    Some(Err(error)) => {
                        self.is_silent = true;
                        let error: &dyn Error = &error;
                        warn!(
                            error,
                            "the database takes no sign of life of this notifier, which goes on with what it has"
                        );
                    }
                    None => return,
                }
            }
        });
        receiver
    }

    async fn round(&mut self, outgoing: &Outgoing, passages: &mpsc::Sender<Passage>) -> Result<(), StoreError> {
        let (step, lost) = self.beat().await?;
        if !lost.is_empty() {
            counter!("bugbrother_notifier_shards_lost_total").increment(lost.len() as u64);
            warn!(shards = lost.len(), "others have taken over vehicles of this notifier, which was away for too long");
            self.hand.change(|held| held.fences.retain(|shard, _| !lost.contains(shard)));
            self.takeovers.iter_mut().for_each(|takeover| takeover.leave_out(&lost));
            passages.send(Passage::Lost(lost)).await.ok();
        }
        self.take(&step.take).await?;
        let begun = Instant::now();
        // A sign of life is due between two parts of much.
        while begun.elapsed() < EVERY
            && let Some(taken) = self.load().await?
        {
            if !taken.shards.is_empty() {
                info!(shards = taken.shards.len(), "this notifier has taken vehicles over");
            }
            passages.send(Passage::Took(taken)).await.ok();
        }
        if !step.give.is_empty() && self.takeovers.is_empty() {
            self.give(step.give, outgoing, passages).await?;
        }
        for peer in &step.dead {
            self.store.forget_peer(peer).await?;
        }
        Ok(())
    }

    /// A sign of life. What is to be done then, and what this notifier thinks it holds and does not.
    async fn beat(&mut self) -> Result<(Step, Vec<u8>), StoreError> {
        let (peers, leases) = self.store.beat(&self.id).await?;
        self.beaten = Some(Instant::now());
        let now_ms = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        Ok((self.share.step(&self.id, &peers, &leases, now_ms), self.lost(&leases)))
    }

    fn lost(&self, leases: &[Lease]) -> Vec<u8> {
        let is_ours = |shard: u8, fence: i64| {
            let mut of_shard = leases.iter().filter(|lease| lease.shard == shard);
            of_shard.any(|lease| lease.fence == fence && lease.holder.as_ref() == Some(&self.id))
        };
        let held = self.hand.held();
        held.fences.iter().filter(|(shard, fence)| !is_ours(**shard, **fence)).map(|(shard, _)| *shard).collect()
    }

    /// Takes shards. From now on this notifier may write of their vehicles.
    async fn take(&mut self, wanted: &[(u8, i64)]) -> Result<(), StoreError> {
        let taken: BTreeMap<u8, i64> = match wanted {
            [] => return Ok(()),
            wanted => self.store.take_leases(&self.id, wanted).await?,
        };
        counter!("bugbrother_notifier_shards_taken_total").increment(taken.len() as u64);
        let shards = taken.keys().copied().collect();
        self.hand.change(|held| held.fences.extend(taken));
        self.takeovers.push(Takeover::new(shards));
        Ok(())
    }

    /// The next part of what was taken.
    async fn load(&mut self) -> Result<Option<Taken>, StoreError> {
        let Some(takeover) = self.takeovers.first_mut() else { return Ok(None) };
        let taken = takeover.next(&self.store, now()).await?;
        if takeover.is_over() {
            self.takeovers.remove(0);
        }
        Ok(Some(taken))
    }

    /// Lets others have shards: once the desk has let go of them and all that it had to say of them is stored.
    async fn give(
        &self,
        shards: Vec<u8>,
        outgoing: &Outgoing,
        passages: &mpsc::Sender<Passage>,
    ) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        if passages.send(Passage::Give(shards.clone(), answer)).await.is_err() || answered.await.is_err() {
            return Ok(());
        }
        // What is not stored by then is refused, and the next holder finds it again.
        timeout(FLUSH_TIMEOUT, outgoing.stored(&shards)).await.ok();
        let held = self.hand.held();
        self.hand.change(|held| held.fences.retain(|shard, _| !shards.contains(shard)));
        self.store.give_leases(&held, &shards).await?;
        info!(shards = shards.len(), "another notifier gets vehicles of this one");
        Ok(())
    }
}
