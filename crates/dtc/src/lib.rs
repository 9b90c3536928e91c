//! Trouble codes in words, in English and French: SAE J2012, ISO 15031-6.
//!
//! # Layout
//! - [`Code`]: a code, and what its digits alone say
//! - [`Catalogue`]: what is known of codes, with the fleet's own words over it; [`Explanation`]: what it says of one;
//!   [`catalogue`] and [`install`]: the one of this process
//! - `own`: the fleet's own words, a CSV; [`BadLine`]: what could not be taken of it
//! - `tables`: the built-in words, in `data/`. `codes.csv` names for each code the part, its place and what is wrong with
//!   it; `parts.csv` and `faults.csv` have their words, `advice.csv` and `checks.csv` what to do
//!
//! # Invariants
//! - Every text is explained, in either language: a code that is not known by itself by its structure.
//! - Words are put together from parts, so that the two languages say the same of every code.
//! - Native alone: the tables do not go into the web app, which is told the words.

#![warn(missing_docs)]

mod catalogue;
mod code;
mod own;
mod tables;

pub use catalogue::{Catalogue, Explanation, catalogue, install};
pub use code::Code;
pub use own::{BadLine, MAX_BAD_LINES, MAX_BYTES, OpenError};
