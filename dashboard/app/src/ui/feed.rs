//! The live feed: one socket, connected again whenever it is lost.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bugbrother_wire::{
    Vin,
    api::{Purpose, Ticket, TicketWish},
    codec::decode_value,
    encode,
    live::Frame,
};
use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    future::{Either, abortable, select},
    stream::SplitSink,
};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use gloo_timers::{callback::Interval, future::TimeoutFuture};
use yew::{platform::spawn_local, prelude::*};

use super::{
    account::use_account,
    api::{self, Refusal},
    browser::{self, Frames, frame_ms},
    offline,
};
use crate::fleet::{Fleet, Interest, Place};

/// The server speaks every 5 s at least; a line that is quiet for so long is dead.
const SILENCE_MS: u32 = 15_000;
/// First and longest pause before the next attempt.
const FIRST_PAUSE_MS: u32 = 400;
const LONGEST_PAUSE_MS: u32 = 15_000;
/// Attempts in a row after which the pill says offline.
const PATIENCE: u32 = 5;
/// The fleet is kept so often for the next time there is no network.
const KEEP_EVERY_MS: u32 = 30_000;
/// And so soon after it has been told.
const FIRST_KEPT_MS: u32 = 1_000;

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
    /// What the open page shows.
    interest: Rc<Wish>,
}

/// What the open page shows, and a way to say that it has changed.
struct Wish {
    interest: RefCell<Interest>,
    /// Whether somebody looks for a vehicle, on whatever page.
    searched: Cell<bool>,
    changed: RefCell<Option<UnboundedSender<()>>>,
}

impl Live {
    /// The page that is open shows this.
    pub fn show(&self, interest: Interest) {
        if self.interest.interest.replace(interest.clone()) != interest {
            self.interest.tell();
        }
    }

    /// Whether somebody looks for a vehicle: then the whole fleet is told, whatever the page shows.
    pub fn search(&self, on: bool) {
        if self.interest.searched.replace(on) != on {
            self.interest.tell();
        }
    }
}

impl Wish {
    fn tell(&self) {
        if let Some(changed) = &*self.changed.borrow() {
            // Without a line it is said when there is one again.
            drop(changed.unbounded_send(()));
        }
    }

    fn interest(&self) -> Interest {
        let interest = self.interest.borrow().clone();
        Interest { fleet: interest.fleet || self.searched.get(), ..interest }
    }
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

/// Draws the component again whenever the vehicle has changed: in the next frame, since values come faster than the beat.
#[hook]
pub fn use_revision(vin: Vin) {
    let fleet = use_live().fleet;
    let revision = use_state_eq(|| 0);
    use_effect_with(vin, move |vin| {
        let (vin, revision) = (*vin, revision.setter());
        let mut seen = 0;
        let frames = Frames::start(move |_| {
            let now = fleet.borrow().find(vin).map_or(0, |vehicle| vehicle.revision);
            if now != seen {
                seen = now;
                revision.set(now);
            }
        });
        move || drop(frames)
    });
}

/// Connects for as long as the component lives; to be called once.
#[hook]
pub fn use_feed() -> Live {
    let fleet = use_memo((), |()| RefCell::new(Fleet::default()));
    let interest = use_memo((), |()| Wish {
        interest: RefCell::default(),
        searched: Cell::default(),
        changed: RefCell::default(),
    });
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
        let interest = Rc::clone(&interest);
        use_effect_with((), move |()| {
            let feed =
                Feed { fleet, link, loaded: pulse, ended, interest, place: RefCell::default(), waits: Cell::new(true) };
            let (task, handle) = abortable(async move { feed.run().await });
            // Ended or aborted: nothing is left to do then.
            spawn_local(task.map(|_| ()));
            move || handle.abort()
        });
    }
    {
        let fleet = Rc::clone(&fleet);
        use_effect_with((), move |()| {
            let kept = Rc::clone(&fleet);
            let interval = Interval::new(1_000, move || {
                fleet.borrow_mut().tick(frame_ms());
                pulse.emit(());
            });
            let keeping = Interval::new(KEEP_EVERY_MS, move || {
                let snapshot = kept.borrow().to_keep(frame_ms());
                if let Some(snapshot) = snapshot {
                    spawn_local(offline::keep_fleet(snapshot));
                }
            });
            move || drop((interval, keeping))
        });
    }
    Live { fleet, link: *link, beat: *beat, interest }
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
    interest: Rc<Wish>,
    place: RefCell<Place>,
    /// Whether nothing has come yet on this line.
    waits: Cell<bool>,
}

impl Feed {
    async fn run(&self) {
        let mut attempts = 0;
        // What was known last is shown until there is something newer.
        if let Some(kept) = offline::kept_fleet().await
            && self.fleet.borrow_mut().recall(kept, offline::wall_ms(), frame_ms())
        {
            self.loaded.emit(());
        }
        loop {
            if let End::SessionEnded = self.watch(&mut attempts).await {
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
        // A browser's socket cannot say who asks: a ticket does, once.
        let ticket = match api::post::<Ticket>("/tickets", &TicketWish { purpose: Purpose::Live }).await {
            Ok(Ticket { ticket, .. }) => ticket,
            Err(Refusal::Unauthorised(_)) => return End::SessionEnded,
            Err(_) => return End::Lost,
        };
        let url = format!("{scheme}://{}/live?quiet=1&ticket={ticket}", location.host().unwrap_or_default());
        let Ok(socket) = WebSocket::open(&url) else { return End::Lost };
        let (mut wishes, mut frames) = socket.split();
        let (changed, mut changes) = unbounded();
        self.interest.changed.replace(Some(changed));
        loop {
            let news = select(select(frames.next(), changes.next()), TimeoutFuture::new(SILENCE_MS)).await;
            let next = match news {
                Either::Left((Either::Left((next, _)), _)) => next,
                Either::Left((Either::Right(_), _)) => {
                    if self.say_interest(&mut wishes).await.is_err() {
                        return End::Lost;
                    }
                    continue;
                }
                Either::Right(_) => return End::Lost,
            };
            match next {
                Some(Ok(Message::Bytes(bytes))) => {
                    *attempts = 0;
                    if self.take(&bytes) && self.say_interest(&mut wishes).await.is_err() {
                        return End::Lost;
                    }
                }
                Some(Ok(Message::Text(_)) | Err(WebSocketError::ConnectionError)) => {}
                Some(Err(_)) | None => return End::Lost,
            }
        }
    }

    async fn say_interest(&self, wishes: &mut SplitSink<WebSocket, Message>) -> Result<(), WebSocketError> {
        let interest = self.interest.interest();
        let want = self.place.borrow_mut().want(&interest);
        match want {
            Some(want) => wishes.send(Message::Bytes(encode(&want))).await,
            None => Ok(()),
        }
    }

    /// Takes a frame in; whether the server waits to be told what is wanted.
    fn take(&self, bytes: &[u8]) -> bool {
        let frame = match decode_value::<Frame>(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                // Another version of the feed: the next hello reloads the app.
                web_sys::console::warn_1(&format!("live feed: {error}").into());
                return false;
            }
        };
        let tick = match &frame {
            Frame::Hello { server, feed, .. } => {
                look_for_update(server);
                self.place.borrow_mut().enter(feed);
                None
            }
            Frame::Snapshot(snapshot) => Some(snapshot.tick),
            Frame::Delta(delta) => Some(delta.tick),
        };
        let is_hello = tick.is_none();
        self.fleet.borrow_mut().apply(frame, frame_ms());
        if let Some(tick) = tick {
            self.place.borrow_mut().pass(tick);
            // The pieces before the last have none.
            if tick > 0 && self.waits.replace(false) {
                self.link.set(Link::Live);
                self.loaded.emit(());
                let fleet = Rc::clone(&self.fleet);
                spawn_local(async move {
                    // Once what comes with it is drawn.
                    TimeoutFuture::new(FIRST_KEPT_MS).await;
                    let snapshot = fleet.borrow().to_keep(frame_ms());
                    if let Some(snapshot) = snapshot {
                        offline::keep_fleet(snapshot).await;
                    }
                });
            }
        } else {
            self.waits.set(true);
        }
        is_hello
    }
}

/// Growing, and never the same for all viewers of a server that comes back.
fn pause_ms(attempts: u32, random: f64) -> u32 {
    let longest = FIRST_PAUSE_MS.saturating_mul(1 << attempts.min(8)).min(LONGEST_PAUSE_MS);
    (f64::from(longest) * (0.5 + random / 2.0)) as u32
}

/// A server of another version brings another app: it is offered when it is here.
fn look_for_update(server: &str) {
    if server != env!("CARGO_PKG_VERSION") {
        offline::say("look-for-update");
    }
}
