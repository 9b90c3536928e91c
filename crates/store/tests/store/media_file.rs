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
    assert_eq!(store.stale_media(NOW + 1, 10).await.unwrap(), [offered.clone()]);

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
    assert!(store.forget_media(golf(), file(1, 600).id).await.unwrap());
    assert_eq!(store.offer_media(&file(3, 600), ROOM, 2).await.unwrap(), Offered::New);
}
