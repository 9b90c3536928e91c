//! A camera that the server reaches: its pictures go into a channel as a vehicle's do, and the last seconds of them are held.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use bugbrother_guard::Guard;
use bugbrother_video::{
    AccessUnit, Codec, Cut, Feed, Gop, Item, Limits, MuxingError, News, Pace, Parameters, Reel, Ring, Scene,
};
use bugbrother_wire::{
    UnixMs,
    video::{Beginning, Fragment, MAX_MESSAGE_BYTES, Piece},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    aim::{Aim, NoWay},
    channel::{Channel, Standing},
};
use crate::clock;

/// What is held of each camera: 30 s and a group of pictures, of up to 4 Mbit/s.
const HELD: Limits = Limits { duration: Duration::from_secs(42), bytes: 24 << 20 };
/// A camera that is gone comes back soon while somebody looks.
const PACE: Pace =
    Pace { first: Duration::from_millis(250), longest: Duration::from_secs(5), lasting: Duration::from_secs(60) };
/// Between two tries while there is no way to it.
const AGAIN: Duration = Duration::from_secs(15);
/// A picture so old is still one of now.
const FRESH: Duration = Duration::from_secs(5);

/// The last seconds of a camera.
#[derive(Debug)]
pub(crate) struct Held(Mutex<Ring>);

impl Default for Held {
    fn default() -> Self {
        Held(Mutex::new(Ring::new(HELD)))
    }
}

impl Held {
    /// What there is of the last `span`, from the key frame at or before its beginning.
    pub fn last(&self, span: Duration) -> Vec<Scene> {
        let now = Instant::now();
        let from = now.checked_sub(span).unwrap_or(now);
        // A camera that has been gone for a while has nothing to say of now.
        let is_recent = |gop: &&Gop| gop.units().last().is_some_and(|last| last.received >= from);
        self.lock().since(from).filter(is_recent).map(Scene::from).collect()
    }

    /// The newest key frame, if it is one of now.
    pub fn picture(&self) -> Option<(Arc<Parameters>, AccessUnit)> {
        let ring = self.lock();
        let gop = ring.gops().last()?;
        let is_fresh = gop.units().last().is_some_and(|last| last.received.elapsed() < FRESH);
        is_fresh.then(|| (gop.parameters().clone(), gop.units()[0].clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().expect("nothing panics while it holds the last seconds")
    }
}

/// When something was received, by the calendar.
pub(crate) fn moment(received: Instant) -> UnixMs {
    clock::now() - UnixMs::try_from(received.elapsed().as_millis()).unwrap_or(UnixMs::MAX / 2)
}

/// A camera on its way into a channel.
pub(crate) struct Pull {
    pub aim: Aim,
    pub guard: Guard,
    pub channel: Arc<Channel>,
    pub held: Arc<Held>,
    pub is_small: bool,
}

impl Pull {
    /// Follows the camera until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut tries = 0;
        let mut stage = Stage::new(self.is_small);
        loop {
            let admitted = stop.run_until_cancelled(self.aim.admit(&self.guard, tries)).await;
            let why = match admitted {
                None => return,
                Some(Err(why)) => why,
                Some(Ok(camera)) => {
                    let feed = Feed::new(camera, PACE);
                    match self.play(feed, &mut stage, &mut tries, &stop).await {
                        None => return,
                        Some(why) => why,
                    }
                }
            };
            self.channel.stand(Standing::Gone(why.to_string().into()));
            if stop.run_until_cancelled(sleep(AGAIN)).await.is_none() {
                return;
            }
        }
    }

    /// Until there is no way to the camera any more, or `stop`.
    async fn play(
        &self,
        mut feed: Feed,
        stage: &mut Stage,
        tries: &mut usize,
        stop: &CancellationToken,
    ) -> Option<NoWay> {
        loop {
            let Some(news) = stop.run_until_cancelled(feed.next()).await else {
                feed.close().await;
                return None;
            };
            match news {
                News::Up { codec, .. } => {
                    debug!(%codec, "a camera that the server reaches plays");
                    stage.begin();
                }
                News::Item(Item::Parameters(parameters)) => stage.parameters = Some(parameters),
                News::Item(Item::Unit(unit)) => self.see(stage, unit),
                News::Item(Item::Sound(_)) => {}
                News::Down { reason, .. } => {
                    self.held.lock().interrupt();
                    metrics::counter!("bugbrother_dashboard_video_pulls_lost_total").increment(1);
                    let why = reason.told();
                    info!(reason = why, "a camera that the server reaches is gone; it is tried again");
                    self.channel.stand(Standing::Gone(why.into()));
                    *tries = tries.wrapping_add(1);
                    match stop.run_until_cancelled(self.aim.admit(&self.guard, *tries)).await {
                        None => return None,
                        Some(Ok(camera)) => feed.aim(camera),
                        Some(Err(why)) => return Some(why),
                    }
                }
            }
        }
    }

    fn see(&self, stage: &mut Stage, unit: AccessUnit) {
        let Some(parameters) = stage.parameters.clone() else { return };
        self.held.lock().push(&parameters, unit.clone());
        if parameters.codec == Codec::Jpeg {
            let why = "the camera sends Motion JPEG: set it to H.264 to see it live";
            return self.channel.stand(Standing::Gone(why.into()));
        }
        if let Err(error) = stage.show(&self.channel, &parameters, &unit) {
            debug!(%error, "a picture cannot be shown");
            stage.leave_out();
        }
    }
}

/// What is handed on, and what is left out.
struct Stage {
    reel: Reel,
    parameters: Option<Arc<Parameters>>,
    is_small: bool,
    picture: u32,
    /// Nothing is shown before the next key frame.
    skips: bool,
    has_gap: bool,
}

impl Stage {
    fn new(is_small: bool) -> Self {
        Stage { reel: Reel::default(), parameters: None, is_small, picture: 0, skips: true, has_gap: false }
    }

    /// A session begins, somewhere in the camera's stream.
    fn begin(&mut self) {
        self.parameters = None;
        self.leave_out();
    }

    fn show(&mut self, channel: &Channel, parameters: &Arc<Parameters>, unit: &AccessUnit) -> Result<(), MuxingError> {
        self.picture = self.picture.wrapping_add(1);
        if (self.skips || self.reel.begins_anew(parameters, unit)) && !unit.is_key {
            self.leave_out();
            return Ok(());
        }
        let Cut { beginning, number, fragment } = self.reel.cut(parameters, unit)?;
        let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
        if let Some(init) = beginning {
            say(
                channel,
                &Piece::Beginning(Beginning {
                    number,
                    is_sub: self.is_small,
                    plays_in_browsers: parameters.plays_in_browsers(),
                    width: side(parameters.width),
                    height: side(parameters.height),
                    codec: &parameters.rfc6381,
                    data: &init,
                }),
            );
        }
        let piece = Piece::Fragment(Fragment {
            beginning: number,
            is_key: fragment.is_key,
            is_after_gap: self.has_gap,
            picture: self.picture,
            captured: moment(unit.received),
            data: &fragment.data,
        });
        if say(channel, &piece) {
            (self.skips, self.has_gap) = (false, false);
        } else {
            self.leave_out();
        }
        Ok(())
    }

    fn leave_out(&mut self) {
        (self.skips, self.has_gap) = (true, self.reel.has_begun());
    }
}

/// Hands a piece on; false when it is too large to be one.
fn say(channel: &Channel, piece: &Piece<'_>) -> bool {
    let bytes = piece.to_bytes();
    let fits = bytes.len() <= MAX_MESSAGE_BYTES;
    if fits {
        metrics::counter!("bugbrother_dashboard_video_bytes_total").increment(bytes.len() as u64);
        channel.take(piece, bytes.into());
    }
    fits
}
