//! The Debian package: what is in it, and that it installs, upgrades and goes away again.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use bugbrother_agent::Config;

const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn run(command: &mut Command) -> String {
    let Output { stdout, stderr, status } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(status.success(), "{command:?}: {text}");
    text
}

fn package(folder: &Path) -> PathBuf {
    let mut command = Command::new(root().join("scripts/agent-deb"));
    // The tests' binary is large, and nobody sends it anywhere.
    run(command.arg(AGENT).arg(folder).env("COMPRESSION", "none")).trim().into()
}

#[test]
fn the_package_has_what_it_should_and_everything_is_roots() {
    let dir = tempfile::tempdir().unwrap();
    let package = package(dir.path());
    let listed = run(Command::new("dpkg-deb").arg("--contents").arg(&package));
    for line in listed.lines() {
        assert!(line.contains(" root/root "), "{line}");
        assert!(
            line.starts_with("drwxr-xr-x") || line.starts_with("-rw-r--r--") || line.contains("/usr/bin/"),
            "{line}"
        );
    }
    let files = listed.lines().filter(|line| line.starts_with('-')).filter_map(|line| line.split(" ./").nth(1));
    let expected = [
        "etc/bugbrother/agent.toml",
        "lib/systemd/system/bugbrother-agent.service",
        "lib/udev/rules.d/60-bugbrother-agent.rules",
        "usr/bin/bugbrother-agent",
        "usr/share/doc/bugbrother-agent/agent.md",
        "usr/share/doc/bugbrother-agent/changelog.gz",
        "usr/share/doc/bugbrother-agent/copyright",
        "usr/share/lintian/overrides/bugbrother-agent",
    ];
    assert_eq!(files.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    let control = run(Command::new("dpkg-deb").arg("--field").arg(&package));
    for part in [concat!("Version: ", env!("CARGO_PKG_VERSION")), "libc6 (>= 2.", "adduser", "libgcc-s1"] {
        assert!(control.contains(part), "{part}: {control}");
    }
    assert!(
        control.lines().filter(|line| line.contains('@')).all(|line| line.starts_with("Maintainer: ")),
        "{control}"
    );
    let unpacked = dir.path().join("unpacked");
    run(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&unpacked));
    let version = run(Command::new(unpacked.join("usr/bin/bugbrother-agent")).arg("--version"));
    assert_eq!(version.trim(), concat!("bugbrother-agent ", env!("CARGO_PKG_VERSION")));
}

/// Runs a script on a copy of this system that nobody else sees, and that is gone afterwards.
fn elsewhere(script: &str, package: &Path) -> String {
    let mounts = "set -eu\n\
         mount -t tmpfs tmpfs /mnt\n\
         mkdir /mnt/upper /mnt/work /mnt/root\n\
         mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root\n\
         mount -t proc proc /mnt/root/proc\n\
         mount --bind /dev /mnt/root/dev\n\
         cp \"$1\" /mnt/root/package.deb\n\
         exec chroot /mnt/root /bin/sh -euc \"$2\"\n";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "/bin/sh", "-c", mounts, "sh"]).arg(package).arg(script);
    run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

#[test]
fn it_is_installed_upgraded_removed_and_purged() {
    let dir = tempfile::tempdir().unwrap();
    let said = elsewhere(
        "dpkg -i /package.deb
         stat -c '%U %a' /var/lib/bugbrother-agent
         id -u bugbrother >/dev/null
         echo kept >/var/lib/bugbrother-agent/outbox.db
         echo '# mine' >>/etc/bugbrother/agent.toml
         dpkg -i /package.deb
         dpkg -r bugbrother-agent
         tail -n 1 /etc/bugbrother/agent.toml
         cat /var/lib/bugbrother-agent/outbox.db
         dpkg -P bugbrother-agent
         [ ! -e /var/lib/bugbrother-agent ] && [ ! -e /etc/bugbrother ] && echo gone",
        &package(dir.path()),
    );
    let lines: Vec<&str> = said.lines().collect();
    for line in ["bugbrother 700", "# mine", "kept", "gone"] {
        assert!(lines.contains(&line), "`{line}` is missing: {said}");
    }
}

/// The names of all settings, as whoever writes an unknown one is told.
fn settings() -> BTreeSet<String> {
    let error = toml::from_str::<Config>("no_such_setting = 1").unwrap_err().to_string();
    error.split('`').skip(1).step_by(2).filter(|name| *name != "no_such_setting").map(str::to_owned).collect()
}

#[test]
fn the_example_names_every_setting_with_a_value_that_is_taken() {
    let example = fs::read_to_string(root().join("deploy/agent/agent.toml")).unwrap();
    let base = "broker = 'mqtts://localhost:8883'\noutbox = 'outbox.db'\n";
    let mut named = BTreeSet::new();
    for line in example.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()) {
        let line = line.trim_start_matches('#');
        let name = line.split(" = ").next().unwrap();
        let rest: String =
            base.lines().filter(|other| !other.starts_with(name)).flat_map(|line| [line, "\n"]).collect();
        toml::from_str::<Config>(&format!("{rest}{line}")).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(named.insert(name.to_owned()), "{name} is there twice");
    }
    assert!(settings().len() > 20);
    assert_eq!(named, settings());
}
