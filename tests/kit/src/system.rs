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

/// Where a system keeps what it is told.
#[derive(Debug, Clone, Default)]
pub struct Stores {
    /// URL of the fleet database; a file in the data folder for `None`.
    pub database: Option<String>,
    /// URL of the samples' own store; the fleet database for `None`.
    pub telemetry: Option<String>,
}

/// A server: the services that were started and have not been killed.
pub struct System {
    broker: Broker,
    stores: Stores,
    dir: TempDir,
    data: PathBuf,
    ports: Ports,
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
        Self::on_stores(broker, Stores::default())
    }

    /// On that broker and those databases; nothing runs yet.
    pub fn on_stores(broker: Broker, stores: Stores) -> Result<Self> {
        let (dir, running) = (tempfile::tempdir()?, BTreeMap::new());
        let data = dir.path().join("data");
        Ok(System { broker, stores, dir, data, ports: Ports::free()?, running, password: None })
    }

    /// With its data folder in `folder`, such as a small volume; logs and outboxes are elsewhere.
    pub fn with_data_in(self, folder: &Path) -> Self {
        System { data: folder.join("data"), ..self }
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
        self.start_with(service, &[]).await
    }

    /// The same with more options; a Mosquitto is given none.
    pub async fn start_with(&mut self, service: &str, more: &[&str]) -> Result<()> {
        let process = match (service, self.broker) {
            ("broker", Broker::Mosquitto) => mosquitto::serve(self.dir.path(), service, &self.export()?)?,
            _ => {
                let mut arguments = vec![service.to_owned(), "--mqtt".to_owned(), local(self.ports.mqtt)];
                arguments.extend(["--http".to_owned(), local(self.ports.http)]);
                if matches!(service, "broker" | "up" | "demo") {
                    arguments.extend(self.ports.doors());
                }
                if matches!(service, "ingest" | "up") {
                    arguments.extend(["--metrics".to_owned(), local(self.ports.metrics)]);
                }
                arguments.extend(["--data".to_owned(), self.data().display().to_string()]);
                arguments.extend(more.iter().map(|option| (*option).to_owned()));
                Process::start(self.dir.path(), service, &program("bugbrother")?, &arguments, &self.environment())?
            }
        };
        self.running.insert(service.to_owned(), process);
        let broker = [self.ports.mqtt, self.ports.websocket, self.ports.mqtts, self.ports.vehicles];
        let ports = match service {
            "broker" => broker.to_vec(),
            "dashboard" => vec![self.ports.http],
            "up" | "demo" => [&broker[..], &[self.ports.http]].concat(),
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
        self.check_logs_but_for(&[])
    }

    /// Fails if a service logged an error that holds none of these texts, or panicked.
    pub fn check_logs_but_for(&self, expected: &[&str]) -> Result<()> {
        for (service, process) in &self.running {
            let log = process.logged();
            let is_wrong = |line: &&str| {
                let is_expected = expected.iter().any(|text| line.contains(text));
                line.contains("panicked") || (line.contains("ERROR") && !is_expected)
            };
            if let Some(line) = log.lines().find(is_wrong) {
                bail!("{service} logged: {line}");
            }
        }
        Ok(())
    }

    /// Makes a vehicle and an account for it; returns the file that holds its password.
    pub fn add_vehicle(&self, vin: &str, name: &str) -> Result<PathBuf> {
        self.manage(&["vehicle", "add", vin, "--name", name, "--password"])?;
        let password = format!("password of {vin}");
        self.set_password(vin, &password)?;
        self.reload()?;
        let path = self.dir.path().join(format!("{vin}.password"));
        fs::write(&path, password)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Makes an account with these rights, lines of an ACL such as `topic read news/#`.
    pub fn add_account(&self, user: &str, password: &str, rights: &str) -> Result<()> {
        self.set_password(user, password)?;
        let acl = self.data().join("access/acl");
        let text = fs::read_to_string(&acl)?;
        let next = acl.with_extension("next");
        fs::write(&next, format!("{text}\nuser {user}\n{rights}\n"))?;
        fs::rename(next, acl)?;
        self.reload()
    }

    /// Lets somebody read; the password of the new account.
    pub fn grant(&self, user: &str, filter: &str) -> Result<String> {
        let printed = self.manage(&["access", "grant", user, filter])?;
        self.reload()?;
        labelled(&printed, "password").map(str::to_owned).context("no password was printed")
    }

    /// Runs a command of `bugbrother` that ends; what it prints.
    pub fn manage(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program("bugbrother")?);
        command.args(arguments).arg("--data").arg(self.data()).envs(self.environment());
        let run = command.output()?;
        if !run.status.success() {
            bail!("bugbrother {}: {}", arguments.join(" "), String::from_utf8_lossy(&run.stderr));
        }
        Ok(String::from_utf8(run.stdout)?)
    }

    /// Starts an agent that replays `nmea` as fast as it is taken, and ends once all of it is stored.
    pub fn replay(&self, vin: &str, password: &Path, nmea: &Path, speed: &str) -> Result<Process> {
        self.replay_by(&self.dir.path().join(format!("{vin}.outbox")), vin, password, nmea, speed)
    }

    /// The same with its outbox at `outbox`.
    pub fn replay_by(&self, outbox: &Path, vin: &str, password: &Path, nmea: &Path, speed: &str) -> Result<Process> {
        let broker = local(self.ports.mqtt);
        let gps = format!("file:{}@{speed}", nmea.display());
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
            &text(outbox),
            "--exit-when-done",
        ];
        Process::start(
            self.dir.path(),
            &format!("agent-{vin}"),
            &program("bugbrother-agent")?,
            &arguments,
            &[("NO_COLOR", "1")],
        )
    }

    /// Folder of this system.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Data folder of the services.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// URL of the database.
    pub fn database(&self) -> String {
        let file = || format!("sqlite://{}", self.data.join("fleet.db").display());
        self.stores.database.clone().unwrap_or_else(file)
    }

    /// URL of the samples' own store, if they have one.
    pub fn telemetry(&self) -> Option<&str> {
        self.stores.telemetry.as_deref()
    }

    /// Port of ingest's `/metrics` and `/healthz`, or of those of all in one process.
    pub fn metrics(&self) -> u16 {
        self.ports.metrics
    }

    /// Port of the broker.
    pub fn mqtt(&self) -> u16 {
        self.ports.mqtt
    }

    /// Its port for WebSocket.
    pub fn websocket(&self) -> u16 {
        self.ports.websocket
    }

    /// Its port for TLS and passwords.
    pub fn mqtts(&self) -> u16 {
        self.ports.mqtts
    }

    /// Its port for TLS and certificates.
    pub fn vehicles(&self) -> u16 {
        self.ports.vehicles
    }

    /// Port of the dashboard.
    pub fn http(&self) -> u16 {
        self.ports.http
    }

    /// Password of `admin`.
    pub fn password(&self) -> Result<&str> {
        self.password.as_deref().context("the dashboard has not been started")
    }

    /// With Mosquitto's own tool, and whole in one step: a running broker may look at any moment.
    fn set_password(&self, user: &str, password: &str) -> Result<()> {
        let passwords = self.data().join("access/passwords");
        if !passwords.exists() {
            // The first command makes the files.
            self.export()?;
        }
        let next = passwords.with_extension("next");
        fs::copy(&passwords, &next)?;
        let tool = mosquitto::program("mosquitto_passwd")?;
        let run = Command::new(tool).arg("-b").arg(&next).args([user, password]).output()?;
        if !run.status.success() {
            bail!("mosquitto_passwd: {}", String::from_utf8_lossy(&run.stderr));
        }
        Ok(fs::rename(next, passwords)?)
    }

    /// Tells the broker that the access files have changed; ours sees it by itself.
    pub fn reload(&self) -> Result<()> {
        match (self.broker, self.running.get("broker")) {
            (Broker::Mosquitto, Some(broker)) => {
                self.export()?;
                broker.signal("HUP")
            }
            _ => Ok(()),
        }
    }

    /// Writes what a Mosquitto needs to serve this fleet; returns a configuration that begins with it.
    fn export(&self) -> Result<PathBuf> {
        let folder = self.dir.path().join("exported");
        let (path, mqtt) = (folder.display().to_string(), local(self.ports.mqtt));
        let doors = self.ports.doors();
        let doors: Vec<_> = doors.iter().map(String::as_str).collect();
        self.manage(&[&["mosquitto", "export", &path, "--mqtt", &mqtt], &doors[..]].concat())?;
        let config = self.dir.path().join("mosquitto.conf");
        // Started by root it would become the user `mosquitto`, who cannot read a test's files.
        fs::write(&config, format!("user root\ninclude_dir {path}\n"))?;
        Ok(config)
    }

    /// URLs hold passwords, and everybody can see a command line.
    fn environment(&self) -> Vec<(&'static str, &str)> {
        let Stores { database, telemetry } = &self.stores;
        let urls = [("BUGBROTHER_DATABASE", database), ("BUGBROTHER_TELEMETRY_URL", telemetry)];
        urls.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?))).collect()
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

/// Where everything listens.
struct Ports {
    mqtt: u16,
    websocket: u16,
    mqtts: u16,
    vehicles: u16,
    http: u16,
    metrics: u16,
}

impl Ports {
    fn free() -> Result<Self> {
        let [mqtt, websocket, mqtts, vehicles, http, metrics] = port::free_ones()?;
        Ok(Ports { mqtt, websocket, mqtts, vehicles, http, metrics })
    }

    /// The broker's options for all but `mqtt`.
    fn doors(&self) -> Vec<String> {
        let doors = [("--ws", self.websocket), ("--mqtts", self.mqtts), ("--vehicles", self.vehicles)];
        let mut options: Vec<_> =
            doors.into_iter().flat_map(|(option, port)| [option.to_owned(), local(port)]).collect();
        options.extend(["--host", "127.0.0.1"].map(str::to_owned));
        options
    }
}

fn local(port: u16) -> String {
    port::local(port).to_string()
}

/// The word after `label` at the beginning of a line.
fn labelled<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim_start().strip_prefix(label)?.split_whitespace().next())
}
