//! What is installed in a vehicle: settings and package.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const CONFIG: &str = include_str!("../src/config.rs");
const EXAMPLE: &str = include_str!("../../deploy/agent/agent.toml");

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What a program says, which must succeed.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

fn package(folder: &Path) -> PathBuf {
    let mut command = Command::new(root().join("scripts/agent-deb"));
    // The tests' binary is large, and nobody sends it anywhere.
    said(command.arg(AGENT).arg(folder).env("COMPRESSION", "none")).trim().into()
}

/// Names of the settings, as the struct has them.
fn settings() -> Vec<&'static str> {
    let fields = CONFIG.split_once("pub struct Config {").unwrap().1.split_once("\n}").unwrap().0;
    let names = fields.split("    pub ").skip(1).map(|field| field.split(':').next().unwrap());
    // The first is a flag alone, the others are tables.
    names.filter(|name| !["dry_run", "cameras", "media"].contains(name)).collect()
}

#[test]
fn the_example_has_every_setting_and_no_other() {
    let example: String =
        EXAMPLE.lines().map(|line| line.strip_prefix('#').unwrap_or(line)).fold(String::new(), |text, line| match line
            .split_once(" = ")
        {
            Some((name, _)) if !name.contains(' ') => text + line + "\n",
            _ => text,
        });
    let table: toml::Table = example.parse().unwrap();
    let mut written: Vec<&str> = table.keys().map(String::as_str).collect();
    let mut known = settings();
    written.sort_unstable();
    known.sort_unstable();
    assert!(known.len() > 15, "{known:?}");
    assert_eq!(written, known);
    assert!(EXAMPLE.contains("#[[camera]]\n") && EXAMPLE.contains("#[media]\n"));
}

#[test]
fn the_package_holds_what_a_vehicle_needs() {
    let dir = tempfile::tempdir().unwrap();
    let package = package(dir.path());
    let tree = dir.path().join("tree");
    said(Command::new("dpkg-deb").arg("--extract").args([&package, &tree]));
    said(Command::new("dpkg-deb").arg("--control").args([&package, &tree.join("DEBIAN")]));
    let listed = said(Command::new("dpkg-deb").arg("--contents").arg(&package));
    assert!(listed.lines().all(|line| line.contains(" root/root ")), "{listed}");
    for (name, mode) in [
        ("usr/bin/bugbrother-agent", 0o755),
        ("lib/systemd/system/bugbrother-agent.service", 0o644),
        ("lib/udev/rules.d/60-bugbrother-agent.rules", 0o644),
        ("etc/bugbrother/agent.toml", 0o644),
        ("usr/share/doc/bugbrother-agent/agent.md", 0o644),
        ("usr/share/doc/bugbrother-agent/copyright", 0o644),
        ("DEBIAN/postinst", 0o755),
        ("DEBIAN/conffiles", 0o644),
    ] {
        let found = fs::metadata(tree.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.permissions().mode() & 0o777, mode, "{name}");
    }
    for script in ["postinst", "prerm", "postrm"] {
        said(Command::new("/bin/sh").arg("-n").arg(tree.join("DEBIAN").join(script)));
    }
    let control = fs::read_to_string(tree.join("DEBIAN/control")).unwrap();
    let architecture = said(Command::new("dpkg").arg("--print-architecture"));
    let version = env!("CARGO_PKG_VERSION");
    for part in [&format!("Architecture: {architecture}"), &format!("Version: {version}\n"), "adduser, libc6 (>= 2."] {
        assert!(control.contains(part), "{part}: {control}");
    }
    assert!(
        control.lines().filter(|line| line.contains('@')).all(|line| line.starts_with("Maintainer: ")),
        "{control}"
    );
    assert!(package.ends_with(format!("bugbrother-agent_{version}_{}.deb", architecture.trim())), "{package:?}");
    let runs = said(Command::new(tree.join("usr/bin/bugbrother-agent")).arg("--version"));
    assert_eq!(runs.trim(), format!("bugbrother-agent {version}"));
    said(Command::new("md5sum").args(["--check", "--quiet", "DEBIAN/md5sums"]).current_dir(&tree));
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
    said(command.env("DEBIAN_FRONTEND", "noninteractive"))
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
