//! A clip from the command to the person who looks at it: real camera, real agent, real server, killed on the way.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    camera::Camera,
    film, port,
    process::{Process, program},
    system::System,
    trickle::Trickle,
    wait,
};
use bugbrother_tests::{node, viewer::Viewer};
use bugbrother_wire::{
    CommandId, MediaId,
    api::{CommandEntry, CommandProgress, MediaList},
    message::{Argument, MediaState},
};
use reqwest::Client;
use serde_json::json;
use tokio::net::TcpListener;

const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(90);

/// Enrols a vehicle and writes the settings of its agent, which has a camera with that stream.
fn enrol(system: &System, camera: &Camera, receiver: &TcpListener, stream: &str) -> Result<String> {
    let said = system.manage(&["vehicle", "add", VIN, "--name", "Van"])?;
    let is_code = |word: &&str| word.len() > 20 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let code = said.split_whitespace().find(is_code).context("a code is printed")?;
    let dir = system.dir().join("identity");
    let server = format!("http://127.0.0.1:{}", system.http());
    let enrolled = std::process::Command::new(program("bugbrother-agent")?)
        .args(["enroll", &server, code, "--dir"])
        .arg(&dir)
        .output()?;
    ensure!(enrolled.status.success(), String::from_utf8_lossy(&enrolled.stderr).into_owned());
    let mut settings = String::new();
    write!(
        settings,
        "identity = '{}'\nbroker = 'mqtts://127.0.0.1:{}'\ngps = 'tcp:{}'\nobd = 'none'\n\
         [[camera]]\nid = 'dash-1'\nurl = '{}'\n[media]\nupload_bytes_s = 48000\n",
        dir.display(),
        system.vehicles(),
        receiver.local_addr()?,
        camera.url(stream),
    )?;
    let path = system.dir().join("agent.toml");
    fs::write(&path, settings)?;
    Ok(path.display().to_string())
}

fn start(system: &System, settings: &str) -> Result<Process> {
    let program = program("bugbrother-agent")?;
    Process::start(system.dir(), "agent", &program, &["--config", settings], &[("NO_COLOR", "1")])
}

/// Gives a command and waits for its end.
async fn order(system: &System, viewer: &Viewer, name: &str, arguments: serde_json::Value) -> Result<CommandEntry> {
    let id = CommandId(uuid::Uuid::new_v4());
    let url = format!("http://127.0.0.1:{}/api/frontend/vehicles/{VIN}/commands", system.http());
    let body = json!({ "id": id, "name": name, "arguments": arguments });
    Client::new().post(url).bearer_auth(viewer.token()).json(&body).send().await?.error_for_status()?;
    let path = format!("/api/frontend/vehicles/{VIN}/commands/{id}");
    wait::until("the command ends", LIMIT, || async {
        let entry: CommandEntry = viewer.get(&path).send().await.ok()?.json().await.ok()?;
        entry.state.is_end().then_some(entry)
    })
    .await
}

async fn listed(viewer: &Viewer, id: MediaId, state: MediaState) -> Result<()> {
    wait::until(&format!("the clip is {state:?}"), LIMIT, || async {
        let path = format!("/api/frontend/vehicles/{VIN}/media");
        let list: MediaList = viewer.get(&path).send().await.ok()?.json().await.ok()?;
        list.media.iter().any(|media| media.id == id && media.state == state).then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_survives_the_agents_and_the_servers_death_and_is_looked_at() -> Result<()> {
    let camera = Camera::start(&[]).await?;
    let receiver = TcpListener::bind(port::local(0)).await?;
    let mut system = System::new()?;
    system.start_all().await?;
    let settings = enrol(&system, &camera, &receiver, "/h264-large")?;
    let mut agent = start(&system, &settings)?;
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let plays = || std::future::ready(agent.logged().contains("camera plays").then_some(()));
    wait::until("the camera plays", LIMIT, plays).await?;

    let refused = order(&system, &viewer, "clip", json!({ "camera": "rear" })).await?;
    ensure!(refused.state == CommandProgress::Failed, "{refused:?}");
    let begun = order(&system, &viewer, "clip", json!({ "before_s": 2, "after_s": 40 })).await?;
    ensure!(begun.state == CommandProgress::Done, "{begun:?}");
    let Some(Argument::Text(id)) = begun.result.get("media") else { anyhow::bail!("{begun:?}") };
    let id: MediaId = id.parse()?;
    listed(&viewer, id, MediaState::Recording).await?;
    let began = Instant::now();
    let some = || std::future::ready((began.elapsed() > Duration::from_secs(5)).then_some(()));
    wait::until("some seconds are recorded", LIMIT, some).await?;
    agent.kill()?;
    agent = start(&system, &settings)?;
    listed(&viewer, id, MediaState::Ready).await?;

    // The upload has begun, and the server dies in the middle of it.
    let incoming = system.data().join("media/incoming").join(format!("{VIN}_{id}"));
    let arrived = || std::future::ready(fs::metadata(&incoming).ok().filter(|file| file.len() > 30_000).map(|_| ()));
    wait::until("a part of it has arrived", LIMIT, arrived).await?;
    system.kill("up")?;
    system.start_all().await?;
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    listed(&viewer, id, MediaState::Uploaded).await?;
    let fetched = viewer.get(&format!("/api/frontend/vehicles/{VIN}/media/{id}/file")).send().await?;
    let clip = fetched.error_for_status()?.bytes().await?;
    let path = system.dir().join("clip.mp4");
    fs::write(&path, &clip)?;
    film::decode(&path)?;
    ensure!(film::is_fast_to_start(&clip) && film::picture_times(&path)?.len() > 100);
    ensure!(!incoming.exists());
    agent.check_running()?;
    ensure!(!agent.logged().contains("Bearer") && !agent.logged().contains("BEGIN"), "no secret in a log");
    system.check_running()?;
    system.check_logs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_a_camera_at_once_and_again_when_it_comes_back() -> Result<()> {
    let camera = Camera::start(&[]).await?;
    let receiver = TcpListener::bind(port::local(0)).await?;
    let mut system = System::new()?;
    system.start_all().await?;
    let settings = enrol(&system, &camera, &receiver, "/h264-large")?;
    let mut agent = start(&system, &settings)?;
    let plays = || std::future::ready(agent.logged().contains("camera plays").then_some(()));
    wait::until("the camera plays", LIMIT, plays).await?;

    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    node::install(&scripts)?;
    let shots = std::env::var_os("SCREENSHOTS").map_or_else(|| system.dir().join("screenshots"), Into::into);
    fs::create_dir_all(&shots)?;
    let url = format!("http://127.0.0.1:{}", system.http());
    let environment = [
        ("BUGBROTHER_URL", url.as_str()),
        ("BUGBROTHER_USER", "admin"),
        ("BUGBROTHER_PASSWORD", system.password()?),
        ("VEHICLE", VIN),
        ("SCREENSHOTS", shots.to_str().context("a UTF-8 path")?),
    ];
    let mut browser =
        Process::start(system.dir(), "video.mjs", Path::new("node"), &[scripts.join("video.mjs")], &environment)?;
    said(&mut browser, "playing").await?;
    let port = camera.port();
    camera.kill().await?;
    said(&mut browser, "away").await?;
    let _camera = Camera::start_on(port, &[]).await?;
    let status = browser.ended(LIMIT).await?;
    println!("{}", browser.printed());
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let played = tokio::process::Command::new("ffmpeg")
        .args(["-v", "error", "-headers", &format!("Authorization: Bearer {}\r\n", viewer.token())])
        .args(["-i", &format!("{url}/hls/{VIN}/dash-1/index.m3u8"), "-t", "3", "-f", "null", "-"])
        .output();
    let played = tokio::time::timeout(LIMIT, played).await.context("FFmpeg plays three seconds")??;
    ensure!(played.status.success() && played.stderr.is_empty(), String::from_utf8_lossy(&played.stderr).into_owned());
    ensure!(status.success(), "{}\n{}\n--- agent\n{}", browser.printed(), browser.logged(), agent.logged());
    agent.check_running()?;
    system.check_running()?;
    system.check_logs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_adds_a_camera_that_the_server_reaches_and_sees_it() -> Result<()> {
    let camera = Camera::start(&["basic", "viewer", "swordfish"]).await?;
    let mut system = System::new()?;
    // Known before the live feed begins, which tells of what is new in it.
    system.manage(&["vehicle", "add", VIN, "--name", "Van"])?;
    system.start_with("up", &["--allow-cameras", "127.0.0.0/8"]).await?;
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    node::install(&scripts)?;
    let shots = std::env::var_os("SCREENSHOTS").map_or_else(|| system.dir().join("screenshots"), Into::into);
    fs::create_dir_all(&shots)?;
    let (url, picture) = (format!("http://127.0.0.1:{}", system.http()), camera.url("/h264"));
    let environment = [
        ("BUGBROTHER_URL", url.as_str()),
        ("BUGBROTHER_USER", "admin"),
        ("BUGBROTHER_PASSWORD", system.password()?),
        ("VEHICLE", VIN),
        ("CAMERA", &picture),
        ("SCREENSHOTS", shots.to_str().context("a UTF-8 path")?),
    ];
    let mut browser =
        Process::start(system.dir(), "eyes.mjs", Path::new("node"), &[scripts.join("eyes.mjs")], &environment)?;
    let status = browser.ended(LIMIT * 2).await?;
    println!("{}", browser.printed());
    ensure!(status.success(), "{}\n{}", browser.printed(), browser.logged());
    ensure!(!system.process("up")?.logged().contains("swordfish"), "no secret in a log");
    system.check_running()?;
    system.check_logs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_behind_a_trickle_falls_behind_alone() -> Result<()> {
    let camera = Camera::start(&[]).await?;
    let receiver = TcpListener::bind(port::local(0)).await?;
    let mut system = System::new()?;
    system.start_all().await?;
    // Noise: half a megabyte a second.
    let settings = enrol(&system, &camera, &receiver, "/heavy")?;
    let mut agent = start(&system, &settings)?;
    let plays = || std::future::ready(agent.logged().contains("camera plays").then_some(()));
    wait::until("the camera plays", LIMIT, plays).await?;
    let network = Trickle::start(port::local(system.http())).await?;

    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    node::install(&scripts)?;
    let [url, slow] = [system.http(), network.port()].map(|port| format!("http://127.0.0.1:{port}"));
    let environment = [
        ("BUGBROTHER_URL", url.as_str()),
        ("SLOW_URL", slow.as_str()),
        ("BUGBROTHER_USER", "admin"),
        ("BUGBROTHER_PASSWORD", system.password()?),
        ("VEHICLE", VIN),
    ];
    let script = scripts.join("trickle.mjs");
    let mut browser = Process::start(system.dir(), "trickle.mjs", Path::new("node"), &[script], &environment)?;
    said(&mut browser, "both play").await?;
    network.allow(8_000);
    said(&mut browser, "one stands still").await?;
    network.allow(0);
    let status = browser.ended(LIMIT).await?;
    println!("{}", browser.printed());
    ensure!(status.success(), "{}\n{}\n--- agent\n{}", browser.printed(), browser.logged(), agent.logged());
    agent.check_running()?;
    system.check_running()?;
    system.check_logs()
}

/// Waits until a script has printed a line.
async fn said(browser: &mut Process, line: &str) -> Result<()> {
    wait::until(&format!("`{line}` is said"), LIMIT, || {
        let running = browser.check_running();
        let said = browser.printed().lines().any(|said| said == line).then_some(Ok(()));
        std::future::ready(said.or(running.err().map(Err)))
    })
    .await?
}
