//! Outside certain hours of the week, by the clocks of a time zone.

use bugbrother_wire::{
    UnixMs,
    rule::{Hours as Spec, Weekday},
};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    Moment, News, Note, hold,
    hold::{Held, Hold},
};

const MINUTE_MS: i64 = 60_000;

/// Hours of the week.
#[derive(Debug, Clone)]
pub struct Hours {
    zone: TimeZone,
    days: [bool; 7],
    from_min: u16,
    to_min: u16,
}

/// What is remembered of a vehicle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lately {
    /// When it was heard last.
    last_ts: UnixMs,
    /// The minute that was looked up last, and whether it lies outside: clocks change at whole minutes alone.
    #[serde(skip)]
    minute: Option<(i64, bool)>,
}

impl Hours {
    /// Nothing when there is no such zone.
    pub fn new(spec: &Spec) -> Option<Self> {
        let zone = TimeZone::get(&spec.zone).ok()?;
        let days = Weekday::ALL.map(|day| spec.days.contains(&day));
        Some(Hours { zone, days, from_min: spec.from_min, to_min: spec.to_min })
    }

    pub fn step(&self, lately: &mut Lately, held: &mut Held, moment: &Moment<'_>) -> Option<Note> {
        match moment.news {
            // A vehicle that speaks has a clock of its own.
            News::Time if moment.ts - lately.last_ts < MINUTE_MS => return None,
            News::Time => {}
            _ => lately.last_ts = lately.last_ts.max(moment.ts),
        }
        let minute = moment.ts.div_euclid(MINUTE_MS);
        let is_outside = match lately.minute {
            Some((known, is_outside)) if known == minute => is_outside,
            _ => {
                let is_outside = self.is_outside(moment.ts);
                lately.minute = Some((minute, is_outside));
                is_outside
            }
        };
        if is_outside { hold::begin(held, || Hold::since(moment.ts)) } else { hold::end(held, moment.ts) }
    }

    /// Whether a moment lies outside the hours.
    fn is_outside(&self, ts: UnixMs) -> bool {
        let Ok(at) = Timestamp::from_millisecond(ts) else { return false };
        let local = self.zone.to_datetime(at);
        let minute = local.hour() as u16 * 60 + local.minute() as u16;
        let today = usize::from(number(local.weekday()));
        let yesterday = (today + 6) % 7;
        let is_inside = if self.from_min < self.to_min {
            self.days[today] && (self.from_min..self.to_min).contains(&minute)
        } else {
            (self.days[today] && minute >= self.from_min) || (self.days[yesterday] && minute < self.to_min)
        };
        !is_inside
    }
}

/// Monday is 0.
fn number(day: civil::Weekday) -> u8 {
    day.to_monday_zero_offset().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside(days: &[Weekday], from_min: u16, to_min: u16, at: &str) -> bool {
        let zone = "Europe/Zurich".to_owned();
        let hours = Hours::new(&Spec { zone, days: days.to_vec(), from_min, to_min }).unwrap();
        hours.is_outside(at.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn hours_are_those_of_the_zone_in_summer_and_in_winter() {
        let week = &Weekday::ALL[..5];
        for (at, is_outside) in [
            ("2026-07-06T04:59:59Z", true),  // Monday, 06:59 in summer
            ("2026-07-06T05:00:00Z", false), // 07:00
            ("2026-07-06T15:59:59Z", false), // 17:59
            ("2026-07-06T16:00:00Z", true),  // 18:00
            ("2026-12-07T05:30:00Z", true),  // Monday, 06:30 in winter
            ("2026-12-07T06:00:00Z", false), // 07:00
            ("2026-07-04T10:00:00Z", true),  // Saturday
        ] {
            assert_eq!(outside(week, 420, 1080, at), is_outside, "{at}");
        }
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_on_which_they_begin() {
        let friday = &[Weekday::Fri];
        for (at, is_outside) in [
            ("2026-07-03T19:59:00Z", true),  // Friday, 21:59
            ("2026-07-03T20:00:00Z", false), // 22:00
            ("2026-07-04T03:59:00Z", false), // Saturday, 05:59
            ("2026-07-04T04:00:00Z", true),
            ("2026-07-04T20:30:00Z", true), // Saturday, 22:30
            ("2026-07-03T02:00:00Z", true), // Friday, 04:00: Thursday's night
        ] {
            assert_eq!(outside(friday, 1320, 360, at), is_outside, "{at}");
        }
    }
}
