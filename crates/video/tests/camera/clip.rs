//! Fragments and films of real streams, as FFmpeg sees them.

use std::{
    fs::{self, File},
    io::Cursor,
    path::PathBuf,
    time::Duration,
};

use bugbrother_kit::film;
use bugbrother_video::{
    Codec, Fragmenter, Item, Limits, MuxingError, Ring, RtspSession, Scene, SourceError, write_clip,
};
use proptest::prelude::*;

use crate::{next, of, record, start};

#[tokio::test]
async fn the_beginning_and_fragments_of_any_key_frame_make_a_film() {
    let server = start(&[]).await;
    for path in ["/h264", "/h264-sdp-only"] {
        let mut session = RtspSession::open(&of(&server, path)).await.expect("the camera plays");
        let (scenes, _) = record(&mut session, 40).await;
        // As for a viewer who comes in later: from the second key frame on.
        let first = &scenes[1];
        let mut fragmenter = Fragmenter::new(&first.parameters, first.units[0].clock_hz).unwrap();
        let mut film = fragmenter.init().to_vec();
        let units: Vec<_> = scenes[1..].iter().flat_map(|scene| &scene.units).collect();
        for unit in &units {
            let fragment = fragmenter.push(unit).unwrap();
            assert_eq!(fragment.is_key, unit.is_key);
            assert!(fragment.data.len() < unit.data.len() + 200, "what is around a picture is small");
            film.extend(&fragment.data);
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("live.mp4");
        fs::write(&file, film).unwrap();
        film::decode(&file).unwrap();
        let times = film::picture_times(&file).unwrap();
        assert_eq!(times.len(), units.len());
        let length = times.last().unwrap() - times[0];
        assert!((length - (units.len() - 1) as f64 / 25.0).abs() < 0.3, "{length}");
    }
}

#[tokio::test]
async fn a_film_has_its_sound_and_begins_with_its_table_of_contents() {
    let server = start(&[]).await;
    let mut camera = of(&server, "/with-aac");
    camera.sound = true;
    let mut session = RtspSession::open(&camera).await.expect("the camera plays");
    assert_eq!(session.sound().map(|sound| &*sound.rfc6381), Some("mp4a.40.2"));
    let (scenes, _) = record(&mut session, 60).await;
    assert!(scenes.iter().filter(|scene| scene.sound.is_some()).count() >= 4, "it is heard all the time");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    let written = write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    film::decode(&path).unwrap();
    assert_eq!(film::codecs(&path).unwrap(), ["h264", "aac"]);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, written.bytes);
    assert!(film::is_fast_to_start(&bytes));
    assert_eq!((film::picture_times(&path).unwrap().len(), written.pictures), (60, 60));

    camera.sound = false;
    let session = RtspSession::open(&camera).await.expect("the camera plays");
    assert_eq!(session.sound(), None);
}

#[tokio::test]
async fn the_thirty_seconds_before_a_moment_are_there_to_the_key_frame() {
    let server = start(&[]).await;
    let mut session = RtspSession::open(&of(&server, "/h264")).await.expect("the camera plays");
    let mut ring = Ring::new(Limits { duration: Duration::from_secs(2), bytes: 8 << 20 });
    let (mut parameters, mut count) = (None, 0);
    while count < 100 {
        match next(&mut session).await.expect("pictures come") {
            Item::Parameters(new) => parameters = Some(new),
            Item::Unit(unit) => {
                ring.push(parameters.as_ref().expect("they come first"), unit);
                count += 1;
            }
            Item::Sound(_) => panic!("nobody asked for sound"),
        }
    }
    let newest = ring.gops().last().and_then(|gop| gop.units().last()).expect("it holds something").received;
    let asked = newest - Duration::from_secs(1);
    let scenes: Vec<_> = ring.since(asked).map(Scene::from).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    let written = write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    assert!(written.from <= asked && written.from < written.to && written.to <= newest);
    // No more than it needs: the second key frame came after that moment, if the first did not stand alone.
    assert!(scenes.get(1).is_none_or(|second| second.units[0].received > asked));
    // It says of itself how long it is, whatever came late.
    let times = film::picture_times(&path).unwrap();
    let length = times.last().unwrap() - times[0];
    assert!((length - (written.to - written.from).as_secs_f64()).abs() < 0.05, "{length} s, {written:?}");
    film::decode(&path).unwrap();
}

#[tokio::test]
async fn h265_is_stored_and_said_not_to_play_in_browsers_and_jpeg_is_no_film() {
    let server = start(&[]).await;
    let mut session = RtspSession::open(&of(&server, "/h265")).await.expect("the camera plays");
    let (scenes, _) = record(&mut session, 20).await;
    assert_eq!((scenes[0].parameters.codec, scenes[0].parameters.plays_in_browsers()), (Codec::H265, false));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    film::decode(&path).unwrap();
    assert_eq!(film::codecs(&path).unwrap(), ["hevc"]);

    let mut session = RtspSession::open(&of(&server, "/jpeg")).await.expect("the camera plays");
    let (scenes, _) = record(&mut session, 2).await;
    let refused = write_clip(&scenes, Cursor::new(Vec::new())).unwrap_err();
    assert!(matches!(refused, MuxingError::Codec(Codec::Jpeg)), "{refused:?}");
    assert!(matches!(write_clip(&[], Cursor::new(Vec::new())), Err(MuxingError::NoKeyFrame)));
}

/// The film of a real dashboard camera, where it is there.
fn dashcam() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/video");
    let elsewhere = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data/video");
    [folder, elsewhere].into_iter().map(|folder| folder.join("dashcam-highway.mp4")).find(|path| path.exists())
}

#[tokio::test]
async fn every_picture_of_a_real_dashcam_comes_out_in_order() {
    let Some(original) = dashcam() else {
        eprintln!("dashcam-highway.mp4 is not there: this test has checked nothing");
        return;
    };
    let server = start(&["--film", original.to_str().unwrap()]).await;
    let mut camera = of(&server, "/film");
    camera.sound = true;
    camera.stall_deadline = Duration::from_secs(3);
    let mut session = RtspSession::open(&camera).await.expect("the camera plays");
    let (scenes, error) = record(&mut session, usize::MAX).await;
    // GStreamer says goodbye in RTCP and keeps the connection.
    assert!(matches!(error, Some(SourceError::Stalled { .. } | SourceError::Ended)), "{error:?}");
    assert!(scenes[0].parameters.plays_in_browsers());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    let written = write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    assert_eq!(written.pictures, 221);
    film::decode(&path).unwrap();
    assert_eq!(film::codecs(&path).unwrap(), ["h264", "aac"]);
    let (before, after) = (film::picture_times(&original).unwrap(), film::picture_times(&path).unwrap());
    assert_eq!((before.len(), after.len()), (221, 221));
    for (before, after) in before.iter().map(|time| time - before[0]).zip(&after) {
        assert!((before - after).abs() < 0.05, "{before} became {after}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_configuration_of_a_stream_makes_it_panic(entry: Vec<u8>, width: u32, data: Vec<u8>) {
        let parameters = bugbrother_video::Parameters {
            codec: Codec::H264,
            rfc6381: "avc1.42C01E".to_owned(),
            width,
            height: 1,
            sample_entry: Some(entry.into()),
        };
        prop_assert!(!parameters.rfc6381.is_empty());
        let clock_hz = std::num::NonZeroU32::new(90_000).expect("it is not 0");
        let made = Fragmenter::new(&parameters, clock_hz);
        if let Ok(mut fragmenter) = made {
            let unit = bugbrother_video::AccessUnit {
                pts: 0,
                clock_hz,
                is_key: true,
                lost_packets: 0,
                received: std::time::Instant::now(),
                data: data.into(),
            };
            fragmenter.push(&unit).expect("any picture can be wrapped");
        }
    }
}
