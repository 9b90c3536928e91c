//! The source against GStreamer's RTSP server, and against cameras that stop answering.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_video::{
    AccessUnit, Camera, Codec, Item, Limits, Parameters, Pushed, Ring, RtspSession, SourceError, Step, Transport,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{PATIENCE, camera, next, start, user};

/// The parameters and the first `count` pictures.
async fn receive(camera: &Camera, count: usize) -> (Arc<Parameters>, Vec<AccessUnit>) {
    let mut session = RtspSession::open(camera).await.expect("the camera plays");
    let Item::Parameters(parameters) = next(&mut session).await.expect("parameters come") else {
        panic!("a picture came before its parameters");
    };
    let mut units = Vec::new();
    while units.len() < count {
        match next(&mut session).await.expect("pictures come") {
            Item::Unit(unit) => units.push(unit),
            Item::Parameters(changed) => panic!("the parameters changed to {changed:?}"),
            Item::Sound(_) => panic!("nobody asked for sound"),
        }
    }
    session.close().await;
    (parameters, units)
}

/// Whether the data are NAL units, each after its length in four bytes, to the last byte.
fn is_length_prefixed(mut data: &[u8]) -> bool {
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        match rest.get(u32::from_be_bytes(*length) as usize..) {
            Some(left) if u32::from_be_bytes(*length) > 0 => data = left,
            _ => return false,
        }
    }
    data.is_empty()
}

fn looks_right(units: &[AccessUnit]) {
    assert!(units.iter().any(|unit| unit.is_key));
    assert!(units.windows(2).all(|pair| pair[0].pts < pair[1].pts && pair[0].received <= pair[1].received));
    assert!(units.iter().all(|unit| unit.clock_hz.get() == 90_000));
    let (first, last) = (units[0].presented_after(), units[units.len() - 1].presented_after());
    let expected_s = (units.len() - 1) as f64 / 25.0;
    assert!(((last - first).as_secs_f64() - expected_s).abs() < 0.25, "{first:?} to {last:?}");
}

#[tokio::test]
async fn h264_comes_over_tcp_and_over_udp_with_its_parameters_first() {
    let server = start(&[]).await;
    for (path, transport) in [("/h264", Transport::Tcp), ("/h264-sdp-only", Transport::Tcp), ("/h264", Transport::Udp)]
    {
        let mut camera = crate::of(&server, path);
        camera.transport = transport;
        let (parameters, units) = receive(&camera, 40).await;
        assert_eq!((parameters.codec, parameters.width, parameters.height), (Codec::H264, 320, 240));
        assert!(parameters.rfc6381.starts_with("avc1.42"), "{}", parameters.rfc6381);
        let entry = parameters.sample_entry.as_deref().expect("H.264 has a sample entry");
        assert_eq!(&entry[4..8], b"avc1");
        looks_right(&units);
        assert!(transport == Transport::Udp || units.iter().all(|unit| unit.lost_packets == 0));
        assert!(units.iter().all(|unit| is_length_prefixed(&unit.data)));
        let keys = units.iter().filter(|unit| unit.is_key).count();
        assert!((3..=6).contains(&keys), "{keys} key frames, one in ten was asked for");
    }
}

#[tokio::test]
async fn h265_comes_with_its_parameters_first() {
    let server = start(&[]).await;
    let (parameters, units) = receive(&crate::of(&server, "/h265"), 30).await;
    assert_eq!((parameters.codec, parameters.width, parameters.height), (Codec::H265, 320, 240));
    assert!(parameters.rfc6381.starts_with("hvc1."), "{}", parameters.rfc6381);
    looks_right(&units);
    assert!(units.iter().all(|unit| is_length_prefixed(&unit.data)));
}

#[tokio::test]
async fn every_jpeg_is_a_key_frame_and_a_file() {
    let server = start(&[]).await;
    let (parameters, units) = receive(&crate::of(&server, "/jpeg"), 20).await;
    assert_eq!((parameters.codec, parameters.width, parameters.height), (Codec::Jpeg, 320, 240));
    assert_eq!(parameters.sample_entry, None);
    looks_right(&units);
    for unit in &units {
        assert!(unit.is_key && unit.data.starts_with(&[0xFF, 0xD8]) && unit.data.ends_with(&[0xFF, 0xD9]));
    }
}

#[tokio::test]
async fn sound_is_left_aside_and_sound_alone_is_no_video() {
    let server = start(&[]).await;
    let (parameters, _) = receive(&crate::of(&server, "/with-sound"), 10).await;
    assert_eq!(parameters.codec, Codec::H264);

    let error = RtspSession::open(&crate::of(&server, "/sound-only")).await.expect_err("there is no video");
    assert_eq!(error.to_string(), "camera has no H.264, H.265 or JPEG video; it has audio/pcmu");
    assert!(!error.is_transient());
    let error = RtspSession::open(&crate::of(&server, "/nothing")).await.expect_err("there is no such stream");
    assert!(matches!(error, SourceError::Protocol { step: Step::Describe, .. }), "{error:?}");
}

#[tokio::test]
async fn a_password_is_asked_for_by_basic_and_by_digest() {
    for method in ["basic", "digest"] {
        let server = start(&[method, "viewer", "open sesame"]).await;
        receive(&camera(server.port(), "/h264", user("open sesame")), 3).await;
        for wrong in [user("guess"), None] {
            let error = RtspSession::open(&camera(server.port(), "/h264", wrong)).await.expect_err("it is wrong");

            assert!(matches!(error, SourceError::Unauthorized), "{method}: {error:?}");
            assert!(!error.is_transient());
        }
    }
}

/// Reads until the session is over.
async fn failure_of(session: &mut RtspSession) -> SourceError {
    loop {
        if let Err(error) = next(session).await {
            return error;
        }
    }
}

#[tokio::test]
async fn a_stream_that_stops_has_stalled_and_one_whose_camera_hangs_up_has_ended() {
    let server = start(&[]).await;
    let mut camera = crate::of(&server, "/ends");
    camera.stall_deadline = Duration::from_secs(2);
    let mut session = RtspSession::open(&camera).await.expect("the camera plays");
    // GStreamer says goodbye for the stream in RTCP and keeps the connection.
    let error = failure_of(&mut session).await;
    assert!(matches!(error, SourceError::Stalled { .. }) && error.is_transient(), "{error:?}");

    let mut session = RtspSession::open(&crate::of(&server, "/h264")).await.expect("the camera plays");
    next(&mut session).await.expect("it sends");
    drop(server);
    let error = failure_of(&mut session).await;
    assert!(matches!(error, SourceError::Ended | SourceError::Protocol { .. }) && error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_ring_holds_the_last_seconds_of_a_real_stream() {
    let server = start(&[]).await;
    let mut session = RtspSession::open(&crate::of(&server, "/h264")).await.expect("the camera plays");
    let limits = Limits { duration: Duration::from_millis(1500), bytes: 4 << 20 };
    let (mut ring, mut parameters, mut kept) = (Ring::new(limits), None, 0);
    while kept < 75 {
        match next(&mut session).await.expect("pictures come") {
            Item::Parameters(new) => parameters = Some(new),
            Item::Sound(_) => panic!("nobody asked for sound"),
            Item::Unit(unit) => {
                let pushed = ring.push(parameters.as_ref().expect("parameters come first"), unit);
                assert_ne!(pushed, Pushed::TooLarge);
                kept += usize::from(pushed == Pushed::Kept);
            }
        }
    }
    let newest = ring.gops().last().and_then(|gop| gop.units().last()).expect("it holds something").received;
    let middle = newest - Duration::from_millis(600);
    let gops: Vec<_> = ring.since(middle).collect();
    assert!(gops[0].start() <= middle && gops[0].units()[0].is_key);
    assert!(gops.len() >= 2 && ring.duration() <= limits.duration, "{:?}", ring.duration());
    session.close().await;
}

/// A camera that forwards to a real one until a request starts with `silent_from`, and is silent from then on.
async fn camera_that_falls_silent(server: u16, silent_from: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.expect("the client connects");
        let real = TcpStream::connect(("127.0.0.1", server)).await.expect("the server is there");
        let ((mut from_client, mut to_client), (mut from_real, mut to_real)) = (client.into_split(), real.into_split());
        let back = tokio::spawn(async move { tokio::io::copy(&mut from_real, &mut to_client).await });
        let mut request = vec![0; 8192];
        while let Ok(count @ 1..) = from_client.read(&mut request).await {
            if request[..count].starts_with(silent_from.as_bytes()) {
                std::future::pending::<()>().await;
            }
            to_real.write_all(&request[..count]).await.expect("the server reads");
        }
        back.abort();
    });
    port
}

#[tokio::test]
async fn every_step_has_a_deadline() {
    let server = start(&[]).await;
    for (request, step) in [("DESCRIBE", Step::Describe), ("SETUP", Step::Setup), ("PLAY", Step::Play)] {
        let port = camera_that_falls_silent(server.port(), request).await;
        let deadline = Duration::from_secs(2);
        let mut camera = camera(port, "/h264", None);
        camera.step_deadline = deadline;
        let began = Instant::now();
        let error = timeout(PATIENCE, RtspSession::open(&camera)).await.expect("it ends").expect_err("it fails");
        assert!(matches!(error, SourceError::TimedOut { step: at, .. } if at == step), "{request}: {error:?}");
        assert_eq!(error.to_string(), format!("camera did not answer {step} within 2 s"));
        assert!(began.elapsed() >= deadline);
    }
}

#[tokio::test]
async fn a_camera_that_freezes_is_noticed() {
    let server = start(&[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let (freeze, frozen) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("the client connects");
        let mut real = TcpStream::connect(("127.0.0.1", server.port())).await.expect("the server is there");
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut client, &mut real) => {}
            _ = frozen => std::future::pending::<()>().await,
        }
    });
    let mut camera = camera(port, "/h264", None);
    camera.stall_deadline = Duration::from_secs(1);
    let mut session = RtspSession::open(&camera).await.expect("the camera plays");
    for _ in 0..5 {
        next(&mut session).await.expect("pictures come");
    }
    freeze.send(()).expect("the proxy runs");
    let error = failure_of(&mut session).await;
    assert!(matches!(error, SourceError::Stalled { .. }), "{error:?}");
    assert_eq!(error.to_string(), "camera sent no picture for 1 s");
}

#[tokio::test]
async fn nobody_at_the_port_and_no_rtsp_at_the_port_are_errors_of_the_first_step() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let error = RtspSession::open(&camera(port, "/", None)).await.expect_err("nobody listens");
    assert!(matches!(error, SourceError::Protocol { step: Step::Describe, .. }), "{error:?}");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("the client connects");
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("the client reads");
        std::future::pending::<()>().await;
    });
    let error = RtspSession::open(&camera(port, "/", None)).await.expect_err("it speaks HTTP");
    assert!(matches!(error, SourceError::Protocol { step: Step::Describe, .. }), "{error:?}");
}

#[test]
fn a_url_that_is_none_of_a_camera_is_refused_with_what_is_right() {
    for (url, message) in [
        ("192.168.1.20", "camera URL: it is no URL; one looks like rtsp://192.168.1.20:554/stream1"),
        ("http://camera/", "camera URL: it must start with rtsp://"),
        ("file:///etc/passwd", "camera URL: it must start with rtsp://"),
        ("rtsp://u:secret@camera/1", "camera URL: give user name and password apart from it"),
    ] {
        assert_eq!(Camera::new(url, None).expect_err(url).to_string(), message);
    }
    let camera = Camera::new("rtsp://camera/1", user("secret")).expect("it is right");
    assert!(!format!("{camera:?}").contains("secret"));
}
