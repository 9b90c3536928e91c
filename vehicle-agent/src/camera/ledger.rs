//! What the fleet is told of photos and films, each step once it is true.

use std::{io, sync::Arc};

use bugbrother_wire::{
    UnixMs,
    message::{MediaKind, MediaState},
};
use tokio::{sync::Mutex, task::spawn_blocking};
use tracing::{error, info, warn};

use super::shelf::{About, Item, Shelf};
use crate::{
    clock::Time,
    outbox::{Draft, Outbox, Step},
};

/// The shelf, and the outbox in which its changes are said. Cloning gives another handle to the same ones.
#[derive(Clone)]
pub(super) struct Ledger {
    pub shelf: Shelf,
    pub outbox: Outbox,
    pub time: Time,
    /// Whose turn it is to finish a film.
    pub turn: Arc<Mutex<()>>,
}

impl Ledger {
    /// A photo or film that was asked for is being made.
    pub async fn begin(&self, about: &About, kind: MediaKind, span: (UnixMs, UnixMs)) {
        let steps = [MediaState::Requested, MediaState::Recording];
        self.write(&steps.map(|state| self.early(about, kind, state, span))).await;
    }

    /// It cannot be made.
    pub async fn fail(&self, about: &About, kind: MediaKind, reason: &str) {
        let step = self.early(about, kind, MediaState::Failed, (about.at, about.at));
        self.write(&[Step { reason: Some(reason.to_owned()), ..step }]).await;
    }

    /// It is whole, and the disk has it.
    pub async fn announce(&self, item: &Item) {
        if !self.write(&[self.step(item, MediaState::Ready)]).await {
            return;
        }
        let (shelf, id) = (self.shelf.clone(), item.id);
        if let Err(error) = on_disk(move || shelf.mark_told(id)).await {
            // It is said again after the next start.
            warn!(%error, "that a photo or film is ready is not noted");
        }
    }

    /// The server has it; it need not be kept here.
    pub async fn deliver(&self, item: &Item) {
        if self.write(&[self.step(item, MediaState::Uploaded)]).await {
            self.remove(item).await;
        }
    }

    /// The server will never take it.
    pub async fn give_up(&self, item: &Item, reason: &str) {
        let step = Step { reason: Some(reason.to_owned()), ..self.step(item, MediaState::Failed) };
        if self.write(&[step]).await {
            self.remove(item).await;
        }
    }

    /// Lets the oldest go until there is room for more.
    pub async fn make_room(&self, bytes: u64) {
        for item in self.shelf.surplus(bytes) {
            let reason = "the vehicle's disk space for photos and films is used up".to_owned();
            if self.write(&[Step { reason: Some(reason), ..self.step(&item, MediaState::Expired) }]).await {
                info!(media = %item.id, "removed to make room before it was uploaded");
                self.remove(&item).await;
            }
        }
    }

    async fn remove(&self, item: &Item) {
        let (shelf, id) = (self.shelf.clone(), item.id);
        if let Err(error) = on_disk(move || shelf.remove(id).map(drop)).await {
            warn!(%error, "a photo or film cannot be removed");
        }
    }

    fn early(&self, about: &About, kind: MediaKind, state: MediaState, (from, to): (UnixMs, UnixMs)) -> Step {
        Step {
            id: about.id,
            camera: about.camera.clone(),
            kind,
            state,
            at: self.time.now(),
            from,
            to: to.max(from),
            cause: about.cause.clone(),
            bytes: None,
            sha256: None,
            codec: None,
            reason: None,
        }
    }

    fn step(&self, item: &Item, state: MediaState) -> Step {
        Step {
            id: item.id,
            camera: item.camera.clone(),
            kind: item.kind,
            state,
            at: self.time.now(),
            from: item.from,
            to: item.to.max(item.from),
            cause: item.cause.clone(),
            bytes: Some(item.bytes),
            sha256: Some(item.sha256.clone()),
            codec: item.codec.clone(),
            reason: None,
        }
    }

    /// Into the outbox, on the disk.
    async fn write(&self, steps: &[Step]) -> bool {
        let drafts: Vec<_> = steps.iter().cloned().map(Draft::Media).collect();
        let written = self.outbox.append(&drafts, self.time.now()).await;
        if let Err(error) = &written {
            metrics::counter!("bugbrother_agent_outbox_failures_total").increment(1);
            error!(error = error as &dyn std::error::Error, "what becomes of a photo or film cannot be noted");
        }
        written.is_ok()
    }
}

/// What blocks, where it may.
pub(super) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(io::Error::other(error)),
    }
}
