//! Keys that work everywhere: `/` search, `g` and a page's key, `j` and `k` rows, Esc.

use std::cell::Cell;

use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    browser::{document, focus, frame_ms, window},
    pages::PAGES,
};

/// Time in which the second key of a pair counts.
const PAIR_MS: f64 = 1_200.0;

/// Listens to the keys for as long as the component lives.
#[hook]
pub fn use_keys() {
    let navigator = use_navigator();
    use_effect_with((), move |()| {
        let went = Cell::new(f64::MIN);
        let options = EventListenerOptions::enable_prevent_default();
        let listener = EventListener::new_with_options(&window(), "keydown", options, move |event| {
            let Some(event) = event.dyn_ref::<KeyboardEvent>() else { return };
            if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing() {
                return;
            }
            let second = frame_ms() - went.get() < PAIR_MS;
            went.set(f64::MIN);
            let key = event.key();
            let page = match key.as_str() {
                _ if second && let Some(page) = PAGES.iter().find(|page| page.key == key) => page.route,
                "g" => {
                    went.set(frame_ms());
                    return;
                }
                "/" => {
                    event.prevent_default();
                    return focus("[data-search]");
                }
                "j" => return step(1),
                "k" => return step(-1),
                _ => return,
            };
            if let Some(navigator) = &navigator {
                navigator.push(&page);
            }
        });
        move || drop(listener)
    });
}

/// Calls back on Escape, wherever the focus is.
#[hook]
pub fn use_escape(callback: Callback<()>) {
    use_effect_with(callback, |callback| {
        let callback = callback.clone();
        let listener = EventListener::new(&window(), "keydown", move |event| {
            if event.dyn_ref::<KeyboardEvent>().is_some_and(|event| event.key() == "Escape") && !is_typing() {
                callback.emit(());
            }
        });
        move || drop(listener)
    });
}

/// Calls back on a key, while nobody types.
#[hook]
pub fn use_key(key: &'static str, callback: Callback<()>) {
    use_effect_with(callback, move |callback| {
        let callback = callback.clone();
        let listener = EventListener::new(&window(), "keydown", move |event| {
            if event.dyn_ref::<KeyboardEvent>().is_some_and(|event| event.key() == key) && !is_typing() {
                callback.emit(());
            }
        });
        move || drop(listener)
    });
}

fn active() -> Option<Element> {
    document().active_element()
}

fn is_typing() -> bool {
    active().is_some_and(|element| ["INPUT", "TEXTAREA", "SELECT"].contains(&element.tag_name().as_str()))
}

/// Moves the focus from row to row; onto the first if it is on none.
fn step(by: i32) {
    let Ok(rows) = document().query_selector_all("[data-row]") else { return };
    let row = |index: u32| rows.get(index)?.dyn_into::<HtmlElement>().ok();
    let here = active().and_then(|active| (0..rows.length()).find(|index| row(*index).as_deref() == Some(&active)));
    let next = here.map_or(Some(0), |here| here.checked_add_signed(by));
    if let Some(Err(error)) = next.and_then(row).map(|row| row.focus()) {
        web_sys::console::warn_1(&error);
    }
}
