//! One JSON document, RFC 8259: the columns with their units, then vehicle by vehicle their samples.

use std::io::{self, Write};

use crate::{
    Column, Vehicle,
    row::{Layout, Row, number},
};

/// A line for each sample, inside an object for each vehicle.
pub(crate) struct Json {
    columns: Vec<u8>,
    /// `"key":` of each column.
    members: Vec<Vec<u8>>,
    in_vehicle: bool,
    in_samples: bool,
}

impl Json {
    pub fn new(columns: &[Column]) -> io::Result<Self> {
        Ok(Json {
            columns: catalogue(columns, columns.iter().map(|column| column.key.as_str()))?,
            members: columns.iter().map(|column| member(&column.key)).collect::<io::Result<_>>()?,
            in_vehicle: false,
            in_samples: false,
        })
    }
}

impl Layout for Json {
    fn head(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(b"{\"columns\":")?;
        out.write_all(&self.columns)?;
        out.write_all(b",\n\"vehicles\":[")
    }

    fn vehicle(&mut self, vehicle: &Vehicle, out: &mut Vec<u8>) -> io::Result<()> {
        if self.in_vehicle {
            out.write_all(b"\n]},")?;
        }
        (self.in_vehicle, self.in_samples) = (true, false);
        out.write_all(b"\n{\"vin\":")?;
        text(vehicle.vin.as_str(), out)?;
        out.write_all(b",\"name\":")?;
        text(&vehicle.name, out)?;
        out.write_all(b",\"plate\":")?;
        match &vehicle.plate {
            Some(plate) => text(plate, out)?,
            None => out.write_all(b"null")?,
        }
        out.write_all(b",\"samples\":[")
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        if self.in_samples {
            out.push(b',');
        }
        self.in_samples = true;
        write!(out, "\n{{\"ts\":{},\"time\":\"{}\",\"signals\":{{", row.ts, row.time)?;
        let mut first = true;
        for (member, value) in self.members.iter().zip(row.values()) {
            let Some(value) = value else { continue };
            if !first {
                out.push(b',');
            }
            first = false;
            out.write_all(member)?;
            number(value, out)?;
        }
        out.write_all(b"}}")
    }

    fn tail(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(if self.in_vehicle { b"\n]}\n]}\n".as_slice() } else { b"]}\n" })
    }
}

/// Adds a string.
pub(crate) fn text(value: &str, out: &mut Vec<u8>) -> io::Result<()> {
    Ok(serde_json::to_writer(out, value)?)
}

/// `"name":`.
pub(crate) fn member(name: &str) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    text(name, &mut out)?;
    out.push(b':');
    Ok(out)
}

/// The columns as `[{"key":…,"label":…,"unit":…}, …]`, by the names that they have in the file.
pub(crate) fn catalogue<'a>(columns: &[Column], names: impl Iterator<Item = &'a str>) -> io::Result<Vec<u8>> {
    let mut out = vec![b'['];
    for (place, (column, name)) in columns.iter().zip(names).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.write_all(b"{\"key\":")?;
        text(name, &mut out)?;
        out.write_all(b",\"label\":")?;
        text(&column.label, &mut out)?;
        out.write_all(b",\"unit\":")?;
        text(&column.unit, &mut out)?;
        out.push(b'}');
    }
    out.push(b']');
    Ok(out)
}
