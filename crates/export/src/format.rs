//! Names of formats, their file extensions and media types.

use std::{fmt, str::FromStr};

use crate::ExportError;

/// What samples can be exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// Tracks, GPX 1.1.
    Gpx,
    /// A point for each sample with a place, RFC 7946.
    GeoJson,
    /// One document with the vehicles and their samples, RFC 8259.
    Json,
    /// Apache Parquet, compressed with Snappy.
    Parquet,
}

impl Format {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Csv, Self::Gpx, Self::GeoJson, Self::Json, Self::Parquet];

    /// Name, as an address or a command has it. It is also the [`Self::extension`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Gpx => "gpx",
            Self::GeoJson => "geojson",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }

    /// What a file's name ends with, without the dot.
    pub fn extension(self) -> &'static str {
        self.name()
    }

    /// Value of the HTTP header `Content-Type`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Gpx => "application/gpx+xml",
            Self::GeoJson => "application/geo+json",
            Self::Json => "application/json",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = ExportError;

    fn from_str(name: &str) -> Result<Self, ExportError> {
        Self::ALL.iter().copied().find(|format| format.name() == name).ok_or_else(|| unknown(name, Self::ALL))
    }
}

/// What a [`crate::Table`] can be exported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableFormat {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// One array of objects, RFC 8259.
    Json,
    /// An object on each line.
    JsonLines,
}

impl TableFormat {
    /// Every format.
    pub const ALL: &[Self] = &[Self::Csv, Self::Json, Self::JsonLines];

    /// Name, as an address or a command has it. It is also the [`Self::extension`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
        }
    }

    /// What a file's name ends with, without the dot.
    pub fn extension(self) -> &'static str {
        self.name()
    }

    /// Value of the HTTP header `Content-Type`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => Format::Csv.media_type(),
            Self::Json => Format::Json.media_type(),
            Self::JsonLines => "application/x-ndjson",
        }
    }
}

impl fmt::Display for TableFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TableFormat {
    type Err = ExportError;

    fn from_str(name: &str) -> Result<Self, ExportError> {
        Self::ALL.iter().copied().find(|format| format.name() == name).ok_or_else(|| unknown(name, Self::ALL))
    }
}

fn unknown(name: &str, known: &[impl ToString]) -> ExportError {
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    ExportError::UnknownFormat { name: name.to_owned(), known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_found_by_its_name_and_another_name_is_told_what_there_is() {
        for format in Format::ALL {
            assert_eq!(format.name().parse::<Format>().unwrap(), *format);
        }
        for format in TableFormat::ALL {
            assert_eq!(format.name().parse::<TableFormat>().unwrap(), *format);
        }
        let refused = "xls".parse::<Format>().unwrap_err().to_string();
        assert_eq!(refused, "there is no format `xls`; there are csv, gpx, geojson, json, parquet");
        assert!("parquet".parse::<TableFormat>().is_err());
    }
}
