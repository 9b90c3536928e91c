//! Debian's Mosquitto.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::port;

/// A running Mosquitto on 127.0.0.1; it ends with this value.
pub struct Mosquitto {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Mosquitto {
    /// Starts one that anybody may use.
    pub fn open_to_all() -> Result<Self> {
        Self::start("allow_anonymous true\n")
    }

    /// Starts one with these lines after the `listener` line.
    pub fn start(options: &str) -> Result<Self> {
        Self::start_on(port::free()?, options)
    }

    /// Starts one on a port of the caller's choice, for a broker that comes back where it was.
    pub fn start_on(port: u16, options: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let config = dir.path().join("mosquitto.conf");
        fs::write(&config, format!("listener {port} 127.0.0.1\n{options}"))?;
        let child = spawn(&config)?;
        let mut mosquitto = Mosquitto { child, port, dir };
        mosquitto.wait_until_it_listens()?;
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
        let status = Command::new("kill").arg("-STOP").arg(self.child.id().to_string()).status()?;
        if status.success() { Ok(()) } else { bail!("kill -STOP: {status}") }
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let began = Instant::now();
        while TcpStream::connect(port::local(self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("mosquitto ended at once: {status}");
            }
            if began.elapsed() > Duration::from_secs(10) {
                bail!("mosquitto does not listen on port {} after 10 s", self.port);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(config: &Path) -> Result<Child> {
    // Debian keeps it where a user's PATH does not look.
    let program =
        ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"].into_iter().find(|path| Path::new(path).exists());
    Command::new(program.unwrap_or("mosquitto"))
        .arg("-c")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("mosquitto does not start; `apt-get install mosquitto` (make setup does it)")
}
