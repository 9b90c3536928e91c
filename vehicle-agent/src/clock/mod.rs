//! What time it is, and what that is worth. A Raspberry Pi has no clock of its own that goes on while it is switched off.
//!
//! # Layout
//! - [`Timekeeper`]: which source counts, pure; `settings`: what has set the computer's clock
//! - [`Time`]: the handle that all parts of the agent share
//!
//! # Invariants
//! - Time since the computer's start is what everything is measured by: it never jumps. A good time says when the start was.
//! - Before the first good time a moment is *provisional*: the milliseconds since the start, in the year 2000, where no
//!   car's record belongs. The outbox holds such records back and moves them to their place when the start is known.

mod keeper;
mod settings;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use bugbrother_wire::{
    UnixMs,
    codec::{EARLIEST, LATEST},
    unix_ms,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

pub use keeper::{Good, Stamp, TIME_HOLDS_MS, Timekeeper};
pub use settings::{ClockSettings, Setter};

/// How often it is looked at what has set the computer's clock, while nobody good has and after that.
const LOOK_SOON: Duration = Duration::from_secs(5);
const LOOK_LATER: Duration = Duration::from_secs(60);
/// A year, of which no computer in a car sees the end without being started anew.
const PROVISIONAL_MS: i64 = 366 * 24 * 60 * 60 * 1000;

/// The moment `up` milliseconds after the computer's start, as long as it is not known when that was.
pub fn provisional(up: i64) -> UnixMs {
    EARLIEST + up.clamp(0, PROVISIONAL_MS - 1)
}

/// Whether a time is only the time since the computer's start.
pub fn is_provisional(ts: UnixMs) -> bool {
    (EARLIEST..EARLIEST + PROVISIONAL_MS).contains(&ts)
}

/// One start of the computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The kernel's name for it.
    pub id: String,
    /// When it was by the computer's clock, which may be wrong.
    pub guess: UnixMs,
}

/// The agent's time. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct Time(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keeper: Mutex<Timekeeper>,
    boot: Boot,
    /// The same moment by both.
    origin: (Instant, i64),
    settings: ClockSettings,
    good: watch::Sender<Option<Good>>,
}

impl Time {
    /// Of the computer that `settings` are of. It is provisional until [`Time::look`] or a receiver says something better.
    pub fn new(settings: ClockSettings) -> Self {
        let up = settings.up_ms().unwrap_or(0);
        // Where the kernel does not tell, each start of the agent is one of the computer.
        let id = settings.boot_id().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let boot = Boot { id, guess: computers_clock() - up };
        Time(Arc::new(Shared {
            keeper: Mutex::default(),
            boot,
            origin: (Instant::now(), up),
            settings,
            good: watch::Sender::new(None),
        }))
    }

    /// Looks at what has set the computer's clock.
    pub async fn look(&self) -> Setter {
        let setter = self.0.settings.setter(computers_clock()).await;
        self.change(|keeper| keeper.hear_setter(setter));
        setter
    }

    /// Looks again and again until `stop`.
    pub async fn keep(&self, stop: &CancellationToken) {
        let mut last = None;
        while !stop.is_cancelled() {
            let setter = self.look().await;
            if last.replace(setter) != Some(setter) {
                info!(?setter, "what set this computer's clock");
            }
            let wait = if setter == Setter::Network { LOOK_LATER } else { LOOK_SOON };
            stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
    }

    /// The computer's clock, as long as the network keeps it.
    pub fn by_network(&self) -> Option<UnixMs> {
        self.lock().is_kept_by_network().then(computers_clock)
    }

    /// A receiver told at `at` that it was `ts`.
    pub fn hear_receiver(&self, ts: UnixMs, at: Instant) {
        let up = self.up(at);
        self.change(|keeper| keeper.hear_receiver(ts, up));
    }

    /// An agent before this one, since the same start, knew when that was.
    pub fn remember(&self, started: UnixMs) {
        self.change(|keeper| keeper.remember(started));
    }

    /// There has to be a time, good or not: `started` is the best guess of when the computer was started.
    pub fn guess(&self, started: UnixMs) {
        self.change(|keeper| keeper.guess(started));
    }

    /// A moment.
    pub fn stamp(&self, at: Instant) -> Stamp {
        let (up, now) = (self.up(at), self.up(Instant::now()));
        self.lock().stamp(up, now, computers_clock())
    }

    /// The moment that was `ts`. Of a time that is yet to come it is now, since clocks differ; none of what is longer ago than
    /// `longest`.
    pub fn moment(&self, ts: UnixMs, longest: Duration) -> Option<Instant> {
        let now = Instant::now();
        let ago = self.stamp(now).ts.saturating_sub(ts);
        let ago = Duration::from_millis(u64::try_from(ago).unwrap_or(0));
        if ago <= longest { now.checked_sub(ago) } else { None }
    }

    /// Now, provisional without a good time.
    pub fn now(&self) -> UnixMs {
        self.stamp(Instant::now()).ts
    }

    /// Now, by the computer's clock where nothing better is known: for what is said once and must not wait.
    pub fn estimate(&self) -> UnixMs {
        let stamp = self.stamp(Instant::now());
        if is_provisional(stamp.ts) { computers_clock() } else { stamp.ts }
    }

    /// This start of the computer.
    pub fn boot(&self) -> &Boot {
        &self.0.boot
    }

    /// The best good time; `None` before the first.
    pub fn good(&self) -> watch::Receiver<Option<Good>> {
        self.0.good.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Timekeeper)) {
        let now = self.up(Instant::now());
        let mut keeper = self.lock();
        change(&mut keeper);
        let good = keeper.good(now, computers_clock());
        drop(keeper);
        self.0.good.send_if_modified(|known| {
            // Each fix moves it a little: only what is another source is news.
            let news = known.map(|known| known.clock) != good.map(|good| good.clock);
            if news {
                debug!(?good, "time");
                *known = good;
            }
            news
        });
    }

    /// Milliseconds between the computer's start and a moment.
    fn up(&self, at: Instant) -> i64 {
        let (origin, up) = self.0.origin;
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2);
        up + ms(at.saturating_duration_since(origin)) - ms(origin.saturating_duration_since(at))
    }

    fn lock(&self) -> MutexGuard<'_, Timekeeper> {
        self.0.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The computer's clock, whatever that is worth, within what the contract knows.
pub fn computers_clock() -> UnixMs {
    unix_ms(SystemTime::now()).clamp(EARLIEST, LATEST - 1)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bugbrother_wire::message::Clock;

    use super::*;

    /// A Raspberry Pi that has just been started.
    fn unset() -> (tempfile::TempDir, Time) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("proc/device-tree/model", "Raspberry Pi 4"),
            ("proc/uptime", "20.00 50.00"),
            ("proc/sys/kernel/random/boot_id", "first"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let time = Time::new(ClockSettings::in_folder(dir.path()));
        (dir, time)
    }

    #[tokio::test]
    async fn a_time_of_the_last_seconds_is_a_moment_and_what_lies_ahead_is_now() {
        let (_dir, time) = unset();
        let longest = Duration::from_secs(42);
        let known = Instant::now();
        // Without a good time, what others say of theirs lies far ahead.
        assert!(time.moment(1_790_000_000_000, longest).unwrap() >= known);
        time.hear_receiver(1_790_000_020_000, known);
        let ago = |at: Instant| known.saturating_duration_since(at);
        assert_eq!(ago(time.moment(1_790_000_015_000, longest).unwrap()).as_secs_f64().round(), 5.0);
        for ahead in [1_790_003_600_000, i64::MAX] {
            assert!(time.moment(ahead, longest).unwrap() >= known);
        }
        for too_old in [1_789_999_970_000, 0, -1, i64::MIN] {
            assert_eq!(time.moment(too_old, longest), None);
        }
    }

    #[tokio::test]
    async fn a_first_fix_tells_when_the_computer_was_started() {
        let (_dir, time) = unset();
        assert_eq!(time.look().await, Setter::Nobody);
        let (mut good, at) = (time.good(), Instant::now());
        assert_eq!(time.boot().id, "first");
        let before = time.stamp(at);
        assert!(is_provisional(before.ts) && before.ts >= EARLIEST + 20_000);
        time.hear_receiver(1_790_000_020_000, at);
        let known = good.wait_for(Option::is_some).await.unwrap().unwrap();
        assert_eq!(known.clock, Clock::Gnss);
        // What was provisional is moved by just that.
        assert_eq!(known.started + (before.ts - EARLIEST), time.stamp(at).ts);
        assert_eq!(time.stamp(at).ts, 1_790_000_020_000);
        assert_ne!(time.stamp(at).era, before.era);
    }

    #[tokio::test]
    async fn the_network_is_noticed_while_the_agent_runs() {
        let (dir, time) = unset();
        let (mut good, stop) = (time.good(), CancellationToken::new());
        time.look().await;
        assert_eq!(*good.borrow_and_update(), None);
        let file = dir.path().join("run/systemd/timesync/synchronized");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
        let keeping = tokio::spawn({
            let (time, stop) = (time.clone(), stop.clone());
            async move { time.keep(&stop).await }
        });
        let known = good.wait_for(Option::is_some).await.unwrap().unwrap();
        assert_eq!(known.clock, Clock::Ntp);
        stop.cancel();
        keeping.await.unwrap();
    }
}
