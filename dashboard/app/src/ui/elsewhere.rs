//! Goes to another of the fleet's dashboards when this one is gone, and back.

use std::{cell::Cell, pin::pin, rc::Rc};

use bugbrother_wire::api::{Passage, Servers as List, Session};
use futures_util::future::{Either, select};
use gloo_events::EventListener;
use gloo_net::http::Request;
use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::JsValue;
use yew::{platform::spawn_local, prelude::*};

use super::{
    api::{self, Refusal},
    browser::{self, frame_ms},
    feed::{Link, use_live},
};
use crate::servers::{Move, Servers};

/// How often one looks: while this server is lost, and otherwise.
const LOST_MS: u32 = 1_000;
const QUIET_MS: u32 = 5_000;
/// Longest that a server may take to say how it is.
const PATIENCE_MS: u32 = 3_000;
/// The list and the passage are asked for so often; a passage is good for ten minutes.
const RENEW_MS: f64 = 240_000.0;
const PASSAGE: &str = "#passage=";
const LIST: &str = "servers";
const KEPT: &str = "passage";

/// Takes the passage out of the address, if there is one, and goes on with the session that it is for.
pub async fn arrive() -> Option<Result<Session, Refusal>> {
    let location = browser::window().location();
    let passage = location.hash().ok()?.strip_prefix(PASSAGE)?.to_owned();
    let here = format!("{}{}", location.pathname().unwrap_or_default(), location.search().unwrap_or_default());
    let history = browser::window().history().ok()?;
    if let Err(error) = history.replace_state_with_url(&JsValue::NULL, "", Some(&here)) {
        web_sys::console::warn_1(&error);
    }
    Some(api::post("/session/passage", &Passage { passage }).await)
}

/// Watches this server and the others for as long as the component lives.
#[hook]
pub fn use_servers() {
    let live = use_live();
    let is_live = use_mut_ref(|| false);
    *is_live.borrow_mut() = live.link == Link::Live;
    use_effect_with((), move |()| {
        let touched = Rc::new(Cell::new(frame_ms()));
        let listeners = ["pointerdown", "keydown", "wheel"].map(|what| {
            let touched = Rc::clone(&touched);
            EventListener::new(&browser::window(), what, move |_| touched.set(frame_ms()))
        });
        let running = Rc::new(Cell::new(true));
        {
            let running = Rc::clone(&running);
            spawn_local(async move {
                let mut watch = Watch::new();
                while running.get() {
                    let is_live = *is_live.borrow();
                    watch.look(is_live, touched.get()).await;
                    TimeoutFuture::new(if is_live { QUIET_MS } else { LOST_MS }).await;
                }
            });
        }
        move || {
            running.set(false);
            drop(listeners);
        }
    });
}

struct Watch {
    servers: Servers,
    passage: Option<String>,
    renewed: Option<f64>,
}

impl Watch {
    fn new() -> Self {
        // As it was known last: this server may be gone already.
        let known = browser::remembered(LIST).unwrap_or_default();
        let list: Vec<String> = known.split_whitespace().map(str::to_owned).collect();
        // This page may have been loaded again since the server told of it.
        let passage = kept().and_then(|kept| kept.get_item(KEPT).ok().flatten());
        Watch { servers: Servers::new(list, &here()), passage, renewed: None }
    }

    async fn look(&mut self, is_live: bool, touched: f64) {
        if is_live && self.renewed.is_none_or(|at| frame_ms() - at > RENEW_MS) {
            self.renew().await;
        }
        let answers = is_live || is_well(&here()).await.is_some();
        self.servers.hear(answers, frame_ms());
        for server in self.servers.to_ask() {
            let well = is_well(&server).await == Some(true);
            self.servers.learn(&server, well, frame_ms());
        }
        if let Move::Go(server) = self.servers.decide(frame_ms(), touched) {
            self.go(&server);
        }
    }

    async fn renew(&mut self) {
        let Ok(List { servers, passage }) = api::get::<List>("/servers").await else { return };
        browser::remember(LIST, &servers.join(" "));
        self.servers.update(servers);
        if let (Some(kept), Some(passage)) = (kept(), &passage) {
            // Without it the person signs in at the other server.
            drop(kept.set_item(KEPT, passage));
        }
        self.passage = passage;
        self.renewed = Some(frame_ms());
    }

    fn go(&self, server: &str) {
        let location = browser::window().location();
        let path = format!("{}{}", location.pathname().unwrap_or_default(), location.search().unwrap_or_default());
        let passage = self.passage.as_ref().map(|passage| format!("{PASSAGE}{passage}")).unwrap_or_default();
        if let Err(error) = location.replace(&format!("{server}{path}{passage}")) {
            web_sys::console::warn_1(&error);
        }
    }
}

/// What lasts as long as this tab, and as the session: signing out takes it away.
fn kept() -> Option<web_sys::Storage> {
    browser::window().session_storage().ok().flatten()
}

/// Forgets the passage: the session is over.
pub fn forget() {
    if let Some(Err(error)) = kept().map(|kept| kept.remove_item(KEPT)) {
        web_sys::console::warn_1(&error);
    }
}

/// Whether a server says that it is well; nothing if it does not answer in time.
async fn is_well(server: &str) -> Option<bool> {
    let url = format!("{server}/healthz");
    let asked = pin!(async move { Request::get(&url).send().await });
    match select(asked, TimeoutFuture::new(PATIENCE_MS)).await {
        Either::Left((Ok(response), _)) => Some(response.ok()),
        Either::Left((Err(_), _)) | Either::Right(_) => None,
    }
}

fn here() -> String {
    browser::window().location().origin().unwrap_or_default()
}
