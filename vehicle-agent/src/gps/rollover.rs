//! Dates that are 1024 weeks wrong.
//!
//! GPS counts weeks by ten bits, so that its date is ambiguous by 1024 weeks, 19.6 years. A receiver resolves that by the
//! date of its own firmware, and some years later begins to tell dates in the past.

use bugbrother_wire::UnixMs;

/// No receiver of this version's vehicles has measured anything before it: 2026-09-01.
pub const EARLIEST_LIVE: UnixMs = 1_788_220_800_000;
const ROLLOVER_MS: i64 = 1024 * 7 * 24 * 60 * 60 * 1000;
/// Old receivers are one or two roll-overs behind.
const MOST_ROLLOVERS: i64 = 2;
const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;
/// So long after [`EARLIEST_LIVE`] dates are put right. Longer, and what receivers tell that know no date yet, such as
/// 1980-01-06, 1999-08-22, 2000-01-01 and the day on which they were made, would be taken for dates in the 2030s.
const HORIZON_MS: i64 = 6 * YEAR_MS;
/// So long after [`EARLIEST_LIVE`] a date is believed at all: a fix of the far future would be the newest for ever.
const LIFE_MS: i64 = 12 * YEAR_MS;

/// The time that a live receiver means, and by how many roll-overs it was wrong; `None` if it can mean none.
pub fn resolve(ts: UnixMs) -> Option<(UnixMs, i64)> {
    if ts >= EARLIEST_LIVE {
        return (ts < EARLIEST_LIVE + LIFE_MS).then_some((ts, 0));
    }
    let steps = (1..=MOST_ROLLOVERS).map(|count| (ts + count * ROLLOVER_MS, count));
    let mut steps = steps.skip_while(|(ts, _)| *ts < EARLIEST_LIVE);
    steps.next().filter(|(ts, _)| *ts < EARLIEST_LIVE + HORIZON_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gps::calendar::{day, moment};

    fn date(year: i32, month: u32, of_month: u32) -> UnixMs {
        moment(day(year, month, of_month).unwrap(), 43_200_000)
    }

    #[test]
    fn a_date_that_is_one_or_two_rollovers_behind_is_put_right() {
        assert_eq!(EARLIEST_LIVE, moment(day(2026, 9, 1).unwrap(), 0));
        for (told, meant, count) in [
            (date(2026, 11, 26), date(2026, 11, 26), 0),
            (date(2007, 4, 12), date(2026, 11, 26), 1),
            (date(1987, 8, 27), date(2026, 11, 26), 2),
            (date(2012, 6, 1), date(2032, 1, 16), 1),
            (date(2038, 1, 1), date(2038, 1, 1), 0),
        ] {
            assert_eq!(resolve(told), Some((meant, count)), "{told}");
        }
    }

    #[test]
    fn a_date_that_stands_for_none_is_not_put_right() {
        for told in [
            date(1980, 1, 6),
            date(1999, 8, 22),
            date(2000, 1, 1),
            date(2018, 1, 1),
            date(2019, 4, 7),
            date(2024, 6, 1),
            date(2040, 1, 1),
        ] {
            assert_eq!(resolve(told), None, "{told}");
        }
    }
}
