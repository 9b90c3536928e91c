//! Files of photos and clips, from the offer to the whole.

use crate::fleet::{NOW, fiesta, golf, store};
use bugbrother_store::{MediaFile, Offered};
use bugbrother_wire::{MediaId, message::MediaKind};
use uuid::Uuid;

const ROOM: u64 = 1_000;

fn file(n: u128, bytes: u64) -> MediaFile {
    let id = MediaId(Uuid::from_u128(n));
    MediaFile {
        vin: golf(),
        id,
        camera: "dash-1".to_owned().try_into().unwrap(),
        kind: MediaKind::Clip,
        bytes,
        sha256: "ab".repeat(32),
        object_key: format!("{}/{id}.mp4", golf()),
        cause: Some("a crash".into()),
        from: Some(NOW - 30_000),
        to: None,
        offered: NOW,
        stored: None,
        gone: None,
        thumb_bytes: None,
    }
}

#[tokio::test]
async fn an_offer_is_one_however_often_it_is_said_until_its_file_is_whole() {
    let (store, _home) = store().await;
    let offered = file(1, 600);
    assert_eq!(store.offer_media(&offered, ROOM, 2).await.unwrap(), Offered::New);
    let again = MediaFile { offered: NOW + 5, ..offered.clone() };
    assert_eq!(store.offer_media(&again, ROOM, 2).await.unwrap(), Offered::Known(offered.clone()));
    assert!(!store.store_media(golf(), offered.id, "another hash", NOW).await.unwrap());
    assert!(!store.store_media(fiesta(), offered.id, &offered.sha256, NOW).await.unwrap(), "another vehicle's");
    assert_eq!(store.stale_media(NOW + 1, 10).await.unwrap(), std::slice::from_ref(&offered));

    let other = MediaFile { sha256: "cd".repeat(32), ..offered.clone() };
    assert_eq!(store.offer_media(&other, ROOM, 2).await.unwrap(), Offered::Other, "the one that was coming is not");
    assert!(!store.store_media(golf(), offered.id, &offered.sha256, NOW).await.unwrap());
    assert!(store.store_media(golf(), offered.id, &other.sha256, NOW + 9).await.unwrap());
    assert!(!store.store_media(golf(), offered.id, &other.sha256, NOW + 10).await.unwrap());
    let whole = MediaFile { stored: Some(NOW + 9), ..other.clone() };
    assert_eq!(store.media_file(golf(), offered.id).await.unwrap(), Some(whole.clone()));
    assert_eq!(store.offer_media(&offered, ROOM, 2).await.unwrap(), Offered::Other, "what is whole stays as it is");
    assert_eq!(store.offer_media(&other, ROOM, 2).await.unwrap(), Offered::Known(whole));
    assert!(!store.forget_media(golf(), offered.id).await.unwrap());
    assert_eq!(store.stale_media(NOW + 100, 10).await.unwrap(), []);
}

#[tokio::test]
async fn there_is_room_for_so_many_bytes_and_so_many_at_a_time() {
    let (store, _home) = store().await;
    assert_eq!(store.offer_media(&file(1, 600), ROOM, 2).await.unwrap(), Offered::New);
    assert_eq!(store.offer_media(&file(2, 500), ROOM, 2).await.unwrap(), Offered::Full);
    assert_eq!(store.offer_media(&file(2, 400), ROOM, 2).await.unwrap(), Offered::New);
    assert_eq!(store.offer_media(&file(3, 0), ROOM, 2).await.unwrap(), Offered::TooMany);
    let elsewhere = MediaFile { vin: fiesta(), ..file(3, 0) };
    assert_eq!(store.offer_media(&elsewhere, ROOM, 2).await.unwrap(), Offered::New);
    assert_eq!(store.media_bytes().await.unwrap(), 1_000);
    assert!(store.forget_media(golf(), file(1, 600).id).await.unwrap());
    assert_eq!(store.media_bytes().await.unwrap(), 400);
    assert_eq!(store.offer_media(&file(3, 600), ROOM, 2).await.unwrap(), Offered::New);
}

#[tokio::test]
async fn a_file_that_is_no_longer_kept_makes_room_and_is_still_known() {
    let (store, _home) = store().await;
    let (old, new) = (file(1, 600), MediaFile { from: Some(NOW + 99_000), ..file(2, 300) });
    for file in [&old, &new] {
        assert_eq!(store.offer_media(file, ROOM, 2).await.unwrap(), Offered::New);
    }
    assert!(!store.let_media_go(golf(), old.id, NOW).await.unwrap(), "it is not whole");
    for file in [&old, &new] {
        assert!(store.store_media(golf(), file.id, &file.sha256, NOW).await.unwrap());
    }
    let ids = |files: Vec<MediaFile>| files.iter().map(|file| file.id.0.as_u128()).collect::<Vec<_>>();
    assert_eq!(ids(store.old_media(NOW + 1, None, 10).await.unwrap()), [1, 2]);
    assert_eq!(ids(store.old_media(NOW, None, 10).await.unwrap()), [1], "no later than it was offered");
    let first = (old.seen(), golf(), old.id);
    assert_eq!(ids(store.old_media(NOW + 1, Some(first), 10).await.unwrap()), [2]);
    store.set_thumb(golf(), old.id, 90).await.unwrap();
    let stills = store.stills(golf(), NOW - 30_000, NOW, 10).await.unwrap();
    assert_eq!(
        stills.iter().map(|still| (still.id, still.cause.as_deref())).collect::<Vec<_>>(),
        [(old.id, Some("a crash"))]
    );

    let last = async |camera: &str, since| {
        store.last_still(golf(), &camera.to_owned().try_into().unwrap(), since).await.unwrap()
    };
    assert_eq!(last("dash-1", NOW - 30_000).await, Some((old.id, NOW - 30_000)));
    assert_eq!((last("dash-1", NOW - 29_999).await, last("rear", 0).await), (None, None));
    store.set_thumb(golf(), new.id, 90).await.unwrap();
    assert_eq!(last("dash-1", 0).await, Some((new.id, NOW)));
    store.set_thumb(golf(), new.id, 0).await.unwrap();

    assert!(store.let_media_go(golf(), old.id, NOW + 5).await.unwrap());
    assert!(!store.let_media_go(golf(), old.id, NOW + 6).await.unwrap());
    let gone = store.media_file(golf(), old.id).await.unwrap().unwrap();
    assert_eq!((gone.gone, gone.thumb_bytes, gone.is_here()), (Some(NOW + 5), Some(90), false));
    assert_eq!(ids(store.old_media(NOW + 1, None, 10).await.unwrap()), [2]);
    assert_eq!(store.stills(golf(), 0, NOW, 10).await.unwrap(), []);
    assert_eq!(last("dash-1", 0).await, None);
    // Its vehicle has done what it had to, and is not asked for it again.
    assert!(matches!(store.offer_media(&old, ROOM, 2).await.unwrap(), Offered::Known(known) if known.stored.is_some()));
    assert_eq!(store.offer_media(&file(3, 700), ROOM, 2).await.unwrap(), Offered::New, "there is room again");
}

#[tokio::test]
async fn photos_wait_for_their_small_pictures_in_the_order_in_which_they_came() {
    let (store, _home) = store().await;
    for n in [3, 1, 2] {
        let kind = if n == 2 { MediaKind::Clip } else { MediaKind::Photo };
        let photo = MediaFile { kind, ..file(n, 10) };
        store.offer_media(&photo, ROOM, 9).await.unwrap();
        assert!(store.store_media(golf(), photo.id, &photo.sha256, NOW - n as i64).await.unwrap());
    }
    let waiting = async || {
        let waiting = store.photos_without_thumb(10).await.unwrap();
        waiting.iter().map(|photo| photo.id.0.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(waiting().await, [3, 1]);
    store.set_thumb(golf(), file(3, 10).id, 0).await.unwrap();
    assert_eq!(waiting().await, [1], "none can be made of it, and nobody tries again");
    assert_eq!(store.stills(golf(), 0, NOW, 10).await.unwrap(), []);
}
