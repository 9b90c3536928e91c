//! A program of ours, as a process.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::wait;

/// Where the workspace's programs are built: beside the running test.
pub fn program(name: &str) -> Result<PathBuf> {
    let test = env::current_exe()?;
    // target/debug/deps/test-1234 → target/debug/name
    let path = test.ancestors().nth(2).context("a test lies in target/PROFILE/deps")?.join(name);
    if !path.exists() {
        bail!("`{}` is not built; run `cargo build --workspace --bins` first (make test does)", path.display());
    }
    Ok(path)
}

/// A running program; it is killed with this value.
pub struct Process {
    name: String,
    child: Child,
    out: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; what it prints and logs goes to files in `dir` called after `name`.
    pub fn start<S: AsRef<std::ffi::OsStr>>(
        dir: &Path,
        name: &str,
        program: &Path,
        arguments: &[S],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let (out, log) = (dir.join(format!("{name}.out")), dir.join(format!("{name}.log")));
        let append = |path: &Path| File::options().create(true).append(true).open(path);
        let child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(append(&out)?)
            .stderr(append(&log)?)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.display()))?;
        Ok(Process { name: name.to_owned(), child, out, log })
    }

    /// What it has printed so far, and those of its name before it.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What it has logged so far, and those of its name before it.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kill -9: no farewell of any kind.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status()?;
        if status.success() { Ok(()) } else { bail!("{}: kill -{signal}: {status}", self.name) }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.ended(limit).await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let (child, name) = (&mut self.child, &self.name);
        let ended =
            wait::until(&format!("{name} ends"), limit, || std::future::ready(child.try_wait().transpose())).await;
        match ended {
            Ok(status) => Ok(status?),
            Err(error) => bail!("{error}; its log:\n{}", tail(&self.logged())),
        }
    }

    /// Fails if it has ended.
    pub fn check_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended: {status}; its log:\n{}", self.name, tail(&self.logged())),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.name, tail(&self.logged()));
        }
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
