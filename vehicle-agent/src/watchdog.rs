//! Whether the parts of the agent still make progress, for systemd's watchdog: sd_notify(3), and `WatchdogSec=` in
//! systemd.service(5). Without systemd nobody is told.
//!
//! # Invariants
//! - systemd hears that the agent is alive only while every part that has said it would show itself does.
//! - A part that has ended is not waited for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::outbox::Outbox;

/// How often parts are looked at when no watchdog says how often it wants to hear.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// The outbox of a full memory card that is being saved takes its time.
const OUTBOX_PATIENCE: Duration = Duration::from_secs(180);
const ASK_OUTBOX_EVERY: Duration = Duration::from_secs(10);

/// Where the parts of the agent show that they are alive. Cloning gives another handle to the same one.
#[derive(Debug, Clone, Default)]
pub struct Watchdog(Arc<Mutex<BTreeMap<&'static str, Seen>>>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    patience: Duration,
}

/// One part that is waited for until this is dropped.
#[derive(Debug)]
pub struct Pulse {
    part: &'static str,
    watchdog: Watchdog,
}

impl Watchdog {
    /// Nobody is waited for yet.
    pub fn new() -> Self {
        Watchdog::default()
    }

    /// From now on that part is to show itself at least every `patience`. One part of a name: a second one takes its place.
    #[must_use = "the part is waited for as long as its pulse is there"]
    pub fn part(&self, part: &'static str, patience: Duration) -> Pulse {
        self.parts().insert(part, Seen { at: Instant::now(), patience });
        Pulse { part, watchdog: self.clone() }
    }

    /// The parts that should have shown themselves before `now` and have not.
    pub fn silent(&self, now: Instant) -> Vec<&'static str> {
        let parts = self.parts();
        let late = parts.iter().filter(|(_, seen)| now.saturating_duration_since(seen.at) > seen.patience);
        late.map(|(part, _)| *part).collect()
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<&'static str, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse {
    /// The part is alive.
    pub fn beat(&self) {
        if let Some(seen) = self.watchdog.parts().get_mut(self.part) {
            seen.at = Instant::now();
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.watchdog.parts().remove(self.part);
    }
}

/// The agent does what it is there for.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// The agent is about to end.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Tells systemd that the agent is alive as long as all parts are, until `stop`.
pub async fn guard(watchdog: Watchdog, stop: CancellationToken) {
    // Twice in each period, as systemd asks for, and once more for a busy computer.
    let every = sd_notify::watchdog_enabled().map_or(LOOK_EVERY, |period| period / 3);
    keep_telling(watchdog, every, || tell(NotifyState::Watchdog), stop).await;
}

async fn keep_telling(watchdog: Watchdog, every: Duration, alive: impl Fn(), stop: CancellationToken) {
    let mut known = Vec::new();
    loop {
        let silent = watchdog.silent(Instant::now());
        if silent.is_empty() {
            alive();
        }
        if silent != known {
            match silent.as_slice() {
                [] => info!("all parts go on"),
                parts => error!(?parts, "parts of the agent have stopped: the watchdog will start it anew"),
            }
            known = silent;
        }
        if stop.run_until_cancelled(sleep(every)).await.is_none() {
            return;
        }
    }
}

/// Shows that the outbox can be used, until `stop`.
pub async fn watch_outbox(watchdog: Watchdog, outbox: Outbox, stop: CancellationToken) {
    let pulse = watchdog.part("outbox", OUTBOX_PATIENCE);
    let look = async {
        loop {
            // A disk that answers with an error is alive; one that hangs, or a part that never lets go of the file, is not.
            drop(outbox.usage().await);
            pulse.beat();
            sleep(ASK_OUTBOX_EVERY).await;
        }
    };
    stop.run_until_cancelled(look).await;
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        debug!(error = &error as &dyn std::error::Error, "systemd does not hear");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_part_is_silent_when_its_patience_is_over_and_no_more_when_it_beats_or_ends() {
        let watchdog = Watchdog::new();
        let (quick, slow) = (watchdog.part("quick", SECOND), watchdog.part("slow", 10 * SECOND));
        let start = Instant::now();
        assert_eq!(watchdog.silent(start + SECOND), [""; 0]);
        assert_eq!(watchdog.silent(start + 2 * SECOND), ["quick"]);
        assert_eq!(watchdog.silent(start + 11 * SECOND), ["quick", "slow"]);
        tokio::time::advance(2 * SECOND).await;
        quick.beat();
        assert_eq!(watchdog.silent(start + 3 * SECOND), [""; 0]);
        drop(quick);
        assert_eq!(watchdog.silent(start + 100 * SECOND), ["slow"]);
        drop(slow);
        assert_eq!(watchdog.silent(start + 100 * SECOND), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn systemd_hears_nothing_while_a_part_stands_still() {
        let (watchdog, stop) = (Watchdog::new(), CancellationToken::new());
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        let tell = move || drop(count.fetch_add(1, SeqCst));
        let guard = tokio::spawn(keep_telling(watchdog.clone(), SECOND, tell, stop.clone()));
        let pulse = watchdog.part("outbox", 5 * SECOND);
        let during = async |span: Duration| {
            let before = told.load(SeqCst);
            sleep(span).await;
            told.load(SeqCst) - before
        };
        assert!((4..=6).contains(&during(5 * SECOND).await));
        during(2 * SECOND).await;
        assert_eq!(during(60 * SECOND).await, 0);
        pulse.beat();
        assert!((3..=5).contains(&during(4 * SECOND).await));
        stop.cancel();
        guard.await.unwrap();
    }
}
