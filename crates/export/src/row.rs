//! A sample, and how text formats write samples.

use std::io::{self, Write};

use bugbrother_wire::UnixMs;

use crate::{Vehicle, moment::Moment};

/// A sample.
pub(crate) struct Row<'a> {
    pub ts: UnixMs,
    pub time: Moment,
    values: &'a [Option<f64>],
}

impl<'a> Row<'a> {
    pub fn new(ts: UnixMs, time: Moment, values: &'a [Option<f64>]) -> Self {
        Row { ts, time, values }
    }

    /// The value of each column, where one was measured.
    pub fn values(&self) -> impl Iterator<Item = Option<f64>> + use<'a> {
        self.values.iter().map(|value| finite(*value))
    }

    /// The value of the column at `place`, where there is such a column and one was measured.
    pub fn value(&self, place: Option<usize>) -> Option<f64> {
        finite(*self.values.get(place?)?)
    }
}

/// No format has a number for NaN or infinity that all its readers know.
pub(crate) fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|number| number.is_finite())
}

/// A text format. Each method adds to `text` what comes next in the file.
pub(crate) trait Layout: Send {
    /// What is before the first vehicle.
    fn head(&mut self, text: &mut Vec<u8>) -> io::Result<()>;
    /// A vehicle begins, and the one before it is over.
    fn vehicle(&mut self, vehicle: &Vehicle, text: &mut Vec<u8>) -> io::Result<()>;
    /// A sample of the vehicle.
    fn row(&mut self, row: &Row<'_>, text: &mut Vec<u8>) -> io::Result<()>;
    /// What is after the last row.
    fn tail(&mut self, text: &mut Vec<u8>) -> io::Result<()>;
}

/// Adds a number: the shortest decimal that reads back as the same, without an exponent, which XML's decimals lack.
pub(crate) fn number(value: f64, text: &mut Vec<u8>) -> io::Result<()> {
    write!(text, "{value}")
}
