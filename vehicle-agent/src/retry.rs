use std::time::Duration;

/// When a device that is gone is tried again: after a quarter of a second, doubling up to half a minute, and from the
/// start when the device was there for a good minute.
pub(crate) struct Retry {
    wait: Duration,
}

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const GOOD: Duration = Duration::from_secs(60);

impl Retry {
    pub fn new() -> Self {
        Retry { wait: FIRST }
    }

    /// An attempt is over that `lasted` so long: how long to wait before the next one.
    pub fn next_wait(&mut self, lasted: Duration) -> Duration {
        let wait = if lasted > GOOD { FIRST } else { self.wait };
        self.wait = (wait * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let mut retry = Retry::new();
        let waits: Vec<_> = (0..9).map(|_| retry.next_wait(Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    }

    #[test]
    fn a_good_minute_begins_the_waits_anew_and_a_shorter_one_does_not() {
        let mut retry = Retry::new();
        let waits = [0, 10, 60, 61, 10].map(|lasted| retry.next_wait(Duration::from_secs(lasted)).as_millis());
        assert_eq!(waits, [250, 500, 1000, 250, 500]);
    }
}
