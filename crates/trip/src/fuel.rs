//! Fuel, energy, cost and CO₂ of a trip.

use crate::{
    car::{Car, Fuel},
    leg::FuelFrom,
    tally::{Sum, Tally},
};

/// A rate that is known for less of a trip does not stand for it.
const KNOWN_SHARE: f64 = 0.8;
/// A fall that is less, in percent, is within a gauge's error.
const GAUGE_PERCENT: f64 = 1.0;

/// What a fuel is, by the litre (CNG: by the kilogram).
struct Matter {
    /// Kilograms. Petrol: the middle of EN 228 (720 to 775 g/l); diesel: EN 590 (820 to 845 g/l); LPG: propane and
    /// butane, half and half.
    kg: f64,
    /// Stoichiometric ratio of air to fuel, by mass.
    air: f64,
    /// Net calorific value, MJ/kg: IPCC 2006, volume 2, table 1.2.
    mj_per_kg: f64,
    /// Kilograms of CO₂ per MJ: IPCC 2006, volume 2, table 3.2.1.
    co2_kg_per_mj: f64,
}

const PETROL: Matter = Matter { kg: 0.745, air: 14.7, mj_per_kg: 44.3, co2_kg_per_mj: 0.0693 };
const DIESEL: Matter = Matter { kg: 0.832, air: 14.5, mj_per_kg: 43.0, co2_kg_per_mj: 0.0741 };
const LPG: Matter = Matter { kg: 0.540, air: 15.6, mj_per_kg: 47.3, co2_kg_per_mj: 0.0631 };
const METHANE: Matter = Matter { kg: 1.0, air: 17.2, mj_per_kg: 48.0, co2_kg_per_mj: 0.0561 };

impl Fuel {
    fn matter(self) -> &'static Matter {
        match self {
            Fuel::Petrol | Fuel::Hybrid | Fuel::Unknown | Fuel::Electric => &PETROL,
            Fuel::Diesel => &DIESEL,
            Fuel::Lpg => &LPG,
            Fuel::Cng => &METHANE,
        }
    }

    /// Grams of air that burn a litre (CNG: kg).
    fn air_g(self) -> f64 {
        let Matter { kg, air, .. } = self.matter();
        kg * 1000.0 * air
    }

    /// Kilograms of CO₂ that a litre (CNG: kg) becomes: petrol 2.29, diesel 2.65, LPG 1.61, CNG 2.69.
    fn co2_kg(self) -> Option<f64> {
        let Matter { kg, mj_per_kg, co2_kg_per_mj, .. } = self.matter();
        (self != Fuel::Unknown).then_some(kg * mj_per_kg * co2_kg_per_mj)
    }
}

/// What a trip has used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Used {
    pub fuel: Option<(f64, FuelFrom)>,
    pub energy_kwh: Option<f64>,
    pub cost: Option<f64>,
    pub co2_kg: Option<f64>,
}

impl Used {
    pub fn of(tally: &Tally, duration_ms: i64, car: &Car) -> Self {
        let known = |sum: &Sum| sum.known_ms > 0 && sum.known_ms as f64 >= KNOWN_SHARE * duration_ms as f64;
        let rate = || known(&tally.rate).then(|| (tally.rate.total / 3600.0, FuelFrom::Rate));
        let air = || known(&tally.air).then(|| (tally.air.total / car.fuel.air_g(), FuelFrom::AirFlow));
        let level = || {
            let fall = tally.fuel.fall().filter(|fall| *fall > GAUGE_PERCENT)?;
            Some((fall / 100.0 * car.tank_l?, FuelFrom::Level))
        };
        let burns = car.fuel != Fuel::Electric;
        let fuel = burns.then(|| rate().or_else(air).or_else(level)).flatten();
        // What goes back into the battery downhill is not earned.
        let energy_kwh = car.battery_kwh.zip(tally.soc.fall()).map(|(kwh, fall)| (fall / 100.0 * kwh).max(0.0));
        let costs =
            [fuel.map(|(litres, _)| litres).zip(car.price_per_l), energy_kwh.zip(car.price_per_kwh)].into_iter();
        let cost = costs.flatten().map(|(amount, price)| amount * price).reduce(|a, b| a + b);
        let co2_kg = match car.fuel {
            Fuel::Electric => Some(0.0),
            kind => fuel.zip(kind.co2_kg()).map(|((litres, _), kg)| litres * kg),
        };
        Used { fuel, energy_kwh, cost, co2_kg }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_litre_becomes_as_much_co2_as_others_say() {
        // Others: petrol 2.31, diesel 2.68, LPG 1.51 to 1.61 kg/l, methane 44/16 kg/kg.
        for (fuel, kg) in [(Fuel::Petrol, 2.31), (Fuel::Diesel, 2.68), (Fuel::Lpg, 1.61), (Fuel::Cng, 2.75)] {
            assert!((fuel.co2_kg().unwrap() / kg - 1.0).abs() < 0.03, "{fuel:?}");
        }
        assert_eq!(Fuel::Unknown.co2_kg(), None);
    }

    #[test]
    fn a_gram_of_air_a_second_burns_a_third_of_a_litre_of_petrol_an_hour() {
        assert!((3600.0 / Fuel::Petrol.air_g() - 0.3287).abs() < 0.0001);
        assert!((3600.0 / Fuel::Diesel.air_g() - 0.2984).abs() < 0.0001);
    }
}
