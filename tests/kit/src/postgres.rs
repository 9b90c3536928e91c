//! Debian's PostgreSQL.

use std::{
    fs,
    future::ready,
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rand::distr::{Alphanumeric, SampleString};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{command::run, crew::Crew, janitor::Janitor, port, process::Process, wait};

/// Recovery after a kill -9 included.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Who owns the databases: somebody without any rights besides, as in production.
const OWNER: &str = "bugbrother";
const SUPERUSER: &str = "postgres";
/// Debian's user of the operating system for it: it refuses to run as root.
const SYSTEM_USER: &str = "postgres";

/// Where Debian keeps the programs of the newest version that is installed.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|version| {
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        Some((number, version.path().join("bin")))
    });
    let complete =
        numbered.filter(|(_, bin)| ["initdb", "postgres", "psql"].iter().all(|name| bin.join(name).exists()));
    match complete.max() {
        Some((_, bin)) => Ok(bin),
        None => bail!("PostgreSQL is not installed: apt-get install postgresql (make setup-test does it)"),
    }
}

/// A PostgreSQL on 127.0.0.1 that writes to the disk as in production; it ends with this value, or with the test.
pub struct Postgres {
    process: Option<Process>,
    bin: PathBuf,
    data: PathBuf,
    crew: Crew,
    port: u16,
    password: String,
    options: Vec<String>,
    // Dropped in this order: clears up, then the folder that it needs to start in.
    _janitor: Janitor,
    home: TempDir,
}

impl Postgres {
    /// Starts an empty one in a folder of its own.
    pub async fn start() -> Result<Self> {
        Self::initialise(None).await
    }

    /// Starts an empty one that keeps its data in `folder`, such as a small volume, and sparingly: about 30 MB to begin
    /// with, and a log of changes of 32 MB. What it says of itself is written elsewhere. If the test runs as root,
    /// `folder` is opened for all users to pass through.
    pub async fn start_in(folder: &Path) -> Result<Self> {
        Self::initialise(Some(folder)).await
    }

    async fn initialise(folder: Option<&Path>) -> Result<Self> {
        let (bin, home) = (programs()?, tempfile::tempdir()?);
        let data = folder.unwrap_or(home.path()).canonicalize()?.join("postgres");
        fs::create_dir(&data).with_context(|| format!("cannot make `{}`", data.display()))?;
        let janitor = Janitor::of_server(&data, home.path())?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let password_file = home.path().join("password");
        let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(&password_file)?;
        file.write_all(password.as_bytes())?;
        if is_root()? {
            for passage in [home.path(), folder.unwrap_or(home.path())] {
                let mode = fs::metadata(passage)?.permissions().mode();
                fs::set_permissions(passage, fs::Permissions::from_mode(mode | 0o111))?;
            }
            run(Command::new("chown").arg(format!("{SYSTEM_USER}:")).args([&data, &password_file])).await?;
        }
        let mut options = vec![
            // Shared memory for workers as files in the data folder: what a kill -9 leaves goes with that.
            "dynamic_shared_memory_type=mmap".to_owned(),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "shared_buffers=32MB".to_owned(),
            // After a kill -9 it flushes its folder: at once, not by a thousand files of which each waits for the disk.
            "recovery_init_sync_method=syncfs".to_owned(),
        ];
        let mut initdb = in_folder(&data, &bin.join("initdb"))?;
        // Without `--no-sync` the files of the empty cluster would be flushed one by one.
        initdb.extend(["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"].map(str::to_owned));
        initdb.push(format!("--username={SUPERUSER}"));
        initdb.push(format!("--pwfile={}", password_file.display()));
        initdb.push(format!("--pgdata={}", data.display()));
        if folder.is_some() {
            initdb.push("--wal-segsize=1".to_owned());
            options.push("max_wal_size=32MB".to_owned());
        }
        run(Command::new("env").args(initdb)).await?;
        let (port, crew) = (port::free()?, Crew::of(&data)?);
        let mut server = Postgres { process: None, bin, data, crew, port, password, options, _janitor: janitor, home };
        server.start_again().await?;
        let create = format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{}'", server.password);
        server.execute(SUPERUSER, &create).await?;
        Ok(server)
    }

    /// Starts it again where it was, after [`Postgres::kill`] or when it has ended by itself, which it may do when the
    /// disk is full.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(|process| process.check_running().is_ok()) {
            bail!("postgres runs already");
        }
        let mut arguments = in_folder(&self.data, &self.bin.join("postgres"))?;
        arguments.extend(["-D".to_owned(), self.data.display().to_string()]);
        arguments.extend(["-p".to_owned(), self.port.to_string()]);
        arguments.extend(self.options.iter().flat_map(|option| ["-c".to_owned(), option.clone()]));
        let process = Process::start(self.home.path(), "postgres", Path::new("env"), &arguments, &[])?;
        let process = self.process.insert(process);
        let status = self.data.join("postmaster.pid");
        let ready_line = |id: u32| {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            // As `pg_ctl --wait` sees it: line 1 the process, line 8 how far it is.
            lines.first() == Some(&id.to_string().as_str()) && lines.get(7) == Some(&"ready")
        };
        let started = wait::until("postgres is ready", START_LIMIT, || {
            ready(match process.check_running() {
                Err(error) => Some(Err(error)),
                Ok(()) => ready_line(process.id()).then_some(Ok(())),
            })
        });
        started.await?
    }

    /// Kill -9 for the server and all its processes; returns when none is left, so that it can be started again.
    pub async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("postgres does not run")?;
        process.kill()?;
        self.crew.kill().await
    }

    /// Stops all its processes in their tracks: connections stay open and nothing is read or answered.
    pub async fn pause(&self) -> Result<()> {
        self.crew.pause().await
    }

    /// Lets them go on.
    pub fn resume(&self) -> Result<()> {
        self.crew.resume()
    }

    /// Fails if it has ended.
    pub fn check_running(&mut self) -> Result<()> {
        self.process.as_mut().context("postgres does not run")?.check_running()
    }

    /// Makes an empty database, named by small letters, digits and `_`; its URL.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(
            !name.is_empty() && name.chars().all(is_plain),
            "database `{name}`: small letters, digits and `_` only"
        );
        self.execute(SUPERUSER, &format!("CREATE DATABASE \"{name}\" OWNER {OWNER}")).await?;
        Ok(self.url(name))
    }

    /// `postgres://user:password@127.0.0.1:port/database`, for the owner of the databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{OWNER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Runs SQL as the superuser, by `psql`; the rows of its answer, with `|` between columns.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.bin.join("psql"));
        // Nothing of what whoever runs the test has set for servers of their own.
        psql.env_clear().env("PGPASSWORD", &self.password).env("PGCONNECT_TIMEOUT", "20");
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--host=127.0.0.1", "--port", &self.port.to_string()]);
        psql.args(["--username", SUPERUSER, "--dbname", database, "--command", sql]);
        run(&mut psql).await
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The ids of all its processes.
    pub fn processes(&self) -> Result<Vec<u32>> {
        self.crew.members()
    }

    /// What it has logged since the first start.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.home.path().join("postgres.log")).unwrap_or_default()
    }
}

fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self").context("cannot tell who runs the test")?.uid() == 0)
}

/// Arguments of `env` that run `program` in `folder`, never as root.
fn in_folder(folder: &Path, program: &Path) -> Result<Vec<String>> {
    let mut arguments = vec![format!("--chdir={}", folder.display())];
    if is_root()? {
        let (user, group) = (format!("--reuid={SYSTEM_USER}"), format!("--regid={SYSTEM_USER}"));
        arguments.extend(["setpriv".to_owned(), user, group, "--clear-groups".to_owned()]);
    }
    arguments.push(program.display().to_string());
    Ok(arguments)
}
