//! Cameras that the server reaches by itself: by GStreamer's RTSP server, and by some that are no cameras.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bugbrother_dashboard::{Config, library::Library};
use bugbrother_guard::Guard;
use bugbrother_kit::{camera::Camera, film, port, turnstile::Turnstile, wait};
use bugbrother_store::{AuditFilter, Eye};
use bugbrother_wire::{
    Vin,
    api::{CameraList, EyeEntry, EyeList, EyeReport, EyeTransport, KeptMedia, MediaList, Role, Ticket, WallList},
    message::{MediaKind, MediaState},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::{
    doings::Person,
    rig::{Rig, expect_refusal, now, vin},
    viewer::{open_at, refusal},
    watching::{Onlooker, has_camera},
};

/// Longest wait for what a camera does.
const LONG: Duration = Duration::from_secs(60);

struct Yard {
    rig: Rig,
    token: String,
    dir: TempDir,
}

impl Yard {
    /// A server that may reach cameras on this machine.
    async fn open() -> Result<Self> {
        Self::open_with(|config| config.cameras = Guard::new(["127.0.0.0/8".parse().expect("it is a network")])).await
    }

    async fn open_with(change: impl FnOnce(&mut Config)) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let library = Library::open(&dir.path().join("media"))?;
        let rig = Rig::start_with(port::free()?, |config| {
            config.library = Some(library);
            change(config);
        })
        .await?;
        rig.store.name_vehicle(vin(1), "Van 1", None, now()).await?;
        Ok(Yard { token: rig.token().await?, rig, dir })
    }

    fn person(&self) -> Person<'_> {
        Person { rig: &self.rig, token: self.token.clone() }
    }

    async fn add(&self, camera: &str, url: &str) -> Result<EyeEntry> {
        self.person().send(Method::POST, &eyes(), &form(camera, url)).await
    }

    async fn test(&self, body: &Value) -> Result<EyeReport> {
        self.person().send(Method::POST, &format!("/vehicles/{}/eye-test", vin(1)), body).await
    }

    async fn look(&self, camera: &str) -> Result<Onlooker> {
        Onlooker::open(&self.rig, &self.token, &format!("/video/{}/{camera}", vin(1))).await
    }

    /// Takes a photo or clip; where its file is.
    async fn keep(&self, camera: &str, what: &str) -> Result<(KeptMedia, bytes::Bytes)> {
        let path = format!("/vehicles/{}/cameras/{camera}/{what}", vin(1));
        let kept: KeptMedia = self.person().send(Method::POST, &path, &json!({})).await?;
        let file = format!("/api/frontend/vehicles/{}/media/{}/file", vin(1), kept.id);
        let data = self.rig.get(&file, &self.token).await?.error_for_status()?.bytes().await?;
        Ok((kept, data))
    }
}

fn eyes() -> String {
    format!("/vehicles/{}/eyes", vin(1))
}

fn form(camera: &str, url: &str) -> Value {
    json!({ "camera": camera, "label": "The yard", "url": url, "enabled": true })
}

fn with(mut form: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        form[name] = value.clone();
    }
    form
}

/// A server on this machine that says that to whoever comes, again and again, and counts them.
async fn says(text: Vec<u8>) -> Result<(u16, Turnstile, JoinHandle<()>)> {
    let listener = TcpListener::bind(port::local(0)).await?;
    let port = listener.local_addr()?.port();
    let task = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let text = text.clone();
            tokio::spawn(async move {
                let mut asked = [0; 2048];
                let mut pace = tokio::time::interval(Duration::from_millis(20));
                while matches!(socket.read(&mut asked).await, Ok(1..)) {
                    // Never ends, and is no flood.
                    while socket.write_all(&text).await.is_ok() {
                        pace.tick().await;
                    }
                }
            });
        }
    });
    let turnstile = Turnstile::start(port).await?;
    Ok((turnstile.port(), turnstile, task))
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_see_a_camera_by_one_connection_and_go_on_when_it_comes_back() -> Result<()> {
    let yard = Yard::open().await?;
    let camera = Camera::start(&[]).await?;
    let turnstile = Turnstile::start(camera.port()).await?;
    yard.add("yard", &format!("rtsp://127.0.0.1:{}/h264", turnstile.port())).await?;
    let list: CameraList = yard.person().ask(&format!("/vehicles/{}/cameras", vin(1))).await?;
    assert!(list.cameras.len() == 1 && list.cameras[0].reached);
    let wall: WallList = yard.person().ask("/cameras").await?;
    assert_eq!((wall.vehicles.len(), wall.vehicles[0].cameras.len()), (1, 1));
    assert_eq!(turnstile.all(), 0, "nobody looks");

    let mut three = [yard.look("yard").await?, yard.look("yard").await?, yard.look("yard").await?];
    for looks in &mut three {
        looks.sees(25).await?;
        assert_eq!((looks.plays, looks.width, looks.missed), (Some(true), 320, 0));
    }
    assert_eq!(turnstile.all(), 1, "one connection, however many look");
    let (kept, clip) = yard.keep("yard", "clip").await?;
    let path = yard.dir.path().join("clip.mp4");
    std::fs::write(&path, &clip)?;
    film::decode(&path)?;
    let times = film::picture_times(&path)?;
    ensure!(film::is_fast_to_start(&clip) && times.len() >= 20 && times.is_sorted(), "{times:?}");
    let media: MediaList = yard.person().ask(&format!("/vehicles/{}/media", vin(1))).await?;
    let listed = media.media.iter().find(|media| media.id == kept.id).context("it is listed")?;
    assert_eq!((listed.kind, listed.state), (MediaKind::Clip, MediaState::Uploaded));
    assert!(listed.to - listed.from >= 700 && listed.to <= now(), "{listed:?}");

    let there = camera.port();
    camera.kill().await?;
    for looks in &mut three {
        looks.is_told("camera").await?;
    }
    let _camera = Camera::start_on(there, &[]).await?;
    for looks in &mut three {
        looks.sees(10).await?;
    }
    drop(three);
    let left = || std::future::ready((turnstile.inside() == 0).then_some(()));
    wait::until("the camera is let go of", LONG, left).await?;

    let path = format!("{}/yard", eyes());
    let (gone, _) = yard.person().status(Method::DELETE, &path, None).await?;
    assert_eq!(gone, StatusCode::NO_CONTENT);
    assert!(yard.look("yard").await.is_err());
    let did = yard.rig.store.audit(AuditFilter::default(), None, 50).await?;
    for what in ["eye_added", "video_watched", "media_kept", "eye_removed"] {
        assert!(did.iter().any(|entry| entry.what == what), "{what}");
    }
    yard.rig.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_camera_answers_is_said_in_words_and_its_password_to_nobody() -> Result<()> {
    let yard = Yard::open().await?;
    let camera = Camera::start(&["digest", "viewer", "swordfish"]).await?;
    let good = with(form("yard", &camera.url("/h264")), json!({ "user": "viewer", "password": "swordfish" }));
    let found = yard.test(&good).await?;
    let expected = EyeReport { codec: Some("H.264".into()), width: 320, height: 240, plays: true, refused: None };
    assert_eq!(found, expected);
    let wrong = with(good.clone(), json!({ "password": "wrong" }));
    assert!(yard.test(&wrong).await?.refused.is_some_and(|why| why.contains("credentials")));
    let nowhere = with(good.clone(), json!({ "url": camera.url("/nothing") }));
    assert!(yard.test(&nowhere).await?.refused.is_some_and(|why| why.contains("404")));
    let nobody = with(good.clone(), json!({ "url": format!("rtsp://127.0.0.1:{}/", port::free()?) }));
    assert!(yard.test(&nobody).await?.refused.is_some());

    let added: EyeEntry = yard.person().send(Method::POST, &eyes(), &good).await?;
    assert!(added.has_password && added.form.password.is_none() && added.by == "admin");
    let kept = with(good.clone(), json!({ "password": null }));
    assert_eq!(yard.test(&kept).await?, expected, "the present password is used");
    let moved = with(kept.clone(), json!({ "url": "rtsp://127.0.0.2:554/h264" }));
    let test = format!("/vehicles/{}/eye-test", vin(1));
    assert_eq!(yard.person().wrong(Method::POST, &test, moved.clone()).await?, ["password"]);
    let path = format!("{}/yard", eyes());
    assert_eq!(yard.person().wrong(Method::PUT, &path, moved).await?, ["password"]);

    let mut looks = yard.look("yard").await?;
    looks.sees(5).await?;
    let _: EyeEntry = yard.person().send(Method::PUT, &path, &wrong).await?;
    looks.is_told("credentials").await?;
    let _: EyeEntry = yard.person().send(Method::PUT, &path, &good).await?;
    looks.sees(5).await?;
    let off = with(kept, json!({ "enabled": false }));
    let _: EyeEntry = yard.person().send(Method::PUT, &path, &off).await?;
    looks.is_told("switched off").await?;
    assert!(yard.look("yard").await.is_err(), "nobody sees it now");

    let list: EyeList = yard.person().ask(&eyes()).await?;
    assert!(list.eyes[0].has_password && !list.eyes[0].form.enabled);
    let did = yard.rig.store.audit(AuditFilter::default(), None, 50).await?;
    let told = format!("{} {did:?}", serde_json::to_string(&list)?);
    assert!(!told.contains("swordfish") && !told.contains("wrong\""), "{told}");
    yard.rig.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn other_codecs_are_said_in_words_and_a_smaller_stream_is_given_to_who_wants_it() -> Result<()> {
    let yard = Yard::open().await?;
    let camera = Camera::start(&[]).await?;
    let both = with(form("both", &camera.url("/h264-large")), json!({ "sub_url": camera.url("/h264") }));
    let _: EyeEntry = yard.person().send(Method::POST, &eyes(), &both).await?;
    let mut large = yard.look("both").await?;
    let mut small = yard.look("both?size=small").await?;
    large.sees(3).await?;
    small.sees(3).await?;
    assert_eq!((large.width, small.width), (640, 320));

    let found = yard.test(&form("new", &camera.url("/h265"))).await?;
    assert!(found.codec.as_deref() == Some("H.265") && !found.plays, "{found:?}");
    let found = yard.test(&form("fine", &camera.url("/h264-422"))).await?;
    assert!(found.codec.as_deref() == Some("H.264") && !found.plays, "4:2:2: {found:?}");
    yard.add("new", &camera.url("/h265")).await?;
    let mut looks = yard.look("new").await?;
    looks.sees(3).await?;
    assert_eq!(looks.plays, Some(false));
    assert!(looks.codec.starts_with("hvc1") || looks.codec.starts_with("hev1"), "{}", looks.codec);
    yard.add("reordered", &camera.url("/b-frames")).await?;
    yard.look("reordered").await?.is_told("B-frames").await?;

    yard.add("stills", &camera.url("/jpeg")).await?;
    let mut looks = yard.look("stills").await?;
    looks.is_told("Motion JPEG").await?;
    let (_, photo) = yard.keep("stills", "photo").await?;
    assert!(photo.starts_with(b"\xff\xd8\xff") && photo.ends_with(b"\xff\xd9"));
    let clip = format!("/api/frontend/vehicles/{}/cameras/stills/clip", vin(1));
    let refused = yard.rig.post(&clip, &yard.token, &json!({})).await?;
    expect_refusal(refused, StatusCode::UNPROCESSABLE_ENTITY, "no_picture").await?;
    let unseen = format!("/api/frontend/vehicles/{}/cameras/none/clip", vin(1));
    assert_eq!(yard.rig.post(&unseen, &yard.token, &json!({})).await?.status(), StatusCode::NOT_FOUND);
    yard.rig.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_url_leads_into_the_servers_own_network() -> Result<()> {
    let yard = Yard::open_with(|_| {}).await?;
    let (port, turnstile, _inside) = says(b"RTSP/1.0 200 OK\r\n".to_vec()).await?;
    let test = format!("/vehicles/{}/eye-test", vin(1));
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "169.254.169.254"] {
        let url = format!("rtsp://{host}:{port}/");
        for path in [&eyes(), &test] {
            assert_eq!(yard.person().wrong(Method::POST, path, form("yard", &url)).await?, ["url"], "{url}");
        }
        let others = json!({ "sub_url": url, "photo_url": format!("http://{host}:{port}/") });
        let wrong = yard.person().wrong(Method::POST, &eyes(), with(form("yard", "rtsp://8.8.8.8/"), others)).await?;
        assert_eq!(wrong, ["photo_url", "sub_url"], "{host}");
    }
    // One that was allowed before, or came into the database in another way.
    let eye = Eye {
        vin: vin(1),
        camera: "yard".to_owned().try_into()?,
        label: "The yard".into(),
        url: format!("rtsp://localhost:{port}/"),
        sub_url: None,
        photo_url: Some(format!("http://127.0.0.1:{port}/")),
        transport: EyeTransport::Tcp,
        user: None,
        has_secret: false,
        enabled: true,
        by: "ada".into(),
        created: now(),
        updated: now(),
    };
    yard.rig.store.add_eye(&eye, None).await?;
    yard.look("yard").await?.is_told("own network").await?;
    let photo = format!("/api/frontend/vehicles/{}/cameras/yard/photo", vin(1));
    let refused = yard.rig.post(&photo, &yard.token, &json!({})).await?;
    expect_refusal(refused, StatusCode::UNPROCESSABLE_ENTITY, "no_picture").await?;
    assert_eq!(turnstile.all(), 0, "nobody was spoken to");
    yard.rig.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_camera_is_given_up_in_time_and_led_nowhere() -> Result<()> {
    let yard = Yard::open().await?;
    let (elsewhere, never, _task) = says(Vec::new()).await?;
    let redirect = format!("RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.1:{elsewhere}/\r\n\r\n");
    let endless = b"a=x:0123456789012345678901234567890123456789\r\n".to_vec();
    let description = [b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4000000000\r\n\r\n".to_vec(), endless].concat();
    for text in
        [b"\x00\x01garbage \xff\xfe".to_vec(), b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), redirect.into(), description]
    {
        let what = String::from_utf8_lossy(&text).into_owned();
        let (port, turnstile, task) = says(text).await?;
        let report = yard.test(&form("none", &format!("rtsp://127.0.0.1:{port}/"))).await?;
        let why = report.refused.with_context(|| format!("{what} is no camera"))?;
        assert!(report.codec.is_none() && why.contains("DESCRIBE") && !why.contains('\n'), "{what}: {why}");
        assert_eq!(turnstile.all(), 1, "{what}");
        task.abort();
    }
    assert_eq!(never.all(), 0, "no redirection is followed");
    // And who looks is told.
    let (port, _turnstile, _task) = says(b"garbage\r\n\r\n".to_vec()).await?;
    yard.add("none", &format!("rtsp://127.0.0.1:{port}/")).await?;
    yard.look("none").await?.is_told("DESCRIBE").await?;
    yard.rig.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_look_looks_and_learns_of_nothing_else() -> Result<()> {
    let yard = Yard::open().await?;
    let camera = Camera::start(&[]).await?;
    yard.add("yard", &camera.url("/h264")).await?;
    let path = |vin: Vin, camera: &str| format!("/video/{vin}/{camera}");
    let refused = async |token: &str, path: &str| {
        let bearer = format!("Bearer {token}");
        let answer = refusal(open_at(&yard.rig, path, &[("authorization", &bearer)]).await)?;
        anyhow::Ok(answer.status().as_u16())
    };
    let (operator, foreign) = (yard.rig.user("op", Role::Operator).await?, yard.rig.client_with(&[vin(2)]).await?);
    // Its contract has no video.
    let blind = yard.rig.client_with(&[vin(1)]).await?;
    for (token, path) in [
        (&yard.token, path(vin(1), "forged")),
        (&yard.token, path(vin(1), "..%2F..%2Fyard")),
        (&yard.token, path(vin(3), "yard")),
        (&foreign, path(vin(1), "yard")),
        (&blind, path(vin(1), "yard")),
    ] {
        assert_eq!(refused(token, &path).await?, 404, "{path}");
        let hls = path.replacen("/video", "/hls", 1) + "/index.m3u8";
        assert_eq!(yard.rig.get(&hls, token).await?.status(), StatusCode::NOT_FOUND, "{hls}");
    }
    assert_eq!(refused("nobody's", &path(vin(1), "yard")).await?, 401);
    for token in [&operator, &foreign, &blind] {
        for (method, path) in
            [(Method::GET, eyes()), (Method::POST, eyes()), (Method::DELETE, format!("{}/yard", eyes()))]
        {
            let person = Person { rig: &yard.rig, token: token.clone() };
            let (status, _) = person.status(method, &path, Some(&form("x", "rtsp://8.8.8.8/"))).await?;
            assert_eq!(status, StatusCode::FORBIDDEN);
        }
    }
    let ticket: Ticket = yard.person().send(Method::POST, "/tickets", &json!({ "for": "video" })).await?;
    let shown = format!("{}?ticket={}", path(vin(1), "yard"), ticket.ticket);
    let mut looks = Onlooker::open_with(open_at(&yard.rig, &shown, &[]).await?);
    looks.sees(3).await?;
    let again = refusal(open_at(&yard.rig, &shown, &[]).await)?;
    assert_eq!(again.status().as_u16(), 401, "a ticket is good once");
    let mut other = Onlooker::open(&yard.rig, &operator, &path(vin(1), "yard")).await?;
    other.sees(3).await?;
    yard.rig.stop().await
}

#[tokio::test]
async fn there_are_so_many_and_each_fault_stands_beside_its_field() -> Result<()> {
    let yard = Yard::open().await?;
    has_camera(&yard.rig, vin(1)).await?;
    let person = yard.person();
    let url = "rtsp://8.8.8.8/s";
    for (field, body) in [
        ("camera", form("Not So", url)),
        ("camera", form("front", url)),
        ("label", with(form("a", url), json!({ "label": " " }))),
        ("url", form("a", "http://8.8.8.8/")),
        ("url", form("a", "rtsp://user:word@8.8.8.8/")),
        ("url", form("a", &format!("rtsp://8.8.8.8/{}", "x".repeat(600)))),
        ("sub_url", with(form("a", url), json!({ "sub_url": "nothing" }))),
        ("photo_url", with(form("a", url), json!({ "photo_url": "https://8.8.8.8/" }))),
        ("user", with(form("a", url), json!({ "password": "x" }))),
        ("password", with(form("a", url), json!({ "user": "u", "password": "x".repeat(300) }))),
        ("transport", with(form("a", url), json!({ "transport": "udp" }))),
    ] {
        assert_eq!(person.wrong(Method::POST, &eyes(), body.clone()).await?, [field], "{body}");
    }
    let at_home = with(form("home", "rtsp://127.0.0.1/"), json!({ "transport": "udp" }));
    let _: EyeEntry = person.send(Method::POST, &eyes(), &at_home).await?;
    for n in 1..8 {
        yard.add(&format!("eye-{n}"), url).await?;
    }
    let (status, problem) = person.status(Method::POST, &eyes(), Some(&form("eye-9", url))).await?;
    assert_eq!((status, &problem["error"]), (StatusCode::CONFLICT, &json!("too_many_eyes")));
    let (gone, _) = person.status(Method::DELETE, &format!("{}/eye-7", eyes()), None).await?;
    assert_eq!(gone, StatusCode::NO_CONTENT);
    assert_eq!(person.wrong(Method::POST, &eyes(), form("eye-1", url)).await?, ["camera"], "there is one");
    assert_eq!(person.wrong(Method::PUT, &format!("{}/eye-1", eyes()), form("eye-2", url)).await?, ["camera"]);
    let (unknown, _) = person.status(Method::PUT, &format!("{}/eye-7", eyes()), Some(&form("eye-7", url))).await?;
    assert_eq!(unknown, StatusCode::NOT_FOUND);
    // What the vehicle has itself is its own to save.
    let clip = format!("/api/frontend/vehicles/{}/cameras/front/clip", vin(1));
    let refused = yard.rig.post(&clip, &yard.token, &json!({})).await?;
    expect_refusal(refused, StatusCode::CONFLICT, "not_reached_here").await?;
    let unseen = format!("/api/frontend/vehicles/{}/cameras/eye-1/clip", vin(1));
    let refused = yard.rig.post(&unseen, &yard.token, &json!({})).await?;
    expect_refusal(refused, StatusCode::CONFLICT, "nothing_held").await?;
    yard.rig.stop().await
}
