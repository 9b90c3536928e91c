//! Moments as people write them, in the time zone that the person chose.

use bugbrother_wire::UnixMs;
use js_sys::Date;
use wasm_bindgen::JsValue;

use super::zone;
use crate::phrases::Phrases;

const DAY_MS: i64 = 86_400_000;

fn date(ts: f64) -> Date {
    Date::new(&JsValue::from_f64(ts))
}

fn written(phrases: &Phrases, ts: UnixMs, options: &[(&str, &str)]) -> String {
    // British English has the day first and 24 hours.
    let locale = if phrases.language.tag() == "fr" { "fr" } else { "en-GB" };
    date(ts as f64).to_locale_string(locale, &zone::options(options)).into()
}

/// Such as `Mon, 21 Sept 2026`.
pub fn day(phrases: &Phrases, ts: UnixMs) -> String {
    written(phrases, ts, &[("weekday", "short"), ("day", "numeric"), ("month", "short"), ("year", "numeric")])
}

/// Such as `14:13`.
pub fn time(phrases: &Phrases, ts: UnixMs) -> String {
    written(phrases, ts, &[("hour", "2-digit"), ("minute", "2-digit")])
}

/// Such as `14:13:20`.
pub fn second(phrases: &Phrases, ts: UnixMs) -> String {
    written(phrases, ts, &[("hour", "2-digit"), ("minute", "2-digit"), ("second", "2-digit")])
}

/// Such as `21 Sept, 14:13`.
pub fn moment(phrases: &Phrases, ts: UnixMs) -> String {
    written(phrases, ts, &[("day", "numeric"), ("month", "short"), ("hour", "2-digit"), ("minute", "2-digit")])
}

/// The midnight before.
pub fn midnight(ts: UnixMs) -> UnixMs {
    zone::of_wall(zone::to_wall(ts).div_euclid(DAY_MS) * DAY_MS)
}

/// What an input of the kind `datetime-local` holds.
pub fn to_input(ts: UnixMs) -> String {
    let iso = String::from(date(zone::to_wall(ts) as f64).to_iso_string());
    iso.chars().take(16).collect()
}

/// The moment that such an input holds.
pub fn of_input(text: &str) -> Option<UnixMs> {
    let wall = Date::parse(&format!("{text}Z"));
    wall.is_finite().then(|| zone::of_wall(wall as i64))
}
