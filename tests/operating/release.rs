use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context, Result};
use bugbrother_kit::process::program;
use serde_json::Value;

use crate::{root, run, said};

#[test]
fn every_crate_has_a_licence_that_is_allowed() {
    said(Command::new(root().join("scripts/licences")).arg("--offline"));
}

#[test]
fn a_licence_that_is_not_allowed_is_named() -> Result<()> {
    let tree = tempfile::tempdir()?;
    let strict = fs::read_to_string(root().join("deny.toml"))?.replace("    \"Unicode-3.0\",\n", "");
    fs::write(tree.path().join("deny.toml"), strict)?;
    fs::create_dir(tree.path().join("scripts"))?;
    fs::copy(root().join("scripts/licences"), tree.path().join("scripts/licences"))?;
    let manifest = root().join("Cargo.toml");
    let mut command = Command::new(tree.path().join("scripts/licences"));
    let (success, told) = run(command.arg("--offline").arg("--manifest-path").arg(manifest));
    assert!(!success && told.contains("Unicode-3.0"), "{told}");
    Ok(())
}

#[test]
fn what_a_program_is_made_of_is_whole() -> Result<()> {
    let output = Command::new(root().join("scripts/sbom")).args(["bugbrother-agent", "--offline"]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bill: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let parts = bill["components"].as_array().context("components")?;
    let names: BTreeSet<_> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
    assert!(names.contains("rumqttc") && names.contains("bugbrother-wire"), "{names:?}");
    assert!(!names.contains("proptest"), "what tests alone need is not in the program");
    let known: BTreeSet<_> =
        parts.iter().chain([&bill["metadata"]["component"]]).map(|part| part["bom-ref"].as_str()).collect();
    for line in bill["dependencies"].as_array().context("dependencies")? {
        assert!(known.contains(&line["ref"].as_str()), "{line}");
        for other in line["dependsOn"].as_array().context("dependsOn")? {
            assert!(known.contains(&other.as_str()), "{other}");
        }
    }
    let foreign = parts.iter().filter(|part| part["name"].as_str().is_some_and(|name| !name.starts_with("bugbrother")));
    for part in foreign {
        assert_eq!(part["hashes"].as_array().map(Vec::len), Some(1), "{part}");
        assert_eq!(part["licenses"].as_array().map(Vec::len), Some(1), "{part}");
    }
    Ok(())
}

/// The versions that CHANGELOG.md says were released.
fn versions() -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(root().join("CHANGELOG.md"))?;
    let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
    Ok(headings.filter(|heading| *heading != "Unreleased").map(str::to_owned).collect())
}

fn names_in(folder: &str) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(root().join(folder)).with_context(|| folder.to_owned())?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().trim_end_matches(".json").to_owned())).collect()
}

#[test]
fn of_every_version_that_was_released_its_messages_and_its_database_are_kept() -> Result<()> {
    assert_eq!(names_in("crates/wire/tests/released")?, versions()?);
    assert_eq!(names_in("crates/store/tests/released")?, versions()?);
    Ok(())
}

#[test]
fn a_version_of_which_nothing_is_kept_is_not_released() -> Result<()> {
    let tree = tempfile::tempdir()?;
    fs::create_dir(tree.path().join("scripts"))?;
    fs::copy(root().join("scripts/release"), tree.path().join("scripts/release"))?;
    fs::write(tree.path().join("Cargo.toml"), "[workspace.package]\nversion = \"9.9.9\"\n")?;
    fs::write(tree.path().join("CHANGELOG.md"), "# Changes\n\n## Unreleased\n")?;
    let mut command = Command::new(tree.path().join("scripts/release"));
    command.env("SOURCE_DATE_EPOCH", "1790000000");
    let (success, told) = run(&mut command);
    assert!(!success && told.contains("crates/wire/tests/released/9.9.9 is missing"), "{told}");
    fs::create_dir_all(tree.path().join("crates/wire/tests/released/9.9.9"))?;
    fs::create_dir_all(tree.path().join("crates/store/tests/released"))?;
    fs::write(tree.path().join("crates/store/tests/released/9.9.9.json"), "{}")?;
    let (success, told) = run(&mut command);
    assert!(!success && told.contains("CHANGELOG.md says nothing of 9.9.9"), "{told}");
    Ok(())
}

#[test]
fn what_a_version_writes_is_kept_once() -> Result<()> {
    let tree = tempfile::tempdir()?;
    let at = |name: &str| tree.path().join(name);
    for folder in ["scripts", "crates/wire/tests/golden", "crates/wire/tests/released", "crates/store/tests/released"] {
        fs::create_dir_all(at(folder))?;
    }
    fs::copy(root().join("scripts/freeze"), at("scripts/freeze"))?;
    fs::write(at("Cargo.toml"), "[workspace.package]\nversion = \"9.9.9\"\n")?;
    fs::write(at("crates/wire/tests/golden/ack.msgpack"), "ack")?;
    fs::write(at("crates/wire/tests/golden/live-hello.msgpack"), "of the feed")?;
    let data = at("data");
    let add = ["vehicle", "add", "WVWZZZ1JZ3W386752", "--name", "L'Été"];
    said(Command::new(program("bugbrother")?).arg("--data").arg(&data).args(add));
    let mut freeze = Command::new(at("scripts/freeze"));
    said(freeze.arg(&data));
    assert_eq!(fs::read_dir(at("crates/wire/tests/released/9.9.9"))?.count(), 1, "the feed is of one version");
    let kept: Value = serde_json::from_str(&fs::read_to_string(at("crates/store/tests/released/9.9.9.json"))?)?;
    let tables = kept["tables"].as_array().context("tables")?;
    let place = |name: &str| tables.iter().position(|table| table["table"] == name).with_context(|| name.to_owned());
    assert!(place("vehicle")? < place("enrolment")?, "what others refer to comes first");
    assert!(tables[place("vehicle")?]["rows"].to_string().contains("L'Été"));
    assert!(kept["migrations"].as_object().context("migrations")?.len() > 16, "{}", kept["migrations"]);
    let (again, told) = run(&mut freeze);
    assert!(!again && told.contains("something is kept already"), "{told}");
    Ok(())
}

/// Small programs in the place of ours, whose size would take a minute to compress: the script is tried, not they.
fn release(folder: &Path, more: &[(&str, &str)]) -> Result<String> {
    let programs = folder.join("programs");
    fs::create_dir_all(&programs)?;
    for name in ["bugbrother", "bugbrother-agent"] {
        fs::copy("/bin/true", programs.join(name))?;
    }
    let mut command = Command::new(root().join("scripts/release"));
    command.arg(folder.join("release")).env("BUGBROTHER_PROGRAMS", &programs).env("SOURCE_DATE_EPOCH", "1790000000");
    command.env("CARGO_NET_OFFLINE", "true").env("COMPRESSION", "none").envs(more.iter().copied());
    said(&mut command);
    Ok(fs::read_to_string(folder.join("release/SHA256SUMS"))?)
}

#[test]
fn a_release_is_summed_and_signed_and_the_same_each_time() -> Result<()> {
    program("bugbrother")?;
    let (one, two) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let keys = tempfile::tempdir()?;
    let home = keys.path().display().to_string();
    let mut make = Command::new("gpg");
    make.args(["--homedir", &home, "--batch", "--passphrase", "", "--quick-generate-key", "release@example.org"]);
    said(make.args(["ed25519", "sign", "never"]));
    let first = release(one.path(), &[("BUGBROTHER_SIGN", "gpg:release@example.org"), ("GNUPGHOME", &home)])?;
    let second = release(two.path(), &[])?;
    assert_eq!(first, second, "the same programs give the same bytes");
    let folder = one.path().join("release");
    for ending in ["amd64.deb", "arm64.deb", "linux-amd64.tar.gz", "linux-arm64.tar.gz", ".cdx.json"] {
        let here = said(Command::new("dpkg").arg("--print-architecture"));
        if ending.contains(here.trim()) || ending == ".cdx.json" {
            assert_eq!(
                first.lines().filter(|line| line.ends_with(ending)).count(),
                if ending.contains("linux") { 1 } else { 2 },
                "{first}"
            );
        }
    }
    said(Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&folder));
    let mut verify = Command::new("gpg");
    verify.args(["--homedir", &home, "--batch", "--verify", "SHA256SUMS.asc", "SHA256SUMS"]).current_dir(&folder);
    said(&mut verify);
    fs::write(folder.join("SHA256SUMS"), first.replacen('a', "b", 1))?;
    assert!(!run(&mut verify).0, "a sum that was changed");
    said(Command::new("gpgconf").args(["--homedir", &home, "--kill", "all"]));
    Ok(())
}
