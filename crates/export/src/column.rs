//! The exported signals, and what they are called in a file.

use std::collections::HashSet;

use bugbrother_wire::signal;

use crate::{ExportError, exporter::MAX_COLUMNS};

/// What a row says besides its signals, under these names in the formats where all of it is side by side.
const OURS: [&str; 5] = ["vin", "name", "plate", "ts", "time"];

/// A signal that is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Key of the signal in telemetry.
    pub key: String,
    /// Its name for people; the key, where nothing is known of it.
    pub label: String,
    /// Its unit; empty for a bare number and where none is known.
    pub unit: String,
}

impl Column {
    /// The signal with that key, as the catalogue knows it. A vehicle's own signal has its key as label and no unit.
    pub fn of(key: &str) -> Self {
        let (label, unit) = signal::find(key).map_or((key, ""), |known| (known.label, known.unit));
        Column { key: key.to_owned(), label: label.to_owned(), unit: unit.to_owned() }
    }
}

/// Refuses columns that no file can have.
pub(crate) fn check(columns: &[Column]) -> Result<(), ExportError> {
    if columns.len() > MAX_COLUMNS {
        return Err(ExportError::Columns(columns.len()));
    }
    let mut seen = HashSet::new();
    match columns.iter().find(|column| !seen.insert(column.key.as_str())) {
        Some(twice) => Err(ExportError::Twice(twice.key.clone())),
        None => Ok(()),
    }
}

/// Names of the columns beside [`OURS`]: the keys, with `x.` before one that would be taken for another.
pub(crate) fn names(columns: &[Column]) -> Vec<String> {
    let mut taken: HashSet<String> = OURS.into_iter().map(str::to_owned).collect();
    taken.extend(columns.iter().map(|column| column.key.clone()));
    columns
        .iter()
        .map(|column| {
            let mut name = column.key.clone();
            while OURS.contains(&name.as_str()) || (name != column.key && !taken.insert(name.clone())) {
                name.insert_str(0, "x.");
            }
            name
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_called_like_something_of_ours_gets_a_name_of_its_own() {
        let columns = ["time", "spd", "x.time", "vin"].map(Column::of);
        assert_eq!(names(&columns), ["x.x.time", "spd", "x.time", "x.vin"]);
    }

    #[test]
    fn a_signal_of_the_catalogue_brings_its_unit_and_another_one_its_key() {
        let known = Column::of("spd");
        assert_eq!((known.label.as_str(), known.unit.as_str()), ("Speed", "km/h"));
        let own = Column::of("x.tank");
        assert_eq!((own.label.as_str(), own.unit.as_str()), ("x.tank", ""));
    }

    #[test]
    fn columns_that_are_there_twice_or_too_many_are_refused() {
        assert!(matches!(check(&["a", "b", "a"].map(Column::of)), Err(ExportError::Twice(key)) if key == "a"));
        let many: Vec<_> = (0..=MAX_COLUMNS).map(|i| Column::of(&format!("k{i}"))).collect();
        assert!(matches!(check(&many), Err(ExportError::Columns(n)) if n == MAX_COLUMNS + 1));
        assert!(check(&many[1..]).is_ok());
    }
}
