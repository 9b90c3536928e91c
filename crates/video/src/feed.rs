//! A camera that is followed: found, lost and found again, for as long as somebody listens.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use rand::Rng;
use retina::client::SessionGroup;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tracing::debug;

use crate::{
    access_unit::{Codec, SoundParameters},
    error::SourceError,
    source::{Camera, Item, RtspSession},
};

/// A camera whose session was so long good is tried again at once.
const GOOD: Duration = Duration::from_secs(60);
/// Longest wait for a camera to let go of a session: they are made for a minute.
const STALE: Duration = Duration::from_secs(65);

/// When a camera that is gone is tried again: after a wait that doubles each time, by a random part of it sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// The wait where a person has to do something first.
    pub lasting: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { first: Duration::from_millis(250), longest: Duration::from_secs(30), lasting: Duration::from_secs(300) }
    }
}

/// What there is to say of a camera.
#[derive(Debug)]
pub enum News {
    /// It plays.
    Up {
        /// How the pictures are coded.
        codec: Codec,
        /// How the sound is coded, where it is taken.
        sound: Option<Arc<SoundParameters>>,
    },
    /// Something of its stream.
    Item(Item),
    /// It does not play, or no longer.
    Down {
        /// Why.
        reason: SourceError,
        /// When it is tried again.
        again_in: Duration,
    },
}

type Opening = Pin<Box<dyn Future<Output = Result<RtspSession, SourceError>> + Send>>;

enum State {
    Waiting(Pin<Box<Sleep>>),
    Opening(Opening),
    Playing(Box<RtspSession>),
}

/// A camera that is followed.
pub struct Feed {
    camera: Camera,
    pace: Pace,
    wait: Duration,
    group: Arc<SessionGroup>,
    /// Whether the camera may hold a session of ours that is over.
    is_full: bool,
    began: Instant,
    state: State,
}

impl Feed {
    /// Nothing is done before [`Feed::next`] is asked.
    pub fn new(camera: Camera, pace: Pace) -> Self {
        let (group, wait) = (Arc::new(SessionGroup::default()), pace.first);
        let state = State::Waiting(Box::pin(sleep(Duration::ZERO)));
        Feed { camera, pace, wait, group, is_full: false, began: Instant::now(), state }
    }

    /// What is next. Cancel safe; it never ends.
    pub async fn next(&mut self) -> News {
        loop {
            match &mut self.state {
                State::Waiting(until) => {
                    until.await;
                    self.began = Instant::now();
                    self.state = State::Opening(self.open());
                }
                State::Opening(opening) => match opening.await {
                    Ok(session) => {
                        self.began = Instant::now();
                        let (codec, sound) = (session.codec(), session.sound().cloned());
                        self.state = State::Playing(Box::new(session));
                        return News::Up { codec, sound };
                    }
                    Err(reason) => return self.lose(reason),
                },
                State::Playing(session) => match session.next().await {
                    Ok(item) => return News::Item(item),
                    Err(reason) => return self.lose(reason),
                },
            }
        }
    }

    /// Where the camera is from the next session on: its name may lead elsewhere by then.
    pub fn aim(&mut self, camera: Camera) {
        self.camera = camera;
    }

    /// Lets go of the camera, which is told so.
    pub async fn close(self) {
        if let State::Playing(session) = self.state {
            session.close().await;
        }
    }

    fn open(&self) -> Opening {
        let (camera, group) = (self.camera.clone(), self.group.clone());
        let waits = self.is_full;
        Box::pin(async move {
            let stale = group.stale_sessions();
            if waits && stale.num_sessions > 0 {
                debug!(sessions = stale.num_sessions, "waiting for the camera to let go of sessions");
                if timeout(STALE, group.await_stale_sessions(&stale)).await.is_err() {
                    debug!("the camera holds sessions for longer than it should");
                }
            }
            RtspSession::open_in(&camera, group).await
        })
    }

    fn lose(&mut self, reason: SourceError) -> News {
        if self.began.elapsed() > GOOD {
            self.wait = self.pace.first;
        }
        self.is_full = reason.is_full();
        let wait = if reason.is_transient() { self.wait } else { self.pace.lasting };
        self.wait = (self.wait * 2).min(self.pace.longest);
        let again_in = wait.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.state = State::Waiting(Box::pin(sleep(again_in)));
        News::Down { reason, again_in }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("camera", &self.camera).finish_non_exhaustive()
    }
}
