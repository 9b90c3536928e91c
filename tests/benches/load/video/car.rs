//! A camera with a clock in its picture, a server, and the agent between them, each a process of its own.

use std::{fmt::Write as _, fs, time::Duration};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    camera::Camera,
    port,
    process::{Process, program},
    system::System,
    wait,
};
use tokio::net::TcpListener;

pub const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(60);

/// All that runs; it ends with this value.
pub struct Car {
    pub system: System,
    pub agent: Process,
    _camera: Camera,
    _receiver: TcpListener,
}

impl Car {
    /// With so many cameras, `cam-0` and so on, each of which has the same picture.
    pub async fn start(cameras: usize) -> Result<Self> {
        let camera = Camera::start(&["--clock"]).await?;
        let receiver = TcpListener::bind(port::local(0)).await?;
        let mut system = System::new()?;
        system.start_all().await?;
        let identity = enrol(&system)?;
        let mut settings = String::new();
        write!(
            settings,
            "identity = '{identity}'\nbroker = 'mqtts://127.0.0.1:{}'\ngps = 'tcp:{}'\nobd = 'none'\n",
            system.vehicles(),
            receiver.local_addr()?
        )?;
        for number in 0..cameras {
            write!(settings, "[[camera]]\nid = 'cam-{number}'\nurl = '{}'\n", camera.url("/clock"))?;
        }
        let path = system.dir().join("agent.toml");
        fs::write(&path, settings)?;
        let arguments = ["--config".into(), path.into_os_string()];
        let mut agent =
            Process::start(system.dir(), "agent", &program("bugbrother-agent")?, &arguments, &[("NO_COLOR", "1")])?;
        wait::until("all cameras play", LIMIT, || {
            let running = agent.check_running();
            let play = (agent.logged().matches("camera plays").count() >= cameras).then_some(Ok(()));
            std::future::ready(running.err().map(Err).or(play))
        })
        .await??;
        Ok(Car { system, agent, _camera: camera, _receiver: receiver })
    }

    /// The process of the server: broker, ingest, notifier and dashboard.
    pub fn server(&mut self) -> Result<u32> {
        Ok(self.system.process("up")?.id())
    }

    /// Fails if something has ended.
    pub fn check(&mut self) -> Result<()> {
        self.agent.check_running()?;
        self.system.check_running()
    }
}

/// The folder of the vehicle's identity.
fn enrol(system: &System) -> Result<String> {
    let said = system.manage(&["vehicle", "add", VIN, "--name", "Van"])?;
    let is_code = |word: &&str| word.len() > 20 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let code = said.split_whitespace().find(is_code).context("a code is printed")?;
    let folder = system.dir().join("identity");
    let server = format!("http://{}", port::local(system.http()));
    let enrolled = std::process::Command::new(program("bugbrother-agent")?)
        .args(["enroll", &server, code, "--dir"])
        .arg(&folder)
        .output()?;
    ensure!(enrolled.status.success(), String::from_utf8_lossy(&enrolled.stderr).into_owned());
    Ok(folder.display().to_string())
}
