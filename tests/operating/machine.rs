//! A Debian as its installer leaves it, with systemd, in namespaces of its own: nobody sees its ports, and nothing of it is left.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{run, said};

/// To be up, on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);
/// What an installer puts there beside the essential: the init system, and what this test asks with.
const BESIDE: &str = "systemd,systemd-sysv,sudo,curl";

/// Makes the system once, below target/, and fetches what `packages` (names, or files in `files`) need, so that they can be
/// installed without a network: the machine has none.
const FETCH: &str = r#"
set -eu
mkdir -p "$1/files"
mount --bind "$2" "$1/files"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
cp /etc/resolv.conf "$1/etc/resolv.conf"
get() { chroot "$1" sh -c "apt-get -q -y --download-only install $2"; }
get "$1" "$3" || { chroot "$1" apt-get -q update && get "$1" "$3"; }
"#;

/// The system itself stays as it is: what is written goes into memory.
const BOOT: &str = r#"
set -eu
mount -t tmpfs -o size=6g tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cp "$3"/* "$2/root/root/"
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --machine=fleet --hostname=fleet \
    --resolv-conf=off --timezone=off --link-journal=no --console=pipe --directory="$2/root" --boot
"#;

/// The name of this system's release, which programs that are built here run on; a Debian's of another, its newest stable.
fn suite() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release")?;
    let of = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"'));
    let own = (of("ID=") == Some("debian")).then(|| of("VERSION_CODENAME=")).flatten();
    Ok(own.unwrap_or("bookworm").to_owned())
}

/// The empty system, made at the first call.
fn system() -> Result<PathBuf> {
    let suite = suite()?;
    let folder = env::current_exe()?.ancestors().nth(3).context("target")?.join("debian");
    let made = folder.join(&suite);
    if !made.exists() {
        let part = folder.join(format!("{suite}.part"));
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        fs::create_dir_all(&folder)?;
        let mirror = env::var("BUGBROTHER_DEBIAN").unwrap_or_else(|_| "http://deb.debian.org/debian".to_owned());
        // In a namespace of its own: what it mounts goes with it.
        let mut command = Command::new("unshare");
        command.args(["--mount", "debootstrap", "--variant=minbase", &format!("--include={BESIDE}"), &suite]);
        said(command.arg(&part).arg(mirror));
        // What an installer writes and debootstrap does not.
        fs::write(part.join("etc/hostname"), "fleet\n")?;
        fs::write(part.join("etc/hosts"), "127.0.0.1 localhost\n127.0.1.1 fleet\n::1 localhost ip6-localhost\n")?;
        // As who answers yes, on a disk that need not survive a power cut.
        fs::write(part.join("etc/apt/apt.conf.d/90test"), "APT::Get::Assume-Yes \"true\";\n")?;
        fs::write(part.join("etc/dpkg/dpkg.cfg.d/90test"), "force-unsafe-io\n")?;
        said(Command::new("chroot").arg(&part).args(["apt-get", "-q", "update"]));
        fs::rename(&part, &made)?;
    }
    Ok(made)
}

/// A machine that runs, until this value goes.
pub(crate) struct Machine {
    nspawn: Child,
    /// Its init, as this system counts processes.
    init: u32,
    folder: tempfile::TempDir,
}

impl Machine {
    /// Boots one with all that is in `files` in root's folder, and with these packages at hand and what they need, but not
    /// installed; `/files/NAME` is one of `files`.
    pub(crate) fn boot(files: &Path, packages: &[String]) -> Result<Machine> {
        let system = system()?;
        let mut fetch = Command::new("unshare");
        fetch.args(["--mount", "/bin/sh", "-c", FETCH, "sh"]).arg(&system).arg(files).arg(packages.join(" "));
        said(fetch.env("DEBIAN_FRONTEND", "noninteractive"));

        let folder = tempfile::tempdir()?;
        let log = fs::File::create(folder.path().with_extension("log"))?;
        let mut boot = Command::new("unshare");
        boot.args(["--mount", "/bin/sh", "-c", BOOT, "sh"]).arg(&system).arg(folder.path()).arg(files);
        let nspawn = boot.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut machine = Machine { nspawn, init: 0, folder };
        let began = Instant::now();
        machine.init = machine.wait_for(began, "an init", |machine| machine.child())?;
        machine.wait_for(began, "a system that is up", |machine| {
            let (_, state) = machine.run("systemctl is-system-running");
            // A unit of the system that cannot do its work in a container is not this test's matter.
            ["running", "degraded"].contains(&state.trim()).then_some(())
        })?;
        Ok(machine)
    }

    fn wait_for<T>(
        &mut self,
        began: Instant,
        what: &str,
        mut look: impl FnMut(&mut Machine) -> Option<T>,
    ) -> Result<T> {
        loop {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            let log = self.log();
            let told = || fs::read_to_string(&log).unwrap_or_default();
            ensure!(self.nspawn.try_wait()?.is_none(), "the machine has ended: {}", told());
            ensure!(began.elapsed() < LIMIT, "waited in vain for {what}: {}", told());
            sleep(LOOK);
        }
    }

    /// The process that systemd-nspawn, into which the shell has turned, has as its only child.
    fn child(&mut self) -> Option<u32> {
        let id = self.nspawn.id();
        let comm = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        let child: u32 = children.split_whitespace().next()?.parse().ok()?;
        let is_init = fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == "systemd");
        (comm.trim() == "systemd-nspawn" && is_init).then_some(child)
    }

    /// What its console shows.
    fn log(&self) -> PathBuf {
        self.folder.path().with_extension("log")
    }

    /// Runs a line as root's shell would; what it said, and whether it succeeded.
    pub(crate) fn run(&self, line: &str) -> (bool, String) {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init.to_string(), "--mount", "--uts", "--ipc", "--net", "--pid", "--root"]);
        command.args(["/usr/bin/env", "-i", "HOME=/root", "LANG=C.UTF-8"]);
        command.args(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb"]);
        command.args(["DEBIAN_FRONTEND=noninteractive", "/bin/sh", "-c", &format!("cd /root && {line}")]);
        run(command.stdin(Stdio::null()))
    }

    /// The same of one that must succeed.
    pub(crate) fn say(&self, line: &str) -> String {
        let (success, told) = self.run(line);
        assert!(success, "{line}: {told}\n{}", self.run("journalctl --no-pager -n 100").1);
        told
    }

    /// Waits until a line says something that is wanted.
    pub(crate) fn until<T>(&self, line: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let began = Instant::now();
        loop {
            let (_, told) = self.run(line);
            if let Some(found) = wanted(&told) {
                return Ok(found);
            }
            ensure!(began.elapsed() < LIMIT, "{line}: {told}\n{}", self.run("journalctl --no-pager -n 100").1);
            sleep(LOOK);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its init takes everything along; what is mounted goes with the namespace.
        if self.init != 0 {
            drop(Command::new("kill").args(["-KILL", &self.init.to_string()]).status());
        }
        drop(self.nspawn.kill());
        drop(self.nspawn.wait());
        drop(fs::remove_file(self.log()));
    }
}
