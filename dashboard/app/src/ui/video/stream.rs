//! The socket of a camera, which is opened again whenever it is lost.

use bugbrother_wire::{
    CameraId, Vin,
    api::{Purpose, StreamWord, Ticket, TicketWish},
    video::Piece,
};
use futures_util::StreamExt;
use gloo_net::websocket::{Message, futures::WebSocket};
use gloo_timers::future::TimeoutFuture;
use web_sys::HtmlVideoElement;
use yew::{Callback, UseStateSetter};

use super::screen::Screen;
use crate::ui::{
    api::{self, Refusal},
    browser,
};

/// Between two tries.
const PAUSE_MS: u32 = 1_000;
const LONGEST_PAUSE_MS: u32 = 15_000;

/// What there is to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It is asked for.
    Waiting,
    /// Pictures come.
    Live,
    /// None come, and why.
    Gone(String),
    /// The server cannot be reached.
    Unreachable,
    /// This browser does not play it.
    Unplayable(String),
}

/// Where a stream is told of.
#[derive(Clone)]
pub struct Ears {
    /// What there is to see.
    pub sight: UseStateSetter<Sight>,
    /// Pictures that were left out.
    pub missed: Callback<u64>,
    /// The session has ended.
    pub ended: Callback<()>,
    /// The screen, as long as there is one.
    pub screen: Callback<Option<std::rc::Rc<Screen>>>,
}

/// Shows a camera on an element until the session ends.
pub async fn follow(vin: Vin, camera: CameraId, small: bool, video: HtmlVideoElement, ears: Ears) {
    let mut pause = PAUSE_MS;
    loop {
        match watch(vin, &camera, small, &video, &ears, &mut pause).await {
            Err(Refusal::Unauthorised(_)) => return ears.ended.emit(()),
            Err(Refusal::Unreachable) => ears.sight.set(Sight::Unreachable),
            Err(_) | Ok(()) => ears.sight.set(Sight::Waiting),
        }
        ears.screen.emit(None);
        TimeoutFuture::new(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE_MS);
    }
}

/// One connection, to its end.
async fn watch(
    vin: Vin,
    camera: &CameraId,
    small: bool,
    video: &HtmlVideoElement,
    ears: &Ears,
    pause: &mut u32,
) -> Result<(), Refusal> {
    // A browser's socket cannot say who asks: a ticket does, once.
    let Ticket { ticket, .. } = api::post("/tickets", &TicketWish { purpose: Purpose::Video }).await?;
    let location = browser::window().location();
    let scheme = if location.protocol().as_deref() == Ok("https:") { "wss" } else { "ws" };
    let host = location.host().unwrap_or_default();
    let size = if small { "&size=small" } else { "" };
    let Ok(mut socket) = WebSocket::open(&format!("{scheme}://{host}/video/{vin}/{camera}?ticket={ticket}{size}"))
    else {
        return Err(Refusal::Unreachable);
    };
    let Ok(screen) = Screen::new(video.clone()) else {
        ears.sight.set(Sight::Unplayable(String::new()));
        return Ok(());
    };
    let screen = std::rc::Rc::new(screen);
    ears.screen.emit(Some(screen.clone()));
    let mut has_come = false;
    while let Some(next) = socket.next().await {
        match next {
            Ok(Message::Bytes(bytes)) => match Piece::read(&bytes) {
                Ok(Some(Piece::Beginning(beginning))) => {
                    if !screen.begin(&beginning) {
                        ears.sight.set(Sight::Unplayable(beginning.codec.to_owned()));
                    }
                }
                Ok(Some(Piece::Fragment(fragment))) => {
                    (has_come, *pause) = (true, PAUSE_MS);
                    screen.show(&fragment);
                }
                // Another version says more.
                Ok(Some(Piece::Notice(_)) | None) | Err(_) => {}
            },
            Ok(Message::Text(text)) => match serde_json::from_str(&text) {
                Ok(StreamWord::Waiting) => ears.sight.set(Sight::Waiting),
                Ok(StreamWord::Live) => ears.sight.set(Sight::Live),
                Ok(StreamWord::Gone { why }) => ears.sight.set(Sight::Gone(why)),
                Ok(StreamWord::Missed { pictures }) => ears.missed.emit(pictures),
                Err(_) => {}
            },
            Err(_) => break,
        }
    }
    if has_come { Ok(()) } else { Err(Refusal::Unreachable) }
}
