//! The last known state of a vehicle. Pure: what was delivered twice, late or out of order leads to the same state.

use std::collections::BTreeMap;

use bugbrother_wire::{
    Epoch, UnixMs,
    codec::MAX_ENTRIES,
    message::{Presence, Status, Telemetry},
};

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
    /// Takes in the values of a batch that are newer than what is known of their signal. Tells whether any was.
    pub fn merge(&mut self, telemetry: &Telemetry, received_ts: UnixMs) -> bool {
        let mut moved = false;
        for (ts, key, value) in telemetry.samples() {
            match self.signals.get_mut(key) {
                Some((known, _)) if *known > ts => continue,
                Some(known) => *known = (ts, value),
                None => {
                    self.signals.insert(key.to_owned(), (ts, value));
                }
            }
            moved = true;
            if ts > self.source_ts {
                self.source_ts = ts;
                self.received_ts = received_ts;
            }
        }
        // A vehicle that makes up keys without end keeps the newest.
        while self.signals.len() > MAX_ENTRIES {
            let oldest = self.signals.iter().min_by_key(|(_, (ts, _))| *ts).map(|(key, _)| key.clone());
            oldest.map(|key| self.signals.remove(&key));
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
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{
        SCHEMA_VERSION, Seq,
        message::{Clock, Row},
    };
    use proptest::prelude::*;

    use super::*;

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
        assert!(latest.merge(&batch(1_000, &["spd"], &[(0, &[Some(50.0)]), (500, &[Some(60.0)])]), 9_000));
        assert!(latest.merge(&batch(800, &["spd", "ect"], &[(0, &[Some(10.0), Some(80.0)])]), 9_500));
        assert_eq!(latest.signals["spd"], (1_500, 60.0));
        assert_eq!(latest.signals["ect"], (800, 80.0));
        assert_eq!((latest.source_ts, latest.received_ts), (1_500, 9_000));
        assert!(!latest.merge(&batch(100, &["spd"], &[(0, &[Some(1.0)])]), 9_900));
    }

    #[test]
    fn a_vehicle_that_makes_up_keys_keeps_the_newest() {
        let mut latest = Latest::default();
        for n in 0..2_000 {
            latest.merge(&batch(n, &[&format!("x.k{n}")], &[(0, &[Some(1.0)])]), n);
        }
        assert_eq!(latest.signals.len(), MAX_ENTRIES);
        assert!(latest.signals.contains_key("x.k1999") && !latest.signals.contains_key("x.k0"));
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
