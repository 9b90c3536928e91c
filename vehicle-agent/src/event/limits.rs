//! Thresholds of the detectors.

use std::collections::BTreeMap;

/// A threshold that `down/config` may set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Its name in `Config.thresholds`.
    pub name: &'static str,
    /// Unit of its value.
    pub unit: &'static str,
    /// What counts when nobody has said anything; `None`: the detector is off.
    pub default: Option<f64>,
    /// Lowest value that is taken, 0 apart, which turns the detector off.
    pub min: f64,
    /// Highest value that is taken.
    pub max: f64,
}

macro_rules! thresholds {
    ($($(#[doc = $doc:literal])+ $name:ident $unit:literal $default:expr, $min:literal .. $max:literal;)*) => {
        /// What the detectors compare with; `None` turns a detector off.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: Option<f64>,)*
        }

        /// Every threshold.
        pub const THRESHOLDS: &[Threshold] = &[
            $(Threshold { name: stringify!($name), unit: $unit, default: $default, min: $min, max: $max },)*
        ];

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($name: $default,)* }
            }
        }

        impl Limits {
            fn field(&mut self, name: &str) -> Option<&mut Option<f64>> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

thresholds! {
    /// Slowing down, m/s².
    harsh_braking "m/s^2" Some(3.5), 1.0 .. 10.0;
    /// Speeding up, m/s².
    harsh_acceleration "m/s^2" Some(3.0), 1.0 .. 10.0;
    /// Sideways, m/s².
    harsh_cornering "m/s^2" Some(4.0), 1.0 .. 10.0;
    /// A blow as the accelerometer feels it, m/s²: 4 g.
    crash "m/s^2" Some(39.2), 10.0 .. 160.0;
    /// Speed that is lost within half a second, km/h, where there is no accelerometer.
    crash_speed "km/h" Some(25.0), 10.0 .. 100.0;
    /// Distance from where it was parked, m.
    tow_distance "m" Some(150.0), 30.0 .. 5000.0;
    /// Speed with the ignition off, held for half a minute, km/h.
    tow_speed "km/h" Some(8.0), 3.0 .. 50.0;
    /// Standing with the engine running, s.
    idling "s" Some(300.0), 30.0 .. 7200.0;
    /// Voltage with the engine off, of a 12 V battery, V.
    low_battery "V" Some(11.8), 9.0 .. 13.0;
    /// Voltage with the engine running, of a 12 V battery, V. Off: many alternators go below at times.
    low_charging "V" None, 11.5 .. 14.0;
    /// How far outside an area it must be to have left it, m; the accuracy of the position comes on top.
    geofence_margin "m" Some(15.0), 5.0 .. 200.0;
}

impl Limits {
    /// The limits that `thresholds` wants, and the names in it that are not known or whose values are out of range: for
    /// those the default counts. 0 turns a detector off.
    pub fn read(thresholds: &BTreeMap<String, f64>) -> (Self, Vec<String>) {
        let (mut limits, mut ignored) = (Limits::default(), Vec::new());
        for (name, value) in thresholds {
            let known = THRESHOLDS.iter().find(|threshold| threshold.name == name);
            let field = limits.field(name);
            match (known, field) {
                (Some(_), Some(field)) if *value == 0.0 => *field = None,
                (Some(known), Some(field)) if (known.min..=known.max).contains(value) => *field = Some(*value),
                _ => ignored.push(name.clone()),
            }
        }
        (limits, ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_taken_by_name_within_their_range_and_nought_turns_off() {
        let wanted = [
            ("harsh_braking", 2.5),
            ("idling", 0.0),
            ("low_battery", 99.0),
            ("crash", f64::NAN),
            ("low_charging", 13.0),
            ("no_such", 1.0),
        ];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value)).into();
        let (limits, ignored) = Limits::read(&wanted);
        let expected = Limits { harsh_braking: Some(2.5), idling: None, low_charging: Some(13.0), ..Limits::default() };
        assert_eq!(limits, expected);
        assert_eq!(ignored, ["crash", "low_battery", "no_such"]);
    }

    #[test]
    fn every_default_is_in_its_range_and_every_name_is_a_key_of_the_contract() {
        for threshold in THRESHOLDS {
            assert!(threshold.default.is_none_or(|value| (threshold.min..=threshold.max).contains(&value)));
            assert!(threshold.name.len() <= 24 && threshold.name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()));
        }
    }
}
