use std::time::Duration;

use tokio::time::Instant;

use crate::config::Speed;

/// Says when a sentence of a recording is due, by the time in it.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    last: Option<(u32, Instant)>,
}

const DAY_MS: u32 = 24 * 60 * 60 * 1000;
/// A pause in the recording is no reason to sit still for longer.
const LONGEST_PAUSE_MS: u32 = 60_000;

impl Pace {
    pub fn new(speed: Speed) -> Self {
        Pace { speed, last: None }
    }

    /// When a sentence of that time of day is due; `now` for the first one, and when time goes back.
    pub fn due(&mut self, time_of_day_ms: u32, now: Instant) -> Instant {
        let Speed::Times(times) = self.speed else {
            return now;
        };
        let due = match self.last {
            Some((last, due)) => {
                // Midnight is no step back; anything else that looks like more than half a day forward is one.
                let step = (DAY_MS + time_of_day_ms - last) % DAY_MS;
                let step = if step > DAY_MS / 2 { 0 } else { step.min(LONGEST_PAUSE_MS) };
                due + Duration::from_millis(u64::from(step)).div_f64(times)
            }
            None => now,
        };
        self.last = Some((time_of_day_ms, due));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_due_as_far_apart_as_they_were_recorded() {
        let start = Instant::now();
        let mut pace = Pace::new(Speed::Times(10.0));
        let mut ms = |time| pace.due(time, start).duration_since(start).as_millis();
        assert_eq!(ms(DAY_MS - 500), 0);
        assert_eq!(ms(500), 100, "over midnight");
        assert_eq!(ms(500), 100);
        assert_eq!(ms(200), 100, "back");
        assert_eq!(ms(3_600_000), 6_100, "a long pause is cut");
        assert_eq!(Pace::new(Speed::Max).due(7, start), start);
    }
}
