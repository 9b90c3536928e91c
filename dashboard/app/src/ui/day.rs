//! Days and moments as people write them, in the time zone that the person chose.

use bugbrother_wire::UnixMs;
use js_sys::Date;
use wasm_bindgen::JsValue;

use super::zone;

const DAY_MS: f64 = 86_400_000.0;

/// The clock of this machine.
pub fn now() -> UnixMs {
    Date::now() as UnixMs
}

/// Name of the time zone, such as `Europe/Zurich`.
pub fn zone() -> String {
    zone::chosen().unwrap_or_else(zone::of_browser)
}

/// A day as an input of type `date` has it: `2026-03-29`.
pub fn to_input(at: UnixMs) -> String {
    let iso = String::from(date(zone::to_wall(at)).to_iso_string());
    iso.chars().take(10).collect()
}

/// When a day begins that stands in an input of type `date`, and so many days later.
pub fn from_input(text: &str, days_later: i32) -> Option<UnixMs> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<i32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let wall = Date::utc(f64::from(year), f64::from(month - 1)) + f64::from(day - 1 + days_later) * DAY_MS;
    wall.is_finite().then(|| zone::of_wall(wall as i64))
}

/// Such as `29 Mar 2026`.
pub fn day(locale: &str, at: UnixMs) -> String {
    text(locale, at, &[("day", "numeric"), ("month", "short"), ("year", "numeric")])
}

/// Such as `Sun 29 Mar`.
pub fn weekday(locale: &str, at: UnixMs) -> String {
    text(locale, at, &[("weekday", "short"), ("day", "numeric"), ("month", "short")])
}

/// Such as `March 2026`.
pub fn month(locale: &str, at: UnixMs) -> String {
    text(locale, at, &[("month", "long"), ("year", "numeric")])
}

/// Such as `29 Mar 2026, 14:05`.
pub fn minute(locale: &str, at: UnixMs) -> String {
    let parts =
        [("day", "numeric"), ("month", "short"), ("year", "numeric"), ("hour", "2-digit"), ("minute", "2-digit")];
    text(locale, at, &parts)
}

fn text(locale: &str, at: UnixMs, parts: &[(&str, &str)]) -> String {
    date(at).to_locale_string(locale, &zone::options(parts)).into()
}

fn date(at: UnixMs) -> Date {
    Date::new(&JsValue::from_f64(at as f64))
}
