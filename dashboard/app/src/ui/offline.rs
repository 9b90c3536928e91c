//! What the app knows without a network: who is signed in, the fleet as it was, and edits that wait.

use bugbrother_wire::{
    UnixMs,
    api::Session,
    codec::decode_value,
    encode,
    live::{Frame, Snapshot},
};
use gloo_events::EventListener;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, Event, Response};
use yew::prelude::*;

use super::{browser, kit::use_toasts, settings::use_phrases};

const SESSION: &str = "session";
/// The service worker's cache of what was known, which is dropped when somebody signs out.
const KNOWN: &str = "known";
const FLEET: &str = "/known/fleet";

/// Who was signed in when there was a network.
pub fn remembered_session() -> Option<Session> {
    serde_json::from_str(&browser::remembered(SESSION)?).ok()
}

/// Remembers who is signed in; it is no secret and opens nothing.
pub fn remember_session(session: &Session) {
    let session = Session { token: None, ..session.clone() };
    if let Ok(text) = serde_json::to_string(&session) {
        browser::remember(SESSION, &text);
    }
}

/// Forgets everything that was known, since somebody has signed out or the session has ended.
pub fn forget() {
    for key in [SESSION, super::edits::WAITING] {
        if let Some(Err(error)) = browser::storage().map(|storage| storage.remove_item(key)) {
            web_sys::console::warn_1(&error);
        }
    }
    super::elsewhere::forget();
    say("forget");
}

/// Says something to the page's own script, see `start.js`.
pub fn say(what: &str) {
    let event = Event::new(what).expect("any text names an event");
    browser::window().dispatch_event(&event).expect("a window dispatches events");
}

/// Keeps the fleet as it stands, for the next time there is no network.
pub async fn keep_fleet(snapshot: Snapshot) {
    // A browser that keeps nothing is one without a memory, and all else works.
    drop(put(snapshot).await);
}

async fn put(snapshot: Snapshot) -> Result<(), JsValue> {
    let cache = known().await?;
    let bytes = Uint8Array::from(&encode(&Frame::Snapshot(snapshot))[..]);
    let response = Response::new_with_opt_js_u8_array(Some(&bytes))?;
    JsFuture::from(cache.put_with_str(FLEET, &response)).await.map(drop)
}

/// The fleet as it was kept last.
pub async fn kept_fleet() -> Option<Snapshot> {
    let cache = known().await.ok()?;
    let response: Response = JsFuture::from(cache.match_with_str(FLEET)).await.ok()?.dyn_into().ok()?;
    let bytes = JsFuture::from(response.array_buffer().ok()?).await.ok()?;
    match decode_value(&Uint8Array::new(&bytes).to_vec()).ok()? {
        Frame::Snapshot(snapshot) => Some(snapshot),
        _ => None,
    }
}

async fn known() -> Result<Cache, JsValue> {
    let caches = browser::window().caches()?;
    JsFuture::from(caches.open(KNOWN)).await?.dyn_into()
}

/// Now by the browser's clock, in milliseconds since 1970.
pub fn wall_ms() -> UnixMs {
    js_sys::Date::now() as UnixMs
}

/// Offers a new version of the app when there is one.
#[hook]
pub fn use_updates() {
    let phrases = use_phrases();
    let toasts = use_toasts();
    use_effect_with((), move |()| {
        let listener = EventListener::new(&browser::window(), "update-ready", move |_| {
            toasts.offer(phrases.update_ready, phrases.update_now, Callback::from(|()| say("update")));
        });
        say("app-listens");
        move || drop(listener)
    });
}
