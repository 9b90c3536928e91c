use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_simulator::Drive;
use bugbrother_wire::api::VehicleList;
use serde_json::Value;

use crate::{machine::Machine, packages::package, root, said};

/// A name that has an address on every machine, and for which Caddy makes a certificate by itself.
const NAME: &str = "fleet.localhost";

/// The lines that a section of docs/operating.md tells one to type, one list for each block, for this machine.
fn blocks(section: &str) -> Result<Vec<Vec<String>>> {
    let text = fs::read_to_string(root().join("docs/operating.md"))?;
    let of = text.split("\n## ").find(|part| part.starts_with(&format!("{section}\n"))).context("the section")?;
    let architecture = said(Command::new("dpkg").arg("--print-architecture"));
    let here = |line: &str| {
        let line = line.replace("fleet.example.org", NAME);
        ["amd64", "arm64"]
            .iter()
            .fold(line, |line, other| line.replace(&format!("_{other}.deb"), &format!("_{}.deb", architecture.trim())))
    };
    let blocks = of.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    Ok(blocks.map(|block| block.lines().filter_map(|line| line.strip_prefix("$ ")).map(here).collect()).collect())
}

/// What stands behind a word at the beginning of a line.
fn told(text: &str, word: &str) -> Result<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(word)).with_context(|| format!("{word}: {text}"))?;
    Ok(line.split_whitespace().next().context("nothing behind it")?.to_owned())
}

/// Who vouches for the proxy in the place of an authority that everybody knows.
fn trust_the_proxy(machine: &Machine) -> Result<()> {
    let made = "cat /var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt";
    let certificate = machine.until(made, |told| told.contains("BEGIN CERTIFICATE").then(|| told.to_owned()))?;
    machine.say(&format!("cat >/usr/local/share/ca-certificates/proxy.crt <<'END'\n{certificate}\nEND"));
    machine.say("update-ca-certificates");
    machine.until(&format!("curl -fsS https://{NAME}/healthz"), |told| told.contains("\"store\"").then_some(()))
}

/// A person who has signed in.
fn token(machine: &Machine, password: &str) -> Result<String> {
    let body = serde_json::json!({ "name": "admin", "password": password });
    let line =
        format!("curl -fsS -H 'x-bugbrother-client: program' --json '{body}' https://{NAME}/api/frontend/session");
    let session: Value = serde_json::from_str(&machine.say(&line))?;
    session["token"].as_str().map(str::to_owned).context("a token")
}

fn positions(machine: &Machine) -> Result<usize> {
    let csv = machine.say("bugbrotherctl export vehicle WVWZZZ1JZ3W386752 --signals lat,lon");
    csv.lines().count().checked_sub(1).context("a heading")
}

/// The same package, as the next version is.
fn next_version(folder: &Path, version: &str) -> Result<()> {
    let architecture = said(Command::new("dpkg").arg("--print-architecture"));
    let name = |version: &str| format!("bugbrother-server_{version}_{}.deb", architecture.trim());
    let tree = tempfile::tempdir()?;
    said(Command::new("dpkg-deb").arg("--raw-extract").arg(folder.join(name(version))).arg(tree.path().join("tree")));
    let control = tree.path().join("tree/DEBIAN/control");
    let text = fs::read_to_string(&control)?;
    fs::write(&control, text.replace(&format!("Version: {version}\n"), &format!("Version: {version}+next\n")))?;
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Znone", "--build"]).arg(tree.path().join("tree"));
    said(build.arg(folder.join(name("NEW"))));
    Ok(())
}

#[test]
fn the_documented_install_leads_from_an_empty_debian_to_a_vehicle_on_the_map() -> Result<()> {
    let files = tempfile::tempdir()?;
    let server = package("server-deb", "bugbrother", files.path())?;
    let agent = package("agent-deb", "bugbrother-agent", files.path())?;
    next_version(files.path(), env!("CARGO_PKG_VERSION"))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let (seconds, start) = (Duration::from_secs(60), i64::try_from(now)? - 90_000);
    let log = Drive { seed: 11, duration: seconds, start, rate_hz: 1, damaged: false }.log();
    fs::write(files.path().join("drive.nmea"), &log.bytes)?;

    let at = |path: &Path| path.file_name().map(|name| format!("/files/{}", name.to_string_lossy())).context("a name");
    let machine = Machine::boot(files.path(), &["caddy".to_owned(), at(&server)?, at(&agent)?])?;
    machine.say(&format!("echo 127.0.0.1 {NAME} >>/etc/hosts"));
    let began = Instant::now();
    let [server, vehicle] = blocks("In five minutes")?.try_into().map_err(|_| anyhow::anyhow!("two blocks"))?;
    let (mut password, mut code) = (String::new(), String::new());
    for line in &server {
        let step = Instant::now();
        if line.contains("doctor") {
            trust_the_proxy(&machine)?;
        }
        let said = machine.say(line);
        if line.contains("user password") {
            password = told(&said, "password ")?;
        } else if line.contains("vehicle add") {
            code = told(&said, "code ")?;
        } else if line.contains("doctor") {
            ensure!(!said.contains("BAD"), "{said}");
        }
        eprintln!("{:>6.1} s  {line}", step.elapsed().as_secs_f64());
    }
    let modes = machine.say("stat -c '%U %a' /var/lib/bugbrother-server /etc/bugbrother-server/server.toml");
    assert_eq!(modes, "bugbrother-server 700\nbugbrother-server 600\n");

    for line in &vehicle {
        let step = Instant::now();
        if line.contains("systemctl") {
            // A receiver in the place of the one that is plugged in.
            machine.say("install -m 644 drive.nmea /srv/drive.nmea");
            machine.say("printf 'gps = \"file:/srv/drive.nmea@max\"\\nobd = \"none\"\\n' >>/etc/bugbrother/agent.toml");
        }
        machine.say(&line.replace("7H2QK-…", &code));
        eprintln!("{:>6.1} s  {line}", step.elapsed().as_secs_f64());
    }
    let token = token(&machine, &password)?;
    let ask = format!("curl -fsS -H 'authorization: Bearer {token}' https://{NAME}/api/frontend/vehicles");
    let shown = machine.until(&ask, |told| {
        let list: VehicleList = serde_json::from_str(told).ok()?;
        list.vehicles.into_iter().find(|vehicle| vehicle.values.contains_key("lat"))
    })?;
    eprintln!("{:>6.1} s  from the first line to a vehicle on the map", began.elapsed().as_secs_f64());
    assert_eq!((shown.name.as_str(), shown.vin.as_str()), ("Van 12", "WVWZZZ1JZ3W386752"));
    assert!((-90.0..=90.0).contains(&shown.values["lat"]) && shown.values.contains_key("lon"), "{shown:?}");
    let all = "all that was driven is stored";
    machine
        .until("bugbrotherctl export vehicle WVWZZZ1JZ3W386752 --signals lat,lon | wc -l", |lines| {
            (lines.trim().parse() == Ok(log.valid_fixes + 1)).then_some(())
        })
        .context(all)?;

    is_kept_apart(&machine)?;
    is_saved_and_brought_back(&machine, log.valid_fixes)?;
    is_upgraded(&machine, log.valid_fixes)?;
    let journal = machine.say("journalctl --no-pager -o cat -u bugbrother-server -u bugbrother-agent");
    for word in ["ERROR", "panicked", "SECCOMP", "audit"] {
        assert!(!journal.contains(word), "{journal}");
    }
    machine.say("apt purge bugbrother-server bugbrother-agent");
    machine
        .say("test ! -e /var/lib/bugbrother-server && test ! -e /etc/bugbrother-server && test ! -e /etc/bugbrother");
    Ok(())
}

/// What the units promise is in force: the filter of system calls (2 is a filter), no way to more rights, a tree that is read only.
fn is_kept_apart(machine: &Machine) -> Result<()> {
    for unit in ["bugbrother-server", "bugbrother-agent"] {
        let id = machine.say(&format!("systemctl show -P MainPID {unit}"));
        let status = machine.say(&format!("cat /proc/{}/status", id.trim()));
        let field = |name: &str| told(&status, &format!("{name}:"));
        assert_eq!((field("Seccomp")?.as_str(), field("NoNewPrivs")?.as_str()), ("2", "1"), "{unit}");
        assert_eq!(field("CapBnd")?, "0000000000000000", "{unit}");
        assert_ne!(field("Uid")?, "0", "{unit}");
        let mounts = machine.say(&format!("grep ' / / ' /proc/{}/mountinfo | tail -1", id.trim()));
        assert!(mounts.contains(" ro,") || mounts.contains(" ro "), "{unit}: {mounts}");
    }
    Ok(())
}

/// *Backup and restore*, line by line.
fn is_saved_and_brought_back(machine: &Machine, stored: usize) -> Result<()> {
    let text = fs::read_to_string(root().join("docs/operating.md"))?;
    let backup = text.split('`').find(|quoted| quoted.contains("bugbrotherctl backup")).context("how to back up")?;
    machine.say(backup);
    for line in blocks("Backup and restore")?.concat() {
        machine.say(&line);
    }
    let at = machine.say("grep '^data = ' /etc/bugbrother-server/server.toml");
    assert_eq!(at, "data = \"/var/lib/bugbrother-server/restored\"\n");
    assert_eq!(positions(machine)?, stored);
    assert!(machine.say("bugbrotherctl vehicle list").contains("certificate until"));
    machine.until(&format!("curl -fsS https://{NAME}/healthz"), |told| told.contains("\"store\"").then_some(()))
}

/// *Upgrades*: the next version's package starts the service anew, and settings are as they were.
fn is_upgraded(machine: &Machine, stored: usize) -> Result<()> {
    let text = fs::read_to_string(root().join("docs/operating.md"))?;
    let upgrade = text.split('`').find(|quoted| quoted.contains("_NEW_")).context("how to upgrade")?;
    let architecture = machine.say("dpkg --print-architecture");
    let upgrade = upgrade.replace("amd64", architecture.trim());
    machine.say("echo '# mine' >>/etc/bugbrother-server/server.toml");
    let id = || machine.say("systemctl show -P MainPID bugbrother-server");
    let before = id();
    machine.say(&upgrade);
    assert!(machine.say("dpkg-query -W -f '${Version}' bugbrother-server").ends_with("+next"));
    assert_ne!(id(), before, "it was started anew");
    assert_eq!(machine.say("tail -n 1 /etc/bugbrother-server/server.toml"), "# mine\n");
    let doctor = machine.say("bugbrotherctl doctor");
    assert!(!doctor.contains("BAD"), "{doctor}");
    assert_eq!(positions(machine)?, stored);
    Ok(())
}
