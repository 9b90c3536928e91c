//! What was said a moment ago by vehicles that others look after. Whoever takes one over hears it again: between the last
//! word of the one before and its own first one nothing is missed. Pure.

use std::collections::VecDeque;

use bugbrother_wire::{UnixMs, Vin};

/// For so long it is kept: longer than it takes to find out that somebody is gone.
const KEEP_MS: i64 = 15_000;
/// At most so many, and so much.
const MAX_COUNT: usize = 16_384;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Messages of the last seconds, oldest first.
#[derive(Debug)]
pub struct Overheard<M> {
    messages: VecDeque<Kept<M>>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept<M> {
    heard: UnixMs,
    vin: Vin,
    bytes: usize,
    message: M,
}

impl<M> Default for Overheard<M> {
    fn default() -> Self {
        Overheard { messages: VecDeque::new(), bytes: 0 }
    }
}

impl<M> Overheard<M> {
    /// Keeps a message of so many bytes for a while.
    pub fn keep(&mut self, vin: Vin, message: M, bytes: usize, now: UnixMs) {
        self.bytes += bytes;
        self.messages.push_back(Kept { heard: now, vin, bytes, message });
        while self.messages.len() > MAX_COUNT
            || self.bytes > MAX_BYTES
            || self.messages.front().is_some_and(|kept| kept.is_old(now))
        {
            let Some(dropped) = self.messages.pop_front() else { break };
            self.bytes -= dropped.bytes;
        }
    }

    /// Takes out what such vehicles said, with when it was heard, oldest first.
    pub fn take(&mut self, is_wanted: impl Fn(Vin) -> bool, now: UnixMs) -> Vec<(UnixMs, M)> {
        let mut taken = Vec::new();
        for kept in std::mem::take(&mut self.messages) {
            if !is_wanted(kept.vin) {
                self.messages.push_back(kept);
                continue;
            }
            self.bytes -= kept.bytes;
            if !kept.is_old(now) {
                taken.push((kept.heard, kept.message));
            }
        }
        taken
    }
}

impl<M> Kept<M> {
    /// Too old; also when the clock was set back.
    fn is_old(&self, now: UnixMs) -> bool {
        !(0..=KEEP_MS).contains(&(now - self.heard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vins() -> [Vin; 2] {
        ["WVWZZZ1JZ3W386752", "1M8GDM9AXKP042788"].map(|vin| vin.parse().expect("it is a VIN"))
    }

    #[test]
    fn what_a_vehicle_said_in_the_last_seconds_is_heard_once_more_and_only_that() {
        let [golf, other] = vins();
        let mut overheard = Overheard::default();
        for (n, vin) in [(0, golf), (1, golf), (2, other), (3, golf)] {
            overheard.keep(vin, n, 10, n * 6_000);
        }
        assert_eq!(overheard.take(|vin| vin == golf, 20_000), [(6_000, 1), (18_000, 3)], "the first is too old");
        assert_eq!(overheard.take(|vin| vin == golf, 20_000), []);
        assert_eq!((overheard.take(|vin| vin == other, 20_000), overheard.bytes), (vec![(12_000, 2)], 0));
    }

    #[test]
    fn it_is_bounded_in_number_and_in_bytes() {
        let [golf, _] = vins();
        let mut overheard = Overheard::default();
        (0..2 * MAX_COUNT).for_each(|n| overheard.keep(golf, n, 1, 0));
        assert_eq!((overheard.messages.len(), overheard.messages[0].message), (MAX_COUNT, MAX_COUNT));
        overheard.keep(golf, 7, MAX_BYTES, 0);
        assert_eq!((overheard.messages.len(), overheard.bytes), (1, MAX_BYTES));
    }
}
