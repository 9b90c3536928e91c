//! Comma-separated values, RFC 4180.
//!
//! The crate `csv` keeps its sink to itself until the end, and the sink must be emptied between rows.

use std::io::{self, Write};

use crate::{
    Column, Vehicle, column,
    row::{Layout, Row, number},
};

pub(crate) const LINE_END: &[u8] = b"\r\n";

/// A line for each sample: vehicle, time, and a column for each signal.
pub(crate) struct Csv {
    headings: Vec<String>,
    vehicle: Vec<u8>,
}

impl Csv {
    pub fn new(columns: &[Column]) -> Self {
        let heading = |(name, column): (String, &Column)| match column.unit.as_str() {
            "" => name,
            unit => format!("{name} [{unit}]"),
        };
        Csv { headings: column::names(columns).into_iter().zip(columns).map(heading).collect(), vehicle: Vec::new() }
    }
}

impl Layout for Csv {
    fn head(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(b"vin,name,plate,ts,time")?;
        for heading in &self.headings {
            out.push(b',');
            text(heading, out);
        }
        out.write_all(LINE_END)
    }

    fn vehicle(&mut self, vehicle: &Vehicle, _: &mut Vec<u8>) -> io::Result<()> {
        self.vehicle.clear();
        for known in [vehicle.vin.as_str(), &vehicle.name, vehicle.plate.as_deref().unwrap_or_default()] {
            text(known, &mut self.vehicle);
            self.vehicle.push(b',');
        }
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(&self.vehicle)?;
        write!(out, "{},{}", row.ts, row.time)?;
        for value in row.values() {
            out.push(b',');
            if let Some(value) = value {
                number(value, out)?;
            }
        }
        out.write_all(LINE_END)
    }

    fn tail(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }
}

/// Adds a text as one cell, in quotes where it must be. A spreadsheet would run a text that begins like a formula, so
/// such a text gets a `'` before it (OWASP, "CSV injection").
pub(crate) fn text(cell: &str, out: &mut Vec<u8>) {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let is_quoted = cell.contains([',', '"', '\r', '\n']);
    if is_quoted {
        out.push(b'"');
    }
    if is_formula {
        out.push(b'\'');
    }
    for byte in cell.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    if is_quoted {
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(of: &str) -> String {
        let mut out = Vec::new();
        text(of, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_cell_is_quoted_where_a_reader_would_misread_it() {
        assert_eq!(cell("VD 123 456"), "VD 123 456");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("the \"red\" one"), "\"the \"\"red\"\" one\"");
        assert_eq!(cell("two\nlines"), "\"two\nlines\"");
    }

    #[test]
    fn a_text_that_a_spreadsheet_would_run_is_made_harmless() {
        for begins in ['=', '+', '-', '@', '\t'] {
            assert_eq!(cell(&format!("{begins}1")), format!("'{begins}1"));
        }
        assert_eq!(cell("\r1"), "\"'\r1\"");
        assert_eq!(cell("=cmd|\"x\"!A1"), "\"'=cmd|\"\"x\"\"!A1\"");
        assert_eq!(cell("a=1"), "a=1");
    }
}
