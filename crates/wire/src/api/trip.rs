//! Trips and stops of a vehicle.

use serde::{Deserialize, Serialize};

use crate::UnixMs;

/// `GET /api/frontend/vehicles/{vin}/trips`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TripList {
    /// Newest first.
    pub trips: Vec<Trip>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UnixMs>,
}

/// A trip, from departure to arrival. `docs/trips.md` has the rules and formulas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trip {
    /// When it began. No two trips of a vehicle begin at the same moment.
    pub start: UnixMs,
    /// When it ended; the newest sample while it is open.
    pub end: UnixMs,
    /// Whether it goes on.
    pub open: bool,
    /// How it ended; `None` while it is open.
    pub ended: Option<TripEnd>,
    /// Name of the place where it began.
    pub start_place: Option<String>,
    /// Name of the place where it ended.
    pub end_place: Option<String>,
    /// Where it began: latitude and longitude in degrees.
    pub from: Option<(f64, f64)>,
    /// Where it ended.
    pub to: Option<(f64, f64)>,
    /// Metres.
    pub distance_m: f64,
    /// Where the distance is from.
    pub distance_from: DistanceFrom,
    /// Time with the vehicle moving.
    pub moving_ms: i64,
    /// Time with the engine running and the vehicle standing.
    pub idle_ms: i64,
    /// Time above the limit.
    pub over_ms: i64,
    /// Highest speed, km/h.
    pub max_kmh: f64,
    /// Mean speed, km/h.
    pub mean_kmh: f64,
    /// Fuel burnt, in litres (CNG: kg).
    pub fuel_l: Option<f64>,
    /// Where the amount of fuel is from.
    pub fuel_from: Option<FuelFrom>,
    /// Energy out of the traction battery, kWh.
    pub energy_kwh: Option<f64>,
    /// Cost of fuel and energy.
    pub cost: Option<f64>,
    /// CO₂ in kilograms.
    pub co2_kg: Option<f64>,
    /// How often it was accelerated harshly.
    pub harsh_accelerations: u32,
    /// How often it was braked harshly.
    pub harsh_brakings: u32,
    /// How often a corner was taken harshly.
    pub harsh_cornerings: u32,
    /// Style of driving, 0 to 100; 100 is faultless.
    pub score: u8,
    /// The way that was driven, simplified: an encoded polyline with five digits.
    pub track: String,
}

/// How a trip has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TripEnd {
    /// It stood with the ignition off.
    Off,
    /// It stood for long.
    Still,
    /// Nothing more was heard.
    Gap,
}

/// Where a distance is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DistanceFrom {
    /// The odometer.
    Odometer,
    /// Positions.
    Gnss,
    /// The car's own speed, summed up.
    Wheels,
}

/// Where an amount of fuel is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FuelFrom {
    /// The engine's fuel rate, summed up.
    Rate,
    /// Air flow.
    AirFlow,
    /// The fall of the level.
    Level,
}

/// `GET /api/frontend/vehicles/{vin}/stops`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StopList {
    /// Newest first.
    pub stops: Vec<Stop>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UnixMs>,
}

/// Between two trips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stop {
    /// When it began.
    pub start: UnixMs,
    /// When it ended; absent while it lasts.
    pub end: Option<UnixMs>,
    /// Name of the place.
    pub place: Option<String>,
    /// Where it was: latitude and longitude in degrees.
    pub position: Option<(f64, f64)>,
    /// Time with the engine running.
    pub idle_ms: i64,
}

/// `GET /api/frontend/vehicles/{vin}/totals`: what the trips amount to that began in a span. Fuel, energy, cost and CO₂ are
/// of the trips of which they are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TripTotals {
    /// How many.
    pub trips: i64,
    /// Metres.
    pub distance_m: f64,
    /// Time with the vehicle moving.
    pub moving_ms: i64,
    /// Time with the engine running and the vehicle standing.
    pub idle_ms: i64,
    /// Litres.
    pub fuel_l: f64,
    /// kWh.
    pub energy_kwh: f64,
    /// Cost.
    pub cost: f64,
    /// Kilograms.
    pub co2_kg: f64,
    /// Mean of the scores.
    pub score: Option<f64>,
}
