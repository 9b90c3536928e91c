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

#[cfg(test)]
mod tests {
    use std::fs;

    use bugbrother_store::MediaFile;
    use bugbrother_wire::message::MediaKind;
    use uuid::Uuid;

    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    fn file(vin: Vin, n: u128, offered: UnixMs) -> MediaFile {
        let id = MediaId(Uuid::from_u128(n));
        MediaFile {
            vin,
            id,
            camera: "dash-1".to_owned().try_into().unwrap(),
            kind: MediaKind::Photo,
            bytes: 3,
            sha256: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881".to_owned(),
            object_key: Library::key(vin, id, MediaKind::Photo),
            cause: None,
            from: None,
            to: None,
            offered,
            stored: None,
        }
    }

    #[tokio::test]
    async fn what_was_given_up_and_what_nobody_knows_of_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", dir.path().join("fleet.db").display())).await.unwrap();
        let library = Library::open(&dir.path().join("media")).unwrap();
        let vin: Vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        let (old, new, whole) = (file(vin, 1, NOW - GIVEN_UP_MS - 1), file(vin, 2, NOW - 1000), file(vin, 3, 0));
        for file in [&old, &new, &whole] {
            store.offer_media(file, 1000, 10).await.unwrap();
            library.append(vin, file.id, 0, vec!["x".into()]).await.unwrap();
        }
        assert!(store.store_media(vin, whole.id, &whole.sha256, NOW).await.unwrap());
        let objects = dir.path().join("media/objects").join(vin.as_str());
        fs::create_dir_all(&objects).unwrap();
        let unknown = file(vin, 4, 0);
        for name in [&whole, &unknown].map(|file| file.object_key.split_once('/').unwrap().1.to_owned()) {
            fs::write(objects.join(name), b"xxx").unwrap();
        }
        fs::write(objects.join("somebody's.txt"), b"x").unwrap();
        assert_eq!(sweep(&library, &store, NOW).await.unwrap(), 2);
        assert!(store.media_file(vin, old.id).await.unwrap().is_none());
        assert_eq!((library.offset(vin, old.id).await.unwrap(), library.offset(vin, new.id).await.unwrap()), (0, 1));
        let left = library.list(None, 10).await.unwrap();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.contains(&whole.object_key));
        assert_eq!(sweep(&library, &store, NOW).await.unwrap(), 0);
    }
}
