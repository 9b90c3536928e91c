//! Periods that people ask for.

use bugbrother_wire::UnixMs;

use crate::{phrases::business::Business, ui::day};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A period that ends today, or a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// So many days, today the last.
    Days(i64),
    /// The running month.
    ThisMonth,
    /// The month before.
    LastMonth,
    /// The running year.
    ThisYear,
}

/// What one is called.
type Name = fn(&Business) -> &'static str;

/// All that are offered.
pub const PERIODS: [(Period, Name); 5] = [
    (Period::Days(7), |words| words.last_7),
    (Period::Days(30), |words| words.last_30),
    (Period::ThisMonth, |words| words.this_month),
    (Period::LastMonth, |words| words.last_month),
    (Period::ThisYear, |words| words.this_year),
];

impl Period {
    /// Its first and last day.
    pub fn days(self, now: UnixMs) -> (String, String) {
        let today = day::to_input(now);
        let first_of_month = format!("{}-01", &today[..7]);
        match self {
            // Noon: a day that is an hour shorter or longer does no harm.
            Period::Days(count) => {
                let noon = day::from_input(&today, 0).unwrap_or(now) + DAY_MS / 2;
                (day::to_input(noon - (count - 1) * DAY_MS), today)
            }
            Period::ThisMonth => (first_of_month, today),
            Period::LastMonth => {
                let last = day::to_input(day::from_input(&first_of_month, 0).unwrap_or(now) - 1);
                (format!("{}-01", &last[..7]), last)
            }
            Period::ThisYear => (format!("{}-01-01", &today[..4]), today),
        }
    }
}
