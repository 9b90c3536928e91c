//! An export of any length takes the same memory.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]
#![expect(clippy::print_stdout, reason = "what was measured is of interest")]

use std::{
    fs,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use bugbrother_export::{Cell, Column, Exporter, Field, Format, Kind, Table, TableFormat, Vehicle};

const ROWS: i64 = 2_000_000;
/// Two row groups of Parquet have been written by then, and every buffer has the size that it keeps.
const WARM: i64 = 300_000;
/// Six times what was measured, and a sixteenth of the smallest of the files.
const MARGIN: u64 = 2 * 1024 * 1024;

/// One at a time where they share a process.
static ALONE: Mutex<()> = Mutex::new(());

/// Counts bytes.
#[derive(Default)]
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The most memory that the process has had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn exports_in_bounded_memory(format: Format) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let columns = ["lat", "lon", "gspd", "spd", "rpm", "ect"].map(Column::of).to_vec();
    let mut exporter = Exporter::new(format, columns, Count::default()).unwrap();
    let mut warm = 0;
    for i in 0..ROWS {
        if i % 100_000 == 0 {
            let vin = format!("WVWZZZ1JZ3W{:06}", i / 100_000).parse().unwrap();
            exporter.vehicle(&Vehicle { vin, name: "Golf".to_owned(), plate: None }).unwrap();
        }
        if i == WARM {
            warm = peak();
        }
        let at = i as f64;
        let values = [Some(46.0 + at * 1e-6), Some(6.0 + at * 1e-6), Some(at % 97.0), Some(at % 89.0), Some(at), None];
        exporter.row(1_790_000_000_000 + i * 1000, &values).unwrap();
    }
    let written = exporter.finish().unwrap().0;
    assert_bounded(warm, written, format.name());
}

fn assert_bounded(warm: u64, written: u64, format: &str) {
    let grown = peak() - warm;
    println!("{format}: {grown} bytes more memory for a file of {written} bytes");
    assert!(written > 16 * MARGIN, "{format}: {written} bytes say nothing about a margin of {MARGIN}");
    assert!(grown < MARGIN, "{format}: {grown} bytes more memory for a file of {written} bytes");
}

#[test]
fn csv_of_two_million_rows_takes_no_more_memory_than_a_short_one() {
    exports_in_bounded_memory(Format::Csv);
}

#[test]
fn gpx_of_two_million_rows_takes_no_more_memory_than_a_short_one() {
    exports_in_bounded_memory(Format::Gpx);
}

#[test]
fn geojson_of_two_million_rows_takes_no_more_memory_than_a_short_one() {
    exports_in_bounded_memory(Format::GeoJson);
}

#[test]
fn json_of_two_million_rows_takes_no_more_memory_than_a_short_one() {
    exports_in_bounded_memory(Format::Json);
}

#[test]
fn parquet_of_two_million_rows_takes_no_more_memory_than_a_short_one() {
    exports_in_bounded_memory(Format::Parquet);
}

#[test]
fn a_table_of_any_length_takes_no_more_memory_than_a_short_one() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let note = "crankcase ventilation".repeat(10);
    for format in TableFormat::ALL {
        let fields = vec![Field::new("note", Kind::Text), Field::new("seen", Kind::Time)];
        let mut table = Table::new(*format, fields, Count::default()).unwrap();
        let mut warm = 0;
        for i in 0..200_000 {
            if i == 10_000 {
                warm = peak();
            }
            table.row(&[note.as_str().into(), Cell::Time(1_790_000_000_000 + i)]).unwrap();
        }
        let written = table.finish().unwrap().0;
        assert_bounded(warm, written, format.name());
    }
}
