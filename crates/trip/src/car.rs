//! What must be known of a vehicle.

use serde::{Deserialize, Serialize};

/// What a vehicle burns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fuel {
    /// Petrol, in litres.
    Petrol,
    /// Diesel, in litres.
    Diesel,
    /// Liquefied petroleum gas, in litres.
    Lpg,
    /// Compressed natural gas, in kilograms wherever else it says litres.
    Cng,
    /// None: the traction battery's charge alone counts.
    Electric,
    /// Petrol, and a traction battery whose charge counts too where its size is known.
    Hybrid,
    /// Not known: as petrol in air flow, and without CO₂.
    #[default]
    Unknown,
}

/// What the machine must know of a vehicle. Everything has a default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Car {
    /// What it burns.
    pub fuel: Fuel,
    /// Size of the tank in litres (CNG: kg): without it a falling level tells nothing.
    pub tank_l: Option<f64>,
    /// Usable size of the traction battery in kWh.
    pub battery_kwh: Option<f64>,
    /// Price of a litre (CNG: kg) of fuel.
    pub price_per_l: Option<f64>,
    /// Price of a kWh, in the same currency.
    pub price_per_kwh: Option<f64>,
    /// Thresholds.
    pub limits: Limits,
}

/// Thresholds of the rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// A trip ends when the vehicle has stood for so long.
    pub still_ms: i64,
    /// The same while the engine is running.
    pub idle_ms: i64,
    /// The same while the ignition is known to be off.
    pub off_ms: i64,
    /// A trip ends when nothing has told of movement for so long.
    pub gap_ms: i64,
    /// For so long a value is carried forward at most; what is longer without one is blind.
    pub blind_ms: i64,
    /// A trip begins when the vehicle is so far from where it stood.
    pub leave_m: f64,
    /// The same while the ignition is known to be off and only the GNSS receiver tells of movement.
    pub tow_m: f64,
    /// Speed that a vehicle has reached when it has left, if only the GNSS receiver tells of movement.
    pub start_kmh: f64,
    /// No vehicle is faster: what lies farther away is a wrong position.
    pub max_kmh: f64,
    /// Harsh acceleration, m/s².
    pub harsh_acceleration: f64,
    /// Harsh braking, m/s² (positive).
    pub harsh_braking: f64,
    /// Harsh cornering, m/s² sideways.
    pub harsh_cornering: f64,
    /// Faster is over-speed.
    pub over_kmh: f64,
    /// What a trip's track may be off the way that was driven.
    pub track_m: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            still_ms: 5 * 60_000,
            idle_ms: 20 * 60_000,
            off_ms: 30_000,
            gap_ms: 10 * 60_000,
            blind_ms: 120_000,
            leave_m: 100.0,
            tow_m: 500.0,
            start_kmh: 8.0,
            max_kmh: 250.0,
            harsh_acceleration: 3.0,
            harsh_braking: 3.5,
            harsh_cornering: 4.0,
            over_kmh: 130.0,
            track_m: 10.0,
        }
    }
}
