//! The time zone in which moments are shown.

use std::cell::RefCell;

use bugbrother_wire::UnixMs;
use js_sys::{Array, Date, Function, Intl, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

thread_local! {
    /// What the person chose; without it the browser's. As the browser's own, whatever shows a moment reads it.
    static CHOSEN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes a zone for all that is shown from now on; one that the browser does not know counts as none.
pub fn choose(zone: Option<&str>) {
    let zone = zone.filter(|zone| is_known(zone)).map(str::to_owned);
    CHOSEN.with_borrow_mut(|chosen| *chosen = zone);
}

/// The zone that was chosen, such as `Europe/Zurich`.
pub fn chosen() -> Option<String> {
    CHOSEN.with_borrow(Clone::clone)
}

/// The browser's zone.
pub fn of_browser() -> String {
    let format = Intl::DateTimeFormat::new(&Array::new(), &Object::new());
    let name = Reflect::get(&format.resolved_options(), &"timeZone".into()).ok().and_then(|name| name.as_string());
    name.unwrap_or_else(|| "UTC".to_owned())
}

/// All that the browser knows, in their order; none, if it does not tell.
pub fn all() -> Vec<String> {
    let list = intl("supportedValuesOf").and_then(|ask| ask.call1(&JsValue::UNDEFINED, &"timeZone".into()).ok());
    list.and_then(|list| list.dyn_into::<Array>().ok())
        .map(|list| list.iter().filter_map(|name| name.as_string()).collect())
        .unwrap_or_default()
}

/// Options of a format, in the zone that was chosen.
pub fn options(parts: &[(&str, &str)]) -> Object {
    let options = Object::new();
    let zone = chosen();
    let zone = zone.as_deref().map(|zone| ("timeZone", zone));
    for (name, value) in parts.iter().copied().chain(zone) {
        Reflect::set(&options, &name.into(), &value.into()).expect("a plain object takes any key");
    }
    options
}

/// What the clock on the wall shows, as if it were one of UTC.
pub fn to_wall(ts: UnixMs) -> i64 {
    ts + offset(ts)
}

/// When the clock on the wall shows this. Of a time that there is twice, it is one; of one that there is not, a near one.
pub fn of_wall(wall: i64) -> UnixMs {
    let near = wall - offset(wall);
    wall - offset(near)
}

/// How far the clock on the wall is ahead of UTC.
fn offset(ts: UnixMs) -> i64 {
    let date = Date::new(&JsValue::from_f64(ts as f64));
    if chosen().is_none() {
        return (-date.get_timezone_offset() * 60_000.0) as i64;
    }
    let two = "2-digit";
    let parts = [("year", "numeric"), ("month", two), ("day", two), ("hour", two), ("minute", two), ("second", two)];
    // Swedes write a moment as ISO 8601 does, but for the letter between its halves.
    let text = String::from(date.to_locale_string("sv-SE", &options(&parts))).replace(' ', "T");
    let wall = Date::parse(&format!("{text}Z"));
    if wall.is_finite() { wall as i64 - ts.div_euclid(1000) * 1000 } else { 0 }
}

fn is_known(zone: &str) -> bool {
    let options = Object::new();
    Reflect::set(&options, &"timeZone".into(), &zone.into()).expect("a plain object takes any key");
    let arguments = Array::of2(&JsValue::UNDEFINED, &options);
    // Made so, an unknown zone is an answer and not the end of the app.
    intl("DateTimeFormat").is_some_and(|format| Reflect::construct(&format, &arguments).is_ok())
}

fn intl(name: &str) -> Option<Function> {
    let intl = Reflect::get(&js_sys::global(), &"Intl".into()).ok()?;
    Reflect::get(&intl, &name.into()).ok()?.dyn_into().ok()
}
