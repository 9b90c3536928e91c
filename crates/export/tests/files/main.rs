//! Files of every format, read back.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops where it is")]

mod drives;
mod golden;
mod gpx;
mod round_trip;
mod table;
