//! An RTSP camera: GStreamer's server, with Debian's interpreter.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(60);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rtsp_server.py");

/// A camera on a port of this machine; it ends with this value.
pub struct Camera {
    port: u16,
    child: Child,
}

impl Camera {
    /// With streams as `rtsp_server.py` has them, on a free port. `arguments` are its own.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        // GStreamer's bindings are not there for any other interpreter.
        let mut child = Command::new("/usr/bin/python3")
            .arg(SCRIPT)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("/usr/bin/python3 is missing")?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is a pipe")?).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.context("the RTSP server does not start")??;
        let Some(line) = line else {
            let mut why = String::new();
            child.stderr.take().context("its errors are a pipe")?.read_to_string(&mut why).await?;
            bail!("the RTSP server needs the Debian packages that {SCRIPT} names (scripts/setup test): {why}");
        };
        let port = line.strip_prefix("ready ").context("it says its port")?.parse()?;
        Ok(Camera { port, child: child })
    }

    /// The same on a port that one had before it.
    pub async fn start_on(port: u16, arguments: &[&str]) -> Result<Self> {
        let port = port.to_string();
        Self::start(&[&["--port", &port], arguments].concat()).await
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// URL of one of its streams, such as `/h264`.
    pub fn url(&self, path: &str) -> String {
        format!("rtsp://127.0.0.1:{}{path}", self.port)
    }

    /// Ends it, and waits for that: its port is free then.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}
