//! An hour of a vehicle in columns, and its form in the database. Pure.
//!
//! All rows of an hour share one column of times. A signal has its values and, unless every row has one, the numbers of the
//! rows that do; both are compressed by `pco`, which gives back exactly what it was given. Rows are kept as they came: two of
//! the same time stay two.

use std::collections::{BTreeMap, btree_map::Entry};

use bugbrother_wire::UnixMs;
use pco::{
    ChunkConfig,
    data_types::Number,
    standalone::{simple_compress, simple_decompress},
};

use crate::{StoreError, telemetry::Samples};

/// Length of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Where size hardly falls any more and time rises: level 8 takes half as long again for 1 %.
const LEVEL: usize = 4;
/// First byte of a column: what follows it.
const EVERY_ROW: u8 = 0;
const SOME_ROWS: u8 = 1;

/// The beginning of the hour (UTC) that `ts` is in.
pub(crate) fn hour_of(ts: UnixMs) -> UnixMs {
    ts.div_euclid(HOUR_MS) * HOUR_MS
}

/// Rows of a vehicle in columns, in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Hour {
    times: Vec<UnixMs>,
    columns: BTreeMap<String, Column>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Column {
    /// Numbers of the rows that have a value, rising.
    rows: Vec<u32>,
    values: Vec<f64>,
}

/// What a signal's values in an hour amount to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub n: i64,
    pub low: f64,
    pub high: f64,
    pub total: f64,
}

/// A signal's column as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chunk {
    pub signal: String,
    pub summary: Summary,
    pub data: Vec<u8>,
}

/// An hour as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    pub from: UnixMs,
    pub to: UnixMs,
    pub row_count: i64,
    pub times: Vec<u8>,
    pub chunks: Vec<Chunk>,
}

impl Summary {
    /// Of no value.
    pub const NONE: Summary = Summary { n: 0, low: f64::INFINITY, high: f64::NEG_INFINITY, total: 0.0 };

    /// Takes in a value.
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.total += value;
    }

    /// Takes in what other values amount to.
    pub fn merge(&mut self, other: &Summary) {
        self.n += other.n;
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.total += other.total;
    }
}

impl Hour {
    /// Takes in rows that are in the order of time; where times are equal they come after those that are there.
    pub fn merge(&mut self, samples: &Samples) {
        if samples.rows.is_empty() {
            return;
        }
        let (new_places, old_places) = self.make_room(samples);
        for column in self.columns.values_mut() {
            if let Some(old_places) = &old_places {
                column.rows.iter_mut().for_each(|row| *row = old_places[*row as usize]);
            }
        }
        for (index, key) in samples.keys.iter().enumerate() {
            let values = samples.rows.iter().zip(&new_places);
            let added: Vec<(u32, f64)> =
                values.filter_map(|(row, place)| Some((*place, row.values.get(index).copied().flatten()?))).collect();
            if added.is_empty() {
                continue;
            }
            match self.columns.entry(key.clone()) {
                Entry::Vacant(free) => {
                    let (rows, values) = added.into_iter().unzip();
                    free.insert(Column { rows, values });
                }
                Entry::Occupied(mut held) => held.get_mut().merge(added),
            }
        }
    }

    /// Puts the times of `samples` among those that are there. Tells the places of the new rows, and those of the old ones
    /// unless they have stayed.
    fn make_room(&mut self, samples: &Samples) -> (Vec<u32>, Option<Vec<u32>>) {
        let place = |index: usize| u32::try_from(index).expect("memory holds fewer than 2^32 rows of an hour");
        let first = samples.rows[0].ts;
        if self.times.last().is_none_or(|last| *last <= first) {
            let from = self.times.len();
            self.times.extend(samples.rows.iter().map(|row| row.ts));
            return ((from..self.times.len()).map(place).collect(), None);
        }
        let old = std::mem::take(&mut self.times);
        let mut places = (Vec::with_capacity(samples.rows.len()), Vec::with_capacity(old.len()));
        self.times.reserve(old.len() + samples.rows.len());
        let mut new = samples.rows.iter().map(|row| row.ts).peekable();
        for ts in old {
            while let Some(earlier) = new.next_if(|new| *new < ts) {
                places.0.push(place(self.times.len()));
                self.times.push(earlier);
            }
            places.1.push(place(self.times.len()));
            self.times.push(ts);
        }
        for ts in new {
            places.0.push(place(self.times.len()));
            self.times.push(ts);
        }
        (places.0, Some(places.1))
    }

    /// All rows, or those with a value of one of these signals.
    pub fn samples(&self, wanted: Option<&[&str]>) -> Samples {
        let chosen = |key: &str| wanted.is_none_or(|wanted| wanted.contains(&key));
        let columns: Vec<_> = self.columns.iter().filter(|(key, _)| chosen(key)).collect();
        let mut samples =
            Samples::of(columns.iter().map(|(key, _)| (*key).clone()).collect(), self.times.iter().copied());
        for (index, (_, column)) in columns.iter().enumerate() {
            for (row, value) in column.rows.iter().zip(&column.values) {
                samples.rows[*row as usize].values[index] = Some(*value);
            }
        }
        if wanted.is_some() {
            samples.rows.retain(|row| row.values.iter().any(Option::is_some));
        }
        samples
    }

    /// The form in the database; `None` of no rows.
    pub fn pack(&self) -> Option<Packed> {
        let (from, to) = (*self.times.first()?, *self.times.last()?);
        let chunks = self.columns.iter().map(|(signal, column)| Chunk {
            signal: signal.clone(),
            summary: column.summary(),
            data: column.pack(self.times.len()),
        });
        Some(Packed {
            from,
            to,
            row_count: i64::try_from(self.times.len()).expect("a length fits"),
            times: compress(&self.times),
            chunks: chunks.collect(),
        })
    }

    /// From the form in the database: the times, and the columns of which the caller has the data.
    pub fn unpack<'a>(times: &[u8], chunks: impl IntoIterator<Item = (String, &'a [u8])>) -> Result<Self, StoreError> {
        let times = decompress("block", times)?;
        let mut columns = BTreeMap::new();
        for (signal, data) in chunks {
            columns.insert(signal, Column::unpack(data, times.len())?);
        }
        Ok(Hour { times, columns })
    }

    /// The values of a signal with their times.
    pub fn values(&self, signal: &str) -> impl Iterator<Item = (UnixMs, f64)> {
        let column = self.columns.get(signal);
        let pairs = column.into_iter().flat_map(|column| column.rows.iter().zip(&column.values));
        pairs.map(|(row, value)| (self.times[*row as usize], *value))
    }
}

impl Column {
    /// Takes in values of rows that have none here.
    fn merge(&mut self, added: Vec<(u32, f64)>) {
        if self.rows.last().is_none_or(|last| *last < added[0].0) {
            for (row, value) in added {
                self.rows.push(row);
                self.values.push(value);
            }
            return;
        }
        let mut all: Vec<(u32, f64)> = self.rows.iter().copied().zip(self.values.iter().copied()).collect();
        all.extend(added);
        all.sort_by_key(|(row, _)| *row);
        (self.rows, self.values) = all.into_iter().unzip();
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary::NONE;
        self.values.iter().for_each(|value| summary.add(*value));
        summary
    }

    fn pack(&self, row_count: usize) -> Vec<u8> {
        let values = compress(&self.values);
        if self.rows.len() == row_count {
            return [&[EVERY_ROW], values.as_slice()].concat();
        }
        // Steps from one row to the next compress better than the numbers.
        let steps = self.rows.iter().scan(0, |before, row| {
            let step = row - *before;
            *before = *row;
            Some(step)
        });
        let rows = compress(&steps.collect::<Vec<u32>>());
        let length = u32::try_from(rows.len()).expect("less than 2^32 rows are compressed to less than 2^32 bytes");
        [&[SOME_ROWS], length.to_le_bytes().as_slice(), &rows, &values].concat()
    }

    fn unpack(data: &[u8], row_count: usize) -> Result<Self, StoreError> {
        let bad = |problem: &str| StoreError::corrupt("chunk", problem);
        let column = match data.split_first() {
            Some((&EVERY_ROW, rest)) => {
                let count = u32::try_from(row_count).map_err(|_| bad("too many rows"))?;
                Column { rows: (0..count).collect(), values: decompress("chunk", rest)? }
            }
            Some((&SOME_ROWS, rest)) => {
                let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| bad("cut short"))?;
                let (rows, values) =
                    rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(|| bad("cut short"))?;
                let mut rows: Vec<u32> = decompress("chunk", rows)?;
                let mut at = 0u32;
                for row in &mut rows {
                    at = at.checked_add(*row).ok_or_else(|| bad("row out of range"))?;
                    *row = at;
                }
                if rows.last().is_some_and(|last| *last as usize >= row_count) {
                    return Err(bad("row out of range"));
                }
                Column { rows, values: decompress("chunk", values)? }
            }
            _ => return Err(bad("unknown form")),
        };
        if column.rows.len() != column.values.len() {
            return Err(bad("rows and values differ in number"));
        }
        Ok(column)
    }
}

fn compress<T: Number>(numbers: &[T]) -> Vec<u8> {
    let config = ChunkConfig::default().with_compression_level(LEVEL);
    simple_compress(numbers, &config).expect("the level is one that exists and memory does not fail")
}

fn decompress<T: Number>(table: &'static str, data: &[u8]) -> Result<Vec<T>, StoreError> {
    simple_decompress(data).map_err(|error| StoreError::corrupt(table, error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::Sample;

    type Cells = Vec<(i64, Vec<Option<f64>>)>;

    fn samples(keys: &[&str], rows: &Cells) -> Samples {
        let rows = rows.iter().map(|(ts, values)| Sample { ts: *ts, values: values.clone() }).collect();
        Samples { keys: keys.iter().map(|key| (*key).to_owned()).collect(), rows }
    }

    /// Every value with its time and signal.
    fn values(samples: &Samples) -> Vec<(i64, String, u64)> {
        let mut all: Vec<_> = samples
            .rows
            .iter()
            .flat_map(|row| {
                let named = samples.keys.iter().zip(&row.values);
                named.filter_map(|(key, value)| Some((row.ts, key.clone(), (*value)?.to_bits())))
            })
            .collect();
        all.sort();
        all
    }

    fn cells() -> impl Strategy<Value = Cells> {
        let value = proptest::option::weighted(0.7, any::<f64>().prop_filter("finite", |v| v.is_finite()));
        let rows = proptest::collection::vec((0..HOUR_MS, proptest::collection::vec(value, 2)), 0..60);
        rows.prop_map(|mut rows| {
            rows.sort_by_key(|(ts, _)| *ts);
            rows
        })
    }

    fn again(hour: &Hour) -> Hour {
        match hour.pack() {
            None => Hour::default(),
            Some(packed) => {
                let chunks = packed.chunks.iter().map(|chunk| (chunk.signal.clone(), chunk.data.as_slice()));
                Hour::unpack(&packed.times, chunks).unwrap()
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_merged_in_whatever_order_comes_back_to_the_bit(
            parts in proptest::collection::vec((cells(), 0..3usize), 0..6),
        ) {
            let keys = [["spd", "rpm"], ["rpm", "ect"], ["lat", "lon"]];
            let (mut hour, mut expected, mut rows) = (Hour::default(), Vec::new(), 0);
            for (cells, which) in &parts {
                let part = samples(&keys[*which], cells);
                hour.merge(&part);
                hour = again(&hour);
                expected.extend(values(&part));
                rows += part.rows.len();
            }
            expected.sort();
            let all = hour.samples(None);
            prop_assert_eq!(values(&all), expected);
            prop_assert_eq!(all.rows.len(), rows);
            prop_assert!(all.rows.is_sorted_by_key(|row| row.ts));
        }
    }

    #[test]
    fn a_summary_tells_how_many_how_low_how_high_and_how_much() {
        let mut hour = Hour::default();
        hour.merge(&samples(&["spd", "ect"], &vec![(1, vec![Some(3.0), None]), (2, vec![Some(-5.0), Some(90.0)])]));
        let packed = hour.pack().unwrap();
        assert_eq!((packed.from, packed.to, packed.row_count), (1, 2, 2));
        let summaries: Vec<_> = packed.chunks.iter().map(|chunk| (chunk.signal.as_str(), chunk.summary)).collect();
        let ect = Summary { n: 1, low: 90.0, high: 90.0, total: 90.0 };
        assert_eq!(summaries, [("ect", ect), ("spd", Summary { n: 2, low: -5.0, high: 3.0, total: -2.0 })]);
    }

    #[test]
    fn rows_without_the_wanted_signals_are_left_out() {
        let mut hour = Hour::default();
        hour.merge(&samples(&["spd", "ect"], &vec![(1, vec![Some(3.0), None]), (2, vec![None, Some(90.0)])]));
        assert_eq!(hour.samples(Some(&["spd", "no such"])), samples(&["spd"], &vec![(1, vec![Some(3.0)])]));
        assert_eq!(hour.values("ect").collect::<Vec<_>>(), [(2, 90.0)]);
    }

    #[test]
    fn a_damaged_column_is_told_and_not_believed() {
        let mut hour = Hour::default();
        hour.merge(&samples(&["spd", "ect"], &vec![(1, vec![Some(3.0), None]), (2, vec![Some(4.0), Some(90.0)])]));
        let packed = hour.pack().unwrap();
        for chunk in &packed.chunks {
            for cut in 0..chunk.data.len() {
                assert!(Hour::unpack(&packed.times, [("x".to_owned(), &chunk.data[..cut])]).is_err());
            }
        }
        assert!(Hour::unpack(&packed.times[..3], []).is_err());
        assert!(Hour::unpack(&packed.times, [("x".to_owned(), [9u8].as_slice())]).is_err());
    }

    #[test]
    fn an_hour_begins_at_the_full_hour_before_1970_too() {
        assert_eq!((hour_of(0), hour_of(HOUR_MS - 1), hour_of(HOUR_MS), hour_of(-1)), (0, 0, HOUR_MS, -HOUR_MS));
    }
}
