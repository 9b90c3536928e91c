//! When the car's battery is left alone. Pure: time is an argument.
//!
//! A control unit that is asked stays awake, so a car whose engine is off is not asked for long. Then only the voltage is
//! measured, by the adapter and without the bus: a running engine charges.

use std::time::{Duration, Instant};

/// An alternator or a converter holds the battery above that; a full battery at rest has 12.7 V.
const CHARGING_V: f64 = 13.0;
/// Some hold it lower, but all lift it.
const RISE_V: f64 = 0.5;
/// The level counts anew when the voltage has fallen so far below it.
const SLACK_V: f64 = 0.1;
/// After a wake-up for nothing the next one by movement waits, and then twice as long.
const FIRST_PATIENCE: Duration = Duration::from_secs(60);
/// So many wake-ups for nothing by the voltage are not held against it.
const BELIEVED: u32 = 3;
const LONGEST_PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Where nothing tells the voltage the bus is asked now and then.
const BLIND: Duration = Duration::from_secs(15 * 60);

/// Whether a car that is not silent has its engine off: by speed of the engine, speed and voltage.
#[derive(Debug, Default)]
pub(super) struct Engine {
    turns: bool,
    rolls: bool,
    charges: bool,
    idle_since: Option<Instant>,
}

impl Engine {
    /// Takes a value that was told.
    pub fn note(&mut self, key: &str, value: f64, now: Instant) {
        match key {
            "rpm" => self.turns = value > 0.0,
            "spd" => self.rolls = value > 0.0,
            "vbat" => self.charges = value >= CHARGING_V,
            _ => return,
        }
        self.look(now);
    }

    /// Takes what the receiver says of movement.
    pub fn note_movement(&mut self, moves: bool, now: Instant) {
        if moves {
            self.idle_since = None;
        } else {
            self.look(now);
        }
    }

    fn look(&mut self, now: Instant) {
        if self.turns || self.rolls || self.charges {
            self.idle_since = None;
        } else {
            self.idle_since.get_or_insert(now);
        }
    }

    /// For how long it has been off.
    pub fn off_for(&self, now: Instant) -> Duration {
        self.idle_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

/// What wakes a car that sleeps.
#[derive(Debug)]
pub(super) struct Watch {
    lowest: Option<f64>,
    /// Whether reaching the level counts: not before it was below.
    armed: bool,
    since: Instant,
}

/// What was woken up for nothing.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    in_vain: u32,
    not_before: Option<Instant>,
}

impl Watch {
    pub fn new(now: Instant) -> Self {
        Watch { lowest: None, armed: false, since: now }
    }

    /// Takes the voltage, where it can be measured; says whether to wake.
    pub fn note_voltage(&mut self, voltage: Option<f64>, now: Instant) -> bool {
        let Some(voltage) = voltage else {
            return self.lowest.is_none() && now.saturating_duration_since(self.since) >= BLIND;
        };
        let lowest = self.lowest.map_or(voltage, |lowest| lowest.min(voltage));
        self.lowest = Some(lowest);
        if voltage < CHARGING_V - SLACK_V {
            self.armed = true;
        }
        (self.armed && voltage >= CHARGING_V) || voltage - lowest >= RISE_V
    }
}

impl Wakes {
    /// Notes whether the car was awake after a wake-up.
    pub fn note(&mut self, awake: bool, now: Instant) {
        if awake {
            *self = Wakes::default();
        } else {
            let patience = FIRST_PATIENCE * 2u32.pow(self.in_vain.min(10));
            self.in_vain = self.in_vain.saturating_add(1);
            self.not_before = Some(now + patience.min(LONGEST_PATIENCE));
        }
    }

    /// Whether the voltage is to wake it. It is believed more often than movement, but a charger that switches itself on and
    /// off must not have the car asked for nights on end.
    pub fn may_charge(&self, now: Instant) -> bool {
        self.in_vain < BELIEVED || self.may_wake(now)
    }

    /// Whether movement is to wake it: not at once after it has done so for nothing, as on a ferry or behind a tow truck.
    pub fn may_wake(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|not_before| now >= not_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wakes(voltages: &[f64]) -> Option<usize> {
        let mut watch = Watch::new(Instant::now());
        voltages.iter().position(|voltage| watch.note_voltage(Some(*voltage), Instant::now()))
    }

    #[test]
    fn a_voltage_that_rises_wakes_and_one_that_stays_or_falls_does_not() {
        assert_eq!(wakes(&[12.4, 12.4, 12.3, 13.1]), Some(3), "the alternator");
        assert_eq!(wakes(&[12.2, 12.1, 12.3, 12.6]), Some(3), "a low one, but a rise");
        assert_eq!(wakes(&[14.2, 13.8, 13.3, 13.0, 12.8, 12.7]), None, "what the engine has left");
        assert_eq!(wakes(&[13.4, 13.3, 13.4, 13.4]), None, "a charger that stays");
        assert_eq!(wakes(&[13.4, 12.8, 13.0]), Some(2));
        assert_eq!(wakes(&[12.4, 11.9, 9.5, 12.1]), Some(3), "the starter");
    }

    #[test]
    fn without_a_voltage_the_bus_is_asked_now_and_then() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert!(!watch.note_voltage(None, start + BLIND / 2));
        assert!(watch.note_voltage(None, start + BLIND));
        watch.note_voltage(Some(12.4), start);
        assert!(!watch.note_voltage(None, start + BLIND));
    }

    #[test]
    fn movement_that_wakes_for_nothing_wakes_ever_more_seldom() {
        let now = Instant::now();
        let mut wakes = Wakes::default();
        assert!(wakes.may_wake(now));
        for minutes in [1, 2, 4, 8, 16, 30, 30] {
            wakes.note(false, now);
            assert!(!wakes.may_wake(now + Duration::from_secs(minutes * 60 - 1)));
            assert!(wakes.may_wake(now + Duration::from_secs(minutes * 60)));
        }
        assert!(!wakes.may_charge(now));
        wakes.note(true, now);
        assert!(wakes.may_wake(now));
        wakes.note(false, now);
        assert!(!wakes.may_wake(now) && wakes.may_charge(now));
    }

    #[test]
    fn an_engine_is_off_when_nothing_turns_rolls_or_charges() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut engine = Engine::default();
        engine.note("rpm", 800.0, at(0));
        engine.note("vbat", 12.3, at(1));
        assert_eq!(engine.off_for(at(9)), Duration::ZERO, "an alternator that rests");
        engine.note("rpm", 0.0, at(10));
        assert_eq!(engine.off_for(at(40)), Duration::from_secs(30));
        engine.note("vbat", 14.1, at(41));
        assert_eq!(engine.off_for(at(42)), Duration::ZERO, "a hybrid");
        engine.note("vbat", 12.5, at(43));
        engine.note("ect", 80.0, at(44));
        engine.note_movement(true, at(45));
        assert_eq!(engine.off_for(at(46)), Duration::ZERO);
        engine.note_movement(false, at(47));
        assert_eq!(engine.off_for(at(50)), Duration::from_secs(3));
    }
}
