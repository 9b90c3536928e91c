//! What a vehicle has to send, and what of it goes when: as an agent does, without clock and I/O.
//!
//! Live messages go first, each once. What has become old goes behind them into the second lane, the oldest first, with few
//! ahead of the database and not faster than an agent sends it.

use std::{collections::VecDeque, ops::Range, time::Duration};

use bugbrother_client::Ahead;
use bugbrother_wire::message::Ack;
use tokio::time::Instant;

use crate::fleet::Pace;

/// So long an agent waits for the database before it sends again what was not acknowledged, and twice as long each time that
/// this does not help: a broker whose subscriber is slow drops what the log of its router has no room for.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);
/// What is older than that goes into the second lane.
const OLD: Duration = Duration::from_secs(15);
/// Most live messages on their way at once of a vehicle that publishes by the clock.
const WINDOW: usize = 64;
/// Most messages of the second lane that the broker has not acknowledged, as an agent has it.
const LATE_WINDOW: usize = 16;
/// Most of them that are not committed, which is fewer while others keep the database busy.
const LATE_AHEAD: usize = 64;
/// Most of them in a second, and their bytes: an agent's defaults.
const LATE_RECORDS: f64 = 50.0;
const LATE_BYTES: f64 = 65_536.0;

/// A message that was written and is not committed.
#[derive(Debug)]
pub(crate) struct Sent {
    pub seq: u64,
    /// When it had to be published.
    pub due: Instant,
    /// When it was written last, and as which packet; `None` since that connection is lost.
    pub written: Option<(Instant, u16)>,
    /// When it was written first on this connection.
    since: Option<Instant>,
    is_late: bool,
    /// The broker has acknowledged it.
    is_noted: bool,
}

/// A message that may be written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    pub seq: u64,
    /// It goes into the second lane.
    pub is_late: bool,
    /// It was written before, on a connection that is lost.
    pub is_again: bool,
}

/// What a vehicle has to send.
#[derive(Debug)]
pub(crate) struct Outbox {
    pace: Pace,
    /// Messages up to here were recorded before the vehicle came.
    backlog: u64,
    /// When the first message after these is due.
    first_due: Instant,
    /// The newest message that is due.
    top: u64,
    /// The next one of the live lane.
    live: u64,
    /// Those that have become old before they were written.
    late: VecDeque<Range<u64>>,
    /// By number.
    sent: VecDeque<Sent>,
    bucket: Bucket,
    ahead: Ahead,
    patience: Duration,
}

impl Outbox {
    /// One with so many messages in it already.
    pub fn new(pace: Pace, backlog: u64, first_due: Instant) -> Self {
        let mut late = VecDeque::new();
        if backlog > 0 {
            late.push_back(1..backlog + 1);
        }
        let bucket = Bucket { records: LATE_RECORDS, bytes: LATE_BYTES, at: first_due };
        Outbox {
            pace,
            backlog,
            first_due,
            top: backlog,
            live: backlog + 1,
            late,
            sent: VecDeque::new(),
            bucket,
            ahead: Ahead::new(LATE_AHEAD),
            patience: FIRST_PATIENCE,
        }
    }

    /// Notes what is due by now; how many messages that are.
    pub fn fall_due(&mut self, now: Instant) -> u64 {
        let before = self.top;
        match self.pace {
            Pace::Window(window) => self.top += (window as u64).saturating_sub(self.len()),
            Pace::Every(_) => {
                while self.next_due().is_some_and(|due| due <= now) {
                    self.top += 1;
                }
            }
        }
        self.top - before
    }

    /// When the next message is due, where it is the clock that says so.
    pub fn next_due(&self) -> Option<Instant> {
        matches!(self.pace, Pace::Every(_)).then(|| self.due(self.top + 1, self.first_due))
    }

    /// What is to be written now. The answer must be told by [`Outbox::wrote`].
    pub fn next(&mut self, now: Instant) -> Option<Next> {
        self.grow_old(now);
        let (mut live, mut late, mut unnoted) = (0, 0, 0);
        for sent in self.sent.iter().filter(|sent| sent.written.is_some()) {
            live += usize::from(!sent.is_late);
            late += usize::from(sent.is_late);
            unnoted += usize::from(sent.is_late && !sent.is_noted);
        }
        let (live_room, late_room) = match self.pace {
            Pace::Window(window) => (window > live + late, window > live + late),
            Pace::Every(_) => {
                self.bucket.fill(now);
                (live < WINDOW, unnoted < LATE_WINDOW && late < self.ahead.limit() && self.bucket.is_open())
            }
        };
        let again = |is_late| {
            let is_next = |sent: &&Sent| sent.written.is_none() && self.is_old(sent, now) == is_late;
            self.sent.iter().find(is_next).map(|sent| Next { seq: sent.seq, is_late, is_again: true })
        };
        let live = || (self.live <= self.top).then_some(Next { seq: self.live, is_late: false, is_again: false });
        let late = || self.late.front().map(|range| Next { seq: range.start, is_late: true, is_again: false });
        let first = || again(false).or_else(live).filter(|_| live_room);
        first().or_else(|| again(true).or_else(late).filter(|_| late_room))
    }

    /// That one was written just now.
    pub fn wrote(&mut self, next: Next, now: Instant, packet_id: u16, bytes: usize) {
        let Next { seq, is_late, is_again } = next;
        if is_late {
            self.bucket.records -= 1.0;
            self.bucket.bytes -= bytes as f64;
        }
        let place = self.sent.partition_point(|sent| sent.seq < seq);
        let written = Some((now, packet_id));
        if is_again {
            if let Some(sent) = self.sent.get_mut(place) {
                (sent.written, sent.is_late, sent.is_noted) = (written, is_late, false);
                sent.since.get_or_insert(now);
            }
            return;
        }
        let due = self.due(seq, now);
        self.sent.insert(place, Sent { seq, due, written, since: Some(now), is_late, is_noted: false });
        if !is_late {
            self.live = seq + 1;
        } else if let Some(range) = self.late.front_mut() {
            range.start = seq + 1;
            if range.is_empty() {
                self.late.pop_front();
            }
        }
    }

    /// When the second lane may go on, if it is its speed that holds it up.
    pub fn ready_at(&self) -> Option<Instant> {
        let waits = matches!(self.pace, Pace::Every(_))
            && !self.bucket.is_open()
            && (!self.late.is_empty() || self.sent.iter().any(|sent| sent.written.is_none()));
        waits.then(|| self.bucket.open_at())
    }

    /// The broker has a packet; when it was written.
    pub fn note(&mut self, packet_id: u16) -> Option<Instant> {
        let is_it = |sent: &&mut Sent| sent.written.is_some_and(|(_, written)| written == packet_id);
        let sent = self.sent.iter_mut().find(is_it)?;
        sent.is_noted = true;
        sent.written.map(|(at, _)| at)
    }

    /// Takes out what is committed.
    pub fn settle(&mut self, ack: &Ack, now: Instant) -> Vec<Sent> {
        let mut committed = Vec::new();
        while let Some(sent) = self.sent.pop_front_if(|oldest| oldest.seq <= ack.seq.0) {
            committed.push(sent);
        }
        if !committed.is_empty() {
            self.patience = FIRST_PATIENCE;
        }
        for (from, to) in &ack.ranges {
            let begin = self.sent.partition_point(|sent| sent.seq < from.0);
            let end = self.sent.partition_point(|sent| sent.seq <= to.0);
            committed.extend(self.sent.drain(begin..end.max(begin)));
        }
        let late = committed.iter().filter(|sent| sent.is_late).filter_map(|sent| sent.written);
        if let Some((written, _)) = late.min() {
            self.ahead.acknowledged(written.into_std(), now.into_std());
        }
        committed
    }

    /// Takes out the oldest that was written.
    pub fn settle_oldest(&mut self) -> Option<Sent> {
        self.sent.pop_front()
    }

    /// Whatever was on its way may have got lost with the connection.
    pub fn lose_connection(&mut self) {
        self.sent.iter_mut().for_each(|sent| (sent.written, sent.since) = (None, None));
    }

    /// When the oldest was written first on this connection, if it is on its way.
    pub fn waiting_since(&self) -> Option<Instant> {
        self.sent.front().filter(|oldest| oldest.written.is_some())?.since
    }

    /// When what is not committed is to be sent again.
    pub fn again_at(&self) -> Option<Instant> {
        let (written, _) = self.sent.front()?.written?;
        matches!(self.pace, Pace::Every(_)).then(|| written + self.patience)
    }

    /// That moment has come.
    pub fn lose_patience(&mut self) {
        self.patience = (self.patience * 2).min(LONGEST_PATIENCE);
        self.sent.iter_mut().for_each(|sent| sent.written = None);
    }

    /// Whether a message was recorded before the vehicle came.
    pub fn is_backlog(&self, seq: u64) -> bool {
        seq <= self.backlog
    }

    /// Whether everything that was due is committed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> u64 {
        let late: u64 = self.late.iter().map(|range| range.end - range.start).sum();
        self.sent.len() as u64 + (self.top + 1 - self.live) + late
    }

    /// When a message is due; `now` where no clock says so.
    fn due(&self, seq: u64, now: Instant) -> Instant {
        match self.pace {
            Pace::Every(period) => self.first_due + period.mul_f64(seq.saturating_sub(self.backlog + 1) as f64),
            Pace::Window(_) => now,
        }
    }

    fn is_old(&self, sent: &Sent, now: Instant) -> bool {
        self.is_backlog(sent.seq) || now > sent.due + OLD
    }

    /// What has become old before it could be written goes into the second lane.
    fn grow_old(&mut self, now: Instant) {
        let from = self.live;
        while self.live <= self.top && now > self.due(self.live, now) + OLD {
            self.live += 1;
        }
        match self.late.back_mut() {
            _ if self.live == from => {}
            Some(last) if last.end == from => last.end = self.live,
            _ => self.late.push_back(from..self.live),
        }
    }
}

/// What of the second lane may go: as much as a second brings at most. A message that is larger is owed.
#[derive(Debug)]
struct Bucket {
    records: f64,
    bytes: f64,
    at: Instant,
}

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.records = (self.records + passed * LATE_RECORDS).min(LATE_RECORDS);
        self.bytes = (self.bytes + passed * LATE_BYTES).min(LATE_BYTES);
        self.at = self.at.max(now);
    }

    fn is_open(&self) -> bool {
        self.records >= 1.0 && self.bytes > 0.0
    }

    fn open_at(&self) -> Instant {
        let wait = ((1.0 - self.records) / LATE_RECORDS).max(-self.bytes / LATE_BYTES).max(0.0);
        // A moment later, so that rounding does not make it too early.
        self.at + Duration::from_secs_f64(wait) + Duration::from_millis(1)
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{Epoch, Seq};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ack(seq: u64, ranges: &[(u64, u64)]) -> Ack {
        Ack {
            v: 1,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            epoch: Epoch(1),
            seq: Seq(seq),
            ranges: ranges.iter().map(|(from, to)| (Seq(*from), Seq(*to))).collect(),
            store: "a".to_owned(),
        }
    }

    /// Writes all that may be written now: lane and number of each.
    fn pump(outbox: &mut Outbox, now: Instant, bytes: usize) -> Vec<(bool, u64)> {
        outbox.fall_due(now);
        let mut written = Vec::new();
        while let Some(next) = outbox.next(now) {
            outbox.wrote(next, now, next.seq as u16, bytes);
            written.push((next.is_late, next.seq));
        }
        written
    }

    fn note_all(outbox: &mut Outbox) {
        let written: Vec<u16> = outbox.sent.iter().map(|sent| sent.seq as u16).collect();
        assert!(written.into_iter().all(|packet_id| outbox.note(packet_id).is_some()));
    }

    #[test]
    fn live_messages_go_as_they_are_due_and_once() {
        let start = Instant::now();
        let mut outbox = Outbox::new(Pace::Every(SECOND), 0, start);
        assert_eq!(pump(&mut outbox, start, 300), [(false, 1)]);
        assert_eq!(outbox.next_due(), Some(start + SECOND));
        assert_eq!(pump(&mut outbox, start + SECOND * 2, 300), [(false, 2), (false, 3)]);
        assert_eq!(pump(&mut outbox, start + SECOND * 2, 300), []);
        assert!(outbox.settle(&ack(3, &[]), start + SECOND * 2).iter().map(|sent| sent.seq).eq(1..=3));
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_hour_that_was_missed_goes_behind_what_is_live_and_not_faster_than_an_agent_sends_it() {
        let start = Instant::now();
        let mut outbox = Outbox::new(Pace::Every(SECOND), 3_600, start);
        let first = pump(&mut outbox, start, 300);
        assert_eq!(first[0], (false, 3_601));
        let late: Vec<_> = (1..=16).map(|seq| (true, seq)).collect();
        assert_eq!(first[1..], late);
        // The broker has them, and then the database.
        let (mut now, mut seconds) = (start, 0);
        while !outbox.late.is_empty() {
            note_all(&mut outbox);
            outbox.settle(&ack(outbox.late[0].start - 1, &[(3_601, 4_000)]), now);
            now += Duration::from_millis(100);
            pump(&mut outbox, now, 300);
            seconds = (now - start).as_secs();
            assert!(seconds < 100, "it does not end");
        }
        // A second's worth may go at once.
        assert!((70..=72).contains(&seconds), "{seconds} s");
        assert_eq!(outbox.top, 3_601 + seconds);
    }

    #[test]
    fn the_second_lane_waits_for_the_database_and_the_live_one_does_not() {
        let start = Instant::now();
        let mut outbox = Outbox::new(Pace::Every(SECOND), 3_600, start);
        let mut now = start;
        for _ in 0..10 {
            pump(&mut outbox, now, 300);
            note_all(&mut outbox);
            now += SECOND;
        }
        assert_eq!(outbox.sent.iter().filter(|sent| sent.is_late).count(), 16);
        assert_eq!(pump(&mut outbox, now, 300), [(false, 3_611)]);
        // Of what was committed out of turn as much goes on, and one more, since that was soon.
        outbox.settle(&ack(0, &[(11, 16)]), now);
        let more: Vec<_> = (17..=23).map(|seq| (true, seq)).collect();
        assert_eq!(pump(&mut outbox, now, 300), more);
    }

    #[test]
    fn large_messages_go_by_their_size() {
        let start = Instant::now();
        let mut outbox = Outbox::new(Pace::Every(SECOND * 30), 120, start);
        let (mut now, mut written) = (start, 0);
        while now < start + SECOND * 10 {
            written += pump(&mut outbox, now, 6_554).iter().filter(|(is_late, _)| *is_late).count();
            outbox.settle(&ack(120, &[]), now);
            now = outbox.ready_at().filter(|at| *at > now).unwrap_or(now + SECOND / 10);
        }
        assert!((100..=112).contains(&written), "{written} of 10 a second");
    }

    #[test]
    fn what_was_on_its_way_is_sent_again_and_what_has_become_old_meanwhile_in_the_second_lane() {
        let start = Instant::now();
        let mut outbox = Outbox::new(Pace::Every(SECOND), 0, start);
        pump(&mut outbox, start + SECOND, 300);
        outbox.lose_connection();
        let back = start + SECOND * 30;
        let written = pump(&mut outbox, back, 300);
        let live: Vec<_> = (16..=31).map(|seq| (false, seq)).collect();
        assert_eq!(written[..16], live);
        // Two were written before, and the others became old without.
        let late: Vec<_> = (1..=15).map(|seq| (true, seq)).collect();
        assert_eq!(written[16..], late);
        outbox.lose_connection();
        let next = outbox.next(back).unwrap();
        assert_eq!(next, Next { seq: 16, is_late: false, is_again: true });
        assert!(!outbox.is_empty());
        assert!(outbox.settle(&ack(31, &[]), back).iter().map(|sent| sent.seq).eq(1..=31));
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_is_not_committed_is_sent_again_and_the_next_wait_is_longer() {
        let start = Instant::now();
        let mut outbox = Outbox::new(Pace::Every(SECOND * 30), 0, start);
        assert_eq!(pump(&mut outbox, start, 300), [(false, 1)]);
        assert_eq!(outbox.again_at(), Some(start + SECOND * 5));
        outbox.lose_patience();
        assert_eq!(outbox.again_at(), None);
        let again = start + SECOND * 5;
        assert_eq!(outbox.next(again), Some(Next { seq: 1, is_late: false, is_again: true }));
        assert_eq!(pump(&mut outbox, again, 300), [(false, 1)]);
        assert_eq!((outbox.again_at(), outbox.waiting_since()), (Some(again + SECOND * 10), Some(start)));
        assert_eq!(outbox.settle(&ack(1, &[]), again).len(), 1);
        assert_eq!((outbox.patience, outbox.is_empty()), (FIRST_PATIENCE, true));
    }

    #[test]
    fn a_window_is_kept_full() {
        let start = Instant::now();
        let mut outbox = Outbox::new(Pace::Window(4), 0, start);
        assert_eq!(pump(&mut outbox, start, 300).len(), 4);
        assert_eq!(pump(&mut outbox, start, 300).len(), 0);
        outbox.settle(&ack(1, &[(3, 3)]), start);
        assert_eq!(pump(&mut outbox, start + SECOND, 300), [(false, 5), (false, 6)]);
        assert_eq!((outbox.waiting_since(), outbox.next_due()), (Some(start), None));
        assert_eq!(outbox.settle_oldest().map(|sent| sent.seq), Some(2));
    }
}
