//! Which signals a microcontroller may tell.

use std::{borrow::Cow, collections::BTreeMap};

use bugbrother_wire::{message::SignalDeclaration, signal};

use super::message::Refusal;
use crate::recorder::Key;

/// Of the catalogue, those that such a device has sensors for. Position, speed and the engine are others' to tell.
pub const ALLOWED: [&str; 11] = ["ax", "ay", "az", "gx", "gy", "gz", "itemp", "oat", "baro", "vbat", "ign"];
/// All others begin so.
pub const OWN: &str = "x.";
/// So many signals of its own are kept apart; more are a mistake.
const MOST_OWN: usize = 64;
/// Beyond this a number of its own is a mistake.
const LARGEST: f64 = 1e9;
/// How often they are recorded when nobody has wanted otherwise.
pub const PERIOD_MS: u32 = 1000;
const LONGEST_UNIT: usize = 16;
const LONGEST_KEY: usize = 24;

/// The signals that it has told or announced so far.
#[derive(Debug, Default)]
pub struct Signals {
    known: BTreeMap<Key, String>,
}

impl Signals {
    /// The value as it is kept, if the signal is one that it may tell. The second part is whether it is a new one.
    pub fn take(&mut self, key: &str, value: f64) -> Result<(Key, bool), Refusal> {
        let key = self.find(key)?;
        let plausible = match signal::find(&key) {
            Some(signal) => signal.is_plausible(value),
            None => value.abs() <= LARGEST,
        };
        if !plausible {
            return Err(Refusal::Range);
        }
        let is_new = !self.known.contains_key(&key);
        if is_new {
            self.add(key.clone(), "")?;
        }
        Ok((key, is_new))
    }

    /// Notes that it will tell `key` in `unit`; answers whether that is news.
    pub fn announce(&mut self, key: &str, unit: &str) -> Result<bool, Refusal> {
        let key = self.find(key)?;
        let catalogue = signal::find(&key).map(|signal| signal.unit);
        if catalogue.is_some_and(|known| known != unit) || unit.len() > LONGEST_UNIT {
            return Err(Refusal::Unit);
        }
        if self.known.get(&key).is_some_and(|known| known == unit) {
            return Ok(false);
        }
        self.add(key, unit)?;
        Ok(true)
    }

    /// All of them, for `up/birth`.
    pub fn declarations(&self) -> Vec<SignalDeclaration> {
        let declaration = |(key, unit): (&Key, &String)| {
            let signal = signal::find(key);
            SignalDeclaration {
                key: key.to_string(),
                vss: signal.and_then(|signal| signal.vss).map(str::to_owned),
                unit: signal.map_or_else(|| unit.clone(), |signal| signal.unit.to_owned()),
                period_ms: PERIOD_MS,
            }
        };
        self.known.iter().map(declaration).collect()
    }

    fn find(&self, key: &str) -> Result<Key, Refusal> {
        if let Some(known) = ALLOWED.iter().find(|known| **known == key) {
            return Ok(Cow::Borrowed(known));
        }
        let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.');
        if key.len() > LONGEST_KEY || !key.bytes().all(rest) {
            return Err(Refusal::Key);
        }
        match key.strip_prefix(OWN) {
            Some("") => Err(Refusal::Key),
            Some(_) => Ok(Cow::Owned(key.to_owned())),
            None => Err(Refusal::Forbidden),
        }
    }

    fn add(&mut self, key: Key, unit: &str) -> Result<(), Refusal> {
        if self.known.len() >= MOST_OWN + ALLOWED.len() && !self.known.contains_key(&key) {
            return Err(Refusal::TooMany);
        }
        self.known.insert(key, unit.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_of_its_own_sensors_and_cannot_forge_others() {
        let mut signals = Signals::default();
        assert_eq!(signals.take("ax", -3.0), Ok(("ax".into(), true)));
        assert_eq!(signals.take("x.door", 1.0), Ok(("x.door".into(), true)));
        assert_eq!(signals.take("x.door", 0.0), Ok(("x.door".into(), false)));
        for forged in ["lat", "lon", "alt", "hdg", "gspd", "spd", "odo", "rpm", "fuel", "dtcs", "y.z", "door"] {
            assert_eq!(signals.take(forged, 1.0), Err(Refusal::Forbidden), "{forged}");
        }
        for key in ["x.", "x.Ä", "X.a", "x.a b", "x.0123456789012345678901234"] {
            assert_eq!(signals.take(key, 1.0), Err(Refusal::Key), "{key}");
        }
        for (key, value) in [("ax", 900.0), ("ign", 2.0), ("x.a", 1e10)] {
            assert_eq!(signals.take(key, value), Err(Refusal::Range), "{key}");
        }
        assert!(ALLOWED.iter().all(|key| signal::find(key).is_some()));
    }

    #[test]
    fn units_of_the_catalogue_are_the_catalogues_and_own_ones_are_declared() {
        let mut signals = Signals::default();
        assert_eq!(signals.announce("ax", "g"), Err(Refusal::Unit));
        assert_eq!(signals.announce("ax", "m/s^2"), Ok(true));
        assert_eq!(signals.announce("x.temp1", "celsius"), Ok(true));
        assert_eq!(signals.announce("x.temp1", "celsius"), Ok(false));
        assert_eq!(signals.announce("x.temp1", "hundredths of a degree"), Err(Refusal::Unit));
        let declared = signals.declarations();
        let told: Vec<_> = declared.iter().map(|signal| (signal.key.as_str(), signal.unit.as_str())).collect();
        assert_eq!(told, [("ax", "m/s^2"), ("x.temp1", "celsius")]);
        assert_eq!(declared[0].vss.as_deref(), Some("Vehicle.Acceleration.Longitudinal"));
    }

    #[test]
    fn a_key_that_changes_with_every_line_does_not_grow_for_ever() {
        let mut signals = Signals::default();
        let taken = (0..10_000).filter(|i| signals.take(&format!("x.a{i}"), 1.0).is_ok()).count();
        assert_eq!(taken, MOST_OWN + ALLOWED.len());
        assert!(signals.take("x.a1", 2.0).is_ok(), "those that were first stay");
    }
}
