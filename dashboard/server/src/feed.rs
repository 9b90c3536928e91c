//! The fleet, shared, and the frames that tell viewers of it.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bugbrother_wire::{UnixMs, encode, live::Frame};
use bytes::Bytes;
use tokio::{
    sync::broadcast,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    fleet::{self, Fleet},
};

/// Time from one delta to the next.
const TICK: Duration = Duration::from_millis(100);
/// When nothing changes, viewers are told so this often: they know that the line is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Deltas that a viewer may be behind before it gets a snapshot instead.
const MAX_BEHIND: usize = 16;
/// A loop that has not come round for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// The fleet, shared by those who feed it and those who watch it.
pub(crate) struct Feed {
    state: Mutex<State>,
    frames: broadcast::Sender<Bytes>,
    mqtt_is_up: AtomicBool,
}

struct State {
    fleet: Fleet,
    /// The encoded snapshot of this tick, for all who ask in it.
    snapshot: Option<Bytes>,
    ticked: Instant,
    spoken: Instant,
}

impl Feed {
    pub fn new(fleet: Fleet) -> Self {
        let now = Instant::now();
        Feed {
            state: Mutex::new(State { fleet, snapshot: None, ticked: now, spoken: now }),
            frames: broadcast::Sender::new(MAX_BEHIND),
            mqtt_is_up: AtomicBool::new(false),
        }
    }

    /// Changes the fleet. Viewers are told at the next tick.
    pub fn change<T>(&self, change: impl FnOnce(&mut Fleet) -> T) -> T {
        change(&mut self.lock().fleet)
    }

    /// A snapshot and every delta after it.
    ///
    /// The snapshot may be up to a tick old and may hold what the next delta says again; what it lacks, that delta has.
    pub fn join(&self, now: UnixMs) -> (Bytes, broadcast::Receiver<Bytes>) {
        let mut state = self.lock();
        let snapshot = match &state.snapshot {
            Some(snapshot) => snapshot.clone(),
            None => Bytes::from(encode(&Frame::Snapshot(state.fleet.snapshot(now)))),
        };
        state.snapshot = Some(snapshot.clone());
        // Still under the lock: no delta is sent between the snapshot and this.
        (snapshot, self.frames.subscribe())
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
        state.snapshot = None;
        let delta = state.fleet.delta(now);
        if fleet::is_empty(&delta) && instant.duration_since(state.spoken) < HEARTBEAT {
            return;
        }
        state.spoken = instant;
        if self.frames.receiver_count() > 0 {
            let frame = Bytes::from(encode(&Frame::Delta(delta)));
            metrics::counter!("bugbrother_dashboard_live_deltas_total").increment(1);
            metrics::counter!("bugbrother_dashboard_live_delta_bytes_total").increment(frame.len() as u64);
            // Without receivers it is dropped, as it should be.
            drop(self.frames.send(frame));
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
    use bugbrother_wire::codec::decode_value;
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

    fn names(frame: &Bytes) -> Vec<String> {
        let vehicles = match decode_value(frame).unwrap() {
            Frame::Snapshot(snapshot) => snapshot.vehicles,
            Frame::Delta(delta) => delta.named,
            Frame::Hello { .. } => panic!("a feed says no hello"),
        };
        vehicles.into_iter().map(|vehicle| vehicle.name).collect()
    }

    #[test]
    fn nothing_is_said_without_change_but_a_heartbeat() {
        let feed = feed();
        let (_, mut frames) = feed.join(NOW);
        let start = Instant::now();
        feed.tick(NOW, start + TICK);
        assert_eq!(frames.try_recv(), Err(TryRecvError::Empty));
        feed.tick(NOW, start + HEARTBEAT + TICK);
        assert!(names(&frames.try_recv().unwrap()).is_empty());
    }

    #[test]
    fn whoever_joins_misses_nothing_even_in_the_middle_of_a_tick() {
        let feed = feed();
        rename(&feed, "one");
        let (first, mut early) = feed.join(NOW);
        rename(&feed, "two");
        let (second, mut late) = feed.join(NOW);
        assert_eq!(names(&first), ["one"]);
        assert!(first == second, "encoded once in a tick");
        feed.tick(NOW, Instant::now());
        for frames in [&mut early, &mut late] {
            assert_eq!(names(&frames.try_recv().unwrap()), ["two"]);
        }
        assert_eq!(names(&feed.join(NOW).0), ["two"]);
    }

    #[tokio::test]
    async fn who_falls_behind_is_told_so_and_nothing_piles_up() {
        let feed = feed();
        let (_, mut slow) = feed.join(NOW);
        for n in 0..1000 {
            rename(&feed, &n.to_string());
            feed.tick(NOW, Instant::now());
        }
        assert!(feed.frames.len() <= MAX_BEHIND);
        assert!(matches!(slow.recv().await, Err(RecvError::Lagged(_))));
        assert_eq!(names(&feed.join(NOW).0), ["999"]);
    }
}
