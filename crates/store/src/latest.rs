//! The last known state of a vehicle. Pure: what was delivered twice, late or out of order leads to the same state, but
//! that of two values of the same time the one that was received last counts.

use std::collections::BTreeMap;

use bugbrother_wire::{
    Epoch, UnixMs,
    codec::MAX_ENTRIES,
    message::{Presence, Status, Telemetry},
    verdict::CLOCK_IS_SET,
};

/// Most signals that are known of a vehicle. Beyond it the one with the oldest value makes room.
pub const MAX_SIGNALS: usize = MAX_ENTRIES;
/// A vehicle's clock may be ahead of ours by so much. What is said to be later counts as of then: one sample of tomorrow
/// must not hide today's.
const MAX_AHEAD_MS: i64 = 60_000;

/// The last known state of a vehicle.
#[derive(Debug, Clone, PartialEq)]
pub struct Latest {
    /// Whether it is connected.
    pub presence: Presence,
    /// Outbox of the connection that the presence is of.
    pub presence_epoch: Epoch,
    /// Beginning of that connection, by the vehicle's clock.
    pub presence_since: UnixMs,
    /// Time of the newest value, by the vehicle's clock; 0 for none.
    pub source_ts: UnixMs,
    /// When that one was received; 0 for none.
    pub received_ts: UnixMs,
    /// Signal key → time and value.
    pub signals: BTreeMap<String, (UnixMs, f64)>,
}

/// What became other than it was.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moved<'a> {
    /// Signals of which something newer is known.
    pub keys: Vec<&'a str>,
    /// Those among them with another value.
    pub values: Vec<&'a str>,
    /// Whether other signals had to make room.
    pub evicted: bool,
}

impl Default for Latest {
    fn default() -> Self {
        Latest {
            presence: Presence::Offline,
            presence_epoch: Epoch(0),
            presence_since: 0,
            source_ts: 0,
            received_ts: 0,
            signals: BTreeMap::new(),
        }
    }
}

impl Latest {
    /// Takes in a batch that was received at `now`: of each signal what is not older than what is known. Of two values of
    /// the same time the one that was received last counts.
    pub fn merge<'a>(&mut self, telemetry: &'a Telemetry, now: UnixMs) -> Moved<'a> {
        let horizon = horizon(now);
        let mut moved = Moved::default();
        for (column, key) in telemetry.keys.iter().enumerate() {
            // Rows are in the order of time.
            let newest = telemetry.rows.iter().rev().find_map(|row| {
                let value = (*row.values.get(column)?)?;
                Some((telemetry.t0 + i64::from(row.dt_ms), value))
            });
            if let Some((ts, value)) = newest {
                self.take(key, ts.min(horizon), value, now, &mut moved);
            }
        }
        moved
    }

    /// Takes in what somebody else knew of the vehicle's signals: what is newer than what is known here.
    pub fn catch_up<'a>(&mut self, other: &'a Latest, now: UnixMs) -> Moved<'a> {
        let horizon = horizon(now);
        let mut moved = Moved::default();
        for (key, (ts, value)) in &other.signals {
            let ts = (*ts).min(horizon);
            if self.signals.get(key).is_none_or(|(known, _)| *known < ts) {
                self.take(key, ts, *value, other.received_ts, &mut moved);
            }
        }
        moved
    }

    /// Takes in what a connection says of itself. Tells whether anything changed.
    ///
    /// Who says that it is online or asleep is connected at that moment, so it is believed whatever its clock says. A
    /// will is published after the fact: one of an earlier connection than the known one is not about the present.
    pub fn hear(&mut self, status: &Status) -> bool {
        let known = (self.presence_epoch, self.presence_since);
        let said = (status.epoch, status.since);
        if status.status == Presence::Offline && said < known {
            return false;
        }
        let changed = self.presence != status.status || known != said;
        self.presence = status.status;
        (self.presence_epoch, self.presence_since) = said;
        changed
    }

    /// Signal key → value.
    pub fn values(&self) -> BTreeMap<String, f64> {
        self.signals.iter().map(|(key, (_, value))| (key.clone(), *value)).collect()
    }

    fn take<'a>(&mut self, key: &'a str, ts: UnixMs, value: f64, received_ts: UnixMs, moved: &mut Moved<'a>) {
        match self.signals.get_mut(key) {
            Some(known) if known.0 > ts || *known == (ts, value) => return,
            Some(known) => {
                if known.1 != value {
                    moved.values.push(key);
                }
                *known = (ts, value);
            }
            None => {
                if !self.make_room(key, ts, moved) {
                    return;
                }
                self.signals.insert(key.to_owned(), (ts, value));
                moved.values.push(key);
            }
        }
        moved.keys.push(key);
        if ts > self.source_ts {
            self.source_ts = ts;
            self.received_ts = received_ts;
        }
    }

    /// Whether a signal that is new here has a place, where an older one may have had to leave.
    fn make_room(&mut self, key: &str, ts: UnixMs, moved: &mut Moved<'_>) -> bool {
        if self.signals.len() < MAX_SIGNALS {
            return true;
        }
        let oldest = self.signals.iter().map(|(key, (ts, _))| (*ts, key.as_str())).min();
        let Some((_, oldest)) = oldest.filter(|oldest| *oldest < (ts, key)) else { return false };
        let oldest = oldest.to_owned();
        self.signals.remove(&oldest);
        moved.evicted = true;
        true
    }
}

/// The latest time that counts at `now`.
fn horizon(now: UnixMs) -> UnixMs {
    if now < CLOCK_IS_SET { UnixMs::MAX } else { now.saturating_add(MAX_AHEAD_MS) }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{
        SCHEMA_VERSION, Seq,
        message::{Clock, Row},
    };
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    fn batch(t0: UnixMs, keys: &[&str], rows: &[(u32, &[Option<f64>])]) -> Telemetry {
        Telemetry {
            v: SCHEMA_VERSION,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            epoch: Epoch(1),
            seq: Seq(1),
            t0,
            clock: Clock::Gnss,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            rows: rows.iter().map(|(dt_ms, values)| Row { dt_ms: *dt_ms, values: values.to_vec() }).collect(),
            gap: None,
        }
    }

    fn moved<'a>(keys: &[&'a str], values: &[&'a str]) -> Moved<'a> {
        Moved { keys: keys.to_vec(), values: values.to_vec(), evicted: false }
    }

    fn status(epoch: u64, since: UnixMs, status: Presence) -> Status {
        Status {
            v: SCHEMA_VERSION,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            epoch: Epoch(epoch),
            status,
            since,
            reason: None,
        }
    }

    #[test]
    fn late_data_fills_in_what_is_unknown_and_moves_nothing_back() {
        let mut latest = Latest::default();
        let first = batch(1_000, &["spd"], &[(0, &[Some(50.0)]), (500, &[Some(60.0)])]);
        assert_eq!(latest.merge(&first, 9_000), moved(&["spd"], &["spd"]));
        let late = batch(800, &["spd", "ect"], &[(0, &[Some(10.0), Some(80.0)])]);
        assert_eq!(latest.merge(&late, 9_500), moved(&["ect"], &["ect"]));
        assert_eq!(latest.signals["spd"], (1_500, 60.0));
        assert_eq!(latest.signals["ect"], (800, 80.0));
        assert_eq!((latest.source_ts, latest.received_ts), (1_500, 9_000));
        assert_eq!(latest.merge(&batch(100, &["spd"], &[(0, &[Some(1.0)])]), 9_900), Moved::default());
        assert_eq!(latest.values(), [("ect".to_owned(), 80.0), ("spd".to_owned(), 60.0)].into());
    }

    #[test]
    fn the_newest_row_with_a_value_counts_for_each_signal() {
        let mut latest = Latest::default();
        let rows: [(u32, &[_]); 2] = [(0, &[Some(10.0), Some(90.0)]), (1_000, &[Some(12.0), None])];
        latest.merge(&batch(NOW - 3_000, &["spd", "ect"], &rows), NOW);
        assert_eq!(latest.signals, [("ect".into(), (NOW - 3_000, 90.0)), ("spd".into(), (NOW - 2_000, 12.0))].into());
        assert_eq!(latest.source_ts, NOW - 2_000);
    }

    #[test]
    fn what_is_said_again_moves_nothing_and_a_value_that_stays_moves_in_time() {
        let mut latest = Latest::default();
        let first = batch(NOW, &["spd"], &[(0, &[Some(50.0)])]);
        latest.merge(&first, NOW);
        assert_eq!(latest.merge(&first, NOW + 5_000), Moved::default());
        assert_eq!(latest.received_ts, NOW);
        assert_eq!(latest.merge(&batch(NOW + 1, &["spd"], &[(0, &[Some(50.0)])]), NOW), moved(&["spd"], &[]));
    }

    #[test]
    fn of_two_values_of_the_same_time_the_one_that_was_received_last_counts() {
        let mut latest = Latest::default();
        for speed in [50.0, 70.0, 60.0] {
            let again = batch(NOW, &["spd"], &[(0, &[Some(speed)])]);
            assert_eq!(latest.merge(&again, NOW), moved(&["spd"], &["spd"]));
            assert_eq!(latest.signals["spd"], (NOW, speed));
        }
    }

    #[test]
    fn a_sample_of_tomorrow_counts_as_of_the_next_minute_and_hides_nothing_after_it() {
        let mut latest = Latest::default();
        let tomorrow = batch(NOW + 23 * 3_600_000, &["spd"], &[(0, &[Some(1.0)]), (500, &[Some(2.0)])]);
        latest.merge(&tomorrow, NOW);
        assert_eq!(latest.signals["spd"], (NOW + MAX_AHEAD_MS, 2.0));
        assert_eq!(latest.source_ts, NOW + MAX_AHEAD_MS);
        let later = NOW + MAX_AHEAD_MS + 1;
        latest.merge(&batch(later, &["spd"], &[(0, &[Some(3.0)])]), later);
        assert_eq!((latest.signals["spd"], latest.received_ts), ((later, 3.0), later));
    }

    #[test]
    fn a_server_that_believes_to_be_in_1970_judges_no_clock() {
        let mut latest = Latest::default();
        latest.merge(&batch(NOW, &["spd"], &[(0, &[Some(50.0)])]), 5_000);
        assert_eq!(latest.signals["spd"], (NOW, 50.0));
    }

    #[test]
    fn what_somebody_else_knew_fills_in_signal_by_signal_and_overrides_nothing_newer() {
        let (mut here, mut there) = (Latest::default(), Latest::default());
        here.merge(&batch(NOW - 5_000, &["spd", "rpm"], &[(0, &[Some(80.0), Some(2000.0)])]), NOW - 4_000);
        there.merge(&batch(NOW - 5_000, &["rpm", "ect"], &[(0, &[Some(1.0), Some(90.0)])]), NOW - 3_000);
        there.merge(&batch(NOW - 9_000, &["spd"], &[(0, &[Some(10.0)])]), NOW - 3_000);
        assert_eq!(here.catch_up(&there, NOW), moved(&["ect"], &["ect"]));
        assert_eq!((here.signals["spd"].1, here.signals["rpm"].1, here.received_ts), (80.0, 2000.0, NOW - 4_000));
        there.merge(&batch(NOW - 1_000, &["spd"], &[(0, &[Some(90.0)])]), NOW - 500);
        assert_eq!(here.catch_up(&there, NOW), moved(&["spd"], &["spd"]));
        assert_eq!((here.signals["ect"].0, here.source_ts, here.received_ts), (NOW - 5_000, NOW - 1_000, NOW - 500));
        there.signals.insert("spd".to_owned(), (NOW + 1_000_000, 1.0));
        here.catch_up(&there, NOW);
        assert_eq!(here.signals["spd"].0, NOW + MAX_AHEAD_MS);
    }

    #[test]
    fn a_vehicle_that_makes_up_keys_keeps_the_newest() {
        let mut latest = Latest::default();
        for n in 0..2_000 {
            let evicted = latest.merge(&batch(n, &[&format!("x.k{n}")], &[(0, &[Some(1.0)])]), n).evicted;
            assert_eq!(evicted, n >= 1024);
        }
        assert_eq!(latest.signals.len(), MAX_SIGNALS);
        assert!(latest.signals.contains_key("x.k1999") && !latest.signals.contains_key("x.k0"));
        let older = batch(5, &["older"], &[(0, &[Some(1.0)])]);
        assert_eq!(latest.merge(&older, 5), Moved::default(), "what is older than all that is kept is not kept");
    }

    #[test]
    fn a_will_of_an_older_connection_says_nothing_about_the_present() {
        let mut latest = Latest::default();
        assert!(latest.hear(&status(7, 100, Presence::Online)));
        assert!(latest.hear(&status(7, 200, Presence::Online)));
        assert!(!latest.hear(&status(7, 100, Presence::Offline)));
        assert!(!latest.hear(&status(6, 900, Presence::Offline)));
        assert_eq!(latest.presence, Presence::Online);
        assert!(latest.hear(&status(7, 200, Presence::Offline)));
        assert_eq!(latest.presence, Presence::Offline);
    }

    #[test]
    fn a_vehicle_whose_clock_went_back_is_believed_to_be_online_and_its_will_too() {
        let mut latest = Latest::default();
        latest.hear(&status(7, 5_000, Presence::Online));
        assert!(latest.hear(&status(3, 10, Presence::Online)));
        assert!(!latest.hear(&status(3, 10, Presence::Online)), "a retained status that comes again changes nothing");
        assert!(latest.hear(&status(3, 10, Presence::Offline)));
        assert_eq!(latest.presence, Presence::Offline);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            mut samples in proptest::collection::hash_map((0..50i64, 0..3usize), -100.0..100.0f64, 1..40),
            seed in any::<prop::sample::Index>(),
        ) {
            let keys = ["spd", "rpm", "ect"];
            let mut list: Vec<_> = samples.drain().collect();
            let apply = |list: &[((i64, usize), f64)]| {
                let mut latest = Latest::default();
                for ((ts, key), value) in list {
                    latest.merge(&batch(*ts, &[keys[*key]], &[(0, &[Some(*value)])]), 0);
                }
                latest
            };
            let one = apply(&list);
            let middle = seed.index(list.len());
            list.rotate_left(middle);
            list.reverse();
            prop_assert_eq!(apply(&list), one);
        }
    }
}
