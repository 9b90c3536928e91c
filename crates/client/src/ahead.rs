//! How much may be on its way to somebody who acknowledges it.

use std::time::{Duration, Instant};

/// At the beginning.
const FIRST: usize = 16;
/// A sender that is alone with a slow receiver goes on all the same.
const LEAST: usize = 2;
/// So much longer than at best an acknowledgement may take.
const LONGER: Duration = Duration::from_millis(400);

/// So many as are acknowledged soon: one more each time that they were, and half as many when it took longer. So many senders
/// share what a receiver can take, and what is urgent does not wait behind what is not.
#[derive(Debug, Clone)]
pub struct Ahead {
    limit: usize,
    most: usize,
    /// The shortest time that an acknowledgement has taken: a distance, no congestion.
    shortest: Option<Duration>,
    /// When there were made to be fewer. What was sent before says nothing about that.
    cut_at: Option<Instant>,
}

impl Ahead {
    /// At most so many.
    pub fn new(most: usize) -> Self {
        Ahead { limit: FIRST.min(most), most, shortest: None, cut_at: None }
    }

    /// How many may be on their way.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What was sent then is acknowledged now; of several the oldest.
    pub fn acknowledged(&mut self, sent: Instant, now: Instant) {
        let took = now.saturating_duration_since(sent);
        let shortest = *self.shortest.insert(self.shortest.map_or(took, |shortest| shortest.min(took)));
        if took <= shortest + LONGER {
            self.limit = (self.limit + 1).min(self.most);
        } else if self.cut_at.is_none_or(|cut| sent >= cut) {
            self.limit = (self.limit / 2).max(LEAST).min(self.most);
            self.cut_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Duration = Duration::from_millis(50);

    #[test]
    fn who_is_answered_soon_sends_more_and_who_waits_half_as_much_once_for_what_is_on_its_way() {
        let mut now = Instant::now();
        let mut ahead = Ahead::new(64);
        assert_eq!(ahead.limit(), 16);
        for _ in 0..100 {
            now += NEAR;
            ahead.acknowledged(now - NEAR, now);
        }
        assert_eq!(ahead.limit(), 64);
        let sent = now;
        for late in [2_000, 2_010, 2_020] {
            ahead.acknowledged(sent, sent + Duration::from_millis(late));
        }
        assert_eq!(ahead.limit(), 32, "all of them were sent before the first of these was known");
        let mut now = sent + Duration::from_secs(3);
        for _ in 0..20 {
            let sent = now;
            now += Duration::from_secs(2);
            ahead.acknowledged(sent, now);
        }
        assert_eq!(ahead.limit(), LEAST);
    }

    #[test]
    fn a_long_way_is_no_congestion() {
        let mut now = Instant::now();
        let mut ahead = Ahead::new(64);
        for _ in 0..100 {
            let sent = now;
            now += Duration::from_millis(1_500);
            ahead.acknowledged(sent, now);
        }
        assert_eq!(ahead.limit(), 64);
    }

    /// Senders that know nothing of each other, and a receiver that takes so many a second.
    #[test]
    fn many_senders_keep_the_receiver_busy_and_its_queue_short() {
        const SENDERS: usize = 200;
        const EACH_MS: usize = 5;
        let start = Instant::now();
        let mut aheads = vec![Ahead::new(64); SENDERS];
        let (mut queue, mut longest, mut idle) = (std::collections::VecDeque::new(), 0, 0);
        let mut on_the_way = [0; SENDERS];
        for ms in 0..20_000_u64 {
            let now = start + Duration::from_millis(ms);
            for sender in 0..SENDERS {
                while on_the_way[sender] < aheads[sender].limit() {
                    queue.push_back((sender, now));
                    on_the_way[sender] += 1;
                }
            }
            idle += usize::from(queue.is_empty());
            for (sender, sent) in queue.drain(..EACH_MS.min(queue.len())).collect::<Vec<_>>() {
                on_the_way[sender] -= 1;
                aheads[sender].acknowledged(sent, now);
            }
            longest = if ms < 10_000 { 0 } else { longest.max(queue.len()) };
        }
        assert_eq!(idle, 0);
        // With 64 each there would be 12,800.
        assert!(longest < 5_000, "{longest}");
    }
}
