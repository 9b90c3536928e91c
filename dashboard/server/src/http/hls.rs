//! `/hls/{vin}/{camera}/…`: a camera, live, for players and telephones that know no media source.
//!
//! Who may look shows a token, a cookie or a ticket at `index.m3u8`. What that names carries a key which is good as long as it is
//! used, since players cannot be told to show anything.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Path, Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bugbrother_wire::{
    CameraId, Vin,
    api::{Purpose, Right},
    video::Piece,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{App, caller::Caller, cameras::may_look, failure::Failure, tickets, watch::camera_of};
use crate::{
    clock, digest,
    seats::Seat,
    video::{
        Key, Look,
        hls::Segmenter,
        viewer::{Next, Place},
    },
};

/// Keys that are out.
const MAX_SHOWS: usize = 500;
/// A key that nobody uses for so long is good no more.
const IDLE: Duration = Duration::from_secs(30);
/// Longest wait for the first picture, and for a part that a player asks for before it is there.
const FIRST: Duration = Duration::from_secs(12);
const NEXT: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Who plays what.
#[derive(Default)]
pub(crate) struct Shows {
    by_key: Mutex<HashMap<String, Show>>,
    streams: Mutex<HashMap<(Vin, CameraId), Weak<Stream>>>,
}

#[derive(Clone)]
struct Show {
    caller: Caller,
    vin: Vin,
    camera: CameraId,
    stream: Arc<Stream>,
    _seat: Arc<Seat<String>>,
    used: Instant,
}

/// A stream that is cut for those who play it.
struct Stream {
    cut: Arc<Mutex<Segmenter>>,
    /// Rises with whatever is new.
    news: watch::Receiver<u64>,
    _end: DropGuard,
}

impl Shows {
    fn show(&self, key: &str) -> Option<Show> {
        let mut shows = self.shows();
        let show = shows.get_mut(key).filter(|show| show.used.elapsed() < IDLE)?;
        show.used = Instant::now();
        Some(show.clone())
    }

    fn put(&self, show: Show) -> Option<String> {
        let mut shows = self.shows();
        if shows.len() >= MAX_SHOWS {
            return None;
        }
        let key = digest::random();
        shows.insert(key.clone(), show);
        Some(key)
    }

    /// Lets go of what nobody plays any more.
    pub fn sweep(&self) {
        self.shows().retain(|_, show| show.used.elapsed() < IDLE);
        self.streams().retain(|_, stream| stream.strong_count() > 0);
    }

    fn shows(&self) -> MutexGuard<'_, HashMap<String, Show>> {
        self.by_key.lock().expect("nothing panics while it holds who plays")
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<(Vin, CameraId), Weak<Stream>>> {
        self.streams.lock().expect("nothing panics while it holds what is played")
    }
}

/// How a player asks.
#[derive(Deserialize)]
pub(crate) struct Wish {
    key: Option<String>,
    #[serde(rename = "_HLS_msn")]
    segment: Option<u64>,
    #[serde(rename = "_HLS_part")]
    part: Option<usize>,
}

pub(crate) async fn open(
    State(app): State<App>,
    Path((vin, camera, file)): Path<(String, String, String)>,
    Query(wish): Query<Wish>,
    request: Request,
) -> Result<Response, Failure> {
    if file == "index.m3u8" {
        return index(app, &vin, &camera, request).await;
    }
    let nothing = || Failure::not_found("there is nothing at this address, or its key is not good any more");
    let show = wish.key.as_deref().and_then(|key| app.shows.show(key)).ok_or_else(nothing)?;
    let is_same = show.vin.as_str() == vin && show.camera.as_str() == camera;
    if !is_same
        || app.passes.is_over(&show.caller.pass, clock::now())
        || !may_look(&app, &show.caller, show.vin).await?
    {
        return Err(nothing());
    }
    let key = wish.key.as_deref().unwrap_or_default();
    if file != "live.m3u8" {
        let found = show.stream.cut().file(&file).ok_or_else(nothing)?;
        return Ok(([(header::CONTENT_TYPE, "video/mp4")], found).into_response());
    }
    if let Some(segment) = wish.segment {
        show.stream.wait(NEXT, |cut| cut.has(segment, wish.part)).await;
    }
    Ok(playlist(show.stream.cut().playlist(key, moment)))
}

async fn index(app: App, vin: &str, camera: &str, request: Request) -> Result<Response, Failure> {
    let (mut parts, _) = request.into_parts();
    let has_ticket = parts.uri.query().is_some_and(|query| query.contains("ticket="));
    let caller = if has_ticket {
        tickets::admit(&mut parts, &app, Purpose::Video).await?
    } else {
        let caller = Caller::of(&mut parts, &app).await?;
        if !caller.may(Right::Watch) {
            return Err(Failure::forbidden("forbidden", "this account may not do that"));
        }
        caller
    };
    let (vin, camera, _) = camera_of(&app, &caller, vin, camera).await?;
    let busy = || Failure::too_many("too_many_viewers", "too many look at cameras; close one", RETRY_AFTER);
    let seat = app.watchers.take(&caller.name).ok_or_else(busy)?;
    app.shows.sweep();
    let stream = stream(&app, vin, &camera, &caller.name).ok_or_else(busy)?;
    app.note(&caller, "video_watched", Some(("vehicle", vin.as_str())), json!({ "camera": camera, "by": "hls" }))
        .await?;
    if !stream.wait(FIRST, Segmenter::has_begun).await {
        let message = "no picture has come from the camera yet";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "no_picture", message));
    }
    let show = Show { caller, vin, camera, stream: Arc::clone(&stream), _seat: Arc::new(seat), used: Instant::now() };
    let key = app.shows.put(show).ok_or_else(busy)?;
    let text = stream.cut().index(&key).unwrap_or_default();
    Ok(playlist(text))
}

/// The stream of a camera that is cut for players, which is one for all of them.
fn stream(app: &App, vin: Vin, camera: &CameraId, by: &str) -> Option<Arc<Stream>> {
    let mut streams = app.shows.streams();
    let known = streams.get(&(vin, camera.clone())).and_then(Weak::upgrade);
    if known.is_some() {
        return known;
    }
    let look = app.relay.look(Key::new(vin, camera), by)?;
    let (end, cut) = (CancellationToken::new(), Arc::<Mutex<Segmenter>>::default());
    let (said, news) = watch::channel(0);
    let stop = app.stop.clone();
    let (ended, into) = (end.clone(), Arc::clone(&cut));
    app.sockets.spawn(async move {
        tokio::select! {
            () = follow(look, into, said) => {}
            () = ended.cancelled() => {}
            () = stop.cancelled() => {}
        }
    });
    let stream = Arc::new(Stream { cut, news, _end: end.drop_guard() });
    streams.insert((vin, camera.clone()), Arc::downgrade(&stream));
    Some(stream)
}

async fn follow(look: Look, cut: Arc<Mutex<Segmenter>>, news: watch::Sender<u64>) {
    let mut place = Place::new(look.channel());
    while let Some(next) = place.next().await {
        let Next::Piece(piece) = next else { continue };
        let mut cut = cut.lock().expect("nothing panics while it cuts");
        match Piece::read(&piece) {
            Ok(Some(Piece::Beginning(beginning))) => drop(cut.begin(&beginning)),
            Ok(Some(Piece::Fragment(fragment))) => cut.show(&fragment),
            _ => continue,
        }
        drop(cut);
        news.send_modify(|count| *count += 1);
    }
}

impl Stream {
    fn cut(&self) -> MutexGuard<'_, Segmenter> {
        self.cut.lock().expect("nothing panics while it cuts")
    }

    /// Waits until it is so; false when that takes too long.
    async fn wait(&self, patience: Duration, is_so: impl Fn(&Segmenter) -> bool) -> bool {
        let mut news = self.news.clone();
        timeout(patience, news.wait_for(|_| is_so(&self.cut()))).await.is_ok_and(|waited| waited.is_ok())
    }
}

fn playlist(text: String) -> Response {
    let kind = HeaderValue::from_static("application/vnd.apple.mpegurl");
    let mut response = Body::from(Bytes::from(text)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// When a picture was taken, as ISO 8601; not where the vehicle did not know.
fn moment(ms: i64) -> Option<String> {
    (ms > 0).then(|| jiff::Timestamp::from_millisecond(ms).ok().map(|at| format!("{at:.3}"))).flatten()
}
