//! What driving costs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{facts::FuelKind, setting::Setting};

/// Prices of what vehicles burn. What has none costs an unknown amount, not nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prices {
    /// Currency of all of them, by ISO 4217; `EUR`.
    pub currency: String,
    /// Of a litre (CNG: of a kilogram) of each fuel; none.
    pub fuel_per_l: BTreeMap<FuelKind, f64>,
    /// Of a kilowatt-hour of electricity; none.
    pub electricity_per_kwh: Option<f64>,
}

impl Default for Prices {
    fn default() -> Self {
        Prices { currency: "EUR".to_owned(), fuel_per_l: BTreeMap::new(), electricity_per_kwh: None }
    }
}

impl Setting for Prices {
    const KEY: &'static str = "prices";

    fn check(&self) -> Result<(), &'static str> {
        let mut prices = self.fuel_per_l.values().chain(&self.electricity_per_kwh);
        if !prices.all(|price| price.is_finite() && *price >= 0.0) {
            return Err("a price is no number, or below 0");
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err("a currency is three capital letters, such as `EUR`");
        }
        Ok(())
    }
}
