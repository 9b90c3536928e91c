//! A photo from who asked for it to its place on the shelf.

use std::{io::Write, time::Instant};

use bugbrother_video::Snapshot;
use bugbrother_wire::{MediaId, UnixMs, message::MediaKind};
use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::warn;

use super::{
    ledger::{Ledger, on_disk},
    request::Cause,
    shelf::{About, Item},
};

/// A photo that was asked for.
pub(super) struct Pending {
    pub cause: Cause,
    /// When whoever asked has lost patience.
    pub until: Instant,
    pub answer: Option<oneshot::Sender<Result<MediaId, String>>>,
}

impl Pending {
    /// What became of it.
    pub fn answer(self, result: Result<MediaId, String>) {
        if let Err(reason) = &result {
            warn!(reason, "no photo");
        }
        if let Some(answer) = self.answer {
            // Whoever asked may not wait any more.
            drop(answer.send(result));
        }
    }
}

/// By the camera's own address for photos. It blocks the thread.
pub(super) fn snapshot_of(snapshot: &Snapshot) -> Result<Bytes, String> {
    snapshot.take().map_err(|error| error.to_string())
}

/// Puts a photo on the shelf and says so.
pub(super) async fn keep(
    taken: Result<Bytes, String>,
    about: About,
    at: UnixMs,
    ledger: &Ledger,
) -> Result<MediaId, String> {
    let jpeg = taken?;
    ledger.make_room(jpeg.len() as u64).await;
    let shelf = ledger.shelf.clone();
    let item = Item {
        id: about.id,
        camera: about.camera,
        kind: MediaKind::Photo,
        cause: about.cause,
        urgent: about.urgent,
        from: at,
        to: at,
        bytes: jpeg.len() as u64,
        sha256: String::new(),
        codec: None,
        told: false,
    };
    let kept = on_disk(move || {
        let (mut file, draft) = shelf.draft(item.id)?;
        file.write_all(&jpeg)?;
        shelf.put(&file, &draft, item)
    });
    let item = kept.await.map_err(|error| format!("the photo cannot be written: {error}"))?;
    ledger.announce(&item).await;
    Ok(item.id)
}
