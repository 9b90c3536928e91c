//! Units as a person wants them: what is measured stays metric, what is shown does not have to.

use bugbrother_wire::{
    api::{ConsumptionUnit, DistanceUnit, Preferences, TemperatureUnit},
    signal,
};

use crate::format::{self, number};

const M_PER_MILE: f64 = 1609.344;
const L_PER_US_GALLON: f64 = 3.785_411_784;
const L_PER_IMPERIAL_GALLON: f64 = 4.546_09;

/// The units that a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Units {
    /// Of distances and speeds.
    pub distance: DistanceUnit,
    /// Of consumption.
    pub consumption: ConsumptionUnit,
    /// Of temperatures.
    pub temperature: TemperatureUnit,
}

impl From<&Preferences> for Units {
    fn from(preferences: &Preferences) -> Self {
        Units {
            distance: preferences.distance,
            consumption: preferences.consumption,
            temperature: preferences.temperature,
        }
    }
}

impl Units {
    /// A number of a unit of the catalogue, in the unit that is wanted.
    pub fn convert(self, value: f64, unit: &'static str) -> (f64, &'static str) {
        match (unit, self.distance, self.temperature) {
            ("km", DistanceUnit::Mi, _) => (value * 1000.0 / M_PER_MILE, "mi"),
            ("km/h", DistanceUnit::Mi, _) => (value * 1000.0 / M_PER_MILE, "mph"),
            ("celsius", _, TemperatureUnit::Fahrenheit) => (value * 1.8 + 32.0, "°F"),
            _ => (value, format::unit(unit)),
        }
    }

    /// A signal's value with its unit, as precise as it is of use.
    pub fn value(self, key: &str, value: f64) -> (String, &'static str) {
        let told = format::value(key, value);
        let Some(signal) = signal::find(key) else { return told };
        match self.convert(value, signal.unit) {
            // What is not converted keeps its own digits.
            (same, _) if same == value => told,
            (converted, unit) => (number(converted, 0), unit),
        }
    }

    /// A speed and its unit.
    pub fn speed(self, kmh: f64) -> (String, &'static str) {
        let (value, unit) = self.convert(kmh, "km/h");
        (number(value, 0), unit)
    }

    /// A distance and its unit, with so many digits behind the point.
    pub fn distance(self, metres: f64, digits: usize) -> (String, &'static str) {
        let (value, unit) = self.convert(metres / 1000.0, "km");
        (number(value, digits), unit)
    }

    /// A consumption and its unit, from litres on so many metres; none without a way.
    pub fn consumption(self, litres: f64, metres: f64) -> Option<(String, &'static str)> {
        if metres <= 0.0 || litres < 0.0 {
            return None;
        }
        let per_gallon = |litres_per_gallon: f64| {
            // Whoever burns nothing goes as far as there are roads.
            (litres > 0.0).then(|| number(metres / M_PER_MILE / (litres / litres_per_gallon), 1))
        };
        match self.consumption {
            ConsumptionUnit::LitresPer100Km => Some((number(litres / metres * 100_000.0, 1), "l/100 km")),
            ConsumptionUnit::MpgUs => Some((per_gallon(L_PER_US_GALLON)?, "mpg")),
            ConsumptionUnit::MpgImperial => Some((per_gallon(L_PER_IMPERIAL_GALLON)?, "mpg imp.")),
        }
    }

    /// The unit of speeds.
    pub fn speed_unit(self) -> &'static str {
        self.convert(0.0, "km/h").1
    }

    /// The unit of distances.
    pub fn distance_unit(self) -> &'static str {
        self.convert(0.0, "km").1
    }

    /// The unit of temperatures.
    pub fn temperature_unit(self) -> &'static str {
        self.convert(0.0, "celsius").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMERICAN: Units = Units {
        distance: DistanceUnit::Mi,
        consumption: ConsumptionUnit::MpgUs,
        temperature: TemperatureUnit::Fahrenheit,
    };

    #[test]
    fn miles_and_fahrenheit_are_shown_to_who_wants_them() {
        assert_eq!(AMERICAN.speed(100.0), ("62".to_owned(), "mph"));
        assert_eq!(AMERICAN.distance(16_093.44, 1), ("10.0".to_owned(), "mi"));
        assert_eq!(AMERICAN.value("ect", 90.0), ("194".to_owned(), "°F"));
        assert_eq!(AMERICAN.value("spd", 50.0), ("31".to_owned(), "mph"));
        assert_eq!(AMERICAN.value("vbat", 12.6), ("12.6".to_owned(), "V"));
        assert_eq!(AMERICAN.value("x.door", 1.0), ("1".to_owned(), ""));
    }

    #[test]
    fn metric_units_are_as_measured() {
        let metric = Units::default();
        assert_eq!(metric.speed(100.4), ("100".to_owned(), "km/h"));
        assert_eq!(metric.value("ect", 88.4), ("88".to_owned(), "°C"));
        assert_eq!((metric.distance_unit(), metric.speed_unit(), metric.temperature_unit()), ("km", "km/h", "°C"));
    }

    #[test]
    fn consumption_is_litres_on_a_way_or_a_way_on_a_gallon() {
        let of = |consumption| Units { consumption, ..Units::default() }.consumption(6.0, 100_000.0);
        assert_eq!(of(ConsumptionUnit::LitresPer100Km), Some(("6.0".to_owned(), "l/100 km")));
        assert_eq!(of(ConsumptionUnit::MpgUs), Some(("39.2".to_owned(), "mpg")));
        assert_eq!(of(ConsumptionUnit::MpgImperial), Some(("47.1".to_owned(), "mpg imp.")));
        assert_eq!(Units::default().consumption(1.0, 0.0), None);
        assert_eq!(AMERICAN.consumption(0.0, 5000.0), None);
    }
}
