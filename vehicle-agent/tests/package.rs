//! What is installed in a vehicle: settings, unit, package.
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

/// Names of the settings, as the struct has them.
fn settings() -> Vec<&'static str> {
    let fields = CONFIG.split_once("pub struct Config {").unwrap().1.split_once("\n}").unwrap().0;
    let names = fields.split("    pub ").skip(1).map(|field| field.split(':').next().unwrap());
    // This one is a flag alone.
    names.filter(|name| *name != "dry_run").collect()
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
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_keeps_little_open() {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root().join("deploy/agent/bugbrother-agent.service")).unwrap();
    // The program is where this build has put it.
    let unit = dir.path().join("bugbrother-agent.service");
    fs::write(&unit, text.replace("/usr/bin/bugbrother-agent", AGENT)).unwrap();
    let verified = said(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    // What this version of systemd does not know would be said here.
    let about_us: Vec<&str> = verified.lines().filter(|line| line.contains("bugbrother-agent")).collect();
    let only_newer = |line: &&str| line.contains("RestartSteps") || line.contains("RestartMaxDelaySec");
    assert!(about_us.iter().all(only_newer), "{verified}");
    let exposure =
        said(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=25"]).arg(&unit));
    assert!(exposure.contains("Overall exposure level"), "{exposure}");
}

#[test]
fn the_package_holds_what_a_vehicle_needs() {
    let dir = tempfile::tempdir().unwrap();
    let path = |path: PathBuf| path.display().to_string();
    let script = path(root().join("scripts/agent-deb"));
    let made = said(Command::new(script).args([AGENT, "arm64"]).arg(dir.path()));
    let package = made.trim();
    assert!(package.ends_with("_arm64.deb"), "{package}");
    let tree = dir.path().join("tree");
    said(Command::new("dpkg-deb").args(["--extract", package]).arg(&tree));
    said(Command::new("dpkg-deb").args(["--control", package]).arg(tree.join("DEBIAN")));
    for (name, mode) in [
        ("usr/bin/bugbrother-agent", 0o755),
        ("lib/systemd/system/bugbrother-agent.service", 0o644),
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
    assert!(control.contains("Architecture: arm64"), "{control}");
    assert!(!control.contains("@VERSION@") && !control.contains("@ARCHITECTURE@"), "{control}");
    said(Command::new("md5sum").args(["--check", "--quiet", "DEBIAN/md5sums"]).current_dir(&tree));
}
