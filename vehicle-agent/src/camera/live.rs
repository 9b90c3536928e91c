//! Live pictures: pushed over one WebSocket that the vehicle opens, which works behind any network's translation of addresses.
//!
//! What the network does not take is left out, up to the next key frame: who looks sees what is now, later than others by no
//! more than the socket's small queue.

use std::{
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_video::{AccessUnit, Camera, Cut, Feed, Item as Piece, MuxingError, News, Pace, Parameters, Reel};
use bugbrother_wire::{
    CameraId, UnixMs,
    video::{self, MAX_MESSAGE_BYTES, closing},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::{sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, frame::coding::CloseCode};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info};

use super::{eye::Tap, office::Office, socket};
use crate::clock::{Time, is_provisional};

/// Messages that wait for the network: a second and a half of a usual camera.
const QUEUE: usize = 32;
/// What is left out for want of room goes on when this is free again.
const ROOM: usize = QUEUE / 2;
/// So often within [`SLOW_FOR`] the network fell behind: the smaller stream is taken.
const SLOW: usize = 3;
const SLOW_FOR: Duration = Duration::from_secs(30);
/// Longest that a message may take.
const WRITE_WITHIN: Duration = Duration::from_secs(15);
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
const FAREWELL: Duration = Duration::from_secs(2);
/// A router forgets a connection on which nothing is said.
const PING_EVERY: Duration = Duration::from_secs(20);

/// What a live stream is made of.
pub(super) struct Scene {
    pub camera: CameraId,
    pub office: Office,
    pub ticket: Option<String>,
    /// The pictures since the last key frame, so that viewers need not wait for the next.
    pub begin: Option<(Arc<Parameters>, Vec<AccessUnit>)>,
    pub taps: broadcast::Receiver<Tap>,
    pub sub: Option<Camera>,
    pub pace: Pace,
    pub private: watch::Receiver<bool>,
    pub time: Time,
}

/// A live stream that is under way.
pub(super) struct Live {
    until: watch::Sender<Instant>,
    end: CancellationToken,
    over: CancellationToken,
}

impl Live {
    /// Begins one. `answer` is told when the server has it, or why it has not.
    pub fn begin(
        scene: Scene,
        until: Instant,
        answer: oneshot::Sender<Result<(), String>>,
        tasks: &TaskTracker,
    ) -> Self {
        let (until, until_in) = watch::channel(until);
        let (end, over) = (CancellationToken::new(), CancellationToken::new());
        let (ending, ended) = (end.clone(), over.clone().drop_guard());
        tasks.spawn(async move {
            let _ended = ended;
            perform(scene, until_in, answer, ending).await;
        });
        Live { until, end, over }
    }

    /// It is wanted for longer.
    pub fn extend(&self, until: Instant) {
        self.until.send_if_modified(|known| {
            let later = until > *known;
            *known = until.max(*known);
            later
        });
    }

    /// Ends it.
    pub fn end(self) {
        self.end.cancel();
    }

    /// Whether it has ended by itself.
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }
}

/// Dropped, it ends.
impl Drop for Live {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn perform(
    mut scene: Scene,
    until: watch::Receiver<Instant>,
    answer: oneshot::Sender<Result<(), String>>,
    end: CancellationToken,
) {
    let connecting = socket::open(&scene.office, &scene.camera, scene.ticket.as_deref());
    let connected = tokio::select! {
        () = end.cancelled() => return,
        connected = timeout(CONNECT_WITHIN, connecting) => connected,
    };
    let socket = match connected.unwrap_or_else(|_| Err("the fleet's server does not answer".to_owned())) {
        Ok(socket) => socket,
        Err(reason) => {
            debug!(reason, "no live pictures");
            drop(answer.send(Err(reason)));
            return;
        }
    };
    drop(answer.send(Ok(())));
    info!(camera = %scene.camera, "live pictures are sent");
    let (mut sink, mut stream) = socket.split();
    let (queue, mut queued) = mpsc::channel::<Message>(QUEUE);
    let writing = tokio::spawn(async move {
        while let Some(message) = queued.recv().await {
            match timeout(WRITE_WITHIN, sink.send(message)).await {
                Ok(Ok(())) => {}
                _ => return None,
            }
        }
        Some(sink)
    });
    let reading = async {
        // The server says nothing but goodbye; pings are answered while it is read.
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Close(frame) = message {
                return frame.map(|frame| u16::from(frame.code));
            }
        }
        None
    };
    let mut stage = Stage::new(queue, scene.time.clone());
    let mut private = scene.private.clone();
    let private = async move {
        if private.wait_for(|private| *private).await.is_err() {
            future::pending::<()>().await;
        }
    };
    let code = {
        let playing = play(&mut stage, &mut scene);
        tokio::select! {
            biased;
            () = private => Some(closing::PRIVACY),
            () = end.cancelled() => Some(closing::STOPPED),
            () = over(until) => Some(closing::OVER),
            closed = reading => {
                info!(code = closed, "the server wants no more live pictures");
                None
            }
            () = playing => None,
        }
    };
    let left_out = stage.left_out;
    drop(stage);
    if let Some(code) = code {
        let say_goodbye = async {
            if let Ok(Some(mut sink)) = writing.await {
                let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
                drop(sink.send(Message::Close(Some(frame))).await);
            }
        };
        drop(timeout(FAREWELL, say_goodbye).await);
    } else {
        writing.abort();
    }
    info!(camera = %scene.camera, left_out, "live pictures are not sent any more");
}

async fn over(mut until: watch::Receiver<Instant>) {
    loop {
        let end = *until.borrow_and_update();
        tokio::select! {
            () = sleep_until(end.into()) => return,
            changed = until.changed() => if changed.is_err() {
                sleep_until(end.into()).await;
                return;
            },
        }
    }
}

/// Until the socket is gone or there is nothing more to send.
async fn play(stage: &mut Stage, scene: &mut Scene) {
    if let Some((parameters, units)) = scene.begin.take() {
        for unit in &units {
            stage.show(&parameters, unit, false);
        }
    }
    let (mut sub, mut sub_parameters) = (None::<Feed>, None);
    let mut pings = tokio::time::interval(PING_EVERY);
    while !stage.is_gone() {
        if sub.is_none() && stage.is_slow() && scene.sub.is_some() {
            debug!("the smaller stream is taken");
            // It is said when there is room for it: with the smaller stream's beginning.
            stage.excuse = Some("the network is slow: the smaller stream is sent");
            sub = scene.sub.clone().map(|camera| Feed::new(camera, scene.pace));
        }
        tokio::select! {
            _ = pings.tick() => stage.ping(),
            tap = scene.taps.recv() => match tap {
                Ok(Tap::Picture(parameters, unit)) if !stage.is_sub => stage.show(&parameters, &unit, false),
                Ok(Tap::Gone(reason)) if !stage.is_sub => stage.notice(&reason),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(count)) => stage.miss(count),
                Err(broadcast::error::RecvError::Closed) => return,
            },
            news = smaller(&mut sub) => match news {
                News::Item(Piece::Parameters(parameters)) => sub_parameters = Some(parameters),
                News::Item(Piece::Unit(unit)) => if let Some(parameters) = &sub_parameters {
                    stage.show(parameters, &unit, true);
                },
                News::Down { reason, .. } if !reason.is_transient() => {
                    debug!(%reason, "there is no smaller stream");
                    (sub, scene.sub, stage.is_sub) = (None, None, false);
                }
                News::Down { .. } | News::Up { .. } | News::Item(Piece::Sound(_)) => {}
            },
        }
    }
    if let Some(sub) = sub {
        sub.close().await;
    }
}

async fn smaller(sub: &mut Option<Feed>) -> News {
    match sub {
        Some(feed) => feed.next().await,
        None => future::pending().await,
    }
}

/// What is sent, and what is left out.
struct Stage {
    queue: mpsc::Sender<Message>,
    time: Time,
    reel: Reel,
    picture: u32,
    /// Nothing is sent before the next key frame.
    skips: bool,
    has_gap: bool,
    is_sub: bool,
    left_out: u64,
    falls: Vec<Instant>,
    /// To be said with the next beginning.
    excuse: Option<&'static str>,
}

impl Stage {
    fn new(queue: mpsc::Sender<Message>, time: Time) -> Self {
        Stage {
            queue,
            time,
            reel: Reel::default(),
            picture: 0,
            skips: true,
            has_gap: false,
            is_sub: false,
            left_out: 0,
            falls: Vec::new(),
            excuse: None,
        }
    }

    fn is_gone(&self) -> bool {
        self.queue.is_closed()
    }

    /// Whether the network fell behind again and again.
    fn is_slow(&self) -> bool {
        self.falls.len() >= SLOW && self.falls.first().is_some_and(|first| first.elapsed() < SLOW_FOR)
    }

    /// Sends a picture of the main or the smaller stream, if it can be shown and there is room for it.
    fn show(&mut self, parameters: &Arc<Parameters>, unit: &AccessUnit, is_sub: bool) {
        // From one stream to the other at a key frame.
        if is_sub != self.is_sub && unit.is_key {
            self.is_sub = is_sub;
        }
        if is_sub != self.is_sub {
            return;
        }
        self.picture = self.picture.wrapping_add(1);
        let begins = self.reel.begins_anew(parameters, unit);
        if (self.skips || begins) && (!unit.is_key || self.queue.capacity() < ROOM) {
            return self.leave_out();
        }
        if let Err(error) = self.send(parameters, unit) {
            debug!(%error, "a picture cannot be sent");
            self.leave_out();
        }
    }

    fn send(&mut self, parameters: &Arc<Parameters>, unit: &AccessUnit) -> Result<(), MuxingError> {
        let Cut { beginning, number, fragment } = self.reel.cut(parameters, unit)?;
        if let Some(init) = beginning {
            // There is room: the queue is half empty.
            self.put(self::beginning(number, self.is_sub, parameters, &init));
            if let Some(excuse) = self.excuse.take_if(|_| self.is_sub) {
                self.notice(excuse);
            }
        }
        let captured = self.time.stamp(unit.received).ts;
        let fragment = video::Fragment {
            beginning: number,
            is_key: fragment.is_key,
            is_after_gap: self.has_gap,
            picture: self.picture,
            captured: if is_provisional(captured) { UnixMs::default() } else { captured },
            data: &fragment.data,
        };
        let message = video::Piece::Fragment(fragment).to_bytes();
        if message.len() <= MAX_MESSAGE_BYTES && self.put(message) {
            (self.skips, self.has_gap) = (false, false);
        } else {
            self.fall();
        }
        Ok(())
    }

    fn put(&self, message: Vec<u8>) -> bool {
        self.queue.try_send(Message::Binary(Bytes::from(message))).is_ok()
    }

    /// The network has fallen behind.
    fn fall(&mut self) {
        if !self.skips {
            debug!("the network falls behind");
            self.falls.push(Instant::now());
            let surplus = self.falls.len().saturating_sub(SLOW);
            self.falls.drain(..surplus);
        }
        self.leave_out();
    }

    fn leave_out(&mut self) {
        self.left_out += 1;
        (self.skips, self.has_gap) = (true, self.reel.has_begun());
    }

    /// Pictures that this task was too slow for.
    fn miss(&mut self, count: u64) {
        self.picture = self.picture.wrapping_add(u32::try_from(count).unwrap_or(u32::MAX));
        self.left_out += count;
        (self.skips, self.has_gap) = (true, true);
    }

    fn notice(&self, text: &str) {
        self.put(video::Piece::Notice(text).to_bytes());
    }

    fn ping(&self) {
        // A queue that is full shows by itself whether the connection lives.
        drop(self.queue.try_send(Message::Ping(Bytes::new())));
    }
}

fn beginning(number: u16, is_sub: bool, parameters: &Parameters, init: &[u8]) -> Vec<u8> {
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    let beginning = video::Beginning {
        number,
        is_sub,
        plays_in_browsers: parameters.plays_in_browsers(),
        width: side(parameters.width),
        height: side(parameters.height),
        codec: &parameters.rfc6381,
        data: init,
    };
    video::Piece::Beginning(beginning).to_bytes()
}
