//! Samples as CSV, GPX, GeoJSON, JSON and Parquet, and other tables as CSV and JSON, a piece at a time.
//!
//! What the files hold, for those who read them, is in `docs/export.md`.
//!
//! # Layout
//! - [`exporter`]: samples of vehicles into a file of any [`Format`]
//! - [`table`]: typed rows (trips, alerts, trouble codes) into CSV or JSON
//! - [`mod@format`]: names, file extensions and media types
//! - [`mod@column`]: the exported signals and what they are called in a file
//! - [`merger`]: what was measured between two positions, for the formats of places (pure)
//! - [`error`]: why a file could not be written
//! - `csv`, `json`, `geojson`, `gpx`: one text format each; `parquet`: the binary one
//! - `row`, `moment`, `position`: a sample, its time and its place, as the formats see them
//!
//! # Invariants
//! - Writes to what the caller gives and nothing else: no clock, no file, no seeking back.
//! - Never holds more than one row of a text format, one row group of Parquet ([`exporter::MAX_GROUP_BYTES`]) and what
//!   a Parquet file's footer must name ([`exporter::MAX_CHUNKS`]). All that precedes has been given to the sink.
//! - A value that is not finite counts as not measured, in every format.

#![warn(missing_docs)]

pub mod column;
pub mod error;
pub mod exporter;
pub mod format;
pub mod merger;
pub mod table;

mod csv;
mod geojson;
mod gpx;
mod json;
mod moment;
mod parquet;
mod position;
mod row;

pub use column::Column;
pub use error::ExportError;
pub use exporter::{Exporter, Vehicle};
pub use format::{Format, TableFormat};
pub use merger::Merger;
pub use table::{Cell, Field, Kind, Table};
