//! When something is to be done to a vehicle the next time. Pure: time is an argument.

use bugbrother_wire::UnixMs;
use time::{Date, Month, OffsetDateTime};

/// So long before, it is due soon.
pub const SOON_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// With so small a share of the interval left, it is due soon.
const SOON_SHARE: f64 = 0.1;
/// What was driven in less time tells no pace.
const PACE_MS: i64 = 3 * 24 * 60 * 60 * 1000;

/// How often something is to be done, whichever comes first; and a day on which it is to be done once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interval {
    /// Every so many kilometres.
    pub km: Option<u32>,
    /// Every so many hours with the engine running.
    pub hours: Option<u32>,
    /// Every so many months.
    pub months: Option<u32>,
    /// At this moment.
    pub at: Option<UnixMs>,
}

/// What has passed since it was done last.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Passed {
    /// When that was.
    pub since: UnixMs,
    /// Kilometres.
    pub km: f64,
    /// Hours with the engine running.
    pub hours: f64,
}

/// How pressing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueState {
    /// It should have been done.
    Overdue,
    /// Within 30 days, or with the last tenth of the interval running.
    Soon,
    /// Later.
    Later,
}

/// When it is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Due {
    /// How pressing it is.
    pub state: DueState,
    /// By the calendar: the months, or the day.
    pub at: Option<UnixMs>,
    /// Kilometres until then; less than nothing when it is overdue.
    pub left_km: Option<f64>,
    /// Hours with the engine running until then.
    pub left_hours: Option<f64>,
    /// When it is to be expected, if the vehicle is driven as since the last time.
    pub expected: Option<UnixMs>,
}

/// When something is to be done at which `passed` has passed by `now`; nothing when the interval says nothing.
pub fn next(interval: &Interval, passed: &Passed, now: UnixMs) -> Option<Due> {
    let months = interval.months.map(|months| add_months(passed.since, months));
    let at = months.into_iter().chain(interval.at).min();
    let left_km = interval.km.map(|km| f64::from(km) - passed.km);
    let left_hours = interval.hours.map(|hours| f64::from(hours) - passed.hours);
    if at.is_none() && left_km.is_none() && left_hours.is_none() {
        return None;
    }
    let elapsed = now - passed.since;
    let by_pace = |left: Option<f64>, done: f64| {
        let left = left?;
        if left <= 0.0 {
            return Some(now);
        }
        (elapsed >= PACE_MS && done > 0.0).then(|| now.saturating_add((left / done * elapsed as f64) as i64))
    };
    let expected = [at, by_pace(left_km, passed.km), by_pace(left_hours, passed.hours)].into_iter().flatten().min();
    let is_over = |left: Option<f64>| left.is_some_and(|left| left <= 0.0);
    let nears_end = |left: Option<f64>, whole: Option<u32>| {
        left.zip(whole).is_some_and(|(left, whole)| left <= f64::from(whole) * SOON_SHARE)
    };
    let state = if is_over(left_km) || is_over(left_hours) || at.is_some_and(|at| at <= now) {
        DueState::Overdue
    } else if nears_end(left_km, interval.km)
        || nears_end(left_hours, interval.hours)
        || expected.is_some_and(|expected| expected - now <= SOON_MS)
    {
        DueState::Soon
    } else {
        DueState::Later
    };
    Some(Due { state, at, left_km, left_hours, expected })
}

/// The same day and time so many months later; the last day of the month where that one has no such day.
fn add_months(from: UnixMs, months: u32) -> UnixMs {
    let Ok(moment) = OffsetDateTime::from_unix_timestamp(from.div_euclid(1000)) else { return UnixMs::MAX };
    let count = i64::from(moment.year()) * 12 + i64::from(u8::from(moment.month())) - 1 + i64::from(months);
    let later = || {
        let year = i32::try_from(count.div_euclid(12)).ok()?;
        let month = Month::try_from(u8::try_from(count.rem_euclid(12) + 1).ok()?).ok()?;
        let day = moment.day().min(month.length(year));
        let date = Date::from_calendar_date(year, month, day).ok()?;
        Some(moment.replace_date(date).unix_timestamp() * 1000 + from.rem_euclid(1000))
    };
    later().unwrap_or(UnixMs::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;
    /// 2026-01-31 12:00 UTC.
    const START: UnixMs = 1_769_860_800_000;

    fn every(km: Option<u32>, hours: Option<u32>, months: Option<u32>) -> Interval {
        Interval { km, hours, months, at: None }
    }

    fn passed(km: f64, hours: f64) -> Passed {
        Passed { since: START, km, hours }
    }

    #[test]
    fn kilometres_count_down_and_go_below_nothing() {
        let oil = every(Some(15_000), None, None);
        let at = |km| next(&oil, &passed(km, 0.0), START + 100 * DAY).unwrap();
        let fresh = at(3_000.0);
        assert_eq!((fresh.state, fresh.left_km, fresh.at), (DueState::Later, Some(12_000.0), None));
        // 3,000 km in 100 days: 12,000 more take 400.
        assert_eq!(fresh.expected, Some(START + 500 * DAY));
        assert_eq!(at(13_499.0).state, DueState::Soon, "at its pace within 30 days");
        assert_eq!(at(15_000.0).state, DueState::Overdue);
        let over = at(16_200.0);
        assert_eq!(
            (over.state, over.left_km, over.expected),
            (DueState::Overdue, Some(-1_200.0), Some(START + 100 * DAY))
        );
    }

    #[test]
    fn the_last_tenth_of_an_interval_is_soon_however_slow() {
        let slow = next(&every(Some(1_000), None, None), &passed(905.0, 0.0), START + 3_000 * DAY).unwrap();
        assert_eq!(slow.state, DueState::Soon);
        let slower = next(&every(None, Some(100), None), &passed(0.0, 89.0), START + 3_000 * DAY).unwrap();
        assert_eq!((slower.state, slower.left_hours), (DueState::Later, Some(11.0)));
    }

    #[test]
    fn months_end_on_the_same_day_or_on_the_last() {
        let monthly = |months| next(&every(None, None, Some(months)), &passed(0.0, 0.0), START).unwrap().at.unwrap();
        assert_eq!(monthly(1), START + 28 * DAY, "February 2026 has no 31st");
        assert_eq!(monthly(2), START + 59 * DAY, "March has");
        assert_eq!(monthly(12), START + 365 * DAY);
        assert_eq!(monthly(25), START + (365 + 365 + 29) * DAY, "2028 has a 29 February");
        assert_eq!(monthly(u32::MAX), UnixMs::MAX);
    }

    #[test]
    fn whichever_comes_first_counts() {
        let service = Interval { at: Some(START + 90 * DAY), ..every(Some(30_000), Some(500), Some(12)) };
        let now = START + 50 * DAY;
        let due = next(&service, &passed(5_000.0, 100.0), now).unwrap();
        assert_eq!((due.at, due.expected), (Some(START + 90 * DAY), Some(START + 90 * DAY)));
        assert_eq!(due.state, DueState::Later);
        let due = next(&service, &passed(5_000.0, 480.0), now).unwrap();
        assert_eq!(due.state, DueState::Soon, "its hours are nearly over");
        let due = next(&service, &passed(5_000.0, 100.0), START + 90 * DAY).unwrap();
        assert_eq!(due.state, DueState::Overdue);
    }

    #[test]
    fn a_pace_of_a_day_or_two_is_none_and_nothing_is_never_due() {
        let due = next(&every(Some(10_000), None, None), &passed(900.0, 0.0), START + DAY).unwrap();
        assert_eq!((due.state, due.expected), (DueState::Later, None));
        assert_eq!(next(&Interval::default(), &passed(1e6, 1e6), START), None);
    }
}
