use std::time::{Duration, Instant};

/// When a device that is gone is tried again: at once doubling up to half a minute, from the start after a good minute.
pub(crate) struct Retry {
    wait: Duration,
    began: Instant,
}

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const GOOD: Duration = Duration::from_secs(60);

impl Retry {
    pub fn new() -> Self {
        Retry { wait: FIRST, began: Instant::now() }
    }

    /// An attempt begins.
    pub fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// The attempt is over: how long to wait before the next one.
    pub fn next_wait(&mut self) -> Duration {
        if self.began.elapsed() > GOOD {
            self.wait = FIRST;
        }
        let wait = self.wait;
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
        let waits: Vec<_> = (0..10).map(|_| retry.next_wait()).collect();
        assert!(waits.windows(2).all(|pair| pair[1] >= pair[0]));
        assert_eq!((waits[0], waits[9]), (FIRST, LONGEST));
    }
}
