//! A time as ISO 8601 writes it.

use std::fmt;

use bugbrother_wire::UnixMs;
use time::OffsetDateTime;

use crate::ExportError;

/// A time of the years 0 to 9999. It is displayed as `2026-09-21T14:13:20.000Z`: ISO 8601 and RFC 3339, in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(OffsetDateTime);

impl Moment {
    pub fn of(ts: UnixMs) -> Result<Self, ExportError> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(ts) * 1_000_000)
            .ok()
            .filter(|time| (0..=9999).contains(&time.year()))
            .map(Moment)
            .ok_or(ExportError::Time(ts))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        let (hour, minute, second, ms) = self.0.to_hms_milli();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z", u8::from(month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds() {
        let text = |ts| Moment::of(ts).map(|moment| moment.to_string()).ok();
        assert_eq!(text(1_790_000_000_007).as_deref(), Some("2026-09-21T14:13:20.007Z"));
        assert_eq!(text(-1).as_deref(), Some("1969-12-31T23:59:59.999Z"));
        assert_eq!(text(253_402_300_799_999).as_deref(), Some("9999-12-31T23:59:59.999Z"));
        assert_eq!([text(253_402_300_800_000), text(i64::MAX), text(i64::MIN)], [None, None, None]);
    }
}
