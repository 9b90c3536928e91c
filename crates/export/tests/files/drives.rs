//! Drives to export, and nasty ones.

use bugbrother_export::{Column, ExportError, Exporter, Format, Vehicle};
use proptest::{collection::vec, num::f64, option, prelude::*};

/// The columns of [`drives`].
pub const KEYS: [&str; 9] = ["lat", "lon", "alt", "gspd", "hdg", "sats", "spd", "x.own", "time"];

pub type Values = [Option<f64>; KEYS.len()];

/// A vehicle and its samples.
#[derive(Debug, Clone)]
pub struct Drive {
    pub vehicle: Vehicle,
    pub rows: Vec<(i64, Values)>,
}

/// The whole file.
pub fn export(format: Format, drives: &[Drive]) -> Result<Vec<u8>, ExportError> {
    let mut exporter = Exporter::new(format, KEYS.map(Column::of).to_vec(), Vec::new())?;
    for drive in drives {
        exporter.vehicle(&drive.vehicle)?;
        for (ts, values) in &drive.rows {
            exporter.row(*ts, values)?;
        }
    }
    exporter.finish()
}

/// What a file keeps of a value.
pub fn kept(value: Option<f64>) -> Option<f64> {
    value.filter(|number| number.is_finite())
}

/// Texts that are escaped somewhere, and any other.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[=+@\\-\\t\\r\\n,\"'<>&\\]\\\\\u{0}\u{1b}\u{feff}\u{ffff}aé ]{0,8}"]
}

/// Any double, NaN and infinities too.
pub fn double() -> impl Strategy<Value = f64> {
    prop_oneof![f64::ANY, -1000.0..1000.0, (-1000i32..1000).prop_map(f64::from)]
}

fn degrees(most: f64) -> impl Strategy<Value = f64> {
    prop_oneof![8 => -most..most, 1 => Just(most), 1 => Just(-most), 1 => double()]
}

fn values() -> impl Strategy<Value = Values> {
    let others = vec(option::of(double()), KEYS.len() - 2);
    (option::weighted(0.9, degrees(90.0)), option::weighted(0.9, degrees(180.0)), others).prop_map(
        |(lat, lon, others)| {
            let mut values = [lat, lon, None, None, None, None, None, None, None];
            values[2..].copy_from_slice(&others);
            values
        },
    )
}

fn vehicle() -> impl Strategy<Value = Vehicle> {
    ("[A-HJ-NPR-Z0-9]{17}", text(), option::of(text())).prop_map(|(vin, name, plate)| Vehicle {
        vin: vin.parse().expect("a VIN"),
        name,
        plate,
    })
}

fn drive() -> impl Strategy<Value = Drive> {
    let steps = prop_oneof![8 => 0i64..5000, 1 => Just(600_000), 1 => Just(600_001), 1 => 600_000i64..100_000_000];
    (vehicle(), 0i64..4_102_444_800_000, vec((steps, values()), 0..12)).prop_map(|(vehicle, mut ts, rows)| {
        let later = |(step, values)| {
            ts += step;
            (ts, values)
        };
        Drive { vehicle, rows: rows.into_iter().map(later).collect() }
    })
}

/// Vehicles and their samples.
pub fn drives() -> impl Strategy<Value = Vec<Drive>> {
    vec(drive(), 0..4)
}
