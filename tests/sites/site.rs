//! A site: a host with a data folder, and the services that run there with the settings of `docs/two-sites.md`.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_kit::{
    network::Host,
    process::{Process, program},
    wait,
};
use bugbrother_tests::viewer::Viewer;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::document;

const LIMIT: Duration = Duration::from_secs(60);
/// Where vehicles and others come in, as the settings say.
const VEHICLES: u16 = 8883;
/// Of the dashboard, as behind a load balancer of the site's that has the TLS.
const HTTP: u16 = 8080;

/// Everything that a site runs, in the order in which it is started. `ingest-other` hears the other site's broker.
pub const SERVICES: [&str; 5] = ["broker", "ingest", "ingest-other", "notifier", "dashboard"];

/// A site.
pub struct Site {
    pub host: Host,
    dir: TempDir,
    config: PathBuf,
    /// What `ingest-other` is told besides.
    elsewhere: Vec<(String, String)>,
    running: BTreeMap<String, Process>,
}

impl Site {
    /// On that host, with the database at `url`; `adapt` makes the document's words this site's.
    pub fn new(host: Host, url: &str, adapt: impl Fn(&str) -> String) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let here = |text: &str| {
            text.replace("/var/lib/bugbrother-server", &dir.path().join("data").display().to_string())
                .replace("/etc/bugbrother-server", &dir.path().display().to_string())
        };
        let config = dir.path().join("server.toml");
        fs::write(&config, here(&adapt(&document::block_after("`/etc/bugbrother-server/server.toml` on A")?)))?;
        let address = dir.path().join("database.url");
        fs::write(&address, url)?;
        fs::set_permissions(&address, fs::Permissions::from_mode(0o600))?;
        let lines = here(&adapt(&document::block_after("`/etc/bugbrother-server/ingest-b.env`")?));
        let variable = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let elsewhere =
            lines.lines().map(|line| variable(line).context("a line of the environment")).collect::<Result<_>>()?;
        Ok(Site { host, dir, config, elsewhere, running: BTreeMap::new() })
    }

    /// Starts what does not run, and waits until it is there.
    pub async fn start(&mut self) -> Result<()> {
        for service in SERVICES {
            if !self.running.contains_key(service) {
                self.start_one(service).await?;
            }
        }
        Ok(())
    }

    async fn start_one(&mut self, service: &str) -> Result<()> {
        let (command, environment) = match service {
            "ingest-other" => ("ingest", &self.elsewhere[..]),
            service => (service, &[][..]),
        };
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (config, http) = (self.config.display().to_string(), format!("0.0.0.0:{HTTP}"));
        let mut arguments = vec!["--config", &config, command];
        if service == "dashboard" {
            arguments.extend(["--http", &http, "--allow-plain"]);
        }
        let process = self.host.start(self.dir.path(), service, &program("bugbrother")?, &arguments, &environment)?;
        self.running.insert(service.to_owned(), process);
        let port = match service {
            "broker" => VEHICLES,
            "dashboard" => HTTP,
            _ => return Ok(()),
        };
        let (process, address) = (self.process(service)?, self.host.address());
        let what = format!("{service} listens on {address}");
        wait::until(&what, LIMIT, || async {
            let there = TcpStream::connect((address, port)).await.is_ok();
            there.then_some(())
        })
        .await
        .with_context(|| process.logged())
    }

    fn process(&self, service: &str) -> Result<&Process> {
        self.running.get(service).with_context(|| format!("{service} does not run"))
    }

    /// Kill -9 for everything.
    pub fn kill(&mut self) -> Result<()> {
        while let Some((_, mut process)) = self.running.pop_first() {
            process.kill()?;
        }
        Ok(())
    }

    /// What has to be the same on another site is copied there.
    pub async fn copy_to(&self, other: &Site) -> Result<()> {
        let (from, to) = (self.data(), other.data());
        fs::create_dir(&to)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o700))?;
        for part in ["access", "secrets"] {
            let part = from.join(part).display().to_string();
            self.host.run(Path::new("cp"), &["--archive", &part, &to.display().to_string()]).await?;
        }
        Ok(())
    }

    /// Runs a command of `bugbrother` there that ends.
    pub async fn manage(&self, arguments: &[&str]) -> Result<String> {
        let config = self.config.display().to_string();
        self.host.run(&program("bugbrother")?, &[&["--config", &config], arguments].concat()).await
    }

    /// Makes a vehicle and has it enrol, as in the workshop of this site.
    pub async fn enrol(&self, vin: &str, folder: &Path) -> Result<()> {
        let said = self.manage(&["vehicle", "add", vin]).await?;
        let is_code = |word: &&str| word.len() > 20 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let code = said.split_whitespace().find(is_code).context("a code is printed")?;
        let (server, folder) = (format!("http://127.0.0.1:{HTTP}"), folder.display().to_string());
        self.host.run(&program("bugbrother-agent")?, &["enroll", &server, code, "--dir", &folder]).await?;
        Ok(())
    }

    /// The password of `admin`, which the first dashboard of a fleet prints.
    pub async fn password(&self) -> Result<String> {
        let dashboard = self.process("dashboard")?;
        wait::until("the first password is printed", LIMIT, || {
            let printed = dashboard.printed();
            let word =
                printed.lines().find_map(|line| line.trim_start().strip_prefix("Password")?.split_whitespace().next());
            std::future::ready(word.map(str::to_owned))
        })
        .await
    }

    /// Signs in at its dashboard.
    pub async fn sign_in(&self, password: &str) -> Result<Viewer> {
        Viewer::sign_in_at(format!("{}:{HTTP}", self.host.address()), "admin", password).await
    }

    /// How many vehicles are connected to its broker.
    pub async fn connected(&self) -> Result<usize> {
        let filter = format!("( sport = :{VEHICLES} )");
        let sockets = self.host.run(Path::new("ss"), &["-Htn", "state", "established", &filter]).await?;
        Ok(sockets.lines().count())
    }

    /// Fails if something has ended, or logged an error with none of these texts.
    pub fn check(&mut self, expected: &[&str]) -> Result<()> {
        ensure!(self.running.len() == SERVICES.len(), "something does not run");
        for (service, process) in &mut self.running {
            process.check_running()?;
            let log = process.logged();
            let is_wrong = |line: &&str| {
                let is_expected = expected.iter().any(|text| line.contains(text));
                line.contains("panicked") || (line.contains("ERROR") && !is_expected)
            };
            if let Some(line) = log.lines().find(is_wrong) {
                bail!("{service} of {} logged: {line}", self.host.address());
            }
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}
