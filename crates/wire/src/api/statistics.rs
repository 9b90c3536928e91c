//! What trips amount to, and the overview.

use serde::{Deserialize, Serialize};

use super::{ContractSummary, DueLine};
use crate::{UnixMs, Vin};

/// By what statistics are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A line for each vehicle.
    #[default]
    Vehicle,
    /// For each client.
    Client,
    /// For each day.
    Day,
    /// For each week, which begins on Monday.
    Week,
    /// For each month.
    Month,
}

impl By {
    /// All of them.
    pub const ALL: [By; 5] = [By::Vehicle, By::Client, By::Day, By::Week, By::Month];

    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            By::Vehicle => "vehicle",
            By::Client => "client",
            By::Day => "day",
            By::Week => "week",
            By::Month => "month",
        }
    }

    /// The one of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        By::ALL.into_iter().find(|by| by.word() == word)
    }

    /// Whether the lines are spans of time.
    pub fn is_time(self) -> bool {
        matches!(self, By::Day | By::Week | By::Month)
    }
}

/// `GET /api/frontend/statistics`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Statistics {
    /// From when on: the beginning of the first day.
    pub from: UnixMs,
    /// Until before when: the end of the last day.
    pub to: UnixMs,
    /// Where the days begin, such as `Europe/Zurich`.
    pub zone: String,
    /// By what.
    pub by: By,
    /// Currency of costs.
    pub currency: String,
    /// By name, or in the order of time. Vehicles without a trip are among them, days too.
    pub lines: Vec<StatisticsLine>,
    /// All together.
    pub total: Totals,
    /// Whether there are more lines than are given.
    pub more: bool,
}

/// A line of statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatisticsLine {
    /// VIN, the client's identity (empty for vehicles without a contract), or the first day, such as `2026-03-29`.
    pub key: String,
    /// What the vehicle or client is called; empty for a span of time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The vehicle's plate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
    /// What it amounts to.
    #[serde(flatten)]
    pub totals: Totals,
}

/// What trips amount to. Fuel, energy, cost and CO₂ are of the trips of which they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Totals {
    /// How many.
    pub trips: u64,
    /// Metres.
    pub distance_m: f64,
    /// Time with the vehicle moving.
    pub moving_ms: i64,
    /// Time with the engine running and the vehicle standing.
    pub idle_ms: i64,
    /// Days on which a vehicle was driven, of all days that vehicles were there: 0 to 1.
    #[serde(default)]
    pub utilisation: Option<f64>,
    /// Litres.
    #[serde(default)]
    pub fuel_l: Option<f64>,
    /// Litres for 100 km, over the trips of which fuel is known.
    #[serde(default)]
    pub fuel_per_100km: Option<f64>,
    /// Kilowatt-hours.
    #[serde(default)]
    pub energy_kwh: Option<f64>,
    /// Kilograms.
    #[serde(default)]
    pub co2_kg: Option<f64>,
    /// Cost of fuel and energy.
    #[serde(default)]
    pub cost: Option<f64>,
    /// Mean of the scores, 0 to 100.
    #[serde(default)]
    pub score: Option<f64>,
    /// Harsh events on 100 km.
    #[serde(default)]
    pub harsh_per_100km: Option<f64>,
}

/// `GET /api/frontend/overview`: what is not live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Overview {
    /// When it was put together.
    pub at: UnixMs,
    /// Vehicles that there are.
    pub vehicles: u32,
    /// Since midnight.
    pub today: Totals,
    /// Since Monday.
    pub week: Totals,
    /// The last 14 days, today the last.
    pub days: Vec<OverviewDay>,
    /// Those with the lowest scores of the last 14 days; at most 5.
    pub worst: Vec<WorstVehicle>,
    /// Contracts that end within 60 days, the first to end first; at most 10. For whoever may see contracts.
    pub ending: Vec<ContractSummary>,
    /// What is to be done to vehicles now or soon, the most pressing first; at most 50.
    pub due: Vec<DueLine>,
    /// How much of that there is.
    pub due_count: u32,
    /// Currency of costs.
    pub currency: String,
}

/// A day of the overview.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverviewDay {
    /// The day, such as `2026-03-29`.
    pub day: String,
    /// Trips that began on it.
    pub trips: u64,
    /// How far they went, in metres.
    pub distance_m: f64,
}

/// A vehicle that is driven badly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorstVehicle {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Mean of the scores, 0 to 100.
    pub score: f64,
    /// Harsh events on 100 km.
    pub harsh_per_100km: Option<f64>,
    /// How far it was driven, in metres.
    pub distance_m: f64,
}
