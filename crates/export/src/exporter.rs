//! Samples of vehicles into a file.

use std::io::Write;

use bugbrother_wire::{UnixMs, Vin};

use crate::{
    Column, ExportError, Format, column,
    csv::Csv,
    geojson::GeoJson,
    gpx::Gpx,
    json::Json,
    moment::Moment,
    parquet::{Bounds, Parquet},
    row::{Layout, Row},
};

/// Most columns of an export.
pub const MAX_COLUMNS: usize = 512;
/// Most rows of a Parquet row group.
pub const MAX_GROUP_ROWS: usize = 131_072;
/// Where a Parquet row group ends, counted as it waits in memory: 8 bytes for a time or a value, 2 for whether there is one.
pub const MAX_GROUP_BYTES: usize = 16 * 1024 * 1024;
/// Most column chunks (row groups times columns) of a Parquet file. Its footer names each, which takes 0.8 KiB of memory
/// until the end: 52 MiB at most. With 33 signals, all measured, they are enough for 118 million rows.
pub const MAX_CHUNKS: usize = 65_536;

const BOUNDS: Bounds = Bounds { group_rows: MAX_GROUP_ROWS, group_bytes: MAX_GROUP_BYTES, chunks: MAX_CHUNKS };

/// A vehicle whose samples are exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vehicle {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it; may be empty.
    pub name: String,
    /// Registration plate, where it is known.
    pub plate: Option<String>,
}

/// Writes samples into `W`, vehicle by vehicle.
///
/// What is in `W` may be taken out at any time ([`Self::get_mut`]): nothing is read back or written over. A text format
/// writes once for each row, so a file wants a [`std::io::BufWriter`]; Parquet writes when a row group is full.
///
/// ```
/// use bugbrother_export::{Column, Exporter, Format, Vehicle};
///
/// let columns = ["lat", "lon", "spd"].map(Column::of).to_vec();
/// let mut exporter = Exporter::new(Format::Csv, columns, Vec::new())?;
/// exporter.vehicle(&Vehicle { vin: "WVWZZZ1JZ3W386752".parse()?, name: "Golf".into(), plate: None })?;
/// exporter.row(1_790_000_000_000, &[Some(46.52), Some(6.63), None])?;
/// let page = std::mem::take(exporter.get_mut()); // send it
/// let rest = exporter.finish()?; // and this
/// # assert!(page.ends_with(b",46.52,6.63,\r\n") && rest.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a file is whole after `finish`"]
pub struct Exporter<W: Write + Send> {
    file: File<W>,
    columns: usize,
    /// Time of the vehicle's last row; `None` before the first vehicle.
    last: Option<UnixMs>,
}

enum File<W: Write + Send> {
    Text { layout: Box<dyn Layout>, text: Vec<u8>, out: W },
    Parquet(Box<Parquet<W>>),
}

impl<W: Write + Send> Exporter<W> {
    /// Begins a file. [`Format::Gpx`] and [`Format::GeoJson`] need the columns `lat` and `lon`.
    pub fn new(format: Format, columns: Vec<Column>, out: W) -> Result<Self, ExportError> {
        column::check(&columns)?;
        let file = match format {
            Format::Csv => File::text(Csv::new(&columns), out)?,
            Format::Gpx => File::text(Gpx::new(&columns)?, out)?,
            Format::GeoJson => File::text(GeoJson::new(&columns)?, out)?,
            Format::Json => File::text(Json::new(&columns)?, out)?,
            Format::Parquet => File::Parquet(Box::new(Parquet::new(&columns, BOUNDS, out)?)),
        };
        Ok(Exporter { file, columns: columns.len(), last: None })
    }

    /// Begins the part of a vehicle. The rows that follow are its.
    pub fn vehicle(&mut self, vehicle: &Vehicle) -> Result<(), ExportError> {
        self.last = Some(UnixMs::MIN);
        match &mut self.file {
            File::Text { layout, text, out } => write(text, out, |text| layout.vehicle(vehicle, text)),
            File::Parquet(file) => {
                file.vehicle(vehicle);
                Ok(())
            }
        }
    }

    /// Adds a sample of the vehicle: a value for each column, `None` where nothing was measured. `ts` is the vehicle's
    /// clock, and not before that of the row before.
    ///
    /// A sample without latitude and longitude is in every file but [`Format::Gpx`] and [`Format::GeoJson`].
    pub fn row(&mut self, ts: UnixMs, values: &[Option<f64>]) -> Result<(), ExportError> {
        if values.len() != self.columns {
            return Err(ExportError::Width { got: values.len(), expected: self.columns });
        }
        let last = self.last.ok_or(ExportError::NoVehicle)?;
        if ts < last {
            return Err(ExportError::Order { ts, last });
        }
        let row = Row::new(ts, Moment::of(ts)?, values);
        self.last = Some(ts);
        match &mut self.file {
            File::Text { layout, text, out } => write(text, out, |text| layout.row(&row, text)),
            File::Parquet(file) => file.row(&row),
        }
    }

    /// The sink, for taking out what has been written. Writing to it spoils the file.
    pub fn get_mut(&mut self) -> &mut W {
        match &mut self.file {
            File::Text { out, .. } => out,
            File::Parquet(file) => file.get_mut(),
        }
    }

    /// Ends the file and gives the sink back, flushed.
    pub fn finish(self) -> Result<W, ExportError> {
        let mut out = match self.file {
            File::Text { mut layout, mut text, mut out } => {
                write(&mut text, &mut out, |text| layout.tail(text))?;
                out
            }
            File::Parquet(file) => file.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write + Send> File<W> {
    fn text(mut layout: impl Layout + 'static, mut out: W) -> Result<Self, ExportError> {
        let mut text = Vec::new();
        write(&mut text, &mut out, |text| layout.head(text))?;
        Ok(File::Text { layout: Box::new(layout), text, out })
    }
}

/// Hands to the sink what `says` adds to the empty `text`, whose room is used again.
fn write(
    text: &mut Vec<u8>,
    out: &mut impl Write,
    says: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>,
) -> Result<(), ExportError> {
    text.clear();
    says(text)?;
    Ok(out.write_all(text)?)
}
