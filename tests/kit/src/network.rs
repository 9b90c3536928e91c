//! A network of a test's own: hosts that are network namespaces, on a bridge that stands for what is between them.
//!
//! The test itself goes on in a network and mount namespace where nothing else is, as a child of its own program. Namespaces
//! have no names, so nothing has to be removed: the kernel does so when the last process in one has ended, and every process
//! that is started here ends with the one that started it, also when that is killed.

use std::{
    env,
    fs::{self, File},
    future::ready,
    io::Write,
    net::Ipv4Addr,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::NamedTempFile;

use crate::{command, process::Process, wait};

/// Says to a child that it is in namespaces of its own.
const INSIDE: &str = "BUGBROTHER_TEST_NETWORK";
const LIMIT: Duration = Duration::from_secs(30);
/// The interface of a host.
const INTERFACE: &str = "eth0";
/// The bridge, where the test is.
const BRIDGE: &str = "wan";

/// Runs the ignored test of that name, of this program, in namespaces of its own. Fails if it does, and where no namespaces
/// can be made.
pub fn run_inside(test: &str) -> Result<()> {
    let user = fs::metadata("/proc/self").context("cannot tell who runs the test")?.uid();
    ensure!(user == 0, "a test with a network of its own needs root, to make namespaces: run it as root, as CI does");
    let tried = Command::new("unshare").args(["--net", "--mount", "true"]).output().context("cannot run `unshare`")?;
    if !tried.status.success() {
        bail!(
            "a test with a network of its own needs the right to make namespaces (CAP_SYS_ADMIN, CAP_NET_ADMIN): {}",
            String::from_utf8_lossy(&tried.stderr).trim()
        );
    }
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount"])
        .arg(env::current_exe()?)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .context("cannot run `setpriv`")?;
    ensure!(status.success(), "`{test}` in a network of its own: {status}");
    Ok(())
}

/// The bridge and the names of who is on it. There is one in a process.
pub struct Network {
    names: NamedTempFile,
    length: u8,
}

impl Network {
    /// Makes the bridge, with an address for the test, in the namespaces of [`run_inside`].
    pub async fn make(address: Ipv4Addr, length: u8) -> Result<Self> {
        ensure!(env::var_os(INSIDE).is_some(), "this runs as the child of another test, in namespaces of its own");
        ip(&["link", "set", "lo", "up"]).await?;
        ip(&["link", "add", BRIDGE, "type", "bridge"]).await.context("the kernel has to know bridges")?;
        ip(&["addr", "add", &format!("{address}/{length}"), "dev", BRIDGE]).await?;
        ip(&["link", "set", BRIDGE, "up"]).await?;
        let names = NamedTempFile::new()?;
        // A database's user looks names up, too.
        fs::set_permissions(names.path(), fs::Permissions::from_mode(0o644))?;
        // Seen by this process and those that it starts.
        let mut mount = tokio::process::Command::new("mount");
        command::run(mount.args(["--bind"]).arg(names.path()).arg("/etc/hosts")).await?;
        Ok(Network { names, length })
    }

    /// A new host.
    pub async fn host(&self, name: &str, address: Ipv4Addr) -> Result<Host> {
        let keeper = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot run `setpriv`")?;
        let host = Host { name: name.to_owned(), address, keeper };
        let (own, its) = (fs::read_link("/proc/self/ns/net")?, host.namespace());
        wait::until("a host has a network of its own", LIMIT, || {
            ready(fs::read_link(&its).is_ok_and(|namespace| namespace != own).then_some(()))
        })
        .await?;
        let keeper = host.keeper.id().to_string();
        ip(&["link", "add", name, "type", "veth", "peer", "name", INTERFACE, "netns", &keeper]).await?;
        ip(&["link", "set", name, "master", BRIDGE, "up"]).await?;
        let address = format!("{address}/{}", self.length);
        for arguments in [
            &["link", "set", "lo", "up"][..],
            &["addr", "add", &address, "dev", INTERFACE],
            &["link", "set", INTERFACE, "up"],
        ] {
            command::run(tokio::process::Command::new("nsenter").arg(host.net()).arg("ip").args(arguments)).await?;
        }
        Ok(host)
    }

    /// Who is found by which name from now on; a name that is not among them is not found any more.
    pub fn name(&self, names: &[(&str, Ipv4Addr)]) -> Result<()> {
        let lines: String = names.iter().map(|(name, address)| format!("{address} {name}\n")).collect();
        // In place: what is mounted is the file, not its name.
        let mut file = File::create(self.names.path())?;
        Ok(file.write_all(format!("127.0.0.1 localhost\n{lines}").as_bytes())?)
    }

    /// Loses whatever these hosts send to each other from now on, or does not any more. All others still reach them.
    pub async fn part(&self, hosts: &[&Host], apart: bool) -> Result<()> {
        for host in hosts {
            let isolated = if apart { "on" } else { "off" };
            let mut bridge = tokio::process::Command::new("bridge");
            command::run(bridge.args(["link", "set", "dev", &host.name, "isolated", isolated])).await?;
        }
        Ok(())
    }

    /// Pulls out a host's cable, or puts it in again: what is sent to it is lost, and it cannot say goodbye.
    pub async fn unplug(&self, host: &Host, out: bool) -> Result<()> {
        ip(&["link", "set", &host.name, if out { "down" } else { "up" }]).await
    }
}

/// A network namespace with an address.
pub struct Host {
    name: String,
    address: Ipv4Addr,
    /// Keeps the namespace until its input ends.
    keeper: Child,
}

impl Host {
    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Starts a program there, as [`Process::start`] does.
    pub fn start<S: AsRef<str>>(
        &self,
        dir: &Path,
        name: &str,
        program: &Path,
        arguments: &[S],
        environment: &[(&str, &str)],
    ) -> Result<Process> {
        let program = program.to_str().context("a UTF-8 path")?;
        let enter = ["--pdeathsig", "KILL", "nsenter", &self.net(), program].map(str::to_owned);
        let arguments: Vec<String> =
            enter.into_iter().chain(arguments.iter().map(|one| one.as_ref().to_owned())).collect();
        Process::start(dir, name, Path::new("setpriv"), &arguments, environment)
    }

    /// Runs a program there to its end; what it prints.
    pub async fn run<S: AsRef<str>>(&self, program: &Path, arguments: &[S]) -> Result<String> {
        let mut command = tokio::process::Command::new("nsenter");
        command.arg(self.net()).arg(program).args(arguments.iter().map(AsRef::as_ref));
        command::run(&mut command).await
    }

    /// The option of `nsenter` that leads there.
    pub(crate) fn net(&self) -> String {
        format!("--net={}", self.namespace().display())
    }

    fn namespace(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.keeper.id()).into()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.keeper.kill());
        drop(self.keeper.wait());
    }
}

async fn ip(arguments: &[&str]) -> Result<()> {
    command::run(tokio::process::Command::new("ip").args(arguments)).await.context("ip (iproute2)")?;
    Ok(())
}
