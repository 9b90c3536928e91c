use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bugbrother_store::{Kept, Store, StoreError};
use bugbrother_wire::{UnixMs, Vin};
use metrics::{counter, gauge};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// So many rows of a vehicle are worth folding at once.
const MANY_ROWS: u64 = 1_200;
/// No row stays in the tail for longer if folding keeps up.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// A vehicle that has fallen silent has parked, and its trip is wanted.
pub(crate) const QUIET: Duration = Duration::from_secs(60);
/// While commits take all that the machine has, folding gives way to them, until so many rows wait: some 500 MB, and a quarter
/// of a minute's folding.
const MOST_ROWS: u64 = 4_000_000;
/// For so long after a commit that another one was waiting for.
const GIVE_WAY: Duration = Duration::from_secs(1);
/// What has waited for too long is folded all the same, for one part of the time in so many.
pub(crate) const SLOWLY: u32 = 4;
/// Vehicles whose tails are folded in one transaction, and while commits have to wait for it.
const TOGETHER: usize = 16;
const FEW: usize = 4;
/// Vehicles that are asked for at once.
pub(crate) const PAGE: u32 = 1_000;
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at what has to be done now and then.
const ROUND: Duration = Duration::from_secs(60);
/// A trip of which nothing is heard for so long may have ended; the machine knows.
const SILENT_MS: i64 = 15 * 60_000;
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Folds the tails of vehicles, each when it is worth while.
pub struct Keeper {
    pub(crate) store: Store,
    waiting: Mutex<HashMap<Vin, Waiting>>,
    wake: Notify,
    commits_first_until: Mutex<Option<Instant>>,
    /// Batches that are folded and have not been removed yet.
    pub(crate) folded: AtomicU64,
}

struct Waiting {
    /// Rows that were committed since the last fold began.
    rows: u64,
    since: Instant,
    last: Instant,
    /// There is something whatever the rows say: it was found at the start, or a fold left something.
    is_due: bool,
    /// It could not be folded so often, and is left alone until then.
    failures: u32,
    not_before: Instant,
}

/// A vehicle whose tail is folded now, and how many rows were counted then.
struct Due {
    vin: Vin,
    rows: u64,
}

impl Waiting {
    /// Each vehicle's first wait is between a half and the whole of the longest: a fleet that comes at once is not folded at
    /// once.
    fn new(vin: Vin, now: Instant) -> Self {
        let mut hasher = DefaultHasher::new();
        vin.hash(&mut hasher);
        let part = hasher.finish() as f64 / u64::MAX as f64;
        let since = now.checked_sub(LONGEST_WAIT.mul_f64(part / 2.0)).unwrap_or(now);
        Waiting { rows: 0, since, last: now, is_due: false, failures: 0, not_before: now }
    }

    fn is_due(&self, now: Instant) -> bool {
        let is_worth_it = self.is_due
            || self.rows >= MANY_ROWS
            || now.duration_since(self.since) >= LONGEST_WAIT
            || now.duration_since(self.last) >= QUIET;
        now >= self.not_before && is_worth_it
    }
}

impl Keeper {
    pub fn new(store: Store) -> Self {
        Keeper {
            store,
            waiting: Mutex::default(),
            wake: Notify::new(),
            commits_first_until: Mutex::default(),
            // Another process may have left some.
            folded: AtomicU64::new(1),
        }
    }

    /// Commits are behind: folding is to leave them the machine for a moment.
    pub fn give_way(&self) {
        let mut until = self.commits_first_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(Instant::now() + GIVE_WAY);
    }

    /// Whether commits are behind.
    fn is_busy(&self) -> bool {
        let until = *self.commits_first_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| until > Instant::now())
    }

    /// Whether commits come first for a moment, and the tails are not too much for that.
    pub(crate) fn commits_come_first(&self) -> bool {
        self.is_busy() && self.waiting_rows() < MOST_ROWS
    }

    /// Whether everything that this worker knows of is folded.
    pub(crate) fn waits_for_nothing(&self) -> bool {
        self.lock().is_empty()
    }

    /// Rows that wait to be folded.
    fn waiting_rows(&self) -> u64 {
        self.lock().values().map(|entry| entry.rows).sum()
    }

    /// Whether folding can wait: commits come first, and nothing has waited for too long.
    fn gives_way(&self) -> bool {
        let now = Instant::now();
        let has_time = |entry: &Waiting| now.duration_since(entry.since) < LONGEST_WAIT;
        self.commits_come_first() && self.lock().values().all(has_time)
    }

    /// These vehicles have so many more rows in their tails.
    pub fn take(&self, vehicles: &[(Vin, u64)]) {
        let now = Instant::now();
        let mut waiting = self.lock();
        let mut is_due = false;
        for (vin, rows) in vehicles {
            let entry = waiting.entry(*vin).or_insert_with(|| Waiting::new(*vin, now));
            entry.rows += rows;
            entry.last = now;
            is_due |= entry.rows >= MANY_ROWS;
        }
        drop(waiting);
        if is_due {
            self.wake.notify_one();
        }
    }

    /// Keeps house until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let house = async { tokio::join!(self.keep(), self.sweep(), self.remove()) };
        shutdown.run_until_cancelled(house).await;
    }

    async fn keep(&self) {
        let mut pause = LOOK;
        let mut is_known = false;
        let mut round = Instant::now();
        loop {
            let began = Instant::now();
            match self.turn(&mut is_known, &mut round).await {
                Ok(true) => {
                    pause = LOOK;
                    if self.commits_come_first() {
                        sleep(began.elapsed() * (SLOWLY - 1)).await;
                    }
                }
                Ok(false) => {
                    pause = LOOK;
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = sleep(LOOK) => {}
                    }
                }
                Err(failure) => {
                    counter!("bugbrother_ingest_keep_failures_total").increment(1);
                    if pause == LOOK {
                        let failure: &dyn std::error::Error = &failure;
                        error!(failure, "the tails of vehicles cannot be folded; trying again");
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Folds some tails that are due. Tells whether there were some.
    async fn turn(&self, is_known: &mut bool, round: &mut Instant) -> Result<bool, StoreError> {
        if !*is_known {
            self.find().await?;
            *is_known = true;
        }
        if round.elapsed() >= ROUND {
            *round = Instant::now();
            self.go_round(crate::now()).await?;
        }
        let most = if self.is_busy() { FEW } else { TOGETHER };
        let due = if self.gives_way() { Vec::new() } else { self.due(most) };
        if due.is_empty() {
            return Ok(false);
        }
        let vins: Vec<Vin> = due.iter().map(|due| due.vin).collect();
        match self.store.keep(&vins).await {
            Ok(kept) => due.iter().zip(kept).for_each(|(due, kept)| self.done(due, kept)),
            Err(failure) => {
                // A database that is away is so for everybody.
                self.store.ping().await.map_err(|_| failure)?;
                self.turn_apart(&due).await;
            }
        }
        gauge!("bugbrother_ingest_vehicles_waiting").set(self.lock().len() as f64);
        Ok(true)
    }

    /// One of them cannot be folded, or another worker is at it: each by itself, and nobody waits for that one.
    async fn turn_apart(&self, due: &[Due]) {
        for due in due {
            let failure = match self.store.keep(&[due.vin]).await {
                Ok(kept) => {
                    kept.into_iter().for_each(|kept| self.done(due, kept));
                    continue;
                }
                Err(failure) => failure,
            };
            let is_conflict = matches!(failure, StoreError::Conflict);
            let mut waiting = self.lock();
            let Some(entry) = waiting.get_mut(&due.vin) else { continue };
            if !is_conflict {
                counter!("bugbrother_ingest_keep_failures_total").increment(1);
                if entry.failures == 0 {
                    let failure: &dyn std::error::Error = &failure;
                    error!(failure, vin = %due.vin, "the tail of a vehicle cannot be folded; trying again now and then");
                }
                entry.failures += 1;
            }
            entry.is_due = true;
            entry.not_before = Instant::now() + LOOK * (1 << entry.failures.min(9));
        }
    }

    fn done(&self, due: &Due, kept: Kept) {
        counter!("bugbrother_ingest_batches_folded_total").increment(kept.batches);
        self.folded.fetch_add(kept.batches, Ordering::Relaxed);
        let mut waiting = self.lock();
        let Some(entry) = waiting.get_mut(&due.vin) else { return };
        // What came meanwhile may be in it or not; if it is, the next fold finds nothing.
        entry.rows -= due.rows;
        if !kept.more && entry.rows == 0 {
            waiting.remove(&due.vin);
            return;
        }
        (entry.is_due, entry.failures, entry.since) = (kept.more, 0, Instant::now());
    }

    /// What has to be done now and then.
    async fn go_round(&self, now: UnixMs) -> Result<(), StoreError> {
        for vin in self.store.silent_trips(now - SILENT_MS, PAGE).await? {
            match self.store.end_silent_trip(vin, now).await {
                // Something has been heard of it after all.
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        loop {
            let released = self.store.release(now).await?;
            if released.records == 0 {
                break;
            }
            counter!("bugbrother_ingest_quarantine_released_total").increment(released.records);
            self.take(&released.waiting);
        }
        Ok(())
    }

    /// After a start: what was left in the tails.
    async fn find(&self) -> Result<(), StoreError> {
        let mut after = None;
        let mut found = 0;
        loop {
            let page = self.store.waiting(after, PAGE).await?;
            found += page.len();
            let now = Instant::now();
            let mut waiting = self.lock();
            for vin in &page {
                waiting.entry(*vin).or_insert_with(|| Waiting::new(*vin, now)).is_due = true;
            }
            drop(waiting);
            after = page.last().copied();
            if page.len() < PAGE as usize {
                break;
            }
        }
        info!(vehicles = found, "found batches to be folded");
        Ok(())
    }

    /// So many of those that have waited longest, in the order in which all workers lock them.
    fn due(&self, most: usize) -> Vec<Due> {
        let (waiting, now) = (self.lock(), Instant::now());
        let mut due: Vec<_> = waiting.iter().filter(|(_, entry)| entry.is_due(now)).collect();
        due.sort_unstable_by_key(|(_, entry)| entry.since);
        due.truncate(most);
        due.sort_unstable_by_key(|(vin, _)| **vin);
        due.into_iter().map(|(vin, entry)| Due { vin: *vin, rows: entry.rows }).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vin, Waiting>> {
        // The map is whole between any two statements.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bugbrother_store::Arrival;
    use bugbrother_wire::{
        Epoch, Message, SCHEMA_VERSION, Seq, Topic, encode,
        message::{Clock, Row, Telemetry},
        topic::Kind,
    };

    use super::*;

    pub(crate) fn arrival(vehicle: usize, seq: u64) -> Arrival {
        let vin: Vin = format!("WVWZZZ1JZ3W{vehicle:06}").parse().unwrap();
        let batch = Telemetry {
            v: SCHEMA_VERSION,
            vin,
            epoch: Epoch(1),
            seq: Seq(seq),
            t0: 1_790_000_000_000 + seq as i64 * 1000,
            clock: Clock::Gnss,
            keys: vec!["spd".into()],
            rows: vec![Row { dt_ms: 0, values: vec![Some(50.0)] }],
            gap: None,
        };
        Arrival {
            received_ts: batch.t0,
            topic: Topic::new(vin, Kind::Telemetry).to_string(),
            payload: encode(&batch).into(),
            content: Ok(Message::Telemetry(batch)),
        }
    }

    pub(crate) async fn store() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await.unwrap(), folder)
    }

    /// Turns until nothing is due; tells how many there were.
    pub(crate) async fn turns(keeper: &Keeper) -> usize {
        let (mut known, mut round) = (false, Instant::now());
        let mut turns = 0;
        while keeper.turn(&mut known, &mut round).await.unwrap() {
            turns += 1;
            assert!(turns < 20, "it goes round and round");
        }
        turns
    }

    #[tokio::test]
    async fn what_was_left_by_another_process_is_folded_once_and_then_forgotten() {
        let (store, _folder) = store().await;
        let left: Vec<_> = (0..40).map(|vehicle| arrival(vehicle, 1)).collect();
        store.commit(&left).await.unwrap();
        let keeper = Keeper::new(store.clone());
        assert_eq!(turns(&keeper).await, 3);
        assert_eq!(store.waiting(None, 100).await.unwrap(), []);
        assert!(keeper.lock().is_empty());
    }

    #[tokio::test]
    async fn folding_gives_way_to_commits_until_too_much_is_waiting() {
        let (store, _folder) = store().await;
        let keeper = Keeper::new(store.clone());
        assert_eq!(turns(&keeper).await, 0);
        let vin = store.commit(&[arrival(1, 1)]).await.unwrap().waiting[0].0;
        keeper.take(&[(vin, MANY_ROWS)]);
        keeper.give_way();
        assert_eq!(turns(&keeper).await, 0);
        keeper.take(&[(vin, MOST_ROWS)]);
        assert_eq!(turns(&keeper).await, 1);

        store.commit(&[arrival(1, 2)]).await.unwrap();
        keeper.take(&[(vin, MANY_ROWS)]);
        assert_eq!(turns(&keeper).await, 0);
        tokio::time::pause();
        tokio::time::advance(GIVE_WAY).await;
        tokio::time::resume();
        assert_eq!(turns(&keeper).await, 1);
    }

    #[tokio::test]
    async fn a_fleet_that_comes_at_once_is_due_over_five_minutes_and_nobody_later_than_after_ten() {
        let (store, _folder) = store().await;
        let keeper = Keeper::new(store);
        let vins: Vec<(Vin, u64)> = (0..1_000).map(|n| (format!("WVWZZZ1JZ3W{n:06}").parse().unwrap(), 1)).collect();
        keeper.take(&vins);
        let now = Instant::now();
        let due = |after: u64| {
            let then = now + Duration::from_secs(after);
            keeper.lock().values().filter(|entry| then.duration_since(entry.since) >= LONGEST_WAIT).count()
        };
        assert_eq!((due(299), due(600)), (0, 1_000));
        for minute in 6..10 {
            let part = due(minute * 60) - due((minute - 1) * 60);
            assert!((150..250).contains(&part), "{part} of a thousand in a fifth of the time");
        }
    }

    #[tokio::test]
    async fn a_vehicle_whose_tail_somebody_else_has_folded_is_not_looked_at_for_ever() {
        let (store, _folder) = store().await;
        let keeper = Keeper::new(store.clone());
        assert_eq!(turns(&keeper).await, 0);
        let committed = store.commit(&[arrival(1, 1)]).await.unwrap();
        keeper.take(&committed.waiting);
        store.keep(&[committed.waiting[0].0]).await.unwrap();
        tokio::time::pause();
        tokio::time::advance(QUIET).await;
        tokio::time::resume();
        assert_eq!(turns(&keeper).await, 1);
        assert!(keeper.lock().is_empty());
    }
}
