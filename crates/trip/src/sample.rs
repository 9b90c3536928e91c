//! What a vehicle has told at one moment.

use bugbrother_wire::{UnixMs, signal};
use serde::{Deserialize, Serialize};

use crate::geo::Point;

/// The last moment of ECMAScript's calendar.
const LAST_MS: UnixMs = 8_640_000_000_000_000;

/// Values of one moment. Units are those of the catalogue of signals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// `source_ts`
    pub ts: UnixMs,
    /// Degrees, north is positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    /// Degrees, east is positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    /// Degrees clockwise from north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hdg: Option<f64>,
    /// Speed over ground, km/h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gspd: Option<f64>,
    /// Speed by the car's own sensor, km/h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spd: Option<f64>,
    /// Engine speed, rpm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpm: Option<f64>,
    /// Ignition: 0 off, 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ign: Option<f64>,
    /// Odometer, km.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odo: Option<f64>,
    /// Fuel level, percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<f64>,
    /// Fuel rate, l/h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frate: Option<f64>,
    /// Air flow, g/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maf: Option<f64>,
    /// Charge of the traction battery, percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soc: Option<f64>,
}

impl Sample {
    /// Keys that [`Sample::set`] knows: what a caller must read of a vehicle to make its trips.
    pub const KEYS: [&str; 12] =
        ["lat", "lon", "hdg", "gspd", "spd", "rpm", "ign", "odo", "fuel", "frate", "maf", "soc"];

    /// Nothing told yet.
    pub fn at(ts: UnixMs) -> Self {
        Sample { ts, ..Sample::default() }
    }

    /// Sets the value of a signal. Keys that the machine has no use for and values that no working sensor tells are
    /// ignored.
    pub fn set(&mut self, key: &str, value: f64) {
        let field = match key {
            "lat" => &mut self.lat,
            "lon" => &mut self.lon,
            "hdg" => &mut self.hdg,
            "gspd" => &mut self.gspd,
            "spd" => &mut self.spd,
            "rpm" => &mut self.rpm,
            "ign" => &mut self.ign,
            "odo" => &mut self.odo,
            "fuel" => &mut self.fuel,
            "frate" => &mut self.frate,
            "maf" => &mut self.maf,
            "soc" => &mut self.soc,
            _ => return,
        };
        if signal::find(key).is_some_and(|signal| signal.is_plausible(value)) {
            *field = Some(value);
        }
    }

    /// Without what cannot be: numbers that are none, and times beyond those of a calendar (275,760 years: a difference
    /// of two fits everywhere).
    pub(crate) fn sound(&self) -> Self {
        let mut sample = Sample::at(self.ts.clamp(-LAST_MS, LAST_MS));
        sample.merge(self);
        sample
    }

    /// Where it is. (0, 0) is what receivers say that do not know.
    pub(crate) fn position(&self) -> Option<Point> {
        let point = Point { lat: self.lat?, lon: self.lon? };
        let on_earth = (-90.0..=90.0).contains(&point.lat) && (-180.0..=180.0).contains(&point.lon);
        (on_earth && point != Point { lat: 0.0, lon: 0.0 }).then_some(point)
    }

    /// Adds what another row of the same moment tells; of two values the later row's counts.
    pub(crate) fn merge(&mut self, row: &Sample) {
        for (mine, its) in [
            (&mut self.lat, row.lat),
            (&mut self.lon, row.lon),
            (&mut self.hdg, row.hdg),
            (&mut self.gspd, row.gspd),
            (&mut self.spd, row.spd),
            (&mut self.rpm, row.rpm),
            (&mut self.ign, row.ign),
            (&mut self.odo, row.odo),
            (&mut self.fuel, row.fuel),
            (&mut self.frate, row.frate),
            (&mut self.maf, row.maf),
            (&mut self.soc, row.soc),
        ] {
            *mine = its.filter(|value| value.is_finite()).or(*mine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_set_and_unknown_and_impossible_ones_are_not() {
        let mut sample = Sample::at(7);
        Sample::KEYS.iter().for_each(|key| sample.set(key, 1.0));
        let mut empty = Sample::at(7);
        empty.merge(&sample);
        assert_eq!(empty, sample);
        assert!([sample.lat, sample.soc, sample.odo, sample.hdg].iter().all(|value| *value == Some(1.0)));

        let mut sample = Sample::at(7);
        sample.set("ect", 90.0);
        sample.set("lat", f64::NAN);
        sample.set("gspd", 4000.0);
        sample.set("rpm", f64::INFINITY);
        assert_eq!(sample, Sample::at(7));
    }

    #[test]
    fn a_receiver_that_says_zero_zero_knows_nothing() {
        let mut sample = Sample::at(7);
        sample.set("lat", 0.0);
        assert_eq!(sample.position(), None);
        sample.set("lon", 0.0);
        assert_eq!(sample.position(), None);
        sample.set("lon", 6.0);
        assert_eq!(sample.position(), Some(Point { lat: 0.0, lon: 6.0 }));
    }
}
