//! Milliseconds since 1970 as a date in UTC.

use bugbrother_wire::UnixMs;

/// A moment by the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utc {
    pub year: i64,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub millisecond: u16,
}

impl From<UnixMs> for Utc {
    fn from(time: UnixMs) -> Self {
        const DAY_MS: i64 = 86_400_000;
        let (year, month, day) = civil(time.div_euclid(DAY_MS));
        let in_day = time.rem_euclid(DAY_MS);
        Utc {
            year,
            month,
            day,
            hour: (in_day / 3_600_000) as u8,
            minute: (in_day / 60_000 % 60) as u8,
            second: (in_day / 1000 % 60) as u8,
            millisecond: (in_day % 1000) as u16,
        }
    }
}

/// Days since 1970 as year, month and day: Hinnant's `civil_from_days`, which counts years from March.
fn civil(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * march + 2) / 5 + 1) as u8;
    let month = if march < 10 { march + 3 } else { march - 9 } as u8;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_leap_years_and_of_the_end_of_a_year_are_right() {
        let date = |days: i64| {
            let utc = Utc::from(days * 86_400_000);
            (utc.year, utc.month, utc.day)
        };
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_453), (2025, 12, 31));
        assert_eq!(date(20_454), (2026, 1, 1));
        let utc = Utc::from(1_790_000_000_250);
        assert_eq!((utc.hour, utc.minute, utc.second, utc.millisecond), (14, 13, 20, 250));
    }
}
