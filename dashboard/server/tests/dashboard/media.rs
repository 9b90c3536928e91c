//! Photos and clips from vehicles: signing in, uploading in pieces, and looking at them.

use std::{sync::Arc, time::SystemTime};

use anyhow::{Context, Result, ensure};
use bugbrother_dashboard::{Config, Enrolment, library::Library};
use bugbrother_kit::{port, wait};
use bugbrother_pki::{Authority, Code, new_key_and_request};
use bugbrother_store::{Arrival, AuditFilter};
use bugbrother_wire::{
    AlertId, MediaId, Message, Seq, Topic, Vin,
    api::{AlertFilmList, CameraList, FilmState, MediaList, System},
    embedded::{Challenge, Enrolled, MAX_PIECE_BYTES, MediaProgress, SIGN_IN_DOMAIN, VehicleSession},
    message::{Alert, AlertState, Birth, CameraDeclaration, Media, MediaKind, MediaState, Severity, VinSource},
    topic::Kind,
};
use openssl::sign;
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uuid::Uuid;

use crate::rig::{LIMIT, Rig, expect_refusal, now, vin};

pub struct Garage {
    pub rig: Rig,
    dir: TempDir,
}

/// A vehicle that has enrolled.
pub struct Car {
    pub vin: Vin,
    certificate: String,
    key: String,
    pub token: String,
}

impl Garage {
    pub async fn open() -> Result<Self> {
        Self::open_with(|_| {}).await
    }

    pub async fn open_with(change: impl FnOnce(&mut Config)) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let authority = Arc::new(Authority::open_or_create(&dir.path().join("ca"), SystemTime::now())?);
        let library = Library::open(&dir.path().join("media"))?;
        let rig = Rig::start_with(port::free()?, |config| {
            config.enrolment = Some(Enrolment { authority, broker: None });
            config.library = Some(library);
            change(config);
        })
        .await?;
        Ok(Garage { rig, dir })
    }

    pub async fn car(&self, vin: Vin) -> Result<Car> {
        let (code, given) = (Code::new(), now());
        self.rig.store.add_enrolment(vin, &code.sha256(), given, given + 60_000).await?;
        let (key, csr) = new_key_and_request("x")?;
        let body = json!({ "code": code.to_string(), "csr": csr });
        let enrolled: Enrolled = self.post("enroll", None, &body).await?.error_for_status()?.json().await?;
        let mut car = Car { vin, certificate: enrolled.certificate, key, token: String::new() };
        let session: VehicleSession = self.sign_in(&car).await?.error_for_status()?.json().await?;
        car.token = session.token;
        Ok(car)
    }

    async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Response> {
        let request = self.rig.request(Method::POST, &format!("/api/embedded/{path}")).json(body);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        Ok(request.send().await?)
    }

    async fn challenge(&self) -> Result<String> {
        let answer = self.rig.request(Method::GET, "/api/embedded/challenge").send().await?;
        Ok(answer.error_for_status()?.json::<Challenge>().await?.challenge)
    }

    async fn sign_in(&self, car: &Car) -> Result<Response> {
        let challenge = self.challenge().await?;
        let body = signed(car, &challenge)?;
        self.post("session", None, &body).await
    }

    async fn offer(&self, car: &Car, id: MediaId, file: &[u8], kind: &str) -> Result<Response> {
        let body =
            json!({ "camera": "dash-1", "kind": kind, "bytes": file.len(), "sha256": hash(file), "cause": "me" });
        self.post(&format!("media/{id}"), Some(&car.token), &body).await
    }

    async fn send(&self, car: &Car, id: MediaId, offset: usize, piece: &[u8]) -> Result<Response> {
        let path = format!("/api/embedded/media/{id}?offset={offset}");
        Ok(self.rig.request(Method::PATCH, &path).bearer_auth(&car.token).body(piece.to_vec()).send().await?)
    }

    async fn upload(&self, car: &Car, id: MediaId, file: &[u8], kind: &str) -> Result<()> {
        self.offer(car, id, file, kind).await?.error_for_status()?;
        let mut offset = 0;
        while offset < file.len() {
            let end = (offset + 100_000).min(file.len());
            let answer = self.send(car, id, offset, &file[offset..end]).await?.error_for_status()?;
            let progress: MediaProgress = answer.json().await?;
            ensure!(progress == MediaProgress { offset: end as u64, stored: end == file.len() }, "{progress:?}");
            offset = end;
        }
        Ok(())
    }

    /// What the vehicle says of its cameras over MQTT, as ingest stores it.
    async fn has_cameras(&self, car: &Car, cameras: &[&str]) -> Result<()> {
        let declare = |id: &&str| CameraDeclaration {
            id: (*id).to_owned().try_into().expect("it is a name"),
            label: (*id).to_owned(),
        };
        let birth = Birth {
            v: 1,
            vin: car.vin,
            vin_source: VinSource::Configured,
            epoch: bugbrother_wire::Epoch(7),
            agent: "1".to_owned(),
            started: now(),
            signals: Vec::new(),
            cameras: cameras.iter().map(declare).collect(),
            car: None,
        };
        let topic = Topic::new(car.vin, Kind::Birth).to_string();
        let content = Ok(Message::Birth(birth));
        self.rig.store.commit(&[Arrival { received_ts: now(), topic, payload: Default::default(), content }]).await?;
        Ok(())
    }

    /// What the vehicle says of a clip over MQTT, as ingest stores it.
    async fn say(&self, car: &Car, id: MediaId, state: MediaState, seq: u64) -> Result<()> {
        self.say_of(car, id, MediaKind::Clip, state, seq).await
    }

    async fn say_of(&self, car: &Car, id: MediaId, kind: MediaKind, state: MediaState, seq: u64) -> Result<()> {
        let media = Media {
            v: 1,
            vin: car.vin,
            epoch: bugbrother_wire::Epoch(7),
            seq: Seq(seq),
            id,
            camera: "dash-1".to_owned().try_into()?,
            kind,
            state,
            at: now(),
            from: now() - 1000,
            to: now(),
            cause: Some("me".to_owned()),
            bytes: None,
            sha256: None,
            codec: None,
            reason: None,
        };
        let topic = Topic::new(car.vin, Kind::Media).to_string();
        let content = Ok(Message::Media(media));
        self.rig.store.commit(&[Arrival { received_ts: now(), topic, payload: Default::default(), content }]).await?;
        Ok(())
    }

    async fn listed(&self, token: &str, car: &Car) -> Result<Vec<(MediaId, MediaState)>> {
        let list: MediaList = self
            .rig
            .get(&format!("/api/frontend/vehicles/{}/media", car.vin), token)
            .await?
            .error_for_status()?
            .json()
            .await?;
        Ok(list.media.into_iter().map(|media| (media.id, media.state)).collect())
    }

    fn files(&self, folder: &str) -> usize {
        let count = |path: &std::path::Path| std::fs::read_dir(path).map_or(0, Iterator::count);
        let path = self.dir.path().join("media").join(folder);
        if folder == "objects" {
            let vehicles = std::fs::read_dir(path).into_iter().flatten().flatten();
            return vehicles.map(|vehicle| count(&vehicle.path())).sum();
        }
        count(&path)
    }
}

fn signed(car: &Car, challenge: &str) -> Result<Value> {
    let signature = sign(&car.key, &[SIGN_IN_DOMAIN, challenge.as_bytes()].concat())?;
    Ok(json!({ "certificate": car.certificate, "challenge": challenge, "signature": signature }))
}

mod openssl {
    use std::{fs, process::Command};

    use anyhow::{Result, ensure};
    use base64::{Engine, prelude::BASE64_STANDARD};

    /// By OpenSSL, which knows nothing of us.
    pub fn sign(key: &str, message: &[u8]) -> Result<String> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("key"), key)?;
        fs::write(dir.path().join("message"), message)?;
        let mut command = Command::new("openssl");
        command.args(["dgst", "-sha256", "-sign", "key", "message"]).current_dir(dir.path());
        let output = command.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(BASE64_STANDARD.encode(output.stdout))
    }
}

fn id(n: u128) -> MediaId {
    MediaId(Uuid::from_u128(n))
}

fn hash(file: &[u8]) -> String {
    Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opened now, and its cause is not gone.
fn alert(car: &Car, n: u128) -> Alert {
    Alert {
        v: 1,
        vin: car.vin,
        id: AlertId(Uuid::from_u128(n)),
        rule: "fast".to_owned(),
        title: "Faster than 130 km/h".to_owned(),
        severity: Severity::Warning,
        state: AlertState::Open,
        opened: now(),
        updated: now(),
        resolved: None,
        count: 1,
        value: None,
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
    }
}

/// As far as anybody looks at it.
fn clip(bytes: usize) -> Vec<u8> {
    let mut file = b"\0\0\0\x18ftypisom".to_vec();
    file.extend((file.len()..bytes).map(|n| (n * 31 % 251) as u8));
    file
}

#[tokio::test]
async fn a_vehicle_signs_in_with_its_key_and_nobody_else_does() -> Result<()> {
    let garage = Garage::open().await?;
    let car = garage.car(vin(1)).await?;
    let other = garage.car(vin(2)).await?;
    let challenge = garage.challenge().await?;
    let body = signed(&car, &challenge)?;
    garage.post("session", None, &body).await?.error_for_status()?;
    let again = garage.post("session", None, &body).await?;
    expect_refusal(again, StatusCode::FORBIDDEN, "wrong_challenge").await?;

    let challenge = garage.challenge().await?;
    let mut stolen = signed(&other, &challenge)?;
    stolen["certificate"] = car.certificate.clone().into();
    expect_refusal(garage.post("session", None, &stolen).await?, StatusCode::FORBIDDEN, "wrong_signature").await?;
    let mut foreign = signed(&car, &garage.challenge().await?)?;
    foreign["challenge"] = "a.b.c".into();
    expect_refusal(garage.post("session", None, &foreign).await?, StatusCode::FORBIDDEN, "wrong_challenge").await?;

    let admin = garage.rig.token().await?;
    for token in [None, Some("rubbish"), Some(&*admin)] {
        let body = json!({ "camera": "a", "kind": "clip", "bytes": 1, "sha256": hash(b"x") });
        let refused = garage.post(&format!("media/{}", id(1)), token, &body).await?;
        expect_refusal(refused, StatusCode::UNAUTHORIZED, "not_signed_in").await?;
    }
    // And a vehicle's pass opens nothing that is for people.
    let people = garage.rig.get("/api/frontend/vehicles", &car.token).await?;
    assert_eq!(people.status(), StatusCode::UNAUTHORIZED);

    garage.rig.store.revoke(vin(1), now()).await?;
    let refused = garage.offer(&car, id(1), &clip(100), "clip").await?;
    expect_refusal(refused, StatusCode::UNAUTHORIZED, "not_signed_in").await?;
    expect_refusal(garage.sign_in(&car).await?, StatusCode::FORBIDDEN, "certificate_revoked").await?;
    garage.offer(&other, id(1), &clip(100), "clip").await?.error_for_status()?;
    garage.rig.stop().await
}

#[tokio::test]
async fn a_clip_comes_in_pieces_and_is_there_only_when_it_is_whole_and_right() -> Result<()> {
    let garage = Garage::open().await?;
    let car = garage.car(vin(1)).await?;
    let admin = garage.rig.token().await?;
    let file = clip(250_000);
    garage.say(&car, id(1), MediaState::Uploaded, 1).await?;
    assert_eq!(garage.listed(&admin, &car).await?, [(id(1), MediaState::Ready)], "a vehicle's word is not enough");
    let path = format!("/api/frontend/vehicles/{}/media/{}/file", car.vin, id(1));
    assert_eq!(garage.rig.get(&path, &admin).await?.status(), StatusCode::NOT_FOUND);

    let begun: MediaProgress = garage.offer(&car, id(1), &file, "clip").await?.error_for_status()?.json().await?;
    assert_eq!(begun, MediaProgress { offset: 0, stored: false });
    garage.send(&car, id(1), 0, &file[..100_000]).await?.error_for_status()?;
    for wrong in [0, 99_999, 100_001] {
        let conflict = garage.send(&car, id(1), wrong, &file[100_000..100_010]).await?;
        let problem = expect_refusal(conflict, StatusCode::CONFLICT, "elsewhere").await?;
        assert_eq!(problem.fields["offset"], "100000");
    }
    let asked = garage.rig.get(&format!("/api/embedded/media/{}", id(1)), &car.token).await?;
    assert_eq!(asked.json::<MediaProgress>().await?.offset, 100_000);
    let again: MediaProgress = garage.offer(&car, id(1), &file, "clip").await?.json().await?;
    assert_eq!(again.offset, 100_000, "it goes on where it was");
    assert_eq!(garage.rig.get(&path, &admin).await?.status(), StatusCode::NOT_FOUND);
    let too_much = garage.send(&car, id(1), 100_000, &vec![0; MAX_PIECE_BYTES + 1]).await?;
    expect_refusal(too_much, StatusCode::PAYLOAD_TOO_LARGE, "piece_size").await?;
    garage.send(&car, id(1), 100_000, &file[100_000..]).await?.error_for_status()?;

    assert_eq!(garage.listed(&admin, &car).await?, [(id(1), MediaState::Uploaded)]);
    assert_eq!((garage.files("incoming"), garage.files("objects")), (0, 1));
    let fetched = garage.rig.get(&path, &admin).await?.error_for_status()?;
    assert_eq!(fetched.headers()[header::CONTENT_TYPE], "video/mp4");
    assert_eq!(fetched.bytes().await?, file);
    let part =
        garage.rig.request(Method::GET, &path).bearer_auth(&admin).header("range", "bytes=249990-").send().await?;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 249990-249999/250000");
    assert_eq!(part.bytes().await?, &file[249_990..]);
    let beyond =
        garage.rig.request(Method::GET, &path).bearer_auth(&admin).header("range", "bytes=250000-").send().await?;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    // Who looked is noted, and a player's later parts are not.
    let viewed = garage.rig.store.audit(AuditFilter::default(), None, 50).await?;
    let viewed: Vec<_> = viewed.iter().filter(|entry| entry.what == "media_viewed").collect();
    assert_eq!(viewed.len(), 1);
    assert_eq!(viewed[0].detail["media"], json!(id(1)));

    let done: MediaProgress = garage.offer(&car, id(1), &file, "clip").await?.json().await?;
    assert_eq!(done, MediaProgress { offset: 250_000, stored: true });
    let late: MediaProgress = garage.send(&car, id(1), 0, &file[..10]).await?.error_for_status()?.json().await?;
    assert!(late.stored, "nothing changes a file that is there");
    garage.rig.stop().await
}

#[tokio::test]
async fn what_is_wrong_is_not_kept_and_begins_anew() -> Result<()> {
    let garage = Garage::open().await?;
    let (car, other) = (garage.car(vin(1)).await?, garage.car(vin(2)).await?);
    let file = clip(50_000);
    garage.offer(&car, id(1), &file, "clip").await?.error_for_status()?;
    let mut damaged = file.clone();
    damaged[40_000] ^= 1;
    expect_refusal(garage.send(&car, id(1), 0, &damaged).await?, StatusCode::UNPROCESSABLE_ENTITY, "wrong_hash")
        .await?;
    assert_eq!((garage.files("incoming"), garage.files("objects")), (0, 0));
    garage.upload(&car, id(1), &file, "clip").await?;

    let program = b"\x7fELF and so on, which is no picture".to_vec();
    for kind in ["clip", "photo"] {
        garage.offer(&car, id(2), &program, kind).await?;
        let refused = garage.send(&car, id(2), 0, &program).await?;
        expect_refusal(refused, StatusCode::UNPROCESSABLE_ENTITY, "wrong_kind").await?;
    }
    // Each vehicle has identities of its own.
    let foreign = garage.send(&other, id(1), 0, &file).await?;
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    garage.upload(&other, id(1), b"\xff\xd8\xff another's picture", "photo").await?;
    let seen = garage.rig.client_of(&[vin(2)], true).await?;
    let path = |vin: Vin| format!("/api/frontend/vehicles/{vin}/media/{}/file?download=1", id(1));
    let picture = garage.rig.get(&path(vin(2)), &seen).await?.error_for_status()?;
    let name = picture.headers()[header::CONTENT_DISPOSITION].to_str()?.to_owned();
    assert!(name.starts_with("attachment") && name.contains("dash-1"), "{name}");
    assert_eq!(garage.rig.get(&path(vin(1)), &seen).await?.status(), StatusCode::NOT_FOUND, "a client's are its own");
    let blind = garage.rig.client_with(&[vin(2)]).await?;
    assert_eq!(garage.rig.get(&path(vin(2)), &blind).await?.status(), StatusCode::NOT_FOUND, "its contract says no");

    for (field, body) in [
        ("sha256", json!({ "camera": "a", "kind": "clip", "bytes": 5, "sha256": "AB" })),
        ("bytes", json!({ "camera": "a", "kind": "clip", "bytes": 0, "sha256": hash(b"x") })),
        ("to", json!({ "camera": "a", "kind": "clip", "bytes": 5, "sha256": hash(b"x"), "from": 2, "to": 1 })),
    ] {
        let refused = garage.post(&format!("media/{}", id(9)), Some(&car.token), &body).await?;
        let problem = expect_refusal(refused, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
        ensure!(problem.fields.contains_key(field), "{problem:?}");
    }
    let large = json!({ "camera": "a", "kind": "clip", "bytes": 1_u64 << 40, "sha256": hash(b"x") });
    let refused = garage.post(&format!("media/{}", id(9)), Some(&car.token), &large).await?;
    expect_refusal(refused, StatusCode::PAYLOAD_TOO_LARGE, "media_size").await?;
    garage.rig.stop().await
}

#[tokio::test]
async fn there_is_room_for_so_much_the_oldest_go_for_more_and_never_what_an_open_alert_is_about() -> Result<()> {
    let garage = Garage::open_with(|config| config.limits.media_bytes = 120_000).await?;
    let car = garage.car(vin(1)).await?;
    garage.rig.store.save_alert(&alert(&car, 1)).await?;
    garage.upload(&car, id(1), &clip(100_000), "clip").await?;
    let full = garage.offer(&car, id(2), &clip(50_000), "clip").await?;
    expect_refusal(full, StatusCode::INSUFFICIENT_STORAGE, "media_full").await?;
    let larger = garage.offer(&car, id(2), &clip(120_001), "clip").await?;
    expect_refusal(larger, StatusCode::INSUFFICIENT_STORAGE, "media_full").await?;
    garage.rig.stop().await?;

    // And where it is about nothing.
    let garage = Garage::open_with(|config| config.limits.media_bytes = 120_000).await?;
    let car = garage.car(vin(1)).await?;
    let admin = garage.rig.token().await?;
    garage.upload(&car, id(1), &clip(100_000), "clip").await?;
    garage.say(&car, id(1), MediaState::Ready, 1).await?;
    garage.upload(&car, id(2), &clip(50_000), "clip").await?;
    assert_eq!(garage.listed(&admin, &car).await?, [(id(1), MediaState::Expired)]);
    assert_eq!(garage.files("objects"), 1);
    let system: System = garage.rig.get("/api/frontend/system", &admin).await?.error_for_status()?.json().await?;
    let media = system.media.context("it keeps some")?;
    assert_eq!((media.bytes, media.most_bytes), (50_000, 120_000));
    assert_eq!(media.evicted.map(|gone| (gone.files, gone.bytes)), Some((1, 100_000)));
    let noted = garage.rig.store.audit(AuditFilter::default(), None, 50).await?;
    assert!(noted.iter().any(|entry| entry.what == "media_evicted" && entry.who == "server:library"), "{noted:?}");
    for n in 10..42 {
        garage.offer(&car, id(n), &clip(100 + n as usize), "clip").await?.error_for_status().context("one of 32")?;
    }
    let many = garage.offer(&car, id(50), &clip(100), "clip").await?;
    expect_refusal(many, StatusCode::TOO_MANY_REQUESTS, "too_many_uploads").await?;
    garage.rig.stop().await
}

/// A grey JPEG by FFmpeg, which knows nothing of us.
fn photo(dir: &std::path::Path) -> Result<Vec<u8>> {
    let path = dir.join("photo.jpg");
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=1280x720", "-frames:v", "1"]).arg(&path);
    ensure!(command.status()?.success(), "ffmpeg draws a picture");
    Ok(std::fs::read(path)?)
}

#[tokio::test]
async fn a_photo_has_a_small_picture_which_is_shown_for_the_film_that_was_taken_with_it() -> Result<()> {
    let garage = Garage::open().await?;
    let car = garage.car(vin(1)).await?;
    let admin = garage.rig.token().await?;
    garage.upload(&car, id(1), &photo(garage.dir.path())?, "photo").await?;
    // Of both the vehicle says that the same event was the cause; the offer of the photo says so, too.
    garage.say_of(&car, id(1), MediaKind::Photo, MediaState::Uploaded, 1).await?;
    garage.say_of(&car, id(2), MediaKind::Clip, MediaState::Recording, 2).await?;
    let list = wait::until("the small picture is made", LIMIT, || async {
        let path = format!("/api/frontend/vehicles/{}/media", car.vin);
        let list: MediaList = garage.rig.get(&path, &admin).await.ok()?.json().await.ok()?;
        (list.thumbnails.len() == 2).then_some(list)
    })
    .await?;
    assert_eq!(list.thumbnails, [(id(1), id(1)), (id(2), id(1))].into());
    let path = |n: u128| format!("/api/frontend/vehicles/{}/media/{}/thumbnail", car.vin, id(n));
    let small = garage.rig.get(&path(1), &admin).await?.error_for_status()?;
    assert_eq!(small.headers()[header::CONTENT_TYPE], "image/jpeg");
    let small = small.bytes().await?;
    assert!(small.starts_with(b"\xff\xd8\xff") && small.len() < 40_000, "{}", small.len());
    assert_eq!(garage.files("objects"), 2);
    // It stands for the camera, too, while nobody looks at that.
    garage.has_cameras(&car, &["dash-1", "rear"]).await?;
    let cameras = format!("/api/frontend/vehicles/{}/cameras", car.vin);
    let list: CameraList = garage.rig.get(&cameras, &admin).await?.error_for_status()?.json().await?;
    let stills: Vec<_> = list.cameras.iter().map(|camera| camera.still.map(|still| still.id)).collect();
    assert_eq!(stills, [Some(id(1)), None], "{list:?}");
    assert_eq!(garage.rig.get(&path(2), &admin).await?.status(), StatusCode::NOT_FOUND);
    for (token, status) in [
        (garage.rig.client_of(&[vin(1)], true).await?, StatusCode::OK),
        (garage.rig.client_of(&[vin(1)], false).await?, StatusCode::NOT_FOUND),
        (garage.rig.client_of(&[vin(2)], true).await?, StatusCode::NOT_FOUND),
    ] {
        assert_eq!(garage.rig.get(&path(1), &token).await?.status(), status);
    }
    // Whether a list was looked at is not noted, and whether a photo was is.
    let viewed = garage.rig.store.audit(AuditFilter::default(), None, 50).await?;
    assert!(viewed.iter().all(|entry| entry.what != "media_viewed"));
    garage.rig.stop().await
}

#[tokio::test]
async fn an_alert_has_what_its_vehicles_cameras_saw_and_says_how_far_that_is() -> Result<()> {
    let garage = Garage::open().await?;
    let car = garage.car(vin(1)).await?;
    let admin = garage.rig.token().await?;
    garage.has_cameras(&car, &["dash-1", "rear"]).await?;
    let alert = alert(&car, 5);
    garage.rig.store.save_alert(&alert).await?;
    let path = format!("/api/frontend/alerts/{}/films", alert.id);
    let films = async |token: &str| -> Result<Vec<(String, FilmState)>> {
        let list: AlertFilmList = garage.rig.get(&path, token).await?.error_for_status()?.json().await?;
        Ok(list.films.into_iter().map(|film| (film.camera.to_string(), film.state)).collect())
    };
    assert_eq!(films(&admin).await?, []);
    let film = |camera: &str, state| (camera.to_owned(), state);
    garage.say_of(&car, id(1), MediaKind::Clip, MediaState::Recording, 1).await?;
    assert_eq!(films(&admin).await?, [film("dash-1", FilmState::Recording)]);
    garage.say_of(&car, id(1), MediaKind::Clip, MediaState::Ready, 2).await?;
    assert_eq!(films(&admin).await?, [film("dash-1", FilmState::OnItsWay)]);
    garage.upload(&car, id(1), &clip(1000), "clip").await?;
    assert_eq!(films(&admin).await?, [film("dash-1", FilmState::Ready)]);
    assert!(garage.rig.store.let_media_go(car.vin, id(1), now()).await?);
    assert_eq!(films(&admin).await?, [film("dash-1", FilmState::Evicted)]);
    let file = format!("/api/frontend/vehicles/{}/media/{}/file", car.vin, id(1));
    assert_eq!(garage.rig.get(&file, &admin).await?.status(), StatusCode::NOT_FOUND);

    assert_eq!(films(&garage.rig.client_of(&[vin(1)], true).await?).await?.len(), 1);
    assert_eq!(films(&garage.rig.client_with(&[vin(1)]).await?).await?, []);
    let strange = garage.rig.client_of(&[vin(2)], true).await?;
    assert_eq!(garage.rig.get(&path, &strange).await?.status(), StatusCode::NOT_FOUND);
    garage.rig.stop().await
}
