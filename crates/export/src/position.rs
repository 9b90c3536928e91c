//! Where a sample was taken.

use crate::{Column, ExportError, row::Row};

/// The columns that say where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub lat: usize,
    pub lon: usize,
}

impl Position {
    /// Finds them for the format of that name.
    pub fn among(columns: &[Column], format: &'static str) -> Result<Self, ExportError> {
        match (find(columns, "lat"), find(columns, "lon")) {
            (Some(lat), Some(lon)) => Ok(Position { lat, lon }),
            _ => Err(ExportError::NoPosition(format)),
        }
    }

    /// Latitude and longitude in degrees, where the sample has both and there is such a place.
    pub fn of(&self, row: &Row<'_>) -> Option<(f64, f64)> {
        let (lat, lon) = (row.value(Some(self.lat))?, row.value(Some(self.lon))?);
        ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some((lat, lon))
    }
}

/// Place of the column with that key.
pub(crate) fn find(columns: &[Column], key: &str) -> Option<usize> {
    columns.iter().position(|column| column.key == key)
}
