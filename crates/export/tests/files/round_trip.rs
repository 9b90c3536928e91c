//! What is exported reads back as it was, by other people's readers.

use crate::drives::{Drive, KEYS, Values, drives, export, kept};
use bugbrother_export::Format;
use bytes::Bytes;
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use proptest::prelude::*;
use serde_json::Value;

fn rows(drives: &[Drive]) -> impl Iterator<Item = (&Drive, i64, &Values)> {
    drives.iter().flat_map(|drive| drive.rows.iter().map(move |(ts, values)| (drive, *ts, values)))
}

/// As a spreadsheet is given it.
fn harmless(text: &str) -> String {
    let prefix = if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
    format!("{prefix}{text}")
}

/// `serde_json` reads a number to within a unit in its last place.
fn same(read: Option<&Value>, value: Option<f64>) -> bool {
    match (read.and_then(Value::as_f64), kept(value)) {
        (Some(read), Some(value)) => (read - value).abs() <= value.abs() * 1e-15 + f64::MIN_POSITIVE,
        (None, None) => read.is_none(),
        _ => false,
    }
}

/// Times of a file are those of their milliseconds: `time` reads what `ts` says.
fn is_time_of(text: &str, ts: i64) -> bool {
    let digits = |range: std::ops::Range<usize>| text[range].parse::<i64>().expect("digits");
    let (year, month, day) = (digits(0..4), digits(5..7), digits(8..10));
    // Days since 1970 of the proleptic Gregorian calendar, counting years from March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let ms = (digits(11..13) * 3600 + digits(14..16) * 60 + digits(17..19)) * 1000 + digits(20..23);
    text.len() == 24 && text.ends_with('Z') && days * 86_400_000 + ms == ts
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn csv_reads_back_as_the_same_rows(drives in drives()) {
        let file = export(Format::Csv, &drives).unwrap();
        let mut reader = csv::Reader::from_reader(file.as_slice());
        let headings: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        prop_assert_eq!(headings, [
            "vin", "name", "plate", "ts", "time", "lat [degrees]", "lon [degrees]", "alt [m]", "gspd [km/h]",
            "hdg [degrees]", "sats", "spd [km/h]", "x.own", "x.time",
        ]);
        let records: Vec<csv::StringRecord> = reader.into_records().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(records.len(), rows(&drives).count());
        for (record, (drive, ts, values)) in records.iter().zip(rows(&drives)) {
            prop_assert_eq!(&record[0], drive.vehicle.vin.as_str());
            prop_assert_eq!(&record[1], harmless(&drive.vehicle.name));
            prop_assert_eq!(&record[2], harmless(drive.vehicle.plate.as_deref().unwrap_or_default()));
            prop_assert_eq!(record[3].parse(), Ok(ts));
            prop_assert!(is_time_of(&record[4], ts));
            for (cell, value) in record.iter().skip(5).zip(values) {
                prop_assert_eq!(cell.parse::<f64>().ok().map(f64::to_bits), kept(*value).map(f64::to_bits));
                prop_assert_eq!(cell.is_empty(), kept(*value).is_none());
            }
        }
    }

    #[test]
    fn json_reads_back_as_the_same_values(drives in drives()) {
        let document: Value = serde_json::from_slice(&export(Format::Json, &drives).unwrap()).unwrap();
        let columns = document["columns"].as_array().unwrap();
        prop_assert_eq!(columns.iter().map(|column| column["key"].as_str().unwrap()).collect::<Vec<_>>(), KEYS);
        prop_assert_eq!(&columns[6]["unit"], "km/h");
        let vehicles = document["vehicles"].as_array().unwrap();
        prop_assert_eq!(vehicles.len(), drives.len());
        for (vehicle, drive) in vehicles.iter().zip(&drives) {
            prop_assert_eq!(&vehicle["vin"], drive.vehicle.vin.as_str());
            prop_assert_eq!(vehicle["name"].as_str(), Some(drive.vehicle.name.as_str()));
            prop_assert_eq!(vehicle["plate"].as_str(), drive.vehicle.plate.as_deref());
            let samples = vehicle["samples"].as_array().unwrap();
            prop_assert_eq!(samples.len(), drive.rows.len());
            for (sample, (ts, values)) in samples.iter().zip(&drive.rows) {
                prop_assert_eq!(sample["ts"].as_i64(), Some(*ts));
                prop_assert!(is_time_of(sample["time"].as_str().unwrap(), *ts));
                for (key, value) in KEYS.iter().zip(values) {
                    prop_assert!(same(sample["signals"].get(key), *value), "{} of {}", key, sample);
                }
            }
        }
    }

    #[test]
    fn geojson_reads_back_as_a_point_for_each_sample_with_a_place(drives in drives()) {
        let document: Value = serde_json::from_slice(&export(Format::GeoJson, &drives).unwrap()).unwrap();
        prop_assert_eq!(&document["type"], "FeatureCollection");
        let placed: Vec<_> = rows(&drives).filter(|(_, _, values)| place(values).is_some()).collect();
        let features = document["features"].as_array().unwrap();
        prop_assert_eq!(features.len(), placed.len());
        for (feature, (drive, ts, values)) in features.iter().zip(placed) {
            prop_assert_eq!(&feature["type"], "Feature");
            prop_assert_eq!(&feature["geometry"]["type"], "Point");
            let coordinates = feature["geometry"]["coordinates"].as_array().unwrap();
            prop_assert_eq!(coordinates.len(), 2);
            prop_assert!(same(coordinates.first(), values[1]) && same(coordinates.get(1), values[0]));
            let properties = &feature["properties"];
            prop_assert_eq!(&properties["vin"], drive.vehicle.vin.as_str());
            prop_assert_eq!(properties["name"].as_str(), Some(drive.vehicle.name.as_str()));
            prop_assert_eq!(properties["plate"].as_str(), drive.vehicle.plate.as_deref());
            prop_assert_eq!(properties["ts"].as_i64(), Some(ts));
            prop_assert!(is_time_of(properties["time"].as_str().unwrap(), ts));
            for (name, value) in ["alt", "gspd", "hdg", "sats", "spd", "x.own", "x.time"].iter().zip(&values[2..]) {
                prop_assert!(same(properties.get(name), *value), "{} of {}", name, properties);
            }
        }
    }

    #[test]
    fn parquet_reads_back_as_the_same_values(drives in drives()) {
        let reader = SerializedFileReader::new(Bytes::from(export(Format::Parquet, &drives).unwrap())).unwrap();
        let read: Vec<_> = reader.get_row_iter(None).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read.len(), rows(&drives).count());
        for (row, (drive, ts, values)) in read.iter().zip(rows(&drives)) {
            let fields: Vec<_> = row.get_column_iter().collect();
            let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
            let expected = ["vin", "ts", "lat", "lon", "alt", "gspd", "hdg", "sats", "spd", "x.own", "x.time"];
            prop_assert_eq!(names, expected);
            prop_assert_eq!(fields[0].1, &Field::Str(drive.vehicle.vin.to_string()));
            prop_assert_eq!(fields[1].1, &Field::TimestampMillis(ts));
            for ((_, field), value) in fields[2..].iter().zip(values) {
                prop_assert_eq!(*field, &kept(*value).map_or(Field::Null, Field::Double));
            }
        }
    }

    #[test]
    fn pages_taken_out_between_rows_make_the_same_file(drives in drives()) {
        for format in Format::ALL {
            let columns = KEYS.map(bugbrother_export::Column::of).to_vec();
            let mut exporter = bugbrother_export::Exporter::new(*format, columns, Vec::new()).unwrap();
            let mut file = Vec::new();
            for drive in &drives {
                exporter.vehicle(&drive.vehicle).unwrap();
                file.append(exporter.get_mut());
                for (ts, values) in &drive.rows {
                    exporter.row(*ts, values).unwrap();
                    file.append(exporter.get_mut());
                }
            }
            file.append(&mut exporter.finish().unwrap());
            prop_assert!(file == export(*format, &drives).unwrap(), "{}", format);
        }
    }
}

fn place(values: &Values) -> Option<(f64, f64)> {
    let (lat, lon) = (values[0]?, values[1]?);
    (lat.abs() <= 90.0 && lon.abs() <= 180.0).then_some((lat, lon))
}

#[test]
fn parquet_tells_units_and_that_times_are_utc() {
    let reader = SerializedFileReader::new(Bytes::from(export(Format::Parquet, &[]).unwrap())).unwrap();
    let metadata = reader.metadata().file_metadata();
    let columns = metadata.key_value_metadata().unwrap().iter().find(|pair| pair.key == "bugbrother.columns").unwrap();
    let columns: Value = serde_json::from_str(columns.value.as_deref().unwrap()).unwrap();
    assert_eq!(columns[6], serde_json::json!({"key": "spd", "label": "Speed", "unit": "km/h"}));
    assert_eq!(columns[8]["key"], "x.time");
    let ts = format!("{:?}", metadata.schema_descr().column(1).logical_type_ref().unwrap());
    assert!(ts.contains("is_adjusted_to_u_t_c: true") && ts.contains("MILLIS"), "{ts}");
}
