//! Days where a person is.

use bugbrother_store::{Zone, statistics::MAX_DAYS};
use bugbrother_wire::UnixMs;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// Days of a time zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    name: String,
}

/// Why a span is no span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It ends before it begins.
    #[error("the last day is before the first")]
    Backwards,
    /// It is longer than [`MAX_DAYS`].
    #[error("up to 800 days")]
    TooLong,
    /// Such days the calendar does not have.
    #[error("no such day")]
    NoSuchDay,
}

/// Days that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub first: Date,
    /// The last.
    pub last: Date,
    /// When the first begins.
    pub from: UnixMs,
    /// When the last has ended.
    pub to: UnixMs,
}

impl Calendar {
    /// Of a zone such as `Europe/Zurich`; nothing when there is no such zone.
    pub fn of(name: &str) -> Option<Self> {
        let fits = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b));
        let zone = fits.then(|| TimeZone::get(name).ok()).flatten()?;
        let name = zone.iana_name().unwrap_or("UTC").to_owned();
        Some(Calendar { zone, name })
    }

    /// Its zone's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The day of a moment.
    pub fn date(&self, at: UnixMs) -> Date {
        let moment = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        moment.to_zoned(self.zone.clone()).date()
    }

    /// When a day begins.
    pub fn begin(&self, date: Date) -> Option<UnixMs> {
        Some(date.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond())
    }

    /// Days from the first to the last.
    pub fn days(&self, first: Date, last: Date) -> Result<Days, SpanError> {
        if last < first {
            return Err(SpanError::Backwards);
        }
        let days = Days { first, last, from: 0, to: 0 };
        if days.count() > i64::from(MAX_DAYS) {
            return Err(SpanError::TooLong);
        }
        let after = last.checked_add(1.day()).map_err(|_| SpanError::NoSuchDay)?;
        let from = self.begin(first).ok_or(SpanError::NoSuchDay)?;
        let to = self.begin(after).ok_or(SpanError::NoSuchDay)?;
        Ok(Days { from, to, ..days })
    }

    /// How far the zone is ahead of UTC in those days.
    pub fn zone(&self, days: &Days) -> Option<Zone> {
        let at = |ms| Timestamp::from_millisecond(ms).ok();
        let (from, to) = (at(days.from)?, at(days.to)?);
        let ms = |seconds: i32| i64::from(seconds) * 1000;
        let first = ms(self.zone.to_offset(from).seconds());
        let changes = self.zone.following(from).take_while(|change| change.timestamp() < to);
        let mut offset = first;
        let changes = changes.filter_map(|change| {
            let next = ms(change.offset().seconds());
            // Some changes are of the name alone.
            (std::mem::replace(&mut offset, next) != next).then(|| (change.timestamp().as_millisecond(), next))
        });
        Zone::new(first, changes.collect::<Vec<_>>())
    }
}

impl Days {
    /// How many.
    pub fn count(&self) -> i64 {
        number(self.last) - number(self.first) + 1
    }

    /// Each of them.
    pub fn each(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.last;
        std::iter::successors(Some(self.first), move |day| day.tomorrow().ok()).take_while(move |day| *day <= last)
    }
}

/// The number of a day, counted from 1970-01-01.
pub fn number(date: Date) -> i64 {
    i64::from(Date::constant(1970, 1, 1).until(date).map_or(0, |span| span.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_day_in_spring_is_short_and_one_in_autumn_long() {
        let zurich = Calendar::of("Europe/Zurich").unwrap();
        for (date, hours) in [((2026, 3, 28), 24), ((2026, 3, 29), 23), ((2026, 10, 25), 25)] {
            let day = Date::new(date.0, date.1, date.2).unwrap();
            let days = zurich.days(day, day).unwrap();
            assert_eq!((days.to - days.from, days.count()), (hours * HOUR, 1), "{day}");
            let zone = zurich.zone(&days).unwrap();
            assert_eq!(zone.day(days.from), number(day));
            assert_eq!(zone.day(days.to - 1), number(day));
            assert_eq!(zone.day(days.to), number(day) + 1);
            assert_eq!(zurich.date(days.from), day);
        }
    }

    #[test]
    fn two_years_anywhere_have_few_changes_of_the_clock() {
        for name in
            ["Europe/Zurich", "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe", "UTC", "Asia/Kolkata"]
        {
            let calendar = Calendar::of(name).unwrap();
            let first = Date::new(2025, 1, 1).unwrap();
            let days = calendar.days(first, first.checked_add(799.days()).unwrap()).unwrap();
            let zone = calendar.zone(&days).unwrap();
            for day in days.each() {
                assert_eq!(zone.day(calendar.begin(day).unwrap()), number(day), "{name} {day}");
            }
            assert_eq!(days.each().count(), 800);
        }
    }

    #[test]
    fn what_is_no_zone_and_no_span_is_refused() {
        for name in ["", "Mars/Olympus", "../etc/passwd", "Europe/Zurich\0", &"x".repeat(100)] {
            assert!(Calendar::of(name).is_none(), "{name}");
        }
        let utc = Calendar::of("utc").unwrap();
        let day = Date::new(2026, 1, 2).unwrap();
        assert_eq!(utc.days(day, day.yesterday().unwrap()), Err(SpanError::Backwards));
        assert_eq!(utc.days(day, day.checked_add(800.days()).unwrap()), Err(SpanError::TooLong));
        assert_eq!(utc.days(Date::MAX, Date::MAX), Err(SpanError::NoSuchDay));
    }
}
