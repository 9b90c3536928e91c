//! Statistics as files: a table for spreadsheets, and a report for people to print. Pure.

mod csv;
mod font;
mod page;
mod pdf;
#[cfg(test)]
mod tests;
mod words;

use bugbrother_wire::api::Statistics;
use jiff::civil::Date;

pub use csv::csv;
pub use pdf::{page_of_text, pdf};
pub use words::Language;

/// What a report is of.
#[derive(Debug, Clone)]
pub struct Report {
    /// The numbers.
    pub statistics: Statistics,
    /// In which language.
    pub language: Language,
    /// The first day.
    pub first: Date,
    /// The last.
    pub last: Date,
    /// When it was made.
    pub made: Date,
    /// Name of the client, if it is of one.
    pub client: Option<String>,
    /// Name of the vehicle, if it is of one.
    pub vehicle: Option<String>,
}
