//! The fleet, shared, and the deltas that tell viewers of it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bugbrother_trace::{Followed, Stage};
use bugbrother_wire::{
    UnixMs, Vin,
    live::{Change, Delta},
};
use bytes::Bytes;
use tokio::{
    sync::broadcast,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    clock,
    fleet::{self, Fleet, Placed},
    pieces::{self, Pieces},
    view::{Signals, cut},
};

/// Time from one delta to the next.
const TICK: Duration = Duration::from_millis(100);
/// When nothing changes, viewers are told so this often: they know that the line is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Deltas that a viewer may be behind before it gets what has changed in one.
const MAX_BEHIND: usize = 16;
/// Choices of signals for which a delta or snapshot is encoded once for all; others are encoded for each viewer.
const MAX_ENCODED: usize = 64;
/// Who falls behind is told what is new since a tick that is a multiple of this.
const SINCE_STEP: u64 = 8;
/// Records of a tick that are followed; who follows so many will not miss another one.
const MAX_FOLLOWED: usize = 256;
/// A loop that has not come round for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// The fleet, shared by those who feed it and those who watch it.
pub(crate) struct Feed {
    /// Numbers of vehicles and ticks count in this feed alone.
    pub identity: String,
    state: Mutex<State>,
    ticks: broadcast::Sender<Arc<Tick>>,
    mqtt_is_up: AtomicBool,
}

struct State {
    fleet: Fleet,
    /// The encoded snapshots of this tick, for all who ask in it.
    snapshots: HashMap<Signals, Pieces>,
    /// What has changed since some ticks, encoded in this tick.
    missed: HashMap<(Signals, u64), Pieces>,
    ticked: Instant,
    spoken: Instant,
    /// Records that viewers are told of at the next tick, and since when they are here.
    followed: Vec<(Followed, UnixMs)>,
}

/// What has changed in a tick.
pub(crate) struct Tick {
    pub delta: Delta,
    /// Where those are that have changed, in the same order.
    pub places: Vec<Placed>,
    /// By the signals that are wanted.
    encoded: Mutex<HashMap<Signals, Pieces>>,
}

impl Tick {
    pub fn new(delta: Delta, fleet: &Fleet) -> Self {
        let places =
            delta.changed.iter().map(|change| fleet.place(change.0).expect("what has changed is of the fleet"));
        Tick { places: places.collect(), delta, encoded: Mutex::default() }
    }

    /// What has changed of these vehicles.
    pub fn changes_of<'a>(
        &'a self,
        vins: impl IntoIterator<Item = &'a Vin>,
        fleet: &Fleet,
    ) -> impl Iterator<Item = &'a Change> {
        let changed = &self.delta.changed;
        let place = |vin: &Vin| {
            let n = fleet.number_of(*vin)?;
            changed.binary_search_by_key(&n, |change| change.0).ok()
        };
        vins.into_iter().filter_map(move |vin| Some(&changed[place(vin)?]))
    }

    /// The delta with those signals, encoded once for all who want the same.
    pub fn encoded(&self, signals: &Signals) -> Pieces {
        let mut encoded = self.encoded.lock().expect("nothing panics while it encodes");
        if let Some(pieces) = encoded.get(signals) {
            return pieces.clone();
        }
        let pieces = pieces::of_delta(cut(&self.delta, signals), self.delta.tick - 1);
        metrics::counter!("bugbrother_dashboard_live_deltas_total").increment(1);
        let bytes: usize = pieces.iter().map(Bytes::len).sum();
        metrics::counter!("bugbrother_dashboard_live_delta_bytes_total").increment(bytes as u64);
        if encoded.len() < MAX_ENCODED {
            encoded.insert(signals.clone(), pieces.clone());
        }
        pieces
    }
}

/// The tick from which on a viewer is told what it has missed that has fallen behind after this one.
///
/// When many fall behind, they do so after many different ticks. They are told what is new since the same one, a little before
/// theirs: to be told a value twice does no harm, and it is encoded once for all.
pub(crate) fn shared(tick: u64) -> u64 {
    tick - tick % SINCE_STEP
}

impl Feed {
    pub fn new(fleet: Fleet) -> Self {
        let now = Instant::now();
        Feed {
            identity: Uuid::new_v4().to_string(),
            state: Mutex::new(State {
                fleet,
                snapshots: HashMap::new(),
                missed: HashMap::new(),
                ticked: now,
                spoken: now,
                followed: Vec::new(),
            }),
            ticks: broadcast::Sender::new(MAX_BEHIND),
            mqtt_is_up: AtomicBool::new(false),
        }
    }

    /// Changes the fleet. Viewers are told at the next tick.
    pub fn change<T>(&self, change: impl FnOnce(&mut Fleet) -> T) -> T {
        change(&mut self.lock().fleet)
    }

    /// A record that is followed has come, of which viewers are told at the next tick.
    pub fn follow(&self, record: Followed, now: UnixMs) {
        let mut state = self.lock();
        if state.followed.len() < MAX_FOLLOWED {
            state.followed.push((record, now));
        }
    }

    /// What `look` makes of the fleet as it stands, and every tick after it.
    pub fn join<T>(&self, look: impl FnOnce(&Fleet) -> T) -> (T, broadcast::Receiver<Arc<Tick>>) {
        let state = self.lock();
        // Still under the lock: no tick is sent between the look and this.
        (look(&state.fleet), self.ticks.subscribe())
    }

    /// What `look` makes of the fleet as it stands.
    pub fn look<T>(&self, look: impl FnOnce(&Fleet) -> T) -> T {
        look(&self.lock().fleet)
    }

    /// A snapshot of the whole fleet with those signals and every tick after it.
    ///
    /// The snapshot may be up to a tick old and may hold what the next delta says again; what it lacks, that delta has.
    pub fn join_all(&self, signals: &Signals, now: UnixMs) -> (Pieces, broadcast::Receiver<Arc<Tick>>) {
        let mut state = self.lock();
        let snapshot = match state.snapshots.get(signals) {
            Some(snapshot) => snapshot.clone(),
            None => {
                let mut snapshot = state.fleet.snapshot(now, |_| true, |_| true);
                signals.keep_in(&mut snapshot.vehicles);
                let pieces = pieces::of_snapshot(snapshot);
                if state.snapshots.len() < MAX_ENCODED {
                    state.snapshots.insert(signals.clone(), pieces.clone());
                }
                pieces
            }
        };
        (snapshot, self.ticks.subscribe())
    }

    /// What those who want these signals of the whole fleet have missed since a tick, and every tick after it; nothing, if
    /// that is too long ago.
    pub fn join_since(
        &self,
        signals: &Signals,
        tick: u64,
        now: UnixMs,
    ) -> Option<(Pieces, broadcast::Receiver<Arc<Tick>>)> {
        let mut state = self.lock();
        let key = (signals.clone(), tick);
        let missed = match state.missed.get(&key) {
            Some(missed) => missed.clone(),
            None => {
                let delta = state.fleet.since(tick, now, |_| true, true)?;
                let missed = pieces::of_delta(cut(&delta, signals), tick);
                if state.missed.len() < MAX_ENCODED {
                    state.missed.insert(key, missed.clone());
                }
                missed
            }
        };
        Some((missed, self.ticks.subscribe()))
    }

    /// Sends a delta every tick until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.tick(clock::now(), Instant::now());
        }
    }

    fn tick(&self, now: UnixMs, instant: Instant) {
        let mut state = self.lock();
        state.ticked = instant;
        state.snapshots.clear();
        state.missed.clear();
        let delta = state.fleet.delta(now);
        if fleet::is_empty(&delta) && instant.duration_since(state.spoken) < HEARTBEAT {
            // Of what was late viewers are told nothing.
            state.followed.clear();
            return;
        }
        state.spoken = instant;
        if self.ticks.receiver_count() > 0 {
            // Without receivers it is dropped, as it should be.
            drop(self.ticks.send(Arc::new(Tick::new(delta, &state.fleet))));
        }
        // The clock's own time: a tick's is that of its beginning.
        let told = clock::now();
        for (record, since) in state.followed.drain(..) {
            bugbrother_trace::took(record, Stage::Show, since, told);
        }
        metrics::gauge!("bugbrother_dashboard_vehicles").set(state.fleet.len() as f64);
    }

    pub fn set_mqtt_up(&self, up: bool) {
        self.mqtt_is_up.store(up, Ordering::Relaxed);
    }

    pub fn mqtt_is_up(&self) -> bool {
        self.mqtt_is_up.load(Ordering::Relaxed)
    }

    /// Whether deltas are still being made.
    pub fn is_ticking(&self) -> bool {
        self.lock().ticked.elapsed() < STUCK_AFTER
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the fleet")
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{codec::decode_value, live::Frame};
    use tokio::sync::broadcast::error::{RecvError, TryRecvError};

    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    fn feed() -> Feed {
        Feed::new(Fleet::new(10))
    }

    fn rename(feed: &Feed, name: &str) {
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        feed.change(|fleet| fleet.rename(vin, name, None));
    }

    fn join(feed: &Feed) -> (Pieces, broadcast::Receiver<Arc<Tick>>) {
        feed.join_all(&Signals::all(), NOW)
    }

    fn names(pieces: &Pieces) -> Vec<String> {
        assert_eq!(pieces.len(), 1);
        let vehicles = match decode_value(&pieces[0]).unwrap() {
            Frame::Snapshot(snapshot) => snapshot.vehicles,
            Frame::Delta(delta) => delta.named,
            Frame::Hello { .. } => panic!("a feed says no hello"),
        };
        vehicles.into_iter().map(|vehicle| vehicle.name).collect()
    }

    fn said(tick: Arc<Tick>) -> Vec<String> {
        names(&tick.encoded(&Signals::all()))
    }

    #[test]
    fn nothing_is_said_without_change_but_a_heartbeat() {
        let feed = feed();
        let (_, mut ticks) = join(&feed);
        let start = Instant::now();
        feed.tick(NOW, start + TICK);
        assert!(matches!(ticks.try_recv(), Err(TryRecvError::Empty)));
        feed.tick(NOW, start + HEARTBEAT + TICK);
        assert!(said(ticks.try_recv().unwrap()).is_empty());
    }

    #[test]
    fn whoever_joins_misses_nothing_even_in_the_middle_of_a_tick() {
        let feed = feed();
        rename(&feed, "one");
        let (first, mut early) = join(&feed);
        rename(&feed, "two");
        let (second, mut late) = join(&feed);
        assert_eq!(names(&first), ["one"]);
        assert!(Arc::ptr_eq(&first, &second), "encoded once in a tick");
        feed.tick(NOW, Instant::now());
        for ticks in [&mut early, &mut late] {
            assert_eq!(said(ticks.try_recv().unwrap()), ["two"]);
        }
        assert_eq!(names(&join(&feed).0), ["two"]);
    }

    #[tokio::test]
    async fn who_falls_behind_is_told_so_and_nothing_piles_up() {
        let feed = feed();
        let (_, mut slow) = join(&feed);
        for n in 0..1000 {
            rename(&feed, &n.to_string());
            feed.tick(NOW, Instant::now());
        }
        assert!(feed.ticks.len() <= MAX_BEHIND);
        assert!(matches!(slow.recv().await, Err(RecvError::Lagged(_))));
        assert_eq!(names(&join(&feed).0), ["999"]);
    }

    #[test]
    fn a_tick_is_encoded_once_for_all_who_want_the_same_signals() {
        let feed = feed();
        rename(&feed, "one");
        let delta = feed.change(|fleet| fleet.delta(NOW));
        let tick = feed.look(|fleet| Tick::new(delta, fleet));
        let brief = Signals::of(Some(vec!["spd".to_owned()]));
        let (first, again) = (tick.encoded(&brief), tick.encoded(&brief.clone()));
        assert!(Arc::ptr_eq(&first, &again));
        assert!(!Arc::ptr_eq(&first, &tick.encoded(&Signals::all())));
    }
}
