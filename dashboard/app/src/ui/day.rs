//! Days and moments as people write them, in the browser's time zone.

use bugbrother_wire::UnixMs;
use js_sys::{Date, Intl, Object, Reflect};
use wasm_bindgen::JsValue;

/// The clock of this machine.
pub fn now() -> UnixMs {
    Date::now() as UnixMs
}

/// Name of the time zone, such as `Europe/Zurich`.
pub fn zone() -> String {
    let format = Intl::DateTimeFormat::new(&js_sys::Array::new(), &Object::new());
    let name = Reflect::get(&format.resolved_options(), &"timeZone".into()).ok().and_then(|name| name.as_string());
    name.unwrap_or_else(|| "UTC".to_owned())
}

/// A day as an input of type `date` has it: `2026-03-29`.
pub fn to_input(at: UnixMs) -> String {
    let date = date(at);
    format!("{:04}-{:02}-{:02}", date.get_full_year(), date.get_month() + 1, date.get_date())
}

/// When a day begins that stands in an input of type `date`, and so many days later.
pub fn from_input(text: &str, days_later: i32) -> Option<UnixMs> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<i32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let date = Date::new_with_year_month_day(u32::try_from(year).ok()?, month - 1, day + days_later);
    let at = date.get_time();
    at.is_finite().then_some(at as UnixMs)
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
    let options = Object::new();
    for (name, value) in parts {
        // A plain object takes any property.
        drop(Reflect::set(&options, &JsValue::from_str(name), &JsValue::from_str(value)));
    }
    date(at).to_locale_string(locale, &options).into()
}

fn date(at: UnixMs) -> Date {
    Date::new(&JsValue::from_f64(at as f64))
}
