//! Debian's InfluxDB, which is 1.6.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rand::distr::{Alphanumeric, SampleString};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{command::run, crew::Crew, janitor::Janitor, port, process::Process, wait};

/// Reading the log of writes after a kill -9 included.
const START_LIMIT: Duration = Duration::from_secs(60);

const USER: &str = "bugbrother";

fn program() -> Result<&'static Path> {
    let program = Path::new("/usr/bin/influxd");
    ensure!(program.exists(), "InfluxDB is not installed: apt-get install influxdb (make setup-test does it)");
    Ok(program)
}

/// An InfluxDB on 127.0.0.1 that lets nobody in without a password; it ends with this value, or with the test.
pub struct Influx {
    process: Option<Process>,
    data: PathBuf,
    crew: Crew,
    port: u16,
    password: String,
    // Dropped in this order: clears up, then the folder that it needs to start in.
    _janitor: Janitor,
    home: TempDir,
}

impl Influx {
    /// Starts an empty one.
    pub async fn start() -> Result<Self> {
        program()?;
        let home = tempfile::tempdir()?;
        let data = home.path().canonicalize()?.join("influx");
        fs::create_dir(&data)?;
        let janitor = Janitor::of_server(&data, home.path())?;
        let [port, backup] = port::free_ones()?;
        fs::write(home.path().join("influxdb.conf"), configuration(&data, port, backup))?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let crew = Crew::of(&data)?;
        let mut server = Influx { process: None, data, crew, port, password, _janitor: janitor, home };
        server.start_again().await?;
        // The only thing that it lets a stranger do, and only once.
        let create = format!("CREATE USER {USER} WITH PASSWORD '{}' WITH ALL PRIVILEGES", server.password);
        answer(&run(request(port, "/query").args(["--data-urlencode", &format!("q={create}")])).await?)?;
        Ok(server)
    }

    /// Starts it again where it was, after [`Influx::kill`] or when it has ended by itself.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(|process| process.check_running().is_ok()) {
            bail!("influxd runs already");
        }
        let config = self.home.path().join("influxdb.conf");
        let arguments = [
            format!("--chdir={}", self.data.display()),
            program()?.display().to_string(),
            "-config".to_owned(),
            config.display().to_string(),
        ];
        let process = Process::start(self.home.path(), "influxd", Path::new("env"), &arguments, &[])?;
        let (process, port) = (self.process.insert(process), self.port);
        let started = wait::until("influxd answers", START_LIMIT, || {
            let (running, mut ping) = (process.check_running(), request(port, "/ping"));
            async move {
                match running {
                    Err(error) => Some(Err(error)),
                    Ok(()) => run(&mut ping).await.ok().map(|_| Ok(())),
                }
            }
        });
        started.await?
    }

    /// Kill -9.
    pub async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("influxd does not run")?;
        process.kill()?;
        self.crew.kill().await
    }

    /// Stops it in its tracks: connections stay open and nothing is read or answered.
    pub async fn pause(&self) -> Result<()> {
        self.crew.pause().await
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.crew.resume()
    }

    /// Fails if it has ended.
    pub fn check_running(&mut self) -> Result<()> {
        self.process.as_mut().context("influxd does not run")?.check_running()
    }

    /// Makes an empty database, named by small letters, digits and `_`; its URL.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(
            !name.is_empty() && name.chars().all(is_plain),
            "database `{name}`: small letters, digits and `_` only"
        );
        self.query("", &format!("CREATE DATABASE \"{name}\"")).await?;
        Ok(self.url(name))
    }

    /// `influxdb://user:password@127.0.0.1:port/database`, as `telemetry_url` takes it.
    pub fn url(&self, database: &str) -> String {
        format!("influxdb://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// `http://127.0.0.1:port`, for who speaks its HTTP.
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Name and password of the administrator, by which it is asked.
    pub fn account(&self) -> (&str, &str) {
        (USER, &self.password)
    }

    /// Runs InfluxQL; the answer as JSON, with times as ns since 1970.
    pub async fn query(&self, database: &str, influxql: &str) -> Result<String> {
        let path = format!("/query?epoch=ns&db={database}");
        let (account, statement) = (self.login(), format!("q={influxql}"));
        answer(&run(request(self.port, &path).args(["--user", &account, "--data-urlencode", &statement])).await?)
    }

    /// Writes points in line protocol.
    pub async fn write(&self, database: &str, lines: &str) -> Result<()> {
        let path = format!("/write?db={database}");
        let account = self.login();
        run(request(self.port, &path).args(["--user", &account, "--data-binary", lines])).await.map(drop)
    }

    /// The ids of its processes: one.
    pub fn processes(&self) -> Result<Vec<u32>> {
        self.crew.members()
    }

    /// What it has logged since the first start.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.home.path().join("influxd.log")).unwrap_or_default()
    }

    fn login(&self) -> String {
        format!("{USER}:{}", self.password)
    }
}

/// A request that must be answered with a 2xx.
fn request(port: u16, path: &str) -> Command {
    let mut curl = Command::new("curl");
    // `-q`, before all others: nothing of what whoever runs the test has set for themselves.
    curl.args(["-q", "--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--max-time", "30"]);
    curl.arg(format!("http://{}{path}", port::local(port)));
    curl
}

fn configuration(data: &Path, port: u16, backup: u16) -> String {
    let data = data.display();
    format!(
        r#"reporting-enabled = false
bind-address = "127.0.0.1:{backup}"
[meta]
dir = "{data}/meta"
logging-enabled = false
[data]
dir = "{data}/data"
wal-dir = "{data}/wal"
wal-fsync-delay = "0s"
query-log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = true
log-enabled = false
[continuous_queries]
log-enabled = false
[logging]
level = "warn"
suppress-logo = true
"#
    )
}

/// It answers 200 also to a statement that has failed, with an `error` in the JSON.
fn answer(json: &str) -> Result<String> {
    ensure!(!json.contains("\"error\":"), "influxd: {json}");
    Ok(json.to_owned())
}
