//! Debian's Mosquitto.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::{port, process::Process};

const START_LIMIT: Duration = Duration::from_secs(30);

/// One of its programs, wherever the distribution keeps it.
pub fn program(name: &str) -> Result<PathBuf> {
    // Debian keeps the broker where a user's PATH does not look.
    let folders =
        ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    match found {
        Some(path) => Ok(path),
        None => {
            bail!("`{name}` is not installed: apt-get install mosquitto mosquitto-clients (make setup-test does it)")
        }
    }
}

/// Starts one with the configuration at `config`; what it logs goes to `NAME.log` in `dir`.
pub fn serve(dir: &Path, name: &str, config: &Path) -> Result<Process> {
    Process::start(dir, name, &program("mosquitto")?, &[Path::new("-c"), config], &[])
}

/// Whether one that logs to its standard error has opened all its listeners and not stopped over one of them: an open
/// port alone does not tell.
pub fn is_running(process: &Process) -> bool {
    let log = process.logged();
    log.lines().any(|line| line.contains("mosquitto version ") && line.ends_with(" running"))
}

/// A running Mosquitto on 127.0.0.1; it ends with this value.
pub struct Mosquitto {
    process: Process,
    port: u16,
    dir: TempDir,
}

impl Mosquitto {
    /// Starts one that anybody may use.
    pub fn open_to_all() -> Result<Self> {
        Self::open_to_all_on(port::free()?)
    }

    /// The same on a port of the caller's choice, for a broker that comes back where it was.
    pub fn open_to_all_on(port: u16) -> Result<Self> {
        Self::start_on(port, "allow_anonymous true\n")
    }

    /// Starts one with these lines after the `listener` line.
    pub fn start(options: &str) -> Result<Self> {
        Self::start_on(port::free()?, options)
    }

    /// The same on a port of the caller's choice.
    pub fn start_on(port: u16, options: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let config = dir.path().join("mosquitto.conf");
        // Started by root it would become the user `mosquitto`, who cannot read a test's files.
        fs::write(&config, format!("user root\nlistener {port} 127.0.0.1\n{options}"))?;
        let process = serve(dir.path(), "mosquitto", &config)?;
        let mut mosquitto = Mosquitto { process, port, dir };
        mosquitto.wait_until_it_runs()?;
        Ok(mosquitto)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its configuration.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops it in its tracks: connections stay open and nothing is read or answered.
    pub fn pause(&self) -> Result<()> {
        self.process.signal("STOP")
    }

    fn wait_until_it_runs(&mut self) -> Result<()> {
        let began = Instant::now();
        while !is_running(&self.process) {
            self.process.check_running()?;
            if began.elapsed() > START_LIMIT {
                bail!("mosquitto does not run on port {} after {START_LIMIT:?}", self.port);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}
