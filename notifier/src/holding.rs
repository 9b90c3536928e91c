//! The vehicles that this notifier looks after: taken, kept, given up, by what [`Share`] says.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bugbrother_store::{Held, Lease, MAX_PAGE, Store, StoreError, shard_of};
use bugbrother_wire::{AlertId, UnixMs, Vin};
use metrics::{counter, gauge};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{desk::Adopted, outgoing::Outgoing, share::Share};

/// Between two signs of life. See [`crate::share::DEAD_AFTER_MS`].
const EVERY: Duration = Duration::from_millis(1_500);
/// Vehicles that are read at a time.
const PAGE: u32 = 1_000;
/// Alerts that ended last, whose topics are cleared again when a shard is taken over.
const LAST_ENDED: u32 = 1_000;
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Arc<Held>> {
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
    /// Others are to have these. What is to be kept of their vehicles is the answer.
    Give(Vec<u8>, oneshot::Sender<Vec<(Vin, String)>>),
}

/// Shards, and what is known of their vehicles.
#[derive(Debug, Default)]
pub struct Taken {
    /// Which.
    pub shards: Vec<u8>,
    /// Their vehicles.
    pub vehicles: BTreeMap<Vin, Adopted>,
    /// Alerts that ended a moment ago: whoever had them may not have come to clear their topics.
    pub ended: Vec<(Vin, AlertId)>,
}

/// Keeps this notifier's part.
pub struct Holding {
    id: String,
    store: Store,
    hand: Arc<Hand>,
    share: Share,
    begun: Instant,
    /// Taken in the database, and not yet loaded.
    unloaded: BTreeMap<u8, i64>,
    is_silent: bool,
}

impl Holding {
    /// For a notifier of that identity, which nobody else has or had.
    pub fn new(id: String, store: Store) -> Self {
        let hand = Arc::new(Hand::default());
        hand.change(|held| held.holder.clone_from(&id));
        let begun = Instant::now();
        Holding { id, store, hand, share: Share::default(), begun, unloaded: BTreeMap::new(), is_silent: false }
    }

    /// What it holds.
    pub fn hand(&self) -> Arc<Hand> {
        Arc::clone(&self.hand)
    }

    /// Says that this notifier lives and takes what it should have. Returns what it took.
    pub async fn first(&mut self) -> Result<Taken, StoreError> {
        let (peers, leases) = self.store.beat(&self.id).await?;
        let step = self.share.step(&self.id, &peers, &leases, self.now_ms());
        self.take(&step.take).await?;
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
                        warn!(error, "the fleet database does not take this notifier's sign of life; it goes on with what it has");
                    }
                    None => return,
                }
            }
        });
        receiver
    }

    async fn round(&mut self, outgoing: &Outgoing, passages: &mpsc::Sender<Passage>) -> Result<(), StoreError> {
        let (peers, leases) = self.store.beat(&self.id).await?;
        let lost = self.lost(&leases);
        if !lost.is_empty() {
            counter!("bugbrother_notifier_shards_lost_total").increment(lost.len() as u64);
            warn!(shards = lost.len(), "others have taken over vehicles of this notifier, which was away for too long");
            self.hand.change(|held| held.fences.retain(|shard, _| !lost.contains(shard)));
            self.unloaded.retain(|shard, _| !lost.contains(shard));
            passages.send(Passage::Lost(lost)).await.ok();
        }
        let step = self.share.step(&self.id, &peers, &leases, self.now_ms());
        self.take(&step.take).await?;
        if !self.unloaded.is_empty() {
            let taken = self.load().await?;
            info!(shards = taken.shards.len(), vehicles = taken.vehicles.len(), "this notifier has taken vehicles over");
            passages.send(Passage::Took(taken)).await.ok();
        }
        if !step.give.is_empty() {
            self.give(step.give, outgoing, passages).await?;
        }
        for peer in &step.dead {
            self.store.forget_peer(peer).await?;
        }
        Ok(())
    }

    /// What this notifier thinks it holds and does not.
    fn lost(&self, leases: &[Lease]) -> Vec<u8> {
        let held = self.hand.held();
        let is_ours = |shard: u8, fence: i64| {
            let mut of_shard = leases.iter().filter(|lease| lease.shard == shard);
            of_shard.any(|lease| lease.fence == fence && lease.holder.as_ref() == Some(&self.id))
        };
        let thought = held.fences.iter().chain(&self.unloaded);
        thought.filter(|(shard, fence)| !is_ours(**shard, **fence)).map(|(shard, _)| *shard).collect()
    }

    async fn take(&mut self, wanted: &[(u8, i64)]) -> Result<(), StoreError> {
        if !wanted.is_empty() {
            let taken = self.store.take_leases(&self.id, wanted).await?;
            counter!("bugbrother_notifier_shards_taken_total").increment(taken.len() as u64);
            self.unloaded.extend(taken);
        }
        Ok(())
    }

    /// Reads what is known of the vehicles that were taken. From then on this notifier may write of them.
    async fn load(&mut self) -> Result<Taken, StoreError> {
        let mut taken = Taken { shards: self.unloaded.keys().copied().collect(), ..Taken::default() };
        let is_ours = |vin: Vin| self.unloaded.contains_key(&shard_of(vin));
        let mut after = None;
        loop {
            let page = self.store.vehicles(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.vin);
            for state in page.into_iter().filter(|state| is_ours(state.vin)) {
                let vehicle = taken.vehicles.entry(state.vin).or_default();
                vehicle.state = Some(state);
            }
        }
        for alert in self.store.active_alerts(MAX_PAGE).await?.into_iter().filter(|alert| is_ours(alert.vin)) {
            taken.vehicles.entry(alert.vin).or_default().alerts.push(alert);
        }
        let last = self.store.alerts(None, LAST_ENDED).await?.into_iter();
        let ended = last.filter(|alert| alert.resolved.is_some() && is_ours(alert.vin));
        taken.ended = ended.map(|alert| (alert.vin, alert.id)).collect();
        let unloaded = std::mem::take(&mut self.unloaded);
        self.hand.change(|held| held.fences.extend(unloaded));
        Ok(taken)
    }

    /// Lets others have shards: once the desk has let go of them and what it said of them is stored.
    async fn give(
        &self,
        shards: Vec<u8>,
        outgoing: &Outgoing,
        passages: &mpsc::Sender<Passage>,
    ) -> Result<(), StoreError> {
        let (answer, memories) = oneshot::channel();
        if passages.send(Passage::Give(shards.clone(), answer)).await.is_err() {
            return Ok(());
        }
        let Ok(memories) = memories.await else { return Ok(()) };
        // What is not stored by then is refused, and the next holder finds it again.
        timeout(FLUSH_TIMEOUT, outgoing.stored(&shards)).await.ok();
        keep(&self.store, &self.hand.held(), &memories).await?;
        let held = self.hand.held();
        self.hand.change(|held| held.fences.retain(|shard, _| !shards.contains(shard)));
        self.store.give_leases(&held, &shards).await?;
        info!(shards = shards.len(), "another notifier gets vehicles of this one");
        Ok(())
    }

    fn now_ms(&self) -> UnixMs {
        i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Keeps what a desk remembers of vehicles for whoever looks after them next.
pub async fn keep(store: &Store, held: &Held, memories: &[(Vin, String)]) -> Result<(), StoreError> {
    let _ = (store, held, memories);
    Ok(())
}
