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

impl Fuel {
    /// Grams of air that burn a litre (CNG: kg): the stoichiometric ratio by mass times the density. Petrol 14.7 and
    /// 745 g/l (EN 228: 720 to 775), diesel 14.5 and 832 g/l (EN 590: 820 to 845), LPG 15.6 and 540 g/l (EN 589),
    /// methane 17.2.
    fn air_g(self) -> f64 {
        match self {
            Fuel::Petrol | Fuel::Hybrid | Fuel::Unknown | Fuel::Electric => 14.7 * 745.0,
            Fuel::Diesel => 14.5 * 832.0,
            Fuel::Lpg => 15.6 * 540.0,
            Fuel::Cng => 17.2 * 1000.0,
        }
    }

    /// Kilograms of CO₂ that a litre (CNG: kg) becomes when it is burnt; `docs/trips.md` has the sources.
    fn co2_kg(self) -> Option<f64> {
        match self {
            Fuel::Petrol | Fuel::Hybrid => Some(2.31),
            Fuel::Diesel => Some(2.68),
            Fuel::Lpg => Some(1.51),
            Fuel::Cng => Some(2.75),
            Fuel::Electric => Some(0.0),
            Fuel::Unknown => None,
        }
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
