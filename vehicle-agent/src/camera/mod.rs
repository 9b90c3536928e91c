//! Cameras: their last seconds are held, films are made of what has happened, photos at intervals, and live pictures are
//! pushed on command. `docs/video.md` says what is agreed with the server.
//!
//! # Layout
//! - [`settings`]: `[[camera]]` and `[media]` in the settings
//! - `Cameras`: what the rest of the agent asks for
//! - `eye`: one camera; `request`: what it is asked; `photo`; `film`, `spool`: a film while it is recorded; `live`, `socket`:
//!   pictures for viewers
//! - `shelf`: what is whole, on the disk; `ledger`: what the fleet is told of it
//! - `office`: the fleet's server; `upload`, `allowance`: how things get there, and how fast
//!
//! # Invariants
//! - A photo or film is said to be ready when it is whole, playable and on the disk, and to be uploaded when the server has said
//!   that its hash is right.
//! - Whenever the power fails, what has a name on the shelf is whole, and what was being recorded is a film after the next start.
//! - While privacy is on nothing is taken, and nothing leaves the vehicle.
//! - Telemetry goes first: with a backlog, or when the day's bytes are scarce, nothing is uploaded.

mod allowance;
mod eye;
mod film;
mod ledger;
mod live;
mod office;
mod photo;
mod request;
pub mod settings;
mod shelf;
mod socket;
mod spool;
mod upload;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_video::Pace;
use bugbrother_wire::{CameraId, MediaId, message::CameraDeclaration};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

pub(crate) use self::office::Office;
pub(crate) use self::settings::HELD;
pub use self::settings::{CameraSettings, LONGEST_AFTER_S, LONGEST_BEFORE_S, MOST, MediaSettings};
use self::{
    allowance::Allowance,
    eye::Eye,
    ledger::Ledger,
    request::{Cause, Request},
    settings::Filmed,
    shelf::Shelf,
    upload::Conditions,
};
use crate::{
    budget::Thinning,
    clock::Time,
    config::{Config, ConfigError},
    outbox::{Draft, Happening, Outbox},
};

/// Requests that wait for a camera.
const WAITING: usize = 8;
/// Events that wait to be filmed.
pub(crate) const HAPPENINGS: usize = 32;
/// A photo is answered when it is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The cameras, as commands reach them. Cloning gives another handle to the same ones.
#[derive(Clone)]
pub(crate) struct Cameras {
    eyes: BTreeMap<CameraId, mpsc::Sender<Request>>,
}

/// What the cameras work with.
pub(crate) struct Means {
    pub outbox: Outbox,
    pub time: Time,
    pub drafts: mpsc::Sender<Draft>,
    pub private: watch::Receiver<bool>,
    pub thinning: watch::Receiver<Thinning>,
    /// What happens in the vehicle.
    pub happenings: mpsc::Receiver<Happening>,
}

/// Cameras that are ready to be run.
pub(crate) struct Crew {
    eyes: Vec<(Eye, mpsc::Receiver<Request>)>,
    cameras: Cameras,
    ledger: Ledger,
    spools: Vec<MediaId>,
    uploads: Option<(Office, Conditions)>,
    happenings: mpsc::Receiver<Happening>,
    film: Filming,
}

/// What is filmed.
struct Filming {
    kinds: BTreeSet<Filmed>,
    before: Duration,
    after: Duration,
    cameras: Vec<CameraId>,
}

/// What an agent says of its cameras.
pub(crate) fn declarations(settings: &[CameraSettings]) -> Vec<CameraDeclaration> {
    let declare =
        |camera: &CameraSettings| CameraDeclaration { id: camera.id.clone(), label: camera.label().to_owned() };
    settings.iter().map(declare).collect()
}

/// The folder for photos and films cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the folder {path} for photos and films cannot be used")]
pub struct FolderError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The cameras of the settings; `None` without any.
pub(crate) fn prepare(config: &Config, means: Means) -> Result<Option<Crew>, crate::Error> {
    if config.cameras.is_empty() {
        return Ok(None);
    }
    let beside = || config.outbox.with_file_name("media");
    let folder = config.media.folder.clone().unwrap_or_else(beside);
    let opened = Shelf::open(&folder, config.media.max_bytes);
    let (shelf, spools) = opened.map_err(|source| FolderError { path: folder.clone(), source })?;
    let Means { outbox, time, drafts, private, thinning, happenings } = means;
    let ledger = Ledger { shelf, outbox: outbox.clone(), time, turn: Arc::default() };
    let office = office(config)?;
    let plans: Result<Vec<_>, ConfigError> = config.cameras.iter().map(CameraSettings::plan).collect();
    let (mut eyes, mut senders, mut recording) = (Vec::new(), BTreeMap::new(), Vec::new());
    for plan in plans? {
        let (sender, receiver) = mpsc::channel(WAITING);
        senders.insert(plan.id.clone(), sender);
        if plan.records {
            recording.push(plan.id.clone());
        }
        let means = eye::Means {
            ledger: ledger.clone(),
            drafts: drafts.clone(),
            private: private.clone(),
            ring: config.media.ring(),
            office: office.clone(),
            pace: Pace::default(),
        };
        eyes.push((Eye::new(plan, means), receiver));
    }
    let media = &config.media;
    let film = Filming {
        kinds: media.film.clone(),
        before: Duration::from_secs(media.before_s.into()),
        after: Duration::from_secs(media.after_s.into()),
        cameras: recording,
    };
    let allowance = Allowance::new(media.upload_bytes_s, media.upload_daily_bytes, folder.join("uploaded-today"));
    let conditions = Conditions { private, tally: outbox.tally(), thinning, allowance };
    let uploads = office.map(|office| (office, conditions));
    if uploads.is_none() {
        warn!(
            "photos and films stay in the vehicle: without `server`, and a certificate, there is nowhere to send them"
        );
    }
    let cameras = Cameras { eyes: senders };
    Ok(Some(Crew { eyes, cameras, ledger, spools, uploads, happenings, film }))
}

/// The server, where one is known and the vehicle has a certificate to sign in with.
fn office(config: &Config) -> Result<Option<Office>, crate::Error> {
    let (Some(server), Some(certificate), Some(key)) = (&config.server, &config.certificate, &config.key) else {
        return Ok(None);
    };
    let office = Office::new(server, config.server_ca.as_deref(), certificate, key);
    Ok(Some(office.map_err(crate::Error::Server)?))
}

impl Crew {
    /// By what commands reach them.
    pub fn cameras(&self) -> Cameras {
        self.cameras.clone()
    }

    /// Until `stop`; then what was begun is finished.
    pub async fn run(self, stop: CancellationToken) {
        let Crew { eyes, cameras, ledger, spools, uploads, mut happenings, film } = self;
        info!(cameras = eyes.len(), "cameras");
        film::recover(spools, &ledger).await;
        for item in ledger.shelf.untold() {
            ledger.announce(&item).await;
        }
        ledger.make_room(0).await;
        let tasks = TaskTracker::new();
        for (eye, requests) in eyes {
            tasks.spawn(eye.run(requests, stop.clone()));
        }
        if let Some((office, conditions)) = uploads {
            tasks.spawn(upload::run(ledger.clone(), office, conditions, stop.clone()));
        }
        while let Some(Some(happening)) = stop.run_until_cancelled(happenings.recv()).await {
            // What is told of is over, and some of it was noticed later. The time of a recording tells nothing of now.
            let at = ledger.time.moment(happening.at, HELD).unwrap_or_else(Instant::now);
            film.heed(&happening, at, &cameras);
        }
        drop(cameras);
        tasks.close();
        tasks.wait().await;
    }
}

impl Filming {
    /// Has the cameras film what has happened, if it is to be filmed.
    fn heed(&self, happening: &Happening, at: Instant, cameras: &Cameras) {
        let Some(kind) = Filmed::of(happening.kind).filter(|kind| self.kinds.contains(kind)) else { return };
        let cause = Cause { id: Some(happening.id.to_string()), urgent: kind.is_urgent() };
        for eye in self.cameras.iter().filter_map(|id| cameras.eyes.get(id)) {
            let (answer, _) = oneshot::channel();
            let cause = cause.clone();
            let film = Request::Film { cause, at, before: self.before, after: self.after, answer };
            if eye.try_send(film).is_err() {
                warn!(kind = ?happening.kind, "a camera has too much to do to film what has happened");
            }
        }
    }
}

impl Cameras {
    /// Takes a photo; its identity.
    pub async fn photo(&self, camera: Option<&CameraId>, cause: String) -> Result<MediaId, String> {
        let eye = self.find(camera)?;
        let cause = Cause { id: Some(cause), urgent: true };
        ask(eye, |answer| Request::Photo { cause, answer }).await
    }

    /// Begins a film of what was seen around `at`; its identity.
    pub async fn film(
        &self,
        camera: Option<&CameraId>,
        cause: String,
        at: Instant,
        before: Duration,
        after: Duration,
    ) -> Result<MediaId, String> {
        let eye = self.find(camera)?;
        let cause = Cause { id: Some(cause), urgent: true };
        ask(eye, |answer| Request::Film { cause, at, before, after, answer }).await
    }

    /// Sends live pictures for so long from now on.
    pub async fn live(&self, camera: Option<&CameraId>, lasts: Duration, ticket: Option<String>) -> Result<(), String> {
        let eye = self.find(camera)?;
        let until = Instant::now() + lasts;
        ask(eye, |answer| Request::Live { until, ticket, answer }).await
    }

    /// Ends live pictures, of all cameras where none is named.
    pub async fn end_live(&self, camera: Option<&CameraId>) -> Result<(), String> {
        let eyes: Vec<_> = match camera {
            Some(_) => vec![self.find(camera)?],
            None => self.eyes.values().collect(),
        };
        for eye in eyes {
            eye.send(Request::EndLive).await.map_err(|_| "the agent ends")?;
        }
        Ok(())
    }

    fn find(&self, camera: Option<&CameraId>) -> Result<&mpsc::Sender<Request>, String> {
        let names = || self.eyes.keys().map(CameraId::as_str).collect::<Vec<_>>().join(", ");
        match camera {
            Some(id) => {
                self.eyes.get(id).ok_or_else(|| format!("this vehicle has no camera `{id}`; it has {}", names()))
            }
            None if self.eyes.len() == 1 => self.eyes.values().next().ok_or_else(|| "no camera".to_owned()),
            None => Err(format!("`camera` is missing: one of {}", names())),
        }
    }
}

async fn ask<T>(
    eye: &mpsc::Sender<Request>,
    request: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Request,
) -> Result<T, String> {
    let (answer, answered) = oneshot::channel();
    let asked = async {
        eye.send(request(answer)).await.ok()?;
        answered.await.ok()
    };
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(Some(answer)) => answer,
        Ok(None) => Err("the agent ends".to_owned()),
        Err(_) => Err("the camera does not answer".to_owned()),
    }
}
