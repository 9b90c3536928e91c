use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use bugbrother_kit::process::program;

use crate::{root, said};

/// Makes a package of a program.
pub(crate) fn package(script: &str, binary: &str, folder: &Path) -> Result<PathBuf> {
    let mut command = Command::new(root().join("scripts").join(script));
    // The tests' binary is large, and nobody sends it anywhere.
    let made = said(command.arg(program(binary)?).arg(folder).env("COMPRESSION", "none"));
    Ok(made.trim().into())
}

#[test]
fn the_package_holds_what_a_server_needs_and_its_units_are_sound() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let package = package("server-deb", "bugbrother", dir.path())?;
    let tree = dir.path().join("tree");
    said(Command::new("dpkg-deb").arg("--extract").args([&package, &tree]));
    said(Command::new("dpkg-deb").arg("--control").args([&package, &tree.join("DEBIAN")]));
    let listed = said(Command::new("dpkg-deb").arg("--contents").arg(&package));
    assert!(listed.lines().all(|line| line.contains(" root/root ")), "{listed}");
    for name in [
        "usr/bin/bugbrother",
        "usr/sbin/bugbrotherctl",
        "lib/systemd/system/bugbrother-server.service",
        "lib/systemd/system/bugbrother-server@.service",
        "usr/share/doc/bugbrother-server/operating.md",
        "usr/share/doc/bugbrother-server/examples/prometheus/alerts.yml",
        "usr/share/doc/bugbrother-server/copyright",
    ] {
        assert!(tree.join(name).is_file(), "{name}");
    }
    for script in ["DEBIAN/postinst", "DEBIAN/prerm", "DEBIAN/postrm", "usr/sbin/bugbrotherctl"] {
        said(Command::new("/bin/sh").arg("-n").arg(tree.join(script)));
    }
    let control = fs::read_to_string(tree.join("DEBIAN/control"))?;
    assert!(control.contains(&format!("Version: {}\n", env!("CARGO_PKG_VERSION"))), "{control}");
    assert!(!control.replace("maintainers@example.org", "").contains('@'), "{control}");
    said(Command::new("md5sum").args(["--check", "--quiet", "DEBIAN/md5sums"]).current_dir(&tree));
    for unit in ["bugbrother-server.service", "bugbrother-server@.service"] {
        let path = root().join("deploy/server").join(unit);
        let judged =
            said(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(&path));
        assert!(judged.contains("Overall exposure level"), "{judged}");
        // Settings that this systemd does not know yet are no mistake; others are.
        let (_, told) = crate::run(Command::new("systemd-analyze").arg("verify").arg(&path));
        let is_known = |line: &str| {
            ["RestartSteps", "RestartMaxDelaySec", "is not executable", "not found"]
                .iter()
                .any(|word| line.contains(word))
        };
        let told: Vec<_> = told.lines().filter(|line| line.contains("bugbrother-server") && !is_known(line)).collect();
        assert!(told.is_empty(), "{told:?}");
    }
    Ok(())
}
