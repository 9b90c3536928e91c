//! Photos on command and at intervals.

use std::fs;

use bugbrother_kit::film;
use bugbrother_wire::message::{Argument, MediaKind, MediaState, ReplyState};

use crate::Fleet;

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_of_a_jpeg_stream_is_taken_on_command_and_uploaded() {
    let fleet = Fleet::new("/jpeg", "record = false", "").await;
    let _agent = fleet.start();
    fleet.is_online(1).await;
    let reply = fleet.order(1, "photo", &[("camera", Argument::Text("dash-1".to_owned()))]).await;
    assert_eq!(reply.state, ReplyState::Done, "{reply:?}");
    let uploaded = fleet.reaches(MediaState::Uploaded).await;
    assert_eq!(reply.result["media"], Argument::Text(uploaded.id.to_string()));
    assert_eq!((uploaded.kind, uploaded.from), (MediaKind::Photo, uploaded.to));
    let path = fleet.dir.path().join("photo.jpg");
    fs::write(&path, &fleet.station.state().uploads[&uploaded.id].data).unwrap();
    film::decode(&path).unwrap();
    assert_eq!(film::size(&path).unwrap(), (320, 240));

    let unknown = fleet.order(2, "photo", &[("camera", Argument::Text("rear".to_owned()))]).await;
    assert_eq!(unknown.state, ReplyState::Failed);
    assert!(unknown.detail.unwrap().contains("no camera `rear`; it has dash-1"));
    let film = fleet.order(3, "clip", &[]).await;
    assert!(film.detail.unwrap().contains("does not record"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_gives_no_jpeg_says_what_to_set() {
    let fleet = Fleet::new("/h264", "", "").await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    let reply = fleet.order(1, "photo", &[]).await;
    assert_eq!(reply.state, ReplyState::Failed);
    assert!(reply.detail.unwrap().contains("`photo_url`"));
}
