//! What is sent next: a state machine without clock and I/O.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use bugbrother_client::Ahead;
use bugbrother_wire::{Seq, message::Ack};

use crate::outbox::Progress;

/// Most publishes that wait for their PUBACK.
pub const WINDOW: usize = 64;
/// Most of them that are late ones: live data never waits behind what is old.
const LATE_WINDOW: usize = 16;
/// Most late records that are sent and not yet known to be in the database, which is fewer while others keep it busy.
const LATE_AHEAD: usize = 64;
/// When more live records than that are waiting, the older of them are no longer live.
pub const LIVE_REACH: u64 = 64;
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

/// Which way a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// As it is recorded.
    Live,
    /// What was recorded out of reach, and what has to be sent again.
    Late,
}

/// Records that are to be sent now: at most `limit` of those in `range` that the database does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Which way.
    pub lane: Lane,
    /// From where to where.
    pub range: Range<Seq>,
    /// How many at most.
    pub limit: usize,
}

/// Decides what is sent when.
///
/// Live records are sent once, in order, whether the database acknowledges or not: viewers wait for them. The late lane
/// goes from the oldest record on, with few ahead of the database. When the lowest unacknowledged record does not
/// move for [`Delivery::deadline`], everything sent so far becomes late and the late lane begins anew.
#[derive(Debug)]
pub struct Delivery {
    top: Seq,
    stored: Seq,
    /// The next live record.
    live: Seq,
    /// What the late lane has before it.
    late: Range<Seq>,
    /// Places of what it sent and the database is not known to have, and when that was.
    late_ahead: BTreeMap<Seq, Instant>,
    ahead: Ahead,
    under_way: [usize; 2],
    connected: bool,
    patience: Duration,
    /// Since when the database could have said something about what was sent; `None` while nothing is.
    waiting_since: Option<Instant>,
}

impl Delivery {
    /// Nothing is sent before the first [`Delivery::connect`].
    pub fn new(top: Seq) -> Self {
        Delivery {
            top,
            stored: Seq(0),
            live: top.next(),
            late: Seq(0)..Seq(0),
            late_ahead: BTreeMap::new(),
            ahead: Ahead::new(LATE_AHEAD),
            under_way: [0; 2],
            connected: false,
            patience: FIRST_PATIENCE,
            waiting_since: None,
        }
    }

    /// A connection stands; what is older than `live_from` is late.
    pub fn connect(&mut self, live_from: Seq) {
        self.connected = true;
        self.under_way = [0; 2];
        self.live = live_from;
        self.patience = FIRST_PATIENCE;
        self.begin_late();
    }

    /// The connection is gone, and all that was under way on it.
    pub fn disconnect(&mut self) {
        self.connected = false;
    }

    /// Records up to `top` are on disk.
    pub fn commit(&mut self, top: Seq) {
        self.top = top;
        let reach = Seq(top.0.saturating_sub(LIVE_REACH - 1));
        if reach > self.live {
            self.live = reach;
            self.late.end = reach;
        }
    }

    /// Records that were held back can be sent.
    pub fn release(&mut self) {
        if self.connected {
            self.begin_late();
        }
    }

    /// The broker has a publish of `lane`.
    pub fn publish_done(&mut self, lane: Lane) {
        let count = &mut self.under_way[lane as usize];
        *count = count.saturating_sub(1);
    }

    /// The outbox took note of an acknowledgement.
    pub fn acknowledge(&mut self, ack: &Ack, progress: Progress, now: Instant) {
        let named = |seq: &Seq| *seq <= ack.seq || ack.ranges.iter().any(|(from, to)| (from..=to).contains(&seq));
        match progress {
            Progress::None => {}
            Progress::Forward(seq) => {
                let sent = self.late_ahead.iter().filter(|(seq, _)| named(seq)).map(|(_, at)| *at).min();
                if let Some(sent) = sent {
                    self.ahead.acknowledged(sent, now);
                    self.late_ahead.retain(|seq, _| !named(seq));
                }
                if seq > self.stored {
                    self.stored = seq;
                    self.patience = FIRST_PATIENCE;
                    let all = self.stored.next() >= self.live;
                    self.waiting_since = self.waiting_since.filter(|_| !all).map(|_| now);
                }
            }
            Progress::Back(seq) => {
                self.stored = seq;
                self.patience = FIRST_PATIENCE;
                self.begin_late();
            }
        }
    }

    /// When to look again whether the database is silent for too long; `None` while nothing is sent that it may not have.
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting_since.filter(|_| self.connected).map(|since| since + self.patience)
    }

    /// The deadline is past: what is not acknowledged is sent again, and the next wait is longer.
    pub fn lose_patience(&mut self) {
        self.patience = (self.patience * 2).min(LONGEST_PATIENCE);
        self.begin_late();
    }

    /// What to send now. The answer must be told by [`Delivery::sent`].
    pub fn next(&self) -> Option<Order> {
        if !self.connected {
            return None;
        }
        let [live, late] = self.under_way;
        let room = WINDOW.saturating_sub(live + late);
        if self.live <= self.top {
            return (room > 0).then(|| Order { lane: Lane::Live, range: self.live..self.top.next(), limit: room });
        }
        let ahead = self.ahead.limit().saturating_sub(self.late_ahead.len());
        let limit = room.min(LATE_WINDOW.saturating_sub(late)).min(ahead);
        (limit > 0 && self.late.start < self.late.end).then(|| Order {
            lane: Lane::Late,
            range: self.late.clone(),
            limit,
        })
    }

    /// The records in these places were found for `order` and handed to the connection.
    pub fn sent(&mut self, order: &Order, places: &[Seq], now: Instant) {
        let reached = match places.last() {
            Some(last) if places.len() >= order.limit => last.next(),
            // Fewer than wanted: there are no more in the range.
            _ => order.range.end,
        };
        self.under_way[order.lane as usize] += places.len();
        if !places.is_empty() {
            self.waiting_since.get_or_insert(now);
        }
        match order.lane {
            Lane::Live => self.live = self.live.max(reached),
            Lane::Late => {
                self.late.start = self.late.start.max(reached);
                self.late_ahead.extend(places.iter().map(|seq| (*seq, now)));
            }
        }
    }

    /// Everything that was sent and is not known to be in the database is sent again.
    pub fn begin_late(&mut self) {
        self.waiting_since = None;
        self.late = self.stored.next()..self.live;
        self.late_ahead.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use bugbrother_wire::Epoch;
    use proptest::prelude::*;

    fn ack(seq: u64, ranges: &[(u64, u64)]) -> Ack {
        Ack {
            v: 1,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            epoch: Epoch(1),
            seq: Seq(seq),
            ranges: ranges.iter().map(|(a, b)| (Seq(*a), Seq(*b))).collect(),
            store: "a".to_owned(),
        }
    }

    fn seqs(range: std::ops::RangeInclusive<u64>) -> Vec<Seq> {
        range.map(Seq).collect()
    }

    /// Sends all that may be sent, of records that are all there.
    fn pump(delivery: &mut Delivery, now: Instant, has: impl Fn(Seq) -> bool) -> Vec<(Lane, u64)> {
        let mut sent = Vec::new();
        while let Some(order) = delivery.next() {
            let range = (order.range.start.0..order.range.end.0).map(Seq);
            let found: Vec<Seq> = range.filter(|seq| !has(*seq)).take(order.limit).collect();
            delivery.sent(&order, &found, now);
            sent.extend(found.iter().map(|seq| (order.lane, seq.0)));
        }
        sent
    }

    #[test]
    fn live_comes_first_and_what_is_late_fills_a_part_of_the_window() {
        let now = Instant::now();
        let mut delivery = Delivery::new(Seq(100));
        assert_eq!(pump(&mut delivery, now, |_| false), []);
        delivery.connect(Seq(99));
        let sent = pump(&mut delivery, now, |_| false);
        assert_eq!(sent[..2], [(Lane::Live, 99), (Lane::Live, 100)]);
        let late: Vec<_> = (1..=16).map(|seq| (Lane::Late, seq)).collect();
        assert_eq!(sent[2..], late);
        delivery.commit(Seq(101));
        assert_eq!(pump(&mut delivery, now, |_| false), [(Lane::Live, 101)]);
    }

    #[test]
    fn the_late_lane_waits_for_the_database_and_the_live_one_does_not() {
        let now = Instant::now();
        let mut delivery = Delivery::new(Seq(200));
        delivery.connect(Seq(201));
        for _ in 0..10 {
            pump(&mut delivery, now, |_| false).iter().for_each(|(lane, _)| delivery.publish_done(*lane));
        }
        assert_eq!(delivery.late_ahead.len(), 16);
        delivery.commit(Seq(250));
        assert_eq!(pump(&mut delivery, now, |_| false).len(), 50);
        delivery.acknowledge(&ack(10, &[]), Progress::Forward(Seq(10)), now);
        assert_eq!(pump(&mut delivery, now, |_| false).len(), 11, "and one more, since the answer came soon");
    }

    #[test]
    fn what_is_not_acknowledged_in_time_is_sent_again_ever_more_seldom() {
        let mut now = Instant::now();
        let mut delivery = Delivery::new(Seq(0));
        delivery.connect(Seq(1));
        assert_eq!(delivery.deadline(), None);
        delivery.commit(Seq(3));
        assert_eq!(pump(&mut delivery, now, |_| false).len(), 3);
        for patience in [5, 10, 20, 40, 60, 60] {
            assert_eq!(delivery.deadline(), Some(now + Duration::from_secs(patience)));
            now += Duration::from_secs(patience);
            delivery.lose_patience();
            let sent = pump(&mut delivery, now, |seq| seq == Seq(2));
            assert_eq!(sent, [(Lane::Late, 1), (Lane::Late, 3)]);
            sent.iter().for_each(|(lane, _)| delivery.publish_done(*lane));
        }
        delivery.acknowledge(&ack(2, &[]), Progress::Forward(Seq(2)), now);
        assert_eq!(delivery.deadline(), Some(now + FIRST_PATIENCE));
        delivery.acknowledge(&ack(3, &[]), Progress::Forward(Seq(3)), now);
        assert_eq!(delivery.deadline(), None);
    }

    #[test]
    fn the_database_has_its_time_for_a_record_that_comes_after_a_pause() {
        let mut now = Instant::now();
        let mut delivery = Delivery::new(Seq(0));
        delivery.connect(Seq(1));
        for seq in 1..4 {
            delivery.commit(Seq(seq));
            assert_eq!(pump(&mut delivery, now, |_| false), [(Lane::Live, seq)]);
            assert_eq!(delivery.deadline(), Some(now + FIRST_PATIENCE));
            delivery.acknowledge(&ack(seq, &[]), Progress::Forward(Seq(seq)), now);
            assert_eq!(delivery.deadline(), None);
            now += Duration::from_secs(600);
        }
        // More than is live, so that some of them are late before anything is sent.
        delivery.commit(Seq(200));
        pump(&mut delivery, now, |_| false);
        assert_eq!(delivery.deadline(), Some(now + FIRST_PATIENCE));
    }

    #[test]
    fn a_hole_is_seen_though_newer_records_are_acknowledged() {
        let now = Instant::now();
        let mut delivery = Delivery::new(Seq(0));
        delivery.connect(Seq(1));
        delivery.commit(Seq(9));
        pump(&mut delivery, now, |_| false);
        let later = now + Duration::from_secs(4);
        delivery.acknowledge(&ack(0, &[(2, 9)]), Progress::Forward(Seq(0)), later);
        assert_eq!(delivery.deadline(), Some(now + FIRST_PATIENCE));
    }

    #[test]
    fn a_database_that_went_back_gets_everything_above_again() {
        let now = Instant::now();
        let mut delivery = Delivery::new(Seq(0));
        delivery.connect(Seq(1));
        delivery.commit(Seq(9));
        pump(&mut delivery, now, |_| false);
        delivery.acknowledge(&ack(9, &[]), Progress::Forward(Seq(9)), now);
        delivery.acknowledge(&ack(4, &[]), Progress::Back(Seq(4)), now);
        let sent = pump(&mut delivery, now, |_| false);
        assert_eq!(sent.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    }

    #[test]
    fn when_too_much_is_waiting_the_newest_stays_live() {
        let now = Instant::now();
        let mut delivery = Delivery::new(Seq(0));
        delivery.connect(Seq(1));
        delivery.commit(Seq(1000));
        let sent = pump(&mut delivery, now, |_| false);
        assert_eq!(sent[0], (Lane::Live, 937));
        assert_eq!(sent.len(), WINDOW);
        delivery.publish_done(Lane::Live);
        assert_eq!(pump(&mut delivery, now, |_| false), [(Lane::Late, 1)]);
    }

    #[test]
    fn orders_that_find_nothing_come_to_an_end() {
        let now = Instant::now();
        let mut delivery = Delivery::new(Seq(50));
        delivery.connect(Seq(51));
        assert_eq!(pump(&mut delivery, now, |_| true), []);
        let order = Order { lane: Lane::Late, range: Seq(1)..Seq(9), limit: 2 };
        delivery.sent(&order, &seqs(1..=2), now);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever the link and the database do, in the end everything is stored.
        #[test]
        fn everything_arrives_whatever_happens_on_the_way(
            happenings in proptest::collection::vec((0u8..8, 0u64..40), 0..120),
        ) {
            let mut now = Instant::now();
            let (mut top, mut stored) = (0u64, BTreeSet::new());
            let mut delivery = Delivery::new(Seq(0));
            let to_ack = |stored: &BTreeSet<u64>| {
                let seq = (1..).find(|seq| !stored.contains(seq)).expect("numbers have no end") - 1;
                let above: Vec<_> = stored.iter().filter(|s| **s > seq).map(|s| (*s, *s)).take(64).collect();
                ack(seq, &above)
            };
            for (what, how_many) in happenings.into_iter().chain([(7, 0)]) {
                now += Duration::from_millis(500);
                match what {
                    0 | 1 => { top += how_many; delivery.commit(Seq(top)); }
                    2 => delivery.disconnect(),
                    3 => delivery.connect(Seq(top.saturating_sub(3))),
                    4 => { let a = to_ack(&stored); delivery.acknowledge(&a, Progress::Forward(a.seq), now); }
                    5 => { pump(&mut delivery, now, |seq| stored.contains(&seq.0)); } // lost on the way
                    _ => {
                        for (lane, seq) in pump(&mut delivery, now, |seq| stored.contains(&seq.0)) {
                            if seq % 3 != 0 { stored.insert(seq); }
                            delivery.publish_done(lane);
                        }
                    }
                }
            }
            delivery.connect(Seq(top + 1));
            for _ in 0..200 {
                for (lane, seq) in pump(&mut delivery, now, |seq| stored.contains(&seq.0)) {
                    stored.insert(seq);
                    delivery.publish_done(lane);
                }
                let a = to_ack(&stored);
                delivery.acknowledge(&a, Progress::Forward(a.seq), now);
                if let Some(deadline) = delivery.deadline() {
                    now = deadline;
                    delivery.lose_patience();
                }
            }
            prop_assert_eq!(stored.len() as u64, top);
        }
    }
}
