//! Rows of typed cells: trips, events, alerts, trouble codes.

use std::{collections::HashSet, io::Write};

use bugbrother_wire::UnixMs;

use crate::{
    ExportError, TableFormat, csv,
    exporter::MAX_COLUMNS,
    json,
    moment::Moment,
    row::{finite, number},
};

/// What the cells of a column are, where they are not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// Yes or no.
    Bool,
    /// A time. In the file it is two columns: `began` with ISO 8601, `began_ms` with milliseconds since 1970.
    Time,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the file, with the unit where there is one: `distance_km`.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
}

impl Field {
    /// A column.
    pub fn new(name: &str, kind: Kind) -> Self {
        Field { name: name.to_owned(), kind }
    }
}

/// A cell of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: an empty cell in CSV, `null` in JSON. It fits every column.
    Null,
    /// Text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number. One that is not finite is written as [`Cell::Null`].
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A time.
    Time(UnixMs),
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Cell::Text(text)
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Cell::Integer(number)
    }
}

impl From<f64> for Cell<'_> {
    fn from(number: f64) -> Self {
        Cell::Float(number)
    }
}

impl From<bool> for Cell<'_> {
    fn from(yes: bool) -> Self {
        Cell::Bool(yes)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(known: Option<T>) -> Self {
        known.map_or(Cell::Null, Into::into)
    }
}

/// Writes a table into `W`, row by row. What is in `W` may be taken out between rows, as from an [`crate::Exporter`].
///
/// ```
/// use bugbrother_export::{Cell, Field, Kind, Table, TableFormat};
///
/// let fields = vec![Field::new("code", Kind::Text), Field::new("first_seen", Kind::Time)];
/// let mut table = Table::new(TableFormat::JsonLines, fields, Vec::new())?;
/// table.row(&["P0420".into(), Cell::Time(1_790_000_000_000)])?;
/// let line = r#"{"code":"P0420","first_seen":"2026-09-21T14:13:20.000Z","first_seen_ms":1790000000000}"#;
/// assert_eq!(String::from_utf8(table.finish()?)?.trim_end(), line);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a file is whole after `finish`"]
pub struct Table<W: Write + Send> {
    format: TableFormat,
    fields: Vec<Field>,
    /// `"name":` of each column of the file, for JSON.
    members: Vec<Vec<u8>>,
    is_first: bool,
    text: Vec<u8>,
    out: W,
}

impl<W: Write + Send> Table<W> {
    /// Begins a file.
    pub fn new(format: TableFormat, fields: Vec<Field>, mut out: W) -> Result<Self, ExportError> {
        if fields.len() > MAX_COLUMNS {
            return Err(ExportError::Columns(fields.len()));
        }
        let names = names(&fields)?;
        match format {
            TableFormat::Csv => {
                let mut text = Vec::new();
                for (place, name) in names.iter().enumerate() {
                    if place > 0 {
                        text.push(b',');
                    }
                    csv::text(name, &mut text);
                }
                end_line(&mut text);
                out.write_all(&text)?;
            }
            TableFormat::Json => out.write_all(b"[")?,
            TableFormat::JsonLines => (),
        }
        let members = names.iter().map(|name| json::member(name)).collect::<std::io::Result<_>>()?;
        Ok(Table { format, fields, members, is_first: true, text: Vec::new(), out })
    }

    /// Adds a row: a cell for each column.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        if cells.len() != self.fields.len() {
            return Err(ExportError::Width { got: cells.len(), expected: self.fields.len() });
        }
        self.text.clear();
        match self.format {
            TableFormat::Csv => self.csv(cells)?,
            TableFormat::Json => {
                self.text.extend_from_slice(if self.is_first { b"\n" } else { b",\n" });
                self.json(cells)?;
            }
            TableFormat::JsonLines => {
                self.json(cells)?;
                self.text.push(b'\n');
            }
        }
        self.is_first = false;
        Ok(self.out.write_all(&self.text)?)
    }

    /// The sink, for taking out what has been written. Writing to it spoils the file.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the file and gives the sink back, flushed.
    pub fn finish(mut self) -> Result<W, ExportError> {
        if self.format == TableFormat::Json {
            self.out.write_all(if self.is_first { b"]\n" } else { b"\n]\n" })?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn csv(&mut self, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        let text = &mut self.text;
        for (place, (field, cell)) in self.fields.iter().zip(cells).enumerate() {
            if place > 0 {
                text.push(b',');
            }
            match fitting(field, *cell)? {
                Cell::Null if field.kind == Kind::Time => text.push(b','),
                Cell::Null => (),
                Cell::Text(word) => csv::text(word, text),
                Cell::Integer(whole) => write!(text, "{whole}")?,
                Cell::Float(value) => number(value, text)?,
                Cell::Bool(yes) => write!(text, "{yes}")?,
                Cell::Time(ts) => write!(text, "{},{ts}", Moment::of(ts)?)?,
            }
        }
        end_line(text);
        Ok(())
    }

    fn json(&mut self, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        let text = &mut self.text;
        let mut members = self.members.iter();
        let mut begins = b'{';
        let mut member = |text: &mut Vec<u8>| {
            text.push(std::mem::replace(&mut begins, b','));
            text.extend(members.next().into_iter().flatten());
        };
        for (field, cell) in self.fields.iter().zip(cells) {
            member(text);
            match fitting(field, *cell)? {
                Cell::Null => text.extend_from_slice(b"null"),
                Cell::Text(word) => json::text(word, text)?,
                Cell::Integer(whole) => write!(text, "{whole}")?,
                Cell::Float(value) => number(value, text)?,
                Cell::Bool(yes) => write!(text, "{yes}")?,
                Cell::Time(ts) => write!(text, "\"{}\"", Moment::of(ts)?)?,
            }
            match (field.kind, cell) {
                (Kind::Time, Cell::Time(ts)) => {
                    member(text);
                    write!(text, "{ts}")?;
                }
                (Kind::Time, _) => {
                    member(text);
                    text.extend_from_slice(b"null");
                }
                _ => (),
            }
        }
        text.extend_from_slice(if self.fields.is_empty() { b"{}" } else { b"}" });
        Ok(())
    }
}

/// Ends a line of CSV. A line of one empty cell would be taken for an empty line, which readers skip.
fn end_line(text: &mut Vec<u8>) {
    if text.is_empty() {
        text.extend_from_slice(b"\"\"");
    }
    text.extend_from_slice(csv::LINE_END);
}

/// Names of the file's columns, of which a time has two.
fn names(fields: &[Field]) -> Result<Vec<String>, ExportError> {
    let mut names = Vec::new();
    for field in fields {
        names.push(field.name.clone());
        if field.kind == Kind::Time {
            names.push(format!("{}_ms", field.name));
        }
    }
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(ExportError::Twice(twice.clone())),
        None => Ok(names),
    }
}

/// The cell, if it is of the column's kind.
fn fitting<'a>(field: &Field, cell: Cell<'a>) -> Result<Cell<'a>, ExportError> {
    let kind = match cell {
        Cell::Null => return Ok(Cell::Null),
        Cell::Text(_) => Kind::Text,
        Cell::Integer(_) => Kind::Integer,
        Cell::Float(_) => Kind::Float,
        Cell::Bool(_) => Kind::Bool,
        Cell::Time(_) => Kind::Time,
    };
    match cell {
        _ if kind != field.kind => Err(ExportError::Kind { field: field.name.clone(), expected: field.kind }),
        Cell::Float(value) => Ok(finite(Some(value)).map_or(Cell::Null, Cell::Float)),
        fits => Ok(fits),
    }
}
