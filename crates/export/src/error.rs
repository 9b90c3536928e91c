//! Why a file could not be written.

use std::{error::Error, io};

use bugbrother_wire::UnixMs;

use crate::{exporter::MAX_COLUMNS, table::Kind};

/// Why a file, or a row of it, could not be written.
///
/// After [`Self::Write`] and [`Self::Parquet`] the file is lost. After any other the row is left out of it, and what was
/// written before can be finished or gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No format has this name.
    #[error("there is no format `{name}`; there are {known}")]
    UnknownFormat {
        /// What was asked for.
        name: String,
        /// The formats that there are, separated by commas.
        known: String,
    },
    /// A format that is about places was asked for without them.
    #[error("an export as {0} needs the columns `lat` and `lon`")]
    NoPosition(&'static str),
    /// Two columns have the same name.
    #[error("column `{0}` is there twice")]
    Twice(String),
    /// More columns than a file may have.
    #[error("{0} columns; an export has at most {MAX_COLUMNS}")]
    Columns(usize),
    /// A row that does not fit the columns.
    #[error("a row of {got} values for {expected} columns")]
    Width {
        /// Values in the row.
        got: usize,
        /// Columns of the file.
        expected: usize,
    },
    /// A cell that does not fit its column.
    #[error("column `{field}` takes {expected:?} and was given another kind of cell")]
    Kind {
        /// The column.
        field: String,
        /// What it takes.
        expected: Kind,
    },
    /// A row before the first vehicle.
    #[error("a row belongs to a vehicle, and none has begun")]
    NoVehicle,
    /// Rows of a vehicle that are not in the order of time.
    #[error("a row at {ts} after one at {last}: rows come in the order of time")]
    Order {
        /// The row.
        ts: UnixMs,
        /// The one before it.
        last: UnixMs,
    },
    /// A time outside the years that ISO 8601 writes with four digits.
    #[error("{0} ms since 1970 is not in the years 0 to 9999")]
    Time(UnixMs),
    /// A Parquet file's footer, which is written last, would grow past [`crate::exporter::MAX_CHUNKS`].
    #[error("the Parquet file is full after {rows} rows; export fewer vehicles or a shorter time")]
    Full {
        /// Rows in the file.
        rows: u64,
    },
    /// The sink failed.
    #[error("what was exported could not be written")]
    Write(#[from] io::Error),
    /// The Parquet writer failed.
    #[error("the Parquet file could not be written")]
    Parquet(#[source] Box<dyn Error + Send + Sync>),
}
