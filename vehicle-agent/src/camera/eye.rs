//! One camera: followed, its last seconds held, photos and films made of them, viewers served.

use std::{
    collections::VecDeque,
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_video::{
    AccessUnit, Feed, Gop, Item as Piece, Limits, News, Pace, Parameters, PhotoError, Ring, SoundParameters,
    photo::{can_be_made_of, from_picture},
};
use bugbrother_wire::{MediaId, message::EventKind};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval_at, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{
    film::Film,
    ledger::Ledger,
    live::{self, Live},
    office::Office,
    photo::{Pending, keep, snapshot_of},
    request::{Cause, Request},
    settings::Plan,
    shelf::About,
    spool::Entry,
};
use crate::outbox::{Draft, Happening};

/// A camera that comes back within so long was never gone.
const GONE_AFTER: Duration = Duration::from_secs(10);
/// A picture so old is still one of now.
const FRESH: Duration = Duration::from_secs(2);
/// Longest wait for a picture that can be made into a photo.
const PHOTO_WITHIN: Duration = Duration::from_secs(12);
/// Photos that are asked for at a time.
const MOST_PHOTOS: usize = 4;
/// Pictures that wait for a live stream; whoever is slower goes on at a key frame.
const TAPPED: usize = 256;

/// A picture for live viewers.
#[derive(Debug, Clone)]
pub(super) enum Tap {
    Picture(Arc<Parameters>, AccessUnit),
    Gone(String),
}

/// What a camera works with.
pub(super) struct Means {
    pub ledger: Ledger,
    pub drafts: mpsc::Sender<Draft>,
    pub private: watch::Receiver<bool>,
    pub ring: Limits,
    pub office: Option<Office>,
    pub pace: Pace,
}

pub(super) struct Eye {
    plan: Plan,
    means: Means,
    feed: Option<Feed>,
    ring: Ring,
    parameters: Option<Arc<Parameters>>,
    sound: Option<Arc<SoundParameters>>,
    film: Option<Film>,
    photos: VecDeque<Pending>,
    taps: broadcast::Sender<Tap>,
    live: Option<Live>,
    gone: Gone,
    tasks: TaskTracker,
}

/// Whether the camera is there, as far as the fleet was told.
#[derive(Default)]
struct Gone {
    since: Option<(Instant, String)>,
    told: bool,
}

impl Eye {
    pub fn new(plan: Plan, means: Means) -> Self {
        let ring = Ring::new(means.ring);
        let (taps, _) = broadcast::channel(TAPPED);
        Eye {
            plan,
            means,
            feed: None,
            ring,
            parameters: None,
            sound: None,
            film: None,
            photos: VecDeque::new(),
            taps,
            live: None,
            gone: Gone::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Until `stop`; then films that are being recorded are finished.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>, stop: CancellationToken) {
        let mut private = self.means.private.clone();
        let every = self.plan.photo_every.unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
        let mut photo_due = interval_at((Instant::now() + every).into(), every);
        photo_due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.follow();
            let next = self.next_moment();
            tokio::select! {
                () = stop.cancelled() => break,
                request = requests.recv() => match request {
                    Some(request) => self.obey(request).await,
                    None => break,
                },
                Ok(()) = private.changed() => {
                    let is_on = *private.borrow_and_update();
                    self.respect(is_on);
                }
                news = news(&mut self.feed) => self.hear(news).await,
                _ = photo_due.tick(), if self.plan.photo_every.is_some() => {
                    self.take_photo(Cause::default(), None);
                }
                () = moment(next) => self.pass_time().await,
            }
        }
        self.finish().await;
    }

    /// The camera is spoken to while somebody wants its pictures.
    fn follow(&mut self) {
        self.live.take_if(|live| live.is_over());
        let private = *self.means.private.borrow();
        let wanted = self.plan.records || self.live.is_some() || !self.photos.is_empty() || self.film.is_some();
        match (&self.feed, wanted && !private) {
            (None, true) => self.feed = Some(Feed::new(self.plan.main.clone(), self.means.pace)),
            (Some(_), false) => self.let_go(),
            _ => {}
        }
    }

    /// The camera is told in the background, and nothing of its pictures is kept.
    fn let_go(&mut self) {
        if let Some(feed) = self.feed.take() {
            self.tasks.spawn(feed.close());
        }
        self.ring = Ring::new(self.means.ring);
        (self.parameters, self.sound) = (None, None);
        self.gone.since = None;
    }

    async fn hear(&mut self, news: News) {
        match news {
            News::Up { sound, .. } => self.sound = sound,
            News::Item(Piece::Parameters(parameters)) => {
                if self.parameters.as_ref().is_none_or(|known| known.rfc6381 != parameters.rfc6381) {
                    let Parameters { rfc6381, width, height, .. } = &*parameters;
                    info!(camera = %self.plan.id, codec = rfc6381, width, height, "camera plays");
                    if !parameters.plays_in_browsers() {
                        warn!(camera = %self.plan.id, codec = rfc6381, "its films do not play in browsers");
                    }
                }
                self.parameters = Some(parameters.clone());
                self.film(Entry::Parameters(parameters));
            }
            News::Item(Piece::Unit(unit)) => self.see(unit).await,
            News::Item(Piece::Sound(frame)) => {
                if let Some(sound) = &self.sound {
                    self.ring.hear(sound, frame.clone());
                    self.film(Entry::Sound(frame));
                }
            }
            News::Down { reason, .. } => {
                self.ring.interrupt();
                let reason = reason.to_string();
                if self.gone.since.is_none() {
                    info!(camera = %self.plan.id, reason, "camera is gone; it is tried again");
                    metrics::counter!("bugbrother_agent_camera_losses_total").increment(1);
                    self.tap(Tap::Gone(reason.clone()));
                    self.gone.since = Some((Instant::now(), reason));
                }
            }
        }
    }

    async fn see(&mut self, unit: AccessUnit) {
        let Some(parameters) = self.parameters.clone() else { return };
        self.gone.since = None;
        if std::mem::take(&mut self.gone.told) {
            self.tell(EventKind::CameraPlugged, self.plan.id.to_string()).await;
        }
        self.ring.push(&parameters, unit.clone());
        self.tap(Tap::Picture(parameters.clone(), unit.clone()));
        self.film(Entry::Unit(unit.clone()));
        if unit.is_key {
            while let Some(photo) = self.photos.pop_front() {
                self.develop(photo, parameters.clone(), unit.clone());
            }
        }
    }

    /// Nobody may be looking.
    fn tap(&self, tap: Tap) {
        if self.taps.receiver_count() > 0 {
            drop(self.taps.send(tap));
        }
    }

    fn film(&mut self, entry: Entry) {
        if self.film.as_mut().is_some_and(|film| !film.add(entry)) {
            // It is as large as it may be: what there is, is finished.
            self.film = None;
        }
    }

    async fn tell(&mut self, kind: EventKind, text: String) {
        let happening = Happening { text: Some(text), ..Happening::new(kind, self.means.ledger.time.now()) };
        // Behind it is the end of the agent.
        drop(self.means.drafts.send(Draft::Event(happening)).await);
    }

    async fn obey(&mut self, request: Request) {
        if *self.means.private.borrow() && !matches!(request, Request::EndLive) {
            return request.refuse("privacy is on: no pictures are taken");
        }
        match request {
            Request::Photo { cause, answer } => self.take_photo(cause, Some(answer)),
            Request::Film { cause, at, before, after, answer } => {
                let begun = self.begin_film(cause, at, before, after);
                // Whoever asked may not wait for it.
                drop(answer.send(begun));
            }
            Request::Live { until, ticket, answer } => self.begin_live(until, ticket, answer),
            Request::EndLive => {
                if let Some(live) = self.live.take() {
                    live.end();
                }
            }
        }
    }

    fn begin_film(&mut self, cause: Cause, at: Instant, before: Duration, after: Duration) -> Result<MediaId, String> {
        if let Some(film) = &mut self.film {
            film.extend(at + after);
            return Ok(film.about.id);
        }
        if !self.plan.records {
            return Err(format!("camera `{}` does not record", self.plan.id));
        }
        let about = self.about(cause.clone());
        let from = at.checked_sub(before).unwrap_or(at);
        let (first, seen_from) = self.held(from, at + after);
        let stamp = |moment: Instant| self.means.ledger.time.stamp(moment).ts;
        let span = (stamp(seen_from.unwrap_or(at)), stamp(at + after));
        info!(camera = %self.plan.id, media = %about.id, "film is recorded");
        let id = about.id;
        if self.gives_stills() {
            // It is there long before the film is, and shows in lists what that is of.
            self.take_photo(cause, None);
        }
        self.film = Some(Film::begin(about, first, at + after, span, self.means.ledger.clone(), &self.tasks));
        Ok(id)
    }

    /// Whether photos can be had of this camera.
    fn gives_stills(&self) -> bool {
        let known = self.parameters.as_ref();
        self.plan.photos.is_some() || known.is_some_and(|known| can_be_made_of(known.codec))
    }

    /// What the ring has from a moment to another one, and the moment of its first picture.
    fn held(&self, from: Instant, to: Instant) -> (Vec<Entry>, Option<Instant>) {
        let (mut entries, mut described): (Vec<_>, Option<Arc<Parameters>>) = (Vec::new(), None);
        let (mut heard, mut first) = (None, None);
        // A camera that has been gone for an hour has nothing to say of now.
        let is_recent = |gop: &&Gop| gop.start() <= to && gop.units().last().is_some_and(|last| last.received >= from);
        for gop in self.ring.since(from).filter(is_recent) {
            first.get_or_insert(gop.start());
            if described.as_ref() != Some(gop.parameters()) {
                described = Some(gop.parameters().clone());
                entries.push(Entry::Parameters(gop.parameters().clone()));
            }
            if let Some(sound) = gop.sound()
                && heard.as_ref() != Some(&sound.parameters)
            {
                heard = Some(sound.parameters.clone());
                entries.push(Entry::SoundParameters(sound.parameters.clone()));
            }
            entries.extend(gop.units().iter().cloned().map(Entry::Unit));
            entries.extend(gop.sound().iter().flat_map(|sound| &sound.frames).cloned().map(Entry::Sound));
        }
        if let (None, Some(parameters)) = (&described, &self.parameters) {
            entries.push(Entry::Parameters(parameters.clone()));
        }
        if let (None, Some(sound)) = (&heard, &self.sound) {
            entries.push(Entry::SoundParameters(sound.clone()));
        }
        (entries, first)
    }

    fn about(&self, cause: Cause) -> About {
        About {
            id: MediaId(uuid::Uuid::now_v7()),
            camera: self.plan.id.clone(),
            cause: cause.id,
            urgent: cause.urgent,
            at: self.means.ledger.time.now(),
        }
    }

    fn take_photo(&mut self, cause: Cause, answer: Option<oneshot::Sender<Result<MediaId, String>>>) {
        if *self.means.private.borrow() {
            return;
        }
        let pending = Pending { cause, until: Instant::now() + PHOTO_WITHIN, answer };
        if let Some(snapshot) = self.plan.photos.clone() {
            let (about, ledger) = (self.about(pending.cause.clone()), self.means.ledger.clone());
            self.tasks.spawn(async move {
                let at = ledger.time.now();
                let taken = tokio::task::spawn_blocking(move || snapshot_of(&snapshot)).await;
                let taken = taken.unwrap_or_else(|error| Err(error.to_string()));
                pending.answer(keep(taken, about, at, &ledger).await);
            });
            return;
        }
        if let Some(parameters) = self.parameters.as_ref().filter(|known| !can_be_made_of(known.codec)) {
            return pending.answer(Err(PhotoError::Codec(parameters.codec).to_string()));
        }
        let fresh = self.ring.gops().last().filter(|gop| gop.start().elapsed() < FRESH);
        match fresh.map(|gop| (gop.parameters().clone(), gop.units()[0].clone())) {
            Some((parameters, unit)) => self.develop(pending, parameters, unit),
            None if self.photos.len() < MOST_PHOTOS => self.photos.push_back(pending),
            None => pending.answer(Err(format!("{MOST_PHOTOS} photos wait already"))),
        }
    }

    /// Makes a photo of a key frame, in the background.
    fn develop(&self, pending: Pending, parameters: Arc<Parameters>, unit: AccessUnit) {
        let (about, ledger) = (self.about(pending.cause.clone()), self.means.ledger.clone());
        let at = ledger.time.stamp(unit.received).ts;
        self.tasks.spawn(async move {
            let made = tokio::task::spawn_blocking(move || from_picture(&parameters, &unit)).await;
            let made = made.map_err(|error| error.to_string()).and_then(|made| made.map_err(|error| error.to_string()));
            pending.answer(keep(made, about, at, &ledger).await);
        });
    }

    fn begin_live(&mut self, until: Instant, ticket: Option<String>, answer: oneshot::Sender<Result<(), String>>) {
        if let Some(live) = self.live.as_ref().filter(|live| !live.is_over()) {
            live.extend(until);
            drop(answer.send(Ok(())));
            return;
        }
        let Some(office) = self.means.office.clone() else {
            drop(answer.send(Err("no `server` is set, to which live pictures would go".to_owned())));
            return;
        };
        let begin = self.ring.gops().last().map(|gop| (gop.parameters().clone(), gop.units().to_vec()));
        let scene = live::Scene {
            camera: self.plan.id.clone(),
            office,
            ticket,
            begin,
            taps: self.taps.subscribe(),
            sub: self.plan.sub.clone(),
            pace: self.means.pace,
            private: self.means.private.clone(),
            time: self.means.ledger.time.clone(),
        };
        self.live = Some(Live::begin(scene, until, answer, &self.tasks));
    }

    /// Privacy has changed.
    fn respect(&mut self, private: bool) {
        if !private {
            return;
        }
        info!(camera = %self.plan.id, "privacy: nothing is taken, and what was being taken is thrown away");
        if let Some(film) = self.film.take() {
            film.discard();
        }
        for photo in self.photos.drain(..) {
            photo.answer(Err("privacy was switched on".to_owned()));
        }
        self.live = None;
        self.let_go();
    }

    /// When something is to be done that nobody says.
    fn next_moment(&self) -> Option<Instant> {
        let gone = self.gone.since.as_ref().filter(|_| !self.gone.told).map(|(since, _)| *since + GONE_AFTER);
        let film = self.film.as_ref().map(Film::until);
        let photo = self.photos.front().map(|photo| photo.until);
        [gone, film, photo].into_iter().flatten().min()
    }

    async fn pass_time(&mut self) {
        let now = Instant::now();
        if self.film.as_ref().is_some_and(|film| film.until() <= now) {
            self.film = None;
        }
        while self.photos.front().is_some_and(|photo| photo.until <= now) {
            let Some(photo) = self.photos.pop_front() else { break };
            photo.answer(Err("the camera sends no picture".to_owned()));
        }
        if let Some((since, reason)) = &self.gone.since
            && !self.gone.told
            && *since + GONE_AFTER <= now
        {
            let text = format!("{}: {reason}", self.plan.id);
            self.gone.told = true;
            self.tell(EventKind::CameraUnplugged, text).await;
        }
    }

    async fn finish(mut self) {
        self.film = None;
        if let Some(live) = self.live.take() {
            live.end();
        }
        if let Some(feed) = self.feed.take() {
            feed.close().await;
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn news(feed: &mut Option<Feed>) -> News {
    match feed {
        Some(feed) => feed.next().await,
        None => future::pending().await,
    }
}

async fn moment(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => future::pending().await,
    }
}
