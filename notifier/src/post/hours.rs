//! When somebody hears: quiet hours and digests, in the person's own time. Pure.

use bugbrother_wire::{
    UnixMs,
    api::{Attention, Digest, QuietHours},
};
use jiff::{Timestamp, Zoned, civil::Time, tz::TimeZone};

/// Why several are told in one message.
pub const GATHERED: &str = "gathered";

const MINUTES_OF_A_DAY: u16 = 24 * 60;

/// When what happened at `now` is told, and whether together with what else has come until then. `urgent`: it may break
/// through.
pub fn due(attention: &Attention, urgent: bool, now: UnixMs) -> (UnixMs, Option<&'static str>) {
    if urgent && attention.critical_at_once {
        return (now, None);
    }
    let Some(here) = local(attention, now) else { return (now, None) };
    let digest = match attention.digest {
        Digest::AtOnce => here.clone(),
        Digest::Hourly => next(&here, None).unwrap_or_else(|| here.clone()),
        Digest::Daily => {
            let hour = i8::try_from(attention.digest_hour.min(23)).unwrap_or_default();
            next(&here, Some(hour)).unwrap_or_else(|| here.clone())
        }
    };
    let heard = attention.quiet.and_then(|quiet| end_of_quiet(quiet, &digest)).unwrap_or(digest);
    let at = heard.timestamp().as_millisecond().max(now);
    (at, (at > now).then_some(GATHERED))
}

/// The moment where the person is.
pub fn local(attention: &Attention, at: UnixMs) -> Option<Zoned> {
    let zone = attention.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    Some(Timestamp::from_millisecond(at).ok()?.to_zoned(zone))
}

/// When quiet hours end that last at `at`.
fn end_of_quiet(QuietHours { from, to }: QuietHours, at: &Zoned) -> Option<Zoned> {
    let (from, to) = (from % MINUTES_OF_A_DAY, to % MINUTES_OF_A_DAY);
    let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).ok()?;
    let is_quiet = if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to };
    if !is_quiet {
        return None;
    }
    let day = if minute < to { at.date() } else { at.date().tomorrow().ok()? };
    let time = Time::new(i8::try_from(to / 60).ok()?, i8::try_from(to % 60).ok()?, 0, 0).ok()?;
    // An end that the clock leaps over in spring is where it lands; one that comes twice in autumn is the first.
    day.to_datetime(time).to_zoned(at.time_zone().clone()).ok()
}

/// The next full hour, or the next time it is that hour.
fn next(at: &Zoned, hour: Option<i8>) -> Option<Zoned> {
    let Some(hour) = hour else {
        // In real time: an hour that comes twice has two ends.
        let past = i64::from(at.minute()) * 60_000 + i64::from(at.second()) * 1000 + i64::from(at.millisecond());
        let next = at.timestamp().as_millisecond() - past + 60 * 60_000;
        return Some(Timestamp::from_millisecond(next).ok()?.to_zoned(at.time_zone().clone()));
    };
    let time = Time::new(hour, 0, 0, 0).ok()?;
    let today = at.date().to_datetime(time).to_zoned(at.time_zone().clone()).ok()?;
    if today > *at {
        return Some(today);
    }
    at.date().tomorrow().ok()?.to_datetime(time).to_zoned(at.time_zone().clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMs {
        text.parse::<Timestamp>().expect("it is a moment").as_millisecond()
    }

    fn zurich(quiet: Option<(u16, u16)>, digest: Digest) -> Attention {
        Attention {
            quiet: quiet.map(|(from, to)| QuietHours { from: from * 60, to: to * 60 }),
            digest,
            time_zone: Some("Europe/Zurich".into()),
            ..Attention::default()
        }
    }

    #[test]
    fn quiet_hours_hold_back_until_they_end_where_the_person_is() {
        let night = Some((22, 7));
        for (quiet, now, due_at) in [
            // Before, at the beginning, after midnight, at the end.
            (night, "2026-06-10T19:59:00Z", "2026-06-10T19:59:00Z"),
            (night, "2026-06-10T20:00:00Z", "2026-06-11T05:00:00Z"),
            (night, "2026-06-11T02:30:00Z", "2026-06-11T05:00:00Z"),
            (night, "2026-06-11T05:00:00Z", "2026-06-11T05:00:00Z"),
            // In winter the same hours are others.
            (night, "2026-12-10T20:30:00Z", "2026-12-10T20:30:00Z"),
            (night, "2026-12-10T21:00:00Z", "2026-12-11T06:00:00Z"),
            // The nights in which the clock is changed: an hour shorter, an hour longer.
            (night, "2026-03-28T21:30:00Z", "2026-03-29T05:00:00Z"),
            (night, "2026-10-24T20:30:00Z", "2026-10-25T06:00:00Z"),
            // An end that the clock leaps over is where it lands: 02:00 is 03:00.
            (Some((0, 2)), "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
            // In the day, not over midnight.
            (Some((12, 14)), "2026-06-10T10:30:00Z", "2026-06-10T12:00:00Z"),
            (Some((12, 14)), "2026-06-10T12:00:00Z", "2026-06-10T12:00:00Z"),
            // From and to the same: never quiet.
            (Some((8, 8)), "2026-06-10T06:00:00Z", "2026-06-10T06:00:00Z"),
            (None, "2026-06-10T23:00:00Z", "2026-06-10T23:00:00Z"),
        ] {
            let (due_at, now) = (at(due_at), at(now));
            let expected = (due_at, (due_at > now).then_some(GATHERED));
            assert_eq!(due(&zurich(quiet, Digest::AtOnce), false, now), expected, "{quiet:?} {now}");
        }
    }

    #[test]
    fn a_digest_comes_at_full_hours_or_once_a_day_and_not_in_quiet_hours() {
        for (digest, quiet, now, due_at) in [
            (Digest::Hourly, None, "2026-06-10T10:01:00Z", "2026-06-10T11:00:00Z"),
            (Digest::Hourly, None, "2026-06-10T10:00:00Z", "2026-06-10T11:00:00Z"),
            (Digest::Hourly, Some((22, 7)), "2026-06-10T19:30:00Z", "2026-06-11T05:00:00Z"),
            // Twice two o'clock.
            (Digest::Hourly, None, "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
            (Digest::Hourly, None, "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"),
            (Digest::Daily, None, "2026-06-10T04:00:00Z", "2026-06-10T05:00:00Z"),
            (Digest::Daily, None, "2026-06-10T05:00:00Z", "2026-06-11T05:00:00Z"),
            (Digest::Daily, Some((22, 8)), "2026-06-10T04:00:00Z", "2026-06-10T06:00:00Z"),
        ] {
            assert_eq!(due(&zurich(quiet, digest), false, at(now)).0, at(due_at), "{digest:?} {quiet:?} {now}");
        }
    }

    #[test]
    fn what_is_urgent_breaks_through_unless_the_person_wants_none_of_it() {
        let now = at("2026-06-11T02:30:00Z");
        let mut attention = zurich(Some((22, 7)), Digest::Daily);
        assert_eq!(due(&attention, true, now), (now, None));
        attention.critical_at_once = false;
        assert_eq!(due(&attention, true, now), (at("2026-06-11T05:00:00Z"), Some(GATHERED)));
    }

    #[test]
    fn a_zone_that_nobody_knows_is_utc_and_a_time_beyond_the_calendar_is_now() {
        let attention = Attention { time_zone: Some("Moon/Base".into()), ..zurich(Some((22, 7)), Digest::AtOnce) };
        assert_eq!(due(&attention, false, at("2026-06-10T23:00:00Z")).0, at("2026-06-11T07:00:00Z"));
        assert_eq!(due(&attention, false, i64::MAX), (i64::MAX, None));
    }
}
