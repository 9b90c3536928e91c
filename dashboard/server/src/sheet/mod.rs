//! A list of vehicles as people have it in a spreadsheet. Pure.
//!
//! Fields are separated by `,`, `;` or tabs; headers and fuels are in English or French; the text is UTF-8 or what Windows
//! writes in western Europe.

mod header;
mod row;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::HashSet};

use bugbrother_wire::{
    FuelKind, Vin,
    api::{FaultKind, ImportFault},
};

use header::Column;

/// Most lines below the header.
pub const MAX_LINES: usize = 10_000;
/// Largest file.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The list.
#[derive(Debug, PartialEq)]
pub struct Sheet {
    /// Its lines.
    pub rows: Vec<Row>,
    /// Headers that mean nothing here.
    pub unknown_columns: Vec<String>,
}

/// A line. What does not stand in it, or in no column, is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// Its number in the file; the header is the first.
    pub line: u32,
    /// What stands as its VIN.
    pub vin_text: String,
    /// The VIN, if it is one.
    pub vin: Option<Vin>,
    /// What people call it.
    pub name: Option<String>,
    /// Registration plate.
    pub plate: Option<String>,
    /// What kind of vehicle it is.
    pub class: Option<String>,
    /// What it burns.
    pub fuel: Option<FuelKind>,
    /// Size of its tank in litres.
    pub tank_l: Option<f64>,
    /// Size of its traction battery in kWh.
    pub battery_kwh: Option<f64>,
    /// What else is worth knowing.
    pub note: Option<String>,
    /// What is wrong with it.
    pub faults: Vec<ImportFault>,
}

/// Why a file is no list of vehicles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// No column has the VINs.
    #[error("the first line must name the columns, one of them `vin`")]
    NoVin,
    /// Two columns mean the same.
    #[error("two columns mean the same: `{0}`")]
    Twice(String),
    /// There are too many lines.
    #[error("up to 10,000 lines can be imported at once")]
    TooLong,
    /// It cannot be read as a table.
    #[error("line {0} cannot be read: a quotation mark is not closed, or this is no text")]
    Broken(u64),
}

impl Sheet {
    /// Reads a list.
    pub fn read(bytes: &[u8]) -> Result<Self, SheetError> {
        let text = decode(bytes);
        if text.contains('\0') {
            return Err(SheetError::Broken(1));
        }
        let separator = separator(&text);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut records = reader.records();
        let first = records.next().ok_or(SheetError::Empty)?.map_err(|error| broken(&error))?;
        let columns: Vec<Option<Column>> = first.iter().map(Column::of).collect();
        let unknown_columns = first
            .iter()
            .zip(&columns)
            .filter(|(name, column)| column.is_none() && !name.is_empty())
            .map(|(name, _)| name.chars().take(60).collect())
            .collect();
        for (n, column) in columns.iter().enumerate() {
            if column.is_some() && columns[..n].contains(column) {
                return Err(SheetError::Twice(first[n].to_owned()));
            }
        }
        if !columns.contains(&Some(Column::Vin)) {
            return Err(SheetError::NoVin);
        }
        let mut lines = Lines::new(&text);
        let mut rows = Vec::new();
        let mut seen: HashSet<Vin> = HashSet::new();
        for record in records {
            let record = record.map_err(|error| broken(&error))?;
            if record.iter().all(str::is_empty) {
                continue;
            }
            if rows.len() == MAX_LINES {
                return Err(SheetError::TooLong);
            }
            let line = lines.line_of(record.position().map_or(0, csv::Position::byte));
            let mut row = Row::read(line, &record, &columns);
            if row.vin.is_some_and(|vin| !seen.insert(vin)) {
                row.fault("vin", FaultKind::Twice, &row.vin_text.clone());
            }
            rows.push(row);
        }
        if !text_closes_its_quotes(&text, separator) {
            return Err(SheetError::Broken(rows.last().map_or(1, |row| u64::from(row.line))));
        }
        Ok(Sheet { rows, unknown_columns })
    }
}

/// Counts lines. The reader's own count is one behind after `\r\n`.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Lines { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line of the first character at or after this byte that ends none. Bytes must not go back.
    fn line_of(&mut self, byte: u64) -> u32 {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(here) = self.text.get(self.at) {
            let ends = matches!(here, b'\n' | b'\r');
            if self.at >= byte && !ends {
                break;
            }
            let is_half = *here == b'\r' && self.text.get(self.at + 1) == Some(&b'\n');
            self.line += u32::from(ends && !is_half);
            self.at += 1;
        }
        self.line
    }
}

fn broken(error: &csv::Error) -> SheetError {
    SheetError::Broken(error.position().map_or(1, csv::Position::line))
}

/// UTF-8 with or without its mark; anything else is taken for Windows' western text.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| western(*byte)).collect()),
    }
}

/// Windows-1252, where it differs from Unicode's first 256 characters.
fn western(byte: u8) -> char {
    match byte {
        0x80 => '€',
        0x85 => '…',
        0x8c => 'Œ',
        0x91 => '‘',
        0x92 => '’',
        0x93 => '“',
        0x94 => '”',
        0x96 => '–',
        0x97 => '—',
        0x9c => 'œ',
        0x81..=0x9f => '\u{fffd}',
        other => char::from(other),
    }
}

/// The one that cuts the header into the most columns of which something is known.
fn separator(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let known = |separator: &u8| {
        header.split(char::from(*separator)).filter(|name| Column::of(name.trim().trim_matches('"')).is_some()).count()
    };
    // Of equals the last one counts: a comma is the default.
    [b'\t', b';', b','].into_iter().max_by_key(known).unwrap_or(b',')
}

/// The reader takes the rest of a file for one field where a quotation mark is not closed: that would be a silent loss.
fn text_closes_its_quotes(text: &str, separator: u8) -> bool {
    let mut inside = false;
    let mut at_start = true;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if inside => {
                if characters.peek() == Some(&'"') {
                    characters.next();
                } else {
                    inside = false;
                }
            }
            '"' if at_start => inside = true,
            _ => {}
        }
        at_start = !inside && (c == char::from(separator) || c == '\n' || c == '\r' || (at_start && c == ' '));
    }
    !inside
}
