//! Moments as people write them, in the browser's time zone.

use bugbrother_wire::UnixMs;
use js_sys::{Date, Object, Reflect};
use wasm_bindgen::JsValue;

use crate::phrases::Phrases;

fn date(ts: f64) -> Date {
    Date::new(&JsValue::from_f64(ts))
}

fn written(phrases: &Phrases, ts: UnixMs, options: &[(&str, &str)]) -> String {
    let object = Object::new();
    for (key, value) in options {
        Reflect::set(&object, &JsValue::from_str(key), &JsValue::from_str(value))
            .expect("a plain object takes any key");
    }
    // British English has the day first and 24 hours.
    let locale = if phrases.language.tag() == "fr" { "fr" } else { "en-GB" };
    date(ts as f64).to_locale_string(locale, &object).into()
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
    let day = date(ts as f64);
    day.set_hours(0);
    day.set_minutes(0);
    day.set_seconds(0);
    day.set_milliseconds(0);
    day.get_time() as UnixMs
}

/// What an input of the kind `datetime-local` holds.
pub fn to_input(ts: UnixMs) -> String {
    let offset = date(ts as f64).get_timezone_offset() * 60_000.0;
    let iso: String = date(ts as f64 - offset).to_iso_string().into();
    iso.chars().take(16).collect()
}

/// The moment that such an input holds.
pub fn of_input(text: &str) -> Option<UnixMs> {
    let ts = Date::parse(text);
    ts.is_finite().then_some(ts as UnixMs)
}
