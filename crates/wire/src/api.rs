//! Bodies of the dashboard's HTTP API, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    UnixMs, Vin,
    message::{Alert, Presence},
};

/// `POST /api/frontend/session`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignIn {
    /// User name.
    pub name: String,
    /// Password.
    pub password: String,
}

/// Answer to signing in, and `GET /api/frontend/session`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// User name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// When the session ends.
    pub expires: UnixMs,
    /// Bearer token for programs. Browsers use the cookie that is set beside it and are not given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Watch the fleet and see to alerts.
    Operator,
    /// Watch the vehicles of the own running contracts.
    Client,
}

/// Every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiError {
    /// One word that a program can tell it by, such as `token_expired`.
    pub error: String,
    /// What is wrong and what to do, for a person.
    pub message: String,
}

/// `GET /api/frontend/vehicles`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VehicleList {
    /// In the order of their VINs.
    pub vehicles: Vec<VehicleSummary>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A vehicle in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VehicleSummary {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    #[serde(default)]
    pub plate: Option<String>,
    /// Maker, where the VIN tells.
    #[serde(default)]
    pub maker: Option<String>,
    /// Whether it is connected.
    pub presence: Presence,
    /// Newest `source_ts`; 0 before the first value.
    pub source_ts: UnixMs,
    /// When the server got it; 0 before the first value.
    pub received_ts: UnixMs,
    /// Signal key → last value.
    pub values: BTreeMap<String, f64>,
}

/// `GET /api/frontend/alerts`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertList {
    /// Newest first.
    pub alerts: Vec<Alert>,
}

/// `GET /api/frontend/vehicles/{vin}/signals`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalList {
    /// In the order of their keys.
    pub signals: Vec<KnownSignal>,
}

/// A signal that a vehicle has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownSignal {
    /// Key in telemetry.
    pub key: String,
    /// Its name for people; the key, where nothing is known of it.
    pub label: String,
    /// Its unit; empty for a bare number and where none is known.
    pub unit: String,
}

/// `GET /api/frontend/vehicles/{vin}/series`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesList {
    /// As they were asked for.
    pub series: Vec<SignalSeries>,
}

/// A signal over a span: what its values in each bucket amount to, in columns of the same length. A bucket without a value
/// is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalSeries {
    /// Key in telemetry.
    pub signal: String,
    /// Its unit; empty for a bare number and where none is known.
    pub unit: String,
    /// Width of a bucket.
    pub bucket_ms: i64,
    /// Where each bucket begins: multiples of the width, the first one at or before the beginning of the span.
    pub ts: Vec<UnixMs>,
    /// The lowest value in each.
    pub low: Vec<f64>,
    /// The highest.
    pub high: Vec<f64>,
    /// Their mean.
    pub mean: Vec<f64>,
}

/// `GET /api/frontend/vehicles/{vin}/track`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// No position that was left out lies farther off its line than this, or twice this where it had to be raised so that
    /// there are not too many points, in metres.
    pub tolerance_m: f64,
    /// In the order of time. A line ends where nothing was heard for more than 10 minutes.
    pub lines: Vec<TrackLine>,
}

/// A part of a track, in columns of the same length.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrackLine {
    /// When it was there.
    pub ts: Vec<UnixMs>,
    /// Degrees, north is positive.
    pub lat: Vec<f64>,
    /// Degrees, east is positive.
    pub lon: Vec<f64>,
    /// Speed over ground in km/h, where the receiver told.
    pub speed_kmh: Vec<Option<f64>>,
}

/// `GET /api/frontend/vehicles/{vin}/trips`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TripList {
    /// Newest first.
    pub trips: Vec<Trip>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UnixMs>,
}

/// A trip, from departure to arrival. `docs/trips.md` has the rules and formulas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Air flow.
    AirFlow,
    /// The fall of the level.
    Level,
}

/// `GET /api/frontend/vehicles/{vin}/stops`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StopList {
    /// Newest first.
    pub stops: Vec<Stop>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UnixMs>,
}

/// Between two trips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// `GET /healthz`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Whether all is well.
    pub ok: bool,
    /// Part → what is wrong with it, or `ok`.
    pub parts: BTreeMap<String, String>,
}
