//! The text formats, byte for byte, and what an export refuses.

use std::io::{self, Write};

use bugbrother_export::{Column, ExportError, Exporter, Format, Vehicle};

const GOLF: &str = "WVWZZZ1JZ3W386752";
const VAN: &str = "WDB9066331S123456";
const T0: i64 = 1_790_000_000_000;

fn vehicle(vin: &str, name: &str, plate: Option<&str>) -> Vehicle {
    Vehicle { vin: vin.parse().unwrap(), name: name.to_owned(), plate: plate.map(str::to_owned) }
}

/// Two drives of one vehicle with a night between them, a sample without a place, and a vehicle that did not move.
fn file(format: Format) -> String {
    let columns = ["lat", "lon", "alt", "hdg", "gspd", "spd", "sats", "x.tank"].map(Column::of).to_vec();
    let mut exporter = Exporter::new(format, columns, Vec::new()).unwrap();
    exporter.vehicle(&vehicle(GOLF, "The \"red\" <one> & ]]>", Some("VD 123 456"))).unwrap();
    let place = |lat, lon| [Some(lat), Some(lon), Some(533.4), Some(360.0), Some(48.0), None, Some(7.0), None];
    exporter.row(T0, &place(46.52, 6.63)).unwrap();
    exporter.row(T0 + 1000, &[None, None, None, None, None, Some(49.0), None, Some(0.5)]).unwrap();
    exporter.row(T0 + 1500, &place(46.5201, 6.6304)).unwrap();
    exporter.row(T0 + 36_000_000, &place(-46.5, -180.0)).unwrap();
    exporter.vehicle(&vehicle(VAN, "=1+1", None)).unwrap();
    String::from_utf8(exporter.finish().unwrap()).unwrap()
}

#[test]
fn csv_is_as_it_was() {
    assert_eq!(file(Format::Csv), include_str!("golden/samples.csv"));
}

#[test]
fn gpx_is_as_it_was() {
    assert_eq!(file(Format::Gpx), include_str!("golden/samples.gpx"));
}

#[test]
fn geojson_is_as_it_was() {
    assert_eq!(file(Format::GeoJson), include_str!("golden/samples.geojson"));
}

#[test]
fn json_is_as_it_was() {
    assert_eq!(file(Format::Json), include_str!("golden/samples.json"));
}

#[test]
fn an_export_of_nothing_is_a_whole_file() {
    let empty = |format| {
        let exporter = Exporter::new(format, ["lat", "lon"].map(Column::of).to_vec(), Vec::new()).unwrap();
        String::from_utf8(exporter.finish().unwrap()).unwrap()
    };
    assert_eq!(empty(Format::Csv), "vin,name,plate,ts,time,lat [degrees],lon [degrees]\r\n");
    assert!(empty(Format::Gpx).ends_with("v2\">\n</gpx>\n"));
    for format in [Format::Json, Format::GeoJson] {
        serde_json::from_str::<serde_json::Value>(&empty(format)).unwrap();
    }
}

#[test]
fn what_is_about_places_needs_columns_for_them() {
    for format in [Format::Gpx, Format::GeoJson] {
        let refused = Exporter::new(format, ["lat", "spd"].map(Column::of).to_vec(), Vec::new()).err().unwrap();
        assert!(matches!(refused, ExportError::NoPosition(_)), "{refused}");
    }
    for format in [Format::Csv, Format::Json, Format::Parquet] {
        assert!(Exporter::new(format, Vec::new(), Vec::new()).is_ok());
    }
}

#[test]
fn a_row_out_of_place_is_refused_and_the_file_goes_on() {
    for format in Format::ALL {
        let columns = ["lat", "lon"].map(Column::of).to_vec();
        let mut exporter = Exporter::new(*format, columns, Vec::new()).unwrap();
        let here = [Some(46.5), Some(6.6)];
        assert!(matches!(exporter.row(T0, &here), Err(ExportError::NoVehicle)));
        exporter.vehicle(&vehicle(GOLF, "Golf", None)).unwrap();
        assert!(matches!(exporter.row(T0, &here[1..]), Err(ExportError::Width { got: 1, expected: 2 })));
        assert!(matches!(exporter.row(i64::MAX, &here), Err(ExportError::Time(i64::MAX))));
        exporter.row(T0, &here).unwrap();
        exporter.row(T0, &here).unwrap();
        assert!(matches!(exporter.row(T0 - 1, &here), Err(ExportError::Order { .. })));
        exporter.vehicle(&vehicle(VAN, "Van", None)).unwrap();
        exporter.row(T0 - 1, &here).unwrap();
        assert!(!exporter.finish().unwrap().is_empty());
    }
}

/// Takes so many bytes and no more, as a viewer who closes the connection.
struct Closing(usize);

impl Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_is_told_as_such_by_every_format() {
    for format in Format::ALL {
        let columns = ["lat", "lon"].map(Column::of).to_vec();
        let mut exporter = Exporter::new(*format, columns, Closing(20_000)).unwrap();
        exporter.vehicle(&vehicle(GOLF, "Golf", None)).unwrap();
        let failed = (0..300_000).find_map(|i| exporter.row(T0 + i, &[Some(i as f64 / 1e5), Some(6.6)]).err());
        match failed {
            Some(ExportError::Write(cause)) => assert_eq!(cause.kind(), io::ErrorKind::BrokenPipe),
            other => panic!("{format}: {other:?}"),
        }
    }
}

#[test]
fn an_exporter_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Exporter::new(Format::Parquet, Vec::new(), Vec::new()).unwrap());
}
