//! What goes of photos and clips: uploads that were given up, and files of which nothing is known any more, such as those of a
//! vehicle that was erased.

use std::time::Duration;

use bugbrother_store::{Store, StoreError};
use bugbrother_wire::{MediaId, UnixMs, Vin};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock,
    library::{Library, LibraryError},
};

const EVERY: Duration = Duration::from_secs(3600);
/// An upload that was begun so long ago and has not ended is not waited for any more.
const GIVEN_UP_MS: i64 = 7 * 24 * 60 * 60 * 1000;
const PAGE: u32 = 200;

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks after the files every hour, until `stop`.
pub(crate) async fn tend(library: Library, store: Store, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(EVERY)).await.is_some() {
        match sweep(&library, &store, clock::now()).await {
            Ok(0) => {}
            Ok(gone) => info!(files = gone, "files of photos and clips removed that nobody needs"),
            Err(trouble) => warn!(error = &trouble as &dyn std::error::Error, "photos and clips are not tidied up"),
        }
    }
}

/// Removes what nobody needs; how many files that were.
async fn sweep(library: &Library, store: &Store, now: UnixMs) -> Result<u64, Trouble> {
    let mut gone = 0;
    loop {
        let stale = store.stale_media(now - GIVEN_UP_MS, PAGE).await?;
        for file in &stale {
            if store.forget_media(file.vin, file.id).await? {
                library.forget(file.vin, file.id).await?;
                gone += 1;
            }
        }
        if stale.len() < PAGE as usize {
            break;
        }
    }
    let mut after: Option<String> = None;
    loop {
        let names = library.list(after.as_deref(), PAGE as usize).await?;
        for name in &names {
            let Some((vin, id)) = read(name) else { continue };
            // A file is in the store before it is known to be whole, and known of before that.
            if store.media_file(vin, id).await?.is_none() {
                library.remove(name).await?;
                gone += 1;
            }
        }
        after = names.last().cloned();
        if names.len() < PAGE as usize {
            return Ok(gone);
        }
    }
}

/// Whose file it is; `None` of what was not put there by us.
fn read(name: &str) -> Option<(Vin, MediaId)> {
    let (vin, file) = name.split_once('/')?;
    Some((vin.parse().ok()?, file.split_once('.')?.0.parse().ok()?))
}
