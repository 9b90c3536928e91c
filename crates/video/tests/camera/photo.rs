//! Photos from a camera's address for them, and from its stream.

use bugbrother_video::{
    Credentials, Item, PhotoError, RtspSession, Snapshot,
    photo::{self, MAX_BYTES},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use crate::{next, of, start};

/// A web server that gives these answers, one to each request, and remembers what it was asked.
async fn web(answers: Vec<Vec<u8>>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (socket, _) = listener.accept().await.expect("somebody asks");
            let (from, mut to) = socket.into_split();
            let mut lines = BufReader::new(from).lines();
            let mut head = String::new();
            while let Some(line) = lines.next_line().await.expect("it is text").filter(|line| !line.is_empty()) {
                head += &format!("{line}\n");
            }
            asked.push(head);
            drop(to.write_all(&answer).await);
        }
        asked
    });
    (format!("http://127.0.0.1:{port}/snap.jpg?size=full"), asked)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn take(url: String, password: Option<&str>) -> Result<bytes::Bytes, PhotoError> {
    let credentials =
        password.map(|password| Credentials { username: "viewer".to_owned(), password: password.to_owned() });
    let snapshot = Snapshot::new(&url, credentials)?;
    tokio::task::spawn_blocking(move || snapshot.take()).await.expect("it does not panic")
}

const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0picture\xFF\xD9";

#[tokio::test]
async fn a_photo_comes_with_no_password_with_basic_and_with_digest() {
    let (url, _) = web(vec![answer("200 OK", "", JPEG)]).await;
    assert_eq!(take(url, None).await.unwrap(), JPEG);

    for (challenge, begins) in [
        ("Basic realm=\"camera\"", "authorization: Basic dmlld2VyOm9wZW4gc2VzYW1l"),
        ("Digest realm=\"camera\", nonce=\"abc\", qop=\"auth\"", "authorization: Digest username=\"viewer\""),
    ] {
        let refusal = answer("401 Unauthorized", &format!("WWW-Authenticate: {challenge}\r\n"), b"");
        let (url, asked) = web(vec![refusal.clone(), answer("200 OK", "", JPEG)]).await;
        assert_eq!(take(url, Some("open sesame")).await.unwrap(), JPEG);
        let asked = asked.await.unwrap();
        assert!(!asked[0].to_lowercase().contains("authorization"), "a password is not sent unasked");
        assert!(asked[1].contains(begins), "{}", asked[1]);

        let (url, _) = web(vec![refusal.clone(), refusal]).await;
        assert!(matches!(take(url, Some("guess")).await, Err(PhotoError::Unauthorized)));
    }
}

#[tokio::test]
async fn what_is_no_photo_is_an_error() {
    let redirect = answer("302 Found", "Location: http://127.0.0.1/\r\n", b"");
    for (said, expected) in [
        (redirect, "302"),
        (answer("404 Not Found", "", b""), "404"),
        (answer("200 OK", "", b"<html>"), "no whole JPEG"),
        (answer("200 OK", "", &JPEG[..9]), "no whole JPEG"),
        (answer("200 OK", "", &vec![0xFF; MAX_BYTES + 1]), "gave no photo"),
        (b"nonsense".to_vec(), "gave no photo"),
    ] {
        let (url, _) = web(vec![said]).await;
        let error = take(url, None).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}

#[tokio::test]
async fn a_picture_of_mjpeg_is_a_photo_and_one_of_h264_only_where_it_can_be_decoded() {
    let server = start(&[]).await;
    for (path, is_photo) in [("/jpeg", true), ("/h264", cfg!(feature = "decode")), ("/h265", false)] {
        let mut session = RtspSession::open(&of(&server, path)).await.expect("the camera plays");
        assert_eq!(photo::can_be_made_of(session.codec()), is_photo, "{path}");
        let mut parameters = None;
        let unit = loop {
            match next(&mut session).await.expect("pictures come") {
                Item::Parameters(new) => parameters = Some(new),
                Item::Unit(unit) if unit.is_key => break unit,
                _ => {}
            }
        };
        let photo = photo::from_picture(parameters.as_ref().expect("they come first"), &unit);
        assert_eq!(photo.is_ok(), is_photo, "{path}: {photo:?}");
        if let Ok(photo) = photo {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("photo.jpg");
            std::fs::write(&file, photo).unwrap();
            bugbrother_kit::film::decode(&file).unwrap();
            assert_eq!(bugbrother_kit::film::size(&file).unwrap(), (320, 240));
        }
    }
}
