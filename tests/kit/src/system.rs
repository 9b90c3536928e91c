//! The server's services on free ports, with a data folder of their own.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{broker::Broker, mosquitto, port, process::Process, process::program, wait};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A server: the services that were started and have not been killed.
pub struct System {
    broker: Broker,
    dir: TempDir,
    mqtt: u16,
    http: u16,
    running: BTreeMap<String, Process>,
    /// Password of `admin`, once the dashboard has printed it.
    password: Option<String>,
}

impl System {
    /// On our own broker; nothing runs yet.
    pub fn new() -> Result<Self> {
        Self::on(Broker::Embedded)
    }

    /// On that broker; nothing runs yet.
    pub fn on(broker: Broker) -> Result<Self> {
        let (dir, running) = (tempfile::tempdir()?, BTreeMap::new());
        Ok(System { broker, dir, mqtt: port::free()?, http: port::free()?, running, password: None })
    }

    /// Starts the broker and all services, in one process where the broker is ours.
    pub async fn start_all(&mut self) -> Result<()> {
        match self.broker {
            Broker::Embedded => self.start("up").await,
            Broker::Mosquitto => {
                for service in ["broker", "ingest", "notifier", "dashboard"] {
                    self.start(service).await?;
                }
                Ok(())
            }
        }
    }

    /// Starts the broker, or `bugbrother SERVICE`, and waits until it is there.
    pub async fn start(&mut self, service: &str) -> Result<()> {
        let process = match (service, self.broker) {
            ("broker", Broker::Mosquitto) => mosquitto::serve(self.dir.path(), service, &self.export()?)?,
            _ => {
                let (mqtt, http) = (port::local(self.mqtt).to_string(), port::local(self.http).to_string());
                let data = self.data();
                let data = data.to_str().context("a UTF-8 path")?;
                let arguments = [service, "--mqtt", &mqtt, "--http", &http, "--data", data];
                Process::start(self.dir.path(), service, &program("bugbrother")?, &arguments, &[])?
            }
        };
        self.running.insert(service.to_owned(), process);
        let ports = match service {
            "broker" => vec![self.mqtt],
            "dashboard" => vec![self.http],
            "up" | "demo" => vec![self.mqtt, self.http],
            _ => Vec::new(),
        };
        for port in ports {
            self.wait_for_port(service, port).await?;
        }
        if self.password.is_none() && matches!(service, "dashboard" | "up" | "demo") {
            self.password = Some(self.read_password(service).await?);
        }
        Ok(())
    }

    /// Kill -9.
    pub fn kill(&mut self, service: &str) -> Result<()> {
        let mut process = self.running.remove(service).with_context(|| format!("{service} does not run"))?;
        process.kill()
    }

    /// The process of a service.
    pub fn process(&mut self, service: &str) -> Result<&mut Process> {
        self.running.get_mut(service).with_context(|| format!("{service} does not run"))
    }

    /// Fails if one of the services that were started has ended.
    pub fn check_running(&mut self) -> Result<()> {
        self.running.values_mut().try_for_each(Process::check_running)
    }

    /// Fails if a service logged an error.
    pub fn check_logs(&self) -> Result<()> {
        for (service, process) in &self.running {
            let log = process.logged();
            if let Some(line) = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked")) {
                bail!("{service} logged: {line}");
            }
        }
        Ok(())
    }

    /// Makes an account for a vehicle; returns the file that holds its password.
    pub fn add_vehicle(&self, vin: &str, name: &str) -> Result<PathBuf> {
        let run = Command::new(program("bugbrother")?)
            .args(["vehicle", "add", vin, "--name", name, "--data"])
            .arg(self.data())
            .output()?;
        if !run.status.success() {
            bail!("bugbrother vehicle add: {}", String::from_utf8_lossy(&run.stderr));
        }
        let printed = String::from_utf8(run.stdout)?;
        let password = labelled(&printed, "password").context("no password was printed")?;
        let path = self.dir.path().join(format!("{vin}.password"));
        fs::write(&path, password)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        self.reload()?;
        Ok(path)
    }

    /// Makes an account with these rights, lines of an ACL such as `topic read news/#`.
    pub fn add_account(&self, user: &str, password: &str, rights: &str) -> Result<()> {
        let access = self.access()?;
        let run = Command::new(mosquitto::program("mosquitto_passwd")?)
            .arg("-b")
            .args([&access.join("passwords")])
            .args([user, password])
            .output()?;
        if !run.status.success() {
            bail!("mosquitto_passwd: {}", String::from_utf8_lossy(&run.stderr));
        }
        let acl = access.join("acl");
        let text = fs::read_to_string(&acl)?;
        fs::write(&acl, format!("{text}\nuser {user}\n{rights}\n"))?;
        self.reload()
    }

    /// Starts an agent that replays `nmea` as fast as it is taken, and ends once all of it is stored.
    pub fn replay(&self, vin: &str, password: &Path, nmea: &Path, speed: &str) -> Result<Process> {
        let broker = port::local(self.mqtt).to_string();
        let gps = format!("file:{}@{speed}", nmea.display());
        let outbox = self.dir.path().join(format!("{vin}.outbox"));
        let text = |path: &Path| path.display().to_string();
        let arguments = [
            "--vin",
            vin,
            "--broker",
            &broker,
            "--password-file",
            &text(password),
            "--gps",
            &gps,
            "--obd",
            "none",
            "--outbox",
            &text(&outbox),
            "--exit-when-done",
        ];
        Process::start(self.dir.path(), &format!("agent-{vin}"), &program("bugbrother-agent")?, &arguments, &[])
    }

    /// Folder of this system.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Data folder of the services.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// URL of the database.
    pub fn database(&self) -> String {
        format!("sqlite://{}", self.data().join("fleet.db").display())
    }

    /// Port of the broker.
    pub fn mqtt(&self) -> u16 {
        self.mqtt
    }

    /// Port of the dashboard.
    pub fn http(&self) -> u16 {
        self.http
    }

    /// Password of `admin`.
    pub fn password(&self) -> Result<&str> {
        self.password.as_deref().context("the dashboard has not been started")
    }

    /// The folder of the access files, which are there.
    fn access(&self) -> Result<PathBuf> {
        let access = self.data().join("access");
        if !access.join("passwords").exists() {
            self.add_vehicle("11111111111111111", "The first account makes the files")?;
        }
        Ok(access)
    }

    /// Tells the broker that the access files have changed; ours sees it by itself.
    fn reload(&self) -> Result<()> {
        match (self.broker, self.running.get("broker")) {
            (Broker::Mosquitto, Some(broker)) => broker.signal("HUP"),
            _ => Ok(()),
        }
    }

    /// Writes what a Mosquitto needs to serve this fleet; returns its configuration.
    fn export(&self) -> Result<PathBuf> {
        let access = self.access()?;
        let config = self.dir.path().join("mosquitto.conf");
        let text = format!(
            "user root\nlistener {} 127.0.0.1\nallow_anonymous false\npassword_file {2}/passwords\nacl_file {2}/acl\n\
             use_username_as_clientid true\nmax_queued_messages {1}\n",
            self.mqtt,
            100_000,
            access.display()
        );
        fs::write(&config, text)?;
        Ok(config)
    }

    async fn wait_for_port(&mut self, service: &str, port: u16) -> Result<()> {
        let process = self.process(service)?;
        let what = format!("{service} listens on {port}");
        let looked = wait::until(&what, START_LIMIT, || {
            std::future::ready(match process.check_running() {
                Err(error) => Some(Err(error)),
                Ok(()) => TcpStream::connect(port::local(port)).ok().map(|_| Ok(())),
            })
        });
        looked.await?
    }

    async fn read_password(&mut self, service: &str) -> Result<String> {
        let process = self.process(service)?;
        wait::until("the first password is printed", START_LIMIT, || {
            std::future::ready(labelled(&process.printed(), "Password").map(str::to_owned))
        })
        .await
    }
}

/// The word after `label` at the beginning of a line.
fn labelled<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim_start().strip_prefix(label)?.split_whitespace().next())
}
