//! Values that were measured between two positions, brought to the next one.
//!
//! A receiver and an engine are asked at moments of their own, so a vehicle has rows of either kind. In a format of places
//! the engine's would be lost.

use bugbrother_wire::UnixMs;

use crate::{Column, Format, position::find};

/// A value is brought to a position at most so much later: a receiver tells one a second, and may miss one.
pub const MERGE_MS: UnixMs = 2_000;

/// Brings what was measured between two positions of a vehicle to the second one. Pure.
///
/// A value counts once, at the first position at or after it and not more than [`MERGE_MS`] later. Of two of a signal the
/// later one counts, and what was measured with the position itself counts before both.
///
/// ```
/// use bugbrother_export::{Column, Format, Merger};
///
/// let columns = ["lat", "lon", "rpm"].map(Column::of);
/// let mut merger = Merger::of(Format::GeoJson, &columns).expect("a format of places");
/// assert!(!merger.row(1_200, &mut [None, None, Some(1800.0)]));
/// let mut fix = [Some(46.52), Some(6.63), None];
/// assert!(merger.row(2_000, &mut fix));
/// assert_eq!(fix[2], Some(1800.0));
/// ```
#[derive(Debug, Clone)]
pub struct Merger {
    lat: usize,
    lon: usize,
    waiting: Vec<Option<(UnixMs, f64)>>,
}

impl Merger {
    /// For rows of these columns; `None` for a format that keeps every row as it is.
    pub fn of(format: Format, columns: &[Column]) -> Option<Self> {
        let is_of_places = matches!(format, Format::Gpx | Format::GeoJson);
        let (lat, lon) = (find(columns, "lat")?, find(columns, "lon")?);
        is_of_places.then(|| Merger { lat, lon, waiting: vec![None; columns.len()] })
    }

    /// Forgets what waits: the rows that follow are another vehicle's.
    pub fn restart(&mut self) {
        self.waiting.fill(None);
    }

    /// Takes the next row, which has a value for each column. Tells whether it has a position, and then has added to it what
    /// was waiting; any other row is in no file.
    pub fn row(&mut self, ts: UnixMs, values: &mut [Option<f64>]) -> bool {
        let is_place = values[self.lat].is_some() && values[self.lon].is_some();
        for (place, (value, waiting)) in values.iter_mut().zip(&mut self.waiting).enumerate() {
            if is_place {
                let brought = waiting.take().filter(|(measured, _)| ts - measured <= MERGE_MS);
                *value = value.or(brought.map(|(_, value)| value));
            } else if place != self.lat && place != self.lon {
                *waiting = value.map(|value| (ts, value)).or(*waiting);
            }
        }
        is_place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: [Option<f64>; 2] = [Some(46.5), Some(6.6)];

    fn merger() -> Merger {
        Merger::of(Format::Gpx, &["lat", "lon", "rpm", "ect"].map(Column::of)).unwrap()
    }

    fn place(rpm: Option<f64>, ect: Option<f64>) -> [Option<f64>; 4] {
        [PLACE[0], PLACE[1], rpm, ect]
    }

    #[test]
    fn a_value_counts_once_and_the_later_of_two_counts() {
        let mut merger = merger();
        assert!(!merger.row(100, &mut [None, None, Some(800.0), Some(90.0)]));
        assert!(!merger.row(600, &mut [None, None, Some(900.0), None]));
        let mut fix = place(None, None);
        assert!(merger.row(1000, &mut fix));
        assert_eq!(fix, place(Some(900.0), Some(90.0)));
        let mut next = place(None, None);
        assert!(merger.row(2000, &mut next));
        assert_eq!(next, place(None, None));
    }

    #[test]
    fn what_was_measured_with_the_position_counts_first() {
        let mut merger = merger();
        merger.row(100, &mut [None, None, Some(800.0), None]);
        let mut fix = place(Some(850.0), None);
        merger.row(1000, &mut fix);
        assert_eq!(fix, place(Some(850.0), None));
    }

    #[test]
    fn an_old_value_and_another_vehicles_are_not_brought() {
        let mut merger = merger();
        merger.row(0, &mut [None, None, Some(800.0), None]);
        merger.row(MERGE_MS, &mut [None, None, None, Some(90.0)]);
        let mut fix = place(None, None);
        merger.row(MERGE_MS + 1, &mut fix);
        assert_eq!(fix, place(None, Some(90.0)));
        merger.row(5000, &mut [None, None, Some(800.0), None]);
        merger.restart();
        let mut others = place(None, None);
        merger.row(5001, &mut others);
        assert_eq!(others, place(None, None));
    }

    #[test]
    fn half_a_position_is_none_and_is_not_brought_to_another() {
        let mut merger = merger();
        assert!(!merger.row(0, &mut [Some(1.0), None, None, None]));
        let mut fix = [Some(2.0), Some(3.0), None, None];
        assert!(merger.row(1, &mut fix));
        assert_eq!(fix[0], Some(2.0));
    }

    #[test]
    fn formats_of_rows_have_none() {
        let columns = ["lat", "lon"].map(Column::of);
        let with: Vec<_> = Format::ALL.iter().filter(|format| Merger::of(**format, &columns).is_some()).collect();
        assert_eq!(with, [&Format::Gpx, &Format::GeoJson]);
    }
}
