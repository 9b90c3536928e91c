//! When the vehicle stands and its engine is off: the agent lets go of the network and records little, so that neither
//! battery nor data plan are drained. What is urgent, and any movement, ends it at once.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    gps::Fix,
    obd::{Phase, Power},
};

/// Receivers tell up to 3 km/h while they stand.
const MOVES_KMH: f64 = 6.0;
const STANDS_KMH: f64 = 3.0;
/// So many fixes in a row make a movement: one alone is noise.
const FIXES: u32 = 3;
/// A stop at traffic lights is none.
const STANDS_AFTER: Duration = Duration::from_secs(60);
/// While the vehicle rests its position is recorded so often.
const PARKED_EVERY: Duration = Duration::from_secs(600);

/// Whether the vehicle moves, by what its receiver says. Pure.
#[derive(Debug, Default)]
pub struct Movement {
    fast: u32,
    moved: Option<Instant>,
}

impl Movement {
    /// Takes a fix that came `now`; answers whether the vehicle moves.
    pub fn take(&mut self, fix: &Fix, now: Instant) -> bool {
        let speed = fix.gspd.unwrap_or(0.0);
        self.fast = if speed >= MOVES_KMH { self.fast.saturating_add(1) } else { 0 };
        let rolls_on = self.moved.is_some() && speed > STANDS_KMH;
        if self.fast >= FIXES || rolls_on {
            self.moved = Some(now);
        }
        let moves = self.moved.is_some_and(|moved| now.duration_since(moved) < STANDS_AFTER);
        if !moves {
            self.moved = None;
        }
        moves
    }
}

/// Which fixes of a vehicle that rests are recorded: few. Pure.
#[derive(Debug, Default)]
pub struct Parked {
    last: Option<Instant>,
}

impl Parked {
    /// Whether a fix that came `now` is one of the few.
    pub fn takes(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| now.duration_since(last) >= PARKED_EVERY);
        if due {
            self.last = Some(now);
        }
        due
    }
}

/// Why the vehicle rests, in words; `None` while it does not.
pub type Rest = Option<String>;

/// Follows car and receiver until `stop`, and tells when the vehicle rests.
pub(crate) async fn follow(
    mut power: watch::Receiver<Power>,
    mut moving: watch::Receiver<bool>,
    rest: watch::Sender<Rest>,
    stop: CancellationToken,
) {
    loop {
        let now = judge(*power.borrow_and_update(), *moving.borrow_and_update());
        let changed = rest.send_if_modified(|known| {
            // Only the voltage in its words may be another.
            let changed = known.is_some() != now.is_some();
            if changed {
                known.clone_from(&now);
            }
            changed
        });
        if changed {
            match &now {
                Some(reason) => info!(reason, "the vehicle rests"),
                None => info!("the vehicle is in use"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = power.changed() => {}
            Ok(()) = moving.changed() => {}
        }
    }
}

fn judge(power: Power, moving: bool) -> Rest {
    if moving || power.phase != Phase::Asleep {
        return None;
    }
    Some(match power.voltage {
        Some(voltage) => format!("engine off, battery at {voltage:.1} V"),
        None => "engine off".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gps::fix::Quality;

    fn fix(gspd: f64) -> Fix {
        Fix { ts: 0, lat: 47.0, lon: 7.0, hdg: None, gspd: Some(gspd), quality: Quality::default() }
    }

    #[test]
    fn noise_and_a_red_light_are_neither_a_movement_nor_its_end() {
        let (mut movement, mut now) = (Movement::default(), Instant::now());
        let mut take = |speed: f64, seconds: u64| {
            now += Duration::from_secs(seconds);
            movement.take(&fix(speed), now)
        };
        for speed in [0.0, 2.9, 9.0, 7.0, 0.4, 8.0, 0.0] {
            assert!(!take(speed, 1), "{speed}");
        }
        assert!([7.0, 8.0, 12.0].map(|speed| take(speed, 1))[2]);
        assert!(take(0.0, 50), "a red light");
        assert!(take(4.0, 5), "it rolls on");
        assert!(take(0.0, 59));
        assert!(!take(0.0, 1));
        assert!(!take(4.0, 1), "slowly is not enough to begin");
    }

    #[test]
    fn a_vehicle_that_rests_is_recorded_every_ten_minutes() {
        let (mut parked, now) = (Parked::default(), Instant::now());
        let taken = (0..3600).filter(|second| parked.takes(now + Duration::from_secs(*second))).count();
        assert_eq!(taken, 6);
    }

    #[test]
    fn a_vehicle_rests_when_its_engine_is_off_for_long_and_it_stands() {
        let asleep = Power { phase: Phase::Asleep, voltage: Some(12.34) };
        assert_eq!(judge(asleep, false).as_deref(), Some("engine off, battery at 12.3 V"));
        assert_eq!(judge(asleep, true), None, "it is towed");
        assert_eq!(judge(Power { phase: Phase::Off, voltage: None }, false), None);
        assert_eq!(judge(Power { phase: Phase::Asleep, voltage: None }, false).as_deref(), Some("engine off"));
    }
}
