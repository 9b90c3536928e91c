//! Points, RFC 7946.
//!
//! A feature for each sample that says where it was taken. Lines would lose the signals: QGIS and kepler.gl read
//! properties of features, never of a line's corners, and QGIS makes lines of points ("Points to path").
//!
//! Altitude is a property and no third coordinate: a receiver tells it above mean sea level, and RFC 7946, 3.1.1 wants it
//! above the ellipsoid, up to 100 m away.

use std::io::{self, Write};

use crate::{
    Column, ExportError, Vehicle, column, json,
    position::Position,
    row::{Layout, Row, number},
};

/// A line for each feature of one collection.
pub(crate) struct GeoJson {
    position: Position,
    columns: Vec<u8>,
    /// `"name":` of each column but latitude and longitude, with its place.
    members: Vec<(usize, Vec<u8>)>,
    /// What each feature says of the vehicle.
    vehicle: Vec<u8>,
    is_first: bool,
}

impl GeoJson {
    pub fn new(columns: &[Column]) -> Result<Self, ExportError> {
        let position = Position::among(columns, "GeoJSON")?;
        let names = column::names(columns);
        let mut members = Vec::new();
        for (place, name) in names.iter().enumerate() {
            if place != position.lat && place != position.lon {
                members.push((place, json::member(name)?));
            }
        }
        let columns = json::catalogue(columns, names.iter().map(String::as_str))?;
        Ok(GeoJson { position, columns, members, vehicle: Vec::new(), is_first: true })
    }
}

impl Layout for GeoJson {
    fn head(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        // A member of our own, as RFC 7946, 6.1 allows.
        out.write_all(b"{\"type\":\"FeatureCollection\",\"columns\":")?;
        out.write_all(&self.columns)?;
        out.write_all(b",\"features\":[")
    }

    fn vehicle(&mut self, vehicle: &Vehicle, _: &mut Vec<u8>) -> io::Result<()> {
        let out = &mut self.vehicle;
        out.clear();
        out.write_all(b"\"vin\":")?;
        json::text(vehicle.vin.as_str(), out)?;
        out.write_all(b",\"name\":")?;
        json::text(&vehicle.name, out)?;
        if let Some(plate) = &vehicle.plate {
            out.write_all(b",\"plate\":")?;
            json::text(plate, out)?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let Some((lat, lon)) = self.position.of(row) else { return Ok(()) };
        if !self.is_first {
            out.push(b',');
        }
        self.is_first = false;
        write!(out, "\n{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{lon},{lat}]}},")?;
        out.write_all(b"\"properties\":{")?;
        out.write_all(&self.vehicle)?;
        write!(out, ",\"ts\":{},\"time\":\"{}\"", row.ts, row.time)?;
        for (place, member) in &self.members {
            if let Some(value) = row.value(Some(*place)) {
                out.push(b',');
                out.write_all(member)?;
                number(value, out)?;
            }
        }
        out.write_all(b"}}")
    }

    fn tail(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        out.write_all(if self.is_first { b"]}\n".as_slice() } else { b"\n]}\n" })
    }
}
