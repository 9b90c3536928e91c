//! Signals, series and tracks of a vehicle.

use serde::{Deserialize, Serialize};

use crate::UnixMs;

/// `GET /api/frontend/vehicles/{vin}/signals`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignalList {
    /// In the order of their keys.
    pub signals: Vec<KnownSignal>,
}

/// A signal that a vehicle has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeriesList {
    /// As they were asked for.
    pub series: Vec<SignalSeries>,
}

/// A signal over a span: what its values in each bucket amount to, in columns of the same length. A bucket without a value
/// is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Track {
    /// No position that was left out lies farther off its line than this, or twice this where it had to be raised so that
    /// there are not too many points, in metres.
    pub tolerance_m: f64,
    /// In the order of time. A line ends where nothing was heard for more than 10 minutes.
    pub lines: Vec<TrackLine>,
}

/// A part of a track, in columns of the same length.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
