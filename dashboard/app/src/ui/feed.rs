//! The live feed: one socket, connected again whenever it is lost.

use std::{cell::RefCell, rc::Rc};

use bugbrother_wire::{codec::decode_value, live::Frame};
use futures_util::{
    FutureExt, StreamExt,
    future::{Either, abortable, select},
};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use gloo_timers::{callback::Interval, future::TimeoutFuture};
use yew::{platform::spawn_local, prelude::*};

use super::{
    account::use_account,
    api::{self, Refusal},
    browser::{self, frame_ms},
};
use crate::fleet::Fleet;

/// The server speaks every 5 s at least; a line that is quiet for so long is dead.
const SILENCE_MS: u32 = 15_000;
/// First and longest pause before the next attempt.
const FIRST_PAUSE_MS: u32 = 400;
const LONGEST_PAUSE_MS: u32 = 15_000;
/// Attempts in a row after which the pill says offline.
const PATIENCE: u32 = 5;
/// Close code of a session that has ended.
const SESSION_ENDED: u16 = 4401;
const RELOADED: &str = "reloaded-for";

/// How the feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Frames come.
    Live,
    /// Lost; trying.
    Reconnecting,
    /// Lost for a while, or the browser has no network.
    Offline,
}

/// The fleet and the beat of the lists. The fleet changes with every frame of the feed, so it is no state of Yew's:
/// whoever draws reads it.
#[derive(Clone)]
pub struct Live {
    /// The fleet.
    pub fleet: Rc<RefCell<Fleet>>,
    /// How the feed is doing.
    pub link: Link,
    /// Changes once a second, and when a snapshot has come.
    pub beat: u32,
}

impl PartialEq for Live {
    fn eq(&self, other: &Self) -> bool {
        self.link == other.link && self.beat == other.beat
    }
}

/// The live fleet, from above.
#[hook]
pub fn use_live() -> Live {
    use_context().expect("only who is signed in sees this")
}

/// Connects for as long as the component lives; to be called once.
#[hook]
pub fn use_feed() -> Live {
    let fleet = use_memo((), |()| RefCell::new(Fleet::default()));
    let link = use_state_eq(|| Link::Reconnecting);
    let beat = use_state(|| 0_u32);
    let ended = use_account().ended;
    let pulse = {
        let beat = beat.setter();
        let count = use_mut_ref(|| 0_u32);
        Callback::from(move |()| {
            let mut count = count.borrow_mut();
            *count = count.wrapping_add(1);
            beat.set(*count);
        })
    };
    {
        let (fleet, link, pulse) = (Rc::clone(&fleet), link.setter(), pulse.clone());
        use_effect_with((), move |()| {
            let feed = Feed { fleet, link, loaded: pulse, ended };
            let (task, handle) = abortable(async move { feed.run().await });
            // Ended or aborted: nothing is left to do then.
            spawn_local(task.map(|_| ()));
            move || handle.abort()
        });
    }
    {
        let fleet = Rc::clone(&fleet);
        use_effect_with((), move |()| {
            let interval = Interval::new(1_000, move || {
                fleet.borrow_mut().tick(frame_ms());
                pulse.emit(());
            });
            move || drop(interval)
        });
    }
    Live { fleet, link: *link, beat: *beat }
}

enum End {
    Lost,
    SessionEnded,
}

struct Feed {
    fleet: Rc<RefCell<Fleet>>,
    link: UseStateSetter<Link>,
    loaded: Callback<()>,
    ended: Callback<()>,
}

impl Feed {
    async fn run(&self) {
        let mut attempts = 0;
        loop {
            if let End::SessionEnded = self.watch(&mut attempts).await {
                return self.ended.emit(());
            }
            // The browser does not say why an upgrade was refused.
            if attempts > 0 && matches!(api::session().await, Err(Refusal::Unauthorised(_))) {
                return self.ended.emit(());
            }
            let online = browser::window().navigator().on_line();
            self.link.set(if attempts >= PATIENCE || !online { Link::Offline } else { Link::Reconnecting });
            TimeoutFuture::new(pause_ms(attempts, js_sys::Math::random())).await;
            attempts += 1;
        }
    }

    /// Follows one connection to its end.
    async fn watch(&self, attempts: &mut u32) -> End {
        let location = browser::window().location();
        let scheme = if location.protocol().as_deref() == Ok("https:") { "wss" } else { "ws" };
        let url = format!("{scheme}://{}/live", location.host().unwrap_or_default());
        let Ok(mut socket) = WebSocket::open(&url) else { return End::Lost };
        loop {
            let next = match select(socket.next(), TimeoutFuture::new(SILENCE_MS)).await {
                Either::Left((next, _)) => next,
                Either::Right(_) => return End::Lost,
            };
            match next {
                Some(Ok(Message::Bytes(bytes))) => {
                    *attempts = 0;
                    self.take(&bytes);
                }
                Some(Ok(Message::Text(_)) | Err(WebSocketError::ConnectionError)) => {}
                Some(Err(WebSocketError::ConnectionClose(close))) if close.code == SESSION_ENDED => {
                    return End::SessionEnded;
                }
                Some(Err(_)) | None => return End::Lost,
            }
        }
    }

    fn take(&self, bytes: &[u8]) {
        let frame = match decode_value::<Frame>(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                // Another version of the feed: the next hello reloads the app.
                web_sys::console::warn_1(&format!("live feed: {error}").into());
                return;
            }
        };
        let is_snapshot = matches!(frame, Frame::Snapshot(_));
        if let Frame::Hello { server, .. } = &frame {
            reload_for(server);
        }
        self.fleet.borrow_mut().apply(frame, frame_ms());
        if is_snapshot {
            self.link.set(Link::Live);
            self.loaded.emit(());
        }
    }
}

/// Growing, and never the same for all viewers of a server that comes back.
fn pause_ms(attempts: u32, random: f64) -> u32 {
    let longest = FIRST_PAUSE_MS.saturating_mul(1 << attempts.min(8)).min(LONGEST_PAUSE_MS);
    (f64::from(longest) * (0.5 + random / 2.0)) as u32
}

/// A server of another version brings another app: it is fetched, once for each version.
fn reload_for(server: &str) {
    let storage = browser::window().session_storage().ok().flatten();
    let done = storage.as_ref().and_then(|storage| storage.get_item(RELOADED).ok().flatten());
    if server == env!("CARGO_PKG_VERSION") || done.as_deref() == Some(server) {
        return;
    }
    // Without a store nobody remembers that it was done, and it would be done for ever.
    if storage.is_some_and(|storage| storage.set_item(RELOADED, server).is_ok()) {
        browser::window().location().reload().expect("a page can be loaded again");
    }
}
