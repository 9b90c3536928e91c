//! How much may go over the network in a day, and what is left out as it becomes scarce.
//!
//! What is left out is never recorded, so no record is lost and none is declared: samples become sparser in the car,
//! engine signals first and positions last. Events, trouble codes and replies are never left out.

use std::time::Duration;

use bugbrother_client::Traffic;
use bugbrother_wire::UnixMs;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    clock::{Time, is_provisional},
    outbox::Outbox,
};

/// How much is left out: 0 is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Thinning(u8);

/// What a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Where the vehicle is, and how it moves there.
    Position,
    /// What that is worth.
    Quality,
    /// Sensors of the vehicle's own.
    Extra,
    /// What the engine's computer tells.
    Engine,
}

/// Shortest time between two values of a signal, in seconds: of position, its quality, extra sensors and the engine.
const INTERVALS_S: [[u32; 4]; 6] =
    [[0, 0, 0, 0], [0, 0, 0, 10], [0, 0, 30, 30], [2, 60, 60, 60], [10, 300, 300, 300], [60, 600, 600, 600]];
/// What is left of the budget, as a part of what is left of the day: below it that much is left out.
const SCARCE: [f64; 4] = [0.66, 0.5, 0.33, 0.15];
/// So much more must be left before less is left out again.
const RELIEF: f64 = 0.1;
/// Used beyond the budget, as a part of it: then positions are a minute apart.
const OVERDRAWN: f64 = 1.1;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A power cut may cost what was counted since, but no card is worn out by it.
const WRITE_EVERY: u32 = 6;

impl Thinning {
    /// The level, 0 to 5.
    pub fn level(self) -> u8 {
        self.0
    }

    /// Shortest time between two values of a signal, in ms.
    pub fn interval_ms(self, class: Class) -> i64 {
        let intervals = INTERVALS_S.get(usize::from(self.0)).unwrap_or(&INTERVALS_S[5]);
        let seconds = match class {
            Class::Position => intervals[0],
            Class::Quality => intervals[1],
            Class::Extra => intervals[2],
            Class::Engine => intervals[3],
        };
        i64::from(seconds) * 1000
    }

    /// How much to leave out after `used` bytes of `budget`, when `day` of the day has passed, from 0 to 1.
    ///
    /// What is left of the budget is held against what is left of the day, so that a car that is driven in the morning
    /// has a third of the day's bytes for that before anything is left out. `self` is what is left out so far: it becomes
    /// less only when clearly more is left.
    #[must_use]
    pub fn next(self, used: u64, budget: u64, day: f64) -> Self {
        let part = used as f64 / (budget.max(1) as f64);
        if part >= OVERDRAWN {
            return Thinning(5);
        }
        let left = (1.0 - part).max(0.0) / (1.0 - day).clamp(1e-6, 1.0);
        let level = |relief: f64| SCARCE.iter().filter(|scarce| left < **scarce + relief).count() as u8;
        let (strict, relieved) = (level(0.0), level(RELIEF));
        Thinning(if strict >= self.0 { strict } else { relieved.min(self.0) })
    }
}

/// A day (UTC) since 1970, and the part of it that has passed.
fn day_of(now: UnixMs) -> (i64, f64) {
    (now.div_euclid(DAY_MS), now.rem_euclid(DAY_MS) as f64 / DAY_MS as f64)
}

/// Bytes of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Days since 1970, UTC.
    pub day: i64,
    /// Sent and received.
    pub bytes: u64,
}

/// Most bytes of a day.
#[derive(Debug)]
pub struct Limit {
    /// As it is set in the vehicle.
    pub local: Option<u64>,
    /// As the fleet wants it, which goes before it.
    pub of_fleet: watch::Receiver<Option<u64>>,
}

/// Counts, and tells `thinning` what to leave out, until `stop`.
pub async fn keep(
    outbox: Outbox,
    time: Time,
    traffic: Traffic,
    limit: Limit,
    thinning: watch::Sender<Thinning>,
    stop: CancellationToken,
) {
    let mut usage = outbox.usage().await.ok().flatten();
    let (mut counted, mut written) = (traffic.total(), usage);
    for round in 1_u32.. {
        let stopped = stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none();
        let now = time.now();
        let (today, passed) = day_of(now);
        let total = traffic.total();
        let news = total - counted;
        counted = total;
        usage = Some(match usage {
            // Without a good time it is the same day as ever.
            Some(usage) if usage.day == today || is_provisional(now) => {
                Usage { bytes: usage.bytes.saturating_add(news), ..usage }
            }
            _ => Usage { day: today, bytes: news },
        });
        let used = usage.map_or(0, |usage| usage.bytes);
        metrics::gauge!("bugbrother_agent_day_bytes").set(used as f64);
        let passed = if is_provisional(now) { 0.0 } else { passed };
        let budget = limit.of_fleet.borrow().or(limit.local);
        tell(&thinning, used, budget, passed);
        if written != usage
            && (stopped || round % WRITE_EVERY == 0)
            && let Some(usage) = usage
        {
            match outbox.note_usage(usage).await {
                Ok(()) => written = Some(usage),
                Err(error) => debug!(error = &error as &dyn std::error::Error, "the day's bytes are not noted yet"),
            }
        }
        if stopped {
            return;
        }
    }
}

fn tell(thinning: &watch::Sender<Thinning>, used: u64, budget: Option<u64>, day: f64) {
    let old = *thinning.borrow();
    let new = budget.map_or_else(Thinning::default, |budget| old.next(used, budget, day));
    metrics::gauge!("bugbrother_agent_thinning_level").set(f64::from(new.0));
    if new == old {
        return;
    }
    thinning.send_replace(new);
    if new > old {
        warn!(level = new.0, used, budget, "the day's bytes become scarce: samples are made sparser");
    } else {
        info!(level = new.0, used, budget, "the day's bytes last: samples are made denser again");
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::message::VinSource;
    use proptest::prelude::*;

    use super::*;

    fn next(level: u8, used: u64, day: f64) -> u8 {
        Thinning(level).next(used, 1000, day).0
    }

    #[test]
    fn what_is_left_is_held_against_what_is_left_of_the_day() {
        // At midnight a third may go at once.
        assert_eq!(
            [0, 300, 400, 600, 700, 900, 1_000, 1_099, 1_100].map(|used| next(0, used, 0.0)),
            [0, 0, 1, 2, 3, 4, 4, 4, 5]
        );
        // At noon, two thirds.
        assert_eq!([0, 500, 660, 700, 800, 900, 1_000].map(|used| next(0, used, 0.5)), [0, 0, 0, 1, 2, 3, 4]);
        // A minute before midnight there is no reason to save what is left.
        assert_eq!(next(4, 980, 0.999), 0);
    }

    #[test]
    fn a_level_is_left_only_when_clearly_more_is_left() {
        assert_eq!(next(0, 350, 0.0), 1);
        assert_eq!(next(1, 350, 0.05), 1);
        assert_eq!(next(1, 350, 0.2), 0);
        // On a new day everything is as before.
        assert_eq!(next(5, 0, 0.0), 0);
    }

    #[test]
    fn engine_signals_become_sparse_first_and_positions_last() {
        let of = |class| INTERVALS_S.iter().enumerate().map(move |(level, _)| Thinning(level as u8).interval_ms(class));
        for classes in
            [[Class::Position, Class::Quality], [Class::Quality, Class::Extra], [Class::Extra, Class::Engine]]
        {
            let [first, second] = classes.map(|class| of(class).collect::<Vec<_>>());
            assert!(first.iter().zip(&second).all(|(first, second)| first <= second), "{classes:?}");
            assert!(first.is_sorted());
        }
        assert_eq!(Thinning(4).interval_ms(Class::Position), 10_000);
    }

    proptest! {
        #[test]
        fn more_use_never_leaves_out_less(used in 0u64..2_000, more in 0u64..2_000, day in 0.0f64..1.0, level in 0u8..6) {
            prop_assert!(next(level, used, day) <= next(level, used + more, day));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_days_bytes_survive_the_agent_and_end_with_the_day() {
        let dir = tempfile::tempdir().unwrap();
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        let path = dir.path().join("outbox.db");
        let outbox = Outbox::open(&path, 1 << 20, vin, VinSource::Configured, 0).await.unwrap();
        let time = Time::new(crate::clock::ClockSettings::of_this_system());
        time.look().await;
        let (today, _) = day_of(time.now());
        outbox.note_usage(Usage { day: today, bytes: 2_000 }).await.unwrap();
        let (thinning, mut told) = watch::channel(Thinning::default());
        let budget = watch::Sender::new(Some(1_000));
        let run = async |thinning: watch::Sender<Thinning>, stop: CancellationToken| {
            let limit = Limit { local: None, of_fleet: budget.subscribe() };
            keep(outbox.clone(), time.clone(), Traffic::default(), limit, thinning, stop).await;
        };
        let stop = CancellationToken::new();
        let heard = async {
            told.wait_for(|thinning| thinning.level() == 5).await.unwrap();
            // The fleet takes the limit away.
            budget.send_replace(None);
            told.wait_for(|thinning| thinning.level() == 0).await.unwrap();
            stop.cancel();
        };
        tokio::join!(run(thinning, stop.clone()), heard);
        assert_eq!(outbox.usage().await.unwrap(), Some(Usage { day: today, bytes: 2_000 }));
        outbox.note_usage(Usage { day: today - 1, bytes: 2_000 }).await.unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        run(watch::Sender::new(Thinning::default()), stop).await;
        assert_eq!(outbox.usage().await.unwrap(), Some(Usage { day: today, bytes: 0 }));
    }
}
