//! What vehicles measured: where it is kept, and how it is read.
//!
//! [`TimeSeries`] is the one door to both kinds of store: `embedded`, in the fleet database itself, and `influx`. `hour` is
//! the form in columns, `bucket` the arithmetic of what a screen shows; both are pure.

pub(crate) mod bucket;
pub(crate) mod embedded;
pub(crate) mod hour;
pub(crate) mod influx;

use std::collections::HashMap;

use async_trait::async_trait;
use bugbrother_wire::{
    UnixMs, Vin,
    message::{Clock, Telemetry},
};

pub use bucket::{Bucket, Series};

use crate::StoreError;
use hour::Packed;

/// A column beside the signals: [`Clock::doubt`] where a row's time is not that of the GNSS receiver.
pub const CLOCK: &str = "_clock";

/// Rows of a vehicle in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// The columns: signal keys, and [`CLOCK`].
    pub keys: Vec<String>,
    /// The rows, each with a place for each key.
    pub rows: Vec<Sample>,
}

/// What was measured at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When, by the vehicle's clock.
    pub ts: UnixMs,
    /// One for each key.
    pub values: Vec<Option<f64>>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Of whom.
    pub vin: Vin,
    /// From when, inclusive.
    pub from: UnixMs,
    /// Until when, inclusive.
    pub to: UnixMs,
    /// Rows that have one of these signals, and nothing else of them; all for `None`.
    pub signals: Option<&'a [&'a str]>,
}

/// A part of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Its rows: all that there are up to `next`. Never a part of those that have the same time.
    pub samples: Samples,
    /// Where the rest begins, if there may be one.
    pub next: Option<UnixMs>,
}

impl Samples {
    /// Rows at these times, with nothing in them.
    pub(crate) fn of(keys: Vec<String>, times: impl Iterator<Item = UnixMs>) -> Self {
        let width = keys.len();
        Samples { keys, rows: times.map(|ts| Sample { ts, values: vec![None; width] }).collect() }
    }

    /// The rows of a batch between `from` and `to` (inclusive).
    pub fn of_batch(batch: &Telemetry, from: UnixMs, to: UnixMs) -> Self {
        let mut keys = batch.keys.clone();
        keys.extend(clock_of(batch).map(|_| CLOCK.to_owned()));
        Samples { rows: rows_of(batch, from, to).collect(), keys }
    }

    /// Puts the rows of a batch between `from` and `to` (inclusive) after those that are there: a live vehicle sends every row as a
    /// batch of its own, with the same columns as the one before.
    pub(crate) fn append(parts: &mut Vec<Self>, batch: &Telemetry, from: UnixMs, to: UnixMs) {
        let Some(last) = parts.last_mut().filter(|part| part.has_columns_of(batch)) else {
            let part = Samples::of_batch(batch, from, to);
            parts.extend((!part.rows.is_empty()).then_some(part));
            return;
        };
        let newest = last.rows.last().map_or(UnixMs::MIN, |row| row.ts);
        let mut rows = rows_of(batch, from, to).peekable();
        if rows.peek().is_none_or(|row| row.ts >= newest) {
            last.rows.extend(rows);
        } else {
            let rows = rows.collect();
            let keys = last.keys.clone();
            parts.push(Samples { keys, rows });
        }
    }

    fn has_columns_of(&self, batch: &Telemetry) -> bool {
        let clock = clock_of(batch).map(|_| CLOCK);
        self.keys.iter().map(String::as_str).eq(batch.keys.iter().map(String::as_str).chain(clock))
    }

    /// The column of a signal.
    pub fn column(&self, key: &str) -> Option<usize> {
        self.keys.iter().position(|known| known == key)
    }

    /// All values of a signal, with their times.
    pub fn values(&self, key: &str) -> impl Iterator<Item = (UnixMs, f64)> {
        let column = self.column(key);
        self.rows.iter().filter_map(move |row| Some((row.ts, row.values[column?]?)))
    }
}

/// What is known of a batch's time, unless it is that of the GNSS receiver.
fn clock_of(batch: &Telemetry) -> Option<f64> {
    (batch.clock != Clock::Gnss).then(|| batch.clock.doubt())
}

fn rows_of(batch: &Telemetry, from: UnixMs, to: UnixMs) -> impl Iterator<Item = Sample> {
    let clock = clock_of(batch);
    let rows = batch.rows.iter().map(|row| (batch.t0 + i64::from(row.dt_ms), &row.values));
    let wanted = rows.filter(move |(ts, _)| (from..=to).contains(ts));
    wanted.map(move |(ts, values)| {
        let values = values.iter().copied().chain(clock.map(Some)).collect();
        Sample { ts, values }
    })
}

/// Puts rows with different columns together.
#[derive(Default)]
pub(crate) struct Collector {
    samples: Samples,
    columns: HashMap<String, usize>,
}

impl Collector {
    /// Takes in the rows between `from` and `to` (inclusive); of them, those with a wanted signal.
    pub fn take(&mut self, part: Samples, question: &Question<'_>, to: UnixMs) {
        let wanted = |key: &str| question.signals.is_none_or(|signals| signals.contains(&key));
        let places: Vec<Option<usize>> = part
            .keys
            .into_iter()
            .map(|key| {
                wanted(&key).then(|| match self.columns.get(&key) {
                    Some(place) => *place,
                    None => {
                        let place = self.samples.keys.len();
                        self.columns.insert(key.clone(), place);
                        self.samples.keys.push(key);
                        place
                    }
                })
            })
            .collect();
        let width = self.samples.keys.len();
        for row in part.rows.into_iter().filter(|row| (question.from..=to).contains(&row.ts)) {
            let mut values = vec![None; width];
            for (value, place) in row.values.into_iter().zip(&places) {
                if let (Some(value), Some(place)) = (value, place) {
                    values[*place] = Some(value);
                }
            }
            if question.signals.is_none() || values.iter().any(Option::is_some) {
                self.samples.rows.push(Sample { ts: row.ts, values });
            }
        }
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        self.samples.rows.len()
    }

    /// About `limit` rows, in order: everything up to `to` was taken in, of what lies before `end`.
    pub fn page(self, limit: usize, to: UnixMs, end: UnixMs) -> Page {
        let mut samples = self.samples;
        let width = samples.keys.len();
        samples.rows.iter_mut().for_each(|row| row.values.resize(width, None));
        samples.rows.sort_by_key(|row| row.ts);
        let mut next = (to < end).then(|| to + 1);
        if let Some(last) = samples.rows.get(limit.saturating_sub(1)).map(|row| row.ts) {
            let cut = samples.rows.partition_point(|row| row.ts <= last);
            if cut < samples.rows.len() {
                samples.rows.truncate(cut);
                next = Some(last + 1);
            }
        }
        Page { samples, next }
    }
}

/// A batch of the tail.
#[derive(Debug, Clone, PartialEq)]
pub struct TailBatch {
    /// Beginning.
    pub t0: UnixMs,
    /// Outbox.
    pub epoch: i64,
    /// Number in it.
    pub seq: i64,
    /// Its newest row.
    pub t1: UnixMs,
    /// The batch; `None` where its samples are elsewhere.
    pub telemetry: Option<Telemetry>,
}

/// Hours of a vehicle as they are to be once its tail is folded, each with the version that it was made from.
#[derive(Debug, Default)]
pub struct Folded {
    pub(crate) hours: Vec<(UnixMs, i64, Packed)>,
}

/// Where samples are kept. A sample is a vehicle's at a time; one that is written again is not there twice.
#[async_trait]
pub trait TimeSeries: Send + Sync + std::fmt::Debug {
    /// Keeps the samples of these batches, before the transaction that lets them be acknowledged. One that keeps them in that
    /// transaction has nothing to do here.
    async fn write(&self, batches: &[&Telemetry]) -> Result<(), StoreError>;

    /// Whether batches are kept in the tail.
    fn is_in_tail(&self) -> bool;

    /// Gets ready what is to take the place of these batches of the tail.
    async fn fold(&self, vin: Vin, tail: Vec<TailBatch>) -> Result<Folded, StoreError>;

    /// About `limit` rows from the beginning of what is asked for.
    async fn samples(&self, question: Question<'_>, limit: usize) -> Result<Page, StoreError>;

    /// A signal between `from` (inclusive) and `to` (exclusive), which are multiples of `bucket_ms`: what the values in each
    /// bucket amount to, for those that have some.
    async fn series(
        &self,
        vin: Vin,
        signal: &str,
        from: UnixMs,
        to: UnixMs,
        bucket_ms: i64,
    ) -> Result<Vec<Bucket>, StoreError>;

    /// Signals that a vehicle has between `from` and `to` (inclusive), in the order of their names.
    async fn signals(&self, vin: Vin, from: UnixMs, to: UnixMs) -> Result<Vec<String>, StoreError>;

    /// Removes what a vehicle measured before `before`, up to about `limit` hours of it. Tells how many were removed.
    async fn forget(&self, vin: Vin, before: UnixMs, limit: u32) -> Result<u64, StoreError>;

    /// Removes all that a vehicle has ever measured. Tells how many hours of it were removed.
    async fn erase(&self, vin: Vin) -> Result<u64, StoreError>;

    /// Whether it answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
