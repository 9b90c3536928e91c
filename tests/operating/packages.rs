use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use bugbrother_kit::process::program;
use bugbrother_simulator::Drive;

use crate::{root, said};

fn package(script: &str, binary: &str, folder: &Path) -> Result<PathBuf> {
    let mut command = Command::new(root().join("scripts").join(script));
    // The tests' binary is large, and nobody sends it anywhere.
    let made = said(command.arg(program(binary)?).arg(folder).env("COMPRESSION", "none"));
    Ok(made.trim().into())
}

/// Runs a script on a copy of this system, with a network of its own, that nobody else sees and that is gone afterwards.
fn elsewhere(script: &str, files: &Path) -> String {
    let mounts = "set -eu\n\
         mount -t tmpfs tmpfs /mnt\n\
         mkdir /mnt/upper /mnt/work /mnt/root\n\
         mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root\n\
         mount -t proc proc /mnt/root/proc\n\
         mount --bind /dev /mnt/root/dev\n\
         mkdir /mnt/root/files\n\
         cp \"$1\"/* /mnt/root/files/\n\
         ip link set lo up\n\
         exec chroot /mnt/root /bin/sh -euc \"$2\"\n";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--net", "--fork", "--kill-child", "/bin/sh", "-c", mounts, "sh"]);
    said(command.arg(files).arg(script).env("DEBIAN_FRONTEND", "noninteractive").env_remove("BUGBROTHER_CONFIG"))
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

/// `docs/operating.md`, in five minutes, with a vehicle at the end: without systemd and without a proxy, which this copy of a
/// system has not.
const INSTALL: &str = r#"
dpkg -i /files/*.deb
cd /
stat -c '%U %a' /var/lib/bugbrother-server /etc/bugbrother-server
bugbrotherctl init single --name localhost
stat -c '%U %a %n' /etc/bugbrother-server/server.toml
sed -i 's/^public_url/#public_url/' /etc/bugbrother-server/server.toml
bugbrotherctl doctor || true
bugbrotherctl up >/dev/null 2>/log &
server=$!
until curl -fsS http://127.0.0.1:9464/readyz 2>/dev/null; do kill -0 $server || { cat /log; exit 1; }; sleep 0.1; done
curl -fsS http://127.0.0.1:9464/metrics | grep '^bugbrother_ingest_healthy'
bugbrotherctl doctor
password=$(bugbrotherctl user password admin | sed -n 's/^password *//p' | cut -d' ' -f1)
code=$(bugbrotherctl vehicle add WVWZZZ1JZ3W386752 --name 'Van 12' | sed -n 's/^code *//p' | cut -d' ' -f1)
bugbrother-agent enroll http://127.0.0.1:8080 "$code" --dir /identity
bugbrother-agent --identity /identity --gps file:/files/drive.nmea@max --obd none --exit-when-done 2>/agent || { cat /agent; exit 1; }
token=$(curl -fsS -H 'x-bugbrother-client: program' --json "{\"name\":\"admin\",\"password\":\"$password\"}" \
    http://127.0.0.1:8080/api/frontend/session | jq -r .token)
curl -fsS -H "authorization: Bearer $token" http://127.0.0.1:8080/api/frontend/vehicles | jq -r '.vehicles[] | "on the map: \(.name)"'
bugbrotherctl export vehicle WVWZZZ1JZ3W386752 --signals lat,lon | sed 1d | wc -l | sed 's/^/positions: /'
kill $server; wait $server
echo '# mine' >>/etc/bugbrother-server/server.toml
dpkg -i /files/bugbrother-server_*.deb
bugbrotherctl export vehicle WVWZZZ1JZ3W386752 --signals lat,lon | sed 1d | wc -l | sed 's/^/after the upgrade: /'
dpkg -r bugbrother-server
tail -n 1 /etc/bugbrother-server/server.toml
dpkg -P bugbrother-server
[ ! -e /var/lib/bugbrother-server ] && [ ! -e /etc/bugbrother-server ] && echo gone
grep -E 'ERROR|panicked' /log || echo 'a clean log'
"#;

#[test]
fn the_documented_install_leads_to_a_vehicle_on_the_map_and_a_purge_leaves_nothing() -> Result<()> {
    let dir = tempfile::tempdir()?;
    package("server-deb", "bugbrother", dir.path())?;
    package("agent-deb", "bugbrother-agent", dir.path())?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let drive = Drive {
        seed: 11,
        duration: Duration::from_secs(60),
        start: i64::try_from(now)? - 90_000,
        rate_hz: 1,
        damaged: false,
    };
    let log = drive.log();
    fs::write(dir.path().join("drive.nmea"), &log.bytes)?;
    let said = elsewhere(INSTALL, dir.path());
    let lines: Vec<&str> = said.lines().collect();
    for line in [
        "bugbrother-server 700",
        "bugbrother-server 750",
        "bugbrother-server 600 /etc/bugbrother-server/server.toml",
        "ok",
        "bugbrother_ingest_healthy 1",
        "on the map: Van 12",
        &format!("positions: {}", log.valid_fixes),
        &format!("after the upgrade: {}", log.valid_fixes),
        "# mine",
        "gone",
        "a clean log",
    ] {
        assert!(lines.contains(&line), "`{line}` is missing: {said}");
    }
    let bad: Vec<_> = lines.iter().filter(|line| line.starts_with("BAD ")).collect();
    assert!(bad.is_empty(), "{bad:?}");
    Ok(())
}
