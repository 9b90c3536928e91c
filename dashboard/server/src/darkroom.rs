//! Where small pictures are made of photos, one after the other: when one has come in, and of what was left over.

use std::{sync::Arc, time::Duration};

use bugbrother_store::{MediaFile, Store, StoreError};
use bugbrother_wire::live::News;
use tokio::{sync::Notify, task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    feed::Feed,
    library::{Library, LibraryError},
    thumbnail,
};

/// What was left over is looked for so often.
const EVERY: Duration = Duration::from_secs(600);
/// After a database or a store that does not answer.
const PAUSE: Duration = Duration::from_secs(30);
const PAGE: u32 = 50;
/// Largest photo of which a small one is made: it is in memory for a moment.
const MAX_BYTES: u64 = 16 << 20;

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has the darkroom look for work. Cloning gives another handle to the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bell(Arc<Notify>);

impl Bell {
    /// A photo has come in.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Makes small pictures until `stop`.
pub(crate) async fn work(library: Library, store: Store, feed: Arc<Feed>, bell: Bell, stop: CancellationToken) {
    let whole = async {
        loop {
            let pause = match develop(&library, &store, &feed).await {
                Ok(()) => EVERY,
                Err(trouble) => {
                    warn!(error = &trouble as &dyn std::error::Error, "no small pictures are made; trying again soon");
                    PAUSE
                }
            };
            // Woken or not, it looks.
            drop(timeout(pause, bell.0.notified()).await);
        }
    };
    stop.run_until_cancelled(whole).await;
}

/// Of all photos that wait.
async fn develop(library: &Library, store: &Store, feed: &Feed) -> Result<(), Trouble> {
    loop {
        let photos = store.photos_without_thumb(PAGE).await?;
        for photo in &photos {
            let bytes = make(library, photo).await?;
            store.set_thumb(photo.vin, photo.id, bytes).await?;
            feed.change(|fleet| fleet.notice(photo.vin, News::Media));
        }
        if photos.len() < PAGE as usize {
            return Ok(());
        }
    }
}

/// The size of the small picture that was put into the store; 0 where none can be made.
async fn make(library: &Library, photo: &MediaFile) -> Result<u64, Trouble> {
    if photo.bytes > MAX_BYTES {
        return Ok(0);
    }
    let Some(jpeg) = library.whole(&photo.object_key, photo.bytes).await? else { return Ok(0) };
    let made = spawn_blocking(move || thumbnail::of_jpeg(&jpeg)).await;
    match made {
        Ok(Ok(small)) => {
            let bytes = small.len() as u64;
            library.put(&Library::thumb_key(&photo.object_key), small).await?;
            metrics::counter!("bugbrother_dashboard_thumbnails_total").increment(1);
            Ok(bytes)
        }
        Ok(Err(error)) => {
            debug!(vin = %photo.vin, media = %photo.id, %error, "a photo has no small picture");
            Ok(0)
        }
        Err(panic) => {
            warn!(vin = %photo.vin, media = %photo.id, %panic, "a photo has no small picture");
            Ok(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{MediaId, Vin, message::MediaKind};
    use jpeg_encoder::{ColorType, Encoder};
    use uuid::Uuid;

    use super::*;
    use crate::fleet::Fleet;

    #[tokio::test]
    async fn every_photo_is_tried_once_and_has_a_small_picture_where_one_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", dir.path().join("fleet.db").display())).await.unwrap();
        let library = Library::open(&dir.path().join("media")).unwrap();
        let vin: Vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        let mut good = Vec::new();
        Encoder::new(&mut good, 90).encode(&vec![90; 640 * 480 * 3], 640, 480, ColorType::Rgb).unwrap();
        for (n, kind, content) in [
            (1, MediaKind::Photo, good.as_slice()),
            (2, MediaKind::Photo, b"\xFF\xD8\xFFnothing"),
            (3, MediaKind::Clip, b"____ftyp"),
            (4, MediaKind::Photo, b""),
        ] {
            let id = MediaId(Uuid::from_u128(n));
            let object_key = Library::key(vin, id, kind);
            if n != 4 {
                library.put(&object_key, content.to_vec()).await.unwrap();
            }
            let file = MediaFile {
                vin,
                id,
                camera: "dash-1".to_owned().try_into().unwrap(),
                kind,
                bytes: content.len().max(1) as u64,
                sha256: "ab".repeat(32),
                object_key,
                cause: None,
                from: None,
                to: None,
                offered: 1_790_000_000_000,
                stored: None,
                gone: None,
                thumb_bytes: None,
            };
            store.offer_media(&file, u64::MAX >> 1, 10).await.unwrap();
            assert!(store.store_media(vin, id, &file.sha256, 1_790_000_000_000).await.unwrap());
        }
        let feed = Feed::new(Fleet::new(10));
        develop(&library, &store, &feed).await.unwrap();
        assert_eq!(store.photos_without_thumb(10).await.unwrap(), []);
        let thumb = async |n: u128| store.media_file(vin, MediaId(Uuid::from_u128(n))).await.unwrap().unwrap();
        let made = thumb(1).await;
        let bytes = made.thumb_bytes.unwrap();
        let small = library.whole(&Library::thumb_key(&made.object_key), bytes).await.unwrap().unwrap();
        assert!(bytes > 100 && small.starts_with(b"\xFF\xD8"), "{bytes}");
        assert_eq!((thumb(2).await.thumb_bytes, thumb(4).await.thumb_bytes), (Some(0), Some(0)));
        assert_eq!(thumb(3).await.thumb_bytes, None);
    }
}
