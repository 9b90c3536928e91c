//! Days: of sentences that tell one, for those that do not.

use bugbrother_wire::UnixMs;
use nmea_parser::chrono::NaiveDate;

const DAY_MS: u32 = 24 * 60 * 60 * 1000;
/// A day that was told so long ago is not known any more. Receivers tell it every second to every minute.
const HOLDS_MS: u32 = 60 * 60 * 1000;

/// A moment of a day, which is counted from 1970 on.
pub(super) fn moment(day: i64, time_of_day_ms: u32) -> UnixMs {
    day * i64::from(DAY_MS) + i64::from(time_of_day_ms)
}

/// The day of a date, if there is one.
pub(super) fn day(year: i32, month: u32, day: u32) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days())
}

/// `ddmmyy`. GPS began in 1980: from 80 on it is the 1900s.
pub(super) fn read_ddmmyy(text: &str) -> Option<i64> {
    if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| text[at..at + 2].parse::<u32>().ok();
    let year = i32::try_from(two(4)?).ok()?;
    day(year + if year >= 80 { 1900 } else { 2000 }, two(2)?, two(0)?)
}

/// The day that was told last, as time goes on.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    day: i64,
    time_of_day_ms: u32,
    age_ms: u32,
}

impl Calendar {
    /// The day at a time of that day.
    pub fn set(&mut self, day: i64, time_of_day_ms: u32) {
        self.known = Some(Known { day, time_of_day_ms, age_ms: 0 });
    }

    /// The day at a time that follows, or lies a little before, the last one.
    pub fn day_of(&mut self, time_of_day_ms: u32) -> Option<i64> {
        let known = self.known.as_mut()?;
        let step = (DAY_MS + time_of_day_ms - known.time_of_day_ms) % DAY_MS;
        if step > DAY_MS / 2 {
            // Back, at the most over midnight: the clock of the calendar stays where it was.
            return Some(if time_of_day_ms > known.time_of_day_ms { known.day - 1 } else { known.day });
        }
        known.age_ms = known.age_ms.saturating_add(step);
        if known.age_ms > HOLDS_MS {
            self.known = None;
            return None;
        }
        if time_of_day_ms < known.time_of_day_ms {
            known.day += 1;
        }
        known.time_of_day_ms = time_of_day_ms;
        Some(known.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_those_that_are_none_are_not() {
        assert_eq!(read_ddmmyy("030410"), Some(14_702)); // 2010-04-03
        assert_eq!(read_ddmmyy("220899"), Some(10_825)); // 1999-08-22
        assert_eq!(read_ddmmyy("060180"), Some(3657));
        assert_eq!(read_ddmmyy("290224"), day(2024, 2, 29));
        for wrong in ["", "290223", "310210", "001010", "+30410", "0304100", "03041"] {
            assert_eq!(read_ddmmyy(wrong), None, "{wrong}");
        }
        assert_eq!(moment(14_702, 40_948_037), 1_270_293_748_037);
    }

    #[test]
    fn a_day_goes_on_over_midnight_both_ways_and_is_forgotten_after_an_hour() {
        let mut calendar = Calendar::default();
        assert_eq!(calendar.day_of(5), None);
        calendar.set(100, DAY_MS - 1000);
        assert_eq!(calendar.day_of(DAY_MS - 2000), Some(100), "a little before");
        assert_eq!(calendar.day_of(500), Some(101));
        assert_eq!(calendar.day_of(DAY_MS - 500), Some(100), "late, from before midnight");
        assert_eq!(calendar.day_of(600), Some(101));
        assert_eq!(calendar.day_of(HOLDS_MS), None);
        assert_eq!(calendar.day_of(600), None);
    }
}
