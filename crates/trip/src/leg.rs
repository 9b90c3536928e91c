//! What is made of samples: trips, and stops between them.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

use crate::geo::Point;

/// A piece of a vehicle's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there are never many at once")]
pub enum Leg {
    /// It drives.
    Trip(Trip),
    /// It stands.
    Stop(Stop),
}

impl Leg {
    /// When it begins. No two legs of a vehicle begin at the same moment.
    pub fn start(&self) -> UnixMs {
        match self {
            Leg::Trip(trip) => trip.start,
            Leg::Stop(stop) => stop.start,
        }
    }

    /// When it ends; `None` for a stop that lasts. An open trip ends at its newest sample.
    pub fn end(&self) -> Option<UnixMs> {
        match self {
            Leg::Trip(trip) => Some(trip.end),
            Leg::Stop(stop) => stop.end,
        }
    }

    /// The trip, if it is one.
    pub fn trip(&self) -> Option<&Trip> {
        match self {
            Leg::Trip(trip) => Some(trip),
            Leg::Stop(_) => None,
        }
    }

    /// The stop, if it is one.
    pub fn stop(&self) -> Option<&Stop> {
        match self {
            Leg::Trip(_) => None,
            Leg::Stop(stop) => Some(stop),
        }
    }
}

/// From departure to arrival.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trip {
    /// First sample that told of movement.
    pub start: UnixMs,
    /// When it stood still, or the last sample before silence; the newest sample while it is open.
    pub end: UnixMs,
    /// Whether it goes on.
    pub open: bool,
    /// How it ended; `None` while it is open.
    pub ended: Option<End>,
    /// Where it began.
    pub from: Option<Point>,
    /// Where it ended.
    pub to: Option<Point>,
    /// The distance to show, in metres: the odometer's when it is plausible, else the receiver's with its gaps bridged
    /// by the wheels, else the wheels'.
    pub distance_m: f64,
    /// Where [`Trip::distance_m`] is from.
    pub distance_from: DistanceFrom,
    /// By GNSS, without the gaps.
    pub gnss_m: Option<f64>,
    /// By the odometer, plausible or not.
    pub odometer_m: Option<f64>,
    /// The car's own speed, summed up.
    pub wheel_m: Option<f64>,
    /// Straight-line distance over which the receiver told nothing (tunnel, ferry, jump): part of [`Trip::distance_m`]
    /// only as far as odometer or wheels tell of it.
    pub gap_m: f64,
    /// Time for which no speed is known.
    pub blind_ms: i64,
    /// Time with a speed of [`STANDING_KMH`](bugbrother_wire::live::STANDING_KMH) or more.
    pub moving_ms: i64,
    /// Time at less than that with the engine running.
    pub idle_ms: i64,
    /// Time above [`Limits::over_kmh`](crate::Limits::over_kmh).
    pub over_ms: i64,
    /// Highest speed, km/h.
    pub max_kmh: f64,
    /// Distance by the time that it was not known to stand, km/h.
    pub mean_kmh: f64,
    /// Fuel burnt, in litres (CNG: kg).
    pub fuel_l: Option<f64>,
    /// Where [`Trip::fuel_l`] is from.
    pub fuel_from: Option<FuelFrom>,
    /// Energy out of the traction battery, kWh.
    pub energy_kwh: Option<f64>,
    /// Of fuel and energy, in the currency of the prices.
    pub cost: Option<f64>,
    /// Out of the exhaust.
    pub co2_kg: Option<f64>,
    /// How often it was accelerated harshly.
    pub harsh_accelerations: u32,
    /// How often it was braked harshly.
    pub harsh_brakings: u32,
    /// How often a corner was taken harshly.
    pub harsh_cornerings: u32,
    /// Style of driving, 0 to 100; 100 is faultless.
    pub score: u8,
    /// The way that was driven, simplified: see [`track`](crate::track).
    pub track: String,
}

impl Trip {
    /// From start to end.
    pub fn duration_ms(&self) -> i64 {
        self.end - self.start
    }
}

/// Between two trips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// End of the trip before it.
    pub start: UnixMs,
    /// Start of the trip after it; `None` while it lasts.
    pub end: Option<UnixMs>,
    /// Where it stands, or stood at the beginning.
    pub position: Option<Point>,
    /// Time with the engine running.
    pub idle_ms: i64,
    /// Time in gaps that were long enough to end a trip.
    pub gap_ms: i64,
    /// Straight-line distance that it was moved without having driven, as far as anybody has told: on a ferry, on a
    /// truck, or with a dead agent. 0 where it stayed.
    pub moved_m: f64,
}

/// How a trip has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It stood with the ignition off.
    Off,
    /// It stood for long.
    Still,
    /// Nothing more was heard.
    Gap,
}

/// Where a distance is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[serde(rename_all = "snake_case")]
pub enum FuelFrom {
    /// The engine's fuel rate, summed up.
    Rate,
    /// Air flow, by the stoichiometric ratio.
    AirFlow,
    /// The fall of the level, by the size of the tank.
    Level,
}
