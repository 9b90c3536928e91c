//! Debian's PostgreSQL.

use std::{
    fs,
    future::ready,
    io::Write,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rand::distr::{Alphanumeric, SampleString};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{command::run, crew::Crew, janitor::Janitor, network::Host, port, process::Process, wait};

/// Recovery after a kill -9 included.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Who owns the databases: somebody without any rights besides, as in production.
const OWNER: &str = "bugbrother";
pub(crate) const SUPERUSER: &str = "postgres";
/// Where it listens on a host of its own.
const PORT: u16 = 5432;
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

/// How a server is set up, beside what all of the tests' have in common.
#[derive(Clone, Copy, Default)]
pub struct Setup<'a> {
    /// A small volume or the like for its data, which are sparing then.
    pub folder: Option<&'a Path>,
    /// Where it runs, on its usual port and with TLS; on a free port of 127.0.0.1, and without, for `None`.
    pub host: Option<&'a Host>,
    /// Lines of a `postgresql.conf`: `name = value`, and comments.
    pub conf: &'a str,
    /// Lines of `pg_hba.conf`, before those that let everybody in who is on this machine and has a password.
    pub hba: &'a str,
}

/// A PostgreSQL on 127.0.0.1, or on a host of the test's own, that writes to the disk as in production; it ends with this value, or with the test.
pub struct Postgres {
    process: Option<Process>,
    bin: PathBuf,
    data: PathBuf,
    crew: Crew,
    address: SocketAddr,
    pub(crate) password: String,
    options: Vec<String>,
    /// Arguments of `env` that lead to its host.
    enter: Vec<String>,
    // Dropped in this order: clears up, then the folder that it needs to start in.
    _janitor: Janitor,
    home: TempDir,
}

impl Postgres {
    /// Starts an empty one in a folder of its own.
    pub async fn start() -> Result<Self> {
        Self::start_as(Setup::default()).await
    }

    /// Starts an empty one that keeps its data in `folder`, such as a small volume, and sparingly: about 30 MB to begin
    /// with, and a log of changes of 32 MB. What it says of itself is written elsewhere. If the test runs as root,
    /// `folder` is opened for all users to pass through.
    pub async fn start_in(folder: &Path) -> Result<Self> {
        Self::start_as(Setup { folder: Some(folder), ..Setup::default() }).await
    }

    /// Starts an empty one like that.
    pub async fn start_as(setup: Setup<'_>) -> Result<Self> {
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let mut server = Self::prepare(setup, password).await?;
        let password_file = server.home.path().join("password");
        let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(&password_file)?;
        file.write_all(server.password.as_bytes())?;
        server.give(&password_file).await?;
        // Without `--no-sync` the files of the empty cluster would be flushed one by one.
        let mut initdb =
            ["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"].map(str::to_owned).to_vec();
        initdb.push(format!("--username={SUPERUSER}"));
        initdb.push(format!("--pwfile={}", password_file.display()));
        initdb.push(format!("--pgdata={}", server.data.display()));
        if setup.folder.is_some() {
            initdb.push("--wal-segsize=1".to_owned());
        }
        server.run_program("initdb", &initdb).await?;
        let hba = server.data.join("pg_hba.conf");
        let all = fs::read_to_string(&hba)?;
        fs::write(&hba, format!("{}\n{all}", setup.hba))?;
        server.start_again().await?;
        let create = format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{}'", server.password);
        server.execute(SUPERUSER, &create).await?;
        Ok(server)
    }

    /// Folders, and what it will be started with; there are no data yet.
    pub(crate) async fn prepare(setup: Setup<'_>, password: String) -> Result<Self> {
        let Setup { folder, host, conf, .. } = setup;
        let (bin, home) = (programs()?, tempfile::tempdir()?);
        let data = folder.unwrap_or(home.path()).canonicalize()?.join("postgres");
        fs::create_dir(&data).with_context(|| format!("cannot make `{}`", data.display()))?;
        // As it wants it.
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;
        let janitor = Janitor::of_server(&data, home.path())?;
        if is_root()? {
            for passage in [home.path(), folder.unwrap_or(home.path())] {
                let mode = fs::metadata(passage)?.permissions().mode();
                fs::set_permissions(passage, fs::Permissions::from_mode(mode | 0o111))?;
            }
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
        if folder.is_some() {
            options.push("max_wal_size=32MB".to_owned());
        }
        options.extend(settings(conf)?);
        let (address, enter) = match host {
            None => (port::local(port::free()?), Vec::new()),
            Some(host) => ((host.address(), PORT).into(), vec!["nsenter".to_owned(), host.net()]),
        };
        let crew = Crew::of(&data)?;
        let mut server =
            Postgres { process: None, bin, data, crew, address, password, options, enter, _janitor: janitor, home };
        server.give(&server.data).await?;
        if host.is_some() {
            server.secure().await?;
        }
        Ok(server)
    }

    /// Gives it a certificate, which nobody vouches for.
    async fn secure(&mut self) -> Result<()> {
        let [certificate, key] = ["server.crt", "server.key"].map(|name| self.home.path().join(name));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ]);
        openssl.args(["-subj", "/CN=postgres", "-out"]).arg(&certificate).arg("-keyout").arg(&key);
        run(&mut openssl).await?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        self.give(&key).await?;
        self.options.push("ssl=on".to_owned());
        self.options.push(format!("ssl_cert_file={}", certificate.display()));
        self.options.push(format!("ssl_key_file={}", key.display()));
        Ok(())
    }

    /// Makes a file its user's.
    async fn give(&self, path: &Path) -> Result<()> {
        if is_root()? {
            run(Command::new("chown").arg(format!("{SYSTEM_USER}:")).arg(path)).await?;
        }
        Ok(())
    }

    /// Runs one of its programs to its end, as its user; what it prints.
    pub(crate) async fn run_program<S: AsRef<str>>(&self, program: &str, arguments: &[S]) -> Result<String> {
        let mut command = Command::new("env");
        command.args(self.in_folder(program)?).args(arguments.iter().map(AsRef::as_ref));
        run(command.env("PGPASSWORD", &self.password)).await
    }

    /// Starts it again where it was, after [`Postgres::kill`] or when it has ended by itself, which it may do when the
    /// disk is full.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(|process| process.check_running().is_ok()) {
            bail!("postgres runs already");
        }
        let mut arguments = self.in_folder("postgres")?;
        arguments.extend(["-D".to_owned(), self.data.display().to_string()]);
        arguments.extend(["-p".to_owned(), self.port().to_string()]);
        arguments.extend(self.options.iter().flat_map(|option| ["-c".to_owned(), option.clone()]));
        let process = Process::start(self.home.path(), "postgres", Path::new("env"), &arguments, &[])?;
        let process = self.process.insert(process);
        let status = self.data.join("postmaster.pid");
        let ready_line = |id: u32| {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            // As `pg_ctl --wait` sees it: line 1 the process, line 8 how far it is.
            lines.first() == Some(&id.to_string().as_str()) && matches!(lines.get(7), Some(&("ready" | "standby")))
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

    /// `postgres://user:password@address:port/database`, for the owner of the databases.
    pub fn url(&self, database: &str) -> String {
        self.url_by(&self.address.to_string(), database)
    }

    /// The same by another name or address of it, with a port.
    pub fn url_by(&self, name: &str, database: &str) -> String {
        format!("postgres://{OWNER}:{}@{name}/{database}", self.password)
    }

    /// Runs SQL as the superuser, by `psql`; the rows of its answer, with `|` between columns.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.bin.join("psql"));
        // Nothing of what whoever runs the test has set for servers of their own.
        psql.env_clear().env("PGPASSWORD", &self.password).env("PGCONNECT_TIMEOUT", "20");
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--host", &self.host().to_string(), "--port", &self.port().to_string()]);
        psql.args(["--username", SUPERUSER, "--dbname", database, "--command", sql]);
        run(&mut psql).await
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn host(&self) -> IpAddr {
        self.address.ip()
    }

    /// What it is started with, as a `postgresql.conf` that is not among its data.
    pub(crate) async fn write_conf(&self) -> Result<PathBuf> {
        let path = self.home.path().join("postgresql.conf");
        let quoted = |option: &String| option.split_once('=').map(|(name, value)| format!("{name} = '{value}'\n"));
        fs::write(&path, self.options.iter().filter_map(quoted).collect::<String>())?;
        self.give(&path).await?;
        Ok(path)
    }

    /// Where its data are.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Arguments of `env` that run one of its programs in its folder and on its host, never as root.
    fn in_folder(&self, program: &str) -> Result<Vec<String>> {
        // Its client looks for certificates at home, and must not be refused to look into somebody else's.
        let data = self.data.display();
        let mut arguments = vec![format!("--chdir={data}"), format!("HOME={data}")];
        arguments.extend(self.enter.iter().cloned());
        if is_root()? {
            let (user, group) = (format!("--reuid={SYSTEM_USER}"), format!("--regid={SYSTEM_USER}"));
            arguments.extend(["setpriv".to_owned(), user, group, "--clear-groups".to_owned()]);
        }
        arguments.push(self.bin.join(program).display().to_string());
        Ok(arguments)
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

/// `name=value` of each line that is no comment.
fn settings(conf: &str) -> Result<Vec<String>> {
    let lines = conf.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let setting = |line: &str| {
        let (name, value) = line.split_once('=').with_context(|| format!("not a setting of PostgreSQL: {line}"))?;
        Ok(format!("{}={}", name.trim(), value.trim().trim_matches('\'')))
    };
    lines.filter(|line| !line.is_empty()).map(setting).collect()
}
