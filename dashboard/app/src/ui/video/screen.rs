//! A `<video>` that plays what is appended to it, as close to the present as it can.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use bugbrother_wire::video::{Beginning, Fragment};
use gloo_events::EventListener;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlVideoElement, MediaSource, MediaSourceReadyState, SourceBuffer, SourceBufferAppendMode, Url};

/// Pieces that wait while the browser is busy; past it those are dropped that nothing depends on.
const WAITING: usize = 300;
/// Further behind than this it jumps, in seconds.
const JUMPS: f64 = 1.5;
/// With more than this left whenever a picture arrived, it hurries: so it comes as near to the present as the link's jitter lets it.
const SPARE: f64 = 0.06;
const FASTER: f64 = 1.1;
/// Pictures that are looked back at for that.
const LOOKED_BACK: usize = 50;
/// What has been seen is forgotten once it is so much, but for the last of it.
const KEPT: f64 = 30.0;
const KEPT_BEHIND: f64 = 5.0;
/// Moments that are remembered to tell how old a picture is.
const MOMENTS: usize = 600;

/// The screen. Dropped, it lets go of everything.
pub struct Screen {
    video: HtmlVideoElement,
    source: MediaSource,
    url: String,
    inner: Rc<RefCell<Inner>>,
    _opened: EventListener,
}

#[derive(Default)]
struct Inner {
    buffer: Option<SourceBuffer>,
    listener: Option<EventListener>,
    kind: String,
    begun: Option<u16>,
    waiting: VecDeque<Waiting>,
    /// What was given to the browser last, and is not there yet.
    under_way: Option<i64>,
    /// End of the buffer and when the picture before it was taken.
    moments: VecDeque<(f64, i64)>,
    /// What was left to be played when each of the last pictures arrived, in seconds.
    left: VecDeque<f64>,
    is_lost: bool,
}

enum Waiting {
    Beginning { kind: String, data: Vec<u8> },
    Picture { captured: i64, data: Vec<u8> },
}

impl Screen {
    /// For that element, which shows nothing yet.
    pub fn new(video: HtmlVideoElement) -> Result<Self, JsValue> {
        let source = MediaSource::new()?;
        let url = Url::create_object_url_with_source(&source)?;
        video.set_src(&url);
        let inner: Rc<RefCell<Inner>> = Rc::default();
        let _opened = {
            let (inner, source, video) = (Rc::clone(&inner), source.clone(), video.clone());
            EventListener::new(&source.clone(), "sourceopen", move |_| pump(&inner, &source, &video))
        };
        Ok(Screen { video, source, url, inner, _opened })
    }

    /// What a decoder must know. False where this browser does not play it.
    pub fn begin(&self, beginning: &Beginning<'_>) -> bool {
        let kind = format!("video/mp4; codecs=\"{}\"", beginning.codec);
        if !beginning.plays_in_browsers || !MediaSource::is_type_supported(&kind) {
            return false;
        }
        let mut inner = self.inner.borrow_mut();
        inner.begun = Some(beginning.number);
        inner.waiting.push_back(Waiting::Beginning { kind, data: beginning.data.to_vec() });
        drop(inner);
        self.pump();
        true
    }

    /// The next picture.
    pub fn show(&self, fragment: &Fragment<'_>) {
        let mut inner = self.inner.borrow_mut();
        if inner.begun != Some(fragment.beginning) || (inner.is_lost && !fragment.is_key) {
            return;
        }
        inner.is_lost = false;
        if inner.waiting.len() >= WAITING {
            // A browser in the background may not decode at all.
            inner.waiting.retain(|waiting| matches!(waiting, Waiting::Beginning { .. }));
            inner.is_lost = !fragment.is_key;
        }
        if !inner.is_lost {
            inner.waiting.push_back(Waiting::Picture { captured: fragment.captured, data: fragment.data.to_vec() });
        }
        drop(inner);
        self.pump();
    }

    /// When the picture was taken that is shown; none where that is not known.
    pub fn captured(&self) -> Option<i64> {
        let inner = self.inner.borrow();
        let now = self.video.current_time();
        let seen = inner.moments.iter().rev().find(|(end, _)| *end <= now + 0.05).or_else(|| inner.moments.front());
        seen.map(|(_, captured)| *captured).filter(|captured| *captured > 0)
    }

    fn pump(&self) {
        pump(&self.inner, &self.source, &self.video);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Its own end would only be told to nobody.
        self.inner.borrow_mut().listener = None;
        self.video.remove_attribute("src").ok();
        self.video.load();
        Url::revoke_object_url(&self.url).ok();
    }
}

/// Gives the browser what is next, if it takes something.
fn pump(shared: &Rc<RefCell<Inner>>, source: &MediaSource, video: &HtmlVideoElement) {
    if source.ready_state() != MediaSourceReadyState::Open {
        return;
    }
    let mut inner = shared.borrow_mut();
    if inner.buffer.as_ref().is_some_and(SourceBuffer::updating) {
        return;
    }
    if let Some(captured) = inner.under_way.take() {
        inner.keep_up(video, captured);
    }
    if inner.buffer.as_ref().is_some_and(SourceBuffer::updating) {
        return;
    }
    let data = match inner.waiting.pop_front() {
        None => return,
        Some(Waiting::Beginning { kind, data }) => {
            if inner.take_kind(shared, source, video, kind).is_err() {
                return;
            }
            data
        }
        Some(Waiting::Picture { captured, data }) => {
            inner.under_way = Some(captured);
            data
        }
    };
    let Some(buffer) = inner.buffer.clone() else { return };
    // It asks for more when it has taken this. A full buffer is emptied with the next picture.
    let taken = buffer.append_buffer_with_array_buffer_view(&Uint8Array::from(&data[..]));
    if let Err(error) = taken {
        inner.under_way = None;
        inner.is_lost = true;
        web_sys::console::warn_2(&"video".into(), &error);
    }
}

impl Inner {
    fn take_kind(
        &mut self,
        shared: &Rc<RefCell<Inner>>,
        source: &MediaSource,
        video: &HtmlVideoElement,
        kind: String,
    ) -> Result<(), JsValue> {
        match &self.buffer {
            Some(buffer) if self.kind == kind => buffer.abort(),
            Some(buffer) => buffer.change_type(&kind),
            None => {
                let buffer = source.add_source_buffer(&kind)?;
                // Each picture follows the one before, whatever its own time is: holes would stop the player.
                buffer.set_mode(SourceBufferAppendMode::Sequence);
                let weak = Rc::downgrade(shared);
                let (source, video) = (source.clone(), video.clone());
                self.listener = Some(EventListener::new(&buffer, "updateend", move |_| {
                    if let Some(shared) = weak.upgrade() {
                        pump(&shared, &source, &video);
                    }
                }));
                self.buffer = Some(buffer);
                Ok(())
            }
        }?;
        self.kind = kind;
        Ok(())
    }

    /// After a picture has arrived in the buffer: stays near its end, and lets what was seen go.
    fn keep_up(&mut self, video: &HtmlVideoElement, captured: i64) {
        let Some(buffer) = self.buffer.clone() else { return };
        let Ok(ranges) = buffer.buffered() else { return };
        let Some(last) = ranges.length().checked_sub(1) else { return };
        let (Ok(start), Ok(end)) = (ranges.start(0), ranges.end(last)) else { return };
        let now = video.current_time();
        if let Some((end, _)) = self.moments.back() {
            self.left.push_back(end - now);
        }
        if self.left.len() > LOOKED_BACK {
            self.left.pop_front();
        }
        self.moments.push_back((end, captured));
        if self.moments.len() > MOMENTS {
            self.moments.pop_front();
        }
        if end - now > JUMPS || ranges.start(last).is_ok_and(|start| now < start) {
            video.set_current_time((end - 0.1).max(ranges.start(last).unwrap_or(0.0)));
            self.left.clear();
        }
        let least = self.left.iter().copied().fold(f64::INFINITY, f64::min);
        let hurries = self.left.len() == LOOKED_BACK && least > SPARE;
        video.set_playback_rate(if hurries { FASTER } else { 1.0 });
        if video.paused() {
            // Without sound it may begin by itself. Where it may not, it is tried again with the next picture.
            if let Ok(begun) = video.play() {
                spawn_local(async move { drop(JsFuture::from(begun).await) });
            }
        }
        if video.current_time() - start > KEPT {
            buffer.remove(start, video.current_time() - KEPT_BEHIND).ok();
        }
    }
}
