//! Films of events and commands.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use bugbrother_kit::film;
use bugbrother_simulator::{Dashcam, film::PHOTO};
use bugbrother_wire::{
    message::{Argument, EventKind, Media, MediaKind, MediaState, ReplyState},
    unix_ms,
};
use tokio_util::sync::CancellationToken;

use crate::{Fleet, LIMIT, integer, listener, press, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_filmed_from_before_to_after_it_and_is_with_the_server_in_the_end() {
    let fleet = Fleet::new("/with-aac", "sound = true", "before_s = 3\nafter_s = 2").await;
    let agent = fleet.start();
    let mut line = fleet.buttons().await;
    fleet.plays(&agent).await;
    // Long enough for what is wanted before.
    let played = std::time::Instant::now();
    until("some seconds are held", || played.elapsed() > Duration::from_secs(5)).await;
    press(&mut line, "panic", 1).await;
    let event = fleet.happens(EventKind::PanicButton).await;
    let uploaded = fleet.reaches(MediaState::Uploaded).await;
    let steps = fleet.media().into_iter().filter(|media| media.kind == MediaKind::Clip);
    let steps: Vec<_> = steps.map(|media| media.state).collect();
    use MediaState::{Ready, Recording, Requested, Uploaded};
    assert_eq!(steps, [Requested, Recording, Ready, Uploaded]);
    assert_eq!((uploaded.kind, uploaded.cause.as_deref()), (MediaKind::Clip, Some(event.id.to_string().as_str())));
    // To the key frame before it, which came up to 400 ms sooner, and until the last picture that had come by then. A camera, an
    // agent and a machine that have too much to do are seconds late with both.
    let (before, after) = (event.at - uploaded.from, uploaded.to - event.at);
    assert!((3_000..8_000).contains(&before), "{before} ms before it");
    assert!((500..3_000).contains(&after), "{after} ms after it");
    assert!(uploaded.codec.as_deref().is_some_and(|codec| codec.starts_with("avc1.42")), "{uploaded:?}");

    let path = fleet.dir.path().join("film.mp4");
    {
        let state = fleet.station.state();
        let upload = &state.uploads[&uploaded.id];
        assert!(upload.stored);
        assert_eq!((Some(upload.offer.bytes), Some(&upload.offer.sha256)), (uploaded.bytes, uploaded.sha256.as_ref()));
        assert_eq!((upload.offer.from, upload.offer.to), (Some(uploaded.from), Some(uploaded.to)));
        fs::write(&path, &upload.data).unwrap();
    }
    film::decode(&path).unwrap();
    assert_eq!(film::codecs(&path).unwrap(), ["h264", "aac"]);
    assert!(film::is_fast_to_start(&fs::read(&path).unwrap()));
    let times = film::picture_times(&path).unwrap();
    let length = times.last().unwrap() - times[0];
    // Late pictures change nothing of when it is said to be of.
    assert!((length - (before + after) as f64 / 1000.0).abs() < 0.1, "{length} s, not {before} + {after} ms");
    until("nothing is left", || fleet.waiting().is_empty()).await;
    let births = fleet.database.state().births.clone();
    assert_eq!(births.last().unwrap().cameras[0].label, "Windscreen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_of_the_moment_that_is_named_however_late_the_vehicle_hears_of_it() {
    let fleet = Fleet::new("/h264", "", "").await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    let played = std::time::Instant::now();
    until("some seconds are held", || played.elapsed() > Duration::from_secs(7)).await;
    let said = unix_ms(SystemTime::now());
    let pressed = said - 5_000;
    let around = |at: i64| [integer("before_s", 1), integer("after_s", 1), integer("at", at)];
    let reply = fleet.order(1, "clip", &around(pressed)).await;
    assert_eq!(reply.state, ReplyState::Done, "{reply:?}");
    let ready = fleet.reaches(MediaState::Ready).await;
    assert_eq!(reply.result["media"], Argument::Text(ready.id.to_string()));
    assert!(ready.from <= pressed - 1_000, "{} ms before it", pressed - ready.from);
    assert!((pressed..said).contains(&ready.to), "{} ms after it, all of it past", ready.to - pressed);

    let forgotten = fleet.order(2, "clip", &around(said - 60_000)).await;
    assert_eq!(forgotten.state, ReplyState::Failed);
    assert_eq!(forgotten.detail.as_deref(), Some("`at` is too long ago: the last 42 seconds are held"));
    // Of a clock that is ahead, it is now.
    let ahead = fleet.order(3, "clip", &around(said + 3_600_000)).await;
    assert_eq!(ahead.state, ReplyState::Done, "{ahead:?}");
    let Argument::Text(id) = &ahead.result["media"] else { panic!("{ahead:?}") };
    let id = id.parse().unwrap();
    let is_ready = |media: &Media| media.id == id && media.state == MediaState::Ready;
    until("it is filmed", || fleet.media().iter().any(is_ready)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_films_it_has_a_film_after_the_next_start() {
    let fleet = Fleet::new("/h264", "", "").await;
    let mut agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    let reply = fleet.order(1, "clip", &[integer("before_s", 30), integer("after_s", 60)]).await;
    assert_eq!(reply.state, ReplyState::Done, "{reply:?}");
    let recording = fleet.reaches(MediaState::Recording).await;
    assert_eq!(reply.result["media"], Argument::Text(recording.id.to_string()));
    let spool = fleet.folder().join(format!("{}.spool", recording.id));
    let began = std::time::Instant::now();
    until("some seconds are recorded", || {
        began.elapsed() > Duration::from_secs(4) && fs::metadata(&spool).is_ok_and(|file| file.len() > 20_000)
    })
    .await;
    agent.kill().unwrap();
    assert!(!fleet.waiting().iter().any(|name| name.ends_with(".mp4")), "nothing half-done has a name");

    let _again = fleet.start();
    let ready = fleet.reaches(MediaState::Ready).await;
    assert_eq!(ready.id, recording.id);
    assert!(ready.to - ready.from > 3_000, "{ready:?}");
    assert!((ready.from - recording.from).abs() < 1_000, "{ready:?} after {recording:?}");
    let uploaded = fleet.reaches(MediaState::Uploaded).await;
    let path = fleet.dir.path().join("film.mp4");
    fs::write(&path, &fleet.station.state().uploads[&uploaded.id].data).unwrap();
    film::decode(&path).unwrap();
    until("nothing is left", || fleet.waiting().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_uploads_it_goes_on_where_it_was_and_a_network_that_fails_costs_little() {
    // A piece of 16 KiB every half a second.
    let fleet = Fleet::new("/h264-large", "", "upload_bytes_s = 32000").await;
    fleet.station.state().lose = 1;
    let mut agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    fleet.order(1, "clip", &[integer("before_s", 0), integer("after_s", 6)]).await;
    let ready = fleet.reaches(MediaState::Ready).await;
    let arrived = |least: usize| {
        let state = fleet.station.state();
        state.uploads.get(&ready.id).is_some_and(|upload| upload.data.len() > least)
    };
    until("a part of it has arrived", || arrived(40_000)).await;
    agent.kill().unwrap();
    let size = usize::try_from(ready.bytes.unwrap()).unwrap();
    let part = fleet.station.state().uploads[&ready.id].data.len();
    assert!(part < size, "{part} of {size} is not the whole");

    let _again = fleet.start();
    fleet.reaches(MediaState::Uploaded).await;
    let state = fleet.station.state();
    let upload = &state.uploads[&ready.id];
    assert!(upload.stored && upload.data.len() == size);
    assert_eq!(upload.received, size, "no piece that had arrived was sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_arrives_with_another_hash_is_sent_anew_and_a_session_that_is_over_is_made_anew() {
    let fleet = Fleet::new("/h264", "", "").await;
    fleet.station.state().doubt = 2;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    fleet.order(1, "clip", &[integer("before_s", 0), integer("after_s", 1)]).await;
    let uploaded = fleet.reaches(MediaState::Uploaded).await;
    {
        let state = fleet.station.state();
        let upload = &state.uploads[&uploaded.id];
        assert_eq!((upload.received, state.doubt), (upload.data.len() * 3, 0));
    }
    fleet.station.state().forget_sessions();
    let reply = fleet.order(2, "clip", &[integer("before_s", 0), integer("after_s", 1)]).await;
    let Argument::Text(id) = &reply.result["media"] else { panic!("{reply:?}") };
    let id = id.parse().unwrap();
    until("the next one is stored", || fleet.station.state().uploads.get(&id).is_some_and(|upload| upload.stored))
        .await;
    assert_eq!(fleet.station.state().sign_ins, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_gone_is_told_of_and_one_that_is_back_too() {
    let mut fleet = Fleet::new("/h264", "", "").await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    let port = fleet.camera.port();
    let other = bugbrother_kit::camera::Camera::start(&[]).await.unwrap();
    std::mem::replace(&mut fleet.camera, other).kill().await.unwrap();
    let gone = fleet.happens(EventKind::CameraUnplugged).await;
    assert!(gone.text.as_deref().is_some_and(|text| text.starts_with("dash-1: camera ")), "{gone:?}");
    let reply = fleet.order(1, "clip", &[integer("before_s", 0), integer("after_s", 1)]).await;
    assert_eq!(reply.state, ReplyState::Done);
    let failed = fleet.reaches(MediaState::Failed).await;
    assert_eq!(failed.reason.as_deref(), Some("the camera sent no picture"));
    fleet.camera = bugbrother_kit::camera::Camera::start_on(port, &[]).await.unwrap();
    let back = fleet.happens(EventKind::CameraPlugged).await;
    assert_eq!(back.text.as_deref(), Some("dash-1"));
    tokio::time::timeout(LIMIT, fleet.order(2, "clip", &[integer("after_s", 1)])).await.unwrap();
    fleet.reaches(MediaState::Ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_privacy_is_on_nothing_is_taken_and_what_was_being_taken_is_thrown_away() {
    let fleet = Fleet::new("/h264", "", "").await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    fleet.order(1, "clip", &[integer("after_s", 60)]).await;
    fleet.reaches(MediaState::Recording).await;
    fleet.order(2, "privacy", &[("on", Argument::Bool(true))]).await;
    let failed = fleet.reaches(MediaState::Failed).await;
    assert_eq!(failed.reason.as_deref(), Some("privacy was switched on"));
    until("nothing is left of it", || fleet.waiting().is_empty()).await;
    for (id, name) in [(3, "clip"), (4, "photo"), (5, "stream_start")] {
        let reply = fleet.order(id, name, &[]).await;
        assert_eq!(reply.state, ReplyState::Denied, "{reply:?}");
    }
    fleet.order(6, "privacy", &[("on", Argument::Bool(false))]).await;
    until("the camera plays again", || agent.logged().matches("camera plays").count() >= 2).await;
    fleet.order(7, "clip", &[integer("after_s", 1)]).await;
    let ready = fleet.reaches(MediaState::Ready).await;
    let told = failed.at;
    assert!(ready.from >= told, "nothing of before is in it: {} ms", ready.from - told);
    assert!(fleet.station.has_no_live().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_film_a_photo_is_taken_for_the_same_cause_where_the_camera_gives_photos() {
    let photos = listener().await;
    let address = photos.local_addr().unwrap();
    let stop = CancellationToken::new();
    let _camera = Dashcam::start(photos, stop.clone());
    let _stop = stop.drop_guard();
    let fleet = Fleet::new("/h264", &format!("photo_url = 'http://{address}/road.jpg'"), "").await;
    let agent = fleet.start();
    fleet.is_online(1).await;
    fleet.plays(&agent).await;
    let reply = fleet.order(1, "clip", &[integer("before_s", 1), integer("after_s", 2)]).await;
    assert_eq!(reply.state, ReplyState::Done, "{reply:?}");
    let uploaded = |kind: MediaKind| {
        fleet.media().into_iter().find(|media| media.kind == kind && media.state == MediaState::Uploaded)
    };
    until("both are uploaded", || uploaded(MediaKind::Photo).is_some() && uploaded(MediaKind::Clip).is_some()).await;
    let (photo, film) = (uploaded(MediaKind::Photo).unwrap(), uploaded(MediaKind::Clip).unwrap());
    assert_eq!(photo.cause, Some(reply.command.to_string()));
    assert_eq!((&photo.cause, &photo.camera), (&film.cause, &film.camera));
    assert!((film.from..=film.to).contains(&photo.from), "{photo:?} of {film:?}");
    assert_eq!(fleet.station.state().uploads[&photo.id].data, PHOTO);
}
