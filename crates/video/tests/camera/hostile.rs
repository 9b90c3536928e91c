//! Cameras that are broken, and those that mean harm.

use std::{
    fs::File,
    time::{Duration, Instant},
};

use bugbrother_kit::film;
use bugbrother_video::{Item, RtspSession, SourceError, Step, write_clip};
use rand::{RngCore, SeedableRng, rngs::StdRng};

use crate::{
    camera, next, of,
    puppet::{Act, Description, Puppet, interleaved, real_pictures},
    record, start,
};

async fn open(puppet: &Puppet) -> Result<RtspSession, SourceError> {
    let mut camera = camera(puppet.port, "/", None);
    camera.step_deadline = Duration::from_secs(2);
    camera.stall_deadline = Duration::from_secs(1);
    RtspSession::open(&camera).await
}

#[tokio::test]
async fn garbage_in_rtp_ends_the_session_or_is_left_out_and_nothing_breaks() {
    let (_, pictures) = real_pictures("/h264", 3).await;
    let mut random = StdRng::seed_from_u64(11);
    for round in 0..24 {
        let mut garbage = vec![0; 1 + (random.next_u32() % 400) as usize];
        random.fill_bytes(&mut garbage);
        let bytes = match round % 3 {
            0 => garbage,
            1 => interleaved((random.next_u32() % 3) as u8, &garbage),
            // An RTP header that is right, and whatever after it.
            _ => interleaved(0, &[&[0x80, 0xE0, 0, 9, 0, 0, 0, 9, 0, 0, 0xCA, 0xFE], &garbage[..]].concat()),
        };
        let acts = vec![Act::Picture(0, pictures[0].clone()), Act::Bytes(bytes), Act::Freeze];
        let puppet = Puppet::start(Description::H264, acts).await;
        let mut session = open(&puppet).await.expect("the camera plays");
        session_ends(&mut session).await;
    }
}

/// By an error, in time.
async fn session_ends(session: &mut RtspSession) -> SourceError {
    loop {
        if let Err(error) = next(session).await {
            return error;
        }
    }
}

#[tokio::test]
async fn a_description_that_never_ends_is_given_up_in_time() {
    for bytes in
        [b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4000000000\r\n\r\n".to_vec(), b"RTSP/1.0 200 OK\r\n".to_vec()]
    {
        let puppet = Puppet::start(Description::Endless(bytes), Vec::new()).await;
        let began = Instant::now();
        let error = open(&puppet).await.expect_err("it never ends");
        let is_timeout = matches!(error, SourceError::TimedOut { step: Step::Describe, .. });
        assert!(is_timeout || matches!(error, SourceError::Protocol { step: Step::Describe, .. }), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn no_redirection_is_followed() {
    let puppet = Puppet::start(Description::Redirect, Vec::new()).await;
    let error = open(&puppet).await.expect_err("it goes in circles");
    assert!(matches!(error, SourceError::Protocol { step: Step::Describe, .. }), "{error:?}");
    assert_eq!(puppet.connections(), 1);
}

#[tokio::test]
async fn a_description_of_nonsense_is_an_error() {
    for sdp in ["", "v=0\r\n", "\0\0\0", "m=video 0 RTP/AVP 96\r\n", &"a=x:".repeat(10_000)] {
        let puppet = Puppet::start(Description::Sdp(sdp.to_owned()), Vec::new()).await;
        open(&puppet).await.expect_err("there is no video");
    }
}

#[tokio::test]
async fn a_camera_that_stops_in_the_middle_of_a_gop_has_stalled_and_what_came_is_a_film() {
    let (_, pictures) = real_pictures("/h264", 5).await;
    let times = (0..5).map(|n| n * 3600);
    let mut acts: Vec<_> = times.zip(pictures).map(|(time, picture)| Act::Picture(time, picture)).collect();
    acts.push(Act::Freeze);
    let puppet = Puppet::start(Description::H264, acts).await;
    let mut session = open(&puppet).await.expect("the camera plays");
    let (scenes, error) = record(&mut session, 100).await;
    assert!(matches!(error, Some(SourceError::Stalled { .. })), "{error:?}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    // A unit is whole when the next one begins, or by its marker.
    let written = write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    assert!(written.pictures >= 4, "{written:?}");
    film::decode(&path).unwrap();
}

#[tokio::test]
async fn parameters_that_change_are_told_before_their_first_picture_and_the_film_goes_on() {
    let (small, first) = real_pictures("/h264", 6).await;
    let (large, second) = real_pictures("/h264-large", 6).await;
    let all = first.into_iter().chain(second);
    let mut acts: Vec<_> = (0..12).map(|n| n * 3600).zip(all).map(|(time, units)| Act::Picture(time, units)).collect();
    acts.push(Act::Freeze);
    let puppet = Puppet::start(Description::H264, acts).await;
    let mut session = open(&puppet).await.expect("the camera plays");
    let mut told = Vec::new();
    let error = loop {
        match next(&mut session).await {
            Ok(Item::Parameters(parameters)) => told.push((parameters.width, 0)),
            Ok(Item::Unit(_)) => told.last_mut().expect("parameters come first").1 += 1,
            Ok(Item::Sound(_)) => panic!("there is none"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SourceError::Stalled { .. }), "{error:?}");
    assert_eq!([told[0].0, told[1].0], [small.width, large.width]);
    assert_eq!((told.len(), told[0].1), (2, 6), "{told:?}");

    let mut session = open(&puppet).await.expect("the camera plays");
    let (scenes, _) = record(&mut session, 100).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    let written = write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    film::decode(&path).unwrap();
    assert_eq!(film::picture_times(&path).unwrap().len(), written.pictures);
}

#[tokio::test]
async fn timestamps_that_repeat_leap_and_go_back_make_a_film_whose_times_rise() {
    let (_, pictures) = real_pictures("/h264", 10).await;
    let times = [0, 3600, 3600, 3600, 14_400, 3_000_000_000, 3_000_003_600, 900, 4500, 8100_u32];
    let mut acts: Vec<_> = times.into_iter().zip(pictures).map(|(time, units)| Act::Picture(time, units)).collect();
    acts.push(Act::Freeze);
    let puppet = Puppet::start(Description::H264, acts).await;
    let mut session = open(&puppet).await.expect("the camera plays");
    let (scenes, error) = record(&mut session, 100).await;
    assert!(matches!(error, Some(SourceError::Stalled { .. })), "{error:?}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    film::decode(&path).unwrap();
    let times = film::picture_times(&path).unwrap();
    assert!(times.is_sorted_by(|a, b| a < b) && times.len() >= 9, "{times:?}");
    assert!(times.last().unwrap() < &5.0, "nobody waits for a clock that was set: {times:?}");
}

#[tokio::test]
async fn a_damaged_key_frame_is_handed_on_and_breaks_nothing_here() {
    let (_, mut pictures) = real_pictures("/h264", 4).await;
    let mut random = StdRng::seed_from_u64(5);
    let slice = pictures[0].last_mut().expect("it has a slice");
    // Behind the slice's header.
    random.fill_bytes(&mut slice[8..]);
    let mut acts: Vec<_> =
        (0..4).map(|n| n * 3600).zip(pictures).map(|(time, units)| Act::Picture(time, units)).collect();
    acts.push(Act::Freeze);
    let puppet = Puppet::start(Description::H264, acts).await;
    let mut session = open(&puppet).await.expect("the camera plays");
    let (scenes, _) = record(&mut session, 100).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    let written = write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    assert!(written.pictures >= 3);
    film::decode(&path).expect_err("FFmpeg sees the damage");
    #[cfg(feature = "decode")]
    {
        let photo = bugbrother_video::photo::from_picture(&scenes[0].parameters, &scenes[0].units[0]);
        // OpenH264 may show what it can make out, or say that it cannot.
        assert!(photo.as_ref().is_ok_and(|jpeg| jpeg.starts_with(&[0xFF, 0xD8])) || photo.is_err());
    }
}

#[tokio::test]
async fn b_frames_are_refused_with_what_to_set_in_the_camera() {
    let server = start(&[]).await;
    let mut session = RtspSession::open(&of(&server, "/b-frames")).await.expect("the camera plays");
    let error = session_ends(&mut session).await;
    assert!(matches!(error, SourceError::BFrames), "{error:?}");
    assert!(!error.is_transient() && error.to_string().contains("number of B-frames to 0"));
}

#[tokio::test]
async fn four_two_two_is_a_film_and_is_said_not_to_play_in_browsers() {
    let server = start(&[]).await;
    let mut session = RtspSession::open(&of(&server, "/h264-422")).await.expect("the camera plays");
    let (scenes, _) = record(&mut session, 20).await;
    let parameters = &scenes[0].parameters;
    assert!(parameters.rfc6381.starts_with("avc1.7A") && !parameters.plays_in_browsers(), "{parameters:?}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clip.mp4");
    write_clip(&scenes, File::create(&path).unwrap()).unwrap();
    film::decode(&path).unwrap();
    let photo = bugbrother_video::photo::from_picture(parameters, &scenes[0].units[0]);
    photo.expect_err("neither with OpenH264 nor without");
}
