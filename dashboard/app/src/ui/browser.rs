//! The browser, where its interfaces are clumsy.

use std::{cell::RefCell, rc::Rc};

use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Document, Element, HtmlElement, Storage, Window};

/// The window. The app runs nowhere else.
pub fn window() -> Window {
    web_sys::window().expect("the app runs in a window")
}

/// The page.
pub fn document() -> Document {
    window().document().expect("a window shows a page")
}

/// The clock of the animation, in milliseconds.
pub fn frame_ms() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

/// The path of an asset that the build has put into the page's head.
pub fn asset(name: &str) -> String {
    document()
        .query_selector(&format!("meta[name=\"asset:{name}\"]"))
        .ok()
        .flatten()
        .and_then(|meta| meta.get_attribute("content"))
        .unwrap_or_default()
}

/// What outlasts the page; `None` where the person forbids it.
pub fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Something remembered.
pub fn remembered(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

/// Remembers something; where that is forbidden it lasts as long as the page.
pub fn remember(key: &str, value: &str) {
    if let Some(Err(error)) = storage().map(|storage| storage.set_item(key, value)) {
        web_sys::console::warn_1(&error);
    }
}

/// Whether a media query fits.
pub fn fits(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Whether the screen is a phone's; the style sheet has the same limit.
pub fn is_narrow() -> bool {
    fits("(max-width: 720px)")
}

/// The first element that fits, as what gets the focus.
pub fn element(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}

/// Puts the focus on the first element that fits.
pub fn focus(selector: &str) {
    if let Some(Err(error)) = element(selector).map(|element| element.focus()) {
        web_sys::console::warn_1(&error);
    }
}

/// Sets an attribute of an element.
pub fn set_attribute(element: &Element, name: &str, value: &str) {
    element.set_attribute(name, value).expect("the app gives attributes valid names");
}

type Step = Closure<dyn FnMut(f64)>;

/// Calls back on every animation frame until it is dropped.
pub struct Frames(Rc<RefCell<Option<Step>>>);

impl Frames {
    /// Starts; the callback gets the time of the frame.
    pub fn start(mut callback: impl FnMut(f64) + 'static) -> Self {
        let slot: Rc<RefCell<Option<Step>>> = Rc::default();
        let again = Rc::downgrade(&slot);
        let step = Step::new(move |time| {
            // Gone once `Frames` is dropped: then nothing is to be drawn any more.
            let Some(slot) = again.upgrade() else { return };
            if slot.borrow().is_none() {
                return;
            }
            callback(time);
            if let Some(step) = &*slot.borrow() {
                request(step);
            }
        });
        request(&step);
        *slot.borrow_mut() = Some(step);
        Frames(slot)
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // The browser may still hold the last request: what it calls must live until then.
        if let Some(step) = self.0.borrow_mut().take() {
            gloo_timers::callback::Timeout::new(1_000, move || drop(step)).forget();
        }
    }
}

fn request(step: &Step) {
    window().request_animation_frame(step.as_ref().unchecked_ref()).expect("a window draws frames");
}
