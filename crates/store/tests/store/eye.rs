//! Cameras that the server reaches by itself, from when they are added to when their vehicle is erased.

use crate::fleet::{NOW, fiesta, golf, store};
use bugbrother_store::{Arrival, Eye, EyeAdded, MAX_EYES, Store};
use bugbrother_wire::{
    Epoch, MediaId, Message, SCHEMA_VERSION, Seq, Topic, Vin,
    api::EyeTransport,
    message::{Birth, CameraDeclaration, Media, MediaKind, MediaState, VinSource},
    topic::Kind,
};
use uuid::Uuid;

fn eye(vin: Vin, camera: &str) -> Eye {
    Eye {
        vin,
        camera: camera.to_owned().try_into().unwrap(),
        label: "The yard".into(),
        url: "rtsp://camera.example.org/1".into(),
        sub_url: None,
        photo_url: Some("http://camera.example.org/a.jpg".into()),
        transport: EyeTransport::Tcp,
        user: Some("viewer".into()),
        has_secret: true,
        enabled: true,
        by: "ada".into(),
        created: NOW,
        updated: NOW,
    }
}

async fn with_vehicles(store: &Store) {
    for vin in [golf(), fiesta()] {
        store.name_vehicle(vin, vin.as_str(), None, NOW).await.unwrap();
    }
}

#[tokio::test]
async fn an_eye_is_what_was_filled_in_and_its_secret_stays_until_another_is_given() {
    let (store, _home) = store().await;
    with_vehicles(&store).await;
    let yard = eye(golf(), "yard");
    assert_eq!(store.add_eye(&yard, Some("swordfish")).await.unwrap(), EyeAdded::Added);
    assert_eq!(store.add_eye(&yard, None).await.unwrap(), EyeAdded::Taken);
    assert_eq!(store.add_eye(&eye(fiesta(), "yard"), Some("x")).await.unwrap(), EyeAdded::Added, "another vehicle's");
    assert_eq!(store.eye(golf(), &yard.camera).await.unwrap(), Some(yard.clone()));
    assert_eq!(store.eyes(golf()).await.unwrap(), std::slice::from_ref(&yard));
    assert_eq!(store.eye_secret(golf(), &yard.camera).await.unwrap().as_deref(), Some("swordfish"));

    let udp = Eye { transport: EyeTransport::Udp, sub_url: Some("rtsp://b/".into()), updated: NOW + 1, ..yard.clone() };
    assert!(store.update_eye(&udp, None, NOW).await.unwrap(), "at the same moment");
    assert_eq!(store.eye(golf(), &yard.camera).await.unwrap(), Some(udp.clone()), "no two changes have the same time");
    assert_eq!(store.eye_secret(golf(), &yard.camera).await.unwrap().as_deref(), Some("swordfish"));
    assert!(store.update_eye(&udp, Some("trout"), NOW + 5).await.unwrap());
    assert_eq!(store.eye_secret(golf(), &yard.camera).await.unwrap().as_deref(), Some("trout"));
    let open = Eye { user: None, ..udp };
    assert!(store.update_eye(&open, None, NOW + 9).await.unwrap());
    assert_eq!(store.eye_secret(golf(), &yard.camera).await.unwrap(), None, "without a name there is no password");
    assert!(!store.eye(golf(), &yard.camera).await.unwrap().unwrap().has_secret);

    assert!(store.remove_eye(golf(), &yard.camera).await.unwrap());
    assert!(!store.remove_eye(golf(), &yard.camera).await.unwrap());
    assert!(!store.update_eye(&open, None, NOW).await.unwrap());
    assert_eq!(store.erase_vehicle(fiesta(), "ada", NOW).await.unwrap().erased["eye"], 1);
    assert_eq!(store.eyes(fiesta()).await.unwrap(), []);
}

#[tokio::test]
async fn a_vehicle_has_so_many() {
    let (store, _home) = store().await;
    with_vehicles(&store).await;
    for n in 0..MAX_EYES {
        assert_eq!(store.add_eye(&eye(golf(), &format!("eye-{n}")), None).await.unwrap(), EyeAdded::Added);
    }
    assert_eq!(store.add_eye(&eye(golf(), "more"), None).await.unwrap(), EyeAdded::TooMany);
    assert_eq!(store.add_eye(&eye(fiesta(), "more"), None).await.unwrap(), EyeAdded::Added);
    assert_eq!(store.eyes(golf()).await.unwrap().len(), MAX_EYES as usize);
}

#[tokio::test]
async fn vehicles_with_cameras_are_those_that_told_of_them_and_those_that_are_looked_at() {
    let (store, _home) = store().await;
    with_vehicles(&store).await;
    assert_eq!(store.vehicles_with_cameras(None, NOW, None, 10).await.unwrap(), []);
    let birth = Birth {
        v: SCHEMA_VERSION,
        vin: golf(),
        vin_source: VinSource::Configured,
        epoch: Epoch(1),
        agent: "0.1.0".into(),
        started: NOW,
        signals: Vec::new(),
        cameras: vec![CameraDeclaration { id: "front".to_owned().try_into().unwrap(), label: "Front".into() }],
        car: None,
    };
    let topic = Topic::new(golf(), Kind::Birth).to_string();
    let content = Ok(Message::Birth(birth));
    store.commit(&[Arrival { received_ts: NOW, topic, payload: Default::default(), content }]).await.unwrap();
    store.add_eye(&eye(fiesta(), "yard"), None).await.unwrap();
    store.add_eye(&Eye { enabled: false, ..eye(fiesta(), "off") }, None).await.unwrap();
    store.add_eye(&eye(golf(), "rear"), None).await.unwrap();
    let seen = |found: Vec<bugbrother_store::WithCameras>| {
        let names = |vehicle: bugbrother_store::WithCameras| {
            let own = vehicle.cameras.into_iter().map(|camera| camera.id.to_string());
            let eyes = vehicle.eyes.into_iter().map(|eye| eye.camera.to_string());
            (vehicle.vin, own.chain(eyes).collect::<Vec<_>>())
        };
        found.into_iter().map(names).collect::<Vec<_>>()
    };
    let all = store.vehicles_with_cameras(None, NOW, None, 10).await.unwrap();
    let (ford, vw) = ((fiesta(), vec!["yard".to_owned()]), (golf(), vec!["front".to_owned(), "rear".to_owned()]));
    assert_eq!(seen(all), [ford.clone(), vw.clone()]);
    assert_eq!(seen(store.vehicles_with_cameras(None, NOW, None, 1).await.unwrap()), [ford]);
    assert_eq!(seen(store.vehicles_with_cameras(None, NOW, Some(fiesta()), 10).await.unwrap()), [vw]);
}

#[tokio::test]
async fn what_was_taken_here_is_listed_as_a_vehicles_is() {
    let (store, _home) = store().await;
    with_vehicles(&store).await;
    let media = Media {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(0),
        seq: Seq(0),
        id: MediaId(Uuid::from_u128(1)),
        camera: "yard".to_owned().try_into().unwrap(),
        kind: MediaKind::Photo,
        state: MediaState::Uploaded,
        at: NOW,
        from: NOW,
        to: NOW,
        cause: None,
        bytes: Some(3),
        sha256: None,
        codec: None,
        reason: None,
    };
    store.add_media(&media, NOW).await.unwrap();
    let listed = store.media(golf(), NOW, NOW, 10).await.unwrap();
    assert_eq!(listed, [Media { state: MediaState::Ready, ..media }], "there is no file of it");
}
